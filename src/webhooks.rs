//! Webhooks: what happened is told to the one URL that the operator names, as Standard Webhooks
//! (<https://www.standardwebhooks.com>) says it.
//!
//! ```text
//! change of a record ──▶ ToldStore: the change and its messages in one write ──▶ outbox ──▶ Deliverer ──▶ WEBHOOK_URL
//! ```
//!
//! Invariant: a change that is to be told is made together with its message or not at all, so no crash loses one; only an
//! outbox that is full leaves messages out, and the log says how many. A message stays until the receiver took it, or
//! didn't so many times; no clock gives it up. It may come twice and in any order, under the same ID. Nobody but the
//! operator says where to. Neither the secret nor the URL nor what is told gets into a log.
//!
//! Absent on purpose: anything where `WEBHOOK_URL` isn't set. Then nothing is written, and nothing costs anything.

mod delivery;
mod event;
mod schedule;
mod signature;
#[cfg(test)]
mod tests;
mod told_store;

use std::sync::Arc;

use tokio::sync::Notify;

pub use delivery::Deliverer;
pub use event::WebhookEvent;
pub use signature::{SIGNATURE_VERSION, sign};
pub use told_store::ToldStore;

use crate::clock::Clock;
use crate::domain::FileRecord;
use crate::metadata_store::outbox::{Message, Outbox};
use crate::store_error::StoreError;

/// How errors call the messages, where one can't be made.
const STORE: &str = "the outbox of webhooks";

/// Where what is to be told is kept, and what wakes up who tells it; a handle. By default nothing is told.
#[derive(Clone, Default)]
pub struct Webhooks(Option<Kept>);

#[derive(Clone)]
struct Kept {
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    /// Told of each message that was added here. Others look by themselves.
    added: Arc<Notify>,
}

impl Webhooks {
    /// Messages in this outbox.
    pub fn kept_in(outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>) -> Self {
        Self(Some(Kept {
            outbox,
            clock,
            added: Arc::default(),
        }))
    }

    /// Keeps that a file was handed out by a link, before whoever asked has its URL. `grant` is what that is called:
    /// told twice, it is the same message.
    ///
    /// # Errors
    /// The store's fault: then nothing may be handed out.
    pub async fn link_downloaded(
        &self,
        link: &str,
        grant: &str,
        record: &FileRecord,
    ) -> Result<(), StoreError> {
        let Some(kept) = &self.0 else {
            return Ok(());
        };
        let event = WebhookEvent::LinkDownloaded { link, grant };
        let message = kept.message(&event, record)?;
        kept.outbox.add_message(&message).await?;
        kept.added.notify_one();
        Ok(())
    }
}

impl Kept {
    fn message(
        &self,
        event: &WebhookEvent<'_>,
        record: &FileRecord,
    ) -> Result<Message, StoreError> {
        let message = event.message(record, self.clock.now());
        message.map_err(|invalid| StoreError::corrupt(STORE, invalid.0))
    }
}
