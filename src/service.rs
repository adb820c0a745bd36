//! The operations as callers use them: each through one way in.
//!
//! ```text
//! request ──▶ Context ──▶ FileService::run ──▶ authorize ──▶ limit ──▶ operation ──▶ audit log
//! ```
//!
//! Invariant: a call reaches an operation through `FileService::run` alone. Whatever holds for every
//! call (who may, how many at a time, what is counted) stands there, and in no handler and no operation.
//!
//! Absent on purpose: HTTP, and what an operation does.

mod audit;
mod boxes;
mod links;
mod own_changes;
mod permits;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use audit::{About, Brought, PendingLine};
pub use own_changes::OwnChanges;
pub use permits::CallPermits;

use crate::access::{Action, Caller, Resource, authorize};
use crate::audit::AuditLog;
use crate::boxes::{Boxes, attest_hand_in};
use crate::create_limits::{CreateLimit, TooManyCreates};
use crate::domain::{
    AllowedTypes, Declaration, FileId, FileRecord, HoldReason, IdempotencyKey, Quota, Timestamp,
    Usage,
};
use crate::file_events::{EventPage, EventPosition};
use crate::links::Links;
use crate::metadata_store::{Page, PageRequest};
use crate::operations::{self, Context, CreatedFile, NewFile, OperationError, Stores, Whose};
use crate::presigned_url::{
    DownloadMethod, PresignedUpload, PresignedUrl, Presigner, UploadMethod,
};
use crate::receipt::{ReceiptKeys, SignedReceipt};
use crate::request_log;
use crate::scanner::ScannerState;
use crate::store_error::StoreError;

/// What the service works with.
pub struct ServiceParts {
    /// What the operations work on.
    pub stores: Stores,
    /// What passes files on.
    pub links: Links,
    /// Where others hand in files.
    pub boxes: Boxes,
    /// Signs the URLs that are handed out.
    pub presigner: Presigner,
    /// What signs receipts.
    pub receipt_keys: Arc<ReceiptKeys>,
    /// What names of files may end with.
    pub allowed_types: AllowedTypes,
    /// How many files one address may create, or have pending.
    pub create_limit: CreateLimit,
    /// How many calls are in hand at a time.
    pub permits: CallPermits,
    /// Where it is written down who did what; `None`: nowhere.
    pub audit: Option<Arc<AuditLog>>,
    /// Cancelled when the program stops: whoever waits for something is answered then.
    pub stop: CancellationToken,
}

/// The operations. What they work with can't be reached but through them.
pub struct FileService(ServiceParts);

impl FileService {
    /// The service over these parts; nothing is started or looked at.
    pub fn new(parts: ServiceParts) -> Self {
        Self(parts)
    }

    /// The permits that calls take, for whoever refuses before a request is read.
    pub fn permits(&self) -> &CallPermits {
        &self.0.permits
    }

    /// Scheme and host that downloads lead to, if that isn't the bucket's.
    pub fn download_origin(&self) -> Option<String> {
        self.0.presigner.download_origin()
    }

    /// How much this caller has, and may have; `None` where nothing bounds it.
    ///
    /// # Errors
    /// That of the store of the records.
    pub async fn quota(&self, caller: &Caller) -> Result<Option<(Usage, Quota)>, StoreError> {
        self.0.stores.quotas.describe(caller).await
    }

    /// What is known of the virus scanner, which is asked if that wasn't done lately; `None` if there is none here.
    pub async fn probe_scanner(&self) -> Option<ScannerState> {
        self.0.stores.scans.probe().await
    }

    /// Whether both stores answer the calls that the operations need.
    ///
    /// # Errors
    /// That of the first store that doesn't.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.0.stores.check().await
    }
}

