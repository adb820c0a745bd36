//! A metadata store of which each call can be seen, held up, refused or measured.
//!
//! Invariant: the calls and their answers are those of the store behind; an interceptor decides when and
//! whether one is made, and changes no answer.
//!
//! Absent on purpose: what to do at a call. Each user brings an [`Interceptor`] of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, StoreError,
    TransitionOutcome,
};
use crate::domain::{FileId, FileRecord, Hold, KeyedRequest, Status, Timestamp, Transition};
use crate::metrics::named_calls;

/// A call of the port, with what it is about.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// [`MetadataStore::insert`], of this record.
    Insert(&'a FileRecord),
    /// [`MetadataStore::insert_keyed`], of this record.
    InsertKeyed(&'a FileRecord),
    /// [`MetadataStore::earlier_request`].
    EarlierRequest,
    /// [`MetadataStore::get`], of this record.
    Get(FileId),
    /// [`MetadataStore::page`].
    Page,
    /// [`MetadataStore::renew_upload`], of this record.
    RenewUpload(FileId),
    /// [`MetadataStore::transition`], of this record.
    Transition(FileId, &'a Transition),
    /// [`MetadataStore::delete`], of this record.
    Delete(FileId),
    /// [`MetadataStore::hold`], of this record.
    Hold(FileId),
    /// [`MetadataStore::release`], of this record.
    Release(FileId),
    /// [`MetadataStore::keep_longer`], of this record.
    KeepLonger(FileId),
    /// [`MetadataStore::postpone_deletion`], of this record.
    PostponeDeletion(FileId),
    /// [`MetadataStore::due_records`].
    DueRecords,
    /// [`MetadataStore::postpone_reconcile`], of this record.
    PostponeReconcile(FileId),
    /// [`MetadataStore::schedule_reconcile`], of this record.
    ScheduleReconcile(FileId),
    /// [`MetadataStore::remove`], of this record.
    Remove(FileId),
    /// [`MetadataStore::check`].
    Check,
}

named_calls! { Call<'_>:
    Self::Insert(_) => "insert",
    Self::InsertKeyed(_) => "insert_keyed",
    Self::EarlierRequest => "earlier_request",
    Self::Get(_) => "get",
    Self::Page => "page",
    Self::RenewUpload(_) => "renew_upload",
    Self::Transition(..) => "transition",
    Self::Delete(_) => "delete",
    Self::Hold(_) => "hold",
    Self::Release(_) => "release",
    Self::KeepLonger(_) => "keep_longer",
    Self::PostponeDeletion(_) => "postpone_deletion",
    Self::DueRecords => "due_records",
    Self::PostponeReconcile(_) => "postpone_reconcile",
    Self::ScheduleReconcile(_) => "schedule_reconcile",
    Self::Remove(_) => "remove",
    Self::Check => "check",
}

impl Call<'_> {
    /// The record that it is about; `None` if it is about several or none.
    pub fn id(&self) -> Option<FileId> {
        match self {
            Self::Insert(record) | Self::InsertKeyed(record) => Some(record.id),
            Self::Get(id)
            | Self::RenewUpload(id)
            | Self::Transition(id, _)
            | Self::Delete(id)
            | Self::Hold(id)
            | Self::Release(id)
            | Self::KeepLonger(id)
            | Self::PostponeDeletion(id)
            | Self::PostponeReconcile(id)
            | Self::ScheduleReconcile(id)
            | Self::Remove(id) => Some(*id),
            Self::EarlierRequest | Self::Page | Self::DueRecords | Self::Check => None,
        }
    }
}

/// What happens around each call.
pub trait Interceptor: Send + Sync {
    /// Makes the call by awaiting `made`, or doesn't.
    fn around<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// A transition was answered by the store. Called before an answer can get lost in `around`.
    fn transitioned(&self, _id: FileId, _transition: &Transition, _outcome: TransitionOutcome) {}
}

/// A store behind an interceptor.
pub struct Intercepted<S: ?Sized, I> {
    /// The store that the calls go to.
    pub store: Arc<S>,
    /// Sees each of them first.
    pub interceptor: I,
}

#[async_trait]
impl<S: MetadataStore + ?Sized, I: Interceptor> MetadataStore for Intercepted<S, I> {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        let made = self.store.insert(record);
        self.interceptor.around(Call::Insert(record), made).await
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        let made = self.store.insert_keyed(record, request, now);
        let call = Call::InsertKeyed(record);
        self.interceptor.around(call, made).await
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        let made = self.store.earlier_request(request, now);
        self.interceptor.around(Call::EarlierRequest, made).await
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let made = self.store.get(id);
        self.interceptor.around(Call::Get(id), made).await
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        let made = self.store.page(request);
        self.interceptor.around(Call::Page, made).await
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let made = self.store.renew_upload(id, upload_expires_at);
        self.interceptor.around(Call::RenewUpload(id), made).await
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        let made = async {
            let outcome = self.store.transition(id, transition).await?;
            self.interceptor.transitioned(id, transition, outcome);
            Ok(outcome)
        };
        let call = Call::Transition(id, transition);
        self.interceptor.around(call, made).await
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        let made = self.store.delete(id, now, purge_at, upload_grace, as_of);
        self.interceptor.around(Call::Delete(id), made).await
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        let made = self.store.hold(id, hold);
        self.interceptor.around(Call::Hold(id), made).await
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let made = self.store.release(id, hold, due_at);
        self.interceptor.around(Call::Release(id), made).await
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let made = self.store.keep_longer(id, keep_until);
        self.interceptor.around(Call::KeepLonger(id), made).await
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let made = self.store.postpone_deletion(id, seen, reconcile_at);
        let call = Call::PostponeDeletion(id);
        self.interceptor.around(call, made).await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        let made = self.store.due_records(until, after, limit);
        self.interceptor.around(Call::DueRecords, made).await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let made = self
            .store
            .postpone_reconcile(id, reconcile_at, upload_grace);
        let call = Call::PostponeReconcile(id);
        self.interceptor.around(call, made).await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let made = self
            .store
            .schedule_reconcile(id, status, reconcile_at, purge_at);
        let call = Call::ScheduleReconcile(id);
        self.interceptor.around(call, made).await
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        let made = self.store.remove(id, status);
        self.interceptor.around(Call::Remove(id), made).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let made = self.store.check();
        self.interceptor.around(Call::Check, made).await
    }
}
