//! What is due.
//!
//! Invariant: each of these has a store of its own, and waits until the index shows what was
//! written before it asserts an order or an absence.

use std::sync::Arc;
use std::time::Duration;

use super::{
    GRACE, eventually, every_settlement, every_state, far_expiry, in_state, insert, moment, object,
    pending, removable, settle, state_of,
};
use crate::domain::{FileRecord, Status, Timestamp, Transition};
use crate::metadata_store::{DueRecord, MAX_PAGE, MetadataStore, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

async fn due(
    store: &Store,
    until: Timestamp,
    after: Option<DueRecord>,
    limit: usize,
) -> Vec<DueRecord> {
    let due = store.due_records(until, after, limit).await;
    due.expect("a batch of reviews")
}

async fn insert_due_at(store: &Store, reconcile_at: Timestamp) -> DueRecord {
    let mut record = pending(-10);
    record.reconcile_at = Some(reconcile_at);
    let record = insert(store, record).await;
    due_record_of(&record)
}

fn due_record_of(record: &FileRecord) -> DueRecord {
    DueRecord {
        reconcile_at: record.reconcile_at.expect("a review"),
        id: record.id,
    }
}

pub async fn due_records_come_earliest_first_until_the_moment_itself(store: &Store) {
    let mut due_records = Vec::new();
    for i in 0..17 {
        due_records.push(insert_due_at(store, moment(i * 5 % 17)).await);
    }
    due_records.sort_unstable();
    eventually(due_records.clone(), || {
        due(store, moment(100), None, MAX_PAGE)
    })
    .await;

    let until = moment(9);
    assert_eq!(due(store, until, None, MAX_PAGE).await, due_records[..10]);
    let just_before = until - Duration::from_millis(1);
    assert_eq!(
        due(store, just_before, None, MAX_PAGE).await,
        due_records[..9]
    );
    assert_eq!(due(store, until, None, 4).await, due_records[..4]);
    assert_eq!(due(store, moment(-1), None, MAX_PAGE).await, []);
}

pub async fn an_available_record_is_due_only_to_be_deleted_at_its_time(store: &Store) {
    let mut expected = Vec::new();
    for state in every_state() {
        let record = insert(store, in_state(pending(-10), state)).await;
        if record.status() != Status::Available {
            expected.push(due_record_of(&record));
        }
    }
    let mut ending = None;
    for delete_after in [None, Some(moment(77))] {
        let record = insert(store, pending(-10).deleted_after(delete_after)).await;
        let available = Transition::available(object(), delete_after);
        let settled = store.transition(record.id, &available).await;
        assert_eq!(settled.unwrap(), TransitionOutcome::Applied);
        let read = store.get(record.id).await.unwrap();
        let read = read.expect("a record that exists");
        assert_eq!(read.delete_after, delete_after);
        assert_eq!(read, available.apply_to(record));
        if read.reconcile_at.is_some() {
            expected.push(due_record_of(&read));
            ending = Some(read);
        }
    }
    expected.sort_unstable();
    let all_due = || due(store, far_expiry(), None, MAX_PAGE);
    eventually(expected.clone(), all_due).await;

    let mut ending = ending.expect("one has an end");
    let deleted = store.delete(ending.id, moment(78), far_expiry(), GRACE, moment(78));
    assert!(deleted.await.unwrap());
    expected.retain(|due_record| due_record.id != ending.id);
    ending.reconcile_at = Some(moment(78));
    expected.push(due_record_of(&ending));
    expected.sort_unstable();
    eventually(expected, all_due).await;
}

pub async fn due_records_go_on_behind_the_cursor_even_at_one_moment(store: &Store) {
    let mut due_records = Vec::new();
    for i in 0..24 {
        due_records.push(insert_due_at(store, moment(i / 8)).await);
    }
    due_records.sort_unstable();
    let until = moment(50);
    eventually(due_records.clone(), || due(store, until, None, MAX_PAGE)).await;

    for limit in [1, 3, 8, 24] {
        let mut walked: Vec<DueRecord> = Vec::new();
        loop {
            let batch = due(store, until, walked.last().copied(), limit).await;
            assert!(batch.len() <= limit);
            if batch.is_empty() {
                break;
            }
            walked.extend(batch);
            assert!(walked.len() <= due_records.len(), "reviews come twice");
        }
        assert_eq!(walked, due_records, "with a limit of {limit}");
    }
    let behind_the_moment = due(store, moment(0), Some(due_records[12]), 5).await;
    assert_eq!(behind_the_moment, []);
}

pub async fn reconcile_at_moves_with_every_write_that_sets_it(store: &Store) {
    let all_due = async || due(store, moment(100_000), None, MAX_PAGE).await;
    for i in 1..3 {
        let mut record = insert(store, pending(-10)).await;
        eventually(vec![due_record_of(&record)], all_due).await;

        settle(store, record.id, &every_settlement(&record)[i], moment(200)).await;
        record.reconcile_at = Some(moment(200));
        eventually(vec![due_record_of(&record)], all_due).await;

        let status = [Status::Rejected, Status::Expired][i - 1];
        store
            .schedule_reconcile(record.id, status, moment(50), far_expiry())
            .await
            .unwrap();
        record.reconcile_at = Some(moment(50));
        eventually(vec![due_record_of(&record)], all_due).await;

        let deleted = store
            .delete(record.id, moment(300), far_expiry(), GRACE, moment(300))
            .await;
        assert!(deleted.unwrap());
        record.reconcile_at = Some(moment(300));
        eventually(vec![due_record_of(&record)], all_due).await;

        store.remove(record.id, Status::Deleted).await.unwrap();
        eventually(vec![], all_due).await;
    }
    // An available file has nothing left to do, until it is deleted.
    let mut record = in_state(pending(-10), state_of(Status::Available));
    record = insert(store, record).await;
    let deleted = store
        .delete(record.id, moment(300), far_expiry(), GRACE, moment(300))
        .await;
    assert!(deleted.unwrap());
    record.reconcile_at = Some(moment(300));
    eventually(vec![due_record_of(&record)], all_due).await;
}

pub async fn what_was_removed_is_on_no_page_and_never_due(store: &Store) {
    let kept = insert(store, in_state(pending(-10), state_of(Status::Expired))).await;
    for state in removable().map(state_of) {
        let record = insert(store, in_state(pending(-10), state)).await;
        store.remove(record.id, record.status()).await.unwrap();
    }
    eventually(vec![due_record_of(&kept)], || {
        due(store, far_expiry(), None, MAX_PAGE)
    })
    .await;
    eventually(vec![kept.id], async || {
        let request = crate::metadata_store::PageRequest {
            owner: None,
            status: None,
            before: None,
            limit: MAX_PAGE,
        };
        let page = store.page(request).await.expect("a page");
        page.records.iter().map(|record| record.id).collect()
    })
    .await;
}
