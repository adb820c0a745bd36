//! `fshare doctor` on the way of local mode: all well, and each check with what it is for broken.

mod callers;
mod settlement;

use std::sync::mpsc::channel;

use serde_json::Value;

use crate::stub::{Stub, StubFault};
use crate::support::{Ran, Service, damage, fshare, signalled};

const ALL: [&str; 14] = [
    "server",
    "stores",
    "clocks",
    "sign-in",
    "create",
    "limits",
    "addresses",
    "store",
    "cors",
    "upload",
    "notification",
    "buffering",
    "download",
    "delete",
];

/// The doctor at this address, with `--json`.
fn doctor(server: &str, arguments: &[&str]) -> (i32, Vec<Value>) {
    let (code, lines) = walk(server, arguments);
    let names: Vec<_> = lines.iter().map(|line| line["check"].clone()).collect();
    assert_eq!(names, ALL, "each check is one line: {lines:#?}");
    (code, lines)
}

/// The same with checks that aren't made by themselves.
fn walk(server: &str, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = fshare(server);
    // Far more than it needs, for a machine that is busy.
    let limit = if arguments.contains(&"--check-limit") {
        &[][..]
    } else {
        &["--check-limit", "120"]
    };
    let doctor = command.args(["doctor", "--json"]).args(limit);
    let output = doctor.args(arguments).output();
    let ran = Ran::of(output.unwrap());
    (ran.code, ran.json())
}

/// The checks with this verdict.
fn with<'a>(verdict: &str, lines: &'a [Value]) -> Vec<&'a str> {
    let those = lines.iter().filter(|line| line["verdict"] == verdict);
    those.map(|line| line["check"].as_str().unwrap()).collect()
}

/// Asserts that exactly this check is wrong, that it says what, and how to mend it.
fn only_wrong(lines: &[Value], check: &str, said: &str, remedy: &str) {
    assert_eq!(with("wrong", lines), [check], "{lines:#?}");
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert!(line["said"].as_str().unwrap().contains(said), "{line}");
    assert!(line["mend"].as_str().unwrap().contains(remedy), "{line}");
}

#[test]
fn where_all_is_well_every_check_is_ticked_and_nothing_is_left() {
    let service = Service::start(&[]);
    let mine = service.upload("mine", b"mine");
    let ran = service.run(&["doctor"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), ALL.len(), "{ran:?}");
    for (line, name) in lines.iter().zip(ALL) {
        assert!(line.starts_with(&format!("✓ {name} ")), "{line}");
    }
    let (code, lines) = doctor(&service.base, &[]);
    assert_eq!((code, with("ok", &lines)), (0, ALL.to_vec()), "{lines:#?}");
    assert!(lines.iter().all(|line| line["milliseconds"].is_u64()));
    let left = service.records();
    assert_eq!(left.len(), 1, "only what was there before: {left:?}");
    assert!(mine.ends_with(left[0]["id"].as_str().unwrap()));
}

#[test]
fn a_server_that_is_away_is_the_only_thing_that_is_wrong() {
    let (code, lines) = doctor("http://127.0.0.1:1", &[]);
    assert_eq!(code, 3);
    only_wrong(&lines, "server", "can't be reached", "--server");
    assert_eq!(with("not_looked_at", &lines), ALL[1..]);
    let ran = Ran::of(fshare("http://127.0.0.1:1").arg("doctor").output().unwrap());
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("✗ server "), "{ran:?}");
    assert!(lines[1].starts_with("    → start the service"), "{ran:?}");
    assert!(lines[2].starts_with("– stores "), "{ran:?}");
    assert!(lines[2].contains("not looked at, because"), "{ran:?}");
}

#[test]
fn another_server_is_told_from_this_service() {
    const OTHER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";
    let stub = Stub::before("127.0.0.1:1", vec![("GET ", StubFault::Answer(OTHER))]);
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "server", "isn't a File Share Service", "--server");
    assert_eq!(stub.count("POST "), 0, "nothing is sent to strangers");
    // One that sends everybody elsewhere, as a proxy does from http to https.
    const MOVED: &str = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://files.example/openapi.json\r\n\
                         Content-Length: 0\r\n\r\n";
    let stub = Stub::before("127.0.0.1:1", vec![("GET ", StubFault::Answer(MOVED))]);
    let (_, lines) = doctor(&stub.base, &[]);
    only_wrong(
        &lines,
        "server",
        "another address",
        "--server https://files.example",
    );
}

