//! Both programs as Lambda functions, before a Runtime API that is as strict as Lambda's.

use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::infrastructure::sqs;
use crate::journey::share;
use crate::serverless::time_of;
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::fault_proxy::{ProxyMode, TcpFaultProxy};
use crate::support::lambda::{Answer, HttpRequest, Lambda};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

/// What the template gives the functions.
static API_TIME: LazyLock<Duration> = LazyLock::new(|| time_of("ApiFunction"));
static WORKER_TIME: LazyLock<Duration> = LazyLock::new(|| time_of("WorkerFunction"));
const SOMEBODY: &str = "203.0.113.7";

fn record(message: &Message) -> Value {
    let attributes = message.attributes.as_ref().unwrap();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount":
                attributes[&MessageSystemAttributeName::ApproximateReceiveCount],
            "SentTimestamp": attributes[&MessageSystemAttributeName::SentTimestamp],
        },
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    })
}

/// What Lambda does between a queue and a function: it removes the messages that the answer doesn't name.
async fn map_events(deployment: Deployment, worker: Lambda, stop: CancellationToken) {
    let client = sqs(&deployment, &deployment.admin);
    let url = &deployment.queue_url;
    while !stop.is_cancelled() {
        let receive = client.receive_message().queue_url(url).wait_time_seconds(1);
        let receive = receive.max_number_of_messages(10);
        let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let records: Vec<_> = messages.iter().map(record).collect();
        let event = json!({"Records": records});
        let invoked = worker.clone();
        let invoked = tokio::task::spawn_blocking(move || invoked.invoke(&event, *WORKER_TIME));
        let answer = invoked.await.unwrap().answered();
        let failed = answer["batchItemFailures"].as_array().unwrap();
        for message in messages {
            let id = message.message_id().unwrap();
            if failed.iter().all(|it| it["itemIdentifier"] != id) {
                let delete = client.delete_message().queue_url(url);
                let delete = delete.receipt_handle(message.receipt_handle().unwrap());
                delete.send().await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_programs_as_functions_share_files_in_two_steps() {
    let deployment = MiniStack::shared().await.deploy("lambda").await;
    let (api, worker) = (Lambda::start(), Lambda::start());
    let base = api.behind_gateway(*API_TIME, SOMEBODY);
    let settings = [("PUBLIC_URL", base.as_str())];
    let _api = Program::api_function(&deployment, &api.address, &settings);
    let stores = TcpFaultProxy::to(&deployment.endpoint, ProxyMode::Open).await;
    let settings = [("AWS_ENDPOINT_URL", stores.url())];
    let settings = settings.each_ref().map(|(name, url)| (*name, url.as_str()));
    let _worker = Program::worker_function(&deployment, &worker.address, &settings);
    let stop = CancellationToken::new();
    let mapping = map_events(deployment.clone(), worker.clone(), stop.clone());
    let mapping = tokio::spawn(mapping);
    tokio::task::block_in_place(|| {
        let dir = tempfile::tempdir().unwrap();
        let file = share(&base, dir.path(), "a b.txt", b"hello", true);
        assert_eq!(file["status"], "available", "{file}");
        let url = format!("{base}/v1/files/{}", file["id"].as_str().unwrap());
        assert_eq!(curl(&["--location", &url]), b"hello");
        let head = String::from_utf8(curl(&["--head", &url])).unwrap();
        assert!(head.starts_with("HTTP/1.1 307"), "{head}");
        // Compressed, and so no text.
        let page = curl(&["--compressed", &format!("{base}/")]);
        assert!(page.starts_with(b"<!DOCTYPE html>"), "it isn't decoded");
        assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
        assert_eq!(curl_status(&[&url]), "404");
    });
    stop.cancel();
    mapping.await.unwrap();
    tokio::task::block_in_place(|| {
        of_a_bad_message_nobody_else_hears(&base, &worker, &deployment.bucket);
        a_wait_is_short(&base, &api);
        a_schedule_finds_what_no_message_told_of(&base, &worker);
        an_outage_is_an_error_of_the_function(&worker, &stores);
        // What it can't read ended nothing.
        for (function, is_of) in [(&api, "payload format 2.0"), (&worker, "SQS")] {
            let Answer::Failed(error) = function.invoke(&json!({"x": 1}), *API_TIME) else {
                panic!("it was answered");
            };
            assert_eq!(error["errorType"], "UnknownEvent");
            assert!(
                error["errorMessage"].as_str().unwrap().contains(is_of),
                "{error}"
            );
        }
        assert_eq!(curl_status(&[&format!("{base}/healthz")]), "200");
    });
}

/// Nobody reads the answer to a schedule, but errors are counted by an alarm.
fn an_outage_is_an_error_of_the_function(worker: &Lambda, stores: &TcpFaultProxy) {
    let event = json!({"task": "reconcile"});
    stores.set(ProxyMode::Closed);
    let Answer::Failed(error) = worker.invoke(&event, *WORKER_TIME) else {
        panic!("nothing was wrong");
    };
    assert_eq!(error["errorType"], "TaskFailed");
    stores.set(ProxyMode::Open);
    let answer = worker.invoke(&event, *WORKER_TIME).answered();
    assert_eq!(answer["isComplete"], true, "{answer}");
}

/// A file whose bytes are there, and whose message nobody has handed over.
fn sent(base: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    fs::write(&path, "hello").unwrap();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(upload(&created, &path), "200");
    created["id"].as_str().unwrap().to_owned()
}

fn status(base: &str, id: &str) -> Value {
    curl_json(&[&format!("{base}/v1/files/{id}/metadata")])["status"].clone()
}

fn of_a_bad_message_nobody_else_hears(base: &str, worker: &Lambda, bucket: &str) {
    let ids = [sent(base), sent(base)];
    let arrival = |id: &str| {
        let s3 = json!({"bucket": {"name": bucket}, "object": {"key": format!("uploads/{id}")}});
        let event = json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": s3});
        json!({"Records": [event]}).to_string()
    };
    let message = |id: &str, body: String| json!({"messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"});
    let event = json!({"Records": [
        message("a", arrival(&ids[0])),
        message("poison", "no notification".into()),
        message("", "no notification either".into()),
        message("b", arrival(&ids[1])),
    ]});
    let answer = worker.invoke(&event, *WORKER_TIME).answered();
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "poison"}]})
    );
    for id in &ids {
        assert_eq!(status(base, id), "available");
    }
}

