//! What is done about one record that is due, by its state and by what is in the object store.
//!
//! A record that was pending when its moment was set is looked for in the object store first, and read only if there is
//! something new; any other is read first.
//!
//! Invariant: each step is one conditional write, so of reconcilers that race one makes it. Nothing ends by this
//! process's own clock: where clocks differ, the record waits for a process whose clock is right.
//!
//! Absent on purpose: which records are due, and how many at a time.

use super::Reconciler;
use crate::domain::{
    FileId, FileRecord, FileState, ObjectKey, Status, StoreTime, Timestamp, Transition,
};
use crate::file_events::EventKind;
use crate::metadata_store::{DueRecord, TransitionOutcome};
use crate::metrics::Via;
use crate::object_store::{Lookup, ObjectReader};
use crate::operations::clean_up::{HELD_GAP, clean_up};
use crate::operations::delete_file::delete_record;
use crate::operations::deletion_log::PendingDeletion;
use crate::operations::finalize_upload::settle_arrived;
use crate::operations::store_time::TimedCall;
use crate::operations::{FinalizeOutcome, OperationError};
use crate::store_error::StoreError;
use crate::traces::{self, Ended, Kind};

/// What came of looking at a record.
pub(super) enum Reconciled {
    Finalized,
    Expired,
    Deleted,
    NothingNew,
}

impl Reconciler {
    pub(super) async fn traced(&self, due_record: DueRecord) -> Result<Reconciled, OperationError> {
        let reconciling = async {
            traces::about(due_record.id);
            self.reconcile(due_record).await
        };
        let ended = |reconciled: &Result<_, OperationError>| Ended {
            name: "reconcile",
            has_failed: reconciled.is_err(),
            attributes: Vec::new(),
        };
        traces::journey(Kind::Internal, None, reconciling, ended).await
    }

    async fn reconcile(&self, due_record: DueRecord) -> Result<Reconciled, OperationError> {
        let lifecycle = &self.stores.lifecycle;
        if lifecycle.is_early_reconcile(due_record.id.created_at(), due_record.reconcile_at) {
            return self.look_before_reading(due_record).await;
        }
        self.read_before_looking(due_record.id).await
    }

    /// For a record that was pending, with more time to come: it is read only if there is something new.
    async fn look_before_reading(
        &self,
        due_record: DueRecord,
    ) -> Result<Reconciled, OperationError> {
        let stores = &self.stores;
        let (id, created_at) = (due_record.id, due_record.id.created_at());
        let call = stores.timed_call();
        let look = stores.objects.read(ObjectKey::new(id), None).await?;
        if let Lookup::Absent { as_of } = look {
            if as_of < due_record.reconcile_at {
                // Looked at early, at a start.
                return Ok(Reconciled::NothingNew);
            }
            let next = stores.lifecycle.next_reconcile_at(created_at, as_of);
            let is_late = as_of
                >= stores
                    .lifecycle
                    .next_reconcile_at(created_at, due_record.reconcile_at);
            if !is_late && self.postpone(id, next).await? {
                return Ok(Reconciled::NothingNew);
            }
        }
        match stores.metadata.get(id).await? {
            None => Ok(Reconciled::NothingNew),
            // Another version may be there than the one that was looked at.
            Some(record) if record.locking_version().is_some() => self.look_at(record).await,
            Some(record) => self.conclude(record, &call, look).await,
        }
    }

    async fn read_before_looking(&self, id: FileId) -> Result<Reconciled, OperationError> {
        let stores = &self.stores;
        match stores.metadata.get(id).await? {
            None => Ok(Reconciled::NothingNew),
            Some(record) => self.look_at(record).await,
        }
    }

    async fn look_at(&self, record: FileRecord) -> Result<Reconciled, OperationError> {
        let stores = &self.stores;
        match record.status() {
            Status::Available => self.delete_if_over(record).await,
            Status::Rejected | Status::Withdrawn | Status::Deleted => {
                // At a start some are looked at early.
                let own_now = stores.clock.now();
                if record.reconcile_at.is_none_or(|at| at <= own_now) {
                    clean_up(stores, &record).await?;
                }
                Ok(Reconciled::NothingNew)
            }
            Status::Pending | Status::Expired => {
                let call = stores.timed_call();
                let version = record.locking_version();
                let look = stores.objects.read(record.key(), version).await?;
                self.conclude(record, &call, look).await
            }
        }
    }

