//! Stores that let others in between any two calls, and can break off at any of them.
//!
//! Invariant: what a call does in the store behind is whole or not at all; broken off is the caller.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;

use super::*;
use crate::domain::KeyedRequest;
use crate::domain::{Timestamp, Transition, VersionId};
use crate::metadata_store::{DueRecord, KeyedInsert, Page, TransitionOutcome};
use crate::object_store::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined,
};

/// What happens at the calls, counted over both stores.
pub struct Disturbance {
    calls: AtomicUsize,
    /// How many of them ask what is due.
    lists: AtomicUsize,
    /// How long each takes.
    takes: Duration,
    /// The number of the call that never answers; the store behind has done it, or not.
    breaks_off: Option<(usize, Done)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Before,
    After,
}

impl Disturbance {
    /// How many calls there were but for those that ask what is due.
    pub fn without_lists(&self) -> usize {
        self.calls.load(SeqCst) - self.lists.load(SeqCst)
    }

    /// Others get a turn, and at the call that was named everything stands still.
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let number = self.calls.fetch_add(1, SeqCst);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        for _ in 0..fastrand::u8(..4) {
            tokio::task::yield_now().await;
        }
        match self.breaks_off {
            Some((at, Done::Before)) if at == number => std::future::pending().await,
            Some((at, Done::After)) if at == number => {
                call.await;
                std::future::pending().await
            }
            _ => call.await,
        }
    }
}

/// The fixture's stores, disturbed.
pub fn disturbed(fixture: &OperationsFixture, breaks_off: Option<(usize, Done)>) -> Stores {
    with(fixture, breaks_off, Duration::ZERO).0
}

/// The fixture's stores, with a count of the calls.
pub fn counted(fixture: &OperationsFixture) -> (Stores, Arc<Disturbance>) {
    with(fixture, None, Duration::ZERO)
}

/// The fixture's stores, where each call takes as long.
pub fn slow(fixture: &OperationsFixture, takes: Duration) -> Stores {
    with(fixture, None, takes).0
}

fn with(
    fixture: &OperationsFixture,
    breaks_off: Option<(usize, Done)>,
    takes: Duration,
) -> (Stores, Arc<Disturbance>) {
    let disturbance = Arc::new(Disturbance {
        calls: AtomicUsize::new(0),
        lists: AtomicUsize::new(0),
        takes,
        breaks_off,
    });
    let stores = Stores {
        metadata: Arc::new(Disturbed(fixture.metadata.clone(), disturbance.clone())),
        objects: Arc::new(Disturbed(fixture.objects.clone(), disturbance.clone())),
        ..fixture.stores.clone()
    };
    (stores, disturbance)
}

/// Drives `work` until it is over or stands still; `false` if it stands still.
pub async fn goes_to_its_end(work: impl Future) -> bool {
    // In paused time this passes when nothing else can go on.
    let limit = Duration::from_secs(3600);
    tokio::time::timeout(limit, work).await.is_ok()
}

struct Disturbed<S>(Arc<S>, Arc<Disturbance>);

#[async_trait]
impl MetadataStore for Disturbed<MemoryMetadataStore> {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        self.1.around(self.0.insert(record)).await
    }
    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        let insert = self.0.insert_keyed(record, request, now);
        self.1.around(insert).await
    }
    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        self.1.around(self.0.get(id)).await
    }
    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.1.around(self.0.page(request)).await
    }
    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let renewal = self.0.renew_upload(id, upload_expires_at);
        self.1.around(renewal).await
    }
    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        self.1.around(self.0.transition(id, transition)).await
    }
    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        self.1
            .around(self.0.delete(id, now, purge_at, upload_grace))
            .await
    }
    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        self.1.lists.fetch_add(1, SeqCst);
        let due = self.0.due_records(until, after, limit);
        self.1.around(due).await
    }
    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let postponing = self.0.postpone_reconcile(id, reconcile_at, upload_grace);
        self.1.around(postponing).await
    }
    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let scheduling = self
            .0
            .schedule_reconcile(id, status, reconcile_at, purge_at);
        self.1.around(scheduling).await
    }
    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        self.1.around(self.0.remove(id, status)).await
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.1.around(self.0.check()).await
    }
}

#[async_trait]
impl ObjectStore for Disturbed<MemoryObjectStore> {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        self.1.around(self.0.head(key)).await
    }
    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        self.1.around(self.0.read(key, version_id)).await
    }
    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        self.1.around(self.0.keeps_what_it_has()).await
    }
    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        let deleting = self.0.delete_other_versions(key, version_id);
        self.1.around(deleting).await
    }
    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        self.1.around(self.0.delete_all_versions(key)).await
    }
    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.1.around(self.0.make_durable(key)).await
    }
    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        self.1.around(self.0.quarantine(key)).await
    }
    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.1.around(self.0.end_quarantine(before)).await
    }
    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        self.1.around(self.0.list(after, limit)).await
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.1.around(self.0.check()).await
    }
}
