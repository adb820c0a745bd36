//! Step two of an upload: what arrived is measured, hashed, and made available or rejected.
//!
//! Invariant: a notification is only a hint. The record decides whether anything is to be done, and
//! length, digest, type and version come from one read of one version. Doing it again changes nothing, and comes to
//! the same: what the bytes have to be is in the record.

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};

use super::clean_up::{clean_up, clean_up_as_it_is_now};
use super::{OperationError, Stores};
use crate::domain::{
    FileId, FileRecord, FileState, ObjectKey, RejectionReason, Sha256Digest, StoredBytes,
    StoredObject, Transition, TransitionCondition,
};
use crate::file_events::EventKind;
use crate::file_types::{self, Ends};
use crate::metadata_store::TransitionOutcome;
use crate::object_store::{ObjectBody, ObjectHead, ObjectReader};
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
    /// There are bytes, and an upload that was handed out may still put others in their place. They are
    /// measured when none can any more.
    NotYet,
    /// No record names this key. Nothing is touched: the bucket may be shared by mistake.
    UnknownFile,
}

/// What became of it, with the record as it is then: `None` if there is none.
pub(super) struct Finalized {
    pub(super) outcome: FinalizeOutcome,
    pub(super) record: Option<FileRecord>,
}

impl Finalized {
    fn with(outcome: FinalizeOutcome, record: FileRecord) -> Self {
        Self {
            outcome,
            record: Some(record),
        }
    }
}

/// What a look into the store found, with the bytes if it asked for them.
pub(super) struct Arrived {
    head: ObjectHead,
    body: Option<ObjectBody>,
}

impl From<ObjectReader> for Arrived {
    fn from(reader: ObjectReader) -> Self {
        Self {
            head: reader.head,
            body: Some(reader.body),
        }
    }
}

/// Measures what lies under `key`, and makes its file available or rejects it. Safe to repeat, and beside
/// others that do the same.
///
/// # Errors
/// Only [`OperationError::Store`]: try again later, nothing is lost.
pub async fn finalize_upload(
    stores: &Stores,
    key: ObjectKey,
) -> Result<FinalizeOutcome, OperationError> {
    let Some(record) = stores.metadata.get(key.file_id()).await? else {
        return Ok(FinalizeOutcome::UnknownFile);
    };
    Ok(finalize_record(stores, record).await?.outcome)
}

/// [`finalize_upload`] by a record that was just read.
pub(super) async fn finalize_record(
    stores: &Stores,
    record: FileRecord,
) -> Result<Finalized, OperationError> {
    if record.status().is_final() {
        return after_settlement(stores, record).await;
    }
    match look(stores, &record).await? {
        Some(arrived) => settle_arrived(stores, record, arrived).await,
        None => Ok(Finalized::with(FinalizeOutcome::NotArrived, record)),
    }
}

/// One call, whatever it finds: a store that compared a declared digest itself tells it without the
/// bytes, and otherwise they have to be read.
async fn look(stores: &Stores, record: &FileRecord) -> Result<Option<Arrived>, StoreError> {
    let key = record.key();
    if record.declared.sha256.is_some() {
        let head = stores.objects.head(key).await?.found();
        return Ok(head.map(|head| Arrived { head, body: None }));
    }
    let reader = stores.objects.read(key, None).await?.found();
    Ok(reader.map(Arrived::from))
}

/// Measures what was found for a pending record, and settles it.
pub(super) async fn settle_arrived(
    stores: &Stores,
    record: FileRecord,
    arrived: Arrived,
) -> Result<Finalized, OperationError> {
    let id = record.id;
    match settle_once(stores, record, arrived).await? {
        Some(finalized) => Ok(finalized),
        // In a box, so that what it takes along isn't a part of every settlement.
        None => Box::pin(settle_again(stores, id)).await,
    }
}

