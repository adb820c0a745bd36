//! Step one of an upload: a record, and a URL to send the bytes to.
//!
//! Invariant: the record is durable before the URL leaves this function, so no bytes can arrive for
//! a file that nobody knows.
//!
//! With an idempotency key, record and key are one write, so the crash of anybody at any moment leaves
//! both or neither: a client that heard nothing sends the same request again and gets the file that the
//! first one made, or makes it now. A key is never freed before its time, also if its file is deleted:
//! a request that was under way for long brings nothing back.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::sign_upload::sign_upload;
use super::{OperationError, Stores, renew_upload};
use crate::domain::{
    ContentLength, ContentType, FileId, FileName, FileRecord, IdempotencyKey, KeyedRequest,
    ObjectKey, Sha256Digest, Status, Timestamp,
};
use crate::metadata_store::KeyedInsert;
use crate::presigned_url::{BucketUrl, PresignedUpload, Presigner, UploadMethod, UploadTerms};

/// How long a key stands for the request that it came with first. Clients try again for minutes; a day
/// also covers a laptop that was closed over night.
pub const IDEMPOTENCY_KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a client says of a file that it is going to send.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub filename: FileName,
    pub length: ContentLength,
    pub content_type: ContentType,
    pub sha256: Option<Sha256Digest>,
    /// How the client is going to send the bytes.
    pub upload_method: UploadMethod,
}

impl NewFile {
    /// The same for two requests that ask for the same, however they were written.
    pub(super) fn fingerprint(&self) -> Sha256Digest {
        let length = self.length.to_string();
        let sha256 = self.sha256.map_or_else(String::new, Sha256Digest::to_hex);
        let fields = [
            self.filename.as_str(),
            &length,
            self.content_type.as_str(),
            &sha256,
        ];
        let mut hasher = Sha256::new_with_prefix("file-share new file 1\n");
        for field in fields {
            // With its length before it, no field can pass for a part of another.
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        // Added later, and only where it isn't what it always was: older keys go on holding.
        if self.upload_method != UploadMethod::default() {
            hasher.update(self.upload_method.as_str());
        }
        Sha256Digest::from_bytes(hasher.finalize().into())
    }
}

#[derive(Debug)]
pub struct CreatedFile {
    pub record: FileRecord,
    pub upload: PresignedUpload,
}

/// # Errors
/// [`OperationError::FormNotSafe`], or [`OperationError::Store`]. A record that was written although the
/// answer was lost has no URL that anybody knows, and expires.
pub async fn create_file(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    new: NewFile,
) -> Result<CreatedFile, OperationError> {
    let now = stores.clock.now();
    let created = draft(stores, presigner, bucket, new, now).await?;
    stores.metadata.insert(&created.record).await?;
    Ok(created)
}

/// A file that was created with an idempotency key, now or earlier.
#[derive(Debug)]
pub struct CreatedOnce {
    /// As it is now.
    pub record: FileRecord,
    /// A fresh URL; `None` if the file isn't pending any more.
    pub upload: Option<PresignedUpload>,
}

/// [`create_file`], once for each key: a request that comes again within
/// [`IDEMPOTENCY_KEY_LIFETIME`] gets the file that the first one made.
///
/// # Errors
/// [`OperationError::IdempotencyKeyReused`] if the key came with another request before, and
/// [`OperationError::FileNotFound`] if the file that it made was deleted since.
pub async fn create_file_once(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    new: NewFile,
    key: IdempotencyKey,
) -> Result<CreatedOnce, OperationError> {
    let now = stores.clock.now();
    let method = new.upload_method;
    let request = KeyedRequest {
        key,
        fingerprint: new.fingerprint(),
        expires_at: now + IDEMPOTENCY_KEY_LIFETIME,
    };
    let created = draft(stores, presigner, bucket, new, now).await?;
    let inserted = stores
        .metadata
        .insert_keyed(&created.record, &request, now)
        .await?;
    match inserted {
        KeyedInsert::Inserted => Ok(CreatedOnce {
            record: created.record,
            upload: Some(created.upload),
        }),
        KeyedInsert::KeyTaken(earlier) if earlier.fingerprint == request.fingerprint => {
            again(stores, presigner, bucket, earlier.id, method).await
        }
        KeyedInsert::KeyTaken(_) => Err(OperationError::IdempotencyKeyReused),
    }
}

/// What a file that is there already is answered with.
async fn again(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    id: FileId,
    method: UploadMethod,
) -> Result<CreatedOnce, OperationError> {
    let upload = match renew_upload(stores, presigner, bucket, id, method).await {
        Ok(upload) => Some(upload),
        Err(OperationError::UploadSettled) => None,
        Err(error) => return Err(error),
    };
    let record = stores.visible_record(id).await?;
    let upload = upload.filter(|_| record.status() == Status::Pending);
    Ok(CreatedOnce { record, upload })
}

/// The record and its URL, not yet written anywhere.
async fn draft(
    stores: &Stores,
    presigner: &Presigner,
    bucket: &BucketUrl,
    new: NewFile,
    now: Timestamp,
) -> Result<CreatedFile, OperationError> {
    let id = FileId::new(now);
    let terms = UploadTerms {
        key: ObjectKey::new(id),
        length: new.length,
        content_type: &new.content_type,
        sha256: new.sha256,
    };
    let upload = sign_upload(stores, presigner, bucket, &terms, new.upload_method, now).await?;
    let record = FileRecord::pending(
        id,
        new.filename,
        new.length,
        new.content_type,
        new.sha256,
        upload.expires_at,
        &stores.lifecycle,
    );
    Ok(CreatedFile { record, upload })
}
