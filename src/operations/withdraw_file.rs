//! Takes an available file away from everybody, because something was found in it.
//!
//! Invariant: it is one conditional write, and the bytes go after it: from then on no URL is handed out for them, and
//! whatever is left to do is found by the reconciler. A download URL that was handed out before brings them until they
//! are gone, at most as long as it lives. A hold stays in place, and bytes that are held or have to be kept stay for as
//! long, where nobody gets them. As with a deletion, bytes without a version ID stay under their key until no upload can
//! put others there.

use super::clean_up::clean_up_as_it_is_now;
use super::deletion_log::PendingDeletion;
use super::{DeletionLog, OperationError, Stores};
use crate::domain::{FileRecord, RejectionReason, StoredObject, Transition};
use crate::file_events::EventKind;
use crate::metadata_store::TransitionOutcome;
use crate::store_error::StoreError;

/// Withdraws the file that `record` says is available with `object`. `false`: it isn't any more, and nothing changed.
///
/// # Errors
/// A fault of the store of the records, or no room for a line in `log`: then nothing was done, or it isn't known. That
/// the bytes couldn't be deleted is none: they follow.
pub(super) async fn withdraw_file(
    stores: &Stores,
    record: &FileRecord,
    object: &StoredObject,
    reason: RejectionReason,
    log: Option<&dyn DeletionLog>,
) -> Result<bool, OperationError> {
    // By the store's clock: a process whose own is behind would show it for a shorter time.
    let now = stores.store_now().await?;
    // It is there for as long as its bytes have to be, whoever comes by until then.
    let kept_until = record.keep_until.filter(|_| record.is_retained(now));
    let purge_at = stores.lifecycle.purge_at(record, kept_until.unwrap_or(now));
    let reconcile_at = match &object.version_id {
        Some(_) => record.due_at_once(now),
        None => stores.lifecycle.uploads_end_at(record),
    };
    let transition = Transition::withdrawn(object, reason, purge_at, reconcile_at);
    let line = match log {
        None => None,
        Some(log) => {
            log.reserve()?;
            Some(PendingDeletion::of(log, record.id))
        }
    };
    let made: Result<bool, StoreError> = stores
        .metadata
        .transition(record.id, &transition)
        .await
        .map(|outcome| outcome == TransitionOutcome::Applied);
    if let Some(line) = line {
        line.end(&made);
    }
    if !made? {
        return Ok(false);
    }
    follow(stores, &transition.apply_to(record.clone())).await;
    Ok(true)
}

/// What follows a withdrawal: its event, and the end of the bytes, unless they have to be kept.
pub(super) async fn follow(stores: &Stores, withdrawn: &FileRecord) {
    stores
        .events
        .done_by_the_program(EventKind::Withdrawn, withdrawn, stores.clock.now());
    if let Err(error) = clean_up_as_it_is_now(stores, withdrawn.id).await {
        tracing::warn!(file_id = %withdrawn.id, error = %error.chain(), "the bytes of a withdrawn file are left to the reconciler");
    }
}
