//! The operations on the stores in memory, with a clock that the test moves: what all of these tests begin with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::access::Caller;
use crate::clock::ManualClock;
use crate::domain::{Declaration, FileState, ObjectKey, Sha256Digest, Status, from_millis};
use crate::metadata_store::memory::MemoryMetadataStore;
use crate::metadata_store::{MetadataStore, PageRequest};
use crate::object_store::intercepted::{Call, Intercepted, Interceptor};
use crate::object_store::memory::MemoryObjectStore;
use crate::presigned_url::{
    BucketUrl, DownloadMethod, Presigner, SigningCredentials, UploadMethod,
};

mod clocks;
mod completion;
mod delete_after;
mod disturbed;
mod durability;
mod events;
mod forms;
mod holds;
mod idempotency;
mod life;
mod locks;
mod metrics;
mod owners;
mod reconcile_schedule;
mod renewals;
mod rescan_limits;
mod rescanning;
mod retention;
mod rounds;
mod scanner_restarts;
mod scanning;
mod scrub;
mod sweep_orphans;
mod tagged;
mod types;
mod unversioned;
mod withdrawn;

const UPLOAD_TTL: Duration = Duration::from_secs(900);
const GRACE: Duration = Duration::from_secs(900);
const RETENTION: Duration = Duration::from_secs(30 * 86_400);

/// `hello`, and its digest.
const HELLO: &str = "hello";
const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

struct OperationsFixture {
    stores: Stores,
    presigner: Presigner,
    context: Context,
    clock: ManualClock,
    objects: Arc<MemoryObjectStore>,
    metadata: Arc<MemoryMetadataStore>,
    reconciler: Reconciler,
}

/// Which calls of the object store were made.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<&'static str>>>);

impl Interceptor for Seen {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.0.lock().unwrap().push(call.name());
        made.await
    }
}

impl Seen {
    fn calls(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

impl OperationsFixture {
    /// From now on all calls of the object store are seen; the reconciler's aren't.
    fn seen(&mut self) -> Seen {
        let seen = Seen::default();
        self.stores.objects = Arc::new(Intercepted {
            store: self.objects.clone(),
            interceptor: seen.clone(),
        });
        seen
    }

    fn new() -> Self {
        Self::with_versions(true)
    }

    fn with_versions(versioned: bool) -> Self {
        let clock = ManualClock::at(from_millis(1_790_000_000_000).unwrap());
        let objects = Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), versioned));
        let metadata = Arc::new(MemoryMetadataStore::default());
        let stores = Stores {
            metadata: metadata.clone(),
            objects: objects.clone(),
            clock: Arc::new(clock.clone()),
            lifecycle: Lifecycle {
                upload_grace: GRACE,
                reconcile_after: Duration::from_secs(60),
                retention: RETENTION,
                empty_retention: Duration::from_secs(86_400),
                max_keep: None,
                min_keep: None,
            },
            events: crate::file_events::FileEvents::off(),
            quotas: crate::quotas::Quotas::off(),
            scans: crate::scanner::Scans::off(),
            metrics: crate::metrics::Metrics::off(),
        };
        Self {
            reconciler: Reconciler::new(stores.clone()),
            stores,
            presigner: Presigner::new(
                SigningCredentials::fixed("local", "secret"),
                "local".into(),
                UPLOAD_TTL,
                Duration::from_secs(300),
            ),
            context: Context::new(
                Caller::Operator,
                None,
                BucketUrl::path_style("http://localhost:8000", "bucket"),
                String::new(),
            ),
            clock,
            objects,
            metadata,
        }
    }

    async fn create_declaring(&self, size: u64, sha256: Option<&str>) -> FileId {
        let sha256 = sha256.map(|hex| Sha256Digest::parse_hex(hex).unwrap());
        let declared = Declaration::sample().of_length(size).of_digest(sha256);
        let new = NewFile::sample(declared);
        let created = create_file(&self.stores, &self.presigner, &self.context, new, None)
            .await
            .unwrap();
        created.record.id
    }

    async fn create(&self) -> FileId {
        self.create_declaring(5, None).await
    }

    /// What a client does with the URL, and what the store does then.
    fn put(&self, id: FileId, bytes: &'static str) {
        self.objects.put(ObjectKey::new(id), bytes, None);
    }

    async fn finalize(&self, id: FileId) -> FinalizeOutcome {
        finalize_upload(&self.stores, ObjectKey::new(id))
            .await
            .unwrap()
    }

    async fn status(&self, id: FileId) -> Option<Status> {
        match describe_file(&self.stores, &self.context, id).await {
            Ok(record) => Some(record.status()),
            Err(OperationError::FileNotFound) => None,
            Err(error) => panic!("describing failed: {error}"),
        }
    }

    async fn download(&self, id: FileId) -> Result<String, OperationError> {
        download_file(
            &self.stores,
            &self.presigner,
            &self.context,
            id,
            DownloadMethod::Get,
        )
        .await
        .map(|url| url.expose().to_owned())
    }

    fn reconciler_of(&self, stores: &Stores) -> Reconciler {
        Reconciler::new(stores.clone())
    }

    async fn reconcile(&mut self) -> ReconcileReport {
        let now = self.clock.now();
        self.reconciler.run_once(now).await.unwrap()
    }
}
