//! The suite that every [`UsageStore`] passes, on a store that has the records, boxes and messages too.
//!
//! Invariant: a behaviour asserts what the port says, and nothing about how a store does it. Each has people of its
//! own, so it stands whatever else lies in the same table.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails where it unwraps"
)]
#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

mod races;

use std::any::Any;
use std::sync::Arc;

use super::super::conformance::{
    GRACE, every_settlement, far_expiry, keyed_request, moment, object, pending, withdrawn,
};
use super::super::hand_ins::HandInStore;
use super::super::outbox::{Message, MessageId, Outbox};
use super::super::{MetadataStore, StoreError, TransitionOutcome};
use super::{ChargedInsert, NewRecord, Recounted, UsageStore};
use crate::domain::{
    BoxId, Declaration, FileRecord, HandIn, KeyedRequest, Quota, Submitter, SubmitterName,
    Transition, Usage, UserId,
};
pub use races::*;

/// A store for one test, with whatever must live as long as it does.
pub struct Opened<S> {
    pub store: Arc<S>,
    /// Dropped last.
    pub keep: Box<dyn Any + Send>,
}

/// All that a behaviour needs of a store.
pub trait Whole: MetadataStore + HandInStore + Outbox + UsageStore + 'static {}
impl<S: MetadataStore + HandInStore + Outbox + UsageStore + 'static> Whole for S {}

/// Makes one test of every behaviour. `$open` is an `async fn() -> Opened<S>`, for a store that keeps usage.
#[macro_export]
macro_rules! usage_conformance {
    ($open:path) => {
        $crate::usage_conformance! { @tests $open;
            a_record_counts_with_its_length_while_it_may_have_bytes
            however_a_record_ends_it_is_given_back_once
            a_record_that_ends_with_a_message_is_given_back_too
            of_many_ends_of_one_record_it_is_given_back_once
            what_does_not_fit_is_refused_and_nothing_is_written
            of_many_racers_for_few_places_exactly_so_many_get_one
            of_many_racers_for_few_bytes_no_more_than_fit_are_there
            of_a_delete_an_expiry_and_a_rejection_that_race_creates_the_usage_is_what_the_files_say
            a_key_that_is_taken_is_told_before_a_quota_and_charges_nothing
            a_hand_in_is_charged_to_the_owner_of_its_box
            a_file_that_left_its_box_is_still_given_back
            what_belongs_to_nobody_is_charged_to_nobody
            a_recount_finds_what_is_kept_to_be_right
            what_is_off_is_found_and_mended_by_the_difference
            what_was_made_while_nobody_had_a_quota_counts_once_it_is_charged
        }
    };
    (@tests $open:path; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let opened = $open().await;
                $crate::metadata_store::usage::conformance::$behaviour(&opened.store).await;
                drop(opened);
            }
        )*
    };
}

const NO_LIMIT: Quota = Quota {
    max_files: None,
    max_bytes: None,
};

fn of_files(max_files: u64) -> Quota {
    Quota {
        max_files: Some(max_files),
        max_bytes: None,
    }
}

fn of_bytes(max_bytes: u64) -> Quota {
    Quota {
        max_files: None,
        max_bytes: Some(max_bytes),
    }
}

fn has(files: u64, bytes: u64) -> Usage {
    Usage { files, bytes }
}

fn new_owner() -> UserId {
    UserId::of("https://id.example.org", &fastrand::u64(..).to_string())
}

fn owned(owner: UserId, bytes: u64) -> FileRecord {
    let declared = Declaration::sample().of_length(bytes);
    FileRecord::sample_of(moment(0), declared).owned_by(Some(owner))
}

fn new(record: &FileRecord) -> NewRecord<'_> {
    NewRecord {
        record,
        request: None,
        max_files_in_box: None,
        now: moment(0),
    }
}

fn keyed<'a>(record: &'a FileRecord, request: &'a KeyedRequest) -> NewRecord<'a> {
    NewRecord {
        request: Some(request),
        ..new(record)
    }
}

/// Tries again where others were faster each time.
async fn put<S: UsageStore>(store: &S, record: &FileRecord, quota: &Quota) -> ChargedInsert {
    loop {
        match store.insert_charged(new(record), quota).await {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable { .. }) => {}
            Err(other) => panic!("{}", other.chain()),
        }
    }
}

async fn put_new<S: UsageStore>(store: &S, owner: UserId, bytes: u64) -> FileRecord {
    let record = owned(owner, bytes);
    assert_eq!(
        put(store, &record, &NO_LIMIT).await,
        ChargedInsert::Inserted
    );
    record
}

