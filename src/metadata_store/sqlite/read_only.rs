//! Reading a file that belongs to another process, which may be running, stopped, or dead.
//!
//! While that process runs, or after it was killed, its log lies beside the file: then this is one
//! more reader in WAL mode. After a clean stop there is no log, and a reader in WAL mode would make
//! one and leave it; so the file is read as it lies there, and what was read counts only if nobody
//! began to write meanwhile.
//!
//! Invariant: no file is made, changed or removed, and nothing is given that wasn't consistent.
//!
//! Absent on purpose: connections that stay open. One that reads the file as it lies there knows
//! nothing of what changes later.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, Error, ffi};

use super::error::store_error;
use super::{STORE, schema};
use crate::metadata_store::StoreError;

/// What changes as soon as another process opens the file for writing, or has closed it again.
#[derive(PartialEq, Eq)]
struct Footprint {
    has_log: bool,
    length: u64,
    modified: Option<SystemTime>,
}

impl Footprint {
    fn of(path: &Path) -> std::io::Result<Self> {
        let has_log = schema::has_log(path)?;
        let metadata = path.metadata()?;
        Ok(Self {
            has_log,
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// The path of a file that is there, with none of the links that lead to its directory. The file itself may be none.
///
/// # Errors
/// [`StoreError::Unavailable`] if there is no such file.
pub(super) fn existing(path: &Path) -> Result<PathBuf, StoreError> {
    if !path.is_file() {
        let what = format!("there is no file {}", path.display());
        return Err(StoreError::unavailable(STORE, what));
    }
    schema::without_links(path)
}

/// Fails as opening does if the file isn't one of this program's.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let log_is_left = schema::has_log(path).map_err(|error| StoreError::from_io(STORE, error))?;
    let look = |connection: &Connection| {
        schema::refuse_foreign(connection)?;
        match log_is_left {
            true => schema::refuse_damaged(connection),
            false => Ok(()),
        }
    };
    read(path, |connection| Ok(look(connection))).map_err(store_error)?
}

/// Reads from a database that another process may be writing to, and changes nothing beside it.
///
/// # Errors
/// `SQLITE_BUSY` if another process began to write during the read: the next one sees its log.
pub(super) fn read<T>(
    path: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let footprint = || Footprint::of(path).map_err(|error| failure(&error.to_string()));
    let before = footprint()?;
    if before.has_log {
        return read(&schema::open_for_reading(path)?);
    }
    let result = schema::open_unchanging(path).and_then(|connection| read(&connection));
    if footprint()? != before {
        return Err(failure("another process began to write"));
    }
    result
}

fn failure(what: &str) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(what.to_owned()))
}
