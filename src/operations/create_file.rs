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
use super::{Context, OperationError, Stores, renew_upload};
use crate::access::Action;
use crate::domain::{
    Declaration, FileId, FileRecord, IdempotencyKey, KeyedRequest, ObjectKey, Sha256Digest,
    Timestamp,
};
use crate::metadata_store::EarlierRequest;
use crate::metadata_store::usage::{ChargedInsert, NewRecord};
use crate::presigned_url::{PresignedUpload, Presigner, UploadMethod, UploadTerms};

/// How long a key stands for the request that it came with first. Clients try again for minutes; a day
/// also covers a laptop that was closed over night.
pub const IDEMPOTENCY_KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a client says of a file that it is going to send.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// What the bytes have to be to make the file available.
    pub declared: Declaration,
    /// How the client is going to send the bytes.
    pub upload_method: UploadMethod,
    /// When the file is to be deleted, if the client says it.
    pub delete_after: Option<Timestamp>,
}

/// For tests.
#[cfg(any(test, feature = "conformance"))]
impl NewFile {
    /// A file that is declared so, to be sent by PUT.
    pub fn sample(declared: Declaration) -> Self {
        Self {
            declared,
            upload_method: UploadMethod::Put,
            delete_after: None,
        }
    }
}

impl NewFile {
    /// The same for two requests that ask for the same, however they were written.
    pub(crate) fn fingerprint(&self) -> Sha256Digest {
        // Each field by its name: one that is added can't be forgotten here.
        let Self {
            declared,
            upload_method,
            delete_after,
        } = self;
        let Declaration {
            filename,
            // It is of the same text as the cleaned name, which stands for it: keys from before it was kept hold.
            display_name: _,
            length,
            content_type,
            sha256,
            metadata,
            // The service says it.
            type_has_to_fit: _,
        } = declared;
        let length = length.to_string();
        let sha256 = sha256.map_or_else(String::new, Sha256Digest::to_hex);
        let fields = [filename.as_str(), &length, content_type.as_str(), &sha256];
        let mut hasher = Sha256::new_with_prefix("file-share new file 1\n");
        for field in fields {
            // With its length before it, no field can pass for a part of another.
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        // Added later, and only where it isn't what it always was: older keys go on holding.
        if *upload_method != UploadMethod::default() {
            hasher.update(upload_method.as_str());
        }
        // As it was asked for: what is set for all files counts from each attempt anew.
        if let Some(at) = delete_after {
            hasher.update("\ndelete after\n");
            hasher.update(at.timestamp_millis().to_be_bytes());
        }
        if !metadata.is_empty() {
            hasher.update("\nmetadata\n");
            for text in metadata
                .entries()
                .iter()
                .flat_map(|(key, value)| [key, value])
            {
                hasher.update((text.len() as u64).to_be_bytes());
                hasher.update(text);
            }
        }
        Sha256Digest::from_bytes(hasher.finalize().into())
    }
}

/// A file that this request created, or an earlier one with the same idempotency key.
#[derive(Debug)]
pub struct CreatedFile {
    /// As it is now.
    pub record: FileRecord,
    /// What to send the bytes with; `None` if the file isn't pending any more.
    pub upload: Option<PresignedUpload>,
    /// Whether an earlier request created it.
    pub is_repeated: bool,
}

/// Creates a file, with a key once for each key: a request that comes again within
/// [`IDEMPOTENCY_KEY_LIFETIME`] gets the file that the first one made.
///
/// # Errors
/// [`OperationError::FormNotSafe`], [`OperationError::DeleteAfter`], or [`OperationError::Store`]. A record that was written although the
/// answer was lost has no URL that anybody knows, and expires. With a key,
/// [`OperationError::IdempotencyKeyReused`] if it came with another request before, and
/// [`OperationError::FileOfKeyDeleted`] if the file that it made was deleted since; where its owner has a quota,
/// [`OperationError::QuotaExceeded`].
pub async fn create_file(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    new: NewFile,
    key: Option<IdempotencyKey>,
) -> Result<CreatedFile, OperationError> {
    let now = stores.clock.now();
    let method = new.upload_method;
    let request = key.map(|key| KeyedRequest {
        key: key.of_owner(context.caller.owner()),
        fingerprint: new.fingerprint(),
        expires_at: now + IDEMPOTENCY_KEY_LIFETIME,
    });
    let delete_after = match stores.lifecycle.delete_after(new.delete_after, now) {
        Ok(at) => at,
        Err(invalid) => {
            // It may be a repetition, whose time was to come when the first request came.
            let earlier = match &request {
                Some(request) => stores.metadata.earlier_request(request, now).await?,
                None => None,
            };
            return match (earlier, request) {
                (Some(earlier), Some(request)) => {
                    let again = repeated(stores, presigner, context, earlier, &request, method);
                    Box::pin(again).await
                }
                _ => Err(OperationError::DeleteAfter(invalid)),
            };
        }
    };
    let prepared = prepare(stores, presigner, context, new, delete_after, now).await?;
    let new = NewRecord {
        record: &prepared.record,
        request: request.as_ref(),
        max_files_in_box: None,
        now,
    };
    match (insert(stores, context, new).await?, request) {
        (ChargedInsert::KeyTaken(earlier), Some(request)) => {
            // In a box, so that it isn't a part of every create.
            let again = repeated(stores, presigner, context, earlier, &request, method);
            Box::pin(again).await
        }
        _ => Ok(prepared),
    }
}

/// Adds the record, charged to its owner if anybody has a quota.
async fn insert(
    stores: &Stores,
    context: &Context,
    new: NewRecord<'_>,
) -> Result<ChargedInsert, OperationError> {
    if let Some(charged) = stores.quotas.of_caller(&context.caller) {
        let inserted = Box::pin(charged.insert(new)).await?;
        return match inserted {
            ChargedInsert::QuotaExceeded => Err(OperationError::QuotaExceeded(charged.quota())),
            other => Ok(other),
        };
    }
    let NewRecord {
        record,
        request,
        now,
        ..
    } = new;
    match request {
        None => {
            stores.metadata.insert(record).await?;
            Ok(ChargedInsert::Inserted)
        }
        Some(request) => {
            let inserting = stores.metadata.insert_keyed(record, request, now);
            Ok(inserting.await?.into())
        }
    }
}

/// What a request is answered with whose key came before.
async fn repeated(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    earlier: EarlierRequest,
    request: &KeyedRequest,
    method: UploadMethod,
) -> Result<CreatedFile, OperationError> {
    if earlier.fingerprint != request.fingerprint {
        return Err(OperationError::IdempotencyKeyReused);
    }
    existing_file(stores, presigner, context, earlier.id, method).await
}

/// What a repeated request is answered with: the file that the first one made, as it is now.
async fn existing_file(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    id: FileId,
    method: UploadMethod,
) -> Result<CreatedFile, OperationError> {
    let of_key = |error| match error {
        OperationError::FileNotFound => OperationError::FileOfKeyDeleted,
        other => other,
    };
    let upload = match renew_upload(stores, presigner, context, id, method).await {
        Ok(upload) => Some(upload),
        Err(OperationError::UploadSettled) => None,
        Err(error) => return Err(of_key(error)),
    };
    let found = stores.record_for(context, Action::CreateFile, id).await;
    let record = found.map_err(of_key)?;
    let upload = upload.filter(|_| !record.status().is_final());
    Ok(CreatedFile {
        record,
        upload,
        is_repeated: true,
    })
}

/// The record and its URL, not yet written anywhere.
async fn prepare(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    new: NewFile,
    delete_after: Option<Timestamp>,
    now: Timestamp,
) -> Result<CreatedFile, OperationError> {
    let id = FileId::new(now);
    let terms = UploadTerms::of(ObjectKey::new(id), &new.declared);
    let bucket = context.bucket()?;
    let upload = sign_upload(stores, presigner, bucket, &terms, new.upload_method, now).await?;
    let record = FileRecord::pending(id, new.declared, upload.expires_at, &stores.lifecycle)
        .owned_by(context.caller.owner())
        .deleted_after(delete_after)
        .kept_for(stores.lifecycle.min_keep);
    Ok(CreatedFile {
        record,
        upload: Some(upload),
        is_repeated: false,
    })
}
