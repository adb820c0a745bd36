//! Records and objects that don't belong together, with the real programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use aws_sdk_dynamodb::types::AttributeValue;
use file_share::aws::{dynamodb_client, s3_client};
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::ministack::MiniStack;
use crate::support::node_tests::free_port;
use crate::support::program::{Program, adopt_aws, check_local, data_dir};

fn stored_file(base: &str, dir: &Path) -> Value {
    let source = dir.join("source");
    fs::write(&source, "hello").unwrap();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(upload(&created, &source), "200");
    let id = created["id"].as_str().unwrap();
    let settled = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(settled["status"], "available");
    created
}

fn content(base: &str, created: &Value) -> Vec<u8> {
    let id = created["id"].as_str().unwrap();
    curl(&["--location", &format!("{base}/v1/files/{id}")])
}

/// A data directory with one available file, of a program that has stopped.
fn used(dir: &Path, name: &str) -> (std::path::PathBuf, Value) {
    let data = dir.join(name);
    let program = Program::local(&data, &[]);
    let created = stored_file(&program.base, dir);
    assert!(program.terminate().success());
    (data, created)
}

fn adopt(data: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_file-share"))
        .arg("adopt")
        .args(flags)
        .env_clear()
        .env("DATA_DIR", data)
        .output()
        .unwrap()
}

