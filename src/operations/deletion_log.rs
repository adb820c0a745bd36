//! Where it is written down what the program deletes or withdraws by itself.
//!
//! Invariant: nothing is deleted that there is no room to write down, and each deletion that may have been made has a
//! line, also if the program ends in the middle of it or no store says what came of it.
//!
//! Absent on purpose: what callers delete, which is written down with their calls.

use crate::domain::FileId;
use crate::store_error::StoreError;

/// Where it is written down that the program deleted or withdrew a file by itself.
pub trait DeletionLog: Send + Sync {
    /// Sees to it that there is room for a line.
    ///
    /// # Errors
    /// There is none: then the file isn't deleted now.
    fn reserve(&self) -> Result<(), StoreError>;

    /// Writes the line of what was made, or of what a store didn't say whether it was.
    fn record(&self, file: FileId, is_certain: bool);
}

/// A deletion that is under way, and gets its line also if the program ends meanwhile.
pub(super) struct PendingDeletion<'a> {
    log: &'a dyn DeletionLog,
    file: FileId,
    is_over: bool,
}

impl<'a> PendingDeletion<'a> {
    pub(super) fn of(log: &'a dyn DeletionLog, file: FileId) -> Self {
        let is_over = false;
        Self { log, file, is_over }
    }

    pub(super) fn end(mut self, deleted: &Result<bool, StoreError>) {
        self.is_over = true;
        if let Ok(true) | Err(_) = deleted {
            self.log.record(self.file, deleted.is_ok());
        }
    }
}

impl Drop for PendingDeletion<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.log.record(self.file, false);
        }
    }
}
