//! What is still to be told, in memory.
//!
//! Invariant: the records are locked from the change to the message that tells of it.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryMetadataStore, Records};
use crate::domain::{FileId, FileState, StateFields, Status, Timestamp, Transition};
use crate::metadata_store::outbox::{MAX_DUE_MESSAGES, Message, MessageId, Outbox};
use crate::metadata_store::{StoreError, TransitionOutcome};

/// What became of a transition of one of these.
pub(super) fn transition(
    records: &mut Records,
    id: FileId,
    transition: &Transition,
) -> TransitionOutcome {
    let record = records.get_mut(&id).filter(|it| transition.applies_to(it));
    match record {
        Some(record) => {
            *record = transition.apply_to(record.clone());
            TransitionOutcome::Applied
        }
        None => TransitionOutcome::Unchanged,
    }
}

/// Whether one of these is a tombstone now and was none.
pub(super) fn delete(
    records: &mut Records,
    id: FileId,
    now: Timestamp,
    purge_at: Timestamp,
    upload_grace: Duration,
    as_of: Timestamp,
) -> bool {
    let living = records
        .get_mut(&id)
        .filter(|r| r.status() != Status::Deleted && !r.is_protected(as_of));
    living
        .map(|record| {
            let fields = StateFields::from(&record.state);
            let is_unversioned = fields.sha256.is_some() && fields.version_id.is_none();
            record.state = FileState::Deleted { purge_at };
            record.reconcile_at = Some(match is_unversioned {
                true => record.upload_expires_at + upload_grace,
                false => now,
            });
        })
        .is_some()
}

impl MemoryMetadataStore {
    fn messages(&self) -> MutexGuard<'_, BTreeMap<MessageId, Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, messages: &[Message]) {
        let mut there = self.messages();
        for message in messages {
            there
                .entry(message.id.clone())
                .or_insert_with(|| message.clone());
        }
    }
}

#[async_trait]
impl Outbox for MemoryMetadataStore {
    async fn transition_told(
        &self,
        id: FileId,
        change: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        let mut records = self.records()?;
        let outcome = transition(&mut records, id, change);
        if outcome == TransitionOutcome::Applied {
            self.add(messages);
        }
        Ok(outcome)
    }

    async fn delete_told(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let mut records = self.records()?;
        let deleted = delete(&mut records, id, now, purge_at, upload_grace, as_of);
        if deleted {
            self.add(messages);
        }
        Ok(deleted)
    }

    async fn add_message(&self, message: &Message) -> Result<(), StoreError> {
        let _records = self.records()?;
        self.add(std::slice::from_ref(message));
        Ok(())
    }

    async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, StoreError> {
        let _records = self.records()?;
        let messages = self.messages();
        let due = messages.values().filter(|it| it.due_at <= now);
        let mut due: Vec<Message> = due.cloned().collect();
        due.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        due.truncate(limit.clamp(1, MAX_DUE_MESSAGES));
        Ok(due)
    }

    async fn messages_after(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let _records = self.records()?;
        let messages = self.messages();
        let after = messages.values().filter(|it| it.due_at > moment);
        let mut after: Vec<Message> = after.cloned().collect();
        after.sort_by(|a, b| (b.due_at, &b.id).cmp(&(a.due_at, &a.id)));
        after.truncate(limit.clamp(1, MAX_DUE_MESSAGES));
        Ok(after)
    }

    async fn replace_message(&self, seen: &Message, message: &Message) -> Result<bool, StoreError> {
        let _records = self.records()?;
        let mut messages = self.messages();
        let there = messages.get_mut(&seen.id);
        let there = there.filter(|it| (it.due_at, it.attempts) == (seen.due_at, seen.attempts));
        Ok(there.map(|it| *it = message.clone()).is_some())
    }

    async fn remove_message(&self, id: &MessageId) -> Result<(), StoreError> {
        let _records = self.records()?;
        self.messages().remove(id);
        Ok(())
    }
}
