//! The audit log's line of a call.
//!
//! Invariant: what a call changed or handed out has a line, also if its client goes away in the middle or a store
//! doesn't say whether it did it; nothing is begun that there is no room to write down.

use std::io;

use crate::access::Action;
use crate::audit::{AuditLog, Entry};
use crate::clock::Clock;
use crate::domain::{FileId, FileRecord};
use crate::metadata_store::Page;
use crate::operations::{Context, CreatedFile, OperationError};
use crate::presigned_url::{PresignedUpload, PresignedUrl};
use crate::request_log;
use crate::store_error::StoreError;

const DONE: &str = "done";
/// It was begun, and nobody knows here whether it was done.
const UNKNOWN: &str = "unknown";
const STORE: &str = "the audit log";

/// What an operation brings, by the file that it made.
pub(super) trait MadeFile {
    /// The file that wasn't there before.
    fn made_file(&self) -> Option<FileId> {
        None
    }
}

impl MadeFile for CreatedFile {
    fn made_file(&self) -> Option<FileId> {
        Some(self.record.id)
    }
}
impl MadeFile for FileRecord {}
impl MadeFile for Page {}
impl MadeFile for PresignedUpload {}
impl MadeFile for PresignedUrl {}
impl MadeFile for () {}

/// The line of a call that is under way.
pub(super) struct PendingLine<'a> {
    audit: &'a AuditLog,
    clock: &'a dyn Clock,
    context: &'a Context,
    action: Action,
    file: Option<FileId>,
    is_written: bool,
}

impl<'a> PendingLine<'a> {
    /// Sees to it that there is room for the line.
    ///
    /// # Errors
    /// There is none: then nothing must be done.
    pub(super) fn begin(
        audit: &'a AuditLog,
        clock: &'a dyn Clock,
        context: &'a Context,
        action: Action,
        file: Option<FileId>,
    ) -> Result<Self, OperationError> {
        audit.reserve().map_err(failed)?;
        Ok(Self {
            audit,
            clock,
            context,
            action,
            file,
            is_written: false,
        })
    }

    /// Writes what became of the call.
    ///
    /// # Errors
    /// The line can't be written: then nothing may be handed out.
    pub(super) fn end<T: MadeFile>(
        mut self,
        outcome: &Result<T, OperationError>,
    ) -> Result<(), OperationError> {
        self.is_written = true;
        match outcome {
            Ok(done) => {
                let entry = self.entry(done.made_file().or(self.file), DONE);
                self.audit.record(&entry).map_err(failed)
            }
            Err(OperationError::Store(_)) => {
                // Bounded as refusals are: a store that is away fails every call.
                let entry = self.entry(self.file, UNKNOWN);
                log_failure(self.audit.record_refusal(&entry));
                Ok(())
            }
            // It was decided before anything was done.
            Err(_) => Ok(()),
        }
    }

    fn entry(&self, file: Option<FileId>, outcome: &'static str) -> Entry<'a> {
        Entry {
            resource: file.map(|id| id.to_string()),
            ..entry(self.clock, self.context, self.action, outcome)
        }
    }
}

/// The client went away.
impl Drop for PendingLine<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            log_failure(self.audit.record(&self.entry(self.file, UNKNOWN)));
        }
    }
}

/// Writes down that a call was refused.
pub(super) fn refused(
    audit: &AuditLog,
    clock: &dyn Clock,
    context: &Context,
    action: Action,
    refusal: &'static str,
) {
    log_failure(audit.record_refusal(&entry(clock, context, action, refusal)));
}

fn entry<'a>(
    clock: &dyn Clock,
    context: &'a Context,
    action: Action,
    outcome: &'static str,
) -> Entry<'a> {
    Entry {
        time: clock.now(),
        request_id: &context.request_id,
        caller: &context.caller,
        action: action.as_str(),
        resource: None,
        outcome,
        source: context.address,
    }
}

fn failed(error: io::Error) -> OperationError {
    OperationError::Store(StoreError::from_io(STORE, error))
}

fn log_failure(written: io::Result<()>) {
    if let Err(error) = written {
        request_log::FAILED
            .log(|| tracing::error!(%error, "a line of the audit log can't be written"));
    }
}
