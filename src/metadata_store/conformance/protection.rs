//! What keeps a record from becoming a tombstone: a hold, and a time until which it is kept.
//!
//! Invariant: only consistent reads, so nothing here waits.

use std::sync::Arc;
use std::time::Duration;

use super::races::{WRITERS, all_at_once};
use super::{
    GRACE, every_settlement, every_state, far_expiry, in_state, insert, moment, object, pending,
    settle, state_of, stored, withdrawn,
};
use crate::domain::{
    FileId, FileRecord, FileState, Hold, HoldReason, Status, Timestamp, Transition, UserId,
};
use crate::metadata_store::{MetadataStore, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

/// A hold for this reason since `moment(seconds)`, by somebody.
fn hold(reason: &str, seconds: i64) -> Hold {
    Hold {
        reason: HoldReason::given(reason).expect("a reason"),
        since: moment(seconds) + Duration::from_millis(7),
        by: Some(UserId::of("https://id.example.org", "alice")),
    }
}

async fn delete(store: &Store, id: FileId, as_of: Timestamp) -> bool {
    let deleting = store.delete(id, moment(1), far_expiry(), GRACE, as_of);
    deleting.await.expect("a deletion is answered")
}

/// Ends the hold with which the record was seen.
async fn release(store: &Store, seen: &FileRecord) -> Option<FileRecord> {
    let hold = seen.hold.as_ref().expect("a hold");
    let releasing = store.release(seen.id, hold, moment(2));
    releasing.await.expect("a release is answered")
}

async fn available(store: &Store, keep_until: Option<Timestamp>) -> FileRecord {
    let mut record = in_state(pending(0), state_of(Status::Available));
    record.keep_until = keep_until;
    insert(store, record).await
}

pub async fn a_held_file_is_deleted_by_nobody_before_it_is_released(store: &Store) {
    let mut unversioned = object();
    unversioned.version_id = None;
    for state in [
        FileState::PENDING,
        FileState::Available(object()),
        FileState::Available(unversioned),
    ] {
        let record = insert(store, in_state(pending(0), state)).await;
        let held = FileRecord {
            hold: Some(hold("Aktenzeichen 3 C 12/26", 4)),
            ..record.clone()
        };
        let answer = store.hold(record.id, held.hold.as_ref().unwrap()).await;
        assert_eq!(answer.unwrap().as_ref(), Some(&held));
        assert!(!delete(store, record.id, far_expiry()).await);
        assert_eq!(stored(store, record.id).await, held);
        let released = release(store, &held).await;
        assert_eq!(released.as_ref(), Some(&record));
        assert_eq!(stored(store, record.id).await, record);
        // Again, it changes nothing.
        assert_eq!(release(store, &held).await, released);
        assert!(delete(store, record.id, moment(1)).await);
        // What is gone can be neither held nor released.
        let gone = stored(store, record.id).await;
        let late = store.hold(record.id, &hold("late", 9)).await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(release(store, &held).await, None);
        assert_eq!(stored(store, record.id).await, gone);
    }
}

pub async fn a_hold_that_is_there_gets_the_new_reason_and_keeps_when_it_began(store: &Store) {
    let record = available(store, None).await;
    let first = hold("first", 4);
    store.hold(record.id, &first).await.unwrap();
    let again = store.hold(record.id, &hold("first", 5)).await.unwrap();
    assert_eq!(again.unwrap().hold.as_ref(), Some(&first));
    // By the operator, who has no ID.
    let other = Hold {
        by: None,
        ..hold("other", 6)
    };
    let held = store.hold(record.id, &other).await.unwrap().unwrap();
    let expected = Hold {
        since: first.since,
        ..other
    };
    assert_eq!(held.hold, Some(expected));
    assert_eq!(stored(store, record.id).await, held);
    // Once it was released, one begins anew.
    release(store, &held).await;
    let anew = hold("anew", 7);
    let held = store.hold(record.id, &anew).await.unwrap().unwrap();
    assert_eq!(held.hold, Some(anew));
}

pub async fn a_release_that_comes_late_takes_no_other_hold_off(store: &Store) {
    let by_operator = |reason, seconds| Hold {
        by: None,
        ..hold(reason, seconds)
    };
    let first = hold("first", 4);
    for other in [
        hold("other", 4),
        hold("first", 5),
        by_operator("first", 4),
        Hold {
            by: Some(UserId::of("https://id.example.org", "bob")),
            ..first.clone()
        },
    ] {
        let record = available(store, None).await;
        store.hold(record.id, &other).await.unwrap();
        let held = FileRecord {
            hold: Some(other.clone()),
            ..record.clone()
        };
        let late = store.release(record.id, &first, moment(2)).await.unwrap();
        assert_eq!(late.as_ref(), Some(&held));
        assert_eq!(stored(store, record.id).await, held);
        assert!(!delete(store, record.id, moment(1)).await);
        assert_eq!(release(store, &held).await, Some(record));
    }
    let record = available(store, None).await;
    store.hold(record.id, &by_operator("x", 1)).await.unwrap();
    let late = store.release(record.id, &hold("x", 1), moment(2)).await;
    assert!(late.unwrap().unwrap().hold.is_some());
}

pub async fn what_is_released_is_due_at_once_if_it_was_withdrawn_and_else_as_before(store: &Store) {
    for state in every_state() {
        let mut record = in_state(pending(0), state);
        record.reconcile_at = Some(moment(500));
        record.hold = Some(hold("x", 1));
        let record = insert(store, record).await;
        let released = release(store, &record).await;
        let is_deleted = record.status() == Status::Deleted;
        let is_withdrawn = record.status() == Status::Withdrawn;
        let expected = FileRecord {
            hold: None,
            reconcile_at: Some(moment(if is_withdrawn { 2 } else { 500 })),
            ..record.clone()
        };
        assert_eq!(released, (!is_deleted).then(|| expected.clone()));
        if !is_deleted {
            assert_eq!(stored(store, record.id).await, expected);
        }
        // By whoever has no answer, after somebody looked at it.
        let looked_at =
            store.schedule_reconcile(record.id, Status::Withdrawn, moment(600), far_expiry());
        looked_at.await.unwrap();
        let again = release(store, &record).await.map(|it| it.reconcile_at);
        let expected = match record.status() {
            Status::Deleted => None,
            Status::Withdrawn => Some(Some(moment(600))),
            _ => Some(Some(moment(500))),
        };
        assert_eq!(again, expected);
    }
}

pub async fn what_was_withdrawn_is_kept_until_its_time_and_not_longer(store: &Store) {
    let until = moment(100) + Duration::from_millis(5);
    let mut record = in_state(pending(0), FileState::Available(object()));
    record.keep_until = Some(until);
    let record = insert(store, record).await;
    let made = store.transition(record.id, &withdrawn()).await.unwrap();
    assert_eq!(made, TransitionOutcome::Applied);
    let before = until - Duration::from_millis(1);
    assert!(!delete(store, record.id, before).await);
    assert_eq!(
        stored(store, record.id).await,
        withdrawn().apply_to(record.clone())
    );
    assert!(delete(store, record.id, until).await);
    assert_eq!(stored(store, record.id).await.status(), Status::Deleted);
}

pub async fn only_what_has_bytes_or_waits_for_them_is_held(store: &Store) {
    for state in every_state() {
        let record = insert(store, in_state(pending(0), state)).await;
        let held = store.hold(record.id, &hold("x", 1)).await.unwrap();
        let may_be_held = matches!(record.status(), Status::Pending | Status::Available);
        assert_eq!(held.is_some(), may_be_held, "{:?}", record.status());
        assert_eq!(stored(store, record.id).await.hold.is_some(), may_be_held);
    }
    let absent = FileId::new(moment(0));
    assert_eq!(store.hold(absent, &hold("x", 1)).await.unwrap(), None);
    let released = store.release(absent, &hold("x", 1), moment(1)).await;
    assert_eq!(released.unwrap(), None);
    assert_eq!(store.get(absent).await.unwrap(), None);
}

pub async fn a_hold_stays_with_what_it_keeps_and_ends_where_nothing_is_to_be_kept(store: &Store) {
    for i in 0..3 {
        let record = insert(store, pending(0)).await;
        let held = hold("whatever comes", 2);
        store.hold(record.id, &held).await.unwrap();
        let settlement = &every_settlement(&record)[i];
        let settled = settle(store, record.id, settlement, moment(10)).await;
        assert_eq!(settled, TransitionOutcome::Applied);
        let record = stored(store, record.id).await;
        let is_available = record.status() == Status::Available;
        assert_eq!(record.hold, is_available.then_some(held.clone()));
        assert_eq!(delete(store, record.id, moment(1)).await, !is_available);
        if is_available {
            // What is found in it later is no reason to forget it.
            let made = store.transition(record.id, &withdrawn()).await.unwrap();
            assert_eq!(made, TransitionOutcome::Applied);
            assert_eq!(stored(store, record.id).await.hold, Some(held));
            assert!(!delete(store, record.id, moment(1)).await);
            let withdrawn = stored(store, record.id).await;
            release(store, &withdrawn).await;
            assert!(delete(store, record.id, moment(1)).await);
        }
    }
}

pub async fn of_a_hold_and_a_deletion_that_race_one_wins(store: &Store) {
    for round in 0..8 {
        let record = available(store, None).await;
        let outcomes = all_at_once((0..WRITERS).map(|i| {
            let (store, id) = (Arc::clone(store), record.id);
            async move {
                // Whose turn is first changes from round to round.
                if (i + round) % 2 == 0 {
                    let held = store.hold(id, &hold("race", 1)).await.unwrap();
                    (held.is_some(), false)
                } else {
                    (false, delete(&store, id, moment(1)).await)
                }
            }
        }))
        .await;
        let held = outcomes.iter().any(|(held, _)| *held);
        let deleted = outcomes.iter().filter(|(_, deleted)| *deleted).count();
        assert_eq!(deleted, usize::from(!held), "{outcomes:?}");
        let end = stored(store, record.id).await;
        assert_eq!(end.status() == Status::Deleted, deleted == 1);
        assert_eq!(end.hold.is_some(), held);
    }
}

pub async fn a_file_is_kept_until_its_time_and_not_longer(store: &Store) {
    let until = moment(100) + Duration::from_millis(5);
    let mut unversioned = object();
    unversioned.version_id = None;
    for object in [object(), unversioned] {
        let mut record = in_state(pending(0), FileState::Available(object));
        record.keep_until = Some(until);
        let record = insert(store, record).await;
        assert_eq!(stored(store, record.id).await, record);
        let before = until - Duration::from_millis(1);
        assert!(!delete(store, record.id, before).await);
        assert_eq!(stored(store, record.id).await, record);
        assert!(delete(store, record.id, until).await);
        assert_eq!(stored(store, record.id).await.status(), Status::Deleted);
    }
    // So is what is about to be available, and the store was told that it stays.
    let mut waits = pending(0);
    waits.keep_until = Some(moment(100));
    let waits = insert(store, waits).await;
    let locks = Transition::locks(object().version_id, until, moment(2));
    let outcome = store.transition(waits.id, &locks).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Applied);
    let locking = stored(store, waits.id).await;
    assert_eq!(locking, locks.apply_to(waits));
    assert!(!delete(store, locking.id, moment(99)).await);
    assert!(delete(store, locking.id, until).await);
    // What never became available isn't kept.
    let mut waits = pending(0);
    waits.keep_until = Some(until);
    let waits = insert(store, waits).await;
    assert!(delete(store, waits.id, moment(1)).await);
}

