//! What becomes of one record: renewed, settled, deleted, scheduled, removed.
//!
//! Invariant: only consistent reads, so nothing here waits.

use std::sync::Arc;
use std::time::Duration;

use super::{
    GRACE, every_settlement, every_state, far_expiry, in_state, insert, moment, object, pending,
    reason, removable, settle, state_of, stored,
};
use crate::domain::{FileId, FileRecord, FileState, Sha256Digest, Stage, Status, Transition};
use crate::metadata_store::{MetadataStore, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

pub async fn a_renewal_moves_the_deadline_and_nothing_else(store: &Store) {
    let record = insert(store, pending(0)).await;
    let later = record.upload_expires_at + Duration::from_millis(1);
    let mut renewed = record.clone();
    renewed.upload_expires_at = later;
    let answer = store.renew_upload(record.id, later).await.unwrap();
    assert_eq!(answer, Some(renewed.clone()));
    assert_eq!(stored(store, record.id).await, renewed);
}

pub async fn a_renewal_never_moves_the_deadline_backwards(store: &Store) {
    let record = insert(store, pending(0)).await;
    for back in [0, 1, 600_000] {
        let earlier = record.upload_expires_at - Duration::from_millis(back);
        let answer = store.renew_upload(record.id, earlier).await.unwrap();
        assert_eq!(answer.as_ref(), Some(&record));
    }
    assert_eq!(stored(store, record.id).await, record);
}

pub async fn only_a_pending_record_is_renewed(store: &Store) {
    let later = moment(5000);
    for state in every_state().into_iter().skip(1) {
        let record = insert(store, in_state(pending(0), state)).await;
        assert_eq!(store.renew_upload(record.id, later).await.unwrap(), None);
        assert_eq!(stored(store, record.id).await, record);
    }
    let absent = FileId::new(moment(0));
    assert_eq!(store.renew_upload(absent, later).await.unwrap(), None);
    assert_eq!(store.get(absent).await.unwrap(), None);
}

pub async fn each_settlement_ends_pending_and_sets_what_follows(store: &Store) {
    for i in 0..3 {
        let record = insert(store, pending(0)).await;
        let settlement = &every_settlement(&record)[i];
        let now = moment(1000) + Duration::from_millis(123);
        assert_eq!(
            settle(store, record.id, settlement, now).await,
            TransitionOutcome::Applied
        );
        let settled = FileRecord {
            state: settlement.to.clone(),
            reconcile_at: settlement.reconcile_at.map(|_| now),
            ..record.clone()
        };
        assert_eq!(stored(store, record.id).await, settled);
    }
    let record = insert(store, pending(0)).await;
    let mut unversioned = object();
    unversioned.version_id = None;
    let settlement = Transition::available(unversioned, None);
    assert_eq!(
        settle(store, record.id, &settlement, moment(10)).await,
        TransitionOutcome::Applied
    );
    assert_eq!(stored(store, record.id).await.state, settlement.to);
}

pub async fn a_second_settlement_changes_nothing(store: &Store) {
    for first in 0..3 {
        let record = insert(store, pending(0)).await;
        let settlements = every_settlement(&record);
        assert_eq!(
            settle(store, record.id, &settlements[first], moment(10)).await,
            TransitionOutcome::Applied
        );
        let settled = stored(store, record.id).await;
        for second in &settlements {
            assert_eq!(
                settle(store, record.id, second, moment(20)).await,
                TransitionOutcome::Unchanged
            );
            assert_eq!(stored(store, record.id).await, settled);
        }
    }
}

pub async fn an_expiry_holds_only_for_the_deadline_that_was_seen(store: &Store) {
    let record = insert(store, pending(0)).await;
    let expired = |upload_expires_at| {
        let seen = FileRecord {
            upload_expires_at,
            ..record.clone()
        };
        Transition::expired(&seen, far_expiry(), moment(5))
    };
    let later = record.upload_expires_at + Duration::from_millis(1);
    let renewed = store.renew_upload(record.id, later).await.unwrap().unwrap();
    for seen in [record.upload_expires_at, later + Duration::from_millis(1)] {
        assert_eq!(
            settle(store, record.id, &expired(seen), moment(2000)).await,
            TransitionOutcome::Unchanged
        );
        assert_eq!(stored(store, record.id).await, renewed);
    }
    assert_eq!(
        settle(store, record.id, &expired(later), moment(2000)).await,
        TransitionOutcome::Applied
    );
    assert_eq!(stored(store, record.id).await.status(), Status::Expired);
}

pub async fn a_renewal_does_not_stop_a_settlement_by_arrived_bytes(store: &Store) {
    for i in 0..2 {
        let record = insert(store, pending(0)).await;
        store.renew_upload(record.id, moment(9000)).await.unwrap();
        assert_eq!(
            settle(store, record.id, &every_settlement(&record)[i], moment(10)).await,
            TransitionOutcome::Applied
        );
        assert_eq!(
            stored(store, record.id).await.upload_expires_at,
            moment(9000)
        );
    }
}

pub async fn a_record_that_is_deleted_or_absent_is_not_settled(store: &Store) {
    let record = insert(store, pending(0)).await;
    assert!(
        store
            .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
            .await
            .unwrap()
    );
    let tombstone = stored(store, record.id).await;
    for settlement in &every_settlement(&record) {
        assert_eq!(
            settle(store, record.id, settlement, moment(10)).await,
            TransitionOutcome::Unchanged
        );
        assert_eq!(stored(store, record.id).await, tombstone);

        let absent = FileId::new(moment(0));
        assert_eq!(
            settle(store, absent, settlement, moment(10)).await,
            TransitionOutcome::Unchanged
        );
        assert_eq!(store.get(absent).await.unwrap(), None);
    }
}

pub async fn a_record_in_any_state_becomes_a_tombstone_once(store: &Store) {
    for state in every_state() {
        let was_deleted = matches!(state, FileState::Deleted { .. });
        let mut record = in_state(pending(0), state);
        record.declared.sha256 = Some(Sha256Digest::from_bytes([7; 32]));
        let record = insert(store, record).await;
        let (now, purge_at) = (moment(77), far_expiry() + Duration::from_millis(1));
        assert_eq!(
            store
                .delete(record.id, now, purge_at, GRACE, now)
                .await
                .unwrap(),
            !was_deleted
        );
        let mut tombstone = record;
        if !was_deleted {
            tombstone.state = FileState::Deleted { purge_at };
            tombstone.reconcile_at = Some(now);
        }
        assert_eq!(stored(store, tombstone.id).await, tombstone);

        let again = store.delete(
            tombstone.id,
            moment(99),
            purge_at + Duration::from_secs(9),
            GRACE,
            moment(99),
        );
        assert!(!again.await.unwrap());
        assert_eq!(stored(store, tombstone.id).await, tombstone);
    }
}

pub async fn a_file_without_a_version_is_due_only_when_its_uploads_end(store: &Store) {
    let mut unversioned = object();
    unversioned.version_id = None;
    for (object, waits, is_withdrawn) in [
        (object(), false, false),
        (unversioned.clone(), true, false),
        (object(), false, true),
        (unversioned, true, true),
    ] {
        let withdrawn = Transition::withdrawn(&object, reason(), far_expiry(), moment(5));
        let record = insert(store, pending(0)).await;
        settle(
            store,
            record.id,
            &Transition::available(object, None),
            moment(10),
        )
        .await;
        if is_withdrawn {
            settle(store, record.id, &withdrawn, moment(20)).await;
        }
        let deleted = store.delete(record.id, moment(77), far_expiry(), GRACE, moment(77));
        assert!(deleted.await.unwrap());
        let mut tombstone = record;
        tombstone.state = FileState::Deleted {
            purge_at: far_expiry(),
        };
        tombstone.reconcile_at = Some(match waits {
            true => tombstone.upload_expires_at + GRACE,
            false => moment(77),
        });
        assert_eq!(stored(store, tombstone.id).await, tombstone);
        // Again is no reason to do it earlier.
        let again = store.delete(tombstone.id, moment(78), far_expiry(), GRACE, moment(78));
        assert!(!again.await.unwrap());
        assert_eq!(stored(store, tombstone.id).await, tombstone);
    }
}

pub async fn a_pending_record_is_postponed_until_its_uploads_end_at_the_latest(store: &Store) {
    let mut record = insert(store, pending(0)).await;
    let mut end = record.upload_expires_at + GRACE;
    for renewed in [false, true] {
        if renewed {
            let deadline = record.upload_expires_at + Duration::from_secs(7200);
            store.renew_upload(record.id, deadline).await.unwrap();
            (record.upload_expires_at, end) = (deadline, deadline + GRACE);
        }
        let just_before = end - Duration::from_millis(1);
        let long_after = end + Duration::from_secs(7200);
        for at in [moment(60), just_before, end, long_after, moment(61)] {
            assert!(
                store
                    .postpone_reconcile(record.id, at, GRACE)
                    .await
                    .unwrap()
            );
            record.reconcile_at = Some(at.min(end));
            assert_eq!(stored(store, record.id).await, record);
        }
    }
}

pub async fn only_a_pending_record_is_postponed(store: &Store) {
    for state in every_state().into_iter().skip(1) {
        let record = insert(store, in_state(pending(0), state)).await;
        for at in [moment(60), far_expiry()] {
            assert!(
                !store
                    .postpone_reconcile(record.id, at, GRACE)
                    .await
                    .unwrap()
            );
            assert_eq!(stored(store, record.id).await, record);
        }
    }
    let absent = FileId::new(moment(0));
    for at in [moment(60), far_expiry()] {
        assert!(!store.postpone_reconcile(absent, at, GRACE).await.unwrap());
    }
    assert_eq!(store.get(absent).await.unwrap(), None);
}

pub async fn a_file_that_waits_to_be_scanned_is_pending_until_it_is_settled_or_deleted(
    store: &Store,
) {
    let mut record = insert(store, pending(0)).await;
    // Again and again, and beyond the end of its uploads.
    for at in [moment(60), moment(61), far_expiry()] {
        let waits = Transition::awaits_scan(at);
        let outcome = store.transition(record.id, &waits).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Applied);
        record = waits.apply_to(record);
        assert_eq!(record.stage(), Some("scanning"));
        assert_eq!(record.reconcile_at, Some(at));
        assert_eq!(stored(store, record.id).await, record);
    }
    // It is as pending as any.
    record.upload_expires_at += Duration::from_secs(7200);
    let renewed = store.renew_upload(record.id, record.upload_expires_at);
    assert_eq!(renewed.await.unwrap(), Some(record.clone()));
    let at = moment(62);
    assert!(
        store
            .postpone_reconcile(record.id, at, GRACE)
            .await
            .unwrap()
    );
    record.reconcile_at = Some(at);
    assert_eq!(stored(store, record.id).await, record);
    let waiting = || in_state(pending(0), FileState::Pending(Stage::Scanning));
    for settlement in every_settlement(&waiting()) {
        let waiting = insert(store, waiting()).await;
        let outcome = store.transition(waiting.id, &settlement).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Applied);
        let settled = stored(store, waiting.id).await;
        assert_eq!(settled, settlement.apply_to(waiting));
        assert_eq!(settled.stage(), None);
    }
    let deleting = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
    assert!(deleting.await.unwrap());
    let tombstone = stored(store, record.id).await;
    assert_eq!(
        (tombstone.status(), tombstone.stage()),
        (Status::Deleted, None)
    );
}