#[test]
fn a_clock_that_is_off_is_said_with_its_direction() {
    fn set(answer: &str, date: &str) -> String {
        let lines = answer.split("\r\n").map(|line| {
            if line.to_lowercase().starts_with("date:") {
                format!("Date: {date}")
            } else {
                line.to_owned()
            }
        });
        lines.collect::<Vec<_>>().join("\r\n")
    }
    let behind: fn(String) -> String = |answer| set(&answer, "Mon, 04 Nov 2024 08:00:00 GMT");
    let ahead: fn(String) -> String = |answer| set(&answer, "Wed, 04 Nov 2133 08:00:00 GMT");
    let service = Service::start(&[]);
    for (change, said) in [(behind, "s behind"), (ahead, "s ahead of")] {
        let stub = Stub::before(
            &service.base,
            vec![("GET /openapi", StubFault::Change(change))],
        );
        let (code, lines) = doctor(&stub.base, &[]);
        assert_eq!(code, 1);
        only_wrong(&lines, "clocks", said, "NTP");
        assert!(with("not_looked_at", &lines).is_empty(), "the way goes on");
    }
}

#[test]
fn stores_that_the_service_does_not_reach_are_named() {
    const NOT_READY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 70\r\n\r\n\
        {\"code\":\"store_unavailable\",\"detail\":\"a store doesn't answer in time\"}";
    let service = Service::start(&[]);
    let stub = Stub::before(
        &service.base,
        vec![("GET /readyz", StubFault::Answer(NOT_READY))],
    );
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "stores", "doesn't reach its stores", "BUCKET_NAME");
}

#[test]
fn a_check_that_gets_no_answer_ends_at_its_limit() {
    let service = Service::start(&[]);
    let (stop, stopped) = channel::<()>();
    let hold = move || {
        let _ = stopped.recv();
    };
    let stub = Stub::before(
        &service.base,
        vec![("GET /readyz", StubFault::Before(Box::new(hold)))],
    );
    let (code, lines) = doctor(&stub.base, &["--check-limit", "3"]);
    drop(stop);
    assert_eq!(code, 1);
    only_wrong(&lines, "stores", "took longer than 3 s", "slow");
}

#[test]
fn a_create_that_is_refused_ends_the_checks() {
    const FULL: &str = "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 53\r\n\r\n\
        {\"code\":\"insufficient_storage\",\"detail\":\"it is full\"}";
    let service = Service::start(&[]);
    let stub = Stub::before(
        &service.base,
        vec![("POST /v1/files ", StubFault::Answer(FULL))],
    );
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "create", "insufficient_storage", "log");
    assert_eq!(with("not_looked_at", &lines), ALL[6..]);
    assert_eq!(service.records().len(), 0);
}

#[test]
fn pages_of_an_origin_that_is_not_allowed_are_told_so() {
    let page = "https://page.example";
    let service = Service::start(&[]);
    let (code, lines) = doctor(&service.base, &["--origin", page]);
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "cors",
        "the service refuses pages of",
        "ALLOWED_ORIGINS",
    );
    let service = Service::start(&[("ALLOWED_ORIGINS", page)]);
    let (code, lines) = doctor(&service.base, &["--origin", page]);
    assert_eq!(code, 0, "{lines:#?}");
    let cors = lines.iter().find(|line| line["check"] == "cors").unwrap();
    let said = cors["said"].as_str().unwrap();
    assert!(said.contains("the service and the store let"), "{said}");
    let ran = service.run(&["doctor", "--origin", "page.example/x"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn an_upload_that_the_store_refuses_is_said_with_its_code() {
    const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 71\r\n\r\n\
        <Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message></Error>";
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("PUT ", StubFault::Answer(REFUSED))]);
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "upload",
        "SignatureDoesNotMatch",
        "S3_PUBLIC_ENDPOINT_URL",
    );
    assert_eq!(with("not_looked_at", &lines), ALL[10..13]);
    assert_eq!(stub.count("PUT "), 1);
    assert_eq!(service.records().len(), 0, "the test file is gone");
}

