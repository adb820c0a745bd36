//! `fshare` and a service of a later version: what it doesn't know isn't an end.

use std::time::{Duration, Instant};

use crate::stub::{Stub, StubFault, with_body};
use crate::support::Service;

/// The answer with a status that no version of this program knows.
fn scanned(answer: String) -> String {
    with_body(&answer, |body| {
        let known = ["available", "pending"];
        known.iter().fold(body.to_owned(), |body, status| {
            body.replace(&format!("\"{status}\""), "\"quarantined\"")
        })
    })
}

#[test]
fn an_upload_waits_on_while_the_status_is_one_that_it_does_not_know() {
    let service = Service::start(&[]);
    service.file("slides", b"slides");
    let stub = Stub::before(
        &service.base,
        vec![
            ("POST /v1/files/", StubFault::Change(scanned)),
            ("GET /v1/files/", StubFault::Change(scanned)),
            ("GET /v1/files/", StubFault::Change(scanned)),
        ],
    );
    let ran = service.run_through(&stub, &["upload", "slides"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
    assert_eq!(stub.count("GET /v1/files/"), 3, "it asked until it knew");
    assert_eq!(stub.count("DELETE "), 0);
    assert_eq!(stub.count("PUT "), 1);
}

#[test]
fn an_upload_whose_status_stays_unknown_ends_with_the_timeout_and_is_not_called_expired() {
    let service = Service::start(&[]);
    service.file("slides", b"slides");
    let stub = Stub::always(&service.base, "", scanned);
    let began = Instant::now();
    let ran = service.run_through(&stub, &["upload", "slides", "--timeout", "2"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "it waited");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("isn't available yet"), "{ran:?}");
    assert!(ran.err.contains("quarantined"), "{ran:?}");
    for end in ["expired", "never came", "rejected"] {
        assert!(!ran.err.contains(end), "{ran:?}");
    }
    assert_eq!(stub.count("DELETE "), 0);
    assert_eq!(service.records()[0]["status"], "available");
}

#[test]
fn bytes_are_sent_again_while_the_status_is_one_that_it_does_not_know() {
    let service = Service::start(&[]);
    service.file("slides", b"slides");
    // The connection ends before the store has anything, and the record says what nobody knows yet.
    let stub = Stub::before(
        &service.base,
        vec![
            ("PUT ", StubFault::Answer("")),
            ("GET /v1/files/", StubFault::Change(scanned)),
        ],
    );
    let ran = service.run_through(&stub, &["upload", "slides"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(stub.count("PUT "), 2);
}

#[test]
fn a_download_waits_while_the_status_is_one_that_it_does_not_know() {
    let service = Service::start(&[]);
    let link = service.upload("slides", b"slides");
    let id = link.rsplit('/').next().unwrap();
    let stub = Stub::before(
        &service.base,
        vec![
            ("GET /v1/files/", StubFault::Change(scanned)),
            ("GET /v1/files/", StubFault::Change(scanned)),
        ],
    );
    let ran = service.run_through(&stub, &["download", id, "-o", "back"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let back = std::fs::read(service.folder.path().join("back")).unwrap();
    assert_eq!(back, b"slides");
}

#[test]
fn words_that_it_does_not_know_are_shown_as_they_came() {
    // `stage` stands beside `pending`.
    fn staged(answer: String) -> String {
        with_body(&answer, |body| {
            body.replace(
                "\"status\":\"available\"",
                "\"status\":\"pending\",\"stage\":\"scan\\u001b[2Jning\"",
            )
        })
    }
    let service = Service::start(&[]);
    let link = service.upload("slides", b"slides");
    let id = link.rsplit('/').next().unwrap();
    for arguments in [&["list"][..], &["info", id]] {
        let stub = Stub::before(
            &service.base,
            vec![("GET /v1/files", StubFault::Change(scanned))],
        );
        let ran = service.run_through(&stub, arguments);
        assert!(ran.code == 0 && ran.out.contains("quarantined"), "{ran:?}");
        let stub = Stub::before(
            &service.base,
            vec![("GET /v1/files", StubFault::Change(staged))],
        );
        let ran = service.run_through(&stub, arguments);
        let shown = "pending (scan\u{fffd}[2Jning)";
        assert!(ran.code == 0 && ran.out.contains(shown), "{ran:?}");
    }
    let stub = Stub::before(
        &service.base,
        vec![("GET /v1/files", StubFault::Change(staged))],
    );
    let ran = service.run_through(&stub, &["list", "--json"]);
    let line = &ran.json()[0];
    assert_eq!(
        (&line["status"], &line["stage"]),
        (&"pending".into(), &"scan\u{1b}[2Jning".into())
    );
}

#[test]
fn the_doctor_does_not_take_a_status_that_it_does_not_know_for_an_end() {
    let service = Service::start(&[]);
    let stub = Stub::always(&service.base, "GET /v1/files/", scanned);
    let ran = service.run_through(&stub, &["doctor", "--json", "--notification-limit", "2"]);
    let lines = ran.json();
    let line = lines
        .iter()
        .find(|line| line["check"] == "notification")
        .unwrap();
    assert_eq!(line["verdict"], "wrong", "{ran:?}");
    let said = line["said"].as_str().unwrap();
    assert!(
        said.contains("in 2 s") && said.contains("still quarantined"),
        "{said}"
    );
}
