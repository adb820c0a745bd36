//! Reads every available file's bytes and compares them with what its record says.
//!
//! Invariant: only what was read and differs, or was looked for and isn't there, counts as damage,
//! and only while the record still promises it. A store that doesn't answer is "couldn't look".
//! Memory doesn't grow with the number of files or their size, and nothing is written.
//!
//! Absent on purpose: repair. Which bytes are right isn't known to anybody here.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Stores;
use super::measure::hash;
use super::patience::{available_before, is_unchanged, patiently};
use crate::domain::{FileId, FileRecord, FileState, Sha256Digest, StoredObject};
use crate::store_error::StoreError;

/// Objects that are read at a time.
const CONCURRENT_READS: usize = 4;

/// Files in a row that couldn't be looked at, after which the scrub ends: the store is away, and
/// trying the others would take hours and say nothing new.
const MAX_UNSEEN_IN_A_ROW: usize = 20;

/// Where a scrub begins, and how fast it reads. By default it begins at the newest file, at full speed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScrubOptions {
    /// Goes on behind this file, with the ones that are older.
    pub after: Option<FileId>,
    /// The most that is read on average, in bytes a second. A file is read at full speed, and the
    /// next one waits.
    pub max_bytes_per_second: Option<NonZeroU64>,
}

/// What is wrong with a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The store says that these bytes aren't there.
    Missing,
    /// There are more or fewer bytes than the record says.
    WrongLength {
        /// The record's length, in bytes.
        recorded: u64,
        /// The object's length, in bytes.
        observed: u64,
    },
    /// The length is right, and the bytes hash to something else.
    WrongDigest {
        /// The record's digest.
        recorded: Sha256Digest,
        /// What the bytes hash to now.
        observed: Sha256Digest,
    },
    /// What lies there is no object of this service, or contradicts the store's own checksum.
    Unreadable(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing: the store doesn't have these bytes"),
            Self::WrongLength { recorded, observed } => write!(
                f,
                "wrong length: {recorded} bytes are recorded and {observed} are there"
            ),
            Self::WrongDigest { recorded, observed } => write!(
                f,
                "wrong digest: SHA-256 {recorded} is recorded and the bytes have {observed}"
            ),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
        }
    }
}

/// What is told while the scrub goes on.
#[derive(Debug)]
pub enum Finding {
    /// The file is recorded as available, and its bytes aren't what the record says.
    Damaged(FileId, Damage),
    /// Couldn't be looked at.
    Unseen(FileId, StoreError),
    /// Everything down to `report.position` was looked at.
    Progress(ScrubReport),
}

/// Why the scrub ended.
#[derive(Debug)]
pub enum ScrubEnd {
    /// Every available file was tried.
    Complete,
    /// Whoever called cancelled it.
    Stopped,
    /// The store doesn't answer.
    StoreAway(StoreError),
}

/// What a scrub has come to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Files whose bytes were read and are right, and how many bytes that was.
    pub sound: u64,
    /// How many bytes those files have together.
    pub sound_bytes: u64,
    /// Files that were named as [`Finding::Damaged`].
    pub damaged: u64,
    /// Files that couldn't be looked at.
    pub unseen: u64,
    /// Files that were deleted while they were being looked at.
    pub gone: u64,
    /// The last file of the part that is done; a later scrub may go on behind it.
    pub position: Option<FileId>,
}

enum Inspection {
    Sound(u64),
    Damaged(Damage),
    Gone,
    Unseen(StoreError),
}

/// Goes through all files that are available, newest first, and tells `tell` what it finds. Files
/// that become available meanwhile may be left out.
pub async fn scrub(
    stores: &Stores,
    options: ScrubOptions,
    stop: &CancellationToken,
    mut tell: impl FnMut(Finding),
) -> (ScrubReport, ScrubEnd) {
    let mut report = ScrubReport {
        position: options.after,
        ..ScrubReport::default()
    };
    let through = async {
        match go_through(stores, options, &mut report, &mut tell).await {
            Ok(()) => ScrubEnd::Complete,
            Err(error) => ScrubEnd::StoreAway(error),
        }
    };
    let end = tokio::select! {
        biased;
        () = stop.cancelled() => ScrubEnd::Stopped,
        end = through => end,
    };
    (report, end)
}

