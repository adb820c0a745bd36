//! Step two of an upload: what arrived is measured, hashed, and made available or rejected.
//!
//! Invariant: a notification is only a hint. The record decides whether anything is to be done, and
//! length, digest, type, version and what the virus scanner says come from one read of one version. Doing it again
//! changes nothing, and comes to the same: what the bytes have to be is in the record. Where files are scanned, none is
//! available without the verdict of a scanner on its bytes.

use super::clean_up::{clean_up, clean_up_as_it_is_now, delete_what_came_later};
use super::measure::{Arrived, Measured, look, measure};
use super::{OperationError, Stores};
use crate::domain::{
    FileId, FileRecord, FileState, ObjectKey, Stage, StoredBytes, Timestamp, Transition,
    TransitionCondition,
};
use crate::file_events::EventKind;
use crate::metadata_store::TransitionOutcome;
use crate::metrics::{SettledAs, Settlement, Via};
use crate::store_error::StoreError;
use crate::traces::{self, Ended, Kind};

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
    /// There are bytes, and the virus scanner couldn't say anything about them. The record is due for another try, by
    /// itself.
    AwaitsScan,
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

/// Measures what lies under `key`, and makes its file available or rejects it. Safe to repeat, and beside
/// others that do the same.
///
/// # Errors
/// Only [`OperationError::Store`]: try again later, nothing is lost.
pub async fn finalize_upload(
    stores: &Stores,
    key: ObjectKey,
) -> Result<FinalizeOutcome, OperationError> {
    let finalizing = async {
        let Some(record) = stores.metadata.get(key.file_id()).await? else {
            return Ok(FinalizeOutcome::UnknownFile);
        };
        // What somebody else put into the bucket is about no file.
        traces::about(record.id);
        let finalized = finalize_record(stores, record, Via::Notification).await?;
        Ok(finalized.outcome)
    };
    let ended = |finalized: &Result<_, OperationError>| Ended {
        name: "finalize_upload",
        has_failed: finalized.is_err(),
        attributes: Vec::new(),
    };
    traces::journey(Kind::Consumer, None, finalizing, ended).await
}

/// [`finalize_upload`] by a record that was just read, and by whoever said that there is something to do.
pub(super) async fn finalize_record(
    stores: &Stores,
    record: FileRecord,
    via: Via,
) -> Result<Finalized, OperationError> {
    if record.status().is_final() {
        return after_settlement(stores, record).await;
    }
    match look(stores, &record).await? {
        Some(arrived) => settle_arrived(stores, record, arrived, via).await,
        None => Ok(Finalized::with(FinalizeOutcome::NotArrived, record)),
    }
}

/// Measures what was found for a pending record, and settles it.
pub(super) async fn settle_arrived(
    stores: &Stores,
    record: FileRecord,
    arrived: Arrived,
    via: Via,
) -> Result<Finalized, OperationError> {
    let id = record.id;
    match settle_once(stores, record, arrived, via).await? {
        Some(finalized) => Ok(finalized),
        // In a box, so that what it takes along isn't a part of every settlement.
        None => Box::pin(settle_again(stores, id, via)).await,
    }
}

/// By what is there now. If that is overtaken too, the reconciler comes by.
async fn settle_again(stores: &Stores, id: FileId, via: Via) -> Result<Finalized, OperationError> {
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
    match settle_once(stores, record, arrived, via).await? {
        Some(finalized) => Ok(finalized),
        None => Ok(not_arrived),
    }
}

