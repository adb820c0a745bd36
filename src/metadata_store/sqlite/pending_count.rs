//! How many records are pending.
//!
//! Invariant: that of [`RowCount`].

use rusqlite::Connection;

use super::row_count::RowCount;
use crate::domain::{FileRecord, Status};

/// Along the index, once at the start.
const COUNT: &str =
    "SELECT count(*) FROM files INDEXED BY files_by_status WHERE status = 'pending'";

/// Shared by the writer and the commands that it runs.
#[derive(Debug, Default)]
pub(super) struct PendingCount(RowCount);

impl PendingCount {
    /// `limit`: how many there may be, if not any number.
    pub(super) fn of(connection: &Connection, limit: Option<u64>) -> rusqlite::Result<Self> {
        let count = connection.query_row(COUNT, [], |row| row.get(0))?;
        Ok(Self(RowCount::of(count, limit)))
    }

    pub(super) fn rows(&self) -> &RowCount {
        &self.0
    }

    /// Whether there may be one more, if `record` is one.
    pub(super) fn takes(&self, record: &FileRecord) -> bool {
        self.0.room() > 0 || record.status() != Status::Pending
    }

    pub(super) fn added(&self, record: &FileRecord) {
        if record.status() == Status::Pending {
            self.0.change_by(1);
        }
    }

    pub(super) fn one_less(&self) {
        self.0.change_by(-1);
    }
}
