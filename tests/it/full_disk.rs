//! Local mode on a disk that somebody else has filled to its last byte: what makes room goes on, and what
//! takes some is refused until there is some again.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::small_disk::SmallDisk;

const MIB: usize = 1024 * 1024;
const DISK: usize = 32 * MIB;
/// For everything that is waited for.
const LIMIT: Duration = Duration::from_secs(30);
/// Looks after what was left behind often, so that no test waits for it.
const SETTINGS: [(&str, &str); 1] = [("RECONCILE_INTERVAL", "100ms")];
/// The name of what is kept for deletions.
const RESERVED: &str = "reserved-space";

/// Five bytes to send, in a file outside of the small disk.
fn source() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hello").unwrap();
    file
}

fn new_file(base: &str) -> Value {
    create(base, &json!({"filename": "a.txt", "size": 5}))
}

fn url(base: &str, created: &Value) -> String {
    format!("{base}/v1/files/{}", created["id"].as_str().unwrap())
}

fn stored_file(base: &str, source: &Path) -> Value {
    let created = new_file(base);
    assert_eq!(upload(&created, source), "200");
    let settled = curl_json(&[&format!("{}/metadata?wait=20", url(base, &created))]);
    assert_eq!(settled["status"], "available");
    created
}

fn delete(base: &str, created: &Value) -> String {
    curl_status(&["--request", "DELETE", &url(base, created)])
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn creation_status(base: &str) -> String {
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    curl_status(&["--json", body, &format!("{base}/v1/files")])
}

/// Deletes all of them, and each time the disk is filled again before the next.
fn delete_while_full(disk: &SmallDisk, base: &str, files: &[Value]) {
    for file in files {
        disk.fill();
        assert_eq!(delete(base, file), "204");
        assert_eq!(curl_status(&[&url(base, file)]), "404");
    }
}

fn can_create_once_there_is_room(disk: &SmallDisk, base: &str, source: &Path) {
    std::fs::remove_file(disk.fill()).unwrap();
    eventually("a file can be created again", || {
        creation_status(base) == "201"
    });
    stored_file(base, source);
    eventually("space is reserved again", || {
        disk.data().join(RESERVED).exists()
    });
}

#[test]
fn on_a_full_disk_files_are_deleted_and_settled_while_nothing_is_taken_on() {
    let (disk, source) = (SmallDisk::new(DISK), source());
    let program = disk.program(&SETTINGS);
    let base = program.base.as_str();
    let files: Vec<Value> = (0..40).map(|_| stored_file(base, source.path())).collect();
    let (arrived, waiting) = (new_file(base), new_file(base));
    // Bytes that came while nobody could write their record.
    let arrive = || {
        assert_eq!(upload(&arrived, source.path()), "200");
        disk.fill();
    };
    disk.with_records("BEGIN IMMEDIATE", arrive, "ROLLBACK");

    eventually("a create is refused", || creation_status(base) == "507");
    let incoming = disk.data().join("incoming");
    let parts = waiting["upload"]["headers"].as_object().unwrap().iter();
    let headers: Vec<String> = parts
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap()))
        .collect();
    let mut arguments = vec![
        "--include",
        "--upload-file",
        source.path().to_str().unwrap(),
    ];
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    arguments.push(waiting["upload"]["url"].as_str().unwrap());
    let refused = String::from_utf8(curl(&arguments)).unwrap();
    assert!(refused.contains(" 507 "), "{refused}");
    assert!(
        refused.contains("<Code>InsufficientStorage</Code>"),
        "{refused}"
    );
    assert_eq!(std::fs::read_dir(&incoming).unwrap().count(), 0);

    let complete = format!("{}/complete", url(base, &arrived));
    let settled = curl_json(&["--request", "POST", &complete]);
    assert_eq!(settled["status"], "available", "{settled}");
    delete_while_full(&disk, base, &files);
    assert_eq!(creation_status(base), "507");

    can_create_once_there_is_room(&disk, base, source.path());
    assert_eq!(upload(&waiting, source.path()), "200");
    assert!(program.terminate().success());
}

