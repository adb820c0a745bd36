//! What was available and is withdrawn, which a store may keep much like what was rejected.
//!
//! Invariant: only consistent reads, so nothing here waits.

use std::sync::Arc;

use super::{
    every_settlement, far_expiry, in_state, insert, moment, object, pending, reason, state_of,
    stored, withdrawn,
};
use crate::domain::{FileId, FileState, Status, Transition};
use crate::metadata_store::{MetadataStore, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

pub async fn an_available_record_is_withdrawn_once_and_keeps_what_its_bytes_were(store: &Store) {
    let mut unversioned = object();
    unversioned.version_id = None;
    for object in [object(), unversioned] {
        let record = insert(store, pending(0)).await;
        let available = Transition::available(object.clone(), Some(moment(500)));
        store.transition(record.id, &available).await.unwrap();
        let withdrawing = withdrawn();
        let outcome = store.transition(record.id, &withdrawing).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Applied);
        let withdrawn = withdrawing.apply_to(record);
        assert_eq!(stored(store, withdrawn.id).await, withdrawn);
        let FileState::Withdrawn { was, .. } = &withdrawn.state else {
            panic!("it is {:?}", withdrawn.status());
        };
        assert_eq!(
            (was.sha256, was.uploaded_at),
            (object.sha256, object.uploaded_at)
        );
        // It leaves that by nothing but an end.
        let others = every_settlement(&withdrawn).into_iter();
        for again in others.chain([withdrawing]) {
            let outcome = store.transition(withdrawn.id, &again).await.unwrap();
            assert_eq!(outcome, TransitionOutcome::Unchanged);
            assert_eq!(stored(store, withdrawn.id).await, withdrawn);
        }
    }
}

pub async fn only_an_available_record_is_withdrawn(store: &Store) {
    let others = Status::ALL.into_iter();
    for status in others.filter(|status| *status != Status::Available) {
        let record = insert(store, in_state(pending(0), state_of(status))).await;
        let outcome = store.transition(record.id, &withdrawn()).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Unchanged, "{status:?}");
        assert_eq!(stored(store, record.id).await, record);
    }
    let absent = FileId::new(moment(0));
    let outcome = store.transition(absent, &withdrawn()).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Unchanged);
    assert_eq!(store.get(absent).await.unwrap(), None);
}

pub async fn a_step_from_rejected_or_withdrawn_is_made_of_that_status_alone(store: &Store) {
    let both = [Status::Rejected, Status::Withdrawn];
    for (status, from) in both.into_iter().flat_map(|it| both.map(|from| (it, from))) {
        let record = insert(store, in_state(pending(0), state_of(status))).await;
        let step = Transition {
            from,
            ..Transition::rejected(reason(), far_expiry(), moment(9))
        };
        let outcome = store.transition(record.id, &step).await.unwrap();
        let (expected, after) = match status == from {
            true => (TransitionOutcome::Applied, step.apply_to(record)),
            false => (TransitionOutcome::Unchanged, record),
        };
        assert_eq!(outcome, expected, "{status:?} by a step from {from:?}");
        assert_eq!(stored(store, after.id).await, after);
    }
}
