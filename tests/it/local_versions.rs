//! A key that is used a second time, after its file was deleted: nothing that was handed out for the
//! first file brings the second one's bytes, whatever the program went through in between.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::program::{Program, data_dir};

/// What may stand between two steps.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    Kill,
}

fn file(base: &str, created: &Value) -> String {
    format!("{base}/v1/files/{}", created["id"].as_str().unwrap())
}

/// Where a redirect leads.
fn redirect(url: &str) -> String {
    let answer = curl(&[
        "--output",
        "/dev/null",
        "--write-out",
        "%{redirect_url}",
        url,
    ]);
    String::from_utf8(answer).unwrap()
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// PUT A, keep the redirect, DELETE, PUT B by the same URL; what the redirect brings then.
fn put_delete_put(dir: &Path, between: [Between; 3]) -> String {
    let address = free_address();
    let data = dir.join("data");
    let start = || Some(Program::local(&data, &[("LISTEN", &address)]));
    let mut program = start();
    let mut pass = |step: usize| {
        if between[step] == Between::Kill {
            program.take().unwrap().kill();
            program = start();
        }
    };
    let base = format!("http://{address}");
    let source = dir.join("source");
    let put = |created: &Value, bytes: &str| {
        std::fs::write(&source, bytes).unwrap();
        upload(created, &source)
    };
    let created = create(&base, &json!({"filename": "a.txt", "size": 5}));
    let url = file(&base, &created);
    assert_eq!(put(&created, "first"), "200");
    pass(0);
    let record = curl_json(&[&format!("{url}/metadata?wait=20")]);
    assert_eq!(record["status"], "available");
    let kept = redirect(&url);
    assert_eq!(curl(&[&kept]), b"first");
    pass(1);
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    pass(2);
    // Nobody waits for these any more, and 200 would be a lie.
    assert_eq!(put(&created, "other"), "403");
    curl_status(&[&kept])
}

#[test]
fn a_kept_download_url_never_brings_what_came_after_the_deletion() {
    use Between::{Kill, Nothing};
    for between in [
        [Nothing, Nothing, Nothing],
        [Kill, Nothing, Nothing],
        [Nothing, Kill, Nothing],
        [Nothing, Nothing, Kill],
        [Kill, Kill, Kill],
    ] {
        let dir = data_dir();
        assert_eq!(put_delete_put(dir.path(), between), "404", "{between:?}");
    }
}
