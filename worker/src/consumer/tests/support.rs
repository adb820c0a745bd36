//! A queue that can refuse, and a finalizer that does as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use file_share::domain::{FileId, ObjectKey, from_millis};
use file_share::metadata_store::StoreError;
use file_share::operations::{FinalizeOutcome, OperationError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::{BatchReport, Consumer, Finalize};
use crate::event_queue::in_memory::{Attributes, InMemoryQueue};
use crate::event_queue::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, Delivery, EventQueue, QueueError, ReceiptHandle,
};

pub(crate) const BUCKET: &str = "file-share-bucket";

/// The `n`th key; always the same for the same `n`.
pub(crate) fn key(n: u8) -> ObjectKey {
    let mut bytes = *FileId::new(from_millis(1_790_000_000_000).unwrap()).as_bytes();
    // What is random in an ID, apart from the bits of version and variant.
    bytes[6..].copy_from_slice(&[0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n]);
    ObjectKey::new(FileId::from_bytes(bytes).unwrap())
}

fn record(kind: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": kind,
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}},
    })
}

/// The message that says that bytes have arrived under each of `keys`.
pub(crate) fn arrivals(keys: &[ObjectKey]) -> String {
    let records: Vec<_> = keys
        .iter()
        .map(|key| record("ObjectCreated:Put", &key.to_string()))
        .collect();
    json!({ "Records": records }).to_string()
}

pub(crate) fn event(kind: &str, key: &str) -> String {
    json!({ "Records": [record(kind, key)] }).to_string()
}

/// One call of the finalizer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Fails,
    Takes(Duration),
    Hangs,
    Panics,
}

#[derive(Default)]
pub(crate) struct Script {
    calls: Mutex<HashMap<ObjectKey, VecDeque<Call>>>,
    /// How long a call takes that isn't scripted.
    pub usual: Duration,
    pub begun: Mutex<Vec<ObjectKey>>,
    pub finished: Mutex<Vec<ObjectKey>>,
    running: AtomicUsize,
    pub most_running: AtomicUsize,
}

impl Script {
    /// Says what the next calls for `key` do; the ones after them succeed.
    pub(crate) fn next(&self, key: ObjectKey, calls: impl IntoIterator<Item = Call>) {
        self.calls
            .lock()
            .unwrap()
            .entry(key)
            .or_default()
            .extend(calls);
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.lock().unwrap().len()
    }
}

#[async_trait]
impl Finalize for Script {
    async fn finalize(&self, key: ObjectKey) -> Result<FinalizeOutcome, OperationError> {
        self.begun.lock().unwrap().push(key);
        let running = self.running.fetch_add(1, SeqCst) + 1;
        self.most_running.fetch_max(running, SeqCst);
        let call = self
            .calls
            .lock()
            .unwrap()
            .get_mut(&key)
            .and_then(VecDeque::pop_front);
        match call {
            None => sleep(self.usual).await,
            Some(Call::Takes(duration)) => sleep(duration).await,
            Some(Call::Hangs) => std::future::pending().await,
            Some(Call::Panics) => panic!("scripted"),
            Some(Call::Fails) => {}
        }
        self.running.fetch_sub(1, SeqCst);
        if matches!(call, Some(Call::Fails)) {
            return Err(StoreError::unavailable("the metadata store", "scripted").into());
        }
        let mut finished = self.finished.lock().unwrap();
        let outcome = if finished.contains(&key) {
            FinalizeOutcome::AlreadySettled
        } else {
            FinalizeOutcome::Available
        };
        finished.push(key);
        Ok(outcome)
    }
}

