//! Keeps a file from being deleted, until that is taken back.
//!
//! Invariant: a hold and a deletion are each one conditional write, so of the two one wins: whoever is told that a file
//! is held will find it, and whoever is told that it is gone was not too late.
//!
//! A pending file may be held: that keeps what is to come. If it is rejected or expires, nothing is there to be kept, and
//! its hold ends with it: bytes that nobody may have aren't kept by mistake. A withdrawal leaves a hold in place, and
//! the bytes stay where nobody gets them, until it is released; of a file that is withdrawn already none begins.

use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{FileId, FileRecord, Hold, HoldReason};

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

/// Ends a hold. Where there is none, nothing changes.
///
/// # Errors
/// [`OperationError::FileNotFound`].
pub async fn release_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<FileRecord, OperationError> {
    stores.record_for(context, Action::ReleaseFile, id).await?;
    let released = stores.metadata.release(id).await?;
    let record = released.ok_or(OperationError::FileNotFound)?;
    tracing::info!(file_id = %id, "file no longer held");
    Ok(record)
}
