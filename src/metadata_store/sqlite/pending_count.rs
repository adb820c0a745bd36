//! How many records are pending.
//!
//! Invariant: the writer alone counts, what a transaction changes only after its commit, so the number is
//! exact whatever fails.

use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

use crate::domain::{FileRecord, Status};

/// Along the index, once at the start.
const COUNT: &str =
    "SELECT count(*) FROM files INDEXED BY files_by_status WHERE status = 'pending'";

/// Shared by the writer and the commands that it runs.
#[derive(Debug, Default)]
pub(super) struct PendingCount {
    /// The most there may be.
    limit: i64,
    committed: AtomicI64,
    /// By the transaction that is being made.
    change: AtomicI64,
}

impl PendingCount {
    /// `limit`: how many there may be, if not any number.
    pub(super) fn of(connection: &Connection, limit: Option<u64>) -> rusqlite::Result<Self> {
        let count: i64 = connection.query_row(COUNT, [], |row| row.get(0))?;
        Ok(Self {
            limit: limit.map_or(i64::MAX, |limit| limit.try_into().unwrap_or(i64::MAX)),
            committed: AtomicI64::new(count),
            change: AtomicI64::new(0),
        })
    }

    /// Whether there may be one more, if `record` is one.
    pub(super) fn takes(&self, record: &FileRecord) -> bool {
        let count = self.committed.load(Ordering::Relaxed) + self.change.load(Ordering::Relaxed);
        count < self.limit || record.status() != Status::Pending
    }

    pub(super) fn added(&self, record: &FileRecord) {
        if record.status() == Status::Pending {
            self.change.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn one_less(&self) {
        self.change.fetch_sub(1, Ordering::Relaxed);
    }

    /// A transaction begins: what one before changed without a commit is forgotten.
    pub(super) fn begin(&self) {
        self.change.store(0, Ordering::Relaxed);
    }

    pub(super) fn commit(&self) {
        let change = self.change.swap(0, Ordering::Relaxed);
        self.committed.fetch_add(change, Ordering::Relaxed);
    }
}
