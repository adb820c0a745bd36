//! A queue in memory that redelivers as SQS does: visibility timeout, receive counts, receipts that
//! become stale, and dead letters. For tests.
//!
//! Invariant: a message is in the queue, among the dead letters, or acknowledged; nothing else makes
//! it vanish. The time is tokio's, so a test with paused time drives it. A receive whose caller gave up
//! goes on waiting, and the next message that is sent is hidden for nobody, as SQS does it.
//!
//! Absent on purpose: any way for a program to select it. It is compiled for tests only.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use file_share::clock::{Clock, SystemClock};
use file_share::domain::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, Delivery, EventQueue, MAX_BATCH, MAX_DELAY,
    MAX_RECEIVE_WAIT, MessageSender, QueueError, ReceiptHandle,
};

/// How the queue behaves; the attributes of an SQS queue.
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    /// How long a delivery hides its message, unless it is deferred.
    pub visibility_timeout: Duration,
    /// A message that has been delivered this often and wasn't acknowledged becomes a dead letter.
    pub max_receive_count: u32,
    /// How long a receive waits for the first message.
    pub wait_time: Duration,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(60),
            max_receive_count: 5,
            wait_time: MAX_RECEIVE_WAIT,
        }
    }
}

struct Message {
    id: u64,
    body: String,
    sent_at: Timestamp,
    visible_at: Instant,
    receive_count: u32,
}

#[derive(Default)]
struct Inner {
    next_id: u64,
    messages: Vec<Message>,
    dead_letters: Vec<String>,
    /// Until when receives wait that nobody awaits any more.
    abandoned: Vec<Instant>,
}

/// A receive under way. Dropped before it is over, it is abandoned.
struct Poll<'a> {
    queue: &'a InMemoryQueue,
    deadline: Instant,
    is_over: bool,
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.queue.lock().abandoned.push(self.deadline);
        }
    }
}

/// A queue and its dead letters, both empty at first.
pub struct InMemoryQueue {
    attributes: Attributes,
    inner: Mutex<Inner>,
    changed: Notify,
}

