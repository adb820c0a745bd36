//! Step two of an upload: what arrived is measured, hashed, and made available or rejected.
//!
//! Invariant: a notification is only a hint. The record decides whether anything is to be done, and
//! length, digest and version come from one read of one version. Doing it again changes nothing.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::clean_up::{clean_up, clean_up_as_it_is_now};
use super::{OperationError, Stores};
use crate::domain::{
    FileRecord, FileState, ObjectKey, RejectionReason, Settlement, Sha256Digest, Status,
    StoredObject,
};
use crate::metadata_store::SettleOutcome;
use crate::object_store::ObjectHead;
use crate::store_error::StoreError;

/// What became of a hint that bytes have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalizeOutcome {
    /// This call made the file available.
    Available,
    /// This call rejected the file, and its bytes are gone.
    Rejected,
    /// Somebody was faster. Nothing changed, and bytes that came later are gone.
    AlreadySettled,
    /// The file isn't to have bytes (rejected, expired, deleted): what arrived late is gone.
    LateArrivalDeleted,
    /// There are no bytes (yet).
    NotArrived,
    /// No record names this key. Nothing is touched: the bucket may be shared by mistake.
    UnknownFile,
}

/// # Errors
/// Only [`OperationError::Store`]: try again later, nothing is lost.
pub async fn finalize_upload(
    stores: &Stores,
    key: ObjectKey,
) -> Result<FinalizeOutcome, OperationError> {
    let Some(record) = stores.metadata.get(key.file_id()).await? else {
        return Ok(FinalizeOutcome::UnknownFile);
    };
    if record.status() != Status::Pending {
        return after_settlement(stores, &record).await;
    }
    let Some(head) = stores.objects.head(key).await?.found() else {
        return Ok(FinalizeOutcome::NotArrived);
    };
    let Some(verdict) = measure(stores, &record, head).await? else {
        return Ok(FinalizeOutcome::NotArrived);
    };
    let now = stores.clock.now();
    let settlement = match verdict {
        Ok(object) => Settlement::Available(object),
        Err(reason) => Settlement::Rejected {
            reason,
            expires_at: stores.lifecycle.expires_at(&record, now),
        },
    };
    match stores.metadata.settle(record.id, &settlement, now).await? {
        SettleOutcome::Unchanged => match stores.metadata.get(record.id).await? {
            Some(record) => after_settlement(stores, &record).await,
            None => Ok(FinalizeOutcome::UnknownFile),
        },
        SettleOutcome::Settled => {
            if let Settlement::Rejected { reason, .. } = &settlement {
                tracing::info!(file_id = %record.id, reason = reason.0, "upload rejected");
                clean_up_as_it_is_now(stores, record.id).await?;
                return Ok(FinalizeOutcome::Rejected);
            }
            tracing::info!(file_id = %record.id, bytes = record.declared_length.bytes(), "file available");
            Ok(FinalizeOutcome::Available)
        }
    }
}

/// A hint for a file that has left `pending`: it is doubled, or the bytes came too late.
async fn after_settlement(
    stores: &Stores,
    record: &FileRecord,
) -> Result<FinalizeOutcome, OperationError> {
    match record.status() {
        Status::Pending => Ok(FinalizeOutcome::NotArrived),
        Status::Available => {
            delete_what_came_later(stores, record).await?;
            Ok(FinalizeOutcome::AlreadySettled)
        }
        Status::Rejected | Status::Expired | Status::Deleted => {
            clean_up(stores, record).await?;
            Ok(FinalizeOutcome::LateArrivalDeleted)
        }
    }
}

/// A form can be sent again. What it brings then changes no record, but it stands before the version that
/// the record names, and a bucket's lifecycle rule may remove versions that something stands before.
async fn delete_what_came_later(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    let FileState::Available(StoredObject {
        version_id: Some(named),
        ..
    }) = &record.state
    else {
        return Ok(());
    };
    let current = stores.objects.head(record.key()).await?.found();
    if current.is_none_or(|head| head.version_id.as_ref() != Some(named)) {
        tracing::warn!(file_id = %record.id, "bytes came for a file that is settled, and are deleted");
        stores
            .objects
            .delete_other_versions(record.key(), named)
            .await?;
    }
    Ok(())
}

type Verdict = Result<StoredObject, RejectionReason>;

/// Compares what lies in the store with what was declared. `None` if it went away meanwhile.
async fn measure(
    stores: &Stores,
    record: &FileRecord,
    head: ObjectHead,
) -> Result<Option<Verdict>, StoreError> {
    if let Err(reason) = record.judge_length(head.content_length) {
        return Ok(Some(Err(reason)));
    }
    let (head, sha256) = match head.sha256 {
        Some(verified_by_store) => (head, verified_by_store),
        None => {
            let version_id = head.version_id.as_ref();
            let reader = stores.objects.read(record.key(), version_id).await?;
            let Some(reader) = reader.found() else {
                return Ok(None);
            };
            let (observed_length, sha256) = hash(reader.body).await?;
            if let Err(reason) = record.judge_length(observed_length) {
                return Ok(Some(Err(reason)));
            }
            (reader.head, sha256)
        }
    };
    if let Err(reason) = record.judge_digest(sha256) {
        return Ok(Some(Err(reason)));
    }
    Ok(Some(Ok(StoredObject {
        sha256,
        version_id: head.version_id,
        // S3 cuts the time to whole seconds: without this a file could be older than its record.
        uploaded_at: head.last_modified.max(record.created_at()),
    })))
}

/// Length and digest of a body, a chunk at a time.
pub(super) async fn hash(
    mut body: crate::object_store::ObjectBody,
) -> Result<(u64, Sha256Digest), StoreError> {
    let mut hasher = Sha256::new();
    let mut length = 0;
    while let Some(chunk) = body.try_next().await? {
        length += chunk.len() as u64;
        hasher.update(&chunk);
    }
    Ok((length, Sha256Digest::from_bytes(hasher.finalize().into())))
}
