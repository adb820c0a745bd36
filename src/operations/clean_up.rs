//! Deletes the bytes of a file that isn't to have any.
//!
//! Invariant: safe to repeat, and a reconciliation stays scheduled until no URL can bring bytes any more, by the
//! store's time. What a withdrawn file was stays where nobody gets it, as long as the file is held or has to be kept.

use std::time::Duration;

use super::Stores;
use crate::domain::{
    FileId, FileRecord, FileState, NextReconcile, ObjectKey, Status, Timestamp, VersionId,
    format_timestamp,
};
use crate::store_error::StoreError;

/// How often it is looked whether a hold was ended, which makes a file due by itself, and whether something else came for
/// a withdrawn file that is held.
pub(super) const HELD_GAP: Duration = Duration::from_secs(60 * 60);

/// Deletes every version of the object of a file that is over, and schedules the
/// next look at it or removes the record. Does nothing to a file that may have bytes. Those of a withdrawn one stay until
/// nothing keeps them any more, and what came for it later goes.
pub(super) async fn clean_up(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    let status = record.status();
    if status.may_have_bytes() {
        return Ok(());
    }
    if let Some(until) = protected_until(stores, record).await? {
        if let Some(named) = record.named_version() {
            delete_what_came_later(stores, record.key(), named).await?;
        }
        return keep_until(stores, record, until).await;
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

/// Until when it is known that a hold or a time keeps the bytes of a file that nobody may have any more. The present is
/// that of whichever clock is behind, so that one which is ahead ends nothing.
async fn protected_until(
    stores: &Stores,
    record: &FileRecord,
) -> Result<Option<Timestamp>, StoreError> {
    // What is over by the earlier of both clocks is over by each.
    let may_be_kept = record.keep_until.is_some() && record.status() == Status::Withdrawn;
    if record.hold.is_none() && !may_be_kept {
        return Ok(None);
    }
    let now = stores.earlier_now().await?;
    let kept_until = record.keep_until.filter(|_| record.is_retained(now));
    let held_until = record.hold.as_ref().map(|_| now + HELD_GAP);
    Ok(held_until.max(kept_until))
}

/// A form can be sent again. What it brings then changes no record, but it stands before the version that
/// the record names, and a bucket's lifecycle rule may remove versions that something stands before.
pub(super) async fn delete_what_came_later(
    stores: &Stores,
    key: ObjectKey,
    named: &VersionId,
) -> Result<(), StoreError> {
    let current = stores.objects.head(key).await?.found();
    if current.is_some_and(|head| head.version_id.as_ref() == Some(named)) {
        return Ok(());
    }
    let file_id = key.file_id();
    tracing::warn!(%file_id, "bytes came for a file that is settled, and are deleted");
    match stores.objects.delete_other_versions(key, named).await {
        // The sweep comes by again.
        Err(error @ StoreError::Locked { .. }) => {
            tracing::warn!(%file_id, error = %error.chain(), "versions that no record names stay for now");
            Ok(())
        }
        deleted => deleted,
    }
}

/// Something keeps bytes that are to go: it is looked again then, and the record stays as long as one stays whose bytes
/// go then, so that they are no orphan. The same end again changes nothing.
async fn keep_until(
    stores: &Stores,
    record: &FileRecord,
    until: Timestamp,
) -> Result<(), StoreError> {
    let purge_at = (until + stores.lifecycle.retention).max(record.purge_at().unwrap_or(until));
    let metadata = &stores.metadata;
    metadata
        .schedule_reconcile(record.id, record.status(), until, purge_at)
        .await
}

/// Whether the bytes of a deleted or withdrawn file stay for a while, because no version tells them from others: a
/// download URL may be under way that would bring whatever comes under the same key. As long as they are
/// there, nothing else can come. `MetadataStore::delete` makes such a file due at the end of uploads, by which it is told
/// from one that never was available. A withdrawn one says by itself what it was, and is made due then.
async fn is_left_for_download_urls(
    stores: &Stores,
    record: &FileRecord,
) -> Result<bool, StoreError> {
    let uploads_end_at = stores.lifecycle.uploads_end_at(record);
    let is_due_at_the_end = record.reconcile_at == Some(uploads_end_at);
    let was_unversioned = match &record.state {
        FileState::Withdrawn { was, .. } => was.version_id.is_none(),
        FileState::Deleted { .. } => is_due_at_the_end,
        _ => false,
    };
    if !was_unversioned {
        return Ok(false);
    }
    let head = stores.objects.head(record.key()).await?.found();
    if head.is_none_or(|head| head.version_id.is_some()) {
        return Ok(false);
    }
    let now = stores.compare_clocks().await?;
    if now.is_ok_and(|now| now.has_reached(uploads_end_at)) {
        return Ok(false);
    }
    if !is_due_at_the_end {
        let purge_at = record.purge_at().unwrap_or(uploads_end_at);
        let (id, status) = (record.id, record.status());
        let metadata = &stores.metadata;
        metadata
            .schedule_reconcile(id, status, uploads_end_at, purge_at)
            .await?;
    }
    Ok(true)
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