async fn usage<S: UsageStore>(store: &S, owner: UserId) -> Usage {
    store.usage(owner).await.unwrap()
}

async fn delete<S: MetadataStore>(store: &S, record: &FileRecord) -> bool {
    let deleting = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
    deleting.await.unwrap()
}

pub async fn a_record_counts_with_its_length_while_it_may_have_bytes<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    assert_eq!(usage(&**store, owner).await, has(0, 0));
    let first = put_new(&**store, owner, 1_000).await;
    assert_eq!(store.get(first.id).await.unwrap(), Some(first.clone()));
    let empty = put_new(&**store, owner, 0).await;
    put_new(&**store, new_owner(), 7).await;
    assert_eq!(usage(&**store, owner).await, has(2, 1_000));
    let available = Transition::available(object(), None);
    let made = store.transition(first.id, &available).await.unwrap();
    assert_eq!(made, TransitionOutcome::Applied);
    assert_eq!(usage(&**store, owner).await, has(2, 1_000));
    assert!(delete(&**store, &empty).await);
    assert_eq!(usage(&**store, owner).await, has(1, 1_000));
}

pub async fn however_a_record_ends_it_is_given_back_once<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    let mut records = Vec::new();
    for bytes in [1, 10, 100, 1_000, 10_000, 100_000] {
        records.push(put_new(&**store, owner, bytes).await);
    }
    let [available, _, _] = every_settlement(&records[0]);
    let [_, rejected, expired] = every_settlement(&records[3]);
    for (record, settlement, left) in [
        (&records[5], &available, has(6, 111_111)),
        (&records[5], &withdrawn(), has(5, 11_111)),
        (&records[1], &available, has(5, 11_111)),
        (&records[2], &rejected, has(4, 11_011)),
        (&records[3], &expired, has(3, 10_011)),
    ] {
        for expected in [TransitionOutcome::Applied, TransitionOutcome::Unchanged] {
            let made = store.transition(record.id, settlement).await.unwrap();
            assert_eq!(made, expected);
            assert_eq!(usage(&**store, owner).await, left);
        }
    }
    // Withdrawn, available, rejected, expired, pending.
    for (record, left) in [
        (&records[5], has(3, 10_011)),
        (&records[1], has(2, 10_001)),
        (&records[2], has(2, 10_001)),
        (&records[3], has(2, 10_001)),
        (&records[4], has(1, 1)),
    ] {
        for is_first in [true, false] {
            assert_eq!(delete(&**store, record).await, is_first);
            assert_eq!(usage(&**store, owner).await, left);
        }
    }
}

pub async fn a_record_that_ends_with_a_message_is_given_back_too<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    let [deleted, rejected, made] = [
        put_new(&**store, owner, 1).await,
        put_new(&**store, owner, 10).await,
        put_new(&**store, owner, 100).await,
    ];
    let message = || {
        let id = MessageId::parse(&format!("msg_{:016x}", fastrand::u64(..))).unwrap();
        [Message::new(id, "{}".into(), moment(0)).unwrap()]
    };
    let [_, rejection, _] = every_settlement(&rejected);
    let available = Transition::available(object(), None);
    for (record, transition) in [(&rejected, &rejection), (&made, &available)] {
        let told = store
            .transition_told(record.id, transition, &message())
            .await;
        assert_eq!(told.unwrap(), TransitionOutcome::Applied);
    }
    assert_eq!(usage(&**store, owner).await, has(2, 101));
    for is_first in [true, false] {
        let messages = message();
        let told = store.delete_told(
            deleted.id,
            moment(1),
            far_expiry(),
            GRACE,
            moment(1),
            &messages,
        );
        assert_eq!(told.await.unwrap(), is_first);
        assert_eq!(usage(&**store, owner).await, has(1, 100));
    }
}

