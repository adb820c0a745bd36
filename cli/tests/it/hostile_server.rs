//! `fshare` and a server, or somebody in its place, that means harm.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::stub::{Stub, StubFault, with_body};
use crate::support::{Ran, Service};

/// What must not reach a terminal as it is: C0, DEL, C1, marks that turn the direction, other line ends.
const STEERING: &str =
    "\u{1b}\u{7}\u{7f}\u{85}\u{9b}\u{200e}\u{202e}\u{2066}\u{2069}\u{61c}\u{2028}\r\t";

fn steers(c: char) -> bool {
    c.is_control() || STEERING.contains(c)
}

/// Asserts that it is one line, and that nothing in it steers.
fn is_one_plain_line(text: &str) {
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(steers), "{line:?}");
    assert!(
        line.contains('\u{fffd}'),
        "it shows that something was there: {line:?}"
    );
}

fn answer(status: &str, body: &str) -> &'static str {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").leak()
}

/// What one request that begins like `start` is answered with, where `fshare` runs with `arguments`.
fn answered(service: &Service, start: &'static str, text: &'static str, arguments: &[&str]) -> Ran {
    let stub = Stub::before(&service.base, vec![(start, StubFault::Answer(text))]);
    service.run_through(&stub, arguments)
}

#[test]
fn other_bytes_under_the_own_link_are_said_and_the_link_is_not_passed_on() {
    fn others(answer: String) -> String {
        with_body(&answer, |body| {
            let (before, rest) = body.split_once("\"sha256\":\"").unwrap();
            let rest = &rest[64..];
            format!("{before}\"sha256\":\"{}{rest}", "0".repeat(64))
        })
    }
    fn failed(_: String) -> String {
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned()
    }
    let service = Service::start(&[]);
    service.file("mine", b"mine");
    // The second PUT gets 412: something is there. Whose it is only the record tells.
    let stub = Stub::before(
        &service.base,
        vec![
            ("PUT ", StubFault::Change(failed)),
            ("POST /v1/files/", StubFault::Change(others)),
        ],
    );
    let ran = service.run_through(&stub, &["upload", "mine"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert_eq!(stub.count("PUT "), 2);
    assert!(ran.err.contains("other bytes than yours"), "{ran:?}");
    assert!(ran.err.contains("don't pass its link on"), "{ran:?}");
    // Also for programs.
    let stub = Stub::before(
        &service.base,
        vec![("POST /v1/files/", StubFault::Change(others))],
    );
    let ran = service.run_through(&stub, &["upload", "mine", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = &ran.json()[0];
    assert_eq!(line["error"]["code"], "other_bytes", "{line}");
    assert!(line.get("link").is_none(), "{line}");
}

#[test]
fn what_a_server_says_neither_steers_a_terminal_nor_forges_a_line() {
    let service = Service::start(&[]);
    let detail = format!("no\n✓ all is well{STEERING}");
    let problem = json!({ "code": "refused\n✓", "detail": detail }).to_string();
    let refused = answer("403 Forbidden", &problem);
    let id = "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f";
    let ran = answered(&service, "GET ", refused, &["info", id]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    is_one_plain_line(&ran.err);
    service.file("f", b"f");
    let ran = answered(&service, "POST ", refused, &["upload", "f"]);
    is_one_plain_line(&ran.err);
    let xml = format!("<Error><Code>A\nB</Code><Message>{detail}</Message></Error>");
    let ran = answered(
        &service,
        "PUT ",
        answer("400 Bad Request", &xml),
        &["upload", "f"],
    );
    is_one_plain_line(&ran.err);
    let ran = answered(&service, "DELETE ", refused, &["delete", "--yes", id]);
    is_one_plain_line(&ran.err);
    // A page of records, and one record.
    let record = json!({
        "id": id, "filename": detail, "size": 1, "contentType": detail, "sha256": detail,
        "status": detail, "createdAt": detail, "uploadedAt": detail, "reason": detail,
    });
    let page = json!({ "files": [record], "nextCursor": null }).to_string();
    let ran = answered(&service, "GET ", answer("200 OK", &page), &["list"]);
    is_one_plain_line(&ran.out);
    let ran = answered(
        &service,
        "GET ",
        answer("200 OK", &record.to_string()),
        &["info", id],
    );
    assert_eq!(ran.out.lines().count(), 9, "a line for each field: {ran:?}");
    assert!(!ran.out.replace('\n', "").contains(steers), "{ran:?}");
}

#[test]
fn a_name_on_this_machine_neither_steers_a_terminal_nor_forges_a_line() {
    let service = Service::start(&[]);
    let name = format!("a\n✓ b{}", STEERING.replace('\t', ""));
    service.file(&name, &vec![0; 20 * 1024 * 1024 + 1]);
    let ran = service.run(&["upload", &name]);
    assert_eq!(ran.code, 1, "{ran:?}");
    is_one_plain_line(&ran.err);
}

#[test]
fn json_for_programs_has_such_characters_escaped_and_means_the_same() {
    let service = Service::start(&[]);
    let id = "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f";
    let name = format!("a\n{STEERING}z");
    let record = json!({
        "id": id, "filename": name, "size": 1, "contentType": "text/plain", "sha256": null,
        "status": "pending", "createdAt": "2026-11-26T08:00:00.000Z", "uploadedAt": null,
    });
    let page = json!({ "files": [record], "nextCursor": null }).to_string();
    let problem = json!({ "code": name, "detail": name }).to_string();
    for (text, arguments) in [
        (answer("200 OK", &page), &["list", "--json"][..]),
        (
            answer("200 OK", &record.to_string()),
            &["info", id, "--json"],
        ),
        (answer("403 Forbidden", &problem), &["info", id, "--json"]),
    ] {
        let ran = answered(&service, "GET ", text, arguments);
        let line = ran.out.strip_suffix('\n').unwrap();
        assert!(!line.contains(steers), "{line:?}");
        let said = &ran.json()[0];
        let meant = [&said["filename"], &said["error"]["code"]];
        assert!(meant.contains(&&json!(name)), "{said}");
    }
}

#[test]
fn a_list_ends_although_the_server_always_names_a_next_page() {
    fn empty(_: String) -> String {
        static PAGES: AtomicU32 = AtomicU32::new(0);
        let body =
            json!({ "files": [], "nextCursor": PAGES.fetch_add(1, Ordering::Relaxed).to_string() });
        answer("200 OK", &body.to_string()).to_owned()
    }
    let service = Service::start(&[]);
    service.upload("only", b"only");
    let stub = Stub::always(&service.base, "GET ", empty);
    let ran = service.run_through(&stub, &["list", "--all"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("no files on"), "{ran:?}");
    // The same page over and over, or some pages in a circle: here a record each.
    let stub = Stub::before(
        &service.base,
        (0..2000)
            .map(|index| {
                let id = format!("019c134c-66db-7f4d-9a7e-{index:012}");
                let record = json!({
                    "id": id, "filename": "x", "size": 1, "contentType": "text/plain",
                    "sha256": null, "status": "pending", "createdAt": "", "uploadedAt": null,
                });
                let cursor = format!("turn {}", index % 3);
                let body = json!({ "files": [record], "nextCursor": cursor }).to_string();
                ("GET ", StubFault::Answer(answer("200 OK", &body)))
            })
            .collect(),
    );
    let ran = service.run_through(&stub, &["list", "--all"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("in a circle"), "{ran:?}");
    assert!(stub.count("GET ") < 20, "{}", stub.count("GET "));
    // An empty page now and then is nothing special.
    let page = answer("200 OK", "{\"files\":[],\"nextCursor\":\"next\"}");
    let last = service.run(&["list", "--json"]).json();
    let last = json!({ "files": last, "nextCursor": null }).to_string();
    let stub = Stub::before(
        &service.base,
        vec![
            ("GET ", StubFault::Answer(page)),
            ("GET ", StubFault::Answer(answer("200 OK", &last))),
        ],
    );
    let ran = service.run_through(&stub, &["list"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
}

#[test]
fn more_records_than_were_asked_for_are_not_shown() {
    let service = Service::start(&[]);
    for name in ["a", "b", "c"] {
        service.upload(name, b"x");
    }
    // As if the service took no notice of `limit`.
    let all = service.run(&["list", "--json"]).json();
    let page = json!({ "files": all, "nextCursor": null }).to_string();
    let ran = answered(
        &service,
        "GET ",
        answer("200 OK", &page),
        &["list", "--limit", "2"],
    );
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
}

#[test]
fn an_answer_that_is_too_long_is_not_asked_for_again() {
    let service = Service::start(&[]);
    let long = answer("200 OK", &" ".repeat(1024 * 1024 + 1));
    let faults = (0..10).map(|_| ("GET ", StubFault::Answer(long)));
    let stub = Stub::before(&service.base, faults.collect());
    let ran = service.run_through(&stub, &["list"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("longer than"), "{ran:?}");
    assert_eq!(stub.count("GET "), 1);
}

#[test]
fn a_redirect_that_leads_nowhere_is_not_followed_again_and_again() {
    let service = Service::start(&[]);
    let link = service.upload("f", b"f");
    let id = link.rsplit('/').next().unwrap();
    let line: &'static str = format!("GET /v1/files/{id} ").leak();
    for location in [
        "/relative",
        "http://me:secret@127.0.0.1:9/f",
        "ftp://127.0.0.1/f",
    ] {
        let redirect = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        );
        let stub = Stub::before(
            &service.base,
            vec![(line, StubFault::Answer(redirect.leak()))],
        );
        let ran = service.run_through(&stub, &["download", id, "-o", "back"]);
        assert_eq!(ran.code, 1, "{location}: {ran:?}");
        assert!(ran.err.contains("redirect"), "{location}: {ran:?}");
        assert!(!ran.err.contains("secret"), "{ran:?}");
        assert_eq!(stub.count(line), 1, "{location}");
    }
}

#[test]
fn only_headers_that_an_upload_needs_are_sent_as_the_server_names_them() {
    let service = Service::start(&[]);
    service.file("f", b"f");
    for header in [
        "Host",
        "authorization",
        "cookie",
        "content-length",
        "transfer-encoding",
        "proxy-authorization",
        "x-forwarded-for",
        "range",
        "user-agent",
    ] {
        let created = json!({
            "id": "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f", "filename": "f", "size": 1,
            "contentType": "text/plain", "sha256": null, "status": "pending",
            "createdAt": "2026-11-26T08:00:00.000Z", "uploadedAt": null,
            "upload": {
                "method": "PUT", "url": format!("{}/bucket/f", service.base),
                "headers": { "content-type": "text/plain", header: "inside.example" },
            },
        });
        let created = answer("201 Created", &created.to_string());
        let stub = Stub::before(
            &service.base,
            vec![("POST /v1/files ", StubFault::Answer(created))],
        );
        let ran = service.run_through(&stub, &["upload", "f", "--timeout", "5"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        let said = format!("the header {}", header.to_lowercase());
        assert!(ran.err.to_lowercase().contains(&said), "{header}: {ran:?}");
        assert_eq!(stub.count("PUT "), 0, "{header}");
    }
}

#[test]
fn bytes_go_to_no_address_with_a_user_in_it() {
    fn with_user(answer: String) -> String {
        with_body(&answer, |body| {
            body.replace("\"url\":\"http://", "\"url\":\"http://me:secret@")
        })
    }
    let service = Service::start(&[]);
    service.file("f", b"f");
    let stub = Stub::before(
        &service.base,
        vec![("POST /v1/files ", StubFault::Change(with_user))],
    );
    let ran = service.run_through(&stub, &["upload", "f"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("user or password"), "{ran:?}");
    assert!(!ran.err.contains("secret"), "{ran:?}");
    assert_eq!(stub.count("PUT "), 0);
}
