//! A copy of the database as it is at one moment, while another process may be writing to it.
//!
//! Invariant: the copy has everything that was committed at that moment and nothing that came later; nobody who writes
//! waits for it, and nothing beside the database is made, changed or removed.

use std::path::Path;

use rusqlite::Connection;

use super::error::store_error;
use super::{STORE, SqliteMetadataStore, read_only, schema};
use crate::metadata_store::StoreError;
use crate::owner_only_files::open_or_create;

/// How often it is tried to read a database that a process begins to write to meanwhile.
const ATTEMPTS: u32 = 3;

/// The schema of a database, where it isn't this program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderSchema {
    /// Which it has.
    pub found: i64,
    /// Which this program makes of it as soon as it opens it.
    pub current: i64,
}

impl SqliteMetadataStore {
    /// Whether the database is of an older version of this program.
    ///
    /// # Errors
    /// As [`Self::open_read_only`].
    pub fn older_schema(path: &Path) -> Result<Option<OlderSchema>, StoreError> {
        let path = &read_only::existing(path)?;
        let version = |connection: &Connection| schema::pragma(connection, "user_version");
        let found = read_only::read(path, version).map_err(store_error)?;
        let current = schema::SCHEMA_VERSION;
        Ok((found < current).then_some(OlderSchema { found, current }))
    }

    /// Writes a copy of the database at `from` to `to`, for its owner alone; what is at `to` is lost. Blocks for some
    /// milliseconds for each thousand records.
    ///
    /// # Errors
    /// As [`Self::open_read_only`], or that the copy can't be written: then what is there is no database.
    pub fn snapshot(from: &Path, to: &Path) -> Result<(), StoreError> {
        let from = &read_only::existing(from)?;
        read_only::check(from)?;
        let text = to
            .to_str()
            .ok_or_else(|| StoreError::unavailable(STORE, "the path of a copy has to be UTF-8"))?;
        let from_io = |error| StoreError::from_io(STORE, error);
        let mut attempt = 1;
        loop {
            // SQLite writes into an empty file, which has our permissions already.
            let file = open_or_create(to).map_err(from_io)?;
            file.set_len(0).map_err(from_io)?;
            let copied = read_only::read(from, |connection| {
                connection.execute("VACUUM INTO ?1", [text])
            });
            match copied {
                Ok(_) => return file.sync_all().map_err(from_io),
                Err(error) if attempt == ATTEMPTS => {
                    file.set_len(0).map_err(from_io)?;
                    return Err(store_error(error));
                }
                Err(_) => attempt += 1,
            }
        }
    }
}
