//! Looks after what notifications and crashes left behind.
//!
//! Every record with something left to do has a `reconcile_at`. A round goes through those that are
//! due: finalizes what did arrive, expires what did not, deletes available files whose time is over, and bytes that
//! aren't to be there.
//!
//! Most of what is due was created and never sent. Such a record costs one look into the object store
//! and one write a reconciliation, and the reconciliations become rarer ([`Lifecycle::next_reconcile_at`]); a reconciliation whose moment
//! says that the record was pending doesn't read it ([`Lifecycle::is_early_reconcile`]).
//!
//! Invariant: a round does a bounded amount of work and continues where the last one stopped; any
//! number of reconcilers may run at a time, since every step is one conditional write. Nothing expires or is deleted
//! by this process's own clock. However much is due, it takes a small share of a processor.
//!
//! [`Lifecycle::next_reconcile_at`]: crate::domain::Lifecycle::next_reconcile_at
//! [`Lifecycle::is_early_reconcile`]: crate::domain::Lifecycle::is_early_reconcile

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::clean_up::{HELD_GAP, clean_up};
use super::delete_file::delete_record;
use super::finalize_upload::settle_arrived;
use super::store_time::TimedCall;
use super::{FinalizeOutcome, OperationError, Stores};
use crate::domain::{
    FileId, FileRecord, FileState, LONGEST_RECONCILE_GAP, ObjectKey, Status, StoreTime, Timestamp,
    Transition,
};
use crate::file_events::EventKind;
use crate::metadata_store::{DueRecord, MAX_PAGE, TransitionOutcome};
use crate::metrics::{ReconcilerPass, Via};
use crate::object_store::{Lookup, ObjectReader};
use crate::store_error::StoreError;
use crate::traces::{self, Ended, Kind};

/// The most records that one round looks at.
const MAX_RECONCILES_PER_ROUND: usize = 10 * MAX_PAGE;
/// Reconciliations at a time. Each may hash one object.
const CONCURRENT_RECONCILES: usize = 4;
/// Failed reconciliations after which a round is broken off: the stores are in trouble.
const MAX_FAILURES_PER_ROUND: usize = 20;

/// The first sweep after a start also takes pending records that become due within this time: all of
/// them but those whose uploads end later.
const START_LOOKAHEAD: Duration = LONGEST_RECONCILE_GAP;

/// Of the time between two batches that found little to do, this share goes by at rest: so the
/// reconciler takes at most a twentieth of a processor.
const REST_SHARE: u32 = 19;
/// Waiting for a store takes no processor, so a batch that took long is no reason to rest for minutes.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Due records that were looked at, whatever came of it.
    pub reviewed: usize,
    /// Files whose notification was lost or is late.
    pub finalized: usize,
    /// Files whose uploads ended and brought nothing.
    pub expired: usize,
    /// Available files whose time was over.
    pub deleted: usize,
    /// Reconciliations that failed; they stay due.
    pub failed: usize,
    /// Whether more is due than fitted into the round.
    pub more: bool,
}

enum Reconciled {
    Finalized,
    Expired,
    Deleted,
    NothingNew,
}

/// Where it is written down that the program deleted or withdrew a file by itself.
pub trait DeletionLog: Send + Sync {
    /// Sees to it that there is room for a line.
    ///
    /// # Errors
    /// There is none: then the file isn't deleted now.
    fn reserve(&self) -> Result<(), StoreError>;

    /// Writes the line of what was made, or of what a store didn't say whether it was.
    fn record(&self, file: FileId, is_certain: bool);
}

/// A deletion that is under way, and gets its line also if the program ends meanwhile.
pub(super) struct PendingDeletion<'a> {
    log: &'a dyn DeletionLog,
    file: FileId,
    is_over: bool,
}

impl<'a> PendingDeletion<'a> {
    pub(super) fn of(log: &'a dyn DeletionLog, file: FileId) -> Self {
        let is_over = false;
        Self { log, file, is_over }
    }

    pub(super) fn end(mut self, deleted: &Result<bool, StoreError>) {
        self.is_over = true;
        if let Ok(true) | Err(_) = deleted {
            self.log.record(self.file, deleted.is_ok());
        }
    }
}

impl Drop for PendingDeletion<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.log.record(self.file, false);
        }
    }
}

/// One reconciler, with the place where its last round stopped.
pub struct Reconciler {
    stores: Stores,
    resume_after: Option<DueRecord>,
    /// Whether [`Self::run_to_end`] has come to an end.
    has_swept: bool,
    deletions: Option<Arc<dyn DeletionLog>>,
}

impl Reconciler {
    /// A reconciler that begins with the record that is due first.
    pub fn new(stores: Stores) -> Self {
        Self {
            stores,
            resume_after: None,
            has_swept: false,
            deletions: None,
        }
    }

    /// The same, which writes down what it deletes.
    pub fn logging_to(self, deletions: Option<Arc<dyn DeletionLog>>) -> Self {
        Self { deletions, ..self }
    }

