//! A file a day, to which lines are added.
//!
//! Invariant: between [`DayFiles::reserve`] and the next some hundred lines there is room for those, whatever
//! else fills the disk: the blocks are allotted beforehand, and stay so over a kill and a start. A line that was
//! cut off by a power cut is followed by a line's end, so that it spoils no other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{Last, Line, hash};
use crate::domain::Timestamp;
use crate::owner_only_files::{open_or_create, owner_only_dir};

/// What is allotted at a time, in bytes.
const ALLOTMENT: u64 = 1024 * 1024;
/// When less than this is left of it more is allotted, in bytes: on a disk that is full by then, deletions go on for
/// some 1,000 lines.
const MARGIN: u64 = ALLOTMENT / 2;
/// The least that has to be left for the lines of calls that are under way, in bytes.
const LEAST: u64 = 128 * 1024;
/// In what a file system counts the blocks of a file, in bytes.
const BLOCK: u64 = 512;
/// How far from its end a file is searched for its last whole line, in bytes.
const MAX_TAIL: u64 = 64 * 1024;
const SUFFIX: &str = ".jsonl";

#[derive(Debug)]
pub(super) struct DayFiles {
    dir: PathBuf,
    /// Its name, such as `2026-03-01`.
    day: String,
    file: Arc<File>,
    length: u64,
    /// Up to where blocks are allotted.
    allotted: u64,
    /// Whether lines were written since the disk was told to keep them.
    is_unsynced: bool,
}

impl DayFiles {
    /// Opens the directory and the file of the day, and reads the last line that is there.
    pub(super) fn open(dir: &Path, now: Timestamp) -> io::Result<(Self, Option<Last>)> {
        owner_only_dir(dir)?;
        let days = days(dir)?;
        let last = last_line(dir, &days)?;
        // The newest one that is there, which a full disk has room in; the first line goes on to the next day's, if
        // that is to be. By a clock that was set back, lines still stand behind those that they follow.
        let day = days.into_iter().next_back();
        let day = day.unwrap_or_else(|| day_of(now));
        let (file, length) = open_day(dir, &day)?;
        let allotted = file.metadata()?.blocks().saturating_mul(BLOCK);
        let days = Self {
            dir: dir.to_owned(),
            day,
            file: Arc::new(file),
            length,
            allotted,
            is_unsynced: false,
        };
        Ok((days, last))
    }

    pub(super) fn reserve(&mut self) -> io::Result<()> {
        if self.length + MARGIN <= self.allotted {
            return Ok(());
        }
        match allot(&self.file, self.length) {
            Ok(()) => {
                self.allotted = self.length + ALLOTMENT;
                Ok(())
            }
            Err(_) if self.length + LEAST <= self.allotted => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn append(&mut self, text: &str, now: Timestamp) -> io::Result<()> {
        let day = day_of(now);
        // A clock that was set back goes on in the newer file. Where there is no room for a new one, the old one
        // has some left.
        if day > self.day
            && let Ok((file, length)) = open_day(&self.dir, &day)
            && allot(&file, length).is_ok()
        {
            self.file.sync_data()?;
            self.file = Arc::new(file);
            self.length = length;
            self.allotted = length + ALLOTMENT;
            self.day = day;
        }
        let mut line = text.to_owned();
        line.push('\n');
        let mut file = &*self.file;
        let written = file.write_all(line.as_bytes());
        if written.is_err() {
            // What of it is there stays no part of the next line.
            let _ = file.set_len(self.length);
            let _ = file.seek(SeekFrom::Start(self.length));
        } else {
            self.length += line.len() as u64;
            self.is_unsynced = true;
        }
        written
    }

    /// Has the disk be full from now on, as far as this can tell.
    #[cfg(test)]
    pub(super) fn take_all_room(&mut self) -> io::Result<()> {
        let path = self.dir.join(format!("{}{SUFFIX}", self.day));
        // Nothing is allotted in, or written to, what is open for reading.
        self.file = Arc::new(File::open(path)?);
        self.allotted = 0;
        Ok(())
    }

    /// The file, if there is something that the disk may not have kept yet.
    pub(super) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.is_unsynced).then(|| Arc::clone(&self.file))
    }
}

/// Allots blocks behind the end, which stays where it is.
fn allot(file: &File, length: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::KEEP_SIZE, length, ALLOTMENT) {
            // A file system that can't: a full disk shows when the line is written.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => Ok(other?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, length);
        Ok(())
    }
}

/// The file of a day, at its end, with its length. A line that was cut off is ended.
fn open_day(dir: &Path, day: &str) -> io::Result<(File, u64)> {
    let mut file = open_or_create(&dir.join(format!("{day}{SUFFIX}")))?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == *b"\n" {
        return Ok((file, length));
    }
    file.write_all(b"\n")?;
    Ok((file, length + 1))
}

fn day_of(now: Timestamp) -> String {
    now.format("%Y-%m-%d").to_string()
}

/// The days that have files, in their order.
fn days(dir: &Path) -> io::Result<Vec<String>> {
    let mut days = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let day = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        days.extend(day.map(str::to_owned));
    }
    days.sort_unstable();
    Ok(days)
}

/// The last whole line of the newest file that has one.
fn last_line(dir: &Path, days: &[String]) -> io::Result<Option<Last>> {
    for day in days.iter().rev() {
        let mut file = open_or_create(&dir.join(format!("{day}{SUFFIX}")))?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(MAX_TAIL)))?;
        let mut tail = Vec::new();
        file.take(MAX_TAIL).read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        let lines = tail.lines().rev();
        let mut read = lines.filter_map(|text| Line::read(text).map(|line| (text, line)));
        if let Some((text, line)) = read.next() {
            return Ok(Some(Last {
                chain: line.chain,
                seq: line.seq,
                hash: hash(text),
            }));
        }
    }
    Ok(None)
}