/// `None`: what was measured has no version, and others may have come in its place; or another version is being locked.
async fn settle_once(
    stores: &Stores,
    record: FileRecord,
    mut arrived: Arrived,
    via: Via,
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
    let version_id = arrived.head.version_id.clone();
    let reconcile_at = record.due_at_once(stores.clock.now());
    let transition = match measure(stores, &record, arrived).await? {
        Measured::Gone => {
            let not_arrived = Finalized::with(FinalizeOutcome::NotArrived, record);
            return Ok(Some(not_arrived));
        }
        Measured::Unscanned(failure) => {
            tracing::debug!(file_id = %record.id, %failure, "a file isn't scanned yet");
            return await_scan(stores, record, arrived_at).await;
        }
        Measured::AsDeclared(object) => {
            // Asked as late as can be: whoever scans may have started meanwhile.
            if !stores.scans.may_pass_unscanned().await? {
                return await_scan(stores, record, arrived_at).await;
            }
            // What is called available has to be there after a power cut.
            stores.objects.make_durable(record.key()).await?;
            let is_told_apart = object.version_id.is_some();
            if !is_told_apart && !uploads_are_over && !is_alone(stores, &record).await? {
                return Ok(None);
            }
            let keep_until = record.kept_from(object.uploaded_at);
            if let Some(until) = keep_until.filter(|_| stores.objects.locks()) {
                let locks = Transition::locks(version_id, until, reconcile_at);
                // From then on nobody deletes it: what is locked is what will be available.
                if stores.metadata.transition(record.id, &locks).await?
                    == TransitionOutcome::Unchanged
                {
                    return overtaken(stores, record.id).await;
                }
                let version_id = object.version_id.as_ref();
                if let Err(error) = stores.objects.lock(record.key(), version_id, until).await {
                    try_later(stores, &locks.apply_to(record), arrived_at).await?;
                    return Err(error.into());
                }
            }
            let mut transition =
                Transition::available(object, record.delete_after).kept_until(keep_until);
            if !is_told_apart {
                // A form that was handed out since could put others before it.
                transition.condition =
                    TransitionCondition::UploadExpiresAt(record.upload_expires_at);
            }
            transition
        }
        Measured::Other(reason) => {
            // By the store's clock, not by this process's.
            let purge_at = stores.lifecycle.purge_at(&record, arrived_at);
            Transition::rejected(reason, purge_at, reconcile_at).of_version(version_id)
        }
    };
    let outcome = stores.metadata.transition(record.id, &transition);
    if outcome.await? == TransitionOutcome::Unchanged {
        return overtaken(stores, record.id).await;
    }
    count(stores, &record, &transition, arrived_at, via);
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

/// The one settlement of a file that had bytes. A clock that is behind the store's makes a lag of none.
fn count(
    stores: &Stores,
    record: &FileRecord,
    transition: &Transition,
    arrived_at: Timestamp,
    via: Via,
) {
    let from_to = |from: Timestamp, to: Timestamp| (to - from).to_std().unwrap_or_default();
    stores.metrics.settled(Settlement {
        via,
        as_what: match &transition.to {
            FileState::Rejected { .. } => SettledAs::Rejected,
            _ => SettledAs::Available,
        },
        lag: from_to(arrived_at, stores.clock.now()),
        upload: from_to(record.created_at(), arrived_at),
    });
}

/// Somebody was faster. `None`: they made it another pending record.
async fn overtaken(stores: &Stores, id: FileId) -> Result<Option<Finalized>, OperationError> {
    match stores.metadata.get(id).await? {
        Some(record) if !record.status().is_final() => Ok(None),
        Some(record) => after_settlement(stores, record).await.map(Some),
        None => Ok(Some(Finalized {
            outcome: FinalizeOutcome::UnknownFile,
            record: None,
        })),
    }
}

/// Bytes are there, and nobody could scan them. That is written down, with when to try again, before anybody forgets
/// the hint that they came.
async fn await_scan(
    stores: &Stores,
    record: FileRecord,
    arrived_at: Timestamp,
) -> Result<Option<Finalized>, OperationError> {
    if matches!(record.state, FileState::Pending(Stage::Locking(_))) {
        // It was scanned, and its bytes stay.
        try_later(stores, &record, arrived_at).await?;
        return Ok(Some(Finalized::with(FinalizeOutcome::AwaitsScan, record)));
    }
    if stores.scans.are_elsewhere() {
        // Whoever scans gets a hint of its own.
        return Ok(Some(Finalized::with(FinalizeOutcome::AwaitsScan, record)));
    }
    let transition = Transition::awaits_scan(next_try(stores, arrived_at).await?);
    match stores.metadata.transition(record.id, &transition).await? {
        TransitionOutcome::Applied => {
            let waiting = transition.apply_to(record);
            Ok(Some(Finalized::with(FinalizeOutcome::AwaitsScan, waiting)))
        }
        TransitionOutcome::Unchanged => overtaken(stores, record.id).await,
    }
}

/// What is being locked can't go on now. It is read again after ever longer pauses, and not in every round.
async fn try_later(
    stores: &Stores,
    locking: &FileRecord,
    arrived_at: Timestamp,
) -> Result<(), StoreError> {
    let (Some(until), version_id) = (locking.keep_until, locking.locking_version()) else {
        return Ok(());
    };
    let next = next_try(stores, arrived_at).await?;
    let locks = Transition::locks(version_id.cloned(), until, next);
    stores
        .metadata
        .transition(locking.id, &locks)
        .await
        .map(drop)
}

/// When to try again. By the store's clock: a process whose own is ahead would put it off for as long.
async fn next_try(stores: &Stores, arrived_at: Timestamp) -> Result<Timestamp, StoreError> {
    let now = stores.store_now().await?;
    Ok(stores.lifecycle.next_scan_at(arrived_at, now))
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
            if let Some(named) = record.named_version() {
                delete_what_came_later(stores, record.key(), named).await?;
            }
            FinalizeOutcome::AlreadySettled
        }
        StoredBytes::Unwanted => {
            clean_up(stores, &record).await?;
            FinalizeOutcome::LateArrivalDeleted
        }
    };
    Ok(Finalized::with(outcome, record))
}
