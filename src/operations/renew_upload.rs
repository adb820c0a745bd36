//! A fresh URL for a file whose bytes haven't come yet.
//!
//! Invariant: the record's deadline covers every URL that was handed out, because it is moved before
//! the URL leaves this function.

use super::sign_upload::sign_upload;
use super::{Context, OperationError, Stores};
use crate::access::Action;
use crate::domain::FileId;
use crate::presigned_url::{PresignedUpload, Presigner, UploadMethod, UploadTerms};

/// Signs another URL or form for a pending file. Its deadline moves before the URL is out, and never back.
///
/// # Errors
/// [`OperationError::UploadSettled`] if the file isn't pending (any more), and
/// [`OperationError::FormNotSafe`].
pub async fn renew_upload(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    id: FileId,
    method: UploadMethod,
) -> Result<PresignedUpload, OperationError> {
    let record = stores.record_for(context, Action::RenewUpload, id).await?;
    if record.status().is_final() {
        return Err(OperationError::UploadSettled);
    }
    let terms = UploadTerms::of(record.key(), &record.declared);
    let now = stores.clock.now();
    let upload = sign_upload(stores, presigner, context.bucket()?, &terms, method, now).await?;
    match stores.metadata.renew_upload(id, upload.expires_at).await? {
        Some(_) => Ok(upload),
        None => {
            // Settled or deleted since it was read above: say which.
            stores.record_for(context, Action::RenewUpload, id).await?;
            Err(OperationError::UploadSettled)
        }
    }
}
