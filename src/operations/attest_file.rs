//! What can be attested of an available file.
//!
//! Invariant: it is what was measured when the file became available, which never changes afterwards.
//!
//! Absent on purpose: the signature. The worker, which attests nothing, is built without what signs.

use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{AttestedFile, FileId};

/// What the record of an available file says of it.
///
/// # Errors
/// By the file's state: [`OperationError::UploadPending`], [`OperationError::FileRejected`],
/// [`OperationError::UploadExpired`] or [`OperationError::FileNotFound`].
pub async fn attest_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<AttestedFile, OperationError> {
    let record = stores.record_for(context, Action::IssueReceipt, id).await?;
    let object = available(&record)?;
    Ok(AttestedFile {
        id,
        display_name: record.declared.shown_name().to_owned(),
        size: record.declared.length.bytes(),
        sha256: object.sha256,
        uploaded_at: object.uploaded_at,
    })
}
