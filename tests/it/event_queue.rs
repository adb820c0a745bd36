//! The worker's queue on SQS, and its consumer between the queue and the stores of aws mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use file_share::aws::{dynamodb_client, s3_client, sqs_client};
use file_share::clock::{Clock, SystemClock};
use file_share::domain::{FileId, FileRecord, FileState, Lifecycle, ObjectKey};
use file_share::metadata_store::{MetadataStore, dynamodb::DynamoDbMetadataStore};
use file_share::object_store::s3::S3ObjectStore;
use file_share::operations::{FinalizeOutcome, OperationError, Stores};
use file_share_worker::consumer::{Consumer, Finalize};
use file_share_worker::event_queue::conformance::{self, Fixture};
use file_share_worker::event_queue::{EventQueue, MessageSender, sqs::SqsQueue};

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::{Deployment, MiniStack};

const MAX_RECEIVE_COUNT: u32 = 3;

/// A queue of its own, with a dead-letter queue.
struct SqsFixture {
    client: Client,
    url: String,
    dead_letter_url: String,
}

impl SqsFixture {
    async fn new(client: Client) -> Self {
        let name = format!("events-{}", FileId::new(SystemClock.now()));
        let dead_letters = client
            .create_queue()
            .queue_name(format!("{name}-dlq"))
            .send()
            .await
            .unwrap();
        let dead_letter_url = dead_letters.queue_url.unwrap();
        let attributes = client
            .get_queue_attributes()
            .queue_url(&dead_letter_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .unwrap();
        let arn = attributes.attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
        let policy = serde_json::json!({
            "deadLetterTargetArn": arn,
            "maxReceiveCount": MAX_RECEIVE_COUNT.to_string(),
        });
        let queue = client
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::RedrivePolicy, policy.to_string())
            .send()
            .await
            .unwrap();
        Self {
            client,
            url: queue.queue_url.unwrap(),
            dead_letter_url,
        }
    }
}

#[async_trait]
impl Fixture for SqsFixture {
    fn queue(&self) -> Arc<dyn EventQueue> {
        let queue = SqsQueue::new(self.client.clone(), &self.url, Duration::from_secs(2));
        Arc::new(queue.with_wait_time(Duration::from_secs(1)))
    }

    fn sender(&self) -> Arc<dyn MessageSender> {
        let visibility_timeout = Duration::from_secs(2);
        Arc::new(SqsQueue::new(
            self.client.clone(),
            &self.url,
            visibility_timeout,
        ))
    }

    fn max_receive_count(&self) -> u32 {
        MAX_RECEIVE_COUNT
    }

    async fn dead_letters(&self) -> Vec<String> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.dead_letter_url)
            .max_number_of_messages(10)
            .send()
            .await
            .unwrap();
        let messages = answer.messages.unwrap_or_default();
        messages.into_iter().filter_map(|m| m.body).collect()
    }
}

#[tokio::test]
async fn the_queue_on_sqs_keeps_the_contract() {
    let deployment = Deployment::shared().await;
    let client = sqs_client(&sdk_config(deployment, &deployment.admin).await);
    conformance::run(async || SqsFixture::new(client.clone()).await).await;
}

/// The stores are reached with the permissions that the worker has in production, and no others.
#[tokio::test]
async fn an_upload_is_made_available_by_the_store_s_own_notification() {
    let deployment = MiniStack::shared().await.deploy("consumer").await;
    let sdk = sdk_config(&deployment, &deployment.worker).await;
    let lifecycle = Lifecycle::default();
    let metadata = Arc::new(DynamoDbMetadataStore::new(
        dynamodb_client(&sdk),
        &deployment.table,
    ));
    let stores = Stores {
        metadata: metadata.clone(),
        objects: Arc::new(S3ObjectStore::new(s3_client(&sdk), &deployment.bucket)),
        clock: Arc::new(SystemClock),
        lifecycle,
        events: file_share::file_events::FileEvents::off(),
        quotas: file_share::quotas::Quotas::off(),
        scans: file_share::scanner::Scans::off(),
        metrics: file_share::metrics::Metrics::off(),
    };
    let now = SystemClock.now();
    let record = FileRecord::sample(now);
    let admin = sdk_config(&deployment, &deployment.admin).await;
    DynamoDbMetadataStore::new(dynamodb_client(&admin), &deployment.table)
        .insert(&record)
        .await
        .unwrap();
    let put = s3_client(&admin).put_object().bucket(&deployment.bucket);
    put.key(record.key().to_string())
        .body(b"hello".to_vec().into())
        .send()
        .await
        .unwrap();

    // In AWS `sqs:DeleteMessage` covers DeleteMessageBatch (Amazon SQS API permissions reference).
    // The emulator asks for a permission of the call's own name, which AWS doesn't have.
    let queue = SqsQueue::new(
        sqs_client(&admin),
        &deployment.queue_url,
        Duration::from_secs(60),
    )
    .with_wait_time(Duration::from_secs(1));
    let consumer = Consumer::new(Arc::new(queue), Arc::new(stores), &deployment.bucket);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let report = consumer.run_once().await.unwrap();
        // S3's test event may come first.
        assert_eq!(report.acknowledged, report.received, "{report:?}");
        let found = metadata.get(record.id).await.unwrap().unwrap();
        if let FileState::Available(object) = found.state {
            assert_eq!(
                object.sha256.to_hex(),
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
            );
            break;
        }
        assert!(Instant::now() < deadline, "the notification didn't come");
    }
}

/// Takes longer than the queue hides a message.
struct Slow {
    begun: AtomicUsize,
    takes: Duration,
}

#[async_trait]
impl Finalize for Slow {
    async fn finalize(&self, _: ObjectKey) -> Result<FinalizeOutcome, OperationError> {
        self.begun.fetch_add(1, SeqCst);
        tokio::time::sleep(self.takes).await;
        Ok(FinalizeOutcome::Available)
    }
}

#[tokio::test]
async fn work_that_outlasts_the_visibility_timeout_is_not_delivered_to_a_second_worker() {
    const BUCKET: &str = "a-bucket";
    let deployment = Deployment::shared().await;
    let client = sqs_client(&sdk_config(deployment, &deployment.admin).await);
    let fixture = SqsFixture::new(client).await;
    let key = ObjectKey::new(FileId::new(SystemClock.now()));
    let event = serde_json::json!({"Records": [{
        "eventVersion": "2.1", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key.to_string()}},
    }]});
    fixture.sender().send(&event.to_string()).await.unwrap();
    // Two and a half visibility timeouts.
    let slow = Arc::new(Slow {
        begun: AtomicUsize::new(0),
        takes: fixture.queue().visibility_timeout() * 5 / 2,
    });
    let worker = Consumer::new(fixture.queue(), slow.clone(), BUCKET);
    let working = tokio::spawn(async move { worker.run_once().await.unwrap() });
    while slow.begun.load(SeqCst) == 0 {
        assert!(!working.is_finished(), "the message didn't come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rival = Consumer::new(fixture.queue(), slow.clone(), BUCKET);
    while !working.is_finished() {
        assert_eq!(rival.run_once().await.unwrap().received, 0);
    }
    assert_eq!(working.await.unwrap().acknowledged, 1);
    assert_eq!(rival.run_once().await.unwrap().received, 0);
    assert_eq!(slow.begun.load(SeqCst), 1);
    assert!(fixture.dead_letters().await.is_empty());
}
