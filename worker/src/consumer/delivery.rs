//! One delivery, from receipt to end.
//!
//! Invariant: every path leads to exactly one [`DeliveryEnd`], and only the one where all the message's
//! events are settled acknowledges.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use file_share::metrics::DeliveryEnd;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::acknowledger::Acknowledger;
use super::{Finalize, Shutdown, backoff};
use crate::event_queue::{ChangeVisibilityOutcome, Delivery, EventQueue};
use crate::notification::{self, Event, IgnoredReason};

/// The longest that the events of one message are worked on. A file of 20 MiB takes about a second;
/// what takes this long hangs, and is tried again later.
pub(super) const WORK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Back-off of a message whose store was unavailable: doubles with every receive. With a max receive
/// count of 8 a message outlasts an outage of 10 minutes at least before it becomes a dead letter.
pub(super) const FIRST_DEFERRAL: Duration = Duration::from_secs(10);
pub(super) const LAST_DEFERRAL: Duration = Duration::from_secs(15 * 60);

enum Disposition {
    Acknowledge,
    Defer,
    Leave,
    GiveBack,
}

/// Who tells the queue that a delivery is done.
pub(super) enum Acknowledged {
    ByUs(Acknowledger),
    /// Whoever received it, and hides it for as long as it may take.
    ByReceiver,
}

pub(super) struct DeliveryHandler {
    pub(super) queue: Arc<dyn EventQueue>,
    pub(super) acknowledged: Acknowledged,
    pub(super) finalizer: Arc<dyn Finalize>,
    pub(super) bucket: String,
    pub(super) in_flight: Semaphore,
}

impl DeliveryHandler {
    pub(super) async fn handle(&self, delivery: Delivery, shutdown: &Shutdown) -> DeliveryEnd {
        let disposition = tokio::select! {
            biased;
            () = shutdown.abandon.cancelled() => Disposition::GiveBack,
            disposition = self.work(&delivery, shutdown) => disposition,
            never = self.keep_hidden(&delivery) => match never {},
        };
        match disposition {
            Disposition::Acknowledge => match &self.acknowledged {
                Acknowledged::ByReceiver => DeliveryEnd::Acknowledged,
                Acknowledged::ByUs(acknowledger) => {
                    match acknowledger.acknowledge(delivery.receipt_handle).await {
                        true => DeliveryEnd::Acknowledged,
                        false => DeliveryEnd::Unacknowledged,
                    }
                }
            },
            Disposition::Defer => {
                let delay = backoff(FIRST_DEFERRAL, LAST_DEFERRAL, delivery.receive_count);
                self.change_visibility(&delivery, delay).await;
                DeliveryEnd::Deferred
            }
            Disposition::Leave => {
                // A receiver hides for as long as its own work may take, and this is no reason to wait so long.
                if let Acknowledged::ByReceiver = self.acknowledged {
                    let delay = self.queue.visibility_timeout();
                    self.change_visibility(&delivery, delay).await;
                }
                DeliveryEnd::LeftForDeadLetter
            }
            Disposition::GiveBack => {
                self.change_visibility(&delivery, Duration::ZERO).await;
                DeliveryEnd::GivenBack
            }
        }
    }

    async fn work(&self, delivery: &Delivery, shutdown: &Shutdown) -> Disposition {
        let _turn = tokio::select! {
            biased;
            () = shutdown.stop.cancelled() => return Disposition::GiveBack,
            turn = self.in_flight.acquire() => turn,
        };
        let notification = match notification::parse(&delivery.body, &self.bucket) {
            Ok(notification) => notification,
            Err(reason) => {
                log_not_understood(delivery, reason);
                return Disposition::Leave;
            }
        };
        let settle = self.settle(delivery, &notification.events);
        match timeout(WORK_LIMIT, settle).await {
            Ok(disposition) => disposition,
            Err(_) => {
                tracing::warn!(
                    message_id = delivery.message_id,
                    "finalizing took too long and is tried again"
                );
                Disposition::Defer
            }
        }
    }

    /// Goes through all events, also behind one that failed: what can be settled now is.
    async fn settle(&self, delivery: &Delivery, events: &[Event]) -> Disposition {
        let mut disposition = Disposition::Acknowledge;
        for event in events {
            match event {
                Event::Arrived(key) => match self.finalizer.finalize(*key).await {
                    Ok(outcome) => tracing::debug!(
                        message_id = delivery.message_id, file_id = %key.file_id(), ?outcome,
                        "notification handled"
                    ),
                    Err(error) => {
                        tracing::warn!(
                            message_id = delivery.message_id, file_id = %key.file_id(),
                            receive_count = delivery.receive_count, error = %error.chain(),
                            "finalizing failed and is tried again"
                        );
                        disposition = Disposition::Defer;
                    }
                },
                Event::Ignored(IgnoredReason::TestEvent) => tracing::info!(
                    message_id = delivery.message_id,
                    "test event received: the bucket's notifications reach this queue"
                ),
                Event::Ignored(reason) => tracing::debug!(
                    message_id = delivery.message_id, %reason, "event ignored"
                ),
                Event::NotUnderstood(reason) => {
                    log_not_understood(delivery, *reason);
                    if !matches!(disposition, Disposition::Defer) {
                        disposition = Disposition::Leave;
                    }
                }
            }
        }
        disposition
    }

    /// Renews the visibility timeout whenever half of it is over, for as long as it is awaited.
    async fn keep_hidden(&self, delivery: &Delivery) -> Infallible {
        if let Acknowledged::ByReceiver = self.acknowledged {
            return std::future::pending().await;
        }
        let visibility_timeout = self.queue.visibility_timeout();
        let mut pause = visibility_timeout / 2;
        loop {
            sleep(pause).await;
            let renewed = self
                .queue
                .change_visibility(&delivery.receipt_handle, visibility_timeout);
            // An answer that doesn't come must not use up the time for another attempt.
            pause = match timeout(visibility_timeout / 16, renewed).await {
                Ok(Ok(ChangeVisibilityOutcome::Changed)) => visibility_timeout / 2,
                // Somebody else may have it by now, which is harmless. Nothing is left to renew.
                Ok(Ok(ChangeVisibilityOutcome::Stale)) => {
                    tracing::warn!(
                        message_id = delivery.message_id,
                        "the message came back while it was worked on; whoever has it finds the work done"
                    );
                    std::future::pending().await
                }
                // With the time-out of this one there is time for three more attempts before the
                // message comes back.
                Ok(Err(_)) | Err(_) => visibility_timeout / 16,
            };
        }
    }

    async fn change_visibility(&self, delivery: &Delivery, delay: Duration) {
        if let Err(error) = self
            .queue
            .change_visibility(&delivery.receipt_handle, delay)
            .await
        {
            tracing::warn!(
                message_id = delivery.message_id, error = %error.chain(),
                "deferring failed; the message comes again after its visibility timeout"
            );
        }
    }
}

/// Once a message, not once a delivery; and never its content, which is anybody's.
fn log_not_understood(delivery: &Delivery, reason: notification::NotUnderstood) {
    if delivery.receive_count <= 1 {
        tracing::error!(
            message_id = delivery.message_id, %reason,
            "message not understood; it is left for the dead-letter queue"
        );
    }
}
