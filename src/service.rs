//! The operations as callers use them: each through one way in.
//!
//! ```text
//! request ──▶ Context ──▶ FileService::run ──▶ authorize ──▶ limit ──▶ operation ──▶ stores
//! ```
//!
//! Invariant: a call reaches an operation through `FileService::run` alone. Whatever holds for every
//! call (who may, how many at a time, what is counted) stands there, and in no handler and no operation.
//!
//! Absent on purpose: HTTP, and what an operation does.

mod permits;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use permits::CallPermits;

use crate::access::{Action, Resource, authorize};
use crate::create_limits::{CreateLimit, TooManyCreates};
use crate::domain::{FileId, FileRecord, IdempotencyKey};
use crate::metadata_store::{Page, PageRequest};
use crate::operations::{self, Context, CreatedFile, NewFile, OperationError, Stores};
use crate::presigned_url::{
    DownloadMethod, PresignedUpload, PresignedUrl, Presigner, UploadMethod,
};
use crate::store_error::StoreError;

/// What the service works with.
pub struct ServiceParts {
    /// What the operations work on.
    pub stores: Stores,
    /// Signs the URLs that are handed out.
    pub presigner: Presigner,
    /// How many files one address may create, or have pending.
    pub create_limit: CreateLimit,
    /// How many calls are in hand at a time.
    pub permits: CallPermits,
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

    /// Whether both stores answer the calls that the operations need.
    ///
    /// # Errors
    /// That of the first store that doesn't.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.0.stores.check().await
    }
}

/// Each fails as the operation of its name does, and with [`OperationError::Denied`] and
/// [`OperationError::Overloaded`].
impl FileService {
    /// The one way in: asks whether the caller may, takes a permit for what `action` does, and then does it.
    async fn run<T>(
        &self,
        context: &Context,
        action: Action,
        operation: impl Future<Output = Result<T, OperationError>>,
    ) -> Result<T, OperationError> {
        authorize(&context.caller, action, Resource::Service)?;
        let _permit = self.0.permits.take(action, context.address)?;
        let outcome = operation.await;
        if let Err(error) = &outcome {
            tracing::debug!(
                request_id = context.request_id,
                operation = action.as_str(),
                error = %error.chain(),
                "a call ended in an error"
            );
        }
        outcome
    }

    /// [`operations::create_file`], within the limits on creates of the caller's address.
    pub async fn create_file(
        &self,
        context: &Context,
        new: NewFile,
        key: Option<IdempotencyKey>,
    ) -> Result<CreatedFile, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let creating = async {
            // Before the limit: a create that no URL can be signed for takes nothing from it.
            context.bucket()?;
            let now = stores.clock.now();
            let admitted = self.0.create_limit.admit(context.address, now);
            let admitted = admitted.map_err(|TooManyCreates| OperationError::TooManyCreates)?;
            let created = operations::create_file(stores, presigner, context, new, key).await?;
            if created.upload.is_some() {
                let record = &created.record;
                admitted.keep(record.id, stores.lifecycle.uploads_end_at(record));
            }
            Ok(created)
        };
        self.run(context, Action::CreateFile, creating).await
    }

    /// [`operations::renew_upload`].
    pub async fn renew_upload(
        &self,
        context: &Context,
        id: FileId,
        method: UploadMethod,
    ) -> Result<PresignedUpload, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let renewing = operations::renew_upload(stores, presigner, context, id, method);
        self.run(context, Action::RenewUpload, renewing).await
    }

    /// [`operations::complete_upload`], with a permit of its own kind.
    pub async fn complete_upload(
        &self,
        context: &Context,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let completing = operations::complete_upload(&self.0.stores, id);
        self.run(context, Action::CompleteUpload, completing).await
    }

    /// [`operations::download_file`].
    pub async fn download_file(
        &self,
        context: &Context,
        id: FileId,
        method: DownloadMethod,
    ) -> Result<PresignedUrl, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let signing = operations::download_file(stores, presigner, context, id, method);
        self.run(context, Action::DownloadFile, signing).await
    }

    /// [`operations::describe_file`].
    pub async fn describe_file(
        &self,
        context: &Context,
        id: FileId,
    ) -> Result<FileRecord, OperationError> {
        let describing = operations::describe_file(&self.0.stores, id);
        self.run(context, Action::DescribeFile, describing).await
    }

    /// [`operations::await_settled`]; a stop of the program ends it.
    pub async fn await_file(
        &self,
        context: &Context,
        id: FileId,
        wait: Duration,
    ) -> Result<FileRecord, OperationError> {
        let waiting = operations::await_settled(&self.0.stores, id, wait, &self.0.stop);
        self.run(context, Action::AwaitFile, waiting).await
    }

    /// [`operations::list_files`].
    pub async fn list_files(
        &self,
        context: &Context,
        request: PageRequest,
    ) -> Result<Page, OperationError> {
        let listing = operations::list_files(&self.0.stores, request);
        self.run(context, Action::ListFiles, listing).await
    }

    /// [`operations::delete_file`].
    pub async fn delete_file(&self, context: &Context, id: FileId) -> Result<(), OperationError> {
        let deleting = operations::delete_file(&self.0.stores, id);
        self.run(context, Action::DeleteFile, deleting).await
    }
}
