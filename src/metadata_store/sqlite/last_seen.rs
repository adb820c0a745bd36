//! What the database and its log were when this program last wrote to them, in a small file beside them. After a
//! crash it tells the next start whether somebody else changed one of them since: what was replaced has another
//! inode, and what was written over another time of change (`ctime`), which no program sets.
//!
//! Invariant: a note is written only of what this program's own writes made of files that were as the note before
//! said. Whatever can't be told for certain is "changed", and then a start looks through the whole database.
//!
//! Absent on purpose: syncs. After a power cut the note may be of any moment, or torn: then it describes the
//! database as it is, or it doesn't. And removing the note after a foreign write: it describes nothing any more.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::schema::{LOG_SUFFIX, beside};
use crate::owner_only_files::open_or_create;

/// What the name of the note ends with.
pub(super) const SUFFIX: &str = "-seen";

/// What the note begins with; raised when it says something else.
const FORM: &str = "file-share-last-seen-1";

/// The log's header, in bytes, with the numbers that are others whenever the log begins anew
/// (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_HEADER: usize = 32;

/// More than a note is long, in bytes.
const MAX_NOTE: usize = 512;

/// What changes when somebody writes to the database, or begins the log anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
    log_header: [u8; LOG_HEADER],
}

impl Stamp {
    fn of(database: &Path, log: &File) -> io::Result<Self> {
        let found = fs::symlink_metadata(database)?;
        let mut log_header = [0; LOG_HEADER];
        // A log in which there is nothing yet has no header.
        if let Err(error) = log.read_exact_at(&mut log_header, 0)
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            return Err(error);
        }
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
            log_header,
        })
    }

    /// All but the length of the log, which grows.
    fn note(&self, log_inode: u64) -> String {
        let Self {
            device,
            inode,
            length,
            changed: (seconds, nanos),
            log_header,
        } = self;
        let log_header = hex::encode(log_header);
        format!(
            "{FORM} {device:016x} {inode:016x} {length:016x} {seconds:016x} {nanos:08x} {log_inode:016x} {log_header} "
        )
    }
}

/// Whether the file system tells moments apart that are close together, by the part of a time below a second.
/// Where it keeps whole seconds, a copy that was put there within the second would have the time that was noted.
pub(super) fn tells_moments_apart(nanos: i64) -> bool {
    nanos != 0
}

/// Whether database and log are what they were when this program last wrote to them.
pub(super) fn are_untouched(database: &Path) -> bool {
    compare(database).unwrap_or(false)
}

fn compare(database: &Path) -> io::Result<bool> {
    let note = File::open(beside(database, SUFFIX))?;
    let mut bytes = [0; MAX_NOTE];
    let length = note.read_at(&mut bytes, 0)?;
    let log = File::open(beside(database, LOG_SUFFIX))?;
    let log_found = log.metadata()?;
    let stamp = Stamp::of(database, &log)?;
    let noted = std::str::from_utf8(&bytes[..length]).ok();
    let noted = noted.and_then(|noted| noted.strip_prefix(&stamp.note(log_found.ino())));
    let log_length = noted.and_then(|rest| rest.strip_suffix('\n'));
    let log_length = log_length.and_then(|text| u64::from_str_radix(text, 16).ok());
    // A log that got shorter isn't the one that was written.
    Ok(tells_moments_apart(stamp.changed.1)
        && log_length.is_some_and(|length| length <= log_found.len()))
}

/// Keeps the note for the one thread that writes.
pub(super) struct LastSeen {
    database: PathBuf,
    /// `None`: nothing is noted any more, since it couldn't be, or somebody else wrote.
    noting: Option<Noting>,
}

struct Noting {
    note: File,
    log: File,
    seen: Stamp,
}

impl LastSeen {
    /// To be called with a database that was opened and found right.
    pub(super) fn begin(database: &Path) -> Self {
        let noting = Noting::begin(database)
            .inspect_err(|error| tracing::debug!(%error, "no note of the database is kept"));
        Self {
            database: database.to_owned(),
            noting: noting.ok(),
        }
    }

    /// Before this program writes: what changed until now was changed by somebody else.
    pub(super) fn before_writing(&mut self) {
        let is_as_seen = |noting: &mut Noting| {
            Stamp::of(&self.database, &noting.log).is_ok_and(|now| now == noting.seen)
        };
        if self.noting.as_mut().is_some_and(|it| !is_as_seen(it)) {
            tracing::warn!("another program wrote to the database while the service used it");
            self.noting = None;
        }
    }

    /// After it wrote: what changed was changed by this program.
    pub(super) fn after_writing(&mut self) {
        let renewed = self.noting.as_mut().map(|it| it.renew(&self.database));
        if renewed.is_some_and(|renewed| renewed.is_err()) {
            self.noting = None;
        }
    }

    /// A database that was closed needs no note.
    pub(super) fn end(&mut self) {
        self.noting = None;
        // What is left is of no use, and does no harm.
        let _ = fs::remove_file(beside(&self.database, SUFFIX));
    }
}

impl Noting {
    fn begin(database: &Path) -> io::Result<Self> {
        let log = File::open(beside(database, LOG_SUFFIX))?;
        let note = open_or_create(&beside(database, SUFFIX))?;
        let seen = Stamp::of(database, &log)?;
        let noting = Self { note, log, seen };
        noting.write()?;
        Ok(noting)
    }

    fn renew(&mut self, database: &Path) -> io::Result<()> {
        let now = Stamp::of(database, &self.log)?;
        if now == self.seen {
            return Ok(());
        }
        self.seen = now;
        self.write()
    }

    /// In place, and always as long: what is torn describes nothing.
    fn write(&self) -> io::Result<()> {
        let log = self.log.metadata()?;
        let note = self.seen.note(log.ino());
        let note = format!("{note}{:016x}\n", log.len());
        self.note.write_all_at(note.as_bytes(), 0)?;
        self.note.set_len(note.len() as u64)
    }
}
