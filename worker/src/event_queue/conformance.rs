//! The suite that every event queue passes.
//!
//! It waits by receiving, never by sleeping, so it runs in real time against a server and in paused
//! time against the queue in memory.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use file_share::clock::{Clock, SystemClock};
use tokio::time::Instant;

use super::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, Delivery, EventQueue, MAX_BATCH, MessageSender,
    ReceiptHandle,
};

/// An empty queue with both ends, and what the ports leave out on purpose.
///
/// The visibility timeout should be short (2 s or more, so that a slow machine doesn't see a
/// message come back too early), the max receive count 2 or more, the wait of a receive 1 s.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The end that receives.
    fn queue(&self) -> Arc<dyn EventQueue>;
    /// The end that sends to the same queue.
    fn sender(&self) -> Arc<dyn MessageSender>;
    /// How often the queue hands out a message before it becomes a dead letter.
    fn max_receive_count(&self) -> u32;
    /// The bodies of the messages in the dead-letter queue.
    async fn dead_letters(&self) -> Vec<String>;
}

/// Runs every case, each on an empty queue of its own.
pub async fn run<F: Fixture>(fresh: impl AsyncFn() -> F) {
    a_message_is_delivered_as_it_was_sent(&fresh().await).await;
    what_is_sent_twice_is_two_messages(&fresh().await).await;
    a_receive_gives_no_more_than_it_was_asked_for(&fresh().await).await;
    an_empty_queue_gives_nothing_and_no_error(&fresh().await).await;
    what_is_acknowledged_does_not_come_back(&fresh().await).await;
    what_is_not_acknowledged_comes_back_and_counts(&fresh().await).await;
    deferring_by_zero_gives_a_message_back_at_once(&fresh().await).await;
    deferring_keeps_a_message_beyond_its_visibility_timeout(&fresh().await).await;
    what_is_received_too_often_becomes_a_dead_letter(&fresh().await).await;
    a_stale_receipt_is_no_error(&fresh().await).await;
    a_batch_with_a_stale_receipt_acknowledges_the_others(&fresh().await).await;
}

async fn send(fixture: &dyn Fixture, body: &str) {
    fixture.sender().send(body).await.unwrap();
}

/// Receives until there are `count` deliveries, or `limit` is over.
async fn receive_within(queue: &dyn EventQueue, count: usize, limit: Duration) -> Vec<Delivery> {
    let deadline = Instant::now() + limit;
    let mut all = Vec::new();
    while all.len() < count && Instant::now() < deadline {
        let max = (count - all.len()).min(MAX_BATCH);
        all.extend(queue.receive(max).await.unwrap());
    }
    all
}

/// Long enough for a message to become visible again, and for a slow server to hand it out.
fn patience(queue: &dyn EventQueue) -> Duration {
    queue.visibility_timeout() + Duration::from_secs(5)
}

async fn receive_one(queue: &dyn EventQueue) -> Delivery {
    let mut deliveries = receive_within(queue, 1, patience(queue)).await;
    assert_eq!(deliveries.len(), 1, "the message didn't come");
    deliveries.remove(0)
}

async fn a_message_is_delivered_as_it_was_sent(fixture: &dyn Fixture) {
    let body = "{\"text\": \"grüße, 世界 & <xml> \\u0000 \\\" +%2B\"}\n";
    send(fixture, body).await;
    let delivery = receive_one(&*fixture.queue()).await;
    assert_eq!(delivery.body, body);
    assert_eq!(delivery.receive_count, 1);
    assert!(!delivery.message_id.is_empty());
    // The server's clock may be a little off.
    let age = SystemClock.now() - delivery.sent_at.unwrap();
    assert!(age.num_minutes().abs() < 5, "{age}");
}

async fn what_is_sent_twice_is_two_messages(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "twice").await;
    send(fixture, "twice").await;
    let deliveries = receive_within(&*queue, 2, patience(&*queue)).await;
    assert_eq!(deliveries.len(), 2);
    assert_ne!(deliveries[0].message_id, deliveries[1].message_id);
    assert!(deliveries.iter().all(|delivery| delivery.body == "twice"));
}

async fn a_receive_gives_no_more_than_it_was_asked_for(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    let sent: Vec<String> = (0..12).map(|n| format!("message {n}")).collect();
    for body in &sent {
        send(fixture, body).await;
    }
    assert!(queue.receive(3).await.unwrap().len() <= 3);
    let first = queue.receive(MAX_BATCH).await.unwrap();
    assert!(first.len() <= MAX_BATCH);
}