/// A queue in front of the one in memory that refuses as scripted, and counts.
pub(crate) struct FaultyQueue {
    pub inner: InMemoryQueue,
    /// How many receives fail, from now on.
    pub failing_receives: AtomicUsize,
    /// How many entries of acknowledgements are refused, from now on.
    pub refused_entries: AtomicUsize,
    /// How many acknowledgements fail as a whole, from now on.
    pub failing_acknowledgements: AtomicUsize,
    /// How many deferrals fail, from now on.
    pub failing_deferrals: AtomicUsize,
    /// How many deferrals never answer, from now on.
    pub hanging_deferrals: AtomicUsize,
    pub deferrals: AtomicUsize,
    pub receives: AtomicUsize,
    pub batches: Mutex<Vec<usize>>,
    pub most_hidden: AtomicUsize,
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

#[async_trait]
impl EventQueue for FaultyQueue {
    fn visibility_timeout(&self) -> Duration {
        self.inner.visibility_timeout()
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.receives.fetch_add(1, SeqCst);
        if take_one(&self.failing_receives) {
            return Err(QueueError::new("scripted"));
        }
        let deliveries = self.inner.receive(max).await;
        let hidden = self.inner.len() - self.inner.visible();
        self.most_hidden.fetch_max(hidden, SeqCst);
        deliveries
    }

    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError> {
        self.batches.lock().unwrap().push(receipts.len());
        if take_one(&self.failing_acknowledgements) {
            return Err(QueueError::new("scripted"));
        }
        let mut outcomes = Vec::new();
        for receipt in receipts {
            if take_one(&self.refused_entries) {
                let code = "InternalError".to_owned();
                outcomes.push(AcknowledgeOutcome::Failed { code });
            } else {
                outcomes.extend(
                    self.inner
                        .acknowledge(std::slice::from_ref(receipt))
                        .await?,
                );
            }
        }
        Ok(outcomes)
    }

    async fn change_visibility(
        &self,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError> {
        self.deferrals.fetch_add(1, SeqCst);
        if take_one(&self.hanging_deferrals) {
            std::future::pending::<()>().await;
        }
        if take_one(&self.failing_deferrals) {
            return Err(QueueError::new("scripted"));
        }
        self.inner.change_visibility(receipt, delay).await
    }
}

/// A queue, a script, and a consumer of the one that works by the other.
pub(crate) struct Harness {
    pub queue: Arc<FaultyQueue>,
    pub script: Arc<Script>,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self::with(Attributes::default(), Duration::ZERO)
    }

    pub(crate) fn with(attributes: Attributes, usual: Duration) -> Self {
        let queue = FaultyQueue {
            inner: InMemoryQueue::new(attributes),
            failing_receives: AtomicUsize::new(0),
            refused_entries: AtomicUsize::new(0),
            failing_acknowledgements: AtomicUsize::new(0),
            failing_deferrals: AtomicUsize::new(0),
            hanging_deferrals: AtomicUsize::new(0),
            deferrals: AtomicUsize::new(0),
            receives: AtomicUsize::new(0),
            batches: Mutex::default(),
            most_hidden: AtomicUsize::new(0),
        };
        Self {
            queue: Arc::new(queue),
            script: Arc::new(Script {
                usual,
                ..Script::default()
            }),
        }
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer::new(self.queue.clone(), self.script.clone(), BUCKET)
    }

    /// The same of what somebody else receives.
    pub(crate) fn consumer_of_received(&self) -> Consumer {
        Consumer::of_received(self.queue.clone(), self.script.clone(), BUCKET)
    }

    /// Sends one message for each of the first `count` keys.
    pub(crate) fn send_arrivals(&self, count: u8) {
        for n in 0..count {
            self.queue.inner.send(arrivals(&[key(n)]));
        }
    }
}

/// Takes steps until `done`, and gives what they did in sum. At most a thousand: a step ends with a
/// poll, and the longest deferral lasts for hundreds of these.
pub(crate) async fn step_until(consumer: &Consumer, done: impl Fn() -> bool) -> BatchReport {
    let mut sum = BatchReport::default();
    for _ in 0..1_000 {
        if done() {
            return sum;
        }
        let report = consumer.run_once().await.unwrap();
        sum.received += report.received;
        sum.acknowledged += report.acknowledged;
        sum.left_for_dead_letter += report.left_for_dead_letter;
    }
    panic!("a thousand steps weren't enough: {sum:?}");
}

/// Waits for a condition, in paused time. At most `limit`.
pub(crate) async fn eventually(limit: Duration, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "didn't happen within {limit:?}");
        sleep(Duration::from_millis(10)).await;
    }
}
