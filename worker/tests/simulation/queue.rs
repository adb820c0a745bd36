//! The queue as a process sees it: with faults, and gone when the process is. What it does with
//! messages otherwise is the queue in memory's business: hidden ones come back, doubled and late ones
//! are sent by the bucket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use file_share_worker::event_queue::in_memory::InMemoryQueue;
use file_share_worker::event_queue::{
    AcknowledgeOutcome, ChangeVisibilityOutcome, Delivery, EventQueue, QueueError, ReceiptHandle,
};

use super::chaos::Chaos;
use super::stores::Alive;

pub(crate) struct FaultyQueue {
    pub inner: Arc<InMemoryQueue>,
    pub chaos: Arc<Chaos>,
    pub alive: Alive,
}

impl FaultyQueue {
    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        let call = async {
            self.alive.check().await;
            call.await
        };
        self.chaos.call(what, QueueError::new, call).await
    }
}

#[async_trait]
impl EventQueue for FaultyQueue {
    fn visibility_timeout(&self) -> Duration {
        self.inner.visibility_timeout()
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let mut deliveries = self.call("receive", self.inner.receive(max)).await?;
        if !deliveries.is_empty() {
            let first = self.chaos.pick(0..deliveries.len() as u64);
            deliveries.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        Ok(deliveries)
    }

    async fn acknowledge(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<AcknowledgeOutcome>, QueueError> {
        let refuses_one = !self.chaos.is_healed() && self.chaos.chance(5);
        let call = async {
            let mut outcomes = Vec::new();
            for (at, receipt) in receipts.iter().enumerate() {
                if at == 0 && refuses_one {
                    let code = "Simulated".to_owned();
                    outcomes.push(AcknowledgeOutcome::Failed { code });
                } else {
                    let receipt = std::slice::from_ref(receipt);
                    outcomes.extend(self.inner.acknowledge(receipt).await?);
                }
            }
            Ok(outcomes)
        };
        self.call("acknowledge", call).await
    }

    async fn change_visibility(
        &self,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> Result<ChangeVisibilityOutcome, QueueError> {
        self.call(
            "change visibility",
            self.inner.change_visibility(receipt, delay),
        )
        .await
    }
}
