//! A client says that the store has taken its bytes, so that it needn't wait for the notification.
//!
//! Invariant: what a client says is a hint like a notification, and goes the same way. The truth is
//! read from the store, so lying changes nothing, and neither does saying it twice, or at the same
//! time as the store does.
//!
//! Absent on purpose: anything for a file that has left `pending`. What arrives for it later is the
//! notification's and the reconciler's.

use std::time::Duration;

use tokio::time::timeout;

use super::finalize_upload::finalize_record;
use super::{Context, LONGEST_WAIT, OperationError, Stores};
use crate::access::Action;
use crate::domain::{FileId, FileRecord};
use crate::metrics::Via;

/// The longest that one completion may look for bytes and measure them. A file that takes longer is
/// still pending in the answer, and the notification's.
pub const COMPLETION_LIMIT: Duration = LONGEST_WAIT;

/// The record as it is once what has arrived was measured; still pending if nothing has.
///
/// # Errors
/// [`OperationError::FileNotFound`], or a store's fault: then the same call again is right. If it is
/// broken off, the notification or the reconciler takes over.
pub async fn complete_upload(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<FileRecord, OperationError> {
    let record = stores
        .record_for(context, Action::CompleteUpload, id)
        .await?;
    // Where another program scans, that one alone settles.
    if record.status().is_final() || stores.scans.are_elsewhere() {
        return Ok(record);
    }
    let finalizing = finalize_record(stores, record.clone(), Via::Hint);
    let finalized = match timeout(COMPLETION_LIMIT, finalizing).await {
        Ok(finalized) => finalized?.record,
        Err(_) => {
            tracing::warn!(file_id = %id, "a completion took too long and is left to the notification");
            Some(record)
        }
    };
    finalized
        .filter(|record| record.is_visible(stores.clock.now()))
        .ok_or(OperationError::FileNotFound)
}
