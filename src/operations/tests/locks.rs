//! Versions that the store locks: what is to be available, and nothing else, whatever dies in between.

use super::*;
use crate::config::Unscannable;
use crate::domain::Timestamp;
use crate::metrics::Via;
use crate::scanner::Scans;
use crate::scanner::double::{Behaviour, DoubleScanner};
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
        assert!(record.locking_version().is_some(), "{record:?}");
        // From here on it is to be kept, so that nothing is locked that somebody has deleted.
        let refused = delete_file(&fixture.stores, &fixture.context, id).await;
        assert!(
            matches!(refused, Err(OperationError::Retained(_))),
            "{refused:?}"
        );
        fixture.clock.advance(SECOND);
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

/// Other bytes than [`HELLO`], which a form may bring as well.
const OTHER: &str = "world";
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_was_measured_when_its_lock_was_put_is_what_becomes_available_whatever_a_form_brings_next()
 {
    for dies in [Dies::BeforeTheLock, Dies::AfterTheLock] {
        let mut fixture = locking();
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        let died = finalize_upload(&fixture.dying(dies), ObjectKey::new(id)).await;
        assert!(died.is_err());
        fixture.put(id, OTHER);
        fixture.clock.advance(SECOND);
        assert_eq!(fixture.reconcile().await.finalized, 1);
        let record = fixture.stored(id).await;
        let FileState::Available(object) = &record.state else {
            panic!("{record:?}");
        };
        assert_eq!(object.sha256.to_hex(), HELLO_SHA256);
        // One is locked, and the other goes at the next hint.
        assert_eq!(fixture.locked_until(id), [record.keep_until, None]);
        fixture.finalize(id).await;
        assert_eq!(fixture.locked_until(id), [record.keep_until]);
    }
}

#[tokio::test]
async fn whoever_measured_another_version_meanwhile_neither_locks_it_nor_takes_the_lock_back() {
    let fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    let seen = fixture.stored(id).await;
    let dying = fixture.dying(Dies::AfterTheLock);
    assert!(finalize_upload(&dying, ObjectKey::new(id)).await.is_err());
    let locking = fixture.stored(id).await;
    fixture.put(id, OTHER);
    // Nobody scans for this one, and it knows only what it read before.
    let scanner = DoubleScanner::default();
    scanner.behave(Behaviour::Away);
    let without_scanner = Stores {
        scans: Scans::by(Arc::new(scanner), Unscannable::Reject),
        ..fixture.stores.clone()
    };
    let finalize = async |stores: &Stores, seen: &FileRecord| {
        let finalizing = finalize_upload::finalize_record(stores, seen.clone(), Via::Notification);
        finalizing.await.unwrap().outcome
    };
    let waits = finalize(&without_scanner, &seen).await;
    assert_eq!(waits, FinalizeOutcome::AwaitsScan);
    let now = fixture.stored(id).await;
    assert_eq!(now.state, locking.state);
    // By what another program read before, which locks nothing: it is to be available as it was measured.
    let settled = finalize(&fixture.stores, &seen).await;
    assert_eq!(settled, FinalizeOutcome::Available);
    let record = fixture.stored(id).await;
    let FileState::Available(object) = &record.state else {
        panic!("{record:?}");
    };
    assert_eq!(object.version_id.as_ref(), locking.locking_version());
    assert_eq!(fixture.locked_until(id), [record.keep_until, None]);
}

#[tokio::test]
async fn a_file_whose_lock_can_not_be_put_is_tried_ever_more_rarely_and_kept_for_no_longer() {
    let mut fixture = locking();
    let id = fixture.create().await;
    fixture.clock.advance(300 * SECOND);
    fixture.put(id, HELLO);
    let until = fixture.clock.now() + KEPT;
    let refusing = fixture.dying(Dies::BeforeTheLock);
    assert!(
        finalize_upload(&refusing, ObjectKey::new(id))
            .await
            .is_err()
    );
    fixture.reconciler = Reconciler::new(refusing);
    let mut tries = 0;
    for _ in 0..1_800 {
        fixture.clock.advance(SECOND);
        tries += fixture.reconcile().await.reviewed;
    }
    assert!((10..50).contains(&tries), "{tries} tries in half an hour");
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture.clock.advance(300 * SECOND);
    assert_eq!(fixture.reconcile().await.finalized, 1);
    assert_eq!(fixture.stored(id).await.keep_until, Some(until));
    assert_eq!(fixture.locked_until(id), [Some(until)]);
}

#[tokio::test]
async fn what_is_being_locked_and_went_away_expires_as_what_never_came() {
    let mut fixture = locking();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    let died = finalize_upload(&fixture.dying(Dies::BeforeTheLock), ObjectKey::new(id)).await;
    assert!(died.is_err());
    // By whoever may bypass a lock.
    let key = ObjectKey::new(id);
    fixture.objects.delete_all_versions(key).await.unwrap();
    fixture.put(id, OTHER);
    fixture.clock.advance(SECOND);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    assert_eq!(fixture.reconcile().await.expired, 1);
    assert_eq!(fixture.status(id).await, Some(Status::Expired));
    assert_eq!(fixture.locked_until(id), [None]);
}
