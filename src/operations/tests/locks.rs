//! Versions that the store locks: what is to be available, and nothing else, whatever dies in between.

use super::*;
use crate::domain::{Stage, Timestamp};
use crate::metrics::Via;
use crate::store_error::StoreError;

const KEPT: Duration = Duration::from_secs(30 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
const FAULT: &str = "no answer";

fn locking() -> OperationsFixture {
    let mut fixture = OperationsFixture::new();
    fixture.objects.enable_locks();
    fixture.stores.lifecycle.min_keep = Some(KEPT);
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture
}

/// Ends the process before it asks for a lock, or after it was put and before it has the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dies {
    BeforeTheLock,
    AfterTheLock,
}

impl Interceptor for Dies {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if call.name() != "lock" {
            return made.await;
        }
        if *self == Self::AfterTheLock {
            made.await?;
        }
        Err(StoreError::unavailable("the object store", FAULT))
    }
}

impl OperationsFixture {
    fn dying(&self, dies: Dies) -> Stores {
        Stores {
            objects: Arc::new(Intercepted {
                store: self.objects.clone(),
                interceptor: dies,
            }),
            ..self.stores.clone()
        }
    }

    fn locked_until(&self, id: FileId) -> Vec<Option<Timestamp>> {
        self.objects.locked_until(ObjectKey::new(id))
    }

    async fn stored(&self, id: FileId) -> FileRecord {
        self.metadata.get(id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn what_is_available_and_has_to_be_kept_is_locked_until_then_and_nothing_else_is() {
    let mut fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let until = fixture.stored(id).await.keep_until;
    assert_eq!(until, Some(fixture.clock.now() + KEPT));
    assert_eq!(fixture.locked_until(id), [until]);
    // Again, it changes nothing.
    fixture.finalize(id).await;
    assert_eq!(fixture.locked_until(id), [until]);

    let bad = fixture.create().await;
    fixture.put(bad, "hello, but longer");
    assert_eq!(fixture.finalize(bad).await, FinalizeOutcome::Rejected);
    assert_eq!(fixture.locked_until(bad), []);

    fixture.stores.lifecycle.min_keep = None;
    let free = fixture.create().await;
    fixture.put(free, HELLO);
    assert_eq!(fixture.finalize(free).await, FinalizeOutcome::Available);
    assert_eq!(fixture.locked_until(free), [None]);
}

#[tokio::test]
async fn whoever_dies_around_a_lock_leaves_a_file_that_the_reconciler_makes_available() {
    for dies in [Dies::BeforeTheLock, Dies::AfterTheLock] {
        let mut fixture = locking();
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        let died = finalize_upload(&fixture.dying(dies), ObjectKey::new(id)).await;
        assert!(matches!(died, Err(OperationError::Store(_))), "{died:?}");
        let record = fixture.stored(id).await;
        assert_eq!(record.state, FileState::Pending(Stage::Locking));
        // From here on it is to be kept, so that nothing is locked that somebody has deleted.
        let refused = delete_file(&fixture.stores, &fixture.context, id).await;
        assert!(
            matches!(refused, Err(OperationError::Retained(_))),
            "{refused:?}"
        );
        assert_eq!(fixture.reconcile().await.finalized, 1);
        let record = fixture.stored(id).await;
        assert_eq!(record.status(), Status::Available);
        assert_eq!(fixture.locked_until(id), [record.keep_until]);
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_while_it_is_measured_is_not_locked() {
    let fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    let seen = fixture.stored(id).await;
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    // By what was read before: its bytes came again meanwhile.
    fixture.put(id, HELLO);
    let finalized =
        finalize_upload::finalize_record(&fixture.stores, seen, Via::Notification).await;
    let outcome = finalized.unwrap().outcome;
    assert_eq!(outcome, FinalizeOutcome::LateArrivalDeleted);
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn whoever_has_a_file_kept_for_longer_extends_its_lock_first() {
    let fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let until = fixture.stored(id).await.keep_until.unwrap();
    let later = until + DAY;
    for dies in [Dies::BeforeTheLock, Dies::AfterTheLock] {
        let stores = fixture.dying(dies);
        let failed = keep_file(&stores, &fixture.context, id, later).await;
        assert!(matches!(failed, Err(OperationError::Store(_))));
        assert_eq!(fixture.stored(id).await.keep_until, Some(until));
    }
    keep_file(&fixture.stores, &fixture.context, id, later)
        .await
        .unwrap();
    assert_eq!(fixture.stored(id).await.keep_until, Some(later));
    assert_eq!(fixture.locked_until(id), [Some(later)]);
}

#[tokio::test]
async fn bytes_that_stay_locked_go_when_that_ends_and_are_no_work_until_then() {
    let mut fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let until = fixture.stored(id).await.keep_until.unwrap();
    // Somebody extends the lock by other means, or dies before the record says so.
    let longer = until + 60 * DAY;
    let stores = fixture.dying(Dies::AfterTheLock);
    let failed = keep_file(&stores, &fixture.context, id, longer).await;
    assert!(failed.is_err());
    fixture.clock.advance(KEPT);
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(fixture.status(id).await, None);
    assert_eq!(fixture.objects.count(), 1);
    for _ in 0..10 {
        fixture.clock.advance(5 * DAY);
        let report = fixture.reconcile().await;
        assert_eq!((report.reviewed, report.failed), (0, 0));
    }
    fixture.clock.advance(10 * DAY);
    fixture.reconcile().await;
    assert_eq!(fixture.objects.count(), 0);
    assert_eq!(fixture.metadata.count(), 0);
}
