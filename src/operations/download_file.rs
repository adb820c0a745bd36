//! A URL to fetch an available file with.
//!
//! Invariant: the URL names the version that was measured, so that what it brings is what the
//! record says.

use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{FileId, FileRecord};
use crate::presigned_url::{DownloadMethod, DownloadTerms, PresignedUrl, Presigner};

/// Signs a URL that brings the version that was measured, under the file's name and type.
///
/// # Errors
/// By the file's state: [`OperationError::UploadPending`], [`OperationError::FileRejected`],
/// [`OperationError::UploadExpired`] or [`OperationError::FileNotFound`].
pub async fn download_file(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    id: FileId,
    method: DownloadMethod,
) -> Result<PresignedUrl, OperationError> {
    let record = stores.record_for(context, Action::DownloadFile, id).await?;
    let terms = download_terms(&record)?;
    Ok(presigner
        .download(context.bucket()?, method, &terms, stores.clock.now())
        .await?)
}

/// What a download of the measured version answers with.
///
/// # Errors
/// By the file's state, as [`download_file`].
pub fn download_terms(record: &FileRecord) -> Result<DownloadTerms<'_>, OperationError> {
    let object = available(record)?;
    Ok(DownloadTerms {
        key: record.key(),
        version_id: object.version_id.as_ref(),
        filename: &record.declared.filename,
        display_name: record.declared.display_name.as_ref(),
        content_type: &record.declared.content_type,
    })
}
