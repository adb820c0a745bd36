//! One record and many writers at once.
//!
//! Invariant: whatever the order turns out to be, each condition held for exactly the writers that
//! were told so.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::{GRACE, every_settlement, far_expiry, insert, moment, object, pending, settle, stored};
use crate::domain::{FileName, FileRecord, Status, Transition, VersionId};
use crate::metadata_store::{MetadataStore, StoreError, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

pub(super) const WRITERS: usize = 32;

/// Runs the writers as tasks of their own, so that they can be on several threads at once.
pub(in crate::metadata_store) async fn all_at_once<T, F>(writers: impl Iterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = writers.map(tokio::spawn).collect();
    join_all(tasks)
        .await
        .into_iter()
        .map(|joined| joined.expect("no writer panics"))
        .collect()
}

/// Ends a pending record in every way at once, many times: by deletions, rejections and expiries.
pub(in crate::metadata_store) async fn end_all_at_once<S>(store: &Arc<S>, record: &FileRecord)
where
    S: MetadataStore + ?Sized + 'static,
{
    let [_, rejected, expired] = every_settlement(record);
    let ends = all_at_once((0..24).map(|racer| {
        let (store, record) = (Arc::clone(store), record.id);
        let settlement = [&rejected, &expired][racer % 2].clone();
        async move {
            match racer % 3 {
                0 => {
                    store
                        .delete(record, moment(1), far_expiry(), GRACE, moment(1))
                        .await
                }
                _ => {
                    let outcome = store.transition(record, &settlement).await;
                    outcome.map(|it| it == TransitionOutcome::Applied)
                }
            }
        }
    }))
    .await;
    assert!(ends.iter().any(|it| matches!(it, Ok(true))), "{ends:?}");
}

pub async fn of_many_inserts_of_one_id_exactly_one_succeeds(store: &Store) {
    let id = pending(0).id;
    let outcomes = all_at_once((0..WRITERS).map(|i| {
        let store = Arc::clone(store);
        let mut record = pending(0);
        record.id = id;
        record.declared.filename =
            FileName::sanitize(&format!("writer-{i}.txt")).expect("a valid name");
        async move {
            match store.insert(&record).await {
                Ok(()) => Some(record),
                Err(StoreError::AlreadyExists { .. }) => None,
                Err(other) => panic!("{}", other.chain()),
            }
        }
    }))
    .await;
    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(stored(store, id).await, winners[0]);
}

pub async fn of_many_settlements_exactly_one_succeeds(store: &Store) {
    let record = insert(store, pending(0)).await;
    let outcomes = all_at_once((0..WRITERS).map(|i| {
        let store = Arc::clone(store);
        let settlement = if i % 2 == 0 {
            let mut object = object();
            object.version_id = Some(VersionId(format!("version-{i}")));
            Transition::available(object, None)
        } else {
            every_settlement(&record)[1 + i % 4 / 2].clone()
        };
        let (id, now) = (record.id, moment(i as i64));
        async move {
            let outcome = settle(&store, id, &settlement, now).await;
            (outcome == TransitionOutcome::Applied).then_some((settlement, now))
        }
    }))
    .await;
    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    let (settlement, now) = &winners[0];
    let settled = stored(store, record.id).await;
    assert_eq!(settled.state, settlement.to);
    assert_eq!(settled.reconcile_at, settlement.reconcile_at.map(|_| *now));
}

pub async fn of_many_deletions_exactly_one_succeeds_and_no_settlement_outlives_it(store: &Store) {
    let record = insert(store, pending(0)).await;
    let outcomes = all_at_once((0..WRITERS).map(|i| {
        let store = Arc::clone(store);
        let (id, now) = (record.id, moment(i as i64));
        async move {
            if i % 2 == 0 {
                let deleted = store.delete(id, now, far_expiry(), GRACE, now).await;
                (deleted.expect("a deletion is answered"), 0)
            } else {
                let outcome = settle(&store, id, &Transition::available(object(), None), now).await;
                (false, usize::from(outcome == TransitionOutcome::Applied))
            }
        }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|(deleted, _)| *deleted).count(), 1);
    assert!(outcomes.iter().map(|(_, settled)| settled).sum::<usize>() <= 1);
    assert_eq!(stored(store, record.id).await.status(), Status::Deleted);
}

pub async fn of_many_renewals_the_furthest_stays(store: &Store) {
    let record = insert(store, pending(0)).await;
    let deadline = |i: usize| record.upload_expires_at + Duration::from_millis(i as u64);
    let answers = all_at_once((0..WRITERS).map(|i| {
        let store = Arc::clone(store);
        let (id, at) = (record.id, deadline(i));
        async move {
            let renewed = store.renew_upload(id, at).await;
            let renewed = renewed
                .expect("a renewal is answered")
                .expect("still pending");
            renewed.upload_expires_at >= at
        }
    }))
    .await;
    assert!(answers.into_iter().all(|held| held));
    let latest = stored(store, record.id).await.upload_expires_at;
    assert_eq!(latest, deadline(WRITERS - 1));
}
