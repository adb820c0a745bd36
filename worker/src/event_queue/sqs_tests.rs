//! What SQS answers and no server on a test machine does, played by a stub that speaks HTTP.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::sqs::SqsQueue;
use super::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, EventQueue, MAX_BATCH, MAX_RECEIVE_WAIT,
    ReceiptHandle,
};

/// Answers one request with `status` and `body`, and gives back what the request's body was.
async fn stub(status: u16, body: &'static str) -> (SqsQueue, JoinHandle<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let request = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut sent = vec![0; length];
        stream.read_exact(&mut sent).await.unwrap();
        let answer = format!(
            "HTTP/1.1 {status} Stub\r\ncontent-type: application/x-amz-json-1.0\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        serde_json::from_slice(&sent).unwrap()
    });
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(&endpoint)
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let queue = SqsQueue::new(
        Client::from_conf(config),
        format!("{endpoint}/000000000000/events"),
        Duration::from_secs(30),
    );
    (queue, request)
}

#[tokio::test]
async fn a_receive_polls_long_and_reads_the_receive_count() {
    let (queue, request) = stub(
        200,
        r#"{"Messages": [
            {"MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "{}",
             "Attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1790000000123"}},
            {"MessageId": "m-2", "Body": "no receipt handle"},
            {"MessageId": "m-3", "ReceiptHandle": "r-3"}
        ]}"#,
    )
    .await;
    let deliveries = queue.receive(MAX_BATCH).await.unwrap();
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0].message_id, "m-1");
    assert_eq!(deliveries[0].receive_count, 3);
    assert_eq!(deliveries[0].receipt_handle.as_str(), "r-1");
    let sent_at = deliveries[0].sent_at.map(|at| at.timestamp_millis());
    assert_eq!(sent_at, Some(1_790_000_000_123));
    assert_eq!(deliveries[1].sent_at, None);
    assert_eq!(deliveries[1].body, "");
    assert_eq!(deliveries[1].receive_count, 1);

    let sent = request.await.unwrap();
    assert_eq!(sent["WaitTimeSeconds"], MAX_RECEIVE_WAIT.as_secs());
    assert_eq!(sent["MaxNumberOfMessages"], 10);
    assert_eq!(sent["VisibilityTimeout"], 30);
    assert_eq!(
        sent["MessageSystemAttributeNames"],
        serde_json::json!(["ApproximateReceiveCount", "SentTimestamp"])
    );
}

#[tokio::test]
async fn an_answer_without_messages_is_an_empty_batch() {
    let (queue, _) = stub(200, "{}").await;
    assert_eq!(queue.receive(MAX_BATCH).await.unwrap(), []);
}

#[tokio::test]
async fn failed_entries_are_seen_although_the_answer_is_200() {
    let (queue, request) = stub(
        200,
        r#"{"Successful": [{"Id": "2"}, {"Id": "0"}],
            "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": false},
                       {"Id": "3", "Code": "ReceiptHandleIsInvalid", "SenderFault": true}]}"#,
    )
    .await;
    let receipts: Vec<_> = (0..5)
        .map(|n| ReceiptHandle::new(format!("r{n}")))
        .collect();
    let outcomes = queue.acknowledge(&receipts).await.unwrap();
    assert_eq!(outcomes[0], AcknowledgeOutcome::Acknowledged);
    assert!(matches!(&outcomes[1], AcknowledgeOutcome::Failed { code } if code == "InternalError"));
    assert_eq!(outcomes[2], AcknowledgeOutcome::Acknowledged);
    assert_eq!(outcomes[3], AcknowledgeOutcome::Stale);
    assert!(
        matches!(&outcomes[4], AcknowledgeOutcome::Failed { .. }),
        "an entry that the answer doesn't mention counted as done"
    );
    let sent = request.await.unwrap();
    assert_eq!(sent["Entries"][4]["ReceiptHandle"], "r4");
}

#[tokio::test]
async fn deferring_what_is_visible_again_is_no_error() {
    for code in [
        "com.amazonaws.sqs#MessageNotInflight",
        "com.amazonaws.sqs#ReceiptHandleIsInvalid",
        "com.amazon.coral.service#InvalidParameterValue",
    ] {
        let body: &'static str =
            Box::leak(format!(r#"{{"__type": "{code}", "message": "not available"}}"#).into());
        let (queue, request) = stub(400, body).await;
        let outcome = queue
            .change_visibility(&ReceiptHandle::new("r"), Duration::from_millis(1_200))
            .await;
        assert_eq!(outcome.unwrap(), ChangeVisibilityOutcome::Stale, "{code}");
        assert_eq!(request.await.unwrap()["VisibilityTimeout"], 2);
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_an_error_that_says_so_and_shows_no_receipt() {
    let (queue, _) = stub(
        400,
        r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"}"#,
    )
    .await;
    let error = queue
        .change_visibility(&ReceiptHandle::new("secret-receipt"), Duration::ZERO)
        .await
        .unwrap_err();
    assert!(error.chain().contains("no such queue"), "{}", error.chain());
    assert!(!format!("{error:?} {}", error.chain()).contains("secret-receipt"));
}
