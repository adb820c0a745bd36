//! Has files scanned again that are available, and withdraws those in which something is found.
//!
//! Invariant: what is withdrawn is what a scanner found something in that was believed then, in the very bytes that the
//! record names; what it can't look into is withdrawn only if whoever called said so. A scanner that is away ends it,
//! and withdraws nothing. No run withdraws more files than its limit: one file more, and it ends. Memory doesn't grow
//! with the number of files or their size. What was done is done, and another rescan goes on where one ended.
//!
//! Absent on purpose: damage. Bytes that are missing, or others than the record says, are for `scrub`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::measure::{Rescanned, scan_again};
use super::patience::{available_before, is_unchanged, patiently_while};
use super::withdraw_file::{follow, withdraw_file};
use super::{DeletionLog, OperationError, Stores};
use crate::domain::{FileId, FileState, RejectionReason, Timestamp};
use crate::metadata_store::MAX_PAGE;
use crate::scanner::ScanFailure;

/// Files that are scanned at a time.
const CONCURRENT_SCANS: usize = 4;
/// Files that couldn't be looked at, after which it ends: a store is in trouble.
const MAX_UNSEEN: u64 = 20;
/// How long it may take, once it was stopped, to end what it has begun. What was noted is written after it, and
/// supervisors kill after ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(7);

/// Which files are scanned again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichFiles {
    /// Those that are available, newest first.
    All {
        /// Behind this file, with older ones.
        after: Option<FileId>,
        /// None that was created before.
        since: Option<Timestamp>,
    },
    /// These.
    These(Vec<FileId>),
}

/// How files are scanned again.
#[derive(Clone)]
pub struct Rescan {
    /// Which.
    pub files: WhichFiles,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// Whether those are withdrawn too that the scanner can't look into.
    pub withdraws_unscannable: bool,
    /// The most that is withdrawn. A scanner that finds something in more of them is likelier to be wrong.
    pub limit: u64,
    /// Where it is written down what was withdrawn.
    pub log: Option<Arc<dyn DeletionLog>>,
}

/// What is told while it goes on.
#[derive(Debug)]
pub enum RescanFinding {
    /// The file was withdrawn, or would be.
    Withdrawn(FileId, RejectionReason),
    /// The scanner can't look into it, and it stays.
    Unscannable(FileId, RejectionReason),
    /// Its bytes are missing, or not those of the record.
    Damaged(FileId),
    /// There is no such available file.
    NotAvailable(FileId),
    /// A store didn't answer for this one.
    Unseen(FileId, OperationError),
    /// Everything down to `report.position` was looked at.
    Progress(RescanReport),
}

/// Why it ended.
#[derive(Debug)]
pub enum RescanEnd {
    /// Every file was tried.
    Complete,
    /// Whoever called cancelled it.
    Stopped,
    /// The scanner can't be asked, or isn't believed.
    ScannerAway(FileId, ScanFailure),
    /// Something was found in this one too, and no more may be withdrawn.
    LimitReached(FileId, RejectionReason),
    /// A store doesn't answer.
    StoreAway(OperationError),
}

/// What it has come to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RescanReport {
    /// Files in which nothing was found.
    pub clean: u64,
    /// Files that were withdrawn, or would be.
    pub withdrawn: u64,
    /// Files that the scanner can't look into, and that stay.
    pub unscannable: u64,
    /// Files whose bytes are missing or others.
    pub damaged: u64,
    /// Files that couldn't be looked at.
    pub unseen: u64,
    /// Files that aren't available, or not any more.
    pub gone: u64,
    /// The last file of the part that is done; a later rescan may go on behind it.
    pub position: Option<FileId>,
}

enum Scanned {
    Clean,
    Withdrawn(RejectionReason),
    Unscannable(RejectionReason),
    Damaged,
    NotAvailable,
    ScannerAway(ScanFailure),
    OverLimit(RejectionReason),
    /// It ended before this one's turn.
    NotBegun,
}

impl Rescan {
    /// Goes through the files, and tells `tell` what it finds. `stop` ends it early.
    pub async fn run(
        &self,
        stores: &Stores,
        stop: &CancellationToken,
        mut tell: impl FnMut(RescanFinding) + Send,
    ) -> (RescanReport, RescanEnd) {
        let mut report = RescanReport::default();
        let run = Run {
            rescan: self,
            stores,
            stop,
            places: AtomicU64::new(self.limit),
            has_ended: AtomicBool::new(false),
        };
        let through = async {
            let end = match &self.files {
                WhichFiles::All { after, since } => {
                    report.position = *after;
                    run.all(*since, &mut report, &mut tell).await
                }
                WhichFiles::These(ids) => run.these(ids, &mut report, &mut tell).await,
            };
            end.err().unwrap_or(RescanEnd::Complete)
        };
        let given_up = async {
            stop.cancelled().await;
            sleep(STOP_LIMIT).await;
        };
        let end = tokio::select! {
            biased;
            end = through => end,
            () = given_up => RescanEnd::Stopped,
        };
        (report, end)
    }
}

/// One way through the files.
struct Run<'a> {
    rescan: &'a Rescan,
    stores: &'a Stores,
    /// That it was stopped.
    stop: &'a CancellationToken,
    /// How many more may be withdrawn.
    places: AtomicU64,
    /// Nothing more is begun.
    has_ended: AtomicBool,
}

