//! The suite that every [`HandInStore`] passes, on a store that has the records too.
//!
//! Invariant: a behaviour asserts what the port says, and nothing about how a store does it. Each has boxes of its
//! own, so it stands whatever else lies in the same table.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails where it unwraps"
)]
#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

use std::any::Any;
use std::sync::Arc;

use super::super::conformance::races::{all_at_once, end_all_at_once};
use super::super::conformance::{
    GRACE, eventually, every_settlement, far_expiry, keyed_request, moment, object, pending,
    withdrawn,
};
use super::{HandInInsert, HandInStore};
use crate::domain::{
    BoxId, FileId, FileRecord, HandIn, Submitter, SubmitterName, Transition, UserId,
};
use crate::metadata_store::{MetadataStore, PageRequest, StoreError, TransitionOutcome};

/// A store for one test, with whatever must live as long as it does.
pub struct Opened<S> {
    pub store: Arc<S>,
    /// Dropped last.
    pub keep: Box<dyn Any + Send>,
}

/// Makes one test of every behaviour. `$open` is an `async fn() -> Opened<S>`.
#[macro_export]
macro_rules! hand_in_store_conformance {
    ($open:path) => {
        $crate::hand_in_store_conformance! { @tests $open;
            a_file_that_is_handed_in_lies_in_its_box_and_in_no_list_of_its_owner
            what_was_handed_in_reads_back
            of_many_hand_ins_for_few_places_exactly_so_many_are_taken
            a_file_that_ends_gives_its_place_back_once_however_it_ends
            of_many_ends_of_one_file_one_place_comes_back
            nothing_is_handed_in_to_a_box_that_is_shut_or_was_never_opened
            a_file_of_a_box_that_is_shut_ends_like_any_other
            a_key_names_the_first_hand_in_also_of_a_full_box
            a_file_that_left_its_box_is_in_the_list_of_its_owner
            pages_of_a_box_hold_each_of_its_files_once
        }
    };
    (@tests $open:path; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let opened = $open().await;
                $crate::metadata_store::hand_ins::conformance::$behaviour(&opened.store).await;
                drop(opened);
            }
        )*
    };
}

const MANY: u32 = 1_000;

fn new_box() -> BoxId {
    let mut bytes = [0; 14];
    bytes.fill_with(|| fastrand::u8(..));
    BoxId::from_bytes(bytes)
}

fn new_owner() -> UserId {
    UserId::of("https://id.example.org", &fastrand::u64(..).to_string())
}

fn ada() -> Submitter {
    Submitter::Named(SubmitterName::given("Ada Lovelace").unwrap())
}

fn handed_in(id: BoxId) -> FileRecord {
    pending(0).handed_in(Some(HandIn {
        in_box: Some(id),
        submitter: ada(),
    }))
}

async fn put<S: HandInStore>(store: &S, record: &FileRecord, max_files: u32) -> HandInInsert {
    let inserting = store.insert_hand_in(record, None, max_files, moment(0));
    inserting.await.unwrap()
}

async fn open_box<S: HandInStore>(store: &S) -> BoxId {
    let id = new_box();
    store.open_box(id).await.unwrap();
    id
}

async fn in_box<S: HandInStore>(store: &S, id: BoxId) -> Vec<FileId> {
    let page = store.box_page(id, None, 100).await.unwrap();
    page.records.iter().map(|record| record.id).collect()
}

async fn of_owner<S: MetadataStore>(store: &S, owner: UserId) -> Vec<FileId> {
    let request = PageRequest {
        owner: Some(owner),
        status: None,
        before: None,
        limit: 100,
    };
    let page = store.page(request).await.unwrap();
    page.records.iter().map(|record| record.id).collect()
}

/// How many of so many places are free, by taking them.
async fn free_places<S: HandInStore>(store: &S, id: BoxId, max_files: u32) -> u32 {
    let mut free = 0;
    loop {
        match put(store, &handed_in(id), max_files).await {
            HandInInsert::Inserted => free += 1,
            HandInInsert::BoxFull => return free,
            other => panic!("{other:?}"),
        }
    }
}

pub async fn a_file_that_is_handed_in_lies_in_its_box_and_in_no_list_of_its_owner<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let (id, owner) = (open_box(&**store).await, new_owner());
    let own = pending(0).owned_by(Some(owner));
    store.insert(&own).await.unwrap();
    let record = handed_in(id).owned_by(Some(owner));
    assert_eq!(put(&**store, &record, MANY).await, HandInInsert::Inserted);
    eventually(vec![record.id], || in_box(&**store, id)).await;
    eventually(vec![own.id], || of_owner(&**store, owner)).await;
    let available = Transition::available(object(), None);
    store.transition(record.id, &available).await.unwrap();
    eventually(vec![record.id], || in_box(&**store, id)).await;
    assert_eq!(of_owner(&**store, owner).await, [own.id]);
    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    eventually(vec![], || in_box(&**store, id)).await;
    assert_eq!(of_owner(&**store, owner).await, [own.id]);
}