/// Whoever waits has a process for themselves.
fn a_wait_is_short(base: &str, api: &Lambda) {
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let id = created["id"].as_str().unwrap();
    let request = HttpRequest::get(&format!("/v1/files/{id}/metadata?wait=20"));
    let began = Instant::now();
    let answer = api.invoke(&request.event(SOMEBODY), *API_TIME).answered();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(900), "it didn't wait");
    assert!(waited < Duration::from_secs(10), "it waited for {waited:?}");
    let file: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(file["status"], "pending");
}

fn a_schedule_finds_what_no_message_told_of(base: &str, worker: &Lambda) {
    let id = sent(base);
    for task in ["reconcile", "sweep"] {
        let answer = worker
            .invoke(&json!({"task": task}), *WORKER_TIME)
            .answered();
        assert_eq!(answer, json!({"task": task, "isComplete": true}));
        assert_eq!(status(base, &id), "available");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_the_gateway_saw_counts_and_not_what_a_client_says_of_itself() {
    let deployment = MiniStack::shared().await.deploy("lambda-from").await;
    let api = Lambda::start();
    let settings = [
        ("PUBLIC_URL", "https://files.example.org"),
        ("RATE_READ", "2/h"),
    ];
    let _api = Program::api_function(&deployment, &api.address, &settings);
    let asked = |from: &str, forged: &str| {
        let mut request = HttpRequest::get("/v1/files");
        let forged = ("x-forwarded-for".into(), forged.into());
        request.headers.push(forged);
        let event = request.event(from);
        tokio::task::block_in_place(|| api.invoke(&event, *API_TIME)).answered()["statusCode"]
            .clone()
    };
    assert_eq!(asked(SOMEBODY, "192.0.2.1"), 200);
    assert_eq!(asked(SOMEBODY, "192.0.2.2"), 200);
    assert_eq!(asked(SOMEBODY, "192.0.2.3"), 429);
    assert_eq!(asked("203.0.113.8", SOMEBODY), 200);
}

#[test]
fn a_function_in_local_mode_does_not_start_and_lambda_is_told_why() {
    let lambda = Lambda::start();
    let dir = tempfile::tempdir().unwrap();
    let settings = [("AWS_LAMBDA_RUNTIME_API", lambda.address.as_str())];
    let said = Program::local_refuses_with(dir.path(), &settings);
    let told = lambda.start_error();
    assert_eq!(told["errorType"], "StartError");
    for text in [said.as_str(), told["errorMessage"].as_str().unwrap()] {
        assert!(text.contains("MODE=aws"), "{text}");
        assert!(text.contains("PUBLIC_URL"), "{text}");
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}