pub async fn a_settlement_says_until_when_a_file_is_kept(store: &Store) {
    let mut record = pending(0);
    record.keep_until = Some(moment(100));
    let record = insert(store, record).await;
    let until = moment(103) + Duration::from_millis(456);
    let available = Transition::available(object(), Some(moment(50))).kept_until(Some(until));
    let settled = store.transition(record.id, &available).await.unwrap();
    assert_eq!(settled, TransitionOutcome::Applied);
    let settled = stored(store, record.id).await;
    assert_eq!(settled, available.apply_to(record));
    assert_eq!(
        (settled.keep_until, settled.reconcile_at),
        (Some(until), Some(until))
    );
    assert!(!delete(store, settled.id, moment(102)).await);
}

pub async fn the_time_until_which_a_file_is_kept_only_moves_forward(store: &Store) {
    let (sooner, until, later) = (moment(99), moment(100), moment(101));
    for kept in [None, Some(sooner), Some(until), Some(later)] {
        let record = available(store, kept).await;
        let answer = store.keep_longer(record.id, until).await.unwrap();
        let expected = FileRecord {
            keep_until: kept.max(Some(until)),
            ..record
        };
        let moved = (kept != Some(later)).then(|| expected.clone());
        assert_eq!(answer, moved);
        assert_eq!(stored(store, expected.id).await, expected);
    }
    for state in every_state() {
        let record = insert(store, in_state(pending(0), state)).await;
        let kept = store.keep_longer(record.id, until).await.unwrap();
        let is_available = record.status() == Status::Available;
        assert_eq!(kept.is_some(), is_available);
    }
    let absent = FileId::new(moment(0));
    assert_eq!(store.keep_longer(absent, until).await.unwrap(), None);
}

