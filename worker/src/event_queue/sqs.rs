//! The event queue on Amazon SQS, or a queue with its API.
//!
//! Invariant: an answer of HTTP 200 to a batch isn't believed; every entry's own outcome is looked
//! at (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>).
//!
//! Absent on purpose: FIFO queues, which S3 doesn't notify, and message attributes.

mod start_check;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use file_share::domain::from_millis;

pub use start_check::QueueCheck;

use super::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, Delivery, EventQueue, MAX_DELAY, MAX_RECEIVE_WAIT,
    MessageSender, QueueError, ReceiptHandle, whole_seconds,
};

/// What a receive may take beyond its wait.
const RECEIVE_SLACK: Duration = Duration::from_secs(5);

/// Codes of an entry or a call whose receipt is no longer valid. For a standard queue SQS says
/// `InvalidParameterValue` where the message is visible again or gone.
const STALE_CODES: [&str; 4] = [
    "ReceiptHandleIsInvalid",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
];

/// One SQS standard queue, both ends of it.
pub struct SqsQueue {
    client: Client,
    queue_url: String,
    visibility_timeout: Duration,
    wait_time: Duration,
}

impl SqsQueue {
    /// A queue whose deliveries are hidden for `visibility_timeout` (1 s to [`MAX_DELAY`], in whole
    /// seconds), whatever the queue's own attribute says, so that the two can't disagree.
    pub fn new(client: Client, queue_url: impl Into<String>, visibility_timeout: Duration) -> Self {
        let bounded = visibility_timeout.clamp(Duration::from_secs(1), MAX_DELAY);
        Self {
            client,
            queue_url: queue_url.into(),
            visibility_timeout: Duration::from_secs(whole_seconds(bounded)),
            wait_time: MAX_RECEIVE_WAIT,
        }
    }

    /// The same queue with a receive that waits for `wait_time`, at most [`MAX_RECEIVE_WAIT`].
    #[must_use]
    pub fn with_wait_time(mut self, wait_time: Duration) -> Self {
        self.wait_time = wait_time.min(MAX_RECEIVE_WAIT);
        self
    }
}

#[async_trait]
impl EventQueue for SqsQueue {
    fn visibility_timeout(&self) -> Duration {
        self.visibility_timeout
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        // The client's own time-outs are shorter than a long poll. One attempt: the caller's loop
        // is the retry.
        let limit = self.wait_time + RECEIVE_SLACK;
        let time_outs = TimeoutConfig::builder()
            .read_timeout(limit)
            .operation_attempt_timeout(limit)
            .operation_timeout(limit)
            .build();
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(i32::try_from(max).map_err(QueueError::new)?)
            .wait_time_seconds(seconds(self.wait_time))
            .visibility_timeout(seconds(self.visibility_timeout))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .customize()
            .config_override(aws_sdk_sqs::config::Builder::new().timeout_config(time_outs))
            .send()
            .await
            .map_err(QueueError::new)?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(delivery)
            .collect())
    }

    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let entries = receipts
            .iter()
            .enumerate()
            .map(|(index, receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt.as_str())
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(QueueError::new)?;
        let answer = self
            .client
            .delete_message_batch()
            .queue_url(&self.queue_url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(QueueError::new)?;
        Ok((0..receipts.len())
            .map(|index| {
                let id = index.to_string();
                if let Some(failed) = answer.failed.iter().find(|entry| entry.id == id) {
                    entry_failed(&failed.code)
                } else if answer.successful.iter().any(|entry| entry.id == id) {
                    AcknowledgeOutcome::Acknowledged
                } else {
                    AcknowledgeOutcome::Failed {
                        code: "not in the answer".to_owned(),
                    }
                }
            })
            .collect())
    }

    async fn change_visibility(
        &self,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError> {
        let answer = self
            .client
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .receipt_handle(receipt.as_str())
            .visibility_timeout(seconds(delay))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(ChangeVisibilityOutcome::Changed),
            Err(error) => match error.as_service_error().and_then(|e| e.code()) {
                Some(code) if STALE_CODES.contains(&code) => Ok(ChangeVisibilityOutcome::Stale),
                _ => Err(QueueError::new(error)),
            },
        }
    }
}

fn entry_failed(code: &str) -> AcknowledgeOutcome {
    if STALE_CODES.contains(&code) {
        AcknowledgeOutcome::Stale
    } else {
        AcknowledgeOutcome::Failed {
            code: code.to_owned(),
        }
    }
}

/// A message without a receipt handle can't be handled; it comes back by itself.
fn delivery(message: Message) -> Option<Delivery> {
    let attribute = |name| message.attributes.as_ref().and_then(|all| all.get(&name));
    let receive_count = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at = attribute(MessageSystemAttributeName::SentTimestamp);
    Some(Delivery {
        receive_count: receive_count
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        sent_at: sent_at
            .and_then(|millis| millis.parse().ok())
            .and_then(from_millis),
        receipt_handle: ReceiptHandle::new(message.receipt_handle?),
        body: message.body.unwrap_or_default(),
        message_id: message.message_id.unwrap_or_default(),
    })
}

#[async_trait]
impl MessageSender for SqsQueue {
    async fn send(&self, body: &str) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(QueueError::new)
    }
}

/// The URL of the dead-letter queue that the queue's redrive policy names; `None` if it has none.
///
/// # Errors
/// Also if this queue's policy or that queue's address may not be read.
pub async fn dead_letter_queue_url(
    client: &Client,
    queue_url: &str,
) -> Result<Option<String>, QueueError> {
    let answer = client
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .send()
        .await
        .map_err(QueueError::new)?;
    let policy = answer
        .attributes
        .as_ref()
        .and_then(|all| all.get(&QueueAttributeName::RedrivePolicy));
    let Some(policy) = policy else {
        return Ok(None);
    };
    let (account, name) = dead_letter_queue(policy)
        .ok_or_else(|| QueueError::new("the queue's redrive policy names no queue"))?;
    let answer = client
        .get_queue_url()
        .queue_name(name)
        .queue_owner_aws_account_id(account)
        .send()
        .await
        .map_err(QueueError::new)?;
    Ok(answer.queue_url)
}

/// Account and name out of a redrive policy: `arn:aws:sqs:REGION:ACCOUNT:NAME`
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
fn dead_letter_queue(policy: &str) -> Option<(String, String)> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let mut parts = policy["deadLetterTargetArn"].as_str()?.split(':').skip(4);
    let (account, name) = (parts.next()?, parts.next()?);
    (!name.is_empty()).then(|| (account.to_owned(), name.to_owned()))
}

fn seconds(duration: Duration) -> i32 {
    // MAX_DELAY is 43,200 s, which an i32 holds.
    i32::try_from(whole_seconds(duration.min(MAX_DELAY))).unwrap_or(i32::MAX)
}
