//! Has a file kept for longer than it had to be.
//!
//! Invariant: the end moves forward alone, by one conditional write: whoever asks for less changes nothing, and of many
//! who ask for more the furthest stays. Where the store locks versions, its lock is there before the record says so.

use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{FileId, FileRecord, Invalid, Lifecycle, Timestamp, format_timestamp};

/// Has an available file kept until then: nobody can delete it before. The same time again changes nothing.
///
/// # Errors
/// [`OperationError::KeepUntil`] for a time that is past or beyond all that is set, [`OperationError::Retained`] where
/// it is kept until later already, and by its state as [`download_file()`](super::download_file()).
pub async fn keep_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
    keep_until: Timestamp,
) -> Result<FileRecord, OperationError> {
    let record = stores.record_for(context, Action::KeepFile, id).await?;
    let object = available(&record)?;
    let now = stores.earlier_now().await?;
    let latest = Lifecycle::latest_keep_until(now);
    if record.keep_until.is_none_or(|at| at < keep_until)
        && (keep_until <= now || keep_until > latest)
    {
        return Err(OperationError::KeepUntil(Invalid::new(format!(
            "must be in the future, and no later than {}",
            format_timestamp(latest)
        ))));
    }
    if record.keep_until.is_none_or(|at| at < keep_until) {
        // Before the record says so. A lock that is put and not written down keeps the bytes for longer, and no less.
        let version_id = object.version_id.as_ref();
        stores
            .objects
            .lock(record.key(), version_id, keep_until)
            .await?;
    }
    if let Some(kept) = stores.metadata.keep_longer(id, keep_until).await? {
        tracing::info!(file_id = %id, until = format_timestamp(keep_until), "file kept");
        return Ok(kept);
    }
    let record = stores.record_for(context, Action::KeepFile, id).await?;
    available(&record)?;
    Err(match record.keep_until {
        Some(later) if keep_until < later => OperationError::Retained(later),
        // It became available between the two: the same call again keeps it.
        _ => OperationError::Overloaded,
    })
}