impl Run<'_> {
    async fn all(
        &self,
        since: Option<Timestamp>,
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        loop {
            let page = available_before(self.stores, report.position).await;
            let page = page.map_err(|error| RescanEnd::StoreAway(error.into()))?;
            let is_wanted = |id: &FileId| since.is_none_or(|since| id.created_at() >= since);
            let ids = page.records.iter().map(|record| record.id);
            let wanted: Vec<FileId> = ids.filter(is_wanted).collect();
            let (last, next) = (wanted.last().copied(), page.next.filter(is_wanted));
            self.scan_all(wanted.into_iter(), report, tell).await?;
            report.position = next.or(last).or(report.position);
            tell(RescanFinding::Progress(*report));
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn these(
        &self,
        ids: &[FileId],
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        for part in ids.chunks(MAX_PAGE) {
            self.scan_all(part.iter().copied(), report, tell).await?;
            tell(RescanFinding::Progress(*report));
        }
        Ok(())
    }

    /// All of these, or those that were begun before something ended it: a withdrawal that is under way is told.
    async fn scan_all(
        &self,
        ids: impl Iterator<Item = FileId> + Send,
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        // In boxes, so that whoever runs it may be on any thread.
        let scans: Vec<BoxFuture<'_, _>> = ids
            .map(|id| async move { (id, self.scan(id).await) }.boxed())
            .collect();
        let mut scans = futures_util::stream::iter(scans).buffer_unordered(CONCURRENT_SCANS);
        let mut end = None;
        while let Some((id, scanned)) = scans.next().await {
            let ends = match scanned {
                Ok(scanned) => count(id, scanned, report, tell),
                Err(error) => {
                    report.unseen += 1;
                    match report.unseen >= MAX_UNSEEN {
                        true => Some(RescanEnd::StoreAway(error)),
                        false => {
                            tell(RescanFinding::Unseen(id, error));
                            None
                        }
                    }
                }
            };
            if ends.is_some() {
                self.has_ended.store(true, Ordering::Relaxed);
            }
            end = end.or(ends);
        }
        let stopped = self.stop.is_cancelled().then_some(RescanEnd::Stopped);
        end.or(stopped).map_or(Ok(()), Err)
    }

    /// One file, by its record as it is when its turn comes.
    async fn scan(&self, id: FileId) -> Result<Scanned, OperationError> {
        if self.has_ended.load(Ordering::Relaxed) || self.stop.is_cancelled() {
            return Ok(Scanned::NotBegun);
        }
        let has_place = AtomicBool::new(false);
        patiently_while(
            |scanned| matches!(scanned, Ok(Scanned::ScannerAway(_)) | Err(_)),
            || self.scan_once(id, &has_place),
        )
        .await
    }

    async fn scan_once(
        &self,
        id: FileId,
        has_place: &AtomicBool,
    ) -> Result<Scanned, OperationError> {
        let (rescan, stores) = (self.rescan, self.stores);
        let Some(record) = stores.metadata.get(id).await? else {
            return Ok(Scanned::NotAvailable);
        };
        let object = match &record.state {
            FileState::Available(object) => object,
            // By the try before this one, whose answer was lost.
            FileState::Withdrawn { reason, .. } if has_place.load(Ordering::Relaxed) => {
                follow(stores, &record).await;
                return Ok(Scanned::Withdrawn(reason.clone()));
            }
            _ => return Ok(Scanned::NotAvailable),
        };
        let reason = match scan_again(stores, &record, object).await? {
            Rescanned::Clean => return Ok(Scanned::Clean),
            Rescanned::Unscanned(failure) => return Ok(Scanned::ScannerAway(failure)),
            Rescanned::Changed | Rescanned::Gone => {
                return Ok(match is_unchanged(stores, &record).await? {
                    true => Scanned::Damaged,
                    false => Scanned::NotAvailable,
                });
            }
            Rescanned::Unscannable(reason) if !rescan.withdraws_unscannable => {
                return Ok(Scanned::Unscannable(reason));
            }
            Rescanned::Infected(reason) | Rescanned::Unscannable(reason) => reason,
        };
        if rescan.dry_run {
            return Ok(Scanned::Withdrawn(reason));
        }
        // Once a file, however often it is tried: of a try that failed nobody knows whether it was done.
        if !has_place.load(Ordering::Relaxed) && !self.takes_a_place() {
            return Ok(Scanned::OverLimit(reason));
        }
        has_place.store(true, Ordering::Relaxed);
        let log = rescan.log.as_deref();
        let withdrawn = withdraw_file(stores, &record, object, reason.clone(), log).await?;
        Ok(match withdrawn {
            true => Scanned::Withdrawn(reason),
            false => Scanned::NotAvailable,
        })
    }

    fn takes_a_place(&self) -> bool {
        let one_less = |places: u64| places.checked_sub(1);
        let ordering = Ordering::Relaxed;
        self.places
            .fetch_update(ordering, ordering, one_less)
            .is_ok()
    }
}

/// Counts and tells what came of a file; `Some`: nothing more is to be begun.
fn count(
    id: FileId,
    scanned: Scanned,
    report: &mut RescanReport,
    tell: &mut impl FnMut(RescanFinding),
) -> Option<RescanEnd> {
    match scanned {
        Scanned::NotBegun => {}
        Scanned::Clean => report.clean += 1,
        Scanned::Withdrawn(reason) => {
            report.withdrawn += 1;
            tell(RescanFinding::Withdrawn(id, reason));
        }
        Scanned::Unscannable(reason) => {
            report.unscannable += 1;
            tell(RescanFinding::Unscannable(id, reason));
        }
        Scanned::Damaged => {
            report.damaged += 1;
            tell(RescanFinding::Damaged(id));
        }
        Scanned::NotAvailable => {
            report.gone += 1;
            tell(RescanFinding::NotAvailable(id));
        }
        Scanned::ScannerAway(failure) => return Some(RescanEnd::ScannerAway(id, failure)),
        Scanned::OverLimit(reason) => return Some(RescanEnd::LimitReached(id, reason)),
    }
    None
}