/// By what is there now. If that is overtaken too, the reconciler comes by.
async fn settle_again(stores: &Stores, id: FileId) -> Result<Finalized, OperationError> {
    let Some(record) = stores.metadata.get(id).await? else {
        return Ok(Finalized {
            outcome: FinalizeOutcome::UnknownFile,
            record: None,
        });
    };
    if record.status().is_final() {
        return after_settlement(stores, record).await;
    }
    let not_arrived = Finalized::with(FinalizeOutcome::NotArrived, record.clone());
    let Some(arrived) = look(stores, &record).await? else {
        return Ok(not_arrived);
    };
    match settle_once(stores, record, arrived).await? {
        Some(finalized) => Ok(finalized),
        None => Ok(not_arrived),
    }
}

/// `None`: what was measured has no version, and others may have come in its place.
async fn settle_once(
    stores: &Stores,
    record: FileRecord,
    mut arrived: Arrived,
) -> Result<Option<Finalized>, OperationError> {
    let uploads_are_over = arrived.head.replaceable;
    if arrived.head.replaceable {
        match once_nothing_replaces_it(stores, &record).await? {
            Some(final_one) => arrived = final_one,
            None => {
                let not_yet = Finalized::with(FinalizeOutcome::NotYet, record);
                return Ok(Some(not_yet));
            }
        }
    }
    let arrived_at = arrived.head.last_modified;
    let Some(verdict) = measure(stores, &record, arrived).await? else {
        let not_arrived = Finalized::with(FinalizeOutcome::NotArrived, record);
        return Ok(Some(not_arrived));
    };
    let reconcile_at = record.due_at_once(stores.clock.now());
    let transition = match verdict {
        Ok(object) => {
            // What is called available has to be there after a power cut.
            stores.objects.make_durable(record.key()).await?;
            let is_told_apart = object.version_id.is_some();
            if !is_told_apart && !uploads_are_over && !is_alone(stores, &record).await? {
                return Ok(None);
            }
            let mut transition = Transition::available(object, record.delete_after);
            if !is_told_apart {
                // A form that was handed out since could put others before it.
                transition.condition =
                    TransitionCondition::UploadExpiresAt(record.upload_expires_at);
            }
            transition
        }
        Err(reason) => {
            // By the store's clock, not by this process's.
            let purge_at = stores.lifecycle.purge_at(&record, arrived_at);
            Transition::rejected(reason, purge_at, reconcile_at)
        }
    };
    let outcome = stores.metadata.transition(record.id, &transition);
    if outcome.await? == TransitionOutcome::Unchanged {
        return match stores.metadata.get(record.id).await? {
            Some(record) if !record.status().is_final() => Ok(None),
            Some(record) => after_settlement(stores, record).await.map(Some),
            None => Ok(Some(Finalized {
                outcome: FinalizeOutcome::UnknownFile,
                record: None,
            })),
        };
    }
    let outcome = match &transition.to {
        FileState::Rejected { reason, .. } => {
            tracing::info!(file_id = %record.id, reason = reason.text, "upload rejected");
            clean_up_as_it_is_now(stores, record.id).await?;
            FinalizeOutcome::Rejected
        }
        _ => {
            tracing::info!(file_id = %record.id, bytes = record.declared.length.bytes(), "file available");
            FinalizeOutcome::Available
        }
    };
    let settled = transition.apply_to(record);
    let kind = match outcome {
        FinalizeOutcome::Rejected => EventKind::Rejected,
        _ => EventKind::Available,
    };
    stores
        .events
        .done_by_the_program(kind, &settled, stores.clock.now());
    Ok(Some(Finalized::with(outcome, settled)))
}

/// Whether what was measured, and has no version, is still all that can come: an operator may have had versions
/// kept since, and then forms are handed out that bring others.
async fn is_alone(stores: &Stores, record: &FileRecord) -> Result<bool, StoreError> {
    let current = stores.objects.head(record.key()).await?.found();
    Ok(current.is_some_and(|head| head.version_id.is_none() && !head.replaceable))
}

/// What is there once no upload that was handed out can put anything in its place; `None` before.
async fn once_nothing_replaces_it(
    stores: &Stores,
    record: &FileRecord,
) -> Result<Option<Arrived>, StoreError> {
    let now = stores.compare_clocks().await?;
    if !now.is_ok_and(|now| stores.lifecycle.uploads_are_over(record, now)) {
        return Ok(None);
    }
    // Looked at anew: something may have come before the store said its time.
    let reader = stores.objects.read(record.key(), None).await?.found();
    Ok(reader.map(Arrived::from))
}

