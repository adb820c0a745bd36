//! What can be attested of an available file.
//!
//! Invariant: it is what was measured when the file became available, which never changes afterwards.
//!
//! Absent on purpose: the signature. The worker, which attests nothing, is built without what signs.

use super::{Context, OperationError, Stores, available};
use crate::access::Action;
use crate::domain::{AttestedFile, BoxId, FileId};

/// What the record of an available file says of it. Of the box that it lies in, if it does,
/// there is the ID alone, for whoever knows about boxes.
///
/// # Errors
/// By the file's state: [`OperationError::UploadPending`], [`OperationError::FileRejected`],
/// [`OperationError::UploadExpired`] or [`OperationError::FileNotFound`].
pub async fn attest_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<(AttestedFile, Option<BoxId>), OperationError> {
    let record = stores.record_for(context, Action::IssueReceipt, id).await?;
    let object = available(&record)?;
    let attested = AttestedFile {
        id,
        display_name: record.declared.shown_name().to_owned(),
        size: record.declared.length.bytes(),
        sha256: object.sha256,
        uploaded_at: object.uploaded_at,
        submitter: record.hand_in.as_ref().map(|it| it.submitter.clone()),
        in_box: None,
    };
    Ok((attested, record.hand_in.and_then(|it| it.in_box)))
}