/// Each fails as the operation of its name does, and with [`OperationError::SignInRequired`],
/// [`OperationError::NotAllowed`] and [`OperationError::Overloaded`].
impl FileService {
    /// The one way in: asks whether the caller may, takes a permit for what `action` does, does it, and has it
    /// written down who did it with what. `about`: what it is about, if that is known yet. `operation` is pinned
    /// where it is made: handed over by value it would stand in the future of each function that it goes through, and
    /// be copied with it.
    async fn run<T: Brought>(
        &self,
        context: &Context,
        action: Action,
        about: About,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        request_log::name_operation(action.label());
        let outcome = self.run_if_allowed(context, action, about, operation).await;
        if let Err(error) = &outcome {
            let code = error.code();
            tracing::debug!(
                request_id = context.request_id,
                code = code.as_str(),
                error = %error.chain(),
                "a call ended in an error"
            );
            if let Some(audit) = self.0.audit.as_ref().filter(|_| code.is_audited_refusal()) {
                audit::refused(audit, &*self.0.stores.clock, context, action, code);
            }
        }
        outcome
    }

    async fn run_if_allowed<T: Brought>(
        &self,
        context: &Context,
        action: Action,
        about: About,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        authorize(&context.caller, action, Resource::Service)?;
        let _permit = self.0.permits.take(action, context.address)?;
        let clock = &*self.0.stores.clock;
        let line = match &self.0.audit {
            Some(audit) if action.is_audited() => {
                Some(PendingLine::begin(audit, clock, context, action, about)?)
            }
            _ => None,
        };
        let outcome = operation.await;
        if let Some(line) = line {
            let written = line.end(&outcome)?;
            // Before anybody can hang up again: what has its line has its event.
            if let Ok(done) = &outcome {
                audit::note(&self.0.stores, context, action, about, done);
            }
            audit::is_out(written).await?;
        }
        outcome
    }

    /// Whether files of such a name are taken. Where not all are, the bytes have to be what the name says; that is
    /// decided here, for good: who settles the file reads it from the record.
    fn admit_type(&self, declared: &mut Declaration) -> Result<(), OperationError> {
        let allowed = &self.0.allowed_types;
        declared.type_has_to_fit = !allowed.are_all();
        match declared.is_among(allowed) {
            true => Ok(()),
            false => Err(OperationError::TypeNotAllowed(allowed.to_texts())),
        }
    }

