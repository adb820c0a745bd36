//! What the service does: one verb a file.
//!
//! Each operation takes domain values and store ports, and the call's [`Context`] where it needs that, and
//! says what became of it. The API, the
//! local finalize queue and the worker all come through here, so a file's life is the same in both modes.
//!
//! Invariant: every change is one conditional write of the metadata store; what follows it (deleting
//! bytes) is found again by the reconciler if the process dies in between.
//!
//! Absent on purpose: HTTP, SDK types, retries. A store's fault comes back as
//! [`OperationError::Store`], and whoever called knows how to wait.

mod attest_file;
mod clean_up;
mod complete_upload;
mod context;
mod create_file;
mod delete_file;
mod deletion_log;
mod describe_file;
mod download_file;
mod error;
mod finalize_upload;
mod hold_file;
mod keep_file;
mod list_events;
mod list_files;
mod measure;
mod patience;
mod reconcile;
mod renew_upload;
mod rescan;
mod scrub;
mod sign_upload;
mod store_time;
mod sweep_orphans;
mod withdraw_file;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use attest_file::attest_file;
pub use complete_upload::{COMPLETION_LIMIT, complete_upload};
pub use context::Context;
pub use create_file::{CreatedFile, IDEMPOTENCY_KEY_LIFETIME, NewFile, create_file};
pub use delete_file::{delete_file, delete_record};
pub use deletion_log::DeletionLog;
pub use describe_file::{LONGEST_WAIT, await_settled, describe_file};
pub use download_file::{download_file, download_terms};
pub use error::{ErrorCode, OperationError};
pub use finalize_upload::{FinalizeOutcome, finalize_upload};
pub use hold_file::{hold_file, release_file};
pub use keep_file::keep_file;
pub use list_events::list_events;
pub use list_files::{Whose, list_files};
pub use reconcile::{ReconcileReport, Reconciler};
pub use renew_upload::renew_upload;
pub use rescan::{Rescan, RescanEnd, RescanFinding, RescanReport, WhichFiles};
pub use scrub::{Damage, Finding, ScrubEnd, ScrubOptions, ScrubReport, scrub};
pub use sweep_orphans::{MIN_AGE, OrphanSweeper, QUARANTINE, Suspicion, SweepReport, SweepStep};

use crate::access::{Action, Caller, Resource, authorize};
use crate::clock::Clock;
use crate::domain::{FileId, FileRecord, FileState, Lifecycle, StoredObject};
use crate::file_events::FileEvents;
use crate::metadata_store::MetadataStore;
use crate::metrics::Metrics;
use crate::object_store::ObjectStore;
use crate::quotas::Quotas;
use crate::scanner::Scans;
use crate::store_error::StoreError;
use crate::traces;

/// The bytes of an available file, or why there are none.
///
/// # Errors
/// By the file's state, as [`download_file()`].
pub(crate) fn available(record: &FileRecord) -> Result<&StoredObject, OperationError> {
    match &record.state {
        FileState::Available(object) => Ok(object),
        FileState::Pending(_) => Err(OperationError::UploadPending),
        FileState::Rejected { reason, .. } => Err(OperationError::FileRejected(reason.clone())),
        FileState::Withdrawn { reason, .. } => Err(OperationError::FileWithdrawn(reason.clone())),
        FileState::Expired { .. } => Err(OperationError::UploadExpired),
        FileState::Deleted { .. } => Err(OperationError::FileNotFound),
    }
}

/// Everything that an operation works on.
#[derive(Clone)]
pub struct Stores {
    /// The records.
    pub metadata: Arc<dyn MetadataStore>,
    /// The bytes.
    pub objects: Arc<dyn ObjectStore>,
    /// The process's own clock; what is over is decided by the store's time all the same.
    pub clock: Arc<dyn Clock>,
    /// How long the steps of a file's life may take.
    pub lifecycle: Lifecycle,
    /// What happened to files, for those whom they belong to.
    pub events: FileEvents,
    /// How much everybody may have.
    pub quotas: Quotas,
    /// Whether files are scanned for viruses, and by what.
    pub scans: Scans,
    /// What is counted of what happens.
    pub metrics: Metrics,
}

impl Stores {
    /// The record with which the caller may do this: the one way in which operations find a file. What clients
    /// don't see, and what isn't the caller's, isn't there.
    pub(crate) async fn record_for(
        &self,
        context: &Context,
        action: Action,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let record = self.visible(id).await?;
        let record = record.ok_or(OperationError::FileNotFound)?;
        let owner = record.owner;
        let resource = match context.caller {
            // Whoever handed in has no files, but the one.
            Caller::Submitter(_) => Resource::HandIn { file: id },
            _ => Resource::File { owner },
        };
        authorize(&context.caller, action, resource)?;
        traces::about(record.id);
        Ok(record)
    }

    /// The record, if there is one that clients may be shown, whoever asks.
    pub(crate) async fn visible(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let record = self.metadata.get(id).await?;
        Ok(record.filter(|record| record.is_visible(self.clock.now())))
    }

    /// Whether both stores answer the calls that the operations need.
    ///
    /// # Errors
    /// That of the first store that doesn't.
    pub async fn check(&self) -> Result<(), StoreError> {
        let (metadata, objects) = tokio::join!(self.metadata.check(), self.objects.check());
        metadata.and(objects)
    }
}
