//! Files that have to be kept: until their time, by whichever clock is behind, and then as all others.

use super::*;
use crate::clock::SkewedClock;
use crate::domain::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);
const KEPT: Duration = Duration::from_secs(30 * 86_400);
const LEAST: Duration = Duration::from_millis(1);
/// How long the bytes are on their way.
const UPLOAD: Duration = Duration::from_secs(300);

fn keeping() -> OperationsFixture {
    let mut fixture = OperationsFixture::new();
    fixture.stores.lifecycle.min_keep = Some(KEPT);
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture
}

impl OperationsFixture {
    async fn create_kept(&self, delete_after: Option<Duration>) -> Result<FileId, OperationError> {
        let new = NewFile {
            delete_after: delete_after.map(|after| self.clock.now() + after),
            ..NewFile::sample(Declaration::sample())
        };
        let (stores, presigner) = (&self.stores, &self.presigner);
        let created = create_file(stores, presigner, &self.context, new, None).await?;
        Ok(created.record.id)
    }

    async fn available_after_upload(&self, delete_after: Option<Duration>) -> FileId {
        let id = self.create_kept(delete_after).await.unwrap();
        self.clock.advance(UPLOAD);
        self.put(id, HELLO);
        assert_eq!(self.finalize(id).await, FinalizeOutcome::Available);
        id
    }

    async fn keep_until(&self, id: FileId) -> Option<Timestamp> {
        self.metadata.get(id).await.unwrap().unwrap().keep_until
    }

    async fn keep(&self, id: FileId, until: Timestamp) -> Result<FileRecord, OperationError> {
        keep_file(&self.stores, &self.context, id, until).await
    }

    async fn delete_with(&self, stores: &Stores, id: FileId) -> Result<FileRecord, OperationError> {
        delete_file(stores, &self.context, id).await
    }
}

#[tokio::test]
async fn a_file_is_kept_from_when_its_bytes_came_and_can_be_deleted_from_then_on() {
    let fixture = keeping();
    let began = fixture.clock.now();
    let id = fixture.create_kept(None).await.unwrap();
    assert_eq!(fixture.keep_until(id).await, Some(began + KEPT));
    let id = fixture.available_after_upload(None).await;
    let until = began + UPLOAD + KEPT;
    assert_eq!(fixture.keep_until(id).await, Some(until));
    fixture.clock.advance(KEPT - LEAST);
    let refused = fixture.delete_with(&fixture.stores, id).await;
    assert!(
        matches!(refused, Err(OperationError::Retained(at)) if at == until),
        "{refused:?}"
    );
    assert_eq!(fixture.objects.count(), 1);
    fixture.clock.advance(LEAST);
    fixture.delete_with(&fixture.stores, id).await.unwrap();
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn what_never_became_available_need_not_be_kept() {
    let fixture = keeping();
    let id = fixture.create_kept(None).await.unwrap();
    fixture.delete_with(&fixture.stores, id).await.unwrap();
    let id = fixture.create_kept(None).await.unwrap();
    fixture.put(id, "hello, but longer");
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
    assert_eq!(fixture.objects.count(), 0);
    fixture.delete_with(&fixture.stores, id).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_wrong_deletes_nothing_that_has_to_be_kept() {
    let fixture = keeping();
    let id = fixture.available_after_upload(None).await;
    fixture.clock.advance(KEPT - LEAST);
    for skew in [59_000, 3 * 86_400_000, -59_000, -3 * 86_400_000] {
        let stores = Stores {
            clock: Arc::new(SkewedClock::new(fixture.stores.clock.clone(), skew)),
            ..fixture.stores.clone()
        };
        let refused = fixture.delete_with(&stores, id).await;
        assert!(
            matches!(refused, Err(OperationError::Retained(_))),
            "{skew}"
        );
    }
    fixture.clock.advance(LEAST);
    assert_eq!(fixture.objects.count(), 1);
    fixture.delete_with(&fixture.stores, id).await.unwrap();
}

#[tokio::test]
async fn the_end_of_a_file_is_no_earlier_than_it_has_to_be_kept() {
    let mut fixture = keeping();
    let refused = fixture.create_kept(Some(KEPT - DAY)).await;
    let Err(OperationError::DeleteAfter(invalid)) = refused else {
        panic!("{refused:?}");
    };
    assert!(invalid.0.contains("no earlier than"), "{}", invalid.0);
    // Its bytes come later than it was created, so its time is over before it may go.
    let id = fixture.available_after_upload(Some(KEPT)).await;
    fixture.clock.advance(KEPT - LEAST);
    assert_eq!(fixture.reconcile().await.deleted, 0);
    assert_eq!(fixture.status(id).await, Some(Status::Available));
    fixture.clock.advance(LEAST);
    assert_eq!(fixture.reconcile().await.deleted, 1);
    assert_eq!(fixture.status(id).await, None);
}

#[tokio::test]
async fn another_setting_changes_nothing_of_the_files_that_are_there() {
    let mut fixture = keeping();
    let waits = fixture.create_kept(None).await.unwrap();
    let kept = fixture.available_after_upload(None).await;
    let until = fixture.keep_until(kept).await;
    fixture.stores.lifecycle.min_keep = None;
    fixture.put(waits, HELLO);
    assert_eq!(fixture.finalize(waits).await, FinalizeOutcome::Available);
    assert_eq!(fixture.keep_until(waits).await, until);
    for id in [waits, kept] {
        let refused = fixture.delete_with(&fixture.stores, id).await;
        assert!(matches!(refused, Err(OperationError::Retained(_))));
    }
    let free = fixture.available_after_upload(None).await;
    assert_eq!(fixture.keep_until(free).await, None);
    fixture.delete_with(&fixture.stores, free).await.unwrap();
}

#[tokio::test]
async fn a_file_can_be_kept_for_longer_and_never_for_less() {
    let mut fixture = keeping();
    let id = fixture.available_after_upload(Some(KEPT + UPLOAD)).await;
    let until = fixture.keep_until(id).await.unwrap();
    let later = until + 10 * DAY;
    let kept = fixture.keep(id, later).await.unwrap();
    assert_eq!(kept.keep_until, Some(later));
    fixture.keep(id, later).await.unwrap();
    let back = fixture.keep(id, until).await;
    assert!(matches!(back, Err(OperationError::Retained(at)) if at == later));
    // Its time comes first, and it stays; one look is enough.
    fixture.clock.advance(KEPT + DAY);
    for looks in [1, 0] {
        let report = fixture.reconcile().await;
        assert_eq!((report.deleted, report.reviewed), (0, looks));
    }
    fixture.clock.advance(9 * DAY);
    assert_eq!(fixture.reconcile().await.deleted, 1);

    // One that needn't be kept so far, within bounds.
    fixture.stores.lifecycle.min_keep = None;
    let free = fixture.available_after_upload(None).await;
    let now = fixture.clock.now();
    for wrong in [now, now - DAY, now + 36_501 * DAY] {
        let refused = fixture.keep(free, wrong).await;
        assert!(matches!(refused, Err(OperationError::KeepUntil(_))));
    }
    assert_eq!(fixture.keep_until(free).await, None);
    fixture.keep(free, now + DAY).await.unwrap();
    let refused = fixture.delete_with(&fixture.stores, free).await;
    assert!(matches!(refused, Err(OperationError::Retained(_))));
    // What isn't there yet can't be kept.
    let waits = fixture.create_kept(None).await.unwrap();
    let refused = fixture.keep(waits, now + DAY).await;
    assert!(matches!(refused, Err(OperationError::UploadPending)));
}