pub async fn only_a_pending_record_waits_to_be_scanned(store: &Store) {
    for state in every_state().into_iter().skip(1) {
        let record = insert(store, in_state(pending(0), state)).await;
        let waits = Transition::awaits_scan(moment(60));
        let outcome = store.transition(record.id, &waits).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Unchanged);
        assert_eq!(stored(store, record.id).await, record);
    }
}

pub async fn what_is_absent_is_not_deleted(store: &Store) {
    let absent = FileId::new(moment(0));
    assert!(
        !store
            .delete(absent, moment(1), far_expiry(), GRACE, moment(1))
            .await
            .unwrap()
    );
    assert_eq!(store.get(absent).await.unwrap(), None);
}

pub async fn a_reconcile_is_scheduled_while_the_status_is_the_one_seen(store: &Store) {
    for state in removable().map(state_of) {
        let mut record = insert(store, in_state(pending(0), state)).await;
        for at in [moment(500), moment(400), moment(400)] {
            let kept_until = far_expiry() + (at - moment(0));
            store
                .schedule_reconcile(record.id, record.status(), at, kept_until)
                .await
                .unwrap();
            record.reconcile_at = Some(at);
            record.state.keep_until(kept_until);
            assert_eq!(stored(store, record.id).await, record);
        }
    }
}