/// A hint for a file that has left `pending`: it is doubled, or the bytes came too late.
async fn after_settlement(
    stores: &Stores,
    record: FileRecord,
) -> Result<Finalized, OperationError> {
    let outcome = match record.status().bytes() {
        StoredBytes::Awaited => FinalizeOutcome::NotArrived,
        StoredBytes::Kept => {
            delete_what_came_later(stores, &record).await?;
            FinalizeOutcome::AlreadySettled
        }
        StoredBytes::Unwanted => {
            clean_up(stores, &record).await?;
            FinalizeOutcome::LateArrivalDeleted
        }
    };
    Ok(Finalized::with(outcome, record))
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

/// Compares what lies in the store with what was declared, and with what its name says. `None` if it went away
/// meanwhile.
async fn measure(
    stores: &Stores,
    record: &FileRecord,
    arrived: Arrived,
) -> Result<Option<Verdict>, StoreError> {
    let Arrived { head, body } = arrived;
    if let Err(reason) = record.declared.judge_length(head.content_length) {
        return Ok(Some(Err(reason)));
    }
    let (head, sha256, ends) = match (head.sha256, body) {
        (Some(verified_by_store), _) => {
            if let Err(reason) = record.declared.judge_digest(verified_by_store) {
                return Ok(Some(Err(reason)));
            }
            let Some(ends) = read_ends(stores, record.key(), &head).await? else {
                return Ok(None);
            };
            (head, verified_by_store, ends)
        }
        (None, body) => {
            let reader = match body {
                Some(body) => ObjectReader { head, body },
                None => {
                    let version_id = head.version_id.as_ref();
                    let reader = stores.objects.read(record.key(), version_id).await?;
                    let Some(reader) = reader.found() else {
                        return Ok(None);
                    };
                    reader
                }
            };
            let mut ends = Ends::of_length(reader.head.content_length);
            let hashing = hash(reader.body, |chunk| ends.add(chunk));
            let (observed_length, sha256) = hashing.await?;
            if let Err(reason) = record.declared.judge_length(observed_length) {
                return Ok(Some(Err(reason)));
            }
            (reader.head, sha256, ends)
        }
    };
    if let Err(reason) = record.declared.judge_digest(sha256) {
        return Ok(Some(Err(reason)));
    }
    let detected = file_types::detect(&ends);
    if let Err(reason) = file_types::judge(&record.declared, &detected) {
        return Ok(Some(Err(reason)));
    }
    Ok(Some(Ok(StoredObject {
        sha256,
        version_id: head.version_id,
        // S3 cuts the time to whole seconds: without this a file could be older than its record.
        uploaded_at: head.last_modified.max(record.created_at()),
        detected_type: Some(detected.media_type()),
    })))
}

/// The ends of an object that needn't be read for its digest, as a store knows that. `None` if it went away meanwhile.
async fn read_ends(
    stores: &Stores,
    key: ObjectKey,
    head: &ObjectHead,
) -> Result<Option<Ends>, StoreError> {
    let mut ends = Ends::of_length(head.content_length);
    let (objects, version_id) = (&stores.objects, head.version_id.as_ref());
    let parts = Ends::ranges(head.content_length).map(|part| async move {
        let start = part.start;
        let read = objects.read_range(key, version_id, part).await?;
        Ok::<_, StoreError>((start, read.found()))
    });
    for (start, bytes) in try_join_all(parts).await? {
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        ends.skip_to(start);
        ends.add(&bytes);
    }
    Ok(Some(ends))
}

/// Length and digest of a body, a chunk at a time; `seen` is shown each of them.
pub(super) async fn hash(
    mut body: ObjectBody,
    mut seen: impl FnMut(&[u8]),
) -> Result<(u64, Sha256Digest), StoreError> {
    let mut hasher = Sha256::new();
    let mut length = 0;
    while let Some(chunk) = body.try_next().await? {
        length += chunk.len() as u64;
        hasher.update(&chunk);
        seen(&chunk);
    }
    Ok((length, Sha256Digest::from_bytes(hasher.finalize().into())))
}
