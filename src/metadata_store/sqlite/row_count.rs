//! How many rows of a kind there are.
//!
//! Invariant: the writer alone counts, what a transaction changes only after its commit, so the number is
//! exact whatever fails.

use std::sync::atomic::{AtomicI64, Ordering};

/// Shared by the writer and the commands that it runs.
#[derive(Debug, Default)]
pub(super) struct RowCount {
    /// The most there may be.
    limit: i64,
    committed: AtomicI64,
    /// By the transaction that is being made.
    change: AtomicI64,
}

impl RowCount {
    /// `limit`: how many there may be, if not any number.
    pub(super) fn of(count: i64, limit: Option<u64>) -> Self {
        Self {
            limit: limit.map_or(i64::MAX, |limit| limit.try_into().unwrap_or(i64::MAX)),
            committed: AtomicI64::new(count),
            change: AtomicI64::new(0),
        }
    }

    /// For how many more there is room.
    pub(super) fn room(&self) -> u64 {
        let count = self.committed.load(Ordering::Relaxed) + self.change.load(Ordering::Relaxed);
        u64::try_from(self.limit - count).unwrap_or(0)
    }

    /// How many there are.
    pub(super) fn committed(&self) -> u64 {
        u64::try_from(self.committed.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// By so many more, or fewer.
    pub(super) fn change_by(&self, rows: i64) {
        self.change.fetch_add(rows, Ordering::Relaxed);
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
