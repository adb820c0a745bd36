//! Where a bucket keeps no versions: what a download URL brings that was handed out before a deletion.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::super::measure::hash;
use super::*;
use crate::object_store::ObjectStore;
use crate::object_store::intercepted::{Call, Intercepted, Interceptor};

/// What the old download URL brings: whatever has the key, since it names no version.
async fn what_an_old_url_brings(fixture: &OperationsFixture, id: FileId) -> Option<u64> {
    let head = fixture.objects.head(ObjectKey::new(id)).await.unwrap();
    head.found().map(|head| head.content_length)
}

/// What a client does with its PUT URL, which signs that there is nothing yet.
async fn put_again(fixture: &OperationsFixture, id: FileId) {
    if what_an_old_url_brings(fixture, id).await.is_none() {
        fixture.put(id, "other");
    }
}

async fn deleted(fixture: &OperationsFixture, after: Duration) -> FileId {
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture.download(id).await.unwrap();
    fixture.clock.advance(after);
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    id
}

#[tokio::test]
async fn the_key_of_a_deleted_file_stays_taken_until_no_url_can_bring_other_bytes() {
    let mut fixture = OperationsFixture::with_versions(false);
    let id = deleted(&fixture, Duration::from_secs(1)).await;
    assert_eq!(fixture.status(id).await, None, "it is gone for everybody");
    for _ in 0..30 {
        put_again(&fixture, id).await;
        // A doubled notification, a completion, a reconciliation, another deletion.
        assert_eq!(
            fixture.finalize(id).await,
            FinalizeOutcome::LateArrivalDeleted
        );
        let completed = complete_upload(&fixture.stores, &fixture.context, id).await;
        assert!(matches!(completed, Err(OperationError::FileNotFound)));
        let again = delete_file(&fixture.stores, &fixture.context, id).await;
        assert!(matches!(again, Err(OperationError::FileNotFound)));
        fixture.reconcile().await;
        let brings = what_an_old_url_brings(&fixture, id).await;
        assert_eq!(brings, Some(HELLO.len() as u64));
        fixture.clock.advance(Duration::from_secs(59));
    }
    fixture.clock.advance(Duration::from_secs(30));
    fixture.reconcile().await;
    assert_eq!((fixture.objects.count(), fixture.metadata.count()), (0, 0));
}

#[tokio::test]
async fn the_bytes_go_at_once_where_no_url_works_any_more_or_versions_tell_them_apart() {
    for (versioned, after) in [(false, UPLOAD_TTL + GRACE), (true, Duration::ZERO)] {
        let fixture = OperationsFixture::with_versions(versioned);
        let id = deleted(&fixture, after).await;
        assert_eq!(what_an_old_url_brings(&fixture, id).await, None);
    }
}

#[tokio::test]
async fn a_file_that_is_settled_while_it_is_deleted_keeps_its_key_taken_too() {
    let fixture = OperationsFixture::with_versions(false);
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    // It was pending when it was read, and is available when the tombstone is written.
    let pending = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    fixture.finalize(id).await;
    let (now, grace) = (fixture.clock.now(), fixture.stores.lifecycle.upload_grace);
    let purge_at = fixture.stores.lifecycle.purge_at(&pending, now);
    let deleted = fixture.metadata.delete(id, now, purge_at, grace, now).await;
    assert!(deleted.unwrap());
    fixture.finalize(id).await;
    let brings = what_an_old_url_brings(&fixture, id).await;
    assert_eq!(brings, Some(HELLO.len() as u64));
}

/// At the first call of this kind, before or after it, an operator has versions kept, and a client is quick with a form.
struct VersionsBegin {
    at: fn(&Call) -> bool,
    after: bool,
    begun: AtomicBool,
    fixture: Arc<OperationsFixture>,
    id: FileId,
}

impl VersionsBegin {
    async fn begin(&self) {
        let fixture = &self.fixture;
        fixture.objects.enable_versions();
        // In another second than the URL before.
        fixture.clock.advance(Duration::from_secs(1));
        let (presigner, context) = (&fixture.presigner, &fixture.context);
        let form = renew_upload(
            &fixture.stores,
            presigner,
            context,
            self.id,
            UploadMethod::Post,
        );
        form.await.unwrap();
        fixture.put(self.id, "HELLO");
    }
}

impl Interceptor for Arc<VersionsBegin> {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if !(self.at)(&call) || self.begun.swap(true, SeqCst) {
            return made.await;
        }
        match self.after {
            true => {
                let answer = made.await;
                self.begin().await;
                answer
            }
            false => {
                self.begin().await;
                made.await
            }
        }
    }
}

#[tokio::test]
async fn where_versions_begin_while_a_file_is_settled_its_url_brings_what_its_record_says() {
    let durable: fn(&Call) -> bool = |call| matches!(call, Call::MakeDurable(_));
    let looked_at: fn(&Call) -> bool = |call| matches!(call, Call::Head(_));
    for (at, after) in [(durable, false), (durable, true), (looked_at, true)] {
        let fixture = Arc::new(OperationsFixture::with_versions(false));
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        let stores = Stores {
            objects: Arc::new(Intercepted {
                store: fixture.objects.clone(),
                interceptor: Arc::new(VersionsBegin {
                    at,
                    after,
                    begun: AtomicBool::new(false),
                    fixture: fixture.clone(),
                    id,
                }),
            }),
            ..fixture.stores.clone()
        };
        finalize_upload(&stores, ObjectKey::new(id)).await.unwrap();
        let record = describe_file(&fixture.stores, &fixture.context, id).await;
        let FileState::Available(object) = record.unwrap().state else {
            panic!("it is available");
        };
        let version = object.version_id.as_ref();
        let read = fixture.objects.read(ObjectKey::new(id), version).await;
        let (_, brought) = hash(read.unwrap().found().unwrap().body).await.unwrap();
        assert_eq!(brought, object.sha256, "after: {after}");
    }
}
