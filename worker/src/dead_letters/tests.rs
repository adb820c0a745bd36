//! Between a dead-letter queue and a queue in memory.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;

use super::*;
use crate::event_queue::ChangeVisibilityOutcome;
use crate::event_queue::in_memory::{Attributes, InMemoryQueue};

const BUCKET: &str = "file-share-bucket";
const ID: &str = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";

fn arrival(kind: &str) -> String {
    format!(
        r#"{{"Records": [{{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "{kind}",
            "s3": {{"bucket": {{"name": "{BUCKET}"}}, "object": {{"key": "uploads/{ID}"}}}}}}]}}"#
    )
}

/// A queue whose sends and acknowledgements can fail.
struct Faulty {
    inner: InMemoryQueue,
    failing_sends: AtomicUsize,
    failing_acknowledgements: AtomicUsize,
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

#[async_trait]
impl EventQueue for Faulty {
    fn visibility_timeout(&self) -> Duration {
        self.inner.visibility_timeout()
    }
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.inner.receive(max).await
    }
    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError> {
        if take_one(&self.failing_acknowledgements) {
            return Err(QueueError::new("scripted"));
        }
        self.inner.acknowledge(receipts).await
    }
    async fn change_visibility(
        &self,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError> {
        self.inner.change_visibility(receipt, delay).await
    }
}

#[async_trait]
impl MessageSender for Faulty {
    async fn send(&self, body: &str) -> Result<(), QueueError> {
        if take_one(&self.failing_sends) {
            return Err(QueueError::new("scripted"));
        }
        self.inner.send(body);
        Ok(())
    }
}

fn queue() -> Arc<Faulty> {
    Arc::new(Faulty {
        inner: InMemoryQueue::new(Attributes {
            visibility_timeout: VISIBILITY_TIMEOUT,
            max_receive_count: u32::MAX,
            wait_time: Duration::from_secs(2),
        }),
        failing_sends: AtomicUsize::new(0),
        failing_acknowledgements: AtomicUsize::new(0),
    })
}

/// 12 messages that are fine, and 13 that nobody understands.
fn dead_letters() -> Arc<Faulty> {
    let dead = queue();
    for _ in 0..12 {
        dead.inner.send(arrival("ObjectCreated:Put"));
        dead.inner.send("poison");
    }
    dead.inner.send("{}");
    dead
}

async fn redrive_all(
    from: &Arc<Faulty>,
    to: &Arc<Faulty>,
    options: RedriveOptions,
) -> RedriveReport {
    let (dead, live): (Arc<dyn EventQueue>, Arc<dyn MessageSender>) = (from.clone(), to.clone());
    let (report, error) = redrive(&dead, &live, BUCKET, options, &CancellationToken::new()).await;
    assert!(error.is_none());
    report
}

const ALL: RedriveOptions = RedriveOptions {
    limit: 1_000,
    only_understood: false,
};

#[tokio::test(start_paused = true)]
async fn every_message_is_named_with_its_reason_and_is_visible_again_afterwards() {
    let dead = dead_letters();
    dead.inner.send(arrival("ObjectRemoved:Delete"));
    let queue: Arc<dyn EventQueue> = dead.clone();
    let mut told = Vec::new();
    let report = inspect(
        &queue,
        BUCKET,
        100,
        &CancellationToken::new(),
        |dead_letter, body| {
            told.push((dead_letter.to_string(), body.to_owned()));
        },
    )
    .await
    .unwrap();
    assert_eq!((report.seen, report.understood), (26, 13));
    assert!(!report.more);
    assert_eq!(dead.inner.visible(), 26);
    let about = |part: &str| told.iter().filter(|(line, _)| line.contains(part)).count();
    assert_eq!(
        about(&format!("looks fine now; bytes have arrived for {ID}")),
        12
    );
    assert_eq!(about("not understood: it isn't JSON"), 12);
    assert_eq!(about("not understood: it is none of the envelopes"), 1);
    assert_eq!(about("looks fine now; asks for nothing"), 1);
    assert_eq!(about("poison"), 0, "a line shows the body");
    assert_eq!(about("received 1 times"), 26);
}

#[tokio::test(start_paused = true)]
async fn an_inspection_looks_at_no_more_than_it_was_asked_for() {
    let dead = dead_letters();
    let queue: Arc<dyn EventQueue> = dead.clone();
    let report = inspect(&queue, BUCKET, 13, &CancellationToken::new(), |_, _| {}).await;
    let report = report.unwrap();
    assert_eq!((report.seen, report.more), (13, true));
    assert_eq!(dead.inner.visible(), 25);
    let stop = CancellationToken::new();
    stop.cancel();
    let report = inspect(&queue, BUCKET, 13, &stop, |_, _| {}).await.unwrap();
    assert_eq!(report.seen, 0);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_moves_everything() {
    let (dead, live) = (dead_letters(), queue());
    let report = redrive_all(&dead, &live, ALL).await;
    assert_eq!((report.moved, report.left, report.doubled), (25, 0, 0));
    assert!(dead.inner.is_empty());
    assert_eq!(live.inner.visible(), 25);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_understood_is_moved_if_asked_for_and_the_rest_is_visible_again() {
    let (dead, live) = (dead_letters(), queue());
    let options = RedriveOptions {
        only_understood: true,
        ..ALL
    };
    let report = redrive_all(&dead, &live, options).await;
    assert_eq!((report.moved, report.left), (12, 13));
    assert_eq!((dead.inner.visible(), live.inner.len()), (13, 12));
}

#[tokio::test(start_paused = true)]
async fn a_redrive_is_bounded_and_says_that_there_may_be_more() {
    let (dead, live) = (dead_letters(), queue());
    let report = redrive_all(&dead, &live, RedriveOptions { limit: 11, ..ALL }).await;
    assert_eq!((report.moved, report.more), (11, true));
    assert_eq!((dead.inner.visible(), live.inner.len()), (14, 11));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_stays_and_is_visible_again() {
    let (dead, live) = (dead_letters(), queue());
    live.failing_sends.store(3, SeqCst);
    let report = redrive_all(&dead, &live, ALL).await;
    assert_eq!((report.moved, report.not_sent, report.doubled), (7, 3, 0));
    assert_eq!((dead.inner.visible(), live.inner.len()), (18, 7));
    let report = redrive_all(&dead, &live, ALL).await;
    assert_eq!((report.moved, live.inner.len()), (18, 25));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_deleted_is_doubled_and_never_lost() {
    let (dead, live) = (dead_letters(), queue());
    dead.failing_acknowledgements.store(1, SeqCst);
    let report = redrive_all(&dead, &live, ALL).await;
    assert_eq!((report.moved, report.doubled), (0, 10));
    assert_eq!((dead.inner.len(), live.inner.len()), (25, 10));
    // It comes back later, and is moved once more.
    tokio::time::sleep(VISIBILITY_TIMEOUT).await;
    let report = redrive_all(&dead, &live, ALL).await;
    assert_eq!((report.moved, live.inner.len()), (25, 35));
}

#[tokio::test(start_paused = true)]
async fn a_redrive_that_is_broken_off_after_any_send_loses_nothing() {
    for at in 0..12 {
        let (dead, live) = (dead_letters(), queue());
        let (from, to): (Arc<dyn EventQueue>, Arc<dyn MessageSender>) = (
            dead.clone(),
            Arc::new(Hanging(live.clone(), AtomicUsize::new(at))),
        );
        let stop = CancellationToken::new();
        let moving = redrive(&from, &to, BUCKET, ALL, &stop);
        let limit = Duration::from_secs(10);
        assert!(tokio::time::timeout(limit, moving).await.is_err());
        tokio::time::sleep(VISIBILITY_TIMEOUT).await;
        let deleted = 25 - dead.inner.visible();
        assert!(
            live.inner.len() >= deleted,
            "{deleted} deleted before they were sent"
        );
        redrive_all(&dead, &live, ALL).await;
        assert!(dead.inner.is_empty() && live.inner.len() >= 25);
    }
}

/// A sender whose sends hang after some.
struct Hanging(Arc<Faulty>, AtomicUsize);

#[async_trait]
impl MessageSender for Hanging {
    async fn send(&self, body: &str) -> Result<(), QueueError> {
        if !take_one(&self.1) {
            std::future::pending::<()>().await;
        }
        MessageSender::send(&*self.0, body).await
    }
}
