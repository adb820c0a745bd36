//! A metadata store whose changes are told.
//!
//! Invariant: a transition to `available`, `rejected` or `withdrawn`, and a deletion, is one write with the messages that tell of
//! it; every other call is the store's own.
//!
//! Absent on purpose: files that expire, since nothing was there of them to tell of.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::event::WebhookEvent;
use super::{Kept, Webhooks};
use crate::domain::{
    FileId, FileRecord, FileState, Hold, KeyedRequest, Status, Timestamp, Transition,
};
use crate::metadata_store::outbox::Message;
use crate::metadata_store::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, TransitionOutcome,
};
use crate::store_error::StoreError;

/// The store behind it, and the outbox in the same place.
pub struct ToldStore {
    store: Arc<dyn MetadataStore>,
    kept: Kept,
}

impl ToldStore {
    /// The store itself where nothing is told.
    pub fn over(store: Arc<dyn MetadataStore>, webhooks: &Webhooks) -> Arc<dyn MetadataStore> {
        match &webhooks.0 {
            None => store,
            Some(kept) => Arc::new(Self {
                store,
                kept: kept.clone(),
            }),
        }
    }

    /// What is to be told of a file that has come to its end of waiting.
    fn of_settled(&self, record: &FileRecord) -> Result<Vec<Message>, StoreError> {
        let mut messages = Vec::new();
        match record.status() {
            Status::Available => {
                messages.push(self.kept.message(&WebhookEvent::FileAvailable, record)?);
                let hand_in = record.hand_in.as_ref();
                if let Some((hand_in, in_box)) = hand_in.and_then(|it| Some((it, it.in_box?))) {
                    let submitter = &hand_in.submitter;
                    let event = WebhookEvent::BoxSubmitted { in_box, submitter };
                    messages.push(self.kept.message(&event, record)?);
                }
            }
            Status::Rejected => {
                messages.push(self.kept.message(&WebhookEvent::FileRejected, record)?);
            }
            Status::Withdrawn => {
                messages.push(self.kept.message(&WebhookEvent::FileWithdrawn, record)?);
            }
            Status::Pending | Status::Expired | Status::Deleted => {}
        }
        Ok(messages)
    }
}

#[async_trait]
impl MetadataStore for ToldStore {
    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        let is_told = matches!(
            transition.to,
            FileState::Available(_) | FileState::Rejected { .. } | FileState::Withdrawn { .. }
        );
        let record = match is_told {
            true => self.store.get(id).await?,
            false => None,
        };
        let Some(record) = record else {
            return self.store.transition(id, transition).await;
        };
        // What a client declared never changes, so it is what it was read as, if the transition is made at all.
        let messages = self.of_settled(&transition.apply_to(record))?;
        let outbox = &self.kept.outbox;
        let outcome = outbox.transition_told(id, transition, &messages).await?;
        if outcome == TransitionOutcome::Applied {
            self.kept.added.notify_one();
        }
        Ok(outcome)
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        let record = self.store.get(id).await?;
        let Some(record) = record.filter(|it| it.status() != Status::Deleted) else {
            let store = &self.store;
            return store.delete(id, now, purge_at, upload_grace, as_of).await;
        };
        let messages = [self.kept.message(&WebhookEvent::FileDeleted, &record)?];
        let outbox = &self.kept.outbox;
        let deleting = outbox.delete_told(id, now, purge_at, upload_grace, as_of, &messages);
        let deleted = deleting.await?;
        if deleted {
            self.kept.added.notify_one();
        }
        Ok(deleted)
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        self.store.hold(id, hold).await
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.store.release(id, hold, due_at).await
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.store.keep_longer(id, keep_until).await
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.postpone_deletion(id, seen, reconcile_at).await
    }

    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        self.store.insert(record).await
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        self.store.insert_keyed(record, request, now).await
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        self.store.earlier_request(request, now).await
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        self.store.get(id).await
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.store.page(request).await
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.store.renew_upload(id, upload_expires_at).await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        self.store.due_records(until, after, limit).await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let store = &self.store;
        store
            .postpone_reconcile(id, reconcile_at, upload_grace)
            .await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let store = &self.store;
        store
            .schedule_reconcile(id, status, reconcile_at, purge_at)
            .await
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        self.store.remove(id, status).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }
}