pub async fn a_reconcile_is_not_scheduled_for_another_status(store: &Store) {
    for state in every_state() {
        let record = insert(store, in_state(pending(0), state)).await;
        for seen in removable().filter(|s| *s != record.status()) {
            store
                .schedule_reconcile(record.id, seen, moment(500), far_expiry())
                .await
                .unwrap();
            assert_eq!(stored(store, record.id).await, record);
        }
    }
}

pub async fn a_record_is_removed_while_its_status_is_the_one_seen(store: &Store) {
    for state in removable().map(state_of) {
        let record = insert(store, in_state(pending(0), state)).await;
        // The second time there is nothing left, which is no error.
        for _ in 0..2 {
            store.remove(record.id, record.status()).await.unwrap();
            assert_eq!(store.get(record.id).await.unwrap(), None);
        }
    }
}

pub async fn a_record_is_not_removed_with_another_status(store: &Store) {
    for state in every_state() {
        let record = insert(store, in_state(pending(0), state)).await;
        for seen in removable().filter(|s| *s != record.status()) {
            store.remove(record.id, seen).await.unwrap();
            assert_eq!(stored(store, record.id).await, record);
        }
    }
}

pub async fn pending_and_available_records_are_neither_scheduled_nor_removed(store: &Store) {
    let kept = Status::ALL.into_iter();
    for status in kept.filter(|status| status.may_have_bytes()) {
        let state = state_of(status);
        let record = insert(store, in_state(pending(0), state)).await;
        store
            .schedule_reconcile(record.id, status, moment(500), far_expiry())
            .await
            .unwrap();
        store.remove(record.id, status).await.unwrap();
        assert_eq!(stored(store, record.id).await, record);
    }
}

pub async fn a_removed_id_can_be_written_to_by_nothing_but_an_insert(store: &Store) {
    let record = insert(store, pending(0)).await;
    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    store.remove(record.id, Status::Deleted).await.unwrap();

    for settlement in &every_settlement(&record) {
        assert_eq!(
            settle(store, record.id, settlement, moment(10)).await,
            TransitionOutcome::Unchanged
        );
    }
    store.renew_upload(record.id, moment(9000)).await.unwrap();
    store
        .delete(record.id, moment(2), far_expiry(), GRACE, moment(2))
        .await
        .unwrap();
    for status in removable() {
        store
            .schedule_reconcile(record.id, status, moment(3), far_expiry())
            .await
            .unwrap();
    }
    assert_eq!(store.get(record.id).await.unwrap(), None);

    let record = insert(store, record).await;
    assert_eq!(stored(store, record.id).await, record);
}
