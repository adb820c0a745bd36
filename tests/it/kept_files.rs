//! Files that are deleted at some time: on the real programs, in both modes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

/// For files that end while somebody looks.
const SETTINGS: [(&str, &str); 1] = [("RECONCILE_INTERVAL", "200ms")];
/// How long a file may outlive its time on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

fn seconds_from_now(seconds: i64) -> String {
    let at = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn url_of(base: &str, created: &Value) -> String {
    format!("{base}/v1/files/{}", created["id"].as_str().unwrap())
}

fn is_gone_in_the_end(url: &str) {
    let began = Instant::now();
    while curl_status(&[&format!("{url}/metadata")]) != "404" {
        assert!(began.elapsed() < LIMIT, "it is still there");
        std::thread::sleep(POLL);
    }
    assert_eq!(curl_status(&["--request", "DELETE", url]), "404");
}

/// What holds in both modes.
fn a_file_goes_at_its_time_and_others_stay(base: &str, source: &Path) {
    let wanted = seconds_from_now(3);
    let ends = create(
        base,
        &json!({"filename": "ends.txt", "size": 5, "deleteAfter": wanted}),
    );
    assert_eq!(ends["deleteAfter"], wanted);
    let stays = create(base, &json!({"filename": "stays.txt", "size": 5}));
    assert_eq!(stays["deleteAfter"], Value::Null);
    for created in [&ends, &stays] {
        assert_eq!(upload(created, source), "200");
    }
    is_gone_in_the_end(&url_of(base, &ends));
    assert!(seconds_from_now(0) >= wanted, "it went before its time");
    let kept = curl_json(&[&format!("{}/metadata?wait=20", url_of(base, &stays))]);
    assert_eq!(kept["status"], "available");
    assert_eq!(curl(&["--location", &url_of(base, &stays)]), b"hello");
}

#[test]
fn local_mode_deletes_a_file_at_its_time_also_if_it_was_stopped_then() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let program = Program::local(&data, &SETTINGS);
    a_file_goes_at_its_time_and_others_stay(&program.base, &source);
    let ends = create(
        &program.base,
        &json!({"filename": "a.txt", "size": 5, "deleteAfter": seconds_from_now(1)}),
    );
    assert_eq!(upload(&ends, &source), "200");
    program.kill();
    let program = Program::local(&data, &SETTINGS);
    is_gone_in_the_end(&url_of(&program.base, &ends));
}

#[test]
fn how_long_files_are_kept_is_said_when_one_is_to_stay_longer() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("MAX_KEEP", "1d")]);
    let url = format!("{}/v1/files", program.base);
    let body = |end: &str| json!({"filename": "a.txt", "size": 5, "deleteAfter": end}).to_string();
    for (end, why) in [
        (seconds_from_now(3 * 86_400), "must be no later than 20"),
        (seconds_from_now(-60), "must be in the future"),
        ("tomorrow".to_owned(), "must be a time such as"),
    ] {
        let problem = curl_json(&["--json", &body(&end), &url]);
        assert_eq!(problem["status"], 400, "{problem}");
        assert_eq!(problem["errors"][0]["field"], "deleteAfter", "{problem}");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
    }
    // Who says nothing gets that, to the millisecond.
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let time = |field: &str| {
        let time = created[field].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(time).unwrap()
    };
    assert_eq!(
        time("deleteAfter") - time("createdAt"),
        chrono::TimeDelta::days(1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_the_worker_deletes_a_file_at_its_time_with_its_own_permissions() {
    let deployment = MiniStack::shared().await.deploy("kept-files").await;
    tokio::task::spawn_blocking(move || in_aws_mode(&deployment))
        .await
        .unwrap();
}

fn in_aws_mode(deployment: &Deployment) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let api = Program::aws_api(deployment, &[]);
    let _worker = Program::worker(deployment, &SETTINGS);
    a_file_goes_at_its_time_and_others_stay(&api.base, &source);
}
