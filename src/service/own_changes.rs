//! What programs do to files by themselves, in the audit log.
//!
//! Invariant: there is room for the line before anything is done. Of what a store didn't say whether it was made there
//! is a line too, as many as there are of refusals: a store that is away fails every change.

use std::sync::Arc;

use crate::audit::{Actor, AuditLog, DONE, Entry, UNKNOWN};
use crate::clock::Clock;
use crate::domain::FileId;
use crate::operations::DeletionLog;
use crate::store_error::StoreError;

/// The log for the changes of one program.
pub struct OwnChanges {
    /// Where they are written down.
    pub log: Arc<AuditLog>,
    /// When it is.
    pub clock: Arc<dyn Clock>,
    /// What stands in place of a request's ID: the name of what does it.
    pub by: &'static str,
    /// What is done, such as `delete_file`.
    pub action: &'static str,
}

impl DeletionLog for OwnChanges {
    fn reserve(&self) -> Result<(), StoreError> {
        let reserved = self.log.reserve();
        reserved.map_err(|error| StoreError::from_io("the audit log", error))
    }

    fn record(&self, file: FileId, is_certain: bool) {
        let entry = Entry {
            time: self.clock.now(),
            request_id: self.by,
            caller: Actor::System,
            action: self.action,
            resource: Some(file.to_string()),
            outcome: match is_certain {
                true => DONE,
                false => UNKNOWN,
            },
            source: None,
        };
        let recorded = match is_certain {
            true => self.log.record(&entry).map(drop),
            false => self.log.record_refusal(&entry),
        };
        if let Err(error) = recorded {
            tracing::error!(%error, file_id = %file, "a line of the audit log can't be written");
        }
    }
}
