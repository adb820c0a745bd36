//! Records that can't be read, which a page leaves out.
//!
//! Invariant: every record that clients may be shown is looked at, and what is named is what no page would have.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::named_params;

use super::error::store_error;
use super::row;
use super::statements::{ABOVE_ALL_IDS, PAGE_OF_VISIBLE};
use super::{SqliteMetadataStore, read_only};
use crate::domain::FileId;
use crate::metadata_store::StoreError;

/// Records that are looked at in one read: opening the database again takes longer than to read a hundred.
const LOOKED_AT: usize = 10_000;

/// What a part of the records has of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which they are, newest first.
    pub ids: Vec<FileId>,
    /// Behind which there may be more.
    pub next: Option<FileId>,
}

impl SqliteMetadataStore {
    /// Those of the next part of the records behind `before` that can't be read, also while another process writes.
    ///
    /// # Errors
    /// A record whose ID can't be read, or that the database can't.
    pub fn unreadable(path: &Path, before: Option<FileId>) -> Result<Unreadable, StoreError> {
        let path = &read_only::existing(path)?;
        read_only::read(path, |connection| unreadable(connection, before)).map_err(store_error)
    }
}

fn unreadable(connection: &Connection, before: Option<FileId>) -> rusqlite::Result<Unreadable> {
    let mut statement = connection.prepare(PAGE_OF_VISIBLE)?;
    let before = before.map_or(ABOVE_ALL_IDS, |id| *id.as_bytes());
    let mut rows = statement.query(named_params! {
        ":before": before, ":limit": LOOKED_AT as i64,
    })?;
    let (mut ids, mut last, mut looked_at) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        let id = row::id(row, row::ID)?;
        (last, looked_at) = (Some(id), looked_at + 1);
        if row::record(row).is_err() {
            ids.push(id);
        }
    }
    let next = last.filter(|_| looked_at == LOOKED_AT);
    Ok(Unreadable { ids, next })
}
