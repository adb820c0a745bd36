//! Files that are held: nobody and nothing deletes them.

use super::owners::person;
use super::*;
use crate::access::Role;
use crate::domain::HoldReason;

const DAY: Duration = Duration::from_secs(86_400);

fn reason(text: &str) -> HoldReason {
    HoldReason::given(text).unwrap()
}

impl OperationsFixture {
    async fn hold(&self, id: FileId) -> Result<FileRecord, OperationError> {
        hold_file(&self.stores, &self.context, id, reason("case 4711")).await
    }

    async fn release(&self, id: FileId) -> Result<FileRecord, OperationError> {
        release_file(&self.stores, &self.context, id).await
    }

    async fn delete_as(&self, caller: Caller, id: FileId) -> Result<FileRecord, OperationError> {
        let mut context = self.context.clone();
        context.caller = caller;
        delete_file(&self.stores, &context, id).await
    }

    async fn available_owned_by(&self, caller: Caller, delete_after: Option<Duration>) -> FileId {
        let mut context = self.context.clone();
        context.caller = caller;
        let new = NewFile {
            delete_after: delete_after.map(|after| self.clock.now() + after),
            ..NewFile::sample(Declaration::sample())
        };
        let created = create_file(&self.stores, &self.presigner, &context, new, None).await;
        let id = created.unwrap().record.id;
        self.put(id, HELLO);
        assert_eq!(self.finalize(id).await, FinalizeOutcome::Available);
        id
    }
}

#[tokio::test]
async fn a_held_file_is_deleted_by_nobody_until_its_hold_is_ended() {
    let fixture = OperationsFixture::new();
    let owner = person("alice", Role::Member);
    let id = fixture.available_owned_by(owner.clone(), None).await;
    let held = fixture.hold(id).await.unwrap();
    assert_eq!(held.hold.as_ref().unwrap().reason, reason("case 4711"));
    // Not by its owner, nor by an administrator, nor by whoever holds it.
    for caller in [
        owner.clone(),
        person("carol", Role::Admin),
        Caller::Operator,
    ] {
        let refused = fixture.delete_as(caller, id).await;
        assert!(matches!(refused, Err(OperationError::Held)), "{refused:?}");
    }
    // To a stranger it is no more there than before.
    let strangers = fixture.delete_as(person("bob", Role::Member), id).await;
    assert!(matches!(strangers, Err(OperationError::FileNotFound)));
    assert_eq!(fixture.status(id).await, Some(Status::Available));
    assert_eq!(fixture.objects.count(), 1);
    fixture.release(id).await.unwrap();
    fixture.delete_as(owner, id).await.unwrap();
    assert_eq!(fixture.status(id).await, None);
    assert_eq!(fixture.objects.count(), 0);
    let late = fixture.hold(id).await;
    assert!(matches!(late, Err(OperationError::FileNotFound)));
}

#[tokio::test]
async fn whoever_ends_a_hold_ends_the_one_that_they_found_and_none_that_came_since() {
    let fixture = OperationsFixture::new();
    let id = fixture.available_owned_by(Caller::Operator, None).await;
    // Where there is none, nothing changes.
    let free = fixture.release(id).await.unwrap();
    assert_eq!(free, fixture.metadata.get(id).await.unwrap().unwrap());
    let held = fixture.hold(id).await.unwrap();
    let first = held.hold.unwrap();
    fixture.release(id).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let anew = fixture.hold(id).await.unwrap();
    // The first one's release, late.
    let now = fixture.clock.now();
    let late = fixture.metadata.release(id, &first, now).await.unwrap();
    assert_eq!(late, Some(anew));
    let refused = fixture.delete_as(Caller::Operator, id).await;
    assert!(matches!(refused, Err(OperationError::Held)), "{refused:?}");
}

#[tokio::test]
async fn a_held_file_outlives_its_time_and_goes_within_an_hour_of_its_release() {
    let mut fixture = OperationsFixture::new();
    let id = fixture
        .available_owned_by(Caller::Operator, Some(DAY))
        .await;
    fixture.hold(id).await.unwrap();
    fixture.clock.advance(DAY);
    let mut looks = 0;
    for _ in 0..100 {
        let report = fixture.reconcile().await;
        assert_eq!((report.deleted, report.failed), (0, 0));
        looks += report.reviewed;
        fixture.clock.advance(Duration::from_secs(60));
    }
    // It is no work for every round.
    assert_eq!(looks, 2);
    assert_eq!(fixture.status(id).await, Some(Status::Available));
    fixture.release(id).await.unwrap();
    fixture.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(fixture.reconcile().await.deleted, 1);
    assert_eq!(fixture.status(id).await, None);
}

#[tokio::test]
async fn a_pending_file_may_be_held_which_keeps_what_comes() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.hold(id).await.unwrap();
    let refused = fixture.delete_as(Caller::Operator, id).await;
    assert!(matches!(refused, Err(OperationError::Held)));
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let refused = fixture.delete_as(Caller::Operator, id).await;
    assert!(matches!(refused, Err(OperationError::Held)));

    // Bytes that nobody may have aren't kept: with them the hold ends.
    let bad = fixture.create().await;
    fixture.hold(bad).await.unwrap();
    fixture.put(bad, "hello, but longer");
    assert_eq!(fixture.finalize(bad).await, FinalizeOutcome::Rejected);
    assert_eq!(fixture.objects.count(), 1);
    let late = fixture.hold(bad).await;
    assert!(matches!(late, Err(OperationError::FileRejected(_))));
    fixture.delete_as(Caller::Operator, bad).await.unwrap();

    // And where nothing comes, there is nothing to hold.
    let never = fixture.create().await;
    fixture.hold(never).await.unwrap();
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    assert_eq!(fixture.status(never).await, Some(Status::Expired));
    let late = fixture.hold(never).await;
    assert!(matches!(late, Err(OperationError::UploadExpired)));
    fixture.clock.advance(2 * DAY);
    fixture.reconcile().await;
    assert_eq!(fixture.status(never).await, None);
}

#[tokio::test]
async fn the_bytes_of_a_held_file_stay_whatever_else_its_record_says() {
    let fixture = OperationsFixture::new();
    let id = fixture.available_owned_by(Caller::Operator, None).await;
    let mut record = fixture.hold(id).await.unwrap();
    // As no store writes it: whoever adds a state that unwanted bytes have meets this first.
    record.state = FileState::Deleted {
        purge_at: fixture.clock.now(),
    };
    clean_up::clean_up(&fixture.stores, &record).await.unwrap();
    assert_eq!(fixture.objects.count(), 1);
    record.hold = None;
    clean_up::clean_up(&fixture.stores, &record).await.unwrap();
    assert_eq!(fixture.objects.count(), 0);
}
