//! Looks after what notifications and crashes left behind.
//!
//! Every record with something left to do has a `review_at`. A round goes through those that are
//! due: finalizes what did arrive, expires what did not, and deletes bytes that aren't to be there.
//!
//! Invariant: a round does a bounded amount of work and continues where the last one stopped; any
//! number of reconcilers may run at a time, since every step is one conditional write. Nothing expires
//! by this process's own clock.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::clean_up::clean_up;
use super::finalize_upload::settle_arrived;
use super::{FinalizeOutcome, OperationError, Stores};
use crate::domain::{FileId, FileRecord, Settlement, Status, StoreTime, Timestamp};
use crate::metadata_store::{MAX_PAGE, Review, SettleOutcome};
use crate::object_store::Lookup;
use crate::store_error::StoreError;

/// The most records that one round looks at.
const MAX_REVIEWS_PER_ROUND: usize = 10 * MAX_PAGE;
/// Reviews at a time. Each may hash one object.
const CONCURRENT_REVIEWS: usize = 4;
/// Failed reviews after which a round is broken off: the stores are in trouble.
const MAX_FAILURES_PER_ROUND: usize = 20;

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    pub reviewed: usize,
    /// Files whose notification was lost or is late.
    pub finalized: usize,
    pub expired: usize,
    /// Reviews that failed; they stay due.
    pub failed: usize,
    /// Whether more is due than fitted into the round.
    pub more: bool,
}

enum Reviewed {
    Finalized,
    Expired,
    NothingNew,
}

/// One reconciler, with the place where its last round stopped.
pub struct Reconciler {
    stores: Stores,
    resume_after: Option<Review>,
}

impl Reconciler {
    pub fn new(stores: Stores) -> Self {
        Self {
            stores,
            resume_after: None,
        }
    }

    /// Sweeps of as many rounds as it takes, `interval` apart with a fifth of jitter so that many
    /// reconcilers spread out, until `shutdown`. The first sweep also takes what isn't due yet:
    /// whatever a crash left behind.
    pub async fn run(mut self, interval: Duration, shutdown: CancellationToken) {
        let mut until = self.due_by_now().await + self.stores.lifecycle.review_after;
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

    /// The present by whichever clock is behind. What is done to the records that are due doesn't hang
    /// on it; it keeps a process whose clock is ahead from looking at all of them all the time.
    async fn due_by_now(&self) -> Timestamp {
        let own = self.stores.clock.now();
        match self.stores.compare_clocks().await {
            Ok(Ok(now)) => now.timestamp(),
            Ok(Err(differ)) => own.min(differ.store),
            // The reviews will say it.
            Err(_) => own,
        }
    }

    /// One round over what is due at `until`.
    ///
    /// # Errors
    /// If the list of what is due can't be read.
    pub async fn run_once(&mut self, until: Timestamp) -> Result<ReconcileReport, StoreError> {
        let mut report = ReconcileReport::default();
        while report.reviewed < MAX_REVIEWS_PER_ROUND {
            let due = self
                .stores
                .metadata
                .due_for_review(until, self.resume_after, MAX_PAGE)
                .await?;
            let full = due.len() == MAX_PAGE;
            self.resume_after = due.last().copied().filter(|_| full);
            self.review_all(due, &mut report).await;
            if report.failed >= MAX_FAILURES_PER_ROUND || !full {
                break;
            }
        }
        report.more = self.resume_after.is_some() && report.failed < MAX_FAILURES_PER_ROUND;
        if report.finalized + report.expired + report.failed > 0 {
            tracing::info!(?report, "reconciled");
        }
        Ok(report)
    }

    async fn review_all(&self, due: Vec<Review>, report: &mut ReconcileReport) {
        let mut reviews = futures_util::stream::iter(due)
            .map(|review| async move { (review.id, self.review(review.id).await) })
            .buffer_unordered(CONCURRENT_REVIEWS);
        while let Some((id, outcome)) = reviews.next().await {
            report.reviewed += 1;
            match outcome {
                Ok(Reviewed::Finalized) => report.finalized += 1,
                Ok(Reviewed::Expired) => report.expired += 1,
                Ok(Reviewed::NothingNew) => {}
                Err(error) => {
                    report.failed += 1;
                    tracing::warn!(file_id = %id, error = %error.chain(), "a review failed and stays due");
                }
            }
        }
    }

    async fn review(&self, id: FileId) -> Result<Reviewed, OperationError> {
        let stores = &self.stores;
        let Some(record) = stores.metadata.get(id).await? else {
            return Ok(Reviewed::NothingNew);
        };
        match record.status() {
            Status::Available => Ok(Reviewed::NothingNew),
            Status::Rejected | Status::Expired | Status::Deleted => {
                clean_up(stores, &record).await?;
                Ok(Reviewed::NothingNew)
            }
            Status::Pending => {
                let call = stores.timed_call();
                match stores.objects.read(record.key(), None).await? {
                    Lookup::Found(reader) => {
                        let finalized = settle_arrived(stores, record, reader.into()).await?;
                        Ok(match finalized.outcome {
                            FinalizeOutcome::Available | FinalizeOutcome::Rejected => {
                                Reviewed::Finalized
                            }
                            _ => Reviewed::NothingNew,
                        })
                    }
                    Lookup::Absent { as_of } => match call.agree(as_of) {
                        Ok(now) if stores.lifecycle.uploads_are_over(&record, now) => {
                            expire(stores, record, now).await
                        }
                        _ => Ok(Reviewed::NothingNew),
                    },
                }
            }
        }
    }
}

/// A fifth more or less, so that those who began together, or failed together, don't stay so.
fn spread(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * fastrand::f64())
}

async fn expire(
    stores: &Stores,
    record: FileRecord,
    now: StoreTime,
) -> Result<Reviewed, OperationError> {
    let now = now.timestamp();
    let settlement = Settlement::Expired {
        upload_expires_at: record.upload_expires_at,
        expires_at: stores.lifecycle.expires_at(&record, now),
    };
    match stores.metadata.settle(record.id, &settlement, now).await? {
        SettleOutcome::Unchanged => Ok(Reviewed::NothingNew),
        SettleOutcome::Settled => {
            // Bytes may have come between the look and the write.
            let expired = FileRecord {
                state: settlement.state(),
                ..record
            };
            clean_up(stores, &expired).await?;
            Ok(Reviewed::Expired)
        }
    }
}
