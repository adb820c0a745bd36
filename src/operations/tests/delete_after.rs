//! Files that are deleted at some time: not before it, whatever a process's clock says, and soon after.

use super::owners::person;
use super::*;
use crate::clock::SkewedClock;

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: i64 = 60_000;
/// While the upload URL works still.
const SOON: Duration = Duration::from_secs(60);
const LEAST: Duration = Duration::from_millis(1);

impl OperationsFixture {
    fn new_file(&self, delete_after: Option<Duration>) -> NewFile {
        NewFile {
            delete_after: delete_after.map(|after| self.clock.now() + after),
            ..NewFile::sample(Declaration::sample())
        }
    }

    async fn create_to_be_deleted(
        &self,
        delete_after: Option<Duration>,
    ) -> Result<CreatedFile, OperationError> {
        let new = self.new_file(delete_after);
        create_file(&self.stores, &self.presigner, &self.context, new, None).await
    }

    async fn create_keyed(&self, new: &NewFile, key: &str) -> Result<CreatedFile, OperationError> {
        let key = crate::domain::IdempotencyKey::parse(key).unwrap();
        let (stores, presigner) = (&self.stores, &self.presigner);
        create_file(stores, presigner, &self.context, new.clone(), Some(key)).await
    }

    async fn available_until(&self, delete_after: Duration) -> FileId {
        let created = self.create_to_be_deleted(Some(delete_after)).await;
        let id = created.unwrap().record.id;
        self.put(id, HELLO);
        assert_eq!(self.finalize(id).await, FinalizeOutcome::Available);
        id
    }

    /// What a process whose clock is ahead finds to do, of all that there is.
    async fn reconcile_all_ahead_by(&self, millis: i64) -> ReconcileReport {
        let stores = Stores {
            clock: Arc::new(SkewedClock::new(self.stores.clock.clone(), millis)),
            ..self.stores.clone()
        };
        let until = self.clock.now() + 400 * DAY;
        self.reconciler_of(&stores).run_once(until).await.unwrap()
    }
}

#[tokio::test]
async fn an_available_file_is_deleted_when_its_time_is_over_and_not_before() {
    for (versioned, kept) in [(true, DAY), (false, DAY), (true, SOON), (false, SOON)] {
        let mut fixture = OperationsFixture::with_versions(versioned);
        let id = fixture.available_until(kept).await;
        let stays = fixture.create().await;
        fixture.put(stays, HELLO);
        fixture.finalize(stays).await;
        fixture.clock.advance(kept - LEAST);
        // As at a start, which looks at what is due soon.
        assert_eq!(fixture.reconcile_all_ahead_by(0).await.deleted, 0);
        assert_eq!(fixture.status(id).await, Some(Status::Available));
        fixture.clock.advance(LEAST);
        let report = fixture.reconcile().await;
        assert_eq!((report.deleted, report.failed), (1, 0));
        assert_eq!(fixture.status(id).await, None);
        // As after any other deletion: what still comes doesn't bring it back, and in the end nothing is left.
        if kept == SOON && versioned {
            fixture.put(id, HELLO);
            let late = fixture.finalize(id).await;
            assert_eq!(late, FinalizeOutcome::LateArrivalDeleted);
            assert_eq!(fixture.status(id).await, None);
        }
        fixture.clock.advance(UPLOAD_TTL + GRACE);
        fixture.reconcile().await;
        assert_eq!((fixture.objects.count(), fixture.metadata.count()), (1, 1));
        assert_eq!(fixture.status(stays).await, Some(Status::Available));
    }
}

#[tokio::test]
async fn a_process_whose_clock_is_wrong_deletes_no_file_whose_time_is_not_over() {
    for wrong in [59_000, 2 * MINUTE, 31 * MINUTE, 3 * 24 * 60 * MINUTE] {
        let fixture = OperationsFixture::new();
        let id = fixture.available_until(DAY).await;
        fixture.clock.advance(DAY - LEAST);
        for ahead in [wrong, -wrong] {
            let report = fixture.reconcile_all_ahead_by(ahead).await;
            assert_eq!((report.deleted, report.failed), (0, 0), "{ahead} ms");
            assert_eq!(fixture.status(id).await, Some(Status::Available));
        }
        // Nor afterwards, as long as it is so wrong; one that is right does it.
        fixture.clock.advance(LEAST);
        if wrong > MINUTE {
            assert_eq!(fixture.reconcile_all_ahead_by(wrong).await.deleted, 0);
        }
        assert_eq!(fixture.reconcile_all_ahead_by(0).await.deleted, 1);
    }
}

