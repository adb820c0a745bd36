//! The two stores as a process sees them: with faults, and gone when the process is.
//!
//! Invariant: what the store in memory really did is witnessed inside the call, before an answer can
//! get lost.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use file_share::domain::{
    FileId, FileRecord, FileState, KeyedRequest, ObjectKey, Status, Timestamp, Transition,
    VersionId,
};
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::metadata_store::{
    DueRecord, KeyedInsert, MetadataStore, Page, PageRequest, StoreError, TransitionOutcome,
};
use file_share::object_store::memory::MemoryObjectStore;
use file_share::object_store::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined,
};
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::chaos::Chaos;
use super::file_histories::FileHistories;

/// What all processes share.
#[derive(Clone)]
pub struct Shared {
    pub chaos: Arc<Chaos>,
    pub histories: Arc<FileHistories>,
    pub metadata: Arc<MemoryMetadataStore>,
    pub objects: Arc<MemoryObjectStore>,
    pub power: Power,
}

impl Shared {
    /// Every worker dies at once, and what wasn't durable is gone.
    pub fn cut_power(&self) {
        self.objects.lose_power();
        self.power.cut();
    }
}

/// Tells the processes that the power was cut. Clone by clone the same.
#[derive(Clone, Default)]
pub struct Power {
    running: Arc<Mutex<Vec<Alive>>>,
    cut: Arc<Notify>,
}

impl Power {
    /// A process that dies with it.
    pub fn start(&self) -> Alive {
        let alive = Alive::new();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|other| other.0.load(SeqCst));
        running.push(alive.clone());
        alive
    }

    fn cut(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().for_each(Alive::end);
        self.cut.notify_waiters();
    }

    pub async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

/// Whether a process still runs. A call of a dead one never gets anywhere.
#[derive(Clone)]
pub struct Alive(Arc<AtomicBool>);

impl Alive {
    pub fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub fn end(&self) {
        self.0.store(false, SeqCst);
    }

    pub async fn check(&self) {
        if !self.0.load(SeqCst) {
            std::future::pending().await
        }
    }
}

pub struct FaultyStores {
    pub shared: Shared,
    pub alive: Alive,
}

impl FaultyStores {
    async fn metadata<T>(
        &self,
        what: &str,
        id: FileId,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let what = format!("{what} {}", self.shared.histories.name(id));
        self.call(what, "the metadata store", call).await
    }

    async fn call<T>(
        &self,
        what: String,
        store: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let failed = |cause| StoreError::unavailable(store, cause);
        let call = async {
            self.alive.check().await;
            call.await
        };
        self.shared.chaos.call(what, failed, call).await
    }

    async fn state(&self, id: FileId) -> Option<FileState> {
        let record = self.shared.metadata.get(id).await.ok().flatten();
        record.map(|record| record.state)
    }
}

#[async_trait]
impl MetadataStore for FaultyStores {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        let id = record.id;
        self.shared.histories.update(id, |history| {
            history.declared_sha256 = record.declared.sha256;
        });
        let insert = self.shared.metadata.insert(record);
        self.metadata("insert", id, insert).await
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        let id = record.id;
        self.shared.histories.update(id, |history| {
            history.declared_sha256 = record.declared.sha256;
        });
        let insert = self.shared.metadata.insert_keyed(record, request, now);
        self.metadata("insert with a key", id, insert).await
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        self.metadata("get", id, self.shared.metadata.get(id)).await
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        let page = self.shared.metadata.page(request);
        self.call("page".into(), "the metadata store", page).await
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let renew = self.shared.metadata.renew_upload(id, upload_expires_at);
        self.metadata("renew", id, renew).await
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        let what = format!("make it {}", transition.to.status().as_str());
        let applying = async {
            let outcome = self.shared.metadata.transition(id, transition).await?;
            if outcome == TransitionOutcome::Applied {
                self.shared.histories.record_settlement(id, transition);
            }
            Ok(outcome)
        };
        self.metadata(&what, id, applying).await
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let delete = self.shared.metadata.delete(id, now, purge_at, upload_grace);
        self.metadata("delete", id, delete).await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        let due = self.shared.metadata.due_records(until, after, limit);
        self.call("due".into(), "the metadata store", due).await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let postpone = &self.shared.metadata;
        let postpone = postpone.postpone_reconcile(id, reconcile_at, upload_grace);
        self.metadata("postpone", id, postpone).await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let schedule = self
            .shared
            .metadata
            .schedule_reconcile(id, status, reconcile_at, purge_at);
        self.metadata("schedule", id, schedule).await
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        let remove = self.shared.metadata.remove(id, status);
        self.metadata("remove", id, remove).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.shared.metadata.check().await
    }
}

const OBJECTS: &str = "the object store";

#[async_trait]
impl ObjectStore for FaultyStores {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        let what = format!("head {}", self.shared.histories.name(key.file_id()));
        self.call(what, OBJECTS, self.shared.objects.head(key))
            .await
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        let what = format!("read {}", self.shared.histories.name(key.file_id()));
        let read = self.shared.objects.read(key, version_id);
        let reader = self.call(what, OBJECTS, read).await?;
        let breaks_off = !self.shared.chaos.is_healed() && self.shared.chaos.chance(3);
        Ok(reader.map(|reader| match breaks_off {
            true => broken_off(reader),
            false => reader,
        }))
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        let asked = self.shared.objects.keeps_what_it_has();
        self.call("versions?".into(), OBJECTS, asked).await
    }

    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        let name = self.shared.histories.name(key.file_id());
        let what = format!("delete other versions of {name}");
        let delete = self.shared.objects.delete_other_versions(key, version_id);
        self.call(what, OBJECTS, delete).await
    }

    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        let what = format!("make durable {}", self.shared.histories.name(key.file_id()));
        self.call(what, OBJECTS, self.shared.objects.make_durable(key))
            .await
    }

    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        let what = format!("quarantine {}", self.shared.histories.name(key.file_id()));
        self.call(what, OBJECTS, self.shared.objects.quarantine(key))
            .await
    }

    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError> {
        let end = self.shared.objects.end_quarantine(before);
        self.call("end the quarantine".into(), OBJECTS, end).await
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        let id = key.file_id();
        let what = format!("delete bytes of {}", self.shared.histories.name(id));
        let delete = async {
            let state = self.state(id).await;
            self.shared
                .histories
                .record_deletion_of_bytes(id, state.as_ref());
            self.shared.objects.delete_all_versions(key).await
        };
        self.call(what, OBJECTS, delete).await
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let list = self.shared.objects.list(after, limit);
        self.call("list".into(), OBJECTS, list).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.shared.objects.check().await
    }
}

/// The same body with an error where its end was.
fn broken_off(reader: ObjectReader) -> ObjectReader {
    let error = StoreError::unavailable(OBJECTS, "simulated: broken off");
    let end = stream::once(async { Err::<Bytes, _>(error) });
    ObjectReader {
        body: Box::pin(reader.body.chain(end)),
        ..reader
    }
}
