//! Looks after what notifications and crashes left behind.
//!
//! Every record with something left to do has a `reconcile_at`. A round goes through those that are
//! due: finalizes what did arrive, expires what did not, deletes available files whose time is over, and bytes that
//! aren't to be there (`one_record`).
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

mod one_record;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::one_record::Reconciled;
use super::{DeletionLog, Stores};
use crate::domain::{LONGEST_RECONCILE_GAP, Timestamp};
use crate::metadata_store::{DueRecord, MAX_PAGE};
use crate::metrics::ReconcilerPass;
use crate::store_error::StoreError;

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

impl ReconcileReport {
    /// Whether it is the stores and not a file: too much failed, or all of several.
    pub fn has_failed(&self) -> bool {
        let nothing_got_through = self.failed > 1 && self.failed == self.reviewed;
        nothing_got_through || self.failed >= MAX_FAILURES_PER_ROUND
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

    /// One sweep over what is due, of as many rounds as it takes; the first one also takes what isn't due yet. Broken off
    /// at any point, or given up since too much fails, it has done what it has done; the next one goes on behind that, and
    /// the one after it begins with what was left out.
    ///
    /// # Errors
    /// If the list of what is due can't be read.
    pub async fn run_to_end(&mut self) -> Result<ReconcileReport, StoreError> {
        let ahead = match self.has_swept {
            true => Duration::ZERO,
            false => START_LOOKAHEAD,
        };
        let until = self.due_by_now().await + ahead;
        let mut all = ReconcileReport {
            more: true,
            ..ReconcileReport::default()
        };
        while all.more {
            let round = self.run_once(until).await?;
            all = ReconcileReport {
                reviewed: all.reviewed + round.reviewed,
                finalized: all.finalized + round.finalized,
                expired: all.expired + round.expired,
                deleted: all.deleted + round.deleted,
                failed: all.failed + round.failed,
                more: round.more,
            };
        }
        self.has_swept |= self.resume_after.is_none();
        Ok(all)
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