#[tokio::test]
async fn a_file_whose_bytes_come_after_its_time_is_deleted_soon_after_they_came() {
    let mut fixture = OperationsFixture::new();
    let created = fixture.create_to_be_deleted(Some(LEAST)).await.unwrap();
    let id = created.record.id;
    fixture.clock.advance(Duration::from_secs(60));
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    assert_eq!(fixture.reconcile().await.deleted, 1);
    assert_eq!(fixture.status(id).await, None);
}

#[tokio::test]
async fn a_file_that_never_comes_expires_as_ever_although_its_time_was_over_before() {
    let mut fixture = OperationsFixture::new();
    let created = fixture.create_to_be_deleted(Some(LEAST)).await.unwrap();
    let id = created.record.id;
    fixture.clock.advance(UPLOAD_TTL + GRACE - LEAST);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    fixture.clock.advance(LEAST);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Expired));
}

#[tokio::test]
async fn what_is_set_bounds_how_long_a_file_is_kept_and_holds_where_nobody_says_it() {
    let mut fixture = OperationsFixture::new();
    fixture.stores.lifecycle.max_keep = Some(7 * DAY);
    let latest = fixture.clock.now() + 7 * DAY;
    for (asked, expected) in [(None, latest), (Some(DAY), fixture.clock.now() + DAY)] {
        let created = fixture.create_to_be_deleted(asked).await.unwrap();
        assert_eq!(created.record.delete_after, Some(expected));
    }
    for (asked, why) in [
        (8 * DAY, "no later than"),
        (Duration::ZERO, "in the future"),
    ] {
        let refused = fixture.create_to_be_deleted(Some(asked)).await;
        let Err(OperationError::DeleteAfter(invalid)) = refused else {
            panic!("{refused:?}");
        };
        assert!(invalid.0.contains(why), "{}", invalid.0);
    }
    assert_eq!(
        fixture.metadata.count(),
        2,
        "a refused create makes nothing"
    );
    // Without a setting it stays.
    fixture.stores.lifecycle.max_keep = None;
    let created = fixture.create_to_be_deleted(None).await.unwrap();
    assert_eq!(created.record.delete_after, None);
}

#[tokio::test]
async fn a_create_that_comes_again_later_is_the_same_although_all_files_have_an_end() {
    let mut fixture = OperationsFixture::new();
    fixture.stores.lifecycle.max_keep = Some(DAY);
    let key = crate::domain::IdempotencyKey::parse("k").unwrap();
    let (stores, presigner, context) = (&fixture.stores, &fixture.presigner, &fixture.context);
    let again = async |new| create_file(stores, presigner, context, new, Some(key)).await;
    let first = again(fixture.new_file(None)).await.unwrap().record;
    fixture.clock.advance(Duration::from_secs(60));
    let second = again(fixture.new_file(None)).await.unwrap().record;
    assert_eq!(second.id, first.id);
    assert_eq!(second.delete_after, first.delete_after);
    // One that asks for another end is another request.
    let other = again(fixture.new_file(Some(Duration::from_secs(60)))).await;
    assert!(matches!(other, Err(OperationError::IdempotencyKeyReused)));
}

/// The answer to the first attempt was lost, and the client tries again for as long as a key holds.
#[tokio::test]
async fn a_create_that_comes_again_when_its_own_time_is_over_gets_the_file_that_it_made() {
    let mut fixture = OperationsFixture::new();
    let new = fixture.new_file(Some(SOON));
    let first = fixture.create_keyed(&new, "k").await.unwrap();
    let id = first.record.id;
    fixture.clock.advance(SOON + LEAST);
    // While it waits for its bytes, with a fresh URL.
    let pending = fixture.create_keyed(&new, "k").await.unwrap();
    assert_eq!((pending.record.id, pending.upload.is_some()), (id, true));
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let available = fixture.create_keyed(&new, "k").await.unwrap();
    assert_eq!(
        (available.record.id, available.upload.is_some()),
        (id, false)
    );
    // Once it was deleted, as of any other that is gone.
    fixture.reconcile().await;
    let deleted = fixture.create_keyed(&new, "k").await;
    assert!(matches!(deleted, Err(OperationError::FileOfKeyDeleted)));
    // Another request with this key is none of this, and a key that nobody came with makes nothing.
    let other = NewFile {
        declared: Declaration::sample().named("other.txt"),
        ..new.clone()
    };
    let reused = fixture.create_keyed(&other, "k").await;
    assert!(matches!(reused, Err(OperationError::IdempotencyKeyReused)));
    let refused = fixture.create_keyed(&new, "another").await;
    assert!(matches!(refused, Err(OperationError::DeleteAfter(_))));
    // Nor does one of somebody else's.
    fixture.context.caller = person("bob", crate::access::Role::Member);
    let refused = fixture.create_keyed(&new, "k").await;
    assert!(matches!(refused, Err(OperationError::DeleteAfter(_))));
}