fn assert_refused(data: &Path, parts: &[&str]) {
    let message = Program::local_refuses(data);
    for part in ["don't belong together", "file-share adopt"]
        .iter()
        .chain(parts)
    {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
}

#[test]
fn a_start_ends_where_records_and_objects_do_not_belong_together_and_changes_nothing() {
    let dir = data_dir();
    let (data, file) = used(dir.path(), "one");
    let (other, _) = used(dir.path(), "other");
    let (records, objects) = (data.join("metadata.sqlite"), data.join("objects"));
    let away = dir.path().join("away");

    // The disk of the objects isn't mounted.
    fs::rename(&objects, &away).unwrap();
    assert_refused(&data, &["isn't mounted"]);
    fs::remove_dir_all(&objects).unwrap();
    fs::rename(&away, &objects).unwrap();

    fs::rename(&records, &away).unwrap();
    assert_refused(&data, &["the database is gone"]);
    fs::copy(other.join("metadata.sqlite"), &records).unwrap();
    assert_refused(&data, &["belonging to others"]);
    fs::rename(&away, &records).unwrap();

    let program = Program::local(&data, &[]);
    assert_eq!(content(&program.base, &file), b"hello");
}

#[test]
fn files_without_one_object_stop_a_start_also_where_nothing_was_marked_yet() {
    let dir = data_dir();
    let (data, _) = used(dir.path(), "data");
    let records = rusqlite::Connection::open(data.join("metadata.sqlite")).unwrap();
    records.execute("DELETE FROM store_marker", []).unwrap();
    drop(records);
    fs::remove_dir_all(data.join("objects")).unwrap();
    assert_refused(&data, &["not one object"]);
}

#[test]
fn adopting_says_what_it_does_and_does_it_only_if_it_is_meant() {
    let dir = data_dir();
    let (data, file) = used(dir.path(), "data");
    fs::remove_file(data.join("objects/store-marker")).unwrap();
    let marker = || -> (String, i64) {
        let records = rusqlite::Connection::open(data.join("metadata.sqlite")).unwrap();
        let row = "SELECT id, starts FROM store_marker";
        records
            .query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    };
    let before = marker();
    let asked = adopt(&data, &[]);
    let said = String::from_utf8(asked.stdout).unwrap();
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(
        said.contains("objects: not marked") && said.contains("--yes"),
        "{said}"
    );
    assert_eq!(marker(), before);
    assert!(!data.join("objects/store-marker").exists());
    assert_refused(&data, &[]);

    let done = adopt(&data, &["--yes"]);
    assert!(done.status.success(), "{done:?}");
    let program = Program::local(&data, &[]);
    assert_eq!(content(&program.base, &file), b"hello");
    // Not while the service runs; afterwards there is nothing left to do.
    let refused = adopt(&data, &["--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(
        message.ends_with("/data: it is in use by another process: stop that first\n"),
        "{message}"
    );
    assert!(program.terminate().success());
    let nothing = adopt(&data, &[]);
    assert!(nothing.status.success(), "{nothing:?}");
    assert!(
        String::from_utf8(nothing.stdout)
            .unwrap()
            .ends_with("there is nothing to adopt.\n")
    );
}

#[test]
fn an_older_copy_of_the_records_is_served_and_said_until_it_is_adopted() {
    let dir = data_dir();
    let (data, file) = used(dir.path(), "data");
    let (records, copy) = (data.join("metadata.sqlite"), dir.path().join("copy"));
    fs::copy(&records, &copy).unwrap();
    let program = Program::local(&data, &[]);
    stored_file(&program.base, dir.path());
    assert!(program.terminate().success());
    fs::copy(&copy, &records).unwrap();

    // It doesn't wear off.
    for _ in 0..3 {
        let program = Program::local(&data, &[("ORPHAN_SWEEP_INTERVAL", "1s")]);
        assert_eq!(content(&program.base, &file), b"hello");
        let log = program.log();
        assert!(log.contains("ERROR") && log.contains("older copy"), "{log}");
        assert!(program.terminate().success());
    }
    assert!(adopt(&data, &["--yes"]).status.success());
    for _ in 0..2 {
        let program = Program::local(&data, &[]);
        assert!(!program.log().contains("older copy"), "{}", program.log());
        assert!(program.terminate().success());
    }
}

#[test]
fn an_older_copy_of_the_objects_is_said_until_it_is_adopted_and_no_file_gets_other_bytes() {
    let dir = data_dir();
    let (data, file) = used(dir.path(), "data");
    let (objects, copy) = (data.join("objects"), dir.path().join("copy"));
    let copied = Command::new("cp")
        .arg("-a")
        .args([&objects, &copy])
        .status();
    assert!(copied.unwrap().success());
    let address = format!("127.0.0.1:{}", free_port());
    let listen = [("LISTEN", address.as_str())];
    let program = Program::local(&data, &listen);
    let created = stored_file(&program.base, dir.path());
    let source = dir.path().join("source");
    assert!(program.terminate().success());
    fs::remove_dir_all(&objects).unwrap();
    fs::rename(&copy, &objects).unwrap();

    for _ in 0..3 {
        let shown = check_local(&data, &["--json"]);
        assert_eq!(shown.status.code(), Some(1), "{shown:?}");
        let program = Program::local(&data, &listen);
        assert_eq!(content(&program.base, &file), b"hello");
        let log = program.log();
        assert!(log.contains("the objects are an older copy"), "{log}");
        // Its bytes are lost; others would make a lie of its digest.
        fs::write(&source, "other").unwrap();
        assert_eq!(upload(&created, &source), "412");
        assert!(program.terminate().success());
    }
    assert!(adopt(&data, &["--yes"]).status.success());
    let program = Program::local(&data, &[]);
    assert!(!program.log().contains("older copy"), "{}", program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_another_bucket_or_table_ends_the_start_of_both_programs() {
    let deployment = MiniStack::shared().await.deploy("marked").await;
    let sdk = sdk_config(&deployment, &deployment.admin).await;
    let (s3, dynamodb) = (s3_client(&sdk), dynamodb_client(&sdk));
    let get = s3
        .get_object()
        .bucket(&deployment.bucket)
        .key("store-marker");
    // Two that start at the same time mark both stores alike, and the worker goes along.
    let programs = [
        Program::aws_api(&deployment, &[]),
        Program::aws_api(&deployment, &[]),
    ];
    let worker = Program::worker(&deployment, &[]);
    let marker = get
        .clone()
        .send()
        .await
        .unwrap()
        .body
        .collect()
        .await
        .unwrap();
    drop((programs, worker));

    let delete = s3
        .delete_object()
        .bucket(&deployment.bucket)
        .key("store-marker");
    delete.send().await.unwrap();
    let refusals = || {
        [
            Program::aws_api_refuses(&deployment, &[]),
            Program::worker_refuses(&deployment, &[]),
        ]
    };
    for message in refusals() {
        assert!(
            message.contains("BUCKET_NAME names another bucket"),
            "{message}"
        );
    }
    let put = s3
        .put_object()
        .bucket(&deployment.bucket)
        .key("store-marker");
    put.body(marker.into_bytes().into()).send().await.unwrap();
    let api = Program::aws_api(&deployment, &[]);
    assert!(!api.log().contains("belong together"), "{}", api.log());
    drop(api);

    let item = dynamodb.delete_item().table_name(&deployment.table);
    let item = item.key("fileId", AttributeValue::S("store#marker".into()));
    item.send().await.unwrap();
    for message in refusals() {
        assert!(
            message.contains("TABLE_NAME names another table"),
            "{message}"
        );
    }

    // It is said what would be done, and done only if it is meant.
    let said = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    let asked = adopt_aws(&deployment, &[]);
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(said(&asked).contains("records: not marked"), "{asked:?}");
    assert_eq!(refusals().len(), 2);
    let done = adopt_aws(&deployment, &["--yes"]);
    assert!(done.status.success(), "{done:?}");
    let programs = (
        Program::aws_api(&deployment, &[]),
        Program::worker(&deployment, &[]),
    );
    let nothing = adopt_aws(&deployment, &[]);
    assert!(nothing.status.success(), "{nothing:?}");
    assert!(said(&nothing).contains("nothing to adopt"), "{nothing:?}");
    drop(programs);
}