    /// What follows from the record and what was found in the object store.
    async fn conclude(
        &self,
        record: FileRecord,
        call: &TimedCall<'_>,
        look: Lookup<ObjectReader>,
    ) -> Result<Reconciled, OperationError> {
        let stores = &self.stores;
        match (&record.state, look) {
            (FileState::Available(_), _) => return self.delete_if_over(record).await,
            (FileState::Pending(_), Lookup::Found(reader)) => {
                let id = record.id;
                let uploads_end_at = stores.lifecycle.uploads_end_at(&record);
                let finalized =
                    settle_arrived(stores, record, reader.into(), Via::Reconciler).await?;
                match finalized.outcome {
                    FinalizeOutcome::Available | FinalizeOutcome::Rejected => {
                        return Ok(Reconciled::Finalized);
                    }
                    FinalizeOutcome::NotYet => {
                        self.postpone(id, uploads_end_at).await?;
                    }
                    _ => {}
                }
            }
            (FileState::Pending(_), Lookup::Absent { as_of }) => {
                return self.nothing_came(record, call, as_of).await;
            }
            (FileState::Expired { purge_at }, Lookup::Absent { as_of }) => {
                let (id, at) = (record.id, *purge_at);
                match call.agree(as_of) {
                    Ok(now) if now.has_reached(at) => {
                        stores.metadata.remove(id, Status::Expired).await?;
                    }
                    Ok(_) if record.reconcile_at != Some(at) => {
                        let schedule =
                            stores
                                .metadata
                                .schedule_reconcile(id, Status::Expired, at, at);
                        schedule.await?;
                    }
                    _ => {}
                }
            }
            (
                FileState::Rejected { .. }
                | FileState::Withdrawn { .. }
                | FileState::Deleted { .. }
                | FileState::Expired { .. },
                _,
            ) => clean_up(stores, &record).await?,
        }
        Ok(Reconciled::NothingNew)
    }

    /// A pending record had no bytes as of `as_of`.
    async fn nothing_came(
        &self,
        record: FileRecord,
        call: &TimedCall<'_>,
        as_of: Timestamp,
    ) -> Result<Reconciled, OperationError> {
        let lifecycle = &self.stores.lifecycle;
        if let Ok(now) = call.agree(as_of)
            && lifecycle.uploads_are_over(&record, now)
        {
            return self.expire(record, now).await;
        }
        // At its end it waits for somebody whose clock is right, or for an upload under way.
        let is_due = record.reconcile_at.is_some_and(|at| at <= as_of);
        if is_due && as_of < lifecycle.uploads_end_at(&record) {
            let next = lifecycle.next_reconcile_at(record.created_at(), as_of);
            self.postpone(record.id, next).await?;
        }
        Ok(Reconciled::NothingNew)
    }

    /// An available file is due: it goes as if its owner had deleted it, once its time is over by the store's clock.
    async fn delete_if_over(&self, record: FileRecord) -> Result<Reconciled, OperationError> {
        let stores = &self.stores;
        let is_over = |now| record.delete_after.is_some_and(|at| at <= now);
        // At a start some are looked at early. Then the store needn't be asked.
        if !is_over(stores.clock.now()) {
            return Ok(Reconciled::NothingNew);
        }
        // Where the clocks differ, it waits for somebody whose clock is right.
        let now = match stores.compare_clocks().await? {
            Ok(now) if is_over(now.timestamp()) => now.timestamp(),
            _ => return Ok(Reconciled::NothingNew),
        };
        if record.hold.is_some() {
            // Nobody says when a hold ends.
            return self.leave_until(&record, now + HELD_GAP).await;
        }
        if let Some(until) = record.keep_until.filter(|_| record.is_retained(now)) {
            return self.leave_until(&record, until).await;
        }
        let log = self.deletions.as_deref();
        if let Some(log) = log {
            log.reserve()?;
        }
        let pending = log.map(|log| PendingDeletion::of(log, record.id));
        let deleted = delete_record(stores, &record, now).await;
        if let Some(pending) = pending {
            pending.end(&deleted);
        }
        if !deleted? {
            return Ok(Reconciled::NothingNew);
        }
        let at = stores.clock.now();
        stores
            .events
            .done_by_the_program(EventKind::Deleted, &record, at);
        tracing::info!(file_id = %record.id, "file deleted: its time is over");
        Ok(Reconciled::Deleted)
    }

    /// The time of an available file is over, and it has to stay for now: it is looked at again then.
    async fn leave_until(
        &self,
        record: &FileRecord,
        again: Timestamp,
    ) -> Result<Reconciled, OperationError> {
        if let Some(seen) = record.reconcile_at {
            let metadata = &self.stores.metadata;
            metadata.postpone_deletion(record.id, seen, again).await?;
        }
        Ok(Reconciled::NothingNew)
    }

    async fn postpone(&self, id: FileId, at: Timestamp) -> Result<bool, StoreError> {
        let grace = self.stores.lifecycle.upload_grace;
        self.stores.metadata.postpone_reconcile(id, at, grace).await
    }

    /// One write: no bytes can have come since `now`, and the record is looked at again at its end.
    async fn expire(
        &self,
        record: FileRecord,
        now: StoreTime,
    ) -> Result<Reconciled, OperationError> {
        let purge_at = self.stores.lifecycle.empty_purge_at(&record, now);
        // No bytes are there that would have to go: it is looked at again when its time is over.
        let transition = Transition::expired(&record, purge_at, purge_at);
        let expiring = self.stores.metadata.transition(record.id, &transition);
        Ok(match expiring.await? {
            TransitionOutcome::Applied => {
                let (events, now) = (&self.stores.events, self.stores.clock.now());
                events.done_by_the_program(EventKind::Expired, &record, now);
                self.stores.metrics.expired();
                Reconciled::Expired
            }
            TransitionOutcome::Unchanged => Reconciled::NothingNew,
        })
    }
}
