//! Takes a file away for good.
//!
//! Invariant: the tombstone is written before the bytes go. From then on nothing brings the file
//! back, and whatever is left to do is found by the reconciler. Bytes without a version ID stay under
//! their key until no upload can put others there: a download URL that was handed out never brings those.

use super::clean_up::clean_up_as_it_is_now;
use super::{Context, OperationError, Stores};
use crate::access::Action;
use crate::domain::{FileId, FileRecord, Timestamp};
use crate::store_error::StoreError;

/// Turns a file in any state into a tombstone, which no client sees. Its bytes go at once, or later. What it was is
/// given back.
///
/// # Errors
/// [`OperationError::FileNotFound`] if there is none (any more), [`OperationError::Held`] if it is held, and
/// [`OperationError::Retained`] if it has to be kept. A fault of the object store is no
/// error: the file is gone for everybody, and its bytes follow.
pub async fn delete_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<FileRecord, OperationError> {
    let record = stores.record_for(context, Action::DeleteFile, id).await?;
    let as_of = deletable_as_of(stores, &record).await?;
    if delete_record(stores, &record, as_of).await? {
        return Ok(record);
    }
    let now = stores.record_for(context, Action::DeleteFile, id).await?;
    Err(why_it_stays(&now, as_of))
}

/// As of when it is asked whether the file has to be kept: of clocks that differ the one that is behind counts.
async fn deletable_as_of(stores: &Stores, record: &FileRecord) -> Result<Timestamp, StoreError> {
    let (own, created_at) = (stores.clock.now(), record.created_at());
    if !record.is_retained(created_at) {
        // What is to be kept that wasn't when the record was read stays.
        return Ok(created_at);
    }
    match record.is_retained(own) {
        // Then the store needn't be asked.
        true => Ok(own),
        false => stores.earlier_now().await,
    }
}

/// Why a file that is there wasn't deleted.
fn why_it_stays(record: &FileRecord, as_of: Timestamp) -> OperationError {
    match (&record.hold, record.keep_until) {
        (Some(_), _) => OperationError::Held,
        (None, Some(until)) if record.is_retained(as_of) => OperationError::Retained(until),
        // What kept it is over since: the same call again deletes it.
        (None, _) => OperationError::Overloaded,
    }
}

/// The same for whoever has read the record and may delete it. `false` if somebody else was faster, or the file is
/// protected as of `as_of`.
///
/// # Errors
/// A fault of the metadata store.
pub async fn delete_record(
    stores: &Stores,
    record: &FileRecord,
    as_of: Timestamp,
) -> Result<bool, StoreError> {
    let (id, now) = (record.id, stores.clock.now());
    let purge_at = stores.lifecycle.purge_at(record, now);
    let reconcile_at = record.due_at_once(now);
    let grace = stores.lifecycle.upload_grace;
    let deleting = stores
        .metadata
        .delete(id, reconcile_at, purge_at, grace, as_of);
    if !deleting.await? {
        return Ok(false);
    }
    if let Err(error) = clean_up_as_it_is_now(stores, id).await {
        tracing::warn!(file_id = %id, error = %error.chain(), "the bytes of a deleted file are left to the reconciler");
    }
    Ok(true)
}