async fn an_empty_queue_gives_nothing_and_no_error(fixture: &dyn Fixture) {
    assert_eq!(fixture.queue().receive(MAX_BATCH).await.unwrap(), []);
    assert_eq!(fixture.queue().acknowledge(&[]).await.unwrap(), []);
}

async fn what_is_acknowledged_does_not_come_back(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "once").await;
    let delivery = receive_one(&*queue).await;
    let outcomes = queue.acknowledge(&[delivery.receipt_handle]).await.unwrap();
    assert_eq!(outcomes, [AcknowledgeOutcome::Acknowledged]);
    assert_eq!(receive_within(&*queue, 1, patience(&*queue)).await, []);
    assert!(fixture.dead_letters().await.is_empty());
}

async fn what_is_not_acknowledged_comes_back_and_counts(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "again").await;
    let first = receive_one(&*queue).await;
    let began = Instant::now();
    let second = receive_one(&*queue).await;
    // The server's clock started before ours.
    let tolerance = Duration::from_secs(1);
    assert!(began.elapsed() + tolerance >= queue.visibility_timeout());
    assert_eq!(second.body, "again");
    assert_eq!(second.message_id, first.message_id);
    assert_eq!(second.sent_at, first.sent_at);
    assert_eq!(second.receive_count, 2);
    assert_ne!(second.receipt_handle, first.receipt_handle);
}

async fn deferring_by_zero_gives_a_message_back_at_once(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "back").await;
    let first = receive_one(&*queue).await;
    let began = Instant::now();
    let outcome = queue
        .change_visibility(&first.receipt_handle, Duration::ZERO)
        .await;
    assert_eq!(outcome.unwrap(), ChangeVisibilityOutcome::Changed);
    let second = receive_one(&*queue).await;
    assert_eq!(second.receive_count, 2);
    assert!(began.elapsed() < queue.visibility_timeout());
}

async fn deferring_keeps_a_message_beyond_its_visibility_timeout(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    let delay = queue.visibility_timeout() * 2;
    send(fixture, "later").await;
    let first = receive_one(&*queue).await;
    let began = Instant::now();
    let outcome = queue.change_visibility(&first.receipt_handle, delay).await;
    assert_eq!(outcome.unwrap(), ChangeVisibilityOutcome::Changed);
    let second = receive_within(&*queue, 1, delay + patience(&*queue)).await;
    assert_eq!(second.len(), 1, "the message didn't come back");
    assert!(began.elapsed() + Duration::from_secs(1) >= delay);
}

async fn what_is_received_too_often_becomes_a_dead_letter(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "poison").await;
    for count in 1..=fixture.max_receive_count() {
        let delivery = receive_one(&*queue).await;
        assert_eq!(delivery.receive_count, count);
        queue
            .change_visibility(&delivery.receipt_handle, Duration::ZERO)
            .await
            .unwrap();
    }
    assert_eq!(receive_within(&*queue, 1, patience(&*queue)).await, []);
    assert_eq!(fixture.dead_letters().await, ["poison"]);
}

async fn a_stale_receipt_is_no_error(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    send(fixture, "gone").await;
    let delivery = receive_one(&*queue).await;
    let receipts = [delivery.receipt_handle];
    queue.acknowledge(&receipts).await.unwrap();
    let again = queue.acknowledge(&receipts).await.unwrap();
    assert!(!matches!(again[..], [AcknowledgeOutcome::Failed { .. }]));
    // Servers differ in whether they notice; none may make an error of it.
    queue
        .change_visibility(&receipts[0], Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(receive_within(&*queue, 1, patience(&*queue)).await, []);
}

async fn a_batch_with_a_stale_receipt_acknowledges_the_others(fixture: &dyn Fixture) {
    let queue = fixture.queue();
    for n in 0..3 {
        send(fixture, &format!("message {n}")).await;
    }
    let deliveries = receive_within(&*queue, 3, patience(&*queue)).await;
    let receipts: Vec<ReceiptHandle> = deliveries.into_iter().map(|d| d.receipt_handle).collect();
    queue.acknowledge(&receipts[1..2]).await.unwrap();
    let outcomes = queue.acknowledge(&receipts).await.unwrap();
    assert_eq!(outcomes.len(), 3);
    assert_eq!(outcomes[0], AcknowledgeOutcome::Acknowledged);
    assert_eq!(outcomes[2], AcknowledgeOutcome::Acknowledged);
    assert_eq!(receive_within(&*queue, 1, patience(&*queue)).await, []);
}
