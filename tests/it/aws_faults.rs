//! aws mode when something goes wrong on the way: what arrives isn't what was declared, notifications
//! are lost or late, stores are away, and workers are stopped or killed.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use file_share::aws::{s3_client, sqs_client};
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::fault_proxy::{ProxyMode, TcpFaultProxy};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

const PATIENCE: Duration = Duration::from_secs(40);
/// What supervisors wait for a program that was told to stop.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(10);

/// A deployment, with what a test does to it behind the programs' backs.
struct Aws {
    deployment: Deployment,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    dir: tempfile::TempDir,
}

impl Aws {
    async fn deploy(name: &str) -> Self {
        let deployment = MiniStack::shared().await.deploy(name).await;
        let admin = sdk_config(&deployment, &deployment.admin).await;
        Self {
            s3: s3_client(&admin),
            sqs: sqs_client(&admin),
            deployment,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn source(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join(format!("{:016x}", fastrand::u64(..)));
        fs::write(&path, text).unwrap();
        path
    }

    async fn put(&self, created: &Value, text: &str) {
        let put = self.s3.put_object().bucket(&self.deployment.bucket);
        put.key(key(created))
            .body(text.as_bytes().to_vec().into())
            .send()
            .await
            .unwrap();
    }

    /// Versions and delete markers under the file's key.
    async fn versions(&self, created: &Value) -> usize {
        let list = self.s3.list_object_versions();
        let listed = list
            .bucket(&self.deployment.bucket)
            .prefix(key(created))
            .send()
            .await
            .unwrap();
        listed.versions().len() + listed.delete_markers().len()
    }

    async fn wait_until_no_version_is_left(&self, created: &Value) {
        let deadline = Instant::now() + PATIENCE;
        while self.versions(created).await > 0 {
            assert!(Instant::now() < deadline, "bytes are left");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Takes messages away until the one about this file is among them.
    async fn lose_notification(&self, created: &Value) {
        let deadline = Instant::now() + PATIENCE;
        let mut found = false;
        while !found {
            assert!(Instant::now() < deadline, "the notification didn't come");
            let received = self.sqs.receive_message().max_number_of_messages(10);
            let received = received
                .queue_url(&self.deployment.queue_url)
                .wait_time_seconds(1)
                .send()
                .await
                .unwrap();
            for message in received.messages() {
                found |= message.body().unwrap().contains(id(created));
                let delete = self.sqs.delete_message();
                delete
                    .queue_url(&self.deployment.queue_url)
                    .receipt_handle(message.receipt_handle().unwrap())
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    async fn send_notification(&self, created: &Value) {
        let body = json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": self.deployment.bucket}, "object": {"key": key(created)}},
        }]});
        let send = self
            .sqs
            .send_message()
            .queue_url(&self.deployment.queue_url);
        send.message_body(body.to_string()).send().await.unwrap();
    }

    /// Messages that can be received, and messages that somebody has in hand.
    async fn queued(&self) -> (u32, u32) {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let in_hand = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let answer = self.sqs.get_queue_attributes();
        let answer = answer
            .queue_url(&self.deployment.queue_url)
            .attribute_names(visible.clone())
            .attribute_names(in_hand.clone())
            .send()
            .await
            .unwrap();
        let counts = answer.attributes.unwrap();
        (
            counts[&visible].parse().unwrap(),
            counts[&in_hand].parse().unwrap(),
        )
    }

    async fn wait_for_queue(&self, what: &str, wanted: impl Fn((u32, u32)) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let queued = self.queued().await;
            if wanted(queued) {
                return;
            }
            assert!(Instant::now() < deadline, "not {what}: {queued:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn id(created: &Value) -> &str {
    created["id"].as_str().unwrap()
}

fn key(created: &Value) -> String {
    format!("uploads/{}", id(created))
}

fn five_bytes(base: &str) -> Value {
    create(base, &json!({"filename": "a.txt", "size": 5}))
}

/// The record once it is settled.
fn settled(base: &str, created: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let url = format!("{base}/v1/files/{}/metadata?wait=20", id(created));
        let file = curl_json(&[&url]);
        if file["status"] != "pending" {
            return file;
        }
        assert!(Instant::now() < deadline, "{file}");
    }
}

fn assert_silent(program: &Program, aws: &Aws, contents: &[&str]) {
    let log = program.log();
    assert!(!log.is_empty());
    let deployment = &aws.deployment;
    let secrets = [
        "X-Amz-Signature",
        "Signature=",
        "AWS4-HMAC",
        deployment.api.secret_access_key.as_str(),
        deployment.worker.secret_access_key.as_str(),
        "ReceiptHandle\":",
    ];
    for secret in secrets.iter().chain(contents) {
        assert!(!log.contains(secret), "{secret} is in a log");
    }
}

const TRACE: [(&str, &str); 1] = [("RUST_LOG", "trace")];

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_wrong_late_or_unannounced_ends_as_the_contract_says() {
    let aws = Aws::deploy("hints").await;
    let api = Program::aws_api(&aws.deployment, &TRACE);
    let base = api.base.as_str();
    let hello = aws.source("hello");

    // Its notification is lost before any worker sees it.
    let unannounced = five_bytes(base);
    assert_eq!(upload(&unannounced, &hello), "200");
    aws.lose_notification(&unannounced).await;
    let worker = Program::worker(&aws.deployment, &TRACE);
    assert_eq!(settled(base, &unannounced)["status"], "available");

    rejected_with_the_reason_and_without_the_bytes(&aws, base).await;
    deleted_for_good(&aws, base).await;

    assert_silent(&api, &aws, &["hello", "other bytes"]);
    assert_silent(&worker, &aws, &["hello", "other bytes"]);
    let told = Instant::now();
    assert!(worker.terminate().success());
    assert!(told.elapsed() < SUPERVISOR_PATIENCE, "{:?}", told.elapsed());
}

/// Whoever may write to the bucket puts two versions of other bytes under the key.
async fn rejected_with_the_reason_and_without_the_bytes(aws: &Aws, base: &str) {
    let created = five_bytes(base);
    aws.put(&created, "other bytes").await;
    aws.put(&created, "other bytes, again").await;
    let file = settled(base, &created);
    assert_eq!(file["status"], "rejected", "{file}");
    let reason = file["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("5 bytes were declared and 1"),
        "{reason}"
    );
    aws.wait_until_no_version_is_left(&created).await;
    let url = format!("{base}/v1/files/{}", id(&created));
    assert_eq!(curl_status(&[&url]), "410");
    let problem = curl_json(&[&url]);
    assert_eq!(problem["code"], "file_rejected", "{problem}");
    assert_eq!(problem["detail"], reason);
    let renewed = curl_json(&["--request", "POST", &format!("{url}/upload")]);
    assert_eq!(renewed["code"], "upload_settled", "{renewed}");
}

async fn deleted_for_good(aws: &Aws, base: &str) {
    let created = five_bytes(base);
    let hello = aws.source("hello");
    assert_eq!(upload(&created, &hello), "200");
    assert_eq!(settled(base, &created)["status"], "available");
    aws.put(&created, "a newer version").await;
    assert!(aws.versions(&created).await >= 2);
    let url = format!("{base}/v1/files/{}", id(&created));
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    aws.wait_until_no_version_is_left(&created).await;

    // A doubled notification that was under way for a while.
    aws.send_notification(&created).await;
    aws.wait_for_queue("empty", |queued| queued == (0, 0)).await;
    assert_eq!(curl_status(&[&url]), "404");

    // The upload URL still lives, and its key is free again.
    assert_eq!(upload(&created, &hello), "200");
    aws.wait_until_no_version_is_left(&created).await;
    for path in ["", "/metadata"] {
        assert_eq!(curl_status(&[&format!("{url}{path}")]), "404");
    }
    let listed = curl_json(&[&format!("{base}/v1/files?limit=100")]).to_string();
    assert!(!listed.contains(id(&created)), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_stores_are_away_calls_are_503_and_go_on_later_without_a_restart() {
    let aws = Aws::deploy("outage").await;
    let everything = TcpFaultProxy::to(&aws.deployment.endpoint, ProxyMode::Open).await;
    let (inside, outside) = (everything.url(), aws.deployment.endpoint.clone());
    let s3 = TcpFaultProxy::to(&aws.deployment.endpoint, ProxyMode::Open).await;
    let api = Program::aws_api(
        &aws.deployment,
        &[
            ("AWS_ENDPOINT_URL", &inside),
            ("AWS_ENDPOINT_URL_S3", &s3.url()),
            ("S3_PUBLIC_ENDPOINT_URL", &outside),
        ],
    );
    let worker = Program::worker(
        &aws.deployment,
        &[
            ("AWS_ENDPOINT_URL", &inside),
            // A long poll that is cut off may still be handed a message, which then stays hidden for
            // the visibility timeout. Nothing is lost by it but this test's time.
            ("AWS_ENDPOINT_URL_SQS", &outside),
            ("RECONCILE_INTERVAL", "1s"),
        ],
    );
    let base = api.base.as_str();
    let hello = aws.source("hello");
    let shared = five_bytes(base);
    assert_eq!(upload(&shared, &hello), "200");
    assert_eq!(settled(base, &shared)["status"], "available");
    assert_eq!(curl_status(&[&format!("{base}/readyz")]), "200");

    everything.set(ProxyMode::Closed);
    s3.set(ProxyMode::Closed);
    every_call_is_503(base, id(&shared));
    assert_eq!(curl_status(&[&format!("{base}/healthz")]), "200");
    // S3 alone away is no reason to keep a file: its bytes follow.
    everything.set(ProxyMode::Open);
    assert_eq!(
        curl_status(&[&format!("{base}/readyz")]),
        "503",
        "S3 is away"
    );
    let url = format!("{base}/v1/files/{}", id(&shared));
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    assert_eq!(curl_status(&[&url]), "404");
    aws.wait_until_no_version_is_left(&shared).await;

    s3.set(ProxyMode::Open);
    assert_eq!(curl_status(&[&format!("{base}/readyz")]), "200");
    let later = five_bytes(base);
    assert_eq!(upload(&later, &hello), "200");
    assert_eq!(settled(base, &later)["status"], "available");
    assert!(worker.terminate().success());
    assert!(api.terminate().success());
}

fn every_call_is_503(base: &str, id: &str) {
    let file = format!("{base}/v1/files/{id}");
    let create = r#"{"filename": "a.txt", "size": 5}"#;
    let calls = [
        vec![
            "--json".to_owned(),
            create.to_owned(),
            format!("{base}/v1/files"),
        ],
        vec![format!("{base}/v1/files")],
        vec![file.clone()],
        vec![format!("{file}/metadata?wait=1")],
        vec!["--request".into(), "POST".into(), format!("{file}/upload")],
        vec!["--request".into(), "DELETE".into(), file],
        vec![format!("{base}/readyz")],
    ];
    std::thread::scope(|scope| {
        for call in &calls {
            scope.spawn(move || {
                let mut arguments = vec!["--include"];
                arguments.extend(call.iter().map(String::as_str));
                let answer = String::from_utf8(curl(&arguments)).unwrap();
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                let head = head.to_lowercase();
                assert!(head.starts_with("http/1.1 503"), "{call:?}: {answer}");
                assert!(head.contains("\r\nretry-after: "), "{call:?}: {head}");
                let problem: Value = serde_json::from_str(body).unwrap();
                assert_eq!(problem["code"], "store_unavailable", "{problem}");
                for inside in ["Item", "Object", "Query", "127.0.0.1:", "dispatch", "error"] {
                    assert!(!body.contains(inside), "{call:?} shows {inside}: {body}");
                }
            });
        }
    });
}

/// A bucket that takes requests and never answers: a worker that asks it is in the middle for long.
async fn silent_bucket(aws: &Aws) -> TcpFaultProxy {
    TcpFaultProxy::to(&aws.deployment.endpoint, ProxyMode::Silent).await
}

// Two tests with a queue each: the emulator goes on with the long poll of a worker that is gone, and
// may hand it the message that the next worker waits for.

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_in_the_middle_loses_nothing() {
    let aws = Aws::deploy("killed").await;
    let api = Program::aws_api(&aws.deployment, &[]);
    let created = five_bytes(&api.base);
    assert_eq!(upload(&created, &aws.source("hello")), "200");
    // This and S3's test event would blur the counts.
    aws.lose_notification(&created).await;
    aws.send_notification(&created).await;
    let s3 = silent_bucket(&aws).await;
    let killed = Program::worker(&aws.deployment, &[("AWS_ENDPOINT_URL_S3", &s3.url())]);
    aws.wait_for_queue("taken", |queued| queued == (0, 1)).await;
    killed.kill();
    assert_eq!(aws.queued().await, (0, 1), "the message comes again");
    // And nobody has to wait for that.
    let worker = Program::worker(&aws.deployment, &[]);
    assert_eq!(settled(&api.base, &created)["status"], "available");
    assert!(worker.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_in_the_middle_stops_in_time_and_loses_nothing() {
    let aws = Aws::deploy("stopped").await;
    let api = Program::aws_api(&aws.deployment, &[]);
    let created = five_bytes(&api.base);
    assert_eq!(upload(&created, &aws.source("hello")), "200");
    aws.lose_notification(&created).await;
    aws.send_notification(&created).await;
    let s3 = silent_bucket(&aws).await;
    let stopped = Program::worker(&aws.deployment, &[("AWS_ENDPOINT_URL_S3", &s3.url())]);
    aws.wait_for_queue("taken", |queued| queued == (0, 1)).await;
    let told = Instant::now();
    assert!(stopped.terminate().success());
    assert!(told.elapsed() < SUPERVISOR_PATIENCE, "{:?}", told.elapsed());
    // It was given back at once, which the consumer's own tests show. Here the emulator may have handed
    // it to the long poll that ended with the worker, and then it is hidden until it comes again.
    let (visible, hidden) = aws.queued().await;
    assert_eq!(visible + hidden, 1, "the message is lost");
}
