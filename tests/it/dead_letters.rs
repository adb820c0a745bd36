//! The dead-letter queue, from the worker that can't do its work to the person who moves messages
//! back: real programs, each with its own permissions.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use file_share::aws::sqs_client;
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl_json, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir, operate};

/// For everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_dead_letter_queue(admin: &Client, deployment: &Deployment) -> usize {
    let attributes = admin
        .get_queue_attributes()
        .queue_url(&deployment.dead_letter_queue_url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .send()
        .await
        .unwrap();
    let count = &attributes.attributes.unwrap()[&QueueAttributeName::ApproximateNumberOfMessages];
    count.parse().unwrap()
}

/// Makes the queue give up on a message at its second delivery.
async fn give_up_early(admin: &Client, deployment: &Deployment) {
    let attributes = admin
        .get_queue_attributes()
        .queue_url(&deployment.queue_url)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .send()
        .await
        .unwrap();
    let policy = &attributes.attributes.unwrap()[&QueueAttributeName::RedrivePolicy];
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    policy["maxReceiveCount"] = json!("1");
    admin
        .set_queue_attributes()
        .queue_url(&deployment.queue_url)
        .attributes(QueueAttributeName::RedrivePolicy, policy.to_string())
        .send()
        .await
        .unwrap();
}

/// Sends messages that nobody understands, and takes the part of a worker that leaves them: its
/// deliveries would come back after a minute, and these come back at once.
async fn make_dead_letters(admin: &Client, deployment: &Deployment, bodies: &[&str]) {
    let receive = || {
        let receive = admin.receive_message().queue_url(&deployment.queue_url);
        receive.max_number_of_messages(10)
    };
    // S3's test event, if it sent one.
    let first = receive().wait_time_seconds(1).send().await.unwrap();
    for message in first.messages() {
        let delete = admin.delete_message().queue_url(&deployment.queue_url);
        let receipt = message.receipt_handle().unwrap();
        delete.receipt_handle(receipt).send().await.unwrap();
    }
    for body in bodies {
        let send = admin.send_message().queue_url(&deployment.queue_url);
        send.message_body(*body).send().await.unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while in_dead_letter_queue(admin, deployment).await < bodies.len() {
        assert!(Instant::now() < deadline, "the queue doesn't give up");
        let receive = receive().visibility_timeout(0).wait_time_seconds(0);
        receive.send().await.unwrap();
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn assert_exit(output: &Output, code: i32) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{errors}\n{}",
        printed(output)
    );
}

#[tokio::test]
async fn what_a_worker_could_not_settle_is_shown_and_comes_through_once_the_cause_is_gone() {
    let deployment = MiniStack::shared().await.deploy("redrive").await;
    let admin = sqs_client(&sdk_config(&deployment, &deployment.admin).await);
    give_up_early(&admin, &deployment).await;
    let secret = "https://files.example/uploads/x?X-Amz-Signature=secret";
    let poison = [secret, "{\"Records\": [{\"eventVersion\": \"3.0\"}]}"];
    make_dead_letters(&admin, &deployment, &poison).await;
    let api = Program::aws_api(&deployment, &[]);
    let dir = data_dir();
    let file = dir.path().join("hello.txt");
    std::fs::write(&file, "hello").unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let created = create(&api.base, &json!({"filename": "hello.txt", "size": 5}));
        assert_eq!(upload(&created, &file), "200");
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    // The worker doesn't reach its table, so it defers, and the queue gives up. (Nothing listens there:
    // the port is reserved for a service that throws everything away.)
    let settings = [
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ("RECONCILE_INTERVAL", "12h"),
    ];
    let worker = Program::worker(&deployment, &settings);
    let deadline = Instant::now() + PATIENCE;
    while in_dead_letter_queue(&admin, &deployment).await < 5 {
        assert!(
            Instant::now() < deadline,
            "no dead letters: {}",
            worker.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.kill();

    // Shown twice, since looking takes nothing away.
    for _ in 0..2 {
        let output = operate(&deployment, &["inspect"]);
        assert_exit(&output, 0);
        let text = printed(&output);
        assert_eq!(text.lines().count(), 5, "{text}");
        for id in &ids {
            let lines: Vec<_> = text.lines().filter(|line| line.contains(id)).collect();
            assert_eq!(lines.len(), 1, "{text}");
            assert!(lines[0].contains("looks fine now"), "{text}");
            assert!(lines[0].contains("first sent 20"), "{text}");
        }
        assert_eq!(text.matches("not understood: ").count(), 2, "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let output = operate(&deployment, &["inspect", "--limit=1", "--body"]);
    assert_exit(&output, 0);
    assert_eq!(printed(&output).lines().count(), 2);
    let dead_letters = ["--dead-letter-queue-url", &deployment.dead_letter_queue_url];
    let output = operate(
        &deployment,
        &[&["inspect", "--body"], &dead_letters[..]].concat(),
    );
    assert!(printed(&output).contains("X-Amz-Signature=secret"));

    // The cause is gone: what is understood goes back, and comes through.
    let output = operate(&deployment, &["redrive", "--only-understood"]);
    assert_exit(&output, 0);
    let text = printed(&output);
    assert!(text.contains("3 messages were moved"), "{text}");
    assert!(text.contains("2 aren't understood"), "{text}");
    let _worker = Program::worker(&deployment, &[("RECONCILE_INTERVAL", "12h")]);
    for id in &ids {
        let url = format!("{}/v1/files/{id}/metadata?wait=20", api.base);
        assert_eq!(curl_json(&[&url])["status"], "available");
    }
    let output = operate(&deployment, &["inspect"]);
    let mut by_end = BTreeMap::new();
    for line in printed(&output).lines() {
        *by_end.entry(line.contains("not understood")).or_insert(0) += 1;
    }
    assert_eq!(by_end, BTreeMap::from([(true, 2)]));

    // Nothing left to move, and everything.
    let output = operate(&deployment, &["redrive", "--only-understood"]);
    assert_exit(&output, 0);
    assert!(printed(&output).contains("0 messages were moved"));
    let output = operate(&deployment, &["redrive"]);
    assert_exit(&output, 0);
    assert!(printed(&output).contains("2 messages were moved"));
    assert_eq!(in_dead_letter_queue(&admin, &deployment).await, 0);
}

#[tokio::test]
async fn a_command_that_can_not_reach_the_queue_says_why_and_fails() {
    let deployment = Deployment::shared().await;
    let mut elsewhere = deployment.clone();
    elsewhere.queue_url += "-elsewhere";
    for command in ["inspect", "redrive"] {
        let output = operate(&elsewhere, &[command]);
        assert_exit(&output, 1);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("DEAD_LETTER_QUEUE_URL"), "{errors}");
        assert_exit(&operate(deployment, &[command, "--limit=0"]), 2);
        // The worker may not do what the operator may.
        let mut as_worker = deployment.clone();
        as_worker.operator = deployment.worker.clone();
        let url = &deployment.dead_letter_queue_url;
        let output = operate(&as_worker, &[command, "--dead-letter-queue-url", url]);
        assert_exit(&output, 1);
    }
}
