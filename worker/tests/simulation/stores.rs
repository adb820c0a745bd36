//! The two stores as a process sees them: with faults, and gone when the process is.
//!
//! Invariant: what the store in memory really did is witnessed inside the call, before an answer can
//! get lost.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use file_share::clock::SkewedClock;
use file_share::domain::{FileId, FileState, Lifecycle, Transition};
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::metadata_store::{
    MetadataStore, StoreError, TransitionOutcome, intercepted as metadata_calls,
};
use file_share::object_store::memory::MemoryObjectStore;
use file_share::object_store::{ObjectReader, intercepted as object_calls};
use file_share::operations::Stores;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::chaos::Chaos;
use super::file_histories::FileHistories;
use super::scanner::SimulatedScanner;

/// What all processes share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub chaos: Arc<Chaos>,
    pub histories: Arc<FileHistories>,
    pub metadata: Arc<MemoryMetadataStore>,
    pub objects: Arc<MemoryObjectStore>,
    pub power: Power,
    pub scanner: SimulatedScanner,
}

impl Shared {
    /// Every worker dies at once, and what wasn't durable is gone.
    pub(crate) fn cut_power(&self) {
        self.objects.lose_power();
        self.power.cut();
    }
}

/// Tells the processes that the power was cut. Clone by clone the same.
#[derive(Clone, Default)]
pub(crate) struct Power {
    running: Arc<Mutex<Vec<Alive>>>,
    cut: Arc<Notify>,
}

impl Power {
    /// A process that dies with it.
    pub(crate) fn start(&self) -> Alive {
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

    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

/// Whether a process still runs. A call of a dead one never gets anywhere.
#[derive(Clone)]
pub(crate) struct Alive(Arc<AtomicBool>);

impl Alive {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn end(&self) {
        self.0.store(false, SeqCst);
    }

    pub(crate) async fn check(&self) {
        if !self.0.load(SeqCst) {
            std::future::pending().await
        }
    }
}

/// What happens to a process's calls.
#[derive(Clone)]
pub(crate) struct Faults {
    pub shared: Shared,
    pub alive: Alive,
}

impl Faults {
    /// The stores as this process sees them.
    pub(crate) fn before_the_stores(self, clock: &SkewedClock, lifecycle: Lifecycle) -> Stores {
        let scans = self.shared.scanner.scans(&self.shared.chaos, &self.alive);
        Stores {
            metadata: Arc::new(metadata_calls::Intercepted {
                store: self.shared.metadata.clone(),
                interceptor: self.clone(),
            }),
            objects: Arc::new(object_calls::Intercepted {
                store: self.shared.objects.clone(),
                interceptor: self,
            }),
            clock: Arc::new(clock.clone()),
            lifecycle,
            events: file_share::file_events::FileEvents::off(),
            quotas: file_share::quotas::Quotas::off(),
            scans,
            metrics: file_share::metrics::Metrics::off(),
        }
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

    /// What a trace says of a call.
    fn described(&self, what: &str, id: Option<FileId>) -> String {
        match id {
            Some(id) => format!("{what} {}", self.shared.histories.name(id)),
            None => what.to_owned(),
        }
    }

    async fn state(&self, id: FileId) -> Option<FileState> {
        let record = self.shared.metadata.get(id).await.ok().flatten();
        record.map(|record| record.state)
    }
}

impl metadata_calls::Interceptor for Faults {
    async fn around<T: Send>(
        &self,
        call: metadata_calls::Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        use metadata_calls::Call;
        let what = match call {
            Call::Insert(record) | Call::InsertKeyed(record) => {
                self.shared.histories.update(record.id, |history| {
                    history.declared_sha256 = record.declared.sha256;
                    history.delete_after = record.delete_after;
                });
                call.name().to_owned()
            }
            Call::Transition(_, transition) => {
                format!("make it {}", transition.to.status().as_str())
            }
            _ => call.name().to_owned(),
        };
        let what = self.described(&what, call.id());
        let made = async {
            if let Call::Delete(id) = call {
                let state = self.state(id).await;
                self.shared.histories.record_deletion(id, state.as_ref());
            }
            made.await
        };
        self.call(what, "the metadata store", made).await
    }

    fn transitioned(&self, id: FileId, transition: &Transition, outcome: TransitionOutcome) {
        if outcome != TransitionOutcome::Applied || !transition.to.status().is_final() {
            return;
        }
        self.shared.histories.record_settlement(id, transition);
        if self.shared.scanner.was_passed_by(transition) {
            let promise = "it is available, and the scanner didn't call it clean";
            self.shared.histories.breaks(id, promise);
        }
    }
}

const OBJECTS: &str = "the object store";

impl object_calls::Interceptor for Faults {
    async fn around<T: Send>(
        &self,
        call: object_calls::Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let id = call.key().map(|key| key.file_id());
        let made = async {
            if let object_calls::Call::DeleteAllVersions(key) = call {
                let state = self.state(key.file_id()).await;
                let histories = &self.shared.histories;
                histories.record_deletion_of_bytes(key.file_id(), state.as_ref());
            }
            made.await
        };
        let what = self.described(call.name(), id);
        self.call(what, OBJECTS, made).await
    }

    fn reader(&self, reader: ObjectReader) -> ObjectReader {
        match !self.shared.chaos.is_healed() && self.shared.chaos.chance(3) {
            true => broken_off(reader),
            false => reader,
        }
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
