//! The port to the queue that carries event notifications.
//!
//! The words are those of SQS: a delivery is one hand-over of a message, with a receipt handle of
//! its own; it hides the message from other receivers for the visibility timeout.
//!
//! Invariant: deliveries are at-least-once and in no order. A message stays in the queue until it
//! is acknowledged, so a receiver that dies loses nothing; after the queue's max receive count the
//! queue itself moves it to the dead-letter queue.
//!
//! Absent on purpose: anything that deletes a message unseen, and sending by the consumer: that is a
//! port of its own, [`MessageSender`], for the person who moves messages back. To give a message back
//! and to keep it hidden for longer are both [`EventQueue::change_visibility`].

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
pub mod in_memory;
pub mod sqs;
#[cfg(test)]
mod sqs_tests;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use file_share::domain::Timestamp;

/// The most deliveries of one receive and the most entries of one acknowledgement, as SQS sets it.
pub const MAX_BATCH: usize = 10;

/// The longest that a receive waits for a message. SQS offers 20 s; but a receiver that stops has to wait
/// for its last receive, and what comes within that time is delayed by it.
pub const MAX_RECEIVE_WAIT: Duration = Duration::from_secs(4);

/// The longest that a message can stay hidden, as SQS sets it: 12 hours.
pub const MAX_DELAY: Duration = Duration::from_secs(12 * 60 * 60);

/// Names one delivery to the queue. Whoever holds it can acknowledge, so no log shows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReceiptHandle(String);

impl ReceiptHandle {
    /// Takes the text that the queue gave with a delivery.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as the queue gave it. It belongs in no log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptHandle(…)")
    }
}

/// One hand-over of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What was sent; anybody's text until it has been parsed.
    pub body: String,
    /// What acknowledges or defers this delivery. Stale once the message is visible again.
    pub receipt_handle: ReceiptHandle,
    /// The same in every delivery of the message.
    pub message_id: String,
    /// How often the message has been delivered, this delivery included; approximate in SQS.
    pub receive_count: u32,
    /// When the message was first sent, before it went through any dead-letter queue; `None` if the
    /// queue didn't say.
    pub sent_at: Option<Timestamp>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message_id", &self.message_id)
            .field("receive_count", &self.receive_count)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What became of one entry of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcknowledgeOutcome {
    /// The queue took it. Even then SQS may, rarely, deliver the message once more.
    Acknowledged,
    /// The receipt is no longer valid: the message is visible again, or gone. Nothing to do.
    Stale,
    /// The queue refused this entry. The message stays and will be delivered again.
    Failed {
        /// What the queue calls the error.
        code: String,
    },
}

/// What became of a deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeVisibilityOutcome {
    /// The message is hidden for the delay that was asked for.
    Changed,
    /// The receipt is no longer valid: the message is visible again, or gone. Nothing to do.
    Stale,
}

/// The queue didn't do it, or didn't say whether it did. Every call is safe to repeat.
#[derive(Debug, thiserror::Error)]
#[error("the event queue is unavailable")]
pub struct QueueError(#[source] Box<dyn Error + Send + Sync>);

impl QueueError {
    /// A call that failed for this cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }

    /// The error with all its causes on one line, for a log.
    pub fn chain(&self) -> String {
        file_share::store_error::chain(self)
    }
}

/// Queues count in whole seconds; a delay that isn't one is rounded up, so that a short one doesn't
/// become none.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

/// The receiving end of a queue that hands out a message until it is acknowledged, or was handed out too
/// often. Every implementation passes the suite in `conformance`.
#[async_trait]
pub trait EventQueue: Send + Sync {
    /// How long a delivery hides its message, unless it is deferred.
    fn visibility_timeout(&self) -> Duration;

    /// Takes up to `max` (1 to [`MAX_BATCH`]) visible messages and hides each for the visibility
    /// timeout. Waits for at most [`MAX_RECEIVE_WAIT`] if there are none (long polling) and then gives an
    /// empty list.
    ///
    /// A caller that drops the future may have taken messages all the same, or take such as are sent
    /// until the wait is over; they come back after the visibility timeout.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError>;

    /// Removes the messages of up to [`MAX_BATCH`] deliveries from the queue for good. One outcome
    /// an entry, in the order of the entries; `Ok` doesn't mean that every entry succeeded.
    ///
    /// # Errors
    /// Only where the call failed as a whole: then each message may or may not be gone.
    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError>;

    /// Hides the message for `delay` from now (at most [`MAX_DELAY`], in whole seconds, rounded
    /// up), whatever was left of its time: zero gives it back at once, more than that puts the next
    /// attempt off, or keeps the message while the work goes on. The receive count stays.
    async fn change_visibility(
        &self,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError>;
}

/// The other end of a queue.
#[async_trait]
pub trait MessageSender: Send + Sync {
    /// Puts a message into the queue, visible at once. It is durable when this returns.
    ///
    /// # Errors
    /// The message may have been sent all the same; sending it again makes two of it.
    async fn send(&self, body: &str) -> Result<(), QueueError>;
}