pub async fn what_was_handed_in_reads_back<S: MetadataStore + HandInStore>(store: &Arc<S>) {
    let id = open_box(&**store).await;
    let user = new_owner();
    let name = SubmitterName::given("Зоя Ёлкина").unwrap();
    for submitter in [
        ada(),
        Submitter::SignedIn {
            id: user,
            name: None,
        },
        Submitter::SignedIn {
            id: user,
            name: Some(name),
        },
    ] {
        let record = pending(0).owned_by(Some(user)).handed_in(Some(HandIn {
            in_box: Some(id),
            submitter,
        }));
        put(&**store, &record, MANY).await;
        assert_eq!(store.get(record.id).await.unwrap(), Some(record.clone()));
        let again = store.insert_hand_in(&record, None, MANY, moment(0)).await;
        assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    }
}

pub async fn of_many_hand_ins_for_few_places_exactly_so_many_are_taken<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore + 'static,
{
    const RACERS: usize = 40;
    const PLACES: u32 = 6;
    let id = open_box(&**store).await;
    let answers = all_at_once((0..RACERS).map(|racer| {
        let store = Arc::clone(store);
        async move {
            let record = handed_in(id);
            let racing = async {
                loop {
                    match store.insert_hand_in(&record, None, PLACES, moment(0)).await {
                        Ok(answer) => return answer,
                        // Others were faster each time.
                        Err(StoreError::Unavailable { .. }) => {}
                        Err(other) => panic!("{}", other.chain()),
                    }
                }
            };
            // Every fourth dies at some moment, and hears nothing.
            let limit = match racer % 4 {
                0 => std::time::Duration::from_millis(fastrand::u64(0..20)),
                _ => std::time::Duration::from_secs(60),
            };
            let answer = tokio::time::timeout(limit, racing).await;
            (record.id, answer.ok())
        }
    }))
    .await;
    let mut there = 0;
    for (record, answer) in &answers {
        let is_there = store.get(*record).await.unwrap().is_some();
        there += u32::from(is_there);
        match answer {
            Some(HandInInsert::Inserted) => assert!(is_there),
            Some(HandInInsert::BoxFull) => assert!(!is_there),
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    // Of those that died some may be carried out later still.
    assert!(there <= PLACES, "{there} places were taken");
    free_places(&**store, id, PLACES).await;
    let mut before = None;
    let mut held = 0;
    loop {
        let page = store.box_page(id, before, 100).await.unwrap();
        held += page.records.len();
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert!(held <= PLACES as usize, "{held} places were taken");
    eventually(PLACES as usize, || async {
        in_box(&**store, id).await.len()
    })
    .await;
}

pub async fn a_file_that_ends_gives_its_place_back_once_however_it_ends<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let id = open_box(&**store).await;
    let places = 5;
    let mut records = Vec::new();
    for _ in 0..places {
        let record = handed_in(id);
        assert_eq!(put(&**store, &record, places).await, HandInInsert::Inserted);
        records.push(record);
    }
    assert_eq!(free_places(&**store, id, places).await, 0);
    let [available, rejected, expired] = every_settlement(&records[0]);
    // An available file holds its place still.
    let ends = [&available, &available, &rejected, &expired];
    for (record, transition) in records.iter().zip(ends) {
        let outcome = store.transition(record.id, transition).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Applied);
    }
    assert_eq!(free_places(&**store, id, places).await, 2);
    // One that is withdrawn doesn't.
    let outcome = store.transition(records[0].id, &withdrawn()).await;
    assert_eq!(outcome.unwrap(), TransitionOutcome::Applied);
    assert_eq!(free_places(&**store, id, places).await, 1);
    // One that was available, one that was pending, and those that had ended.
    for record in &records[1..] {
        for is_first in [true, false] {
            let deleted = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
            assert_eq!(deleted.await.unwrap(), is_first);
        }
    }
    assert_eq!(free_places(&**store, id, places).await, 2);
    for record in &records[1..] {
        let read = store.get(record.id).await.unwrap().unwrap();
        assert_eq!(read.hand_in, record.hand_in, "who it was is still known");
    }
}

pub async fn of_many_ends_of_one_file_one_place_comes_back<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore + 'static,
{
    let id = open_box(&**store).await;
    let record = handed_in(id);
    put(&**store, &record, 3).await;
    assert_eq!(free_places(&**store, id, 3).await, 2);
    end_all_at_once(store, &record).await;
    assert_eq!(free_places(&**store, id, 3).await, 1);
}

pub async fn nothing_is_handed_in_to_a_box_that_is_shut_or_was_never_opened<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let never = handed_in(new_box());
    assert_eq!(put(&**store, &never, MANY).await, HandInInsert::BoxShut);
    let of_none = pending(0);
    assert_eq!(put(&**store, &of_none, MANY).await, HandInInsert::BoxShut);
    let id = open_box(&**store).await;
    store.open_box(id).await.unwrap();
    let record = handed_in(id);
    assert_eq!(put(&**store, &record, 1).await, HandInInsert::Inserted);
    // To open it again gives no place back.
    store.open_box(id).await.unwrap();
    assert_eq!(
        put(&**store, &handed_in(id), 1).await,
        HandInInsert::BoxFull
    );
    for _ in 0..2 {
        store.shut_box(id).await.unwrap();
        let late = handed_in(id);
        assert_eq!(put(&**store, &late, MANY).await, HandInInsert::BoxShut);
        assert_eq!(store.get(late.id).await.unwrap(), None);
    }
    eventually(vec![record.id], || in_box(&**store, id)).await;
}