pub async fn what_does_not_fit_is_refused_and_nothing_is_written<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    for (bytes, quota) in [(101, of_bytes(100)), (20 * 1024 * 1024, of_bytes(100))] {
        let alone = owned(owner, bytes);
        let answer = put(&**store, &alone, &quota).await;
        assert_eq!(answer, ChargedInsert::QuotaExceeded, "{bytes} bytes");
        assert_eq!(store.get(alone.id).await.unwrap(), None);
    }
    let first = owned(owner, 60);
    assert_eq!(
        put(&**store, &first, &of_bytes(100)).await,
        ChargedInsert::Inserted
    );
    let again = store.insert_charged(new(&first), &NO_LIMIT).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    for (record, quota, expected) in [
        (
            owned(owner, 41),
            of_bytes(100),
            ChargedInsert::QuotaExceeded,
        ),
        (owned(owner, 0), of_files(1), ChargedInsert::QuotaExceeded),
        (owned(owner, 40), of_bytes(100), ChargedInsert::Inserted),
        (owned(owner, 0), of_bytes(100), ChargedInsert::Inserted),
        (owned(owner, 1), of_bytes(100), ChargedInsert::QuotaExceeded),
        // Whoever has more than they may is refused, whatever it would be.
        (owned(owner, 0), of_bytes(99), ChargedInsert::QuotaExceeded),
        (owned(owner, 1_000), of_files(4), ChargedInsert::Inserted),
    ] {
        assert_eq!(put(&**store, &record, &quota).await, expected, "{quota:?}");
        let is_there = store.get(record.id).await.unwrap().is_some();
        assert_eq!(is_there, expected == ChargedInsert::Inserted);
    }
    assert_eq!(usage(&**store, owner).await, has(4, 1_100));
    assert!(delete(&**store, &first).await);
    let now = owned(owner, 60);
    assert_eq!(
        put(&**store, &now, &of_bytes(1_100)).await,
        ChargedInsert::Inserted
    );
}

