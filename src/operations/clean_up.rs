//! Deletes the bytes of a file that isn't to have any.
//!
//! Invariant: safe to repeat, and a reconciliation stays scheduled until no URL can bring bytes any more, by the
//! store's time.

use std::time::Duration;

use super::Stores;
use crate::domain::{FileId, FileRecord, NextReconcile, Status, Timestamp, format_timestamp};
use crate::store_error::StoreError;

/// How often it is looked whether a hold was ended: nobody says when.
pub(super) const HELD_GAP: Duration = Duration::from_secs(60 * 60);
/// How long a record outlives what keeps its bytes, for somebody to come by.
const AFTER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes every version of the object of a file that is over, and schedules the
/// next look at it or removes the record. Does nothing to a file that may have bytes. Those of a withdrawn one that is
/// held stay where nobody gets them, until it is released.
pub(super) async fn clean_up(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    let status = record.status();
    if status.may_have_bytes() {
        return Ok(());
    }
    if record.hold.is_some() {
        return keep_until(stores, record, stores.clock.now() + HELD_GAP).await;
    }
    if is_left_for_download_urls(stores, record).await? {
        return Ok(());
    }
    let call = stores.timed_call();
    let as_of = match stores.objects.delete_all_versions(record.key()).await {
        Err(StoreError::Locked { until, .. }) => {
            tracing::warn!(
                file_id = %record.id, until = format_timestamp(until),
                "bytes that are to go are locked, and stay until then"
            );
            return keep_until(stores, record, until).await;
        }
        deleted => deleted?,
    };
    let Ok(now) = call.agree(as_of) else {
        // It stays due, for somebody whose clock is right.
        return Ok(());
    };
    match stores.lifecycle.after_clean_up(record, now) {
        NextReconcile::At {
            reconcile_at,
            purge_at,
        } => {
            let schedule =
                stores
                    .metadata
                    .schedule_reconcile(record.id, status, reconcile_at, purge_at);
            schedule.await
        }
        NextReconcile::Remove => stores.metadata.remove(record.id, status).await,
    }
}

/// Something keeps bytes that are to go: it is looked again then, and the record stays as long, so that they are no
/// orphan.
async fn keep_until(
    stores: &Stores,
    record: &FileRecord,
    until: Timestamp,
) -> Result<(), StoreError> {
    let purge_at = record.purge_at().map_or(until, |at| at.max(until)) + AFTER_KEPT;
    let metadata = &stores.metadata;
    metadata
        .schedule_reconcile(record.id, record.status(), until, purge_at)
        .await
}

/// Whether the bytes of a deleted or withdrawn file stay for a while, because no version tells them from others: a
/// download URL may be under way that would bring whatever comes under the same key. As long as they are
/// there, nothing else can come. `MetadataStore::delete` and `withdraw_file` make such a file due at the end of uploads.
async fn is_left_for_download_urls(
    stores: &Stores,
    record: &FileRecord,
) -> Result<bool, StoreError> {
    let uploads_end_at = stores.lifecycle.uploads_end_at(record);
    let was_available = matches!(record.status(), Status::Deleted | Status::Withdrawn);
    if !was_available || record.reconcile_at != Some(uploads_end_at) {
        return Ok(false);
    }
    let head = stores.objects.head(record.key()).await?.found();
    if head.is_none_or(|head| head.version_id.is_some()) {
        return Ok(false);
    }
    let now = stores.compare_clocks().await?;
    Ok(!now.is_ok_and(|now| now.has_reached(uploads_end_at)))
}

/// [`clean_up`] by the record as it is now. For whoever has just ended a file's life by a write that
/// didn't ask for the upload deadline: until then the URL could still be renewed, and the record has
/// to outlive every URL that was handed out.
pub(super) async fn clean_up_as_it_is_now(stores: &Stores, id: FileId) -> Result<(), StoreError> {
    match stores.metadata.get(id).await? {
        Some(record) => clean_up(stores, &record).await,
        None => Ok(()),
    }
}