pub async fn a_file_of_a_box_that_is_shut_ends_like_any_other<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let id = open_box(&**store).await;
    let records = [handed_in(id), handed_in(id)];
    for record in &records {
        put(&**store, record, MANY).await;
    }
    store.shut_box(id).await.unwrap();
    let [_, rejected, _] = every_settlement(&records[0]);
    let outcome = store.transition(records[0].id, &rejected).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Applied);
    for record in &records {
        let deleted = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
        assert!(deleted.await.unwrap());
    }
    eventually(vec![], || in_box(&**store, id)).await;
}

pub async fn a_key_names_the_first_hand_in_also_of_a_full_box<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let id = open_box(&**store).await;
    let key = keyed_request(&format!("key-of-{id}"), 7);
    let first = handed_in(id);
    let put = async |record: &FileRecord| {
        let inserting = store.insert_hand_in(record, Some(&key), 1, moment(0));
        inserting.await.unwrap()
    };
    assert_eq!(put(&first).await, HandInInsert::Inserted);
    for shut in [false, true] {
        if shut {
            store.shut_box(id).await.unwrap();
        }
        let second = handed_in(id);
        match put(&second).await {
            HandInInsert::KeyTaken(earlier) => {
                assert_eq!(
                    (earlier.id, earlier.fingerprint),
                    (first.id, key.fingerprint)
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.get(second.id).await.unwrap(), None);
    }
    // Nothing was kept of a key that came with what wasn't taken.
    let key = keyed_request(&format!("another-key-of-{id}"), 7);
    let record = handed_in(open_box(&**store).await);
    for (max_files, expected) in [(0, HandInInsert::BoxFull), (1, HandInInsert::Inserted)] {
        let inserting = store.insert_hand_in(&record, Some(&key), max_files, moment(0));
        assert_eq!(inserting.await.unwrap(), expected);
    }
}

pub async fn a_file_that_left_its_box_is_in_the_list_of_its_owner<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let (id, owner) = (open_box(&**store).await, new_owner());
    let record = handed_in(id).owned_by(Some(owner));
    let of_operator = handed_in(id);
    let gone = handed_in(id).owned_by(Some(owner));
    for record in [&record, &of_operator, &gone] {
        put(&**store, record, MANY).await;
    }
    store
        .delete(gone.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    store.shut_box(id).await.unwrap();
    for (record, leaves) in [(&record, true), (&of_operator, true), (&gone, false)] {
        let elsewhere = store.leave_box(record.id, new_box(), record.owner);
        assert!(!elsewhere.await.unwrap());
        let left = store.leave_box(record.id, id, record.owner).await.unwrap();
        assert_eq!(left, leaves);
        let again = store.leave_box(record.id, id, record.owner).await.unwrap();
        assert!(!again);
    }
    eventually(vec![], || in_box(&**store, id)).await;
    eventually(vec![record.id], || of_owner(&**store, owner)).await;
    let left = store.get(record.id).await.unwrap().unwrap();
    let hand_in = left.hand_in.clone().unwrap();
    assert_eq!((hand_in.in_box, hand_in.submitter), (None, ada()));
    // It goes on with its life.
    let available = Transition::available(object(), None);
    let outcome = store.transition(record.id, &available).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Applied);
    eventually(vec![record.id], || of_owner(&**store, owner)).await;
}

pub async fn pages_of_a_box_hold_each_of_its_files_once<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore,
{
    let (id, other) = (open_box(&**store).await, open_box(&**store).await);
    let mut expected = Vec::new();
    for _ in 0..11 {
        let record = handed_in(id);
        put(&**store, &record, MANY).await;
        put(&**store, &handed_in(other), MANY).await;
        expected.push(record.id);
    }
    expected.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [1, 4, 11, 100] {
        eventually(expected.clone(), || async {
            let (mut ids, mut before) = (Vec::new(), None);
            loop {
                let page = store.box_page(id, before, limit).await.unwrap();
                assert!(page.records.len() <= limit);
                ids.extend(page.records.iter().map(|record| record.id));
                before = page.next;
                if before.is_none() {
                    return ids;
                }
            }
        })
        .await;
    }
}