impl InMemoryQueue {
    /// An empty queue that behaves so.
    pub fn new(attributes: Attributes) -> Self {
        Self {
            attributes,
            inner: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Puts a message into the queue: visible at once, unless an abandoned receive takes it.
    pub fn send(&self, body: impl Into<String>) {
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let now = Instant::now();
        inner.abandoned.retain(|deadline| *deadline > now);
        let taken_for_nobody = inner.abandoned.pop().is_some();
        let hidden_for = match taken_for_nobody {
            true => self.attributes.visibility_timeout,
            false => Duration::ZERO,
        };
        inner.messages.push(Message {
            id,
            body: body.into(),
            sent_at: SystemClock.now(),
            visible_at: now + hidden_for,
            receive_count: u32::from(taken_for_nobody),
        });
        drop(inner);
        self.changed.notify_one();
    }

    /// How many messages are neither acknowledged nor dead.
    pub fn len(&self) -> usize {
        self.lock().messages.len()
    }

    /// Whether every message is acknowledged or dead.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages a receive could take now.
    pub fn visible(&self) -> usize {
        let now = Instant::now();
        let inner = self.lock();
        inner
            .messages
            .iter()
            .filter(|message| message.visible_at <= now)
            .count()
    }

    /// The bodies of the messages that were delivered too often.
    pub fn dead_letters(&self) -> Vec<String> {
        self.lock().dead_letters.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, max: usize) -> Vec<Delivery> {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner {
            messages,
            dead_letters,
            ..
        } = &mut *inner;
        messages.retain_mut(|message| {
            let dead = message.visible_at <= now
                && message.receive_count >= self.attributes.max_receive_count;
            if dead {
                dead_letters.push(std::mem::take(&mut message.body));
            }
            !dead
        });
        messages
            .iter_mut()
            .filter(|message| message.visible_at <= now)
            .take(max)
            .map(|message| {
                message.visible_at = now + self.attributes.visibility_timeout;
                message.receive_count += 1;
                Delivery {
                    body: message.body.clone(),
                    receipt_handle: receipt(message),
                    message_id: format!("message-{}", message.id),
                    receive_count: message.receive_count,
                    sent_at: Some(message.sent_at),
                }
            })
            .collect()
    }

    fn next_visible_at(&self) -> Option<Instant> {
        self.lock().messages.iter().map(|m| m.visible_at).min()
    }
}

/// The receipt of the newest delivery; the ones before it are stale.
fn receipt(message: &Message) -> ReceiptHandle {
    ReceiptHandle::new(format!("{}/{}", message.id, message.receive_count))
}

#[async_trait]
impl EventQueue for InMemoryQueue {
    fn visibility_timeout(&self) -> Duration {
        self.attributes.visibility_timeout
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        if !(1..=MAX_BATCH).contains(&max) {
            return Err(QueueError::new("a receive takes 1 to 10 messages"));
        }
        let deadline = Instant::now() + self.attributes.wait_time;
        let mut poll = Poll {
            queue: self,
            deadline,
            is_over: false,
        };
        loop {
            let deliveries = self.take(max);
            if !deliveries.is_empty() || Instant::now() >= deadline {
                poll.is_over = true;
                return Ok(deliveries);
            }
            let wake = self
                .next_visible_at()
                .map_or(deadline, |at| at.min(deadline));
            // Either way the next round looks again.
            let _ = timeout_at(wake, self.changed.notified()).await;
        }
    }

    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError> {
        if receipts.len() > MAX_BATCH {
            return Err(QueueError::new("an acknowledgement has at most 10 entries"));
        }
        let mut inner = self.lock();
        Ok(receipts
            .iter()
            .map(|handle| {
                let before = inner.messages.len();
                inner.messages.retain(|message| receipt(message) != *handle);
                if inner.messages.len() < before {
                    AcknowledgeOutcome::Acknowledged
                } else {
                    AcknowledgeOutcome::Stale
                }
            })
            .collect())
    }

    async fn change_visibility(
        &self,
        handle: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError> {
        let now = Instant::now();
        let delay = Duration::from_secs(super::whole_seconds(delay.min(MAX_DELAY)));
        let mut inner = self.lock();
        let held = inner
            .messages
            .iter_mut()
            .find(|message| receipt(message) == *handle && message.visible_at > now);
        let Some(message) = held else {
            return Ok(ChangeVisibilityOutcome::Stale);
        };
        message.visible_at = now + delay;
        drop(inner);
        self.changed.notify_one();
        Ok(ChangeVisibilityOutcome::Changed)
    }
}

#[async_trait]
impl MessageSender for InMemoryQueue {
    async fn send(&self, body: &str) -> Result<(), QueueError> {
        InMemoryQueue::send(self, body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{self, Fixture};
    use super::*;
    use std::sync::Arc;

    struct InMemory(Arc<InMemoryQueue>);

    #[async_trait]
    impl Fixture for InMemory {
        fn queue(&self) -> Arc<dyn EventQueue> {
            self.0.clone()
        }
        fn sender(&self) -> Arc<dyn MessageSender> {
            self.0.clone()
        }
        fn max_receive_count(&self) -> u32 {
            self.0.attributes.max_receive_count
        }
        async fn dead_letters(&self) -> Vec<String> {
            self.0.dead_letters()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_in_memory_keeps_the_contract() {
        conformance::run(async || {
            InMemory(Arc::new(InMemoryQueue::new(Attributes {
                visibility_timeout: Duration::from_secs(3),
                max_receive_count: 3,
                wait_time: Duration::from_secs(1),
            })))
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_while_an_abandoned_receive_still_waits_is_hidden_for_nobody() {
        let queue = InMemoryQueue::new(Attributes::default());
        let given_up = tokio::time::timeout(Duration::from_secs(1), queue.receive(MAX_BATCH));
        assert!(given_up.await.is_err());
        queue.send("hidden");
        queue.send("visible");
        assert_eq!((queue.len(), queue.visible()), (2, 1));
        assert_eq!(queue.receive(MAX_BATCH).await.unwrap()[0].body, "visible");
        let redelivered = queue.receive(MAX_BATCH).await.unwrap();
        assert!(redelivered.is_empty());
        tokio::time::sleep(Attributes::default().visibility_timeout).await;
        assert_eq!(queue.receive(MAX_BATCH).await.unwrap()[0].receive_count, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receive_wakes_when_a_message_is_sent() {
        let queue = Arc::new(InMemoryQueue::new(Attributes::default()));
        let began = Instant::now();
        let sender = queue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            sender.send("late");
        });
        assert_eq!(queue.receive(MAX_BATCH).await.unwrap()[0].body, "late");
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}
