//! Step one of an upload: a record, and a URL to send the bytes to.
//!
//! Invariant: the record is durable before the URL leaves this function, so no bytes can arrive for
//! a file that nobody knows.

use super::{OperationError, Stores};
use crate::domain::{
    ContentLength, ContentType, FileId, FileName, FileRecord, ObjectKey, Sha256Digest,
};
use crate::presigned_url::{BucketUrl, PresignedUpload, Presigner, UploadTerms};

/// What a client says of a file that it is going to send.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub filename: FileName,
    pub length: ContentLength,
    pub content_type: ContentType,
    pub sha256: Option<Sha256Digest>,
}

#[derive(Debug)]
pub struct CreatedFile {
    pub record: FileRecord,
    pub upload: PresignedUpload,
}

/// # Errors
/// [`OperationError::Store`]. A record that was written although the answer was lost has no URL
/// that anybody knows, and expires.
pub async fn create_file(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    new: NewFile,
) -> Result<CreatedFile, OperationError> {
    let now = stores.clock.now();
    let id = FileId::new(now);
    let terms = UploadTerms {
        key: ObjectKey::new(id),
        length: new.length,
        content_type: &new.content_type,
        sha256: new.sha256,
    };
    let upload = presigner.upload(bucket, &terms, now).await?;
    let record = FileRecord::pending(
        id,
        new.filename,
        new.length,
        new.content_type,
        new.sha256,
        upload.expires_at,
        &stores.lifecycle,
    );
    stores.metadata.insert(&record).await?;
    Ok(CreatedFile { record, upload })
}