    /// Sweeps of as many rounds as it takes, `interval` apart with a fifth of jitter so that many
    /// reconcilers spread out, until `shutdown`. The first sweep also takes what isn't due yet:
    /// whatever a crash left behind.
    pub async fn run(mut self, interval: Duration, shutdown: CancellationToken) {
        let mut until = self.due_by_now().await + START_LOOKAHEAD;
        loop {
            let report = self.run_once(until).await;
            let goes_on = matches!(&report, Ok(report) if report.more);
            let pause = match report {
                Ok(report) if report.more => Duration::ZERO,
                Ok(_) => spread(interval),
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "reconciling failed and is tried again");
                    spread(interval)
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            // A sweep goes to its end with the moment that it began with.
            if !goes_on {
                until = self.due_by_now().await;
            }
        }
    }

    /// One sweep over what is due, of as many rounds as it takes; the first one also takes what isn't due yet. Broken off at any point it has done what it has done;
    /// the next one goes on behind that, and the one after it begins with what was left out.
    ///
    /// # Errors
    /// If the list of what is due can't be read.
    pub async fn run_to_end(&mut self) -> Result<(), StoreError> {
        let ahead = match self.has_swept {
            true => Duration::ZERO,
            false => START_LOOKAHEAD,
        };
        let until = self.due_by_now().await + ahead;
        while self.run_once(until).await?.more {}
        self.has_swept = true;
        Ok(())
    }

    /// The present by whichever clock is behind. What is done to the records that are due doesn't hang
    /// on it; it keeps a process whose clock is ahead from looking at all of them all the time.
    async fn due_by_now(&self) -> Timestamp {
        let own = self.stores.clock.now();
        match self.stores.compare_clocks().await {
            Ok(Ok(now)) => now.timestamp(),
            Ok(Err(differ)) => own.min(differ.store),
            // The reconciliations will say it.
            Err(_) => own,
        }
    }

    /// One round over what is due at `until`.
    ///
    /// # Errors
    /// If the list of what is due can't be read.
    pub async fn run_once(&mut self, until: Timestamp) -> Result<ReconcileReport, StoreError> {
        let mut report = ReconcileReport::default();
        while report.reviewed < MAX_RECONCILES_PER_ROUND {
            let due = self
                .stores
                .metadata
                .due_records(until, self.resume_after, MAX_PAGE)
                .await?;
            let full = due.len() == MAX_PAGE;
            self.resume_after = due.last().copied().filter(|_| full);
            let (began, before) = (Instant::now(), report);
            self.reconcile_all(due, &mut report).await;
            if full {
                sleep(rest_after(began.elapsed(), &before, &report)).await;
            }
            if report.failed >= MAX_FAILURES_PER_ROUND || !full {
                break;
            }
        }
        report.more = self.resume_after.is_some() && report.failed < MAX_FAILURES_PER_ROUND;
        self.stores.metrics.reconciled(ReconcilerPass {
            reviewed: report.reviewed,
            failed: report.failed,
            is_complete: self.resume_after.is_none(),
        });
        if report.finalized + report.expired + report.deleted + report.failed > 0 {
            tracing::info!(?report, "reconciled");
        }
        Ok(report)
    }

    async fn reconcile_all(&self, due: Vec<DueRecord>, report: &mut ReconcileReport) {
        let mut due_records = futures_util::stream::iter(due)
            .map(|due_record| async move { (due_record.id, self.traced(due_record).await) })
            .buffer_unordered(CONCURRENT_RECONCILES);
        while let Some((id, outcome)) = due_records.next().await {
            report.reviewed += 1;
            match outcome {
                Ok(Reconciled::Finalized) => report.finalized += 1,
                Ok(Reconciled::Expired) => report.expired += 1,
                Ok(Reconciled::Deleted) => report.deleted += 1,
                Ok(Reconciled::NothingNew) => {}
                Err(error) => {
                    report.failed += 1;
                    tracing::warn!(file_id = %id, error = %error.chain(), "a reconciliation failed and stays due");
                }
            }
        }
    }

    async fn traced(&self, due_record: DueRecord) -> Result<Reconciled, OperationError> {
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

/// How long to rest after a batch: by the share of its reconciliations that found nothing to do.
fn rest_after(took: Duration, before: &ReconcileReport, after: &ReconcileReport) -> Duration {
    let reviewed = after.reviewed - before.reviewed;
    let useful = |report: &ReconcileReport| report.finalized + report.deleted;
    let useful = useful(after) - useful(before);
    if reviewed == 0 {
        return Duration::ZERO;
    }
    let idle = (reviewed - useful) as f64 / reviewed as f64;
    (took * REST_SHARE).mul_f64(idle).min(LONGEST_REST)
}

/// A fifth more or less, so that those who began together, or failed together, don't stay so.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * fastrand::f64())
}