pub async fn a_key_that_is_taken_is_told_before_a_quota_and_charges_nothing<S: Whole>(
    store: &Arc<S>,
) {
    let owner = new_owner();
    let request = keyed_request(&new_owner().to_string(), 60);
    let first = owned(owner, 10);
    let inserting = store
        .insert_charged(keyed(&first, &request), &of_files(1))
        .await;
    assert_eq!(inserting.unwrap(), ChargedInsert::Inserted);
    for (bytes, quota) in [(10, of_files(1)), (10, NO_LIMIT), (10_000, of_bytes(10))] {
        let again = owned(owner, bytes);
        match store
            .insert_charged(keyed(&again, &request), &quota)
            .await
            .unwrap()
        {
            ChargedInsert::KeyTaken(earlier) => {
                assert_eq!(earlier.id, first.id);
                assert_eq!(earlier.fingerprint, request.fingerprint);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.get(again.id).await.unwrap(), None);
    }
    assert_eq!(usage(&**store, owner).await, has(1, 10));
    // What is refused leaves its key free.
    let other = keyed_request(&new_owner().to_string(), 60);
    let late = owned(owner, 5);
    let late = keyed(&late, &other);
    let refused = store.insert_charged(late, &of_files(1)).await.unwrap();
    assert_eq!(refused, ChargedInsert::QuotaExceeded);
    let taken = store.insert_charged(late, &NO_LIMIT).await.unwrap();
    assert_eq!(taken, ChargedInsert::Inserted);
}

fn handed_in(owner: UserId, id: BoxId, bytes: u64) -> FileRecord {
    let submitter = Submitter::Named(SubmitterName::given("Ada Lovelace").unwrap());
    owned(owner, bytes).handed_in(Some(HandIn {
        in_box: Some(id),
        submitter,
    }))
}

async fn open_box<S: HandInStore>(store: &S) -> BoxId {
    let mut bytes = [0; 14];
    bytes.fill_with(|| fastrand::u8(..));
    let id = BoxId::from_bytes(bytes);
    store.open_box(id).await.unwrap();
    id
}

pub async fn a_hand_in_is_charged_to_the_owner_of_its_box<S: Whole>(store: &Arc<S>) {
    let (owner, id) = (new_owner(), open_box(&**store).await);
    let hand_in = |record, max_files| NewRecord {
        max_files_in_box: Some(max_files),
        ..new(record)
    };
    let first = handed_in(owner, id, 10);
    let second = handed_in(owner, id, 20);
    for (record, max_files, quota, expected) in [
        (&first, 2, of_bytes(30), ChargedInsert::Inserted),
        // The box is told before the quota.
        (&second, 1, of_bytes(10), ChargedInsert::BoxFull),
        (&second, 2, of_bytes(29), ChargedInsert::QuotaExceeded),
        (&second, 2, of_bytes(30), ChargedInsert::Inserted),
    ] {
        let answer = store
            .insert_charged(hand_in(record, max_files), &quota)
            .await;
        assert_eq!(answer.unwrap(), expected);
    }
    assert_eq!(usage(&**store, owner).await, has(2, 30));
    // Place and charge go together.
    assert!(delete(&**store, &first).await);
    assert_eq!(usage(&**store, owner).await, has(1, 20));
    let third = handed_in(owner, id, 5);
    let answer = store
        .insert_charged(hand_in(&third, 2), &of_bytes(25))
        .await;
    assert_eq!(answer.unwrap(), ChargedInsert::Inserted);
    store.shut_box(id).await.unwrap();
    let late = handed_in(owner, id, 5);
    let answer = store.insert_charged(hand_in(&late, 9), &of_bytes(1)).await;
    assert_eq!(answer.unwrap(), ChargedInsert::BoxShut);
    assert!(delete(&**store, &second).await);
    assert_eq!(usage(&**store, owner).await, has(1, 5));
}

pub async fn a_file_that_left_its_box_is_still_given_back<S: Whole>(store: &Arc<S>) {
    let (owner, id) = (new_owner(), open_box(&**store).await);
    let record = handed_in(owner, id, 10);
    let hand_in = NewRecord {
        max_files_in_box: Some(3),
        ..new(&record)
    };
    store.insert_charged(hand_in, &NO_LIMIT).await.unwrap();
    assert!(store.leave_box(record.id, id, Some(owner)).await.unwrap());
    assert_eq!(usage(&**store, owner).await, has(1, 10));
    assert!(delete(&**store, &record).await);
    assert_eq!(usage(&**store, owner).await, has(0, 0));
}

pub async fn what_belongs_to_nobody_is_charged_to_nobody<S: Whole>(store: &Arc<S>) {
    let record = pending(0);
    let answer = store
        .insert_charged(new(&record), &of_bytes(1))
        .await
        .unwrap();
    assert_eq!(answer, ChargedInsert::Inserted);
    assert_eq!(store.get(record.id).await.unwrap(), Some(record.clone()));
    assert!(delete(&**store, &record).await);
}

pub async fn a_recount_finds_what_is_kept_to_be_right<S: Whole>(store: &Arc<S>) {
    let (owner, other) = (new_owner(), new_owner());
    let gone = put_new(&**store, other, 3).await;
    put_new(&**store, owner, 10).await;
    put_new(&**store, owner, 20).await;
    assert!(delete(&**store, &gone).await);
    store.charge_all().await.unwrap();
    let found = store.recount().await.unwrap();
    let of = |one| found.iter().filter(move |it| it.owner == one);
    let of_owner: Vec<_> = of(owner).collect();
    assert_eq!(of_owner.len(), 1);
    assert!(of_owner[0].is_right(), "{of_owner:?}");
    assert_eq!(of_owner[0].counted, has(2, 30));
    assert!(of(other).all(|it| it.is_right() && it.kept == has(0, 0)));
}

async fn recounted<S: UsageStore>(store: &S, owner: UserId) -> Recounted {
    let found = store.recount().await.unwrap();
    found.into_iter().find(|it| it.owner == owner).unwrap()
}

pub async fn what_is_off_is_found_and_mended_by_the_difference<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    put_new(&**store, owner, 10).await;
    // As if two files more had been found, which puts it off.
    let off = Recounted {
        owner,
        kept: has(1, 10),
        counted: has(3, 60),
        uncharged: 0,
    };
    store.mend_usage(&off).await.unwrap();
    assert_eq!(usage(&**store, owner).await, has(3, 60));
    let found = recounted(&**store, owner).await;
    assert!(!found.is_right(), "{found:?}");
    assert_eq!((found.kept, found.counted), (has(3, 60), has(1, 10)));
    // Meanwhile somebody goes on.
    put_new(&**store, owner, 100).await;
    store.mend_usage(&found).await.unwrap();
    assert_eq!(usage(&**store, owner).await, has(2, 110));
    let found = recounted(&**store, owner).await;
    assert!(found.is_right(), "{found:?}");
}

pub async fn what_was_made_while_nobody_had_a_quota_counts_once_it_is_charged<S: Whole>(
    store: &Arc<S>,
) {
    let owner = new_owner();
    let [living, over] = [owned(owner, 10), owned(owner, 20)];
    store.insert(&living).await.unwrap();
    store.insert(&over).await.unwrap();
    assert!(delete(&**store, &over).await);
    put_new(&**store, owner, 100).await;
    store.charge_all().await.unwrap();
    assert_eq!(usage(&**store, owner).await, has(2, 110));
    // Once.
    assert_eq!(store.charge_all().await.unwrap(), 0);
    assert_eq!(usage(&**store, owner).await, has(2, 110));
    assert!(recounted(&**store, owner).await.is_right());
    assert!(delete(&**store, &living).await);
    assert_eq!(usage(&**store, owner).await, has(1, 100));
}