#[test]
fn a_download_that_is_not_equal_is_no_download() {
    let service = Service::start(&[]);
    let data = service.data();
    // The first time that the bytes themselves are fetched, they have changed on the disk.
    let change = move || damage(&data, "objects/");
    let stub = Stub::before(
        &service.base,
        vec![(
            "GET /file-share-bucket/",
            StubFault::Before(Box::new(change)),
        )],
    );
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "download",
        "aren't those that were sent",
        "file-share scrub",
    );
    assert_eq!(service.records().len(), 0);
}

#[test]
fn a_test_file_that_is_not_deleted_is_said_and_tried_again() {
    const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 43\r\n\r\n\
        {\"code\":\"internal_error\",\"detail\":\"broken\"}";
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("DELETE ", StubFault::Answer(BROKEN))]);
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "delete", "can't be deleted", "fshare delete");
    assert_eq!(service.records().len(), 0);
}

#[test]
fn ctrl_c_takes_the_test_file_away_again() {
    let service = Service::start(&[]);
    // Also when nobody knows yet that there is one.
    for start in ["PUT ", "POST /v1/files "] {
        let ran = signalled(&service, "-INT", &[start], &["doctor"]);
        assert_eq!(ran.code, 130, "{ran:?}");
        assert!(ran.err.contains("interrupted"), "{ran:?}");
        assert!(
            ran.err.contains("the test file is deleted again"),
            "{ran:?}"
        );
        assert_eq!(service.records().len(), 0);
    }
}

#[test]
fn the_test_file_is_as_large_as_the_service_takes_any() {
    for (setting, size) in [(None, "20971520"), (Some("1000"), "1000"), (Some("1"), "1")] {
        let settings: Vec<_> = setting
            .map(|bytes| ("MAX_UPLOAD_BYTES", bytes))
            .into_iter()
            .collect();
        let service = Service::start(&settings);
        let (code, lines) = doctor(&service.base, &[]);
        assert_eq!((code, with("ok", &lines)), (0, ALL.to_vec()), "{lines:#?}");
        let upload = lines.iter().find(|line| line["check"] == "upload").unwrap();
        let said = upload["said"].as_str().unwrap();
        assert!(said.starts_with(&format!("{size} bytes ")), "{said}");
        assert_eq!(service.records().len(), 0);
    }
}

#[test]
fn a_waiting_call_that_is_kept_back_is_said() {
    let service = Service::start(&[]);
    let (stop, stopped) = channel::<()>();
    let hold = move || {
        let _ = stopped.recv();
    };
    // The first that asks about the file is the one that waits.
    let stub = Stub::before(
        &service.base,
        vec![("GET /v1/files/", StubFault::Before(Box::new(hold)))],
    );
    let (code, lines) = doctor(&stub.base, &[]);
    drop(stop);
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "buffering",
        "a call that waits",
        "proxy_buffering off;",
    );
}

#[test]
fn a_clock_of_the_store_that_is_off_is_said() {
    let behind: fn(String) -> String = |answer| {
        let now = answer
            .split("\r\n")
            .find(|line| line.to_lowercase().starts_with("date:"));
        let now = now.unwrap().to_owned();
        answer.replace(&now, "Date: Mon, 04 Nov 2024 08:00:00 GMT")
    };
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("HEAD / ", StubFault::Change(behind))]);
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "store", "s behind", "NTP");
}

#[test]
fn a_connection_that_is_cut_while_the_bytes_go_out_is_said_with_the_limit_of_proxies() {
    let service = Service::start(&[]);
    let cuts = (0..3).map(|_| ("PUT ", StubFault::Answer("")));
    let stub = Stub::before(&service.base, cuts.collect());
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "upload",
        "doesn't answer",
        "client_max_body_size 21m;",
    );
    assert_eq!(stub.count("PUT "), 3);
}

#[test]
fn a_refusal_that_a_cut_connection_swallowed_is_heard_by_another_attempt() {
    const TOO_LARGE: &str = "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n";
    let service = Service::start(&[]);
    let faults = [StubFault::Answer(""), StubFault::Answer(TOO_LARGE)];
    let stub = Stub::before(&service.base, faults.map(|fault| ("PUT ", fault)).into());
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "upload", "413", "client_max_body_size 21m;");
}

#[test]
fn an_upload_whose_answer_was_lost_has_got_through() {
    let service = Service::start(&[]);
    let stub = Stub::before(&service.base, vec![("PUT ", StubFault::LoseAnswer)]);
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!((code, with("wrong", &lines)), (0, vec![]), "{lines:?}");
}
