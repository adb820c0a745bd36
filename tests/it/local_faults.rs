//! Local mode when its disk is full or holds something damaged.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::program::{Program, data_dir};

const MIB: usize = 1024 * 1024;

/// Asks to create a file and gives the head of the answer and its body.
fn try_create(base: &str) -> (String, Value) {
    let answer = String::from_utf8(curl(&[
        "--include",
        "--json",
        r#"{"filename": "a.txt", "size": 5}"#,
        &format!("{base}/v1/files"),
    ]));
    let answer = answer.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap())
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for chunk in [64 * 1024, 1] {
        while file.write_all(&vec![0; chunk]).is_ok() {}
    }
}

fn metadata(base: &str, created: &Value, wait: u32) -> Value {
    let id = created["id"].as_str().unwrap();
    curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait={wait}")])
}

#[test]
fn a_full_disk_is_507_and_harms_nothing_that_is_stored() {
    let dir = data_dir();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let (program, disk) = Program::local_on_small_disk(&disk, 16 * MIB, &[]);
    let base = program.base.as_str();
    let source = dir.path().join("source");
    std::fs::write(&source, vec![7; MIB]).unwrap();
    let body = json!({"filename": "a.bin", "size": MIB});
    let (stored, deleted, waiting) = (
        create(base, &body),
        create(base, &body),
        create(base, &body),
    );
    for created in [&stored, &deleted] {
        assert_eq!(upload(created, &source), "200");
        assert_eq!(metadata(base, created, 20)["status"], "available");
    }

    let filler = disk.join("filler");
    fill(&filler);
    // The log has room for some more records.
    let mut refused = None;
    for _ in 0..2_000 {
        let (head, body) = try_create(base);
        if !head.starts_with("http/1.1 201") {
            refused = Some((head, body));
            break;
        }
    }
    let (head, problem) = refused.expect("the disk is full");
    assert!(head.starts_with("http/1.1 507"), "{head}");
    assert!(head.contains("content-type: application/problem+json"));
    assert_eq!(problem["code"], "insufficient_storage", "{problem}");
    assert_eq!(problem["status"], 507);
    let shown = problem.to_string().to_lowercase();
    for secret in ["sqlite", dir.path().to_str().unwrap(), "database"] {
        assert!(!shown.contains(secret), "{problem}");
    }

    assert_eq!(upload(&waiting, &source), "507");
    assert_eq!(metadata(base, &waiting, 0)["status"], "pending");
    let url = |created: &Value| format!("{base}/v1/files/{}", created["id"].as_str().unwrap());
    assert!(curl(&["--location", &url(&stored)]) == vec![7; MIB]);
    assert_eq!(curl_status(&[&format!("{base}/v1/files")]), "200");
    assert_eq!(curl_status(&[&format!("{base}/healthz")]), "200");
    let status = curl_status(&["--request", "DELETE", &url(&deleted)]);
    assert_eq!(status, "204");

    std::fs::remove_file(&filler).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !try_create(base).0.starts_with("http/1.1 201") {
        assert!(Instant::now() < deadline, "there is room again");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(upload(&waiting, &source), "200");
    assert_eq!(metadata(base, &waiting, 20)["status"], "available");
    assert!(program.terminate().success());
}

#[test]
fn a_damaged_record_is_500_with_no_word_of_the_inside() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let damaged = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let sound = create(&program.base, &json!({"filename": "b.txt", "size": 5}));
    assert!(program.terminate().success());
    let id = damaged["id"].as_str().unwrap();
    let records = rusqlite::Connection::open(dir.path().join("metadata.sqlite")).unwrap();
    let changed = records.execute(
        "UPDATE files SET filename = '' WHERE hex(id) = upper(replace(?1, '-', ''))",
        [id],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(records);

    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    for path in ["", "/metadata"] {
        let url = format!("{base}/v1/files/{id}{path}");
        assert_eq!(curl_status(&[&url]), "500");
        let problem = curl_json(&[&url]);
        assert_eq!(problem["code"], "internal_error", "{problem}");
        let shown = problem.to_string();
        for inside in ["sqlite", "filename", "row", "panicked", ".rs"] {
            assert!(!shown.contains(inside), "{problem}");
        }
        // The operator finds the cause under the request's ID.
        let request_id = problem["requestId"].as_str().unwrap();
        assert!(program.log().contains(request_id));
    }
    let listed = curl_json(&[&format!("{base}/v1/files")]);
    assert_eq!(listed["files"].as_array().unwrap().len(), 1);
    assert_eq!(listed["files"][0]["id"], sound["id"]);
}

#[test]
fn where_the_database_meets_a_limit_on_the_size_of_files_it_is_507_and_well_without_the_limit() {
    let dir = data_dir();
    // 256 KiB, which the records reach.
    let program = Program::local_with_file_limit(dir.path(), 512);
    let url = format!("{}/v1/files", program.base);
    let file = r#"{"filename": "a.txt", "size": 5}"#;
    let mut created = Vec::new();
    let refused = loop {
        let answer = curl_json(&["--json", file, &url]);
        if answer["code"].is_string() {
            break answer;
        }
        created.push(answer);
        assert!(created.len() < 2_000, "the limit has no effect");
    };
    assert_eq!(refused["code"], "insufficient_storage", "{refused}");
    program.terminate();
    let program = Program::local(dir.path(), &[]);
    for file in [created.first().unwrap(), created.last().unwrap()] {
        assert_eq!(metadata(&program.base, file, 0)["status"], "pending");
    }
    create(&program.base, &json!({"filename": "a.txt", "size": 5}));
}

#[test]
fn a_limit_on_the_size_of_files_is_507_and_does_not_end_the_program() {
    let dir = data_dir();
    // 1 MiB, which the records and the log don't reach.
    let program = Program::local_with_file_limit(dir.path(), 2 * 1024);
    let base = program.base.as_str();
    let source = dir.path().join("source");
    std::fs::write(&source, vec![7; 2 * MIB]).unwrap();
    let large = create(base, &json!({"filename": "a.bin", "size": 2 * MIB}));
    assert_eq!(upload(&large, &source), "507");
    assert_eq!(metadata(base, &large, 0)["status"], "pending");
    std::fs::write(&source, vec![7; MIB / 2]).unwrap();
    let small = create(base, &json!({"filename": "a.bin", "size": MIB / 2}));
    assert_eq!(upload(&small, &source), "200");
    assert_eq!(metadata(base, &small, 20)["status"], "available");
}
