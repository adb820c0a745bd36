//! Has files scanned again that are available, and withdraws those in which something is found.
//!
//! Invariant: what is withdrawn is what a scanner found something in that was believed then, in the very bytes that the
//! record names; what it can't look into is withdrawn only if whoever called said so. A scanner that is away ends it,
//! and withdraws nothing. Memory doesn't grow with the number of files or their size. What was done is done, and
//! another rescan goes on where one ended.
//!
//! Absent on purpose: damage. Bytes that are missing, or others than the record says, are for `scrub`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::measure::{Rescanned, scan_again};
use super::withdraw_file::withdraw_file;
use super::{DeletionLog, OperationError, Stores};
use crate::domain::{FileId, FileRecord, FileState, RejectionReason, Status, Timestamp};
use crate::metadata_store::{MAX_PAGE, Page, PageRequest};
use crate::scanner::ScanFailure;
use crate::store_error::StoreError;

/// Files that are scanned at a time.
const CONCURRENT_SCANS: usize = 4;
/// How often one thing is tried, and the pauses in between: they double from the first. About four seconds in all,
/// longer than a scanner needs to be asked again.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Files that couldn't be looked at, after which it ends: a store is in trouble.
const MAX_UNSEEN: u64 = 20;

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
        let through = async {
            let end = match &self.files {
                WhichFiles::All { after, since } => {
                    report.position = *after;
                    self.all(stores, *since, &mut report, &mut tell).await
                }
                WhichFiles::These(ids) => self.these(stores, ids, &mut report, &mut tell).await,
            };
            end.err().unwrap_or(RescanEnd::Complete)
        };
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => RescanEnd::Stopped,
            end = through => end,
        };
        (report, end)
    }

    async fn all(
        &self,
        stores: &Stores,
        since: Option<Timestamp>,
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        loop {
            let request = PageRequest {
                owner: None,
                status: Some(Status::Available),
                before: report.position,
                limit: MAX_PAGE,
            };
            let page = page_of(stores, request).await;
            let page = page.map_err(|error| RescanEnd::StoreAway(error.into()))?;
            let is_wanted = |id: &FileId| since.is_none_or(|since| id.created_at() >= since);
            let ids = page.records.iter().map(|record| record.id);
            let wanted: Vec<FileId> = ids.filter(is_wanted).collect();
            let (last, next) = (wanted.last().copied(), page.next.filter(is_wanted));
            self.scan_all(stores, wanted.into_iter(), report, tell)
                .await?;
            report.position = next.or(last).or(report.position);
            tell(RescanFinding::Progress(*report));
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn these(
        &self,
        stores: &Stores,
        ids: &[FileId],
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        for part in ids.chunks(MAX_PAGE) {
            self.scan_all(stores, part.iter().copied(), report, tell)
                .await?;
            tell(RescanFinding::Progress(*report));
        }
        Ok(())
    }

    async fn scan_all(
        &self,
        stores: &Stores,
        ids: impl Iterator<Item = FileId> + Send,
        report: &mut RescanReport,
        tell: &mut (impl FnMut(RescanFinding) + Send),
    ) -> Result<(), RescanEnd> {
        // In boxes, so that whoever runs it may be on any thread.
        let scans: Vec<BoxFuture<'_, _>> = ids
            .map(|id| async move { (id, self.scan(stores, id).await) }.boxed())
            .collect();
        let mut scans = futures_util::stream::iter(scans).buffer_unordered(CONCURRENT_SCANS);
        while let Some((id, scanned)) = scans.next().await {
            match scanned {
                Ok(Scanned::Clean) => report.clean += 1,
                Ok(Scanned::Withdrawn(reason)) => {
                    report.withdrawn += 1;
                    tell(RescanFinding::Withdrawn(id, reason));
                }
                Ok(Scanned::Unscannable(reason)) => {
                    report.unscannable += 1;
                    tell(RescanFinding::Unscannable(id, reason));
                }
                Ok(Scanned::Damaged) => {
                    report.damaged += 1;
                    tell(RescanFinding::Damaged(id));
                }
                Ok(Scanned::NotAvailable) => {
                    report.gone += 1;
                    tell(RescanFinding::NotAvailable(id));
                }
                Ok(Scanned::ScannerAway(failure)) => {
                    return Err(RescanEnd::ScannerAway(id, failure));
                }
                Err(error) => {
                    report.unseen += 1;
                    if report.unseen >= MAX_UNSEEN {
                        return Err(RescanEnd::StoreAway(error));
                    }
                    tell(RescanFinding::Unseen(id, error));
                }
            }
        }
        Ok(())
    }

    /// One file, by its record as it is when its turn comes.
    async fn scan(&self, stores: &Stores, id: FileId) -> Result<Scanned, OperationError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let scanned = self.scan_once(stores, id).await;
            if attempt == ATTEMPTS || !matches!(scanned, Ok(Scanned::ScannerAway(_)) | Err(_)) {
                return scanned;
            }
            sleep(pause).await;
            pause *= 2;
        }
        Ok(Scanned::NotAvailable)
    }

    async fn scan_once(&self, stores: &Stores, id: FileId) -> Result<Scanned, OperationError> {
        let Some(record) = stores.metadata.get(id).await? else {
            return Ok(Scanned::NotAvailable);
        };
        let FileState::Available(object) = &record.state else {
            return Ok(Scanned::NotAvailable);
        };
        let reason = match scan_again(stores, &record, object).await? {
            Rescanned::Clean => return Ok(Scanned::Clean),
            Rescanned::Unscanned(failure) => return Ok(Scanned::ScannerAway(failure)),
            Rescanned::Changed | Rescanned::Gone => return damaged_if_still(stores, &record).await,
            Rescanned::Unscannable(reason) if !self.withdraws_unscannable => {
                return Ok(Scanned::Unscannable(reason));
            }
            Rescanned::Infected(reason) | Rescanned::Unscannable(reason) => reason,
        };
        if self.dry_run {
            return Ok(Scanned::Withdrawn(reason));
        }
        let log = self.log.as_deref();
        let withdrawn = withdraw_file(stores, &record, object, reason.clone(), log).await?;
        Ok(match withdrawn {
            true => Scanned::Withdrawn(reason),
            false => Scanned::NotAvailable,
        })
    }
}

/// A file that was deleted since its record was read is no damage.
async fn damaged_if_still(stores: &Stores, record: &FileRecord) -> Result<Scanned, OperationError> {
    let now = stores.metadata.get(record.id).await?;
    Ok(match now.is_some_and(|now| now.state == record.state) {
        true => Scanned::Damaged,
        false => Scanned::NotAvailable,
    })
}

async fn page_of(stores: &Stores, request: PageRequest) -> Result<Page, StoreError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        if let Ok(page) = stores.metadata.page(request).await {
            return Ok(page);
        }
        sleep(pause).await;
        pause *= 2;
    }
    stores.metadata.page(request).await
}
