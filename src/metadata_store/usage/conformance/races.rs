//! Many at once who want a part of what one person may have, or give it back.
//!
//! Invariant: whatever the order turns out to be, somebody's usage is at each moment what their files come to.

use std::sync::Arc;
use std::time::Duration;

use super::{Whole, has, new_owner, of_bytes, of_files, owned, put, put_new, recounted, usage};
use crate::domain::{FileRecord, Quota, UserId};
use crate::metadata_store::conformance::races::{all_at_once, end_all_at_once};
use crate::metadata_store::conformance::{GRACE, every_settlement, far_expiry, moment};
use crate::metadata_store::usage::ChargedInsert;
use crate::metadata_store::{MetadataStore, StoreError};

/// How often an end is tried that met others at the same items.
const MAX_TRIES: usize = 50;

pub async fn of_many_ends_of_one_record_it_is_given_back_once<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    put_new(&**store, owner, 5).await;
    let record = put_new(&**store, owner, 70).await;
    end_all_at_once(store, &record).await;
    assert_eq!(usage(&**store, owner).await, has(1, 5));
}

/// So many racers, of which every fourth dies at some moment: which of them have a record, and how many were told so.
async fn race<S: Whole>(
    store: &Arc<S>,
    owner: UserId,
    (racers, bytes): (usize, u64),
    quota: Quota,
) -> (usize, usize) {
    let answers = all_at_once((0..racers).map(|racer| {
        let store = Arc::clone(store);
        async move {
            let record = owned(owner, bytes);
            let limit = match racer % 4 {
                0 => Duration::from_millis(fastrand::u64(0..20)),
                _ => Duration::from_secs(60),
            };
            let answer = tokio::time::timeout(limit, put(&*store, &record, &quota)).await;
            (record.id, answer.ok())
        }
    }))
    .await;
    let (mut there, mut told) = (0, 0);
    for (id, answer) in answers {
        let is_there = store.get(id).await.unwrap().is_some();
        there += usize::from(is_there);
        match answer {
            Some(ChargedInsert::Inserted) => {
                assert!(is_there);
                told += 1;
            }
            Some(ChargedInsert::QuotaExceeded) => assert!(!is_there),
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    (there, told)
}

pub async fn of_many_racers_for_few_places_exactly_so_many_get_one<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    let quota = of_files(6);
    let (there, _) = race(store, owner, (40, 10), quota).await;
    // Of those that died some may be carried out later still.
    assert!(there <= 6, "{there} records are there");
    while put(&**store, &owned(owner, 10), &quota).await == ChargedInsert::Inserted {}
    assert_eq!(usage(&**store, owner).await, has(6, 60));
}

pub async fn of_many_racers_for_few_bytes_no_more_than_fit_are_there<S: Whole>(store: &Arc<S>) {
    let owner = new_owner();
    // Six fit, and a half.
    let quota = of_bytes(65);
    let (there, told) = race(store, owner, (40, 10), quota).await;
    assert!(there <= 6 && told <= there, "{told} of {there}");
    while put(&**store, &owned(owner, 10), &quota).await == ChargedInsert::Inserted {}
    assert_eq!(usage(&**store, owner).await, has(6, 60));
    assert_eq!(
        put(&**store, &owned(owner, 5), &quota).await,
        ChargedInsert::Inserted
    );
}

/// How a racer ends a file.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Deleted,
    Expired,
    Rejected,
}

/// Ends the file, unless somebody was faster. Tries again where others were at the same items each time.
async fn end<S: MetadataStore>(store: &S, record: &FileRecord, ending: Ending) {
    let [_, rejected, expired] = every_settlement(record);
    for _ in 0..MAX_TRIES {
        let ended = match ending {
            Ending::Deleted => {
                let deleting = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
                deleting.await.map(drop)
            }
            Ending::Expired => store.transition(record.id, &expired).await.map(drop),
            Ending::Rejected => store.transition(record.id, &rejected).await.map(drop),
        };
        match ended {
            Ok(()) => return,
            Err(StoreError::Unavailable { .. }) => {}
            Err(other) => panic!("{}", other.chain()),
        }
    }
    panic!("others were faster {MAX_TRIES} times");
}

/// One of those who race for somebody's places.
enum Racer {
    Ends(FileRecord, Ending),
    Creates(FileRecord),
    Looks,
}

pub async fn of_a_delete_an_expiry_and_a_rejection_that_race_creates_the_usage_is_what_the_files_say<
    S: Whole,
>(
    store: &Arc<S>,
) {
    const PLACES: u64 = 9;
    const BYTES: u64 = 10;
    let owner = new_owner();
    let quota = Quota {
        max_files: Some(PLACES),
        max_bytes: Some(PLACES * BYTES),
    };
    let full = has(PLACES, PLACES * BYTES);
    let (mut ending, mut racers) = (Vec::new(), Vec::new());
    let pairs = [
        [Ending::Deleted, Ending::Expired],
        [Ending::Expired, Ending::Rejected],
        [Ending::Rejected, Ending::Deleted],
    ];
    for (_, pair) in (0..PLACES).zip(pairs.iter().cycle()) {
        let record = owned(owner, BYTES);
        let made = put(&**store, &record, &quota).await;
        assert_eq!(made, ChargedInsert::Inserted);
        racers.push(Racer::Creates(owned(owner, BYTES)));
        racers.extend(pair.map(|ending| Racer::Ends(record.clone(), ending)));
        racers.push(Racer::Creates(owned(owner, BYTES)));
        racers.push(Racer::Looks);
        ending.push(record);
    }
    let created = all_at_once(racers.into_iter().map(|racer| {
        let store = Arc::clone(store);
        async move {
            match racer {
                Racer::Ends(record, ending) => end(&*store, &record, ending).await,
                Racer::Creates(record) => {
                    let answer = put(&*store, &record, &quota).await;
                    return Some((record.id, answer));
                }
                Racer::Looks => {
                    let seen = usage(&*store, owner).await;
                    assert!(seen.files <= PLACES && seen.bytes <= full.bytes, "{seen:?}");
                }
            }
            None
        }
    }))
    .await;
    for record in ending {
        let status = store.get(record.id).await.unwrap().unwrap().status();
        assert!(!status.may_have_bytes(), "{status:?}");
    }
    let mut there = 0;
    for (id, answer) in created.into_iter().flatten() {
        let is_there = store.get(id).await.unwrap().is_some();
        assert_eq!(is_there, answer == ChargedInsert::Inserted, "{answer:?}");
        there += u64::from(is_there);
    }
    assert_eq!(usage(&**store, owner).await, has(there, there * BYTES));
    // All places are free again that no file has, and no other.
    let mut more = 0;
    while put(&**store, &owned(owner, BYTES), &quota).await == ChargedInsert::Inserted {
        more += 1;
    }
    assert_eq!(there + more, PLACES);
    let found = recounted(&**store, owner).await;
    assert!(found.is_right(), "{found:?}");
    assert_eq!(found.counted, full);
}