async fn go_through(
    stores: &Stores,
    options: ScrubOptions,
    report: &mut ScrubReport,
    tell: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    let pace = Pace::new(options.max_bytes_per_second);
    let mut unseen_in_a_row = 0;
    loop {
        let page = available_before(stores, report.position).await?;
        let last = page.records.last().map(|record| record.id);
        let mut looks = futures_util::stream::iter(page.records)
            .map(|record| look_at(stores, &pace, record))
            .buffer_unordered(CONCURRENT_READS);
        while let Some((id, seen)) = looks.next().await {
            unseen_in_a_row = match seen {
                Inspection::Unseen(_) => unseen_in_a_row + 1,
                _ => 0,
            };
            match seen {
                Inspection::Sound(bytes) => {
                    report.sound += 1;
                    report.sound_bytes += bytes;
                }
                Inspection::Damaged(damage) => {
                    report.damaged += 1;
                    tell(Finding::Damaged(id, damage));
                }
                Inspection::Gone => report.gone += 1,
                Inspection::Unseen(error) => {
                    report.unseen += 1;
                    if unseen_in_a_row >= MAX_UNSEEN_IN_A_ROW {
                        return Err(error);
                    }
                    tell(Finding::Unseen(id, error));
                }
            }
        }
        report.position = page.next.or(last).or(report.position);
        tell(Finding::Progress(*report));
        if page.next.is_none() {
            return Ok(());
        }
        // However fast the stores are, a stop is seen.
        tokio::task::yield_now().await;
    }
}

async fn look_at(stores: &Stores, pace: &Pace, record: FileRecord) -> (FileId, Inspection) {
    let id = record.id;
    let FileState::Available(object) = &record.state else {
        return (id, Inspection::Gone);
    };
    pace.wait_for(record.declared.length.bytes()).await;
    let seen = match find_damage(stores, &record, object).await {
        Ok(None) => Inspection::Sound(record.declared.length.bytes()),
        Ok(Some(damage)) => confirm(stores, &record, damage).await,
        Err(error) => Inspection::Unseen(error),
    };
    (id, seen)
}

async fn find_damage(
    stores: &Stores,
    record: &FileRecord,
    object: &StoredObject,
) -> Result<Option<Damage>, StoreError> {
    let read = patiently(|| async {
        let version_id = object.version_id.as_ref();
        match stores.objects.read(record.key(), version_id).await?.found() {
            Some(reader) => hash(reader.body).await.map(Some),
            None => Ok(None),
        }
    });
    let (observed_length, observed) = match read.await {
        Ok(Some(measured)) => measured,
        Ok(None) => return Ok(Some(Damage::Missing)),
        Err(StoreError::Corrupt { what, .. }) => return Ok(Some(Damage::Unreadable(what))),
        Err(error) => return Err(error),
    };
    let (recorded_length, recorded) = (record.declared.length.bytes(), object.sha256);
    Ok(if observed_length != recorded_length {
        Some(Damage::WrongLength {
            recorded: recorded_length,
            observed: observed_length,
        })
    } else if observed != recorded {
        Some(Damage::WrongDigest { recorded, observed })
    } else {
        None
    })
}

async fn confirm(stores: &Stores, record: &FileRecord, damage: Damage) -> Inspection {
    match patiently(|| is_unchanged(stores, record)).await {
        Ok(true) => Inspection::Damaged(damage),
        Ok(false) => Inspection::Gone,
        Err(error) => Inspection::Unseen(error),
    }
}

/// Keeps the average rate: everybody waits for the time that was given to those before.
struct Pace {
    bytes_per_second: Option<NonZeroU64>,
    free_at: Mutex<Instant>,
}

impl Pace {
    fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self {
            bytes_per_second,
            free_at: Mutex::new(Instant::now()),
        }
    }

    async fn wait_for(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let begin = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = (*free_at).max(Instant::now());
            // At most 20 MiB at one byte a second, which is eight months.
            *free_at = begin + Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
            begin
        };
        sleep_until(begin).await;
    }
}
