//! The life of a file, step by step, with a clock that the test moves.

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

#[tokio::test]
async fn a_file_becomes_available_with_the_length_and_digest_of_its_bytes() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::NotArrived);
    fixture.clock.advance(Duration::from_secs(7));
    fixture.put(id, HELLO);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let record = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    let FileState::Available(object) = &record.state else {
        panic!("not available: {record:?}");
    };
    assert_eq!(object.sha256.to_hex(), HELLO_SHA256);
    assert_eq!(
        object.uploaded_at,
        record.created_at() + Duration::from_secs(7)
    );
    assert!(object.version_id.is_some());
    assert!(fixture.download(id).await.unwrap().contains("versionId="));
}

#[tokio::test]
async fn without_versions_a_download_names_none() {
    let fixture = OperationsFixture::with_versions(false);
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    assert!(!fixture.download(id).await.unwrap().contains("versionId="));
}

#[tokio::test]
async fn a_second_notification_and_a_second_version_change_nothing() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let before = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    fixture.put(id, "HELLO");
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AlreadySettled);
    assert_eq!(
        describe_file(&fixture.stores, &fixture.context, id)
            .await
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn other_bytes_than_declared_are_rejected_and_deleted() {
    let wrong = "0000000000000000000000000000000000000000000000000000000000000000";
    for (size, sha256, bytes) in [(4, None, HELLO), (5, Some(wrong), HELLO), (0, None, HELLO)] {
        let fixture = OperationsFixture::new();
        let id = fixture.create_declaring(size, sha256).await;
        fixture.put(id, bytes);
        assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
        assert_eq!(fixture.status(id).await, Some(Status::Rejected));
        assert_eq!(fixture.objects.count(), 0);
        assert!(matches!(
            fixture.download(id).await,
            Err(OperationError::FileRejected(_))
        ));
    }
}

#[tokio::test]
async fn a_digest_that_the_store_verified_is_taken_instead_of_reading() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    // A digest that the bytes don't have: only one who didn't read them believes it.
    let told = Sha256Digest::from_bytes([7; 32]);
    fixture.objects.put(ObjectKey::new(id), HELLO, Some(told));
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let record = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert!(matches!(record.state, FileState::Available(object) if object.sha256 == told));
}

#[tokio::test]
async fn a_digest_of_the_store_s_does_not_make_another_length_right() {
    let fixture = OperationsFixture::new();
    let id = fixture.create_declaring(4, None).await;
    let verified = Sha256Digest::parse_hex(HELLO_SHA256).unwrap();
    fixture
        .objects
        .put(ObjectKey::new(id), HELLO, Some(verified));
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn a_lost_notification_is_made_good_by_the_reconciler() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.clock.advance(Duration::from_secs(59));
    assert_eq!(
        fixture.reconcile().await.reviewed,
        0,
        "the notification still has time"
    );
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.reconcile().await.finalized, 1);
    assert_eq!(fixture.status(id).await, Some(Status::Available));
    assert_eq!(
        fixture.reconcile().await.reviewed,
        0,
        "an available file needs no more attention"
    );
}

#[tokio::test]
async fn a_file_whose_bytes_never_come_expires_when_no_upload_can_be_under_way() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture
        .clock
        .advance(UPLOAD_TTL + GRACE - Duration::from_secs(1));
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.reconcile().await.expired, 1);
    assert_eq!(fixture.status(id).await, Some(Status::Expired));
    assert!(matches!(
        fixture.download(id).await,
        Err(OperationError::UploadExpired)
    ));
}

#[tokio::test]
async fn what_arrives_after_the_expiry_is_deleted() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    fixture.put(id, HELLO);
    assert_eq!(
        fixture.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert_eq!(fixture.objects.count(), 0);
    assert_eq!(fixture.status(id).await, Some(Status::Expired));
}

#[tokio::test]
async fn an_expired_record_is_removed_when_its_time_is_over() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    fixture.clock.advance(RETENTION);
    assert_eq!(fixture.status(id).await, None);
    fixture.reconcile().await;
    assert_eq!(fixture.metadata.count(), 0);
}

