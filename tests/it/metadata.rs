//! What a client keeps with a file: on the real programs, in both modes.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

/// Stands in no file, name or path of these tests but in what is kept.
const KEPT: &str = "kept-5f3a9c";

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// What holds in both modes.
fn it_comes_back_in_the_record_and_nowhere_else(base: &str, source: &Path) {
    let metadata = json!({"course": KEPT, "formula": "a=b\n\u{1f389}", "empty": ""});
    let body = json!({"filename": "a.txt", "size": 5, "metadata": metadata});
    let created = create(base, &body);
    assert_eq!(created["metadata"], metadata);
    // Neither is it signed into the URL, nor does the client send it to the store.
    assert!(!created["upload"].to_string().contains(KEPT), "{created}");
    assert_eq!(upload(&created, source), "200");
    let file = format!("{base}/v1/files/{}", text(&created, "id"));
    let record = curl_json(&[&format!("{file}/metadata?wait=20")]);
    assert_eq!(record["status"], "available");
    assert_eq!(record["metadata"], metadata);
    let page = curl_json(&[&format!("{base}/v1/files?limit=100")]);
    let listed = page["files"].as_array().unwrap().iter();
    let mut listed = listed.filter(|it| it["id"] == created["id"]);
    assert_eq!(listed.next().unwrap()["metadata"], metadata);

    // Whoever fetches it sees nothing of it, redirect and store included.
    let fetched = curl(&["--include", "--location", &file]);
    let fetched = String::from_utf8(fetched).unwrap();
    assert!(fetched.ends_with("hello"), "{fetched}");
    assert!(!fetched.contains(KEPT), "{fetched}");
    assert!(!fetched.to_lowercase().contains("x-amz-meta"), "{fetched}");
    // Nor does whoever has a link of it.
    let link = json!({"files": [created["id"]]}).to_string();
    let link = curl_json(&["--json", &link, &format!("{base}/v1/links")]);
    let token = text(&link, "url").rsplit('/').next().unwrap().to_owned();
    let shared = curl_json(&[&format!("{base}/v1/shared/{token}")]);
    assert_eq!(shared["files"][0]["id"], created["id"], "{shared}");
    assert!(!shared.to_string().contains(KEPT), "{shared}");

    let plain = create(base, &json!({"filename": "b.txt", "size": 5}));
    assert_eq!(plain["metadata"], json!({}));
}

#[test]
fn in_local_mode_it_survives_a_kill_and_gets_into_no_log() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let program = Program::local(&data, &[("RUST_LOG", "trace")]);
    it_comes_back_in_the_record_and_nowhere_else(&program.base, &source);
    let body = json!({"filename": "c.txt", "size": 5, "metadata": {"course": KEPT}});
    let created = create(&program.base, &body);
    assert!(!program.log().contains(KEPT), "metadata is in the log");
    program.kill();
    let program = Program::local(&data, &[]);
    let url = format!(
        "{}/v1/files/{}/metadata",
        program.base,
        text(&created, "id")
    );
    assert_eq!(curl_json(&[&url])["metadata"], json!({"course": KEPT}));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_it_is_no_metadata_of_the_object_and_gets_into_no_log() {
    let deployment = MiniStack::shared().await.deploy("file-metadata").await;
    tokio::task::spawn_blocking(move || in_aws_mode(&deployment))
        .await
        .unwrap();
}

fn in_aws_mode(deployment: &Deployment) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let api = Program::aws_api(deployment, &[]);
    let worker = Program::worker(deployment, &[]);
    it_comes_back_in_the_record_and_nowhere_else(&api.base, &source);
    for program in [&api, &worker] {
        assert!(!program.log().contains(KEPT), "metadata is in the log");
    }
}

#[test]
fn what_is_no_metadata_is_refused_by_the_field_and_makes_no_file() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let url = format!("{}/v1/files", program.base);
    let many: serde_json::Map<String, Value> =
        (0..17).map(|n| (n.to_string(), "".into())).collect();
    for (metadata, why) in [
        (json!([]), "an object"),
        (json!({"n": 1}), "strings"),
        (json!({"": KEPT}), "empty key"),
        (json!({"\u{202e}": KEPT}), "direction of text"),
        (
            json!({"a": format!("{KEPT}{}", "x".repeat(1024))}),
            "1024 bytes",
        ),
        (Value::Object(many), "16 keys"),
    ] {
        let body = json!({"filename": "a.txt", "size": 5, "metadata": metadata}).to_string();
        let problem = curl_json(&["--json", &body, &url]);
        assert_eq!(problem["status"], 400, "{problem}");
        assert_eq!(problem["errors"][0]["field"], "metadata", "{problem}");
        assert!(
            text(&problem["errors"][0], "message").contains(why),
            "{problem}"
        );
        assert!(!problem.to_string().contains(KEPT), "{problem}");
    }
    assert_eq!(curl_json(&[&url])["files"], json!([]));
}

#[test]
fn a_create_that_comes_again_with_other_metadata_is_another_request() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let url = format!("{}/v1/files", program.base);
    let with = |metadata: Value| {
        let body = json!({"filename": "a.txt", "size": 5, "metadata": metadata}).to_string();
        let key = "Idempotency-Key: the-same-key";
        curl_json(&["--json", &body, "--header", key, &url])
    };
    let first = with(json!({"a": "1", "b": "2"}));
    assert_eq!(with(json!({"b": "2", "a": "1"}))["id"], first["id"]);
    for other in [
        json!({}),
        json!(null),
        json!({"a": "1"}),
        json!({"a": "2", "b": "1"}),
    ] {
        let refused = with(other);
        assert_eq!(refused["code"], "idempotency_key_reused", "{refused}");
    }
    let of_first = format!("{url}/{}", text(&first, "id"));
    assert_eq!(curl_status(&["--request", "DELETE", &of_first]), "204");
}

#[test]
fn whoever_hands_in_keeps_nothing_with_a_file() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let new_box = curl_json(&[
        "--json",
        &json!({"title": "Sheet 3"}).to_string(),
        &format!("{}/v1/boxes", program.base),
    ]);
    let token = text(&new_box, "url").rsplit('/').next().unwrap().to_owned();
    let body = json!({"filename": "a.txt", "size": 5, "submitter": "Ada", "metadata": {"a": "b"}});
    let url = format!("{}/v1/drop/{token}/files", program.base);
    let refused = curl_json(&["--json", &body.to_string(), &url]);
    assert_eq!(refused["status"], 400, "{refused}");
}
