//! The limits on files that wait for their bytes, on the real programs.

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::hang_up::{SLOW_SYNC, hang_up_on};
use crate::support::program::{Program, data_dir};

const BODY: &str = r#"{"filename": "a.txt", "size": 5}"#;

fn new_file(base: &str) -> Value {
    create(base, &json!({"filename": "a.txt", "size": 5}))
}

/// Asks to create a file from `address`; the head of the answer and its body.
fn try_create(base: &str, address: &str) -> (String, Value) {
    let url = format!("{base}/v1/files");
    let answer = curl(&["--include", "--interface", address, "--json", BODY, &url]);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap())
}

fn assert_refused(base: &str, address: &str, status: u16, code: &str) {
    let (head, problem) = try_create(base, address);
    assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
    assert!(head.contains("\r\nretry-after: 30\r\n"), "{head}");
    assert_eq!(problem["code"], code, "{problem}");
}

fn assert_created(base: &str, address: &str) -> Value {
    let (head, created) = try_create(base, address);
    assert!(head.starts_with("http/1.1 201"), "{head} {created}");
    created
}

fn delete(base: &str, created: &Value) {
    let url = format!("{base}/v1/files/{}", created["id"].as_str().unwrap());
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
}

fn settle(base: &str, created: &Value, source: &std::path::Path) {
    assert_eq!(upload(created, source), "200");
    let id = created["id"].as_str().unwrap();
    let settled = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(settled["status"], "available");
}

#[test]
fn beyond_the_limit_on_pending_files_creates_are_503_until_one_is_settled_or_deleted() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let settings = [
        ("MAX_PENDING_FILES", "3"),
        ("MAX_PENDING_PER_ADDRESS", "off"),
    ];
    let program = Program::local(&data, &settings);
    let base = program.base.as_str();
    let files: Vec<Value> = (0..3).map(|_| new_file(base)).collect();
    assert_refused(base, "127.0.0.1", 503, "too_many_pending");
    // With a key, what is there already is given all the same.
    let keyed = |key: &str| {
        let header = format!("Idempotency-Key: {key}");
        let url = format!("{base}/v1/files");
        curl_status(&["--header", &header, "--json", BODY, &url])
    };
    delete(base, &files[0]);
    assert_eq!(keyed("one"), "201");
    assert_eq!(keyed("one"), "201");
    assert_eq!(keyed("two"), "503");
    settle(base, &files[1], &source);
    assert_eq!(keyed("two"), "201");
    assert_eq!(keyed("three"), "503");
    assert!(program.terminate().success());

    // A start counts what is there.
    let program = Program::local(&data, &settings);
    assert_refused(&program.base, "127.0.0.1", 503, "too_many_pending");
    delete(&program.base, &files[2]);
    assert_created(&program.base, "127.0.0.1");
    assert_refused(&program.base, "127.0.0.1", 503, "too_many_pending");
}

#[test]
fn an_address_with_its_share_of_pending_files_is_429_and_others_are_not() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let program = Program::local(&data, &[("MAX_PENDING_FILES", "20")]);
    let base = program.base.as_str();
    let first = assert_created(base, "127.0.0.2");
    let second = assert_created(base, "127.0.0.2");
    assert_refused(base, "127.0.0.2", 429, "too_many_creates");
    assert_created(base, "127.0.0.3");
    delete(base, &first);
    assert_created(base, "127.0.0.2");
    assert_refused(base, "127.0.0.2", 429, "too_many_creates");
    settle(base, &second, &source);
    assert_created(base, "127.0.0.2");
    assert_refused(base, "127.0.0.2", 429, "too_many_creates");
}

#[test]
fn whoever_hangs_up_in_the_middle_of_creates_has_no_more_of_them_than_others() {
    let dir = data_dir();
    let trace = data_dir();
    let settings = [("MAX_PENDING_FILES", "20"), ("LISTEN", "127.0.0.1:0")];
    let trace = trace.path().join("trace");
    let program = Program::local_recorded(dir.path(), &trace, SLOW_SYNC, &settings);
    let base = program.base.as_str();
    // A tenth for each address: what is refused beyond it is answered at once.
    for _ in 0..2 {
        hang_up_on(base, "POST /v1/files", "accept: */*", BODY);
    }
    assert_refused(base, "127.0.0.1", 429, "too_many_creates");
    assert_created(base, "127.0.0.2");
    let listed = curl_json(&[&format!("{base}/v1/files")]);
    assert_eq!(listed["files"].as_array().unwrap().len(), 3);
}
