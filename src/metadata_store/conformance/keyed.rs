//! Inserts with an idempotency key.

use std::sync::Arc;

use super::races::{WRITERS, all_at_once};
use super::{GRACE, far_expiry, insert, moment, pending, stored};
use crate::domain::{FileRecord, IdempotencyKey, KeyedRequest, Sha256Digest};
use crate::metadata_store::{EarlierRequest, KeyedInsert, MetadataStore, StoreError};

type Store = Arc<dyn MetadataStore>;

/// A request under a key made of `name`, which is free again at `moment(seconds)`.
pub fn keyed_request(name: &str, seconds: i64) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(name).expect("a valid key"),
        fingerprint: Sha256Digest::from_bytes([7; 32]),
        expires_at: moment(seconds),
    }
}

/// A key that nobody else has, for a store that others use too.
fn own_request() -> KeyedRequest {
    keyed_request(&format!("{:032x}", fastrand::u128(..)), 24 * 60 * 60)
}

async fn insert_keyed(
    store: &Store,
    record: &FileRecord,
    request: &KeyedRequest,
    seconds: i64,
) -> KeyedInsert {
    let outcome = store.insert_keyed(record, request, moment(seconds)).await;
    outcome.expect("an insert of a new ID")
}

fn taken_by(record: &FileRecord, request: &KeyedRequest) -> KeyedInsert {
    KeyedInsert::KeyTaken(EarlierRequest {
        id: record.id,
        fingerprint: request.fingerprint,
    })
}

pub async fn a_keyed_insert_adds_its_record(store: &Store) {
    let record = pending(0);
    let outcome = insert_keyed(store, &record, &own_request(), 0).await;
    assert_eq!(outcome, KeyedInsert::Inserted);
    assert_eq!(stored(store, record.id).await, record);
}

pub async fn a_key_that_is_taken_names_the_first_request_and_nothing_is_written(store: &Store) {
    let (first, second) = (pending(0), pending(0));
    let request = own_request();
    insert_keyed(store, &first, &request, 0).await;
    let other = KeyedRequest {
        fingerprint: Sha256Digest::from_bytes([8; 32]),
        expires_at: moment(2 * 24 * 60 * 60),
        ..request
    };
    for again in [request, other, request] {
        let outcome = insert_keyed(store, &second, &again, 1).await;
        assert_eq!(outcome, taken_by(&first, &request));
        // The very same call again, too.
        let outcome = insert_keyed(store, &first, &again, 1).await;
        assert_eq!(outcome, taken_by(&first, &request));
    }
    assert_eq!(store.get(second.id).await.unwrap(), None);
    assert_eq!(stored(store, first.id).await, first);
}

pub async fn a_key_outlives_the_file_that_it_names(store: &Store) {
    let record = pending(0);
    let request = own_request();
    insert_keyed(store, &record, &request, 0).await;
    store
        .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
        .await
        .unwrap();
    let outcome = insert_keyed(store, &pending(0), &request, 2).await;
    assert_eq!(outcome, taken_by(&record, &request));
    let deleted = stored(store, record.id).await.status();
    store.remove(record.id, deleted).await.unwrap();
    let outcome = insert_keyed(store, &pending(0), &request, 2).await;
    assert_eq!(outcome, taken_by(&record, &request));
}

pub async fn a_key_can_be_looked_at_without_an_insert_as_long_as_it_holds(store: &Store) {
    let (record, request) = (pending(0), own_request());
    let looked = async |request: &KeyedRequest, seconds| {
        let looked = store.earlier_request(request, moment(seconds)).await;
        looked.expect("a look is answered")
    };
    assert_eq!(looked(&request, 0).await, None);
    let request = KeyedRequest {
        expires_at: moment(60),
        ..request
    };
    insert_keyed(store, &record, &request, 0).await;
    let other = KeyedRequest {
        fingerprint: Sha256Digest::from_bytes([8; 32]),
        ..request
    };
    let earlier = EarlierRequest {
        id: record.id,
        fingerprint: request.fingerprint,
    };
    for again in [&request, &other] {
        assert_eq!(looked(again, 59).await, Some(earlier));
        assert_eq!(looked(again, 60).await, None);
    }
}

pub async fn a_key_is_free_again_from_the_moment_on_at_which_its_time_is_over(store: &Store) {
    let request = KeyedRequest {
        expires_at: moment(60),
        ..own_request()
    };
    let (first, second, third) = (pending(0), pending(0), pending(0));
    insert_keyed(store, &first, &request, 0).await;
    let outcome = insert_keyed(store, &second, &request, 59).await;
    assert_eq!(outcome, taken_by(&first, &request));
    let later = KeyedRequest {
        fingerprint: Sha256Digest::from_bytes([8; 32]),
        expires_at: moment(120),
        ..request
    };
    let outcome = insert_keyed(store, &second, &later, 60).await;
    assert_eq!(outcome, KeyedInsert::Inserted);
    let outcome = insert_keyed(store, &third, &request, 61).await;
    assert_eq!(outcome, taken_by(&second, &later));
    assert_eq!(stored(store, first.id).await, first);
    assert_eq!(stored(store, second.id).await, second);
}

pub async fn a_keyed_insert_of_a_taken_id_is_refused_and_leaves_the_key_free(store: &Store) {
    let record = insert(store, pending(0)).await;
    let request = own_request();
    let refused = store.insert_keyed(&record, &request, moment(0)).await;
    assert!(
        matches!(refused, Err(StoreError::AlreadyExists { .. })),
        "{refused:?}"
    );
    let outcome = insert_keyed(store, &pending(0), &request, 0).await;
    assert_eq!(outcome, KeyedInsert::Inserted);
}

pub async fn of_many_inserts_with_one_key_exactly_one_succeeds(store: &Store) {
    let request = own_request();
    let outcomes = all_at_once((0..WRITERS).map(|_| {
        let store = Arc::clone(store);
        let record = pending(0);
        async move {
            // A store may say that it can't tell right now. Then the same call again is right.
            for _ in 0..WRITERS {
                match store.insert_keyed(&record, &request, moment(0)).await {
                    Ok(outcome) => return (record, outcome),
                    Err(StoreError::Unavailable { .. }) => {}
                    Err(other) => panic!("{}", other.chain()),
                }
            }
            panic!("no answer");
        }
    }))
    .await;
    let inserted = |(_, outcome): &&(FileRecord, KeyedInsert)| *outcome == KeyedInsert::Inserted;
    let winners: Vec<_> = outcomes.iter().filter(inserted).collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    let winner = &winners[0].0;
    for (record, outcome) in &outcomes {
        if record.id == winner.id {
            assert_eq!(stored(store, record.id).await, *record);
        } else {
            assert_eq!(*outcome, taken_by(winner, &request));
            assert_eq!(store.get(record.id).await.unwrap(), None);
        }
    }
}
