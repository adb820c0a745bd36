//! How much room the data directory's file system has, and for whom.
//!
//! A disk fills up sooner or later, often with what somebody else writes. Whoever wants room again then
//! deletes files, and each deletion is a write to the database. So room is handed out in three steps: what
//! adds something (creates, uploads) is refused while less than `REQUIRED` bytes are free, or a part of a
//! smaller disk (`REQUIRED_PART`); a file beside the database holds some room for what others leave nothing
//! of ([`ReservedSpace`]); it is given up when a write that takes nothing away from anybody (a deletion, a
//! settlement) finds the disk full.
//!
//! Invariant: nothing that adds is let in before the reserved space has been taken hold of again, so it
//! serves those alone whom it was kept for.
//!
//! Absent on purpose: quotas. The system doesn't say how much of one is left, so the first write that one
//! refuses is the first that is known of it; the reserved space then serves as well.

mod reserved;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use reserved::ReservedSpace;

use crate::store_error::StoreError;

/// What has to be free for anything to be added, in bytes; on small disks less.
const REQUIRED: u64 = 64 * 1024 * 1024;
/// The share of the whole file system that is required at most: one part of so many.
const REQUIRED_PART: u64 = 64;
/// How old the answer of the system may be. Creates come by the ten thousand a second.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// The room of one file system. Cheap to clone; the default knows of none and refuses nothing.
#[derive(Debug, Clone, Default)]
pub struct DiskSpace(Option<Arc<Watched>>);

#[derive(Debug)]
struct Watched {
    directory: PathBuf,
    required: u64,
    since: Instant,
    /// When the system was asked last, in milliseconds after `since`, and whether enough was free.
    asked_at: AtomicU64,
    enough: AtomicBool,
    /// The reserved space was given up and isn't there again yet.
    reserve_is_out: AtomicBool,
}

/// Why nothing may be added just now. For the log: clients are told that there is no room.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file system of {} has less than {} MiB to spare: nothing is taken on until there is more",
    directory.display(), required.div_ceil(1024 * 1024)
)]
struct TooLittle {
    directory: PathBuf,
    required: u64,
}

impl DiskSpace {
    /// Watches the file system that `directory` is on.
    ///
    /// # Errors
    /// If the system doesn't answer for `directory`.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let room = Room::of(directory)?;
        Ok(Self(Some(Arc::new(Watched {
            directory: directory.to_owned(),
            required: REQUIRED.min(room.total / REQUIRED_PART),
            since: Instant::now(),
            asked_at: AtomicU64::new(0),
            enough: AtomicBool::new(room.free >= REQUIRED.min(room.total / REQUIRED_PART)),
            reserve_is_out: AtomicBool::new(false),
        }))))
    }

    /// Whether something may be added to `store`.
    ///
    /// # Errors
    /// [`StoreError::OutOfSpace`] while too little is free.
    pub fn check(&self, store: &'static str) -> Result<(), StoreError> {
        let Some(watched) = &self.0 else {
            return Ok(());
        };
        if watched.has_enough() && !watched.reserve_is_out.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StoreError::OutOfSpace {
            store,
            cause: Box::new(TooLittle {
                directory: watched.directory.clone(),
                required: watched.required,
            }),
        })
    }

    /// Whether so many bytes are free besides what has to be; also where nothing is known.
    pub fn has_besides(&self, bytes: u64) -> bool {
        let Some(watched) = &self.0 else {
            return true;
        };
        Room::of(&watched.directory)
            .is_ok_and(|room| room.free >= watched.required.saturating_add(bytes))
    }

    /// What is free, and what has to be, in bytes; `None` where that isn't known.
    pub fn free_and_required(&self) -> Option<(u64, u64)> {
        let watched = self.0.as_ref()?;
        let room = Room::of(&watched.directory).ok()?;
        Some((room.free, watched.required))
    }

    /// Whether a small file can't be written because the disk or a quota is full: some errors of SQLite
    /// don't say why a write failed.
    pub fn is_used_up(&self) -> bool {
        let Some(watched) = &self.0 else {
            return false;
        };
        let written = tempfile::NamedTempFile::new_in(&watched.directory).and_then(|mut file| {
            io::Write::write_all(&mut file, &[1; 4096])?;
            file.as_file().sync_all()
        });
        written.is_err_and(|error| is_full(&error))
    }

    fn reserve_is_out(&self, out: bool) {
        if let Some(watched) = &self.0 {
            watched.reserve_is_out.store(out, Ordering::Relaxed);
        }
    }
}

impl Watched {
    fn has_enough(&self) -> bool {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let asked_at = self.asked_at.load(Ordering::Relaxed);
        let fresh = u64::try_from(FRESH_FOR.as_millis()).unwrap_or(u64::MAX);
        // One caller asks; the others go by what was known before.
        let mine = now.saturating_sub(asked_at) >= fresh
            && self
                .asked_at
                .compare_exchange(asked_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine && let Ok(room) = Room::of(&self.directory) {
            let enough = room.free >= self.required;
            if self.enough.swap(enough, Ordering::Relaxed) != enough {
                let (directory, required) = (self.directory.display(), self.required);
                match enough {
                    true => tracing::info!(%directory, "there is room again"),
                    false => tracing::error!(
                        %directory, free = room.free, required,
                        "the disk is nearly full: creates and uploads are refused until there is room"
                    ),
                }
            }
        }
        self.enough.load(Ordering::Relaxed)
    }
}

/// What the system says of a file system, in bytes.
#[derive(Debug, Clone, Copy)]
struct Room {
    total: u64,
    /// For users without privileges: what is kept for root isn't ours to use.
    free: u64,
}

impl Room {
    fn of(directory: &Path) -> io::Result<Self> {
        let answer = rustix::fs::statvfs(directory)?;
        Ok(Self {
            total: answer.f_blocks.saturating_mul(answer.f_frsize),
            free: answer.f_bavail.saturating_mul(answer.f_frsize),
        })
    }
}

/// Whether a disk or a quota was full.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
