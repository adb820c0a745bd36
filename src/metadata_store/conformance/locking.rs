//! What is being locked: one version, whoever else has measured another.
//!
//! Invariant: only consistent reads, so nothing here waits.

use std::sync::Arc;

use super::{far_expiry, in_state, insert, moment, object, pending, reason, stored};
use crate::domain::{FileRecord, FileState, Stage, StoredObject, Transition, VersionId};
use crate::metadata_store::{MetadataStore, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

/// Bytes of the same file in another version.
fn other_object() -> StoredObject {
    StoredObject {
        version_id: Some(VersionId("another".into())),
        ..object()
    }
}

pub async fn what_is_being_locked_is_the_version_that_was_written_down_and_no_other(store: &Store) {
    let locks = |object: StoredObject, at| Transition::locks(object.version_id, moment(100), at);
    let rejected = |object: StoredObject| {
        let rejected = Transition::rejected(reason(), far_expiry(), moment(5));
        rejected.of_version(object.version_id)
    };
    let told = |version: Option<StoredObject>| FileRecord {
        keep_until: Some(moment(100)),
        ..in_state(
            pending(0),
            FileState::Pending(Stage::Locking(version.and_then(|it| it.version_id))),
        )
    };
    // By whoever read it before, and measured something else or couldn't have it scanned.
    for late in [
        Transition::awaits_scan(moment(7)),
        locks(other_object(), moment(7)),
        rejected(other_object()),
        Transition::available(other_object(), None),
    ] {
        let record = insert(store, told(Some(object()))).await;
        let outcome = store.transition(record.id, &late).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Unchanged, "{late:?}");
        assert_eq!(stored(store, record.id).await, record);
    }
    // By whoever goes on with it; also where it isn't written down which version it is.
    for (version, step) in [
        (Some(object()), locks(object(), moment(7))),
        (Some(object()), rejected(object())),
        (Some(object()), Transition::available(object(), None)),
        (None, locks(object(), moment(7))),
        (None, Transition::available(object(), None)),
    ] {
        let record = insert(store, told(version)).await;
        let outcome = store.transition(record.id, &step).await.unwrap();
        assert_eq!(outcome, TransitionOutcome::Applied, "{step:?}");
        let expected = step.apply_to(record);
        assert_eq!(stored(store, expected.id).await, expected);
    }
    // And whatever was locked by nobody may wait for its scan.
    let record = insert(store, told(None)).await;
    let waits = Transition::awaits_scan(moment(7));
    let outcome = store.transition(record.id, &waits).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Unchanged);
    let record = insert(store, pending(0)).await;
    let outcome = store.transition(record.id, &waits).await.unwrap();
    assert_eq!(outcome, TransitionOutcome::Applied);
    let expected = waits.apply_to(record);
    assert_eq!(stored(store, expected.id).await, expected);
}
