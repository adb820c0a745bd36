//! A client says that its bytes are in the store: in aws mode no worker runs here, so whatever is
//! settled was settled by the API, with the permissions of the API.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use file_share::aws::s3_client;
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::fault_proxy::{ProxyMode, TcpFaultProxy};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

const PATIENCE: Duration = Duration::from_secs(40);
/// As many completions as the API takes at a time.
const PLACES: usize = 16;
const TOO_MANY: usize = 4;
const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn id(created: &Value) -> &str {
    created["id"].as_str().unwrap()
}

fn five_bytes(base: &str) -> Value {
    create(base, &json!({"filename": "a.txt", "size": 5}))
}

fn source(dir: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = dir.path().join(format!("{:016x}", fastrand::u64(..)));
    fs::write(&path, text).unwrap();
    path
}

fn complete_url(base: &str, created: &Value) -> String {
    format!("{base}/v1/files/{}/complete", id(created))
}

fn complete(base: &str, created: &Value) -> Value {
    curl_json(&["--request", "POST", &complete_url(base, created)])
}

fn described(base: &str, created: &Value) -> Value {
    curl_json(&[&format!("{base}/v1/files/{}/metadata", id(created))])
}

/// What holds in both modes.
fn a_completion_settles_what_arrived_and_nothing_else(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let hello = source(&dir, "hello");
    let created = five_bytes(base);

    // A lie.
    let file = complete(base, &created);
    assert_eq!(file["status"], "pending", "{file}");
    assert_eq!(described(base, &created)["status"], "pending");

    assert_eq!(upload(&created, &hello), "200");
    let file = complete(base, &created);
    assert_eq!(file["status"], "available", "{file}");
    assert_eq!(file["sha256"], HELLO_SHA256);
    assert_eq!(complete(base, &created), file, "the second time");
    assert_eq!(described(base, &created), file);
    let url = format!("{base}/v1/files/{}", id(&created));
    assert_eq!(curl(&["--location", &url]), b"hello");

    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    for no_file in [
        complete_url(base, &created),
        format!("{base}/v1/files/01890000-0000-7000-8000-000000000000/complete"),
        format!("{base}/files/no-id/complete"),
    ] {
        let problem = curl_json(&["--request", "POST", &no_file]);
        assert_eq!(problem["code"], "file_not_found", "{problem}");
        assert_eq!(problem["status"], 404);
    }
    assert_eq!(curl_status(&[&complete_url(base, &created)]), "405");
}

#[test]
fn a_completion_in_local_mode_races_with_the_finalize_queue_and_agrees_with_it() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    a_completion_settles_what_arrived_and_nothing_else(&program.base);
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_in_aws_mode_needs_no_worker_and_no_other_permission() {
    let deployment = MiniStack::shared().await.deploy("complete").await;
    let s3 = s3_client(&sdk_config(&deployment, &deployment.admin).await);
    let api = Program::aws_api(&deployment, &[]);
    let base = api.base.as_str();
    tokio::task::block_in_place(|| a_completion_settles_what_arrived_and_nothing_else(base));

    // Bytes that aren't what was declared: whoever may write to the bucket put them there.
    let wrong = five_bytes(base);
    let key = format!("uploads/{}", id(&wrong));
    for text in ["other bytes", "other bytes, again"] {
        let put = s3.put_object().bucket(&deployment.bucket).key(&key);
        put.body(text.as_bytes().to_vec().into())
            .send()
            .await
            .unwrap();
    }
    let file = complete(base, &wrong);
    assert_eq!(file["status"], "rejected", "{file}");
    let listed = s3.list_object_versions().bucket(&deployment.bucket);
    let listed = listed.prefix(&key).send().await.unwrap();
    assert_eq!(listed.versions().len() + listed.delete_markers().len(), 0);
    assert_eq!(complete(base, &wrong), file);
    assert!(api.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_that_race_with_each_other_and_the_notification_settle_a_file_once() {
    const FILES: usize = 8;
    let deployment = MiniStack::shared().await.deploy("complete-race").await;
    let api = Program::aws_api(&deployment, &[]);
    let worker = Program::worker(&deployment, &[]);
    let dir = tempfile::tempdir().unwrap();
    let hello = source(&dir, "hello");
    let mut races = tokio::task::JoinSet::new();
    for _ in 0..FILES {
        let created = five_bytes(&api.base);
        assert_eq!(upload(&created, &hello), "200");
        for _ in 0..PLACES / FILES {
            let url = complete_url(&api.base, &created);
            races.spawn(async move {
                let answer = reqwest::Client::new().post(url).send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.json::<Value>().await.unwrap()
            });
        }
    }
    while let Some(file) = races.join_next().await {
        let file = file.unwrap();
        assert_eq!(file["status"], "available", "{file}");
        assert_eq!(described(&api.base, &file), file);
    }
    // Each settlement is one line in the log of the program that made it.
    let settled = |program: &Program| program.log().matches("file available").count();
    assert_eq!(settled(&api) + settled(&worker), FILES);
    assert!(worker.terminate().success());
}

/// A completion whose store doesn't answer keeps its permit.
#[tokio::test(flavor = "multi_thread")]
async fn more_completions_than_there_are_permits_are_told_to_come_back_at_once() {
    let deployment = Deployment::shared().await;
    let s3 = TcpFaultProxy::to(&deployment.endpoint, ProxyMode::Open).await;
    let settings = [("AWS_ENDPOINT_URL_S3", s3.url())];
    let settings = settings.each_ref().map(|(name, url)| (*name, url.as_str()));
    let api = Program::aws_api(deployment, &settings);
    let dir = tempfile::tempdir().unwrap();
    let hello = source(&dir, "hello");
    let created = five_bytes(&api.base);
    assert_eq!(upload(&created, &hello), "200");

    s3.set(ProxyMode::Silent);
    let client = reqwest::Client::new();
    let url = complete_url(&api.base, &created);
    let mut held = tokio::task::JoinSet::new();
    let (told, mut telling) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..PLACES + TOO_MANY {
        let (request, told) = (client.post(&url), told.clone());
        held.spawn(async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            if answer
                .headers()
                .get("retry-after")
                .is_some_and(|it| it == "1")
            {
                let _ = told.send(answer.json::<Value>().await.unwrap());
            }
            status
        });
    }
    for _ in 0..TOO_MANY {
        // Long before the store's silence is taken for an outage.
        let refused = tokio::time::timeout(PATIENCE, telling.recv()).await;
        let problem = refused.expect("somebody is refused").unwrap();
        assert_eq!(problem["status"], 503, "{problem}");
        assert_eq!(problem["code"], "overloaded", "{problem}");
    }
    // Others go on.
    assert_eq!(described(&api.base, &created)["status"], "pending");

    s3.set(ProxyMode::Open);
    while let Some(status) = held.join_next().await {
        assert!([200, 503].contains(&status.unwrap()));
    }
    assert_eq!(complete(&api.base, &created)["status"], "available");
}
