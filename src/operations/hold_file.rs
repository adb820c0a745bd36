//! Keeps a file from being deleted, until that is taken back.
//!
//! Invariant: a hold and a deletion are each one conditional write, so of the two one wins: whoever is told that a file
//! is held will find it, and whoever is told that it is gone was not too late.
//!
//! A pending file may be held: that keeps what is to come. If it is rejected or expires, nothing is there to be kept, and
//! its hold ends with it: bytes that nobody may have aren't kept by mistake. A withdrawal leaves a hold in place, and
//! the bytes stay where nobody gets them, until it is released; of a file that is withdrawn already none begins.

use super::clean_up::clean_up;
use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{FileId, FileRecord, Hold, HoldReason, Status};

/// Holds a file for this reason. One that is held already has the new reason from then on; the same one again changes
/// nothing.
///
/// # Errors
/// [`OperationError::FileNotFound`], and [`OperationError::FileRejected`], [`OperationError::FileWithdrawn`] or
/// [`OperationError::UploadExpired`] where there is nothing to hold.
pub async fn hold_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
    reason: HoldReason,
) -> Result<FileRecord, OperationError> {
    stores.record_for(context, Action::HoldFile, id).await?;
    let hold = Hold {
        reason,
        since: stores.clock.now(),
        by: context.caller.owner(),
    };
    if let Some(held) = stores.metadata.hold(id, &hold).await? {
        tracing::info!(file_id = %id, "file held");
        return Ok(held);
    }
    let record = stores.record_for(context, Action::HoldFile, id).await?;
    available(&record)?;
    // It settled between the two, as something that can be held: the same call again holds it.
    Err(OperationError::Overloaded)
}

/// Ends the hold that is there now. Where there is none, nothing changes; one that comes meanwhile stays, and is in what is
/// given back. What a withdrawn file was goes then, or follows.
///
/// # Errors
/// [`OperationError::FileNotFound`].
pub async fn release_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<FileRecord, OperationError> {
    let held = stores.record_for(context, Action::ReleaseFile, id).await?;
    let Some(hold) = &held.hold else {
        return Ok(held);
    };
    let due_at = held.due_at_once(stores.clock.now());
    let released = stores.metadata.release(id, hold, due_at).await?;
    let record = released.ok_or(OperationError::FileNotFound)?;
    if record.hold.is_some() {
        tracing::info!(file_id = %id, "file held anew while its hold was ended");
        return Ok(record);
    }
    tracing::info!(file_id = %id, "file no longer held");
    if record.status() == Status::Withdrawn
        && let Err(error) = clean_up(stores, &record).await
    {
        tracing::warn!(file_id = %id, error = %error.chain(), "the bytes of a withdrawn file are left to the reconciler");
    }
    Ok(record)
}