pub async fn of_many_who_keep_a_file_longer_the_furthest_stays_and_no_deletion_comes_before(
    store: &Store,
) {
    let record = available(store, Some(moment(100))).await;
    let outcomes = all_at_once((0..WRITERS).map(|i| {
        let (store, id) = (Arc::clone(store), record.id);
        async move {
            if i % 4 == 0 {
                // By whoever knows of the first time alone, which is over.
                delete(&store, id, moment(100)).await
            } else {
                let until = moment(100 + i as i64);
                store.keep_longer(id, until).await.unwrap();
                false
            }
        }
    }))
    .await;
    let deleted = outcomes.iter().filter(|deleted| **deleted).count();
    let end = stored(store, record.id).await;
    match deleted {
        0 => assert_eq!(end.keep_until, Some(moment(99 + WRITERS as i64))),
        1 => assert_eq!(
            (end.status(), end.keep_until),
            (Status::Deleted, record.keep_until)
        ),
        more => panic!("{more} deletions"),
    }
}

pub async fn a_deletion_is_postponed_as_long_as_it_is_due_as_it_was_seen(store: &Store) {
    let at = |record: &FileRecord| record.reconcile_at;
    for state in every_state() {
        let mut record = in_state(pending(0), state);
        record.reconcile_at = Some(moment(5));
        let record = insert(store, record).await;
        let is_available = record.status() == Status::Available;
        let postponed = store.postpone_deletion(record.id, moment(5), moment(50));
        assert_eq!(postponed.await.unwrap(), is_available);
        let again = store.postpone_deletion(record.id, moment(5), moment(60));
        assert!(!again.await.unwrap());
        let expected = if is_available { moment(50) } else { moment(5) };
        assert_eq!(at(&stored(store, record.id).await), Some(expected));
    }
}
