//! Records that are somebody's, and the pages of them.

use std::sync::Arc;

use super::{
    GRACE, eventually, far_expiry, in_state, insert, moment, object, pending, state_of, stored,
};
use crate::domain::{FileId, FileRecord, Status, Transition, UserId};
use crate::metadata_store::{MetadataStore, PageRequest};

type Store = Arc<dyn MetadataStore>;

fn person(name: &str) -> UserId {
    UserId::of("https://id.example.org", name)
}

/// The IDs on every page of somebody's records, from the newest on. A page may be short, and even empty.
async fn walk(store: &Store, owner: UserId, status: Option<Status>, limit: usize) -> Vec<FileId> {
    let mut ids = Vec::new();
    let mut before = None;
    for _ in 0..1_000 {
        let request = PageRequest {
            owner: Some(owner),
            status,
            before,
            limit,
        };
        let page = store.page(request).await.expect("a page");
        assert!(page.records.len() <= limit);
        ids.extend(page.records.iter().map(|record| record.id));
        match page.next {
            Some(next) => before = Some(next),
            None => return ids,
        }
    }
    panic!("the pages have no end");
}

fn newest_first(records: &[FileRecord], has: impl Fn(&FileRecord) -> bool) -> Vec<FileId> {
    let mut ids: Vec<_> = records
        .iter()
        .filter(|it| has(it))
        .map(|it| it.id)
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

pub async fn a_record_keeps_its_owner_through_its_life(store: &Store) {
    let alice = Some(person("alice"));
    let record = insert(store, pending(-10).owned_by(alice)).await;
    let available = Transition::available(object(), None);
    store.transition(record.id, &available).await.unwrap();
    assert_eq!(stored(store, record.id).await.owner, alice);
    let deadline = record.upload_expires_at;
    store.renew_upload(record.id, deadline).await.unwrap();
    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    assert_eq!(stored(store, record.id).await.owner, alice);
    let of_nobody = insert(store, pending(-10)).await;
    assert_eq!(stored(store, of_nobody.id).await.owner, None);
}

pub async fn pages_of_a_person_hold_their_records_and_no_others(store: &Store) {
    let owners = [Some(person("alice")), Some(person("bob")), None];
    let mut records = Vec::new();
    for i in 0..9 * Status::ALL.len() {
        let (turn, status) = (i / Status::ALL.len(), i % Status::ALL.len());
        let state = state_of(Status::ALL[status]);
        let record = pending(-(i as i64 * 7 % 45)).owned_by(owners[turn % 3]);
        records.push(insert(store, in_state(record, state)).await);
    }
    let is_shown = |record: &FileRecord| record.status().is_listed();
    for owner in owners.into_iter().flatten() {
        let of_owner = |record: &FileRecord| record.owner == Some(owner) && is_shown(record);
        let expected = newest_first(&records, of_owner);
        assert_eq!(expected.len(), 3 * Status::listed().count());
        for limit in [1, 5, 12, 100] {
            eventually(expected.clone(), || walk(store, owner, None, limit)).await;
        }
        for status in Status::listed() {
            let expected = newest_first(&records, |it| of_owner(it) && it.status() == status);
            assert_eq!(expected.len(), 3);
            for limit in [1, 2, 3, 100] {
                eventually(expected.clone(), || walk(store, owner, Some(status), limit)).await;
            }
        }
    }
    let nobody = person("carol");
    assert_eq!(walk(store, nobody, None, 10).await, []);
    assert_eq!(
        walk(store, person("alice"), Some(Status::Deleted), 10).await,
        []
    );
}

pub async fn a_persons_page_follows_a_record_through_its_life(store: &Store) {
    let alice = person("alice");
    let record = insert(store, pending(-10).owned_by(Some(alice))).await;
    let other = insert(store, pending(-20).owned_by(Some(alice))).await;
    let shown = async |status| walk(store, alice, status, 10).await;
    let both = vec![record.id, other.id];
    eventually(both.clone(), || shown(None)).await;
    let available = Transition::available(object(), None);
    store.transition(record.id, &available).await.unwrap();
    eventually(both, || shown(None)).await;
    eventually(vec![record.id], || shown(Some(Status::Available))).await;
    eventually(vec![other.id], || shown(Some(Status::Pending))).await;
    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    eventually(vec![other.id], || shown(None)).await;
}
