//! What a person does about the dead-letter queue: looks at what is in it and why, and moves it back
//! once the cause is gone.
//!
//! Invariant: no message is lost. One that is moved is sent before it is deleted, so a crash in
//! between doubles it, which is harmless, since finalizing twice changes nothing. All others are
//! visible again when this returns.
//!
//! Absent on purpose: SQS's own StartMessageMoveTask. It moves everything or nothing, and asks for
//! more permissions. And deleting for good: what nobody understands stays until its time is over.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use file_share::domain::{FileId, Timestamp, format_timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::event_queue::{
    AcknowledgeOutcome, Delivery, EventQueue, MAX_BATCH, MessageSender, QueueError, ReceiptHandle,
};
use crate::notification::{self, Event, IgnoredReason, NotUnderstood};

/// How long messages are hidden while somebody looks at them or moves them.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What a message says, as far as this version of the program understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Files whose bytes have arrived.
    pub files: Vec<FileId>,
    /// Why its other events ask for nothing.
    pub ignored: Vec<IgnoredReason>,
    /// Why the message, or an event of it, can't be read. Such a message stays a dead letter.
    pub not_understood: Option<NotUnderstood>,
}

impl Reading {
    /// Reads a message about the bucket `bucket`, as the consumer does.
    pub fn of(body: &str, bucket: &str) -> Self {
        let mut reading = Self {
            files: Vec::new(),
            ignored: Vec::new(),
            not_understood: None,
        };
        match notification::parse(body, bucket) {
            Err(reason) => reading.not_understood = Some(reason),
            Ok(notification) => {
                for event in notification.events {
                    match event {
                        Event::Arrived(key) => reading.files.push(key.file_id()),
                        Event::Ignored(reason) => reading.ignored.push(reason),
                        Event::NotUnderstood(reason) => reading.not_understood = Some(reason),
                    }
                }
            }
        }
        reading
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.not_understood {
            Some(reason) => write!(f, "not understood: {reason}")?,
            None => f.write_str("looks fine now")?,
        }
        if !self.files.is_empty() {
            let files: Vec<_> = self.files.iter().map(FileId::to_string).collect();
            write!(f, "; bytes have arrived for {}", files.join(", "))?;
        }
        if let Some(reason) = self.ignored.first() {
            let events = self.ignored.len();
            write!(f, "; asks for nothing ({events} times): {reason}")?;
        }
        Ok(())
    }
}

/// A message in the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What the queue calls it, for an operator.
    pub message_id: String,
    /// When it was first sent, before it became a dead letter; `None` if the queue didn't say.
    pub sent_at: Option<Timestamp>,
    /// How often it was received, this time included, as the queue counts it.
    pub receive_count: u32,
    /// What this version of the program makes of it.
    pub reading: Reading,
}

impl DeadLetter {
    fn of(delivery: &Delivery, bucket: &str) -> Self {
        Self {
            message_id: delivery.message_id.clone(),
            sent_at: delivery.sent_at,
            receive_count: delivery.receive_count,
            reading: Reading::of(&delivery.body, bucket),
        }
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent_at = self
            .sent_at
            .map_or_else(|| "?".to_owned(), format_timestamp);
        write!(
            f,
            "{} first sent {sent_at}, received {} times: {}",
            self.message_id, self.receive_count, self.reading
        )
    }
}

/// What there was to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InspectReport {
    /// Messages that were looked at, each once.
    pub seen: usize,
    /// Those of them that this version understands in full.
    pub understood: usize,
    /// There may be more than were looked at.
    pub more: bool,
}

/// Tells `tell` of up to `limit` messages, with their bodies, and gives all of them back. `stop` ends
/// it early.
///
/// # Errors
/// If the queue can't be received from. What was seen until then has been told and given back.
pub async fn inspect(
    queue: &Arc<dyn EventQueue>,
    bucket: &str,
    limit: usize,
    stop: &CancellationToken,
    mut tell: impl FnMut(&DeadLetter, &str),
) -> Result<InspectReport, QueueError> {
    let mut report = InspectReport::default();
    let mut seen = HashSet::new();
    let mut held = Vec::new();
    let outcome = loop {
        if report.seen >= limit {
            report.more = true;
            break Ok(report);
        }
        let deliveries = match receive(&**queue, limit - report.seen, stop).await {
            Ok(deliveries) => deliveries,
            Err(error) => break Err(error),
        };
        let before = report.seen;
        for delivery in deliveries {
            let dead_letter = DeadLetter::of(&delivery, bucket);
            held.push(delivery.receipt_handle);
            // A queue may deliver a message twice.
            if seen.insert(delivery.message_id) {
                report.seen += 1;
                report.understood += usize::from(dead_letter.reading.not_understood.is_none());
                tell(&dead_letter, &delivery.body);
            }
        }
        if report.seen == before {
            break Ok(report);
        }
    };
    give_back(queue, held).await;
    outcome
}

