//! What a client sends its bytes with: the URL of a PUT, or a form.
//!
//! Invariant: a form is handed out only where the store bears that it is sent again. S3 has no condition for
//! forms that says "only if there is nothing yet", as a PUT signs it.

use super::{OperationError, Stores};
use crate::domain::Timestamp;
use crate::presigned_url::{BucketUrl, PresignedUpload, Presigner, UploadMethod, UploadTerms};

/// Signs a PUT or a form for these terms. Changes nothing, so it may be called before the record is written.
///
/// # Errors
/// [`OperationError::FormNotSafe`], or no credentials to sign with.
pub(super) async fn sign_upload(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    terms: &UploadTerms<'_>,
    method: UploadMethod,
    now: Timestamp,
) -> Result<PresignedUpload, OperationError> {
    match method {
        UploadMethod::Put => Ok(presigner.upload(bucket, terms, now).await?),
        // In a box, so that what it takes along isn't a part of every create.
        UploadMethod::Post => {
            Box::pin(async {
                if !stores.objects.keeps_what_it_has().await? {
                    return Err(OperationError::FormNotSafe);
                }
                Ok(presigner.upload_form(bucket, terms, now).await?)
            })
            .await
        }
    }
}