    /// [`operations::create_file`], within the limits on creates of the caller's address.
    pub async fn create_file(
        &self,
        context: &Context,
        mut new: NewFile,
        key: Option<IdempotencyKey>,
    ) -> Result<CreatedFile, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let creating = pin!(async {
            // Before the limit: a create that no URL can be signed for takes nothing from it.
            self.admit_type(&mut new.declared)?;
            context.bucket()?;
            let now = stores.clock.now();
            let admitted = self.0.create_limit.admit(context.address, now);
            let admitted = admitted.map_err(|TooManyCreates| OperationError::TooManyCreates)?;
            let created = operations::create_file(stores, presigner, context, new, key).await;
            match &created {
                Ok(CreatedFile {
                    record,
                    upload: Some(_),
                    ..
                }) => admitted.keep(record.id, stores.lifecycle.uploads_end_at(record)),
                Ok(_) | Err(_) => admitted.give_back(),
            }
            created
        });
        self.run(context, Action::CreateFile, About::Unknown, creating)
            .await
    }

    /// [`operations::renew_upload`].
    pub async fn renew_upload(
        &self,
        context: &Context,
        id: FileId,
        method: UploadMethod,
    ) -> Result<PresignedUpload, OperationError> {
        if let Some(renewed) = self.renew_hand_in(context, id).await {
            return renewed;
        }
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let renewing = pin!(operations::renew_upload(
            stores, presigner, context, id, method
        ));
        self.run(context, Action::RenewUpload, About::File(id), renewing)
            .await
    }

    /// [`operations::complete_upload`], with a permit of its own kind.
    pub async fn complete_upload(
        &self,
        context: &Context,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let completing = pin!(operations::complete_upload(&self.0.stores, context, id));
        self.run(context, Action::CompleteUpload, About::File(id), completing)
            .await
    }

    /// [`operations::download_file`].
    pub async fn download_file(
        &self,
        context: &Context,
        id: FileId,
        method: DownloadMethod,
    ) -> Result<PresignedUrl, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let signing = pin!(operations::download_file(
            stores, presigner, context, id, method
        ));
        self.run(context, Action::DownloadFile, About::File(id), signing)
            .await
    }

    /// [`operations::describe_file`].
    pub async fn describe_file(
        &self,
        context: &Context,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let describing = pin!(operations::describe_file(&self.0.stores, context, id));
        self.run(context, Action::DescribeFile, About::File(id), describing)
            .await
    }

    /// [`operations::attest_file`], signed. `issuer` is where the caller reaches the service.
    ///
    /// # Errors
    /// Besides those: [`OperationError::ReceiptsUnavailable`] where there is no key.
    pub async fn issue_receipt(
        &self,
        context: &Context,
        id: FileId,
        issuer: &str,
    ) -> Result<SignedReceipt, OperationError> {
        let ServiceParts {
            stores,
            boxes,
            receipt_keys,
            ..
        } = &self.0;
        let signing = pin!(async {
            let (file, in_box) = operations::attest_file(stores, context, id).await?;
            let file = attest_hand_in(stores, boxes, file, in_box).await?;
            let signed = receipt_keys.sign(&file, issuer, stores.clock.now());
            signed.ok_or(OperationError::ReceiptsUnavailable)
        });
        self.run(context, Action::IssueReceipt, About::File(id), signing)
            .await
    }

    /// [`operations::await_settled`]; a stop of the program ends it.
    pub async fn await_file(
        &self,
        context: &Context,
        id: FileId,
        wait: Duration,
    ) -> Result<FileRecord, OperationError> {
        let waiting = pin!(operations::await_settled(
            &self.0.stores,
            context,
            id,
            wait,
            &self.0.stop
        ));
        self.run(context, Action::AwaitFile, About::File(id), waiting)
            .await
    }

    /// [`operations::list_files`].
    pub async fn list_files(
        &self,
        context: &Context,
        whose: Whose,
        request: PageRequest,
    ) -> Result<Page, OperationError> {
        let action = match whose {
            Whose::Mine => Action::ListFiles,
            Whose::All => Action::ListAllFiles,
        };
        let listing = pin!(operations::list_files(
            &self.0.stores,
            context,
            whose,
            request
        ));
        self.run(context, action, About::Unknown, listing).await
    }

    /// [`operations::list_events`].
    pub async fn list_events(
        &self,
        context: &Context,
        id: FileId,
        after: Option<EventPosition>,
        limit: usize,
    ) -> Result<EventPage, OperationError> {
        let stores = &self.0.stores;
        let listing = pin!(operations::list_events(stores, context, id, after, limit));
        self.run(context, Action::ListEvents, About::File(id), listing)
            .await
    }

    /// [`operations::hold_file`].
    pub async fn hold_file(
        &self,
        context: &Context,
        id: FileId,
        reason: HoldReason,
    ) -> Result<FileRecord, OperationError> {
        let holding = pin!(operations::hold_file(&self.0.stores, context, id, reason));
        self.run(context, Action::HoldFile, About::File(id), holding)
            .await
    }

    /// [`operations::release_file`].
    pub async fn release_file(
        &self,
        context: &Context,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let releasing = pin!(operations::release_file(&self.0.stores, context, id));
        self.run(context, Action::ReleaseFile, About::File(id), releasing)
            .await
    }

    /// [`operations::keep_file`].
    pub async fn keep_file(
        &self,
        context: &Context,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<FileRecord, OperationError> {
        let stores = &self.0.stores;
        let keeping = pin!(operations::keep_file(stores, context, id, keep_until));
        self.run(context, Action::KeepFile, About::File(id), keeping)
            .await
    }

    /// [`operations::delete_file`].
    pub async fn delete_file(&self, context: &Context, id: FileId) -> Result<(), OperationError> {
        let deleting = pin!(operations::delete_file(&self.0.stores, context, id));
        self.run(context, Action::DeleteFile, About::File(id), deleting)
            .await
            .map(drop)
    }
}
