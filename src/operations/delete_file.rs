//! Takes a file away for good.
//!
//! Invariant: the tombstone is written before the bytes go. From then on nothing brings the file
//! back, and whatever is left to do is found by the reconciler.

use super::clean_up::clean_up;
use super::{OperationError, Stores};
use crate::domain::FileId;
use crate::store_error::StoreError;

/// # Errors
/// [`OperationError::FileNotFound`] if there is none (any more). A fault of the object store is no
/// error: the file is gone for everybody, and its bytes follow.
pub async fn delete_file(stores: &Stores, id: FileId) -> Result<(), OperationError> {
    let record = stores.visible_record(id).await?;
    let now = stores.clock.now();
    let expires_at = stores.lifecycle.expires_at(&record, now);
    if !stores.metadata.delete(id, now, expires_at).await? {
        return Err(OperationError::FileNotFound);
    }
    if let Err(error) = clean_up_deleted(stores, id).await {
        tracing::warn!(file_id = %id, error = %error.chain(), "the bytes of a deleted file are left to the reconciler");
    }
    Ok(())
}

/// Reads the tombstone again: until it was written the upload URL could still be renewed, and the
/// tombstone has to outlive every URL that was handed out.
async fn clean_up_deleted(stores: &Stores, id: FileId) -> Result<(), StoreError> {
    match stores.metadata.get(id).await? {
        Some(tombstone) => clean_up(stores, &tombstone).await,
        None => Ok(()),
    }
}