#[test]
fn on_a_full_disk_whoever_deletes_is_written_down_also_after_a_kill() {
    let source = source();
    let disk = SmallDisk::new(DISK);
    let program = disk.program(&[("AUDIT", "on"), SETTINGS[0]]);
    let base = &program.base;
    let files: Vec<Value> = (0..3).map(|_| stored_file(base, source.path())).collect();
    delete_while_full(&disk, base, &files[..2]);
    let log = || {
        let days = std::fs::read_dir(disk.data().join("audit")).unwrap();
        let days = days.map(|day| std::fs::read_to_string(day.unwrap().path()).unwrap());
        days.collect::<String>()
    };
    assert_eq!(log().matches("\"action\":\"delete_file\"").count(), 2);

    // The room for lines outlives a kill, and a start on the full disk.
    disk.fill();
    program.kill();
    disk.fill();
    let program = disk.program(&[("AUDIT", "on"), SETTINGS[0]]);
    delete_while_full(&disk, &program.base, &files[2..]);
    assert_eq!(log().matches("\"action\":\"delete_file\"").count(), 3);
    can_create_once_there_is_room(&disk, &program.base, source.path());
    assert!(program.terminate().success());
}

#[test]
fn what_is_over_expires_on_a_full_disk_after_a_start_there() {
    let (disk, source) = (SmallDisk::new(DISK), source());
    let program = disk.program(&SETTINGS);
    let forgotten: Vec<Value> = (0..20).map(|_| new_file(&program.base)).collect();
    let stored = stored_file(&program.base, source.path());
    assert!(program.terminate().success());
    let long_ago = "UPDATE files SET upload_expires_at = 1, review_at = 1 WHERE status = 'pending'";
    disk.with_records(long_ago, || (), "SELECT 1");

    // After the stop even the database's log is gone, whose room somebody else takes too.
    disk.fill();
    let program = disk.program(&SETTINGS);
    let base = program.base.as_str();
    for file in &forgotten {
        let metadata = format!("{}/metadata?wait=20", url(base, file));
        let status = || curl_json(&[&metadata])["status"].clone();
        eventually("it expires", || status() == "expired");
    }
    assert_eq!(creation_status(base), "507");
    assert_eq!(delete(base, &stored), "204");
    assert!(!disk.data().join(RESERVED).exists(), "it was needed");
    can_create_once_there_is_room(&disk, base, source.path());
    assert!(program.terminate().success());
}

#[test]
fn a_program_that_was_killed_on_a_full_disk_starts_there_and_deletes() {
    let (disk, source) = (SmallDisk::new(DISK), source());
    let program = disk.program(&SETTINGS);
    let files: Vec<Value> = (0..60)
        .map(|_| stored_file(&program.base, source.path()))
        .collect();
    let (reserved, later) = files.split_at(30);
    disk.fill();
    program.kill();
    let program = disk.program(&SETTINGS);
    delete_while_full(&disk, &program.base, reserved);

    // The second time even what was reserved is somebody else's. Then what finds no room is refused and stays as it
    // was, until there is some.
    let _ = std::fs::remove_file(disk.data().join(RESERVED));
    disk.fill();
    program.kill();
    disk.fill();
    let program = disk.program(&SETTINGS);
    let base = program.base.as_str();
    let mut refused = Vec::new();
    for file in later {
        disk.fill();
        match delete(base, file).as_str() {
            "204" => assert_eq!(curl_status(&[&url(base, file)]), "404"),
            "507" => {
                assert_eq!(curl_status(&[&url(base, file)]), "307");
                refused.push(file);
            }
            other => panic!("{other}"),
        }
    }
    std::fs::remove_file(disk.fill()).unwrap();
    for file in refused {
        eventually("it is deleted", || delete(base, file) == "204");
    }
    can_create_once_there_is_room(&disk, &program.base, source.path());
    assert!(program.terminate().success());
}

/// As after an update from a version that had no receipts.
#[test]
fn a_start_on_a_full_disk_that_has_no_key_of_receipts_comes_up_and_makes_one() {
    let (disk, source) = (SmallDisk::new(DISK), source());
    let program = disk.program(&SETTINGS);
    let stored = stored_file(&program.base, source.path());
    assert!(program.terminate().success());
    std::fs::remove_file(disk.data().join("receipt-key")).unwrap();
    disk.fill();
    let program = disk.program(&SETTINGS);
    let file = url(&program.base, &stored);
    assert_eq!(curl_status(&[&file]), "307");
    assert_eq!(curl_status(&[&format!("{file}/receipt")]), "200");
    assert!(program.terminate().success());
}
