//! What the worker gets from its queue, and how it ends.
//!
//! Absent on purpose: how long the queue and the dead-letter queue are. SQS publishes that itself, and to ask for it is a
//! permission that the worker has no other use for.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::upkeep::FloatGauge;
use super::{Counters, Metrics, now_in_seconds};

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// Done, and it doesn't come again.
    Acknowledged,
    /// Done, and it comes again.
    Unacknowledged,
    /// A store was unavailable.
    Deferred,
    /// Not understood: it becomes a dead letter.
    LeftForDeadLetter,
    /// The worker stops.
    GivenBack,
}

impl DeliveryEnd {
    const ALL: [Self; 5] = [
        Self::Acknowledged,
        Self::Unacknowledged,
        Self::Deferred,
        Self::LeftForDeadLetter,
        Self::GivenBack,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Deferred => "deferred",
            Self::LeftForDeadLetter => "left_for_dead_letter",
            Self::GivenBack => "given_back",
        }
    }
}

pub(super) struct QueueInstruments {
    received: Counter,
    ended: [Counter; DeliveryEnd::ALL.len()],
    failures: Counter,
    last_receive: FloatGauge,
    oldest: FloatGauge,
}

impl QueueInstruments {
    pub(super) fn registered(registry: Option<&mut Registry>, started: f64) -> Self {
        let ended = Counters::<1>::default();
        let instruments = Self {
            received: Counter::default(),
            ended: DeliveryEnd::ALL.map(|end| ended.get_or_create_owned(&[("end", end.label())])),
            failures: Counter::default(),
            last_receive: FloatGauge::default(),
            oldest: FloatGauge::default(),
        };
        // Until it received once it is as old as the program.
        instruments.last_receive.set(started);
        if let Some(registry) = registry {
            registry.register(
                "file_share_queue_received_messages",
                "Messages that the queue handed out, also again",
                instruments.received.clone(),
            );
            registry.register(
                "file_share_queue_deliveries",
                "Deliveries that ended, by how",
                ended,
            );
            registry.register(
                "file_share_queue_receive_failures",
                "Receives that the queue didn't answer",
                instruments.failures.clone(),
            );
            registry.register(
                "file_share_queue_last_receive_timestamp_seconds",
                "When the queue last answered a receive, also with nothing; at first the start of the program",
                instruments.last_receive.clone(),
            );
            registry.register(
                "file_share_queue_oldest_message_age_seconds",
                "How long ago the oldest message of the last receive was sent; 0 if there was none",
                instruments.oldest.clone(),
            );
        }
        instruments
    }
}

impl Metrics {
    /// The queue answered a receive, with so many messages, of which the oldest was sent so long ago.
    pub fn received(&self, messages: usize, oldest: Option<Duration>) {
        if let Some(instruments) = &self.0 {
            let of = &instruments.queue;
            of.received.inc_by(messages as u64);
            of.last_receive.set(now_in_seconds());
            of.oldest.set(oldest.unwrap_or_default().as_secs_f64());
        }
    }

    /// The queue didn't answer a receive.
    pub fn receive_failed(&self) {
        if let Some(instruments) = &self.0 {
            instruments.queue.failures.inc();
        }
    }

    /// A delivery ended.
    pub fn delivery_ended(&self, end: DeliveryEnd) {
        if let Some(instruments) = &self.0 {
            instruments.queue.ended[end as usize].inc();
        }
    }
}
