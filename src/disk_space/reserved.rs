//! Room that is kept by a file which holds nothing, until somebody needs it who must not be refused.
//!
//! Invariant: the file is there in its full length, with every block of it allotted, or it counts as not
//! there. It is made only where enough is left besides, so that making and giving it up don't alternate.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{DiskSpace, Room, is_full};
use crate::owner_only_files::{make_owner_only, open_or_create};

/// The name of the file in the data directory.
const NAME: &str = "reserved-space";
/// The length of the file, in bytes; on small disks less. A log of the database that is moved into its file
/// fits in ([`ReservedSpace::log_length`]), and some more.
const LENGTH: u64 = 20 * 1024 * 1024;
/// The share of the whole file system that it takes at most: one part of so many.
const PART: u64 = 16;
/// How often to try to make it again after it was given up.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// What is written at a time where the system can't allot blocks by itself, in bytes.
const CHUNK: usize = 64 * 1024;

/// The file, and whether it is there.
#[derive(Debug)]
pub struct ReservedSpace {
    path: PathBuf,
    space: DiskSpace,
    length: u64,
    held: bool,
    tried_at: Option<Instant>,
}

impl ReservedSpace {
    /// Takes over what an earlier process left. Makes nothing yet: see [`Self::maintain`].
    ///
    /// # Errors
    /// If the system doesn't answer for `directory`.
    pub fn in_directory(directory: &Path, space: DiskSpace) -> io::Result<Self> {
        let length = LENGTH.min(Room::of(directory)?.total / PART);
        let path = directory.join(NAME);
        // Closed to others as everything is; what is no file of ours counts as not there.
        let held = make_owner_only(&path).is_ok()
            && fs::symlink_metadata(&path).is_ok_and(|file| {
                file.len() == length && file.blocks().saturating_mul(512) >= length
            });
        Ok(Self {
            path,
            space,
            length,
            held,
            tried_at: None,
        })
    }

    /// How much may lie in the database's log, in bytes, so that moving it into the database's file fits
    /// into what is reserved.
    pub fn log_length(&self) -> u64 {
        self.length / 5 * 4
    }

    /// Whether there is something to maintain.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Gives the room up. `false` if there was none.
    pub fn give_up(&mut self) -> bool {
        if !self.held {
            return false;
        }
        self.held = false;
        self.space.reserve_is_out(true);
        self.tried_at = Some(Instant::now());
        match fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(
                    bytes = self.length,
                    "the disk is full: the reserved space was given up, so that deletions go on"
                );
                true
            }
            Err(error) => {
                tracing::error!(%error, "the reserved space can't be given up");
                false
            }
        }
    }

    /// Makes it, if it isn't there and there is room for it, and enough besides. Asks the system now and
    /// then only.
    pub fn maintain(&mut self) {
        let early = |at: Instant| at.elapsed() < TRY_EVERY;
        if self.held || self.tried_at.is_some_and(early) {
            return;
        }
        self.tried_at = Some(Instant::now());
        match self.make() {
            Ok(true) => {
                self.held = true;
                self.space.reserve_is_out(false);
            }
            Ok(false) => self.space.reserve_is_out(true),
            Err(error) => {
                // Without it deletions may fail on a full disk, which is no reason not to serve.
                tracing::warn!(%error, "no space can be reserved");
                self.space.reserve_is_out(false);
            }
        }
    }

    /// `false` if there is too little room.
    fn make(&self) -> io::Result<bool> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let required = self.space.0.as_ref().map_or(0, |watched| watched.required);
        if Room::of(directory)?.free < self.length.saturating_add(required) {
            return Ok(false);
        }
        let file = open_or_create(&self.path)?;
        let made = allot(&file, self.length).and_then(|()| file.sync_all());
        if let Err(error) = made {
            fs::remove_file(&self.path)?;
            return if is_full(&error) {
                Ok(false)
            } else {
                Err(error)
            };
        }
        Ok(true)
    }
}

/// Gives the file its length with blocks to it.
fn allot(file: &File, length: u64) -> io::Result<()> {
    file.set_len(0)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            made => return made.map_err(Into::into),
        }
    }
    // Random, for file systems that compress.
    let mut file = file;
    let mut left = length;
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        fastrand::fill(&mut chunk[..now]);
        file.write_all(&chunk[..now])?;
        left -= now as u64;
    }
    Ok(())
}
