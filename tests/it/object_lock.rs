//! What has to be kept, in a bucket with Object Lock: on the real programs.

use std::time::{Duration, Instant};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule,
};
use file_share::aws::s3_client;
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
const LOCKS: (&str, &str) = ("OBJECT_LOCK", "governance");
const SETTINGS: [(&str, &str); 2] = [LOCKS, ("RETENTION", "30d")];

/// MiniStack's stack leaves it out, so the bucket gets it by hand.
async fn set_up_lock(s3: &aws_sdk_s3::Client, bucket: &str, default_rule: bool) {
    let rule = ObjectLockRule::builder().default_retention(
        DefaultRetention::builder()
            .mode(ObjectLockRetentionMode::Governance)
            .days(1)
            .build(),
    );
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .set_rule(default_rule.then(|| rule.build()));
    let put = s3.put_object_lock_configuration().bucket(bucket);
    put.object_lock_configuration(configuration.build())
        .send()
        .await
        .unwrap();
}

async fn deployment() -> (Deployment, aws_sdk_s3::Client) {
    let settings = [("OBJECT_LOCK_ENABLED", "true")];
    let ministack = MiniStack::shared().await;
    let deployment = ministack.deploy_with("locks", &settings).await;
    let admin = s3_client(&sdk_config(&deployment, &deployment.admin).await);
    (deployment, admin)
}

fn seconds(time: &Value) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap();
    time.timestamp() + i64::from(time.timestamp_subsec_nanos() > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_kept_is_locked_in_the_bucket_and_what_is_rejected_is_not() {
    let (deployment, admin) = deployment().await;
    set_up_lock(&admin, &deployment.bucket, false).await;
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let api = Program::aws_api(&deployment, &SETTINGS);
    let worker = Program::worker(&deployment, &[LOCKS, ("RECONCILE_INTERVAL", "200ms")]);
    let base = api.listening_at();
    let kept = create(&base, &json!({"filename": "kept.txt", "size": 5}));
    assert_eq!(upload(&kept, &source), "200");
    let url = format!("{base}/v1/files/{}", kept["id"].as_str().unwrap());
    let record = curl_json(&[&format!("{url}/metadata?wait=20")]);
    assert_eq!(record["status"], "available", "{record}");
    let key = format!("uploads/{}", kept["id"].as_str().unwrap());
    let listed = admin.list_object_versions().bucket(&deployment.bucket);
    let listed = listed.prefix(&key).send().await.unwrap();
    let version = listed.versions()[0].version_id().unwrap().to_owned();
    let locked_until = async || {
        let get = admin.get_object_retention().bucket(&deployment.bucket);
        let retention = get.key(&key).version_id(&version).send().await.unwrap();
        let retention = retention.retention().unwrap();
        assert_eq!(retention.mode(), Some(&ObjectLockRetentionMode::Governance));
        retention.retain_until_date().unwrap().secs()
    };
    assert_eq!(locked_until().await, seconds(&record["keepUntil"]));

    // Neither the service deletes it, nor whoever can reach the bucket.
    let refused = curl_json(&["--request", "DELETE", &url]);
    assert_eq!(refused["code"], "retained", "{refused}");
    let delete = admin.delete_object().bucket(&deployment.bucket);
    let denied = delete.key(&key).version_id(&version).send().await;
    assert_eq!(denied.unwrap_err().code(), Some("AccessDenied"));

    // For longer, and never for less.
    let body = json!({"keepUntil": "2100-01-01T00:00:00Z"}).to_string();
    let keep = [
        "--request",
        "PUT",
        "--json",
        &body,
        &format!("{url}/keep-until"),
    ];
    for _ in 0..2 {
        assert_eq!(curl_json(&keep)["keepUntil"], "2100-01-01T00:00:00.000Z");
    }
    assert_eq!(locked_until().await, 4_102_444_800);
    let body = json!({"keepUntil": "2099-01-01T00:00:00Z"}).to_string();
    let keep = [
        "--request",
        "PUT",
        "--json",
        &body,
        &format!("{url}/keep-until"),
    ];
    assert_eq!(curl_json(&keep)["code"], "retained");

    // Bytes that nobody may have aren't locked, and go.
    std::fs::write(&source, "#!/bin/sh\n").unwrap();
    let bad = create(&base, &json!({"filename": "a.pdf", "size": 10}));
    assert_eq!(upload(&bad, &source), "200");
    let url = format!(
        "{base}/v1/files/{}/metadata?wait=20",
        bad["id"].as_str().unwrap()
    );
    assert_eq!(curl_json(&[&url])["status"], "rejected");
    let key = format!("uploads/{}", bad["id"].as_str().unwrap());
    let began = Instant::now();
    loop {
        let listed = admin.list_object_versions().bucket(&deployment.bucket);
        let listed = listed.prefix(&key).send().await.unwrap();
        if listed.versions().is_empty() {
            break;
        }
        assert!(began.elapsed() < LIMIT, "{listed:?}");
        std::thread::sleep(POLL);
    }
    assert_eq!(curl_status(&[&format!("{base}/readyz")]), "200");
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_to_lock_does_not_start_where_the_bucket_can_not_or_locks_everything() {
    let (deployment, admin) = deployment().await;
    let refused = Program::worker_refuses(&deployment, &[LOCKS]);
    assert!(refused.contains("has no Object Lock"), "{refused}");
    assert!(refused.contains("ObjectLock=true"), "{refused}");
    let refused = Program::aws_api_refuses(&deployment, &SETTINGS);
    assert!(refused.contains("has no Object Lock"), "{refused}");
    let refused = Program::aws_api_refuses(&deployment, &[LOCKS]);
    assert!(
        refused.contains("OBJECT_LOCK: needs RETENTION"),
        "{refused}"
    );
    set_up_lock(&admin, &deployment.bucket, true).await;
    let refused = Program::worker_refuses(&deployment, &[LOCKS]);
    assert!(refused.contains("by a default rule"), "{refused}");
}
