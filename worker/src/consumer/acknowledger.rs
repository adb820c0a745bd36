//! Gathers acknowledgements into batches: a request to SQS for ten costs as much as for one.
//!
//! Invariant: whoever asks for an acknowledgement learns what became of it, and holds its place
//! among the deliveries in hand until then. So what waits here is bounded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::event_queue::{AcknowledgeOutcome, EventQueue, MAX_BATCH, ReceiptHandle};

/// How long the first entry of a batch waits for others. Far below any visibility timeout, and
/// short enough that nobody notices.
const LINGER: Duration = Duration::from_millis(50);

struct Entry {
    receipt: ReceiptHandle,
    done: oneshot::Sender<bool>,
}

pub(super) struct Acknowledger {
    entries: mpsc::Sender<Entry>,
}

impl Acknowledger {
    /// Starts the task that sends the batches. It ends when this value is dropped.
    pub(super) fn start(queue: Arc<dyn EventQueue>, capacity: usize) -> Self {
        let (entries, receiver) = mpsc::channel(capacity);
        tokio::spawn(send_batches(queue, receiver));
        Self { entries }
    }

    /// Whether the delivery's message needs no more attention. If not, it will be delivered again.
    pub(super) async fn acknowledge(&self, receipt: ReceiptHandle) -> bool {
        let (done, outcome) = oneshot::channel();
        if self.entries.send(Entry { receipt, done }).await.is_err() {
            return false;
        }
        outcome.await.unwrap_or(false)
    }
}

async fn send_batches(queue: Arc<dyn EventQueue>, mut entries: mpsc::Receiver<Entry>) {
    while let Some(first) = entries.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + LINGER;
        while batch.len() < MAX_BATCH
            && let Ok(Some(entry)) = timeout_at(until, entries.recv()).await
        {
            batch.push(entry);
        }
        send(&*queue, batch).await;
    }
}

async fn send(queue: &dyn EventQueue, batch: Vec<Entry>) {
    let receipts: Vec<_> = batch.iter().map(|entry| entry.receipt.clone()).collect();
    let outcomes = match queue.acknowledge(&receipts).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::warn!(
                entries = batch.len(),
                error = %error.chain(),
                "acknowledging failed; the messages come again"
            );
            Vec::new()
        }
    };
    let mut outcomes = outcomes.into_iter();
    for entry in batch {
        let settled = match outcomes.next() {
            Some(AcknowledgeOutcome::Acknowledged | AcknowledgeOutcome::Stale) => true,
            Some(AcknowledgeOutcome::Failed { code }) => {
                tracing::warn!(
                    code,
                    "an acknowledgement was refused; the message comes again"
                );
                false
            }
            None => false,
        };
        // Nobody waits if the delivery was abandoned meanwhile.
        let _ = entry.done.send(settled);
    }
}