/// Which messages a redrive moves.
#[derive(Debug, Clone, Copy)]
pub struct RedriveOptions {
    /// How many messages are looked at, at most.
    pub limit: usize,
    /// Leaves what isn't understood where it is.
    pub only_understood: bool,
}

/// What became of the messages that a redrive looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Sent to the queue, and deleted from the dead-letter queue.
    pub moved: usize,
    /// Not understood, and left for that reason.
    pub left: usize,
    /// Couldn't be sent, and stay.
    pub not_sent: usize,
    /// Were sent, and couldn't be deleted: they are in both queues.
    pub doubled: usize,
    /// The limit was reached, and there may be more.
    pub more: bool,
}

/// Moves messages from the dead-letter queue `from` to the queue `to`, a batch at a time. Ends with
/// the first batch of which a message couldn't be moved, and with `stop` after the batch in hand.
///
/// # Errors
/// If the dead-letter queue can't be received from; with it comes what was done until then.
pub async fn redrive(
    from: &Arc<dyn EventQueue>,
    to: &Arc<dyn MessageSender>,
    bucket: &str,
    options: RedriveOptions,
    stop: &CancellationToken,
) -> (RedriveReport, Option<QueueError>) {
    let mut report = RedriveReport::default();
    let mut left = HashSet::new();
    let mut held = Vec::new();
    let mut failure = None;
    loop {
        let looked_at = report.moved + report.left;
        if looked_at >= options.limit {
            report.more = true;
            break;
        }
        let deliveries = match receive(&**from, options.limit - looked_at, stop).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        let mut to_move = Vec::new();
        let mut is_new = false;
        for delivery in deliveries {
            let reading = Reading::of(&delivery.body, bucket);
            if options.only_understood && reading.not_understood.is_some() {
                is_new |= left.insert(delivery.message_id);
                held.push(delivery.receipt_handle);
            } else {
                is_new = true;
                to_move.push(delivery);
            }
        }
        report.left = left.len();
        if !is_new {
            break;
        }
        let not_sent = move_batch(&**from, to, to_move, &mut report).await;
        held.extend(not_sent);
        if report.not_sent + report.doubled > 0 {
            break;
        }
    }
    give_back(from, held).await;
    (report, failure)
}

/// Sends the messages, then deletes those that were sent. The receipts of those that weren't.
async fn move_batch(
    from: &dyn EventQueue,
    to: &Arc<dyn MessageSender>,
    deliveries: Vec<Delivery>,
    report: &mut RedriveReport,
) -> Vec<ReceiptHandle> {
    let mut sending = JoinSet::new();
    for delivery in deliveries {
        let to = Arc::clone(to);
        sending.spawn(async move {
            let sent = to.send(&delivery.body).await;
            (delivery, sent)
        });
    }
    let (mut sent, mut not_sent) = (Vec::new(), Vec::new());
    while let Some(joined) = sending.join_next().await {
        match joined {
            Ok((delivery, Ok(()))) => sent.push(delivery.receipt_handle),
            Ok((delivery, Err(error))) => {
                tracing::warn!(
                    message_id = delivery.message_id, error = %error.chain(),
                    "a message couldn't be sent and stays in the dead-letter queue"
                );
                not_sent.push(delivery.receipt_handle);
            }
            // Comes back by itself after the visibility timeout.
            Err(_) => report.not_sent += 1,
        }
    }
    report.not_sent += not_sent.len();
    let deleted = if sent.is_empty() {
        Ok(Vec::new())
    } else {
        from.acknowledge(&sent).await
    };
    let moved = match deleted {
        Ok(outcomes) => {
            let gone =
                |outcome: &&AcknowledgeOutcome| **outcome == AcknowledgeOutcome::Acknowledged;
            outcomes.iter().filter(gone).count()
        }
        Err(error) => {
            tracing::warn!(error = %error.chain(), "messages that were sent couldn't be deleted");
            0
        }
    };
    report.moved += moved;
    report.doubled += sent.len() - moved;
    not_sent
}

/// One batch; an empty one once `stop` is cancelled.
async fn receive(
    queue: &dyn EventQueue,
    max: usize,
    stop: &CancellationToken,
) -> Result<Vec<Delivery>, QueueError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(Vec::new()),
        received = queue.receive(max.min(MAX_BATCH)) => received,
    }
}

/// Makes messages visible again at once, a batch at a time.
async fn give_back(queue: &Arc<dyn EventQueue>, receipts: Vec<ReceiptHandle>) {
    for batch in receipts.chunks(MAX_BATCH) {
        let mut giving = JoinSet::new();
        for receipt in batch {
            let (queue, receipt) = (Arc::clone(queue), receipt.clone());
            giving.spawn(async move { queue.change_visibility(&receipt, Duration::ZERO).await });
        }
        while let Some(joined) = giving.join_next().await {
            if let Ok(Err(error)) = joined {
                tracing::warn!(
                    error = %error.chain(),
                    "a message couldn't be given back and stays hidden for {VISIBILITY_TIMEOUT:?}"
                );
            }
        }
    }
}
