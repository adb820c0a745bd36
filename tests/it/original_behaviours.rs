//! What the service that this one follows did in one step, holds here in two: its clients only have
//! to learn the second request.
//!
//! Its fifteen behaviours, with the real program and the real curl.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::program::{Program, data_dir};

struct Service {
    program: Program,
    dir: tempfile::TempDir,
}

impl Service {
    fn new() -> Self {
        let dir = data_dir();
        Self {
            program: Program::local(dir.path(), &[]),
            dir,
        }
    }

    fn base(&self) -> &str {
        &self.program.base
    }

    /// Both steps, and the record at the end.
    fn share(&self, filename: &str, bytes: &[u8]) -> Value {
        let path: &Path = &self.dir.path().join("to-send");
        std::fs::write(path, bytes).unwrap();
        let created = create(
            self.base(),
            &json!({"filename": filename, "size": bytes.len()}),
        );
        assert_eq!(upload(&created, path), "200", "{created}");
        let id = created["id"].as_str().unwrap();
        curl_json(&[&format!("{}/files/{id}/metadata?wait=20", self.base())])
    }

    fn refusal(&self, body: &Value) -> Value {
        create(self.base(), body)
    }

    fn list(&self) -> Vec<Value> {
        let page = curl_json(&[&format!("{}/files", self.base())]);
        page["files"].as_array().unwrap().clone()
    }
}

#[test]
fn an_uploaded_file_is_in_the_list() {
    let service = Service::new();
    let file = service.share("hello.txt", b"hello");
    assert_eq!(service.list(), std::slice::from_ref(&file));
    assert_eq!(
        (&file["filename"], &file["size"]),
        (&json!("hello.txt"), &json!(5))
    );
}

#[test]
fn an_uploaded_file_comes_back_byte_for_byte() {
    let service = Service::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let file = service.share("all.bin", &bytes);
    let url = format!("{}/files/{}", service.base(), file["id"].as_str().unwrap());
    assert!(curl(&["--location", &url]) == bytes);
}

#[test]
fn a_file_of_exactly_20_mebibytes_is_taken() {
    let service = Service::new();
    let file = service.share("largest.bin", &vec![7; 20 * 1024 * 1024]);
    assert_eq!(
        (&file["status"], &file["size"]),
        (&json!("available"), &json!(20_971_520))
    );
}

#[test]
fn a_file_of_zero_bytes_is_taken() {
    let service = Service::new();
    let file = service.share("empty.txt", b"");
    assert_eq!(
        (&file["status"], &file["size"]),
        (&json!("available"), &json!(0))
    );
}

#[test]
fn a_file_that_is_too_large_is_413_and_leaves_nothing() {
    let service = Service::new();
    let refusal = service.refusal(&json!({"filename": "huge.bin", "size": 20_971_521}));
    assert_eq!(refusal["status"], 413);
    assert!(service.list().is_empty());
}

#[test]
fn an_unsafe_name_is_made_safe() {
    let service = Service::new();
    let file = service.share("../../etc/passwd", b"x");
    assert_eq!(file["filename"], ".._.._etc_passwd");
}

#[test]
fn an_unknown_id_is_404() {
    let service = Service::new();
    let url = format!(
        "{}/files/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
        service.base()
    );
    assert_eq!(curl_status(&[&url]), "404");
    assert_eq!(curl_status(&[&format!("{url}/metadata")]), "404");
}

#[test]
fn an_id_that_is_none_is_404() {
    let service = Service::new();
    assert_eq!(
        curl_status(&[&format!("{}/files/not-an-id", service.base())]),
        "404"
    );
}

#[test]
fn a_service_without_files_lists_none() {
    assert!(Service::new().list().is_empty());
}

#[test]
fn several_files_are_all_listed_newest_first() {
    let service = Service::new();
    let mut expected: Vec<Value> = ["one", "two", "three"]
        .iter()
        .map(|name| service.share(name, name.as_bytes()))
        .collect();
    expected.reverse();
    assert_eq!(service.list(), expected);
}

#[test]
fn two_files_of_one_name_are_two_files() {
    let service = Service::new();
    let (first, second) = (
        service.share("a.txt", b"first"),
        service.share("a.txt", b"second"),
    );
    assert_ne!(first["id"], second["id"]);
    let url = format!("{}/files/{}", service.base(), first["id"].as_str().unwrap());
    assert_eq!(curl(&["--location", &url]), b"first");
}

#[test]
fn a_name_with_spaces_and_signs_keeps_its_letters() {
    let service = Service::new();
    assert_eq!(
        service.share("bad/name?.txt", b"x")["filename"],
        "bad_name_.txt"
    );
    assert_eq!(
        service.share("my file (1).txt", b"x")["filename"],
        "my_file__1_.txt"
    );
}

#[test]
fn a_name_in_another_script_stays() {
    let service = Service::new();
    assert_eq!(
        service.share("résumé final.pdf", b"x")["filename"],
        "résumé_final.pdf"
    );
    assert_eq!(
        service.share("课程大纲.pdf", b"x")["filename"],
        "课程大纲.pdf"
    );
}

#[test]
fn a_name_that_is_none_is_400() {
    let service = Service::new();
    for name in ["", ".", ".."] {
        assert_eq!(
            service.refusal(&json!({"filename": name, "size": 1}))["status"],
            400,
            "{name:?}"
        );
    }
    assert_eq!(service.refusal(&json!({"size": 1}))["status"], 400);
}

#[test]
fn the_type_is_what_was_said_or_guessed_from_the_name() {
    let service = Service::new();
    let said = create(
        service.base(),
        &json!({"filename": "a", "size": 1, "contentType": "text/csv"}),
    );
    assert_eq!(said["contentType"], "text/csv");
    assert_eq!(
        service.share("picture.png", b"x")["contentType"],
        "image/png"
    );
    assert_eq!(
        service.share("no-ending", b"x")["contentType"],
        "application/octet-stream"
    );
}
