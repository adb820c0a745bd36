//! The way of a file through S3 and SQS.

use std::net::TcpListener;

use aws_sdk_s3::types as bucket;

use super::{AWS_CHECKS, Stack, only_wrong, with};
use crate::aws_support::program::Program;
use crate::support::{Ran, fshare};

#[tokio::test]
async fn all_checks_are_well_in_a_deployed_stack() {
    let stack = Stack::alone().await;
    let api = Program::aws_api(stack.deployment, &[]);
    let _worker = Program::worker(stack.deployment, &[]);
    let (code, lines) = stack
        .doctor(&api.base, &["--aws", "--notification-limit", "120"])
        .await;
    assert_eq!(code, 0, "{lines:#?}");
    assert_eq!(lines.len(), 14 + AWS_CHECKS.len());
    // It runs with ACCESS=open.
    assert_eq!(with("warning", &lines), ["sign-in"], "{lines:#?}");
    assert_eq!(with("ok", &lines).len(), lines.len() - 1, "{lines:#?}");
    let left = Ran::of(fshare(&api.base).arg("list").output().unwrap());
    assert_eq!((left.code, left.out.as_str()), (0, ""), "nothing is left");
}

#[tokio::test]
async fn without_a_worker_no_notification_arrives_and_the_rest_is_still_looked_at() {
    let stack = Stack::alone().await;
    let api = Program::aws_api(stack.deployment, &[]);
    let (code, lines) = stack
        .doctor(&api.base, &["--notification-limit", "1"])
        .await;
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "notification",
        "no notification came in 1 s",
        "file-share-worker",
    );
    let left = Ran::of(fshare(&api.base).arg("list").output().unwrap());
    assert_eq!((left.code, left.out.as_str()), (0, ""), "nothing is left");
}

#[tokio::test]
async fn a_store_that_clients_do_not_reach_is_named_by_its_address() {
    let stack = Stack::alone().await;
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = format!("http://127.0.0.1:{port}");
    let api = Program::aws_api(stack.deployment, &[("S3_PUBLIC_ENDPOINT_URL", &closed)]);
    let (code, lines) = stack.doctor(&api.base, &[]).await;
    assert_eq!(code, 1);
    assert_eq!(with("wrong", &lines), ["store"], "{lines:#?}");
    let after = ["cors", "upload", "notification", "buffering", "download"];
    assert_eq!(with("not_looked_at", &lines), after);
    let store = lines.iter().find(|line| line["check"] == "store").unwrap();
    let said = store["said"].as_str().unwrap();
    assert!(
        said.contains(&format!("{closed} can't be reached")),
        "{said}"
    );
    let remedy = store["mend"].as_str().unwrap();
    assert!(remedy.contains("S3_PUBLIC_ENDPOINT_URL"), "{remedy}");
}

#[tokio::test]
async fn a_bucket_that_lets_no_page_in_is_said_to_be_so() {
    let stack = Stack::alone().await;
    let name = &stack.deployment.bucket;
    let rules = stack
        .s3
        .get_bucket_cors()
        .bucket(name)
        .send()
        .await
        .unwrap();
    let delete = stack.s3.delete_bucket_cors().bucket(name);
    delete.send().await.unwrap();
    let api = Program::aws_api(stack.deployment, &[]);
    let _worker = Program::worker(stack.deployment, &[]);
    let (code, lines) = stack.doctor(&api.base, &[]).await;
    let rules = bucket::CorsConfiguration::builder().set_cors_rules(rules.cors_rules);
    let back = stack.s3.put_bucket_cors().bucket(name);
    let back = back.cors_configuration(rules.build().unwrap());
    back.send().await.unwrap();
    assert_eq!(code, 1);
    only_wrong(&lines, "cors", "the store refuses pages of", "CORS");
}