#[tokio::test]
async fn a_renewed_url_puts_the_expiry_off() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.clock.advance(UPLOAD_TTL);
    let upload = renew_upload(
        &fixture.stores,
        &fixture.presigner,
        &fixture.context,
        id,
        UploadMethod::Put,
    )
    .await
    .unwrap();
    assert_eq!(upload.expires_at, fixture.clock.now() + UPLOAD_TTL);
    fixture.clock.advance(GRACE);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
}

#[tokio::test]
async fn only_a_pending_file_gets_a_fresh_url() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let renewed = renew_upload(
        &fixture.stores,
        &fixture.presigner,
        &fixture.context,
        id,
        UploadMethod::Put,
    )
    .await;
    assert!(matches!(renewed, Err(OperationError::UploadSettled)));
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_so_are_its_bytes_in_all_versions() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture.put(id, "other");
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(fixture.status(id).await, None);
    assert_eq!(fixture.objects.count(), 0);
    assert!(matches!(
        delete_file(&fixture.stores, &fixture.context, id).await,
        Err(OperationError::FileNotFound)
    ));
    assert!(matches!(
        fixture.download(id).await,
        Err(OperationError::FileNotFound)
    ));
    let page = PageRequest {
        owner: None,
        status: None,
        before: None,
        limit: 10,
    };
    assert!(
        list_files(&fixture.stores, &fixture.context, Whose::Mine, page)
            .await
            .unwrap()
            .records
            .is_empty()
    );
}

#[tokio::test]
async fn a_url_that_outlives_its_file_brings_nothing_back() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    // The notification of a late PUT arrives.
    fixture.put(id, HELLO);
    assert_eq!(
        fixture.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert_eq!(
        (fixture.objects.count(), fixture.status(id).await),
        (0, None)
    );
    // The notification of another one is lost.
    fixture.put(id, HELLO);
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    assert_eq!(
        (fixture.objects.count(), fixture.status(id).await),
        (0, None)
    );
    assert_eq!(
        fixture.metadata.count(),
        0,
        "the tombstone goes when no URL works any more"
    );
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::UnknownFile);
}

#[tokio::test]
async fn a_delete_that_dies_half_way_is_finished_by_the_reconciler() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture.objects.set_fault(Some("a test's fault"));
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    fixture.objects.set_fault(None);
    assert_eq!(
        (fixture.objects.count(), fixture.status(id).await),
        (1, None)
    );
    fixture.reconcile().await;
    assert_eq!(
        (fixture.objects.count(), fixture.status(id).await),
        (0, None)
    );
}

#[tokio::test]
async fn a_rejection_that_dies_before_the_bytes_go_is_finished_by_the_reconciler() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create_declaring(4, None).await;
    fixture.put(id, HELLO);
    let record = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    // The process dies between the settlement and the deletion.
    let now = fixture.clock.now();
    let reason = record.declared.judge_length(5).unwrap_err();
    let rejection = crate::domain::Transition::rejected(reason, now + RETENTION, now);
    let rejecting = fixture.stores.metadata.transition(id, &rejection);
    rejecting.await.unwrap();
    assert_eq!(fixture.objects.count(), 1);
    fixture.reconcile().await;
    assert_eq!(fixture.objects.count(), 0);
    assert_eq!(fixture.status(id).await, Some(Status::Rejected));
}

#[tokio::test]
async fn a_fault_in_a_store_changes_nothing_and_passes() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.objects.set_fault(Some("a test's fault"));
    let failed = finalize_upload(&fixture.stores, ObjectKey::new(id)).await;
    assert!(matches!(failed, Err(OperationError::Store(_))));
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    assert_eq!(fixture.reconcile().await.failed, 1);
    assert_eq!(
        fixture.status(id).await,
        Some(Status::Pending),
        "not expired: nobody could look"
    );
    fixture.objects.set_fault(None);
    assert_eq!(fixture.reconcile().await.finalized, 1);
}

#[tokio::test]
async fn a_key_that_no_record_names_is_left_alone() {
    let fixture = OperationsFixture::new();
    let id = FileId::new(fixture.clock.now());
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::UnknownFile);
    assert_eq!(fixture.objects.count(), 1);
}
