//! Where GuardDuty scans: the real programs with the stack's rule and policies, and a test that tags in GuardDuty's place.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::types::{Tag, Tagging};
use file_share::aws::s3_client;
use file_share::scanner::guardduty::TAG;
use serde_json::{Value, json};

use crate::infrastructure::sqs;
use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::ministack::{Credentials, Deployment, MiniStack};
use crate::support::program::Program;

const SCANNER: (&str, &str) = ("SCANNER", "guardduty");
/// The reconciler isn't what settles a file here.
const SETTINGS: [(&str, &str); 2] = [SCANNER, ("RECONCILE_INTERVAL", "1h")];
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody tags the version that is there.
async fn tags(
    deployment: &Deployment,
    who: &Credentials,
    id: &str,
    value: &str,
) -> Result<(), String> {
    let bucket = &deployment.bucket;
    let key = format!("uploads/{id}");
    let admin = s3_client(&sdk_config(deployment, &deployment.admin).await);
    let head = admin.head_object().bucket(bucket).key(&key).send().await;
    let version = head.unwrap().version_id().unwrap().to_owned();
    let tag = Tag::builder().key(TAG).value(value).build().unwrap();
    let tagging = Tagging::builder().tag_set(tag).build().unwrap();
    let put = s3_client(&sdk_config(deployment, who).await).put_object_tagging();
    let put = put.bucket(bucket).key(key).version_id(version);
    let answer = put.tagging(tagging).send().await;
    answer.map(|_| ()).map_err(|error| {
        let refused = error.raw_response().map(|it| it.status().as_u16());
        format!("{refused:?}")
    })
}

/// GuardDuty says that it looked, whatever it found. Nobody else may speak for it on the bus, so what the rule takes
/// goes on to its target from here.
async fn publishes(deployment: &Deployment, id: &str) {
    let event = json!({
        "version": "0",
        "id": "1",
        "account": "000000000000",
        "time": "2026-10-05T08:15:42Z",
        "region": "us-east-1",
        "resources": [],
        "source": "aws.guardduty",
        "detail-type": "GuardDuty Malware Protection Object Scan Result",
        "detail": {
            "schemaVersion": "1.0",
            "scanStatus": "COMPLETED",
            "resourceType": "S3_OBJECT",
            "s3ObjectDetails": {
                "bucketName": deployment.bucket,
                "objectKey": format!("uploads/{id}"),
            },
            "scanResultDetails": {"scanResultStatus": "NO_THREATS_FOUND"},
        },
    });
    let rules = told(deployment, &["events", "list-rules"]).await;
    let is_ours = |rule: &&Value| {
        rule["EventPattern"]
            .to_string()
            .contains(&deployment.bucket)
    };
    let rule = rules["Rules"].as_array().unwrap().iter().find(is_ours);
    let rule = rule.unwrap_or_else(|| panic!("no rule: {rules}"));
    let pattern = rule["EventPattern"].as_str().unwrap();
    for (body, is_taken) in [
        (event.to_string(), true),
        (event.to_string().replace("uploads/", "logs/"), false),
        (
            event.to_string().replace(&deployment.bucket, "another"),
            false,
        ),
    ] {
        let test = ["events", "test-event-pattern", "--event-pattern", pattern];
        let answer = told(deployment, &[&test[..], &["--event", &body]].concat()).await;
        assert_eq!(answer["Result"], is_taken, "{body}");
    }
    let name = rule["Name"].as_str().unwrap();
    let targets = told(
        deployment,
        &["events", "list-targets-by-rule", "--rule", name],
    )
    .await;
    let (_, queue) = deployment.queue_url.rsplit_once('/').unwrap();
    let target = targets["Targets"][0]["Arn"].as_str().unwrap();
    assert!(target.ends_with(&format!(":{queue}")), "{targets}");
    let send = sqs(deployment, &deployment.admin).send_message();
    let send = send.queue_url(&deployment.queue_url);
    send.message_body(event.to_string()).send().await.unwrap();
}

async fn told(deployment: &Deployment, arguments: &[&str]) -> Value {
    let ministack = MiniStack::shared().await;
    let told = ministack.aws(&deployment.admin, arguments).await;
    told.unwrap_or_else(|why| panic!("{arguments:?}: {why}"))
}

fn sent(base: &str, dir: &Path) -> String {
    let path = dir.join("source");
    std::fs::write(&path, "hello").unwrap();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(upload(&created, &path), "200", "{created}");
    created["id"].as_str().unwrap().to_owned()
}

/// The record once it is as it should be.
async fn becomes(base: &str, id: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let url = format!("{base}/v1/files/{id}/metadata");
        let record = tokio::task::block_in_place(|| curl_json(&[&url]));
        if is_right(&record) {
            return record;
        }
        let is_in_time = tokio::time::Instant::now() < deadline;
        assert!(is_in_time, "it stays {record}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_available_once_guardduty_has_tagged_it_and_said_so() {
    let ministack = MiniStack::shared().await;
    let role = "arn:aws:iam::000000000000:role/guardduty";
    let settings = [("GUARDDUTY_ROLE_ARN", role)];
    let deployment = ministack.deploy_with("guardduty", &settings).await;
    let api = Program::aws_api(&deployment, &[]);
    let _worker = Program::worker(&deployment, &SETTINGS);
    let dir = tempfile::tempdir().unwrap();
    for (value, status) in [
        ("NO_THREATS_FOUND", "available"),
        ("THREATS_FOUND", "rejected"),
    ] {
        let id = tokio::task::block_in_place(|| sent(&api.base, dir.path()));
        becomes(&api.base, &id, |record| record["stage"] == "scanning").await;
        // Neither program may say so itself.
        for who in [&deployment.api, &deployment.worker] {
            let refused = tags(&deployment, who, &id, "NO_THREATS_FOUND").await;
            assert_eq!(refused, Err("Some(403)".to_owned()));
        }
        tags(&deployment, &deployment.admin, &id, value)
            .await
            .unwrap();
        publishes(&deployment, &id).await;
        let record = becomes(&api.base, &id, |record| record["status"] == status).await;
        let url = format!("{}/v1/files/{id}", api.base);
        let got = tokio::task::block_in_place(|| curl(&["--location", &url]));
        match status {
            "available" => assert_eq!(got, b"hello"),
            _ => assert_eq!(record["reasonCode"], "infected", "{record}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_not_read_tags_does_not_start() {
    let deployment = MiniStack::shared().await.deploy("guardduty-not").await;
    let refused = tokio::task::block_in_place(|| Program::worker_refuses(&deployment, &SETTINGS));
    for said in ["s3:GetObjectVersionTagging", "WorkerPolicy"] {
        assert!(refused.contains(said), "{refused}");
    }
}
