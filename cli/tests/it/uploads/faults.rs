//! `fshare upload` where something goes wrong on the way: answers are lost, servers are busy or away, URLs are too old,
//! and files change meanwhile.

use crate::stub::{Stub, StubFault};
use crate::support::{Ran, Service, fshare, random};

const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_lost_answer_to_the_create_makes_no_second_file() {
    let service = Service::start(&[]);
    let stub = Stub::before(
        &service.base,
        vec![("POST /v1/files ", StubFault::LoseAnswer)],
    );
    service.file("once", b"once");
    let ran = Ran::of(
        service
            .command(&["upload", "once", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(stub.count("POST /v1/files "), 2);
    assert_eq!(service.records().len(), 1);
}

#[test]
fn a_lost_answer_to_the_bytes_ends_with_the_file() {
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("PUT ", StubFault::LoseAnswer)]);
    service.file("once", &random(100_000));
    let ran = Ran::of(
        service
            .command(&["upload", "once", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(stub.count("PUT ") >= 1);
    assert_eq!(service.records()[0]["status"], "available");
}

#[test]
fn a_second_try_that_finds_the_bytes_there_already_ends_right() {
    const AWAY: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let service = Service::start(&[]);
    // The store has the bytes and says that it failed: the second try is answered with 412.
    let lie: fn(String) -> String = |_| AWAY.to_owned();
    let seen_412: fn(String) -> String = |answer| {
        assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
        answer
    };
    let stub = Stub::before(
        &service.base,
        vec![
            ("PUT ", StubFault::Change(lie)),
            ("PUT ", StubFault::Change(seen_412)),
        ],
    );
    let content = random(100_000);
    service.file("once", &content);
    let ran = Ran::of(
        service
            .command(&["upload", "once", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(stub.count("PUT "), 2);
    let records = service.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["status"], "available");
    let back = service
        .command(&["download", ran.out.trim(), "-o", "-"])
        .output();
    assert!(back.unwrap().stdout == content);
}

#[test]
fn a_file_that_is_still_pending_when_time_is_over_is_said_with_its_link() {
    // What the service answers while nobody finalizes: the bytes are there, and it doesn't know.
    fn pending(answer: &str) -> String {
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body = body.replace("\"available\"", "\"pending\"");
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
    }
    let service = Service::start(&[]);
    service.file("slow", b"slow");
    let change: fn(String) -> String = |answer| pending(&answer);
    let mut faults = vec![("POST /v1/files/", StubFault::Change(change))];
    faults.extend((0..200).map(|_| ("GET /v1/files/", StubFault::Change(change))));
    let stub = Stub::before(&service.base, faults);
    let started = std::time::Instant::now();
    let ran = Ran::of(
        service
            .command(&["upload", "slow", "--timeout", "2", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert!(
        started.elapsed() >= std::time::Duration::from_secs(1),
        "it waited"
    );
    // Some of it failed, as --help has it: it isn't known to be there.
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("isn't available yet"), "{ran:?}");
    let ask = format!("ask with: fshare info {}/f/", stub.base);
    assert!(ran.err.contains(&ask), "{ran:?}");
    let asked = stub.count("GET /v1/files/");
    assert!(
        (2..=8).contains(&asked),
        "a server that doesn't wait isn't pressed: {asked}"
    );
}

#[test]
fn a_busy_server_and_a_busy_store_are_asked_again_when_they_say() {
    let service = Service::start(&[]);
    let stub = Stub::before(
        &service.base,
        vec![
            ("POST /v1/files ", StubFault::Answer(BUSY)),
            ("PUT ", StubFault::Answer(BUSY)),
        ],
    );
    service.file("patient", b"patient");
    let started = std::time::Instant::now();
    let ran = Ran::of(
        service
            .command(&["upload", "patient", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        started.elapsed() >= std::time::Duration::from_secs(2),
        "Retry-After wasn't respected"
    );
    assert_eq!((stub.count("POST /v1/files "), stub.count("PUT ")), (2, 2));
}

#[test]
fn a_service_that_limits_how_often_it_is_called_is_waited_for_and_it_is_said_once() {
    const LIMITED: &str =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
    let service = Service::start(&[]);
    let limited = |count: usize| {
        let faults = (0..count).map(|_| ("POST /v1/files ", StubFault::Answer(LIMITED)));
        Stub::before(&service.base, faults.collect())
    };
    service.file("patient", b"patient");
    let (stub, started) = (limited(2), std::time::Instant::now());
    let ran = service.run_through(&stub, &["upload", "patient"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(started.elapsed() >= std::time::Duration::from_secs(4));
    assert_eq!(ran.err.matches("asks to wait 2 s").count(), 1, "{ran:?}");
    assert_eq!(stub.count("POST /v1/files "), 3);
    // A wait that there is no time for isn't begun.
    let ran = service.run_through(&limited(9), &["upload", "patient", "--timeout", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!ran.err.contains("asks to wait"), "{ran:?}");
}

#[test]
fn an_expired_url_is_replaced_by_a_fresh_one() {
    const EXPIRED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 82\r\n\r\n\
        <Error><Code>AccessDenied</Code><Message>Request has expired.</Message>   </Error>";
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("PUT ", StubFault::Answer(EXPIRED))]);
    service.file("late", b"late");
    let ran = Ran::of(
        service
            .command(&["upload", "late", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let renewed = stub
        .seen
        .lock()
        .unwrap()
        .iter()
        .any(|line| line.contains("/upload HTTP"));
    assert!(renewed, "{:?}", stub.seen.lock().unwrap());
}

#[test]
fn a_file_that_changes_after_it_was_measured_is_noticed() {
    let service = Service::start(&[]);
    let path = service.file("draft", b"the first draft");
    let change = move || std::fs::write(path, b"the other draft").unwrap();
    let stub = Stub::before(
        &service.base,
        vec![("POST /v1/files ", StubFault::Before(Box::new(change)))],
    );
    let ran = Ran::of(
        service
            .command(&["upload", "draft", "--server", &stub.base])
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("it changed while"), "{ran:?}");
}

#[test]
fn a_server_that_is_away_has_an_exit_code_of_its_own() {
    let service = Service::start(&[]);
    service.file("a", b"a");
    let mut command = fshare("http://127.0.0.1:1");
    let ran = Ran::of(
        command
            .arg("upload")
            .arg(service.folder.path().join("a"))
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
    assert!(
        ran.err.contains("http://127.0.0.1:1 can't be reached"),
        "{ran:?}"
    );
    let ran = Ran::of(fshare("http://127.0.0.1:1").arg("list").output().unwrap());
    assert_eq!(ran.code, 3, "{ran:?}");
    let ran = Ran::of(fshare("nonsense").arg("list").output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
}
