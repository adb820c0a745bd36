//! The writes that take a record out of a state, each with the messages that tell of it.
//!
//! Invariant: how many records are pending changes with the row, on the thread that writes, so a group that is rolled
//! back takes both back. Whoever counts by address is told once the change is durable, and never of one that wasn't
//! made. These writes are essential: the reserved space is given up for them.
//!
//! Absent on purpose: the conditions (`statements`), and what waits for whom (`outbox`).

use std::sync::Arc;
use std::time::Duration;

use super::writer::Kind;
use super::{SqliteMetadataStore, outbox, statements};
use crate::domain::{FileId, Status, Timestamp, Transition};
use crate::metadata_store::outbox::Message;
use crate::metadata_store::{StoreError, TransitionOutcome};

impl SqliteMetadataStore {
    fn tell_left(&self, id: FileId) {
        if let Some(tell) = &self.left_pending {
            tell(id);
        }
    }

    /// Adds the messages in the same write.
    pub(super) async fn make_transition(
        &self,
        id: FileId,
        transition: &Transition,
        messages: Vec<Message>,
    ) -> Result<TransitionOutcome, StoreError> {
        let leaves_pending =
            transition.from == Status::Pending && transition.to.status() != Status::Pending;
        let (transition, pending) = (transition.clone(), Arc::clone(&self.pending));
        let rows = Arc::clone(&self.outbox);
        let told = self
            .writer
            .write(Kind::Essential, move |connection| {
                let told = outbox::told(connection, &messages, rows.rows(), || {
                    statements::transition(connection, id, &transition)
                })?;
                if told.is_made && leaves_pending {
                    pending.one_less();
                }
                Ok(told)
            })
            .await?;
        let applied = self.made(told);
        if applied && leaves_pending {
            self.tell_left(id);
        }
        Ok(TransitionOutcome::of(applied))
    }

    /// Adds the messages in the same write.
    pub(super) async fn make_tombstone(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: Vec<Message>,
    ) -> Result<bool, StoreError> {
        let (pending, rows) = (Arc::clone(&self.pending), Arc::clone(&self.outbox));
        let told = self
            .writer
            .write(Kind::Essential, move |connection| {
                let was_pending = statements::is_pending(connection, id)?;
                let told = outbox::told(connection, &messages, rows.rows(), || {
                    statements::delete(connection, id, now, purge_at, upload_grace, as_of)
                })?;
                if was_pending && told.is_made {
                    pending.one_less();
                }
                Ok(told)
            })
            .await?;
        let deleted = self.made(told);
        if deleted {
            self.tell_left(id);
        }
        Ok(deleted)
    }
}
