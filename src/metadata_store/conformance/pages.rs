//! Pages of records, newest first.
//!
//! Invariant: each of these has a store of its own, and waits until the index shows what was
//! written before it asserts an order or an absence.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{GRACE, eventually, far_expiry, in_state, insert, moment, object, pending, state_of};
use crate::domain::{FileId, FileRecord, Status, Transition};
use crate::metadata_store::{MAX_PAGE, MetadataStore, Page, PageRequest};

type Store = Arc<dyn MetadataStore>;

async fn page(store: &Store, status: Option<Status>, before: Option<FileId>, limit: usize) -> Page {
    let request = PageRequest {
        owner: None,
        status,
        before,
        limit,
    };
    store.page(request).await.expect("a page")
}

/// The IDs on every page from the newest on.
async fn walk(store: &Store, status: Option<Status>, limit: usize) -> Vec<Vec<FileId>> {
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = page(store, status, before, limit).await;
        pages.push(page.records.iter().map(|record| record.id).collect());
        assert!(pages.len() < 10_000, "the pages have no end");
        match page.next {
            Some(next) => before = Some(next),
            None => return pages,
        }
    }
}

fn newest_first(records: &[FileRecord]) -> Vec<FileId> {
    let mut ids: Vec<_> = records.iter().map(|record| record.id).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

fn in_pages(ids: &[FileId], limit: usize) -> Vec<Vec<FileId>> {
    ids.chunks(limit).map(<[FileId]>::to_vec).collect()
}

pub async fn an_empty_store_has_one_empty_page(store: &Store) {
    for status in [None].into_iter().chain(Status::listed().map(Some)) {
        let page = page(store, status, None, MAX_PAGE).await;
        assert_eq!(page.records, []);
        assert_eq!(page.next, None);
    }
}

pub async fn pages_hold_the_newest_first_and_end_with_the_oldest(store: &Store) {
    let mut records = Vec::new();
    // Days apart and inserted out of order: the time of creation decides, not that of the write.
    for i in 0..23 {
        records.push(insert(store, pending(-(i * 7 % 23) * 40_000)).await);
    }
    let ids = newest_first(&records);
    for limit in [1, 2, 5, 22, 23, 24, MAX_PAGE] {
        eventually(in_pages(&ids, limit), || walk(store, None, limit)).await;
    }

    // Whole records, not only their IDs.
    let first = page(store, None, None, MAX_PAGE).await;
    for record in first.records {
        assert!(records.contains(&record), "{record:?}");
    }
}

pub async fn a_page_that_ends_with_the_oldest_record_is_the_last(store: &Store) {
    let mut records = Vec::new();
    for i in 0..6 {
        records.push(insert(store, pending(-i)).await);
    }
    let ids = newest_first(&records);
    eventually(vec![ids.clone()], || walk(store, None, 6)).await;
    eventually(in_pages(&ids, 3), || walk(store, None, 3)).await;
    eventually(in_pages(&ids, 3), || walk(store, Some(Status::Pending), 3)).await;
    let behind_the_oldest = page(store, None, ids.last().copied(), 3).await;
    assert_eq!(behind_the_oldest.records, []);
    assert_eq!(behind_the_oldest.next, None);
}

pub async fn a_page_may_begin_at_an_id_that_does_not_exist(store: &Store) {
    let old = insert(store, pending(-20)).await;
    let new = insert(store, pending(-10)).await;
    eventually(vec![vec![new.id, old.id]], || walk(store, None, 10)).await;
    for (seconds, expected) in [
        (-5, vec![new.id, old.id]),
        (-15, vec![old.id]),
        (-25, vec![]),
    ] {
        let page = page(store, None, Some(FileId::new(moment(seconds))), 10).await;
        let ids: Vec<_> = page.records.iter().map(|record| record.id).collect();
        assert_eq!(ids, expected);
    }
}

pub async fn records_of_one_millisecond_are_each_on_one_page(store: &Store) {
    let mut records = Vec::new();
    for _ in 0..30 {
        records.push(insert(store, pending(-10)).await);
    }
    let ids = newest_first(&records);
    eventually(in_pages(&ids, 4), || walk(store, None, 4)).await;
}

pub async fn a_page_by_status_holds_that_status_and_no_other(store: &Store) {
    let mut records = Vec::new();
    for i in 0..8 * Status::ALL.len() {
        let state = state_of(Status::ALL[i % Status::ALL.len()]);
        records.push(insert(store, in_state(pending(-(i as i64) * 1000), state)).await);
    }
    for status in Status::listed() {
        let of_status: Vec<_> = records
            .iter()
            .filter(|record| record.status() == status)
            .cloned()
            .collect();
        let ids = newest_first(&of_status);
        assert_eq!(ids.len(), 8);
        eventually(in_pages(&ids, 3), || walk(store, Some(status), 3)).await;
    }
    let visible: Vec<_> = records
        .iter()
        .filter(|record| record.status().is_listed())
        .cloned()
        .collect();
    let ids = newest_first(&visible);
    eventually(in_pages(&ids, 7), || walk(store, None, 7)).await;
}

pub async fn a_page_follows_a_record_from_status_to_status(store: &Store) {
    let record = insert(store, pending(-10)).await;
    let shown = async |status| walk(store, status, 10).await.concat();
    eventually(vec![record.id], || shown(Some(Status::Pending))).await;

    let available = Transition::available(object(), None);
    store.transition(record.id, &available).await.unwrap();
    eventually(vec![record.id], || shown(Some(Status::Available))).await;
    eventually(vec![], || shown(Some(Status::Pending))).await;
    eventually(vec![record.id], || shown(None)).await;

    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    eventually(vec![], || shown(Some(Status::Available))).await;
    eventually(vec![], || shown(None)).await;
}

pub async fn no_page_shows_a_tombstone(store: &Store) {
    let mut kept = Vec::new();
    for i in 0..12 {
        let record = insert(store, pending(-i)).await;
        if i % 3 == 0 {
            kept.push(record);
        } else {
            let deleted = store
                .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
                .await;
            assert!(deleted.unwrap());
        }
    }
    // Pages are full although there are more tombstones than records between them.
    let ids = newest_first(&kept);
    eventually(in_pages(&ids, 2), || walk(store, None, 2)).await;
    let deleted = page(store, Some(Status::Deleted), None, 10).await;
    assert_eq!(deleted.records, []);
    assert_eq!(deleted.next, None);
}

pub async fn each_earlier_record_is_on_exactly_one_page_while_others_come_and_go(store: &Store) {
    const EARLIER: i64 = 150;
    let mut earlier = Vec::new();
    for i in 0..EARLIER {
        earlier.push(insert(store, pending(-1000 - i)).await);
    }
    eventually(newest_first(&earlier), async || {
        walk(store, None, MAX_PAGE).await.concat()
    })
    .await;

    let stop = Arc::new(AtomicBool::new(false));
    let (progress, mut written_meanwhile) = tokio::sync::watch::channel(0);
    let others = tokio::spawn({
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                // Newer than all, and in between the earlier ones; the latter are settled and
                // deleted again.
                insert(&store, pending(written)).await;
                let between = insert(&store, pending(-1000 - written % EARLIER)).await;
                let available = Transition::available(object(), None);
                let settled = store.transition(between.id, &available);
                settled.await.expect("a settlement is answered");
                let deleted = store.delete(between.id, moment(0), far_expiry(), GRACE, moment(0));
                deleted.await.expect("a deletion is answered");
                written += 1;
                progress.send_replace(written);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });

    for status in [None, Some(Status::Pending)] {
        for limit in [7, 50] {
            // A store that never waits would leave the other task no turn.
            let more = written_meanwhile.changed().await;
            more.expect("the other task writes on");
            let ids = walk(store, status, limit).await.concat();
            assert!(ids.is_sorted_by(|a, b| a > b), "out of order or doubled");
            let mut seen = HashMap::new();
            for id in ids {
                *seen.entry(id).or_insert(0) += 1;
            }
            for record in &earlier {
                assert_eq!(seen.get(&record.id), Some(&1), "{record:?}");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    others.await.unwrap();
}
