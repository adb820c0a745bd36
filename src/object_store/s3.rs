//! Objects in Amazon S3, or in a store with its API.
//!
//! Invariant: "there is no such object" is only said where S3 itself says so by name. A missing
//! bucket, a refusal, or a stranger's 404 is an error, because the caller may expire an upload on
//! the strength of the answer.
//!
//! As of when is said by S3's own `Date` too, since this machine's clock may be wrong.
//!
//! Absent on purpose: ETags (they are no digests).

mod body;
mod list;
mod lock;
mod marker;
mod start_check;
mod tags;
mod versions;

use std::error::Error;
use std::ops::Range;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::get_object::GetObjectOutput,
    primitives::DateTime,
    types::{BucketVersioningStatus, ChecksumMode, ChecksumType},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

use super::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined, StoreError,
};
pub use start_check::BucketCheck;

use crate::{
    aws::{Failure, NoDate, refused_at, unavailable},
    domain::{KEY_PREFIX, LockMode, ObjectKey, Sha256Digest, Timestamp, VersionId, from_millis},
};

const STORE: &str = "the bucket";

/// Below [`KEY_PREFIX`], and no file's: its name is no ID.
const CHECKED_KEY: &str = "uploads/check";

/// What S3 calls the version of an object that was written while the bucket kept no versions, once it
/// has kept them at any time. The next upload that has no version either takes its place.
const NULL_VERSION: &str = "null";

/// The objects of files in one bucket, below [`KEY_PREFIX`]. The marker lies beside them.
pub struct S3ObjectStore {
    client: Client,
    bucket: String,
    lock: Option<LockMode>,
}

impl S3ObjectStore {
    /// `client` comes from [`crate::aws::s3_client`].
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
            lock: None,
        }
    }

    /// The same, which locks versions.
    pub fn locking(self, lock: Option<LockMode>) -> Self {
        Self { lock, ..self }
    }

    /// Absent if S3 names the key or the version as what is missing.
    async fn get(
        &self,
        key: &str,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<GetObjectOutput>, StoreError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version_id.map(|version| version.0.clone()))
            // Lets the client compare the bytes with whatever checksum the store keeps of them.
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Lookup::Found(output)),
            Err(error) if is_missing(&error) => Ok(Lookup::Absent {
                as_of: refused_at(&error).map_err(undated)?,
            }),
            Err(error) => Err(refused_or_unavailable("GetObject", &error)),
        }
    }

    /// Whether the bucket keeps versions, or has kept them; `None` if it never did.
    async fn versioning(&self) -> Result<Option<BucketVersioningStatus>, StoreError> {
        let ask = self.client.get_bucket_versioning().bucket(&self.bucket);
        match ask.send().await {
            Ok(output) => Ok(output.status),
            Err(error) => {
                let failure = Failure::new("GetBucketVersioning", &error);
                if has_no_such_call(&failure) {
                    return Ok(None);
                }
                if failure.status == Some(403) {
                    return Err(StoreError::unavailable(STORE, MayNotAsk(failure)));
                }
                Err(StoreError::unavailable(STORE, failure))
            }
        }
    }

    /// Whether an upload may still take the place of an object of this version. Forms are handed out only
    /// where versions are kept, so there are none for a bucket that never kept any.
    async fn is_replaceable(&self, version_id: Option<&str>) -> Result<bool, StoreError> {
        match version_id {
            Some(version_id) => Ok(version_id == NULL_VERSION),
            // AWS says nothing only where there never were versions; other stores also where they were
            // suspended.
            None => Ok(self.versioning().await?.is_some()),
        }
    }
}

#[async_trait]
impl ObjectStore for S3ObjectStore {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(output) => {
                let version_id = output.version_id();
                object_head(
                    (version_id, self.is_replaceable(version_id).await?),
                    output.content_length(),
                    (output.checksum_sha256(), output.checksum_type()),
                    output.last_modified(),
                )
                .map(Lookup::Found)
            }
            // An answer to HEAD has no body that says what is missing, the key or the bucket. An
            // answer to GET has.
            Err(error) if status_of(&error) == Some(404) => {
                let reader = self.read(key, None).await?;
                Ok(reader.map(|reader| reader.head))
            }
            Err(error) => Err(refused_or_unavailable("HeadObject", &error)),
        }
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        let output = match self.get(&key.to_string(), version_id).await? {
            Lookup::Found(output) => output,
            Lookup::Absent { as_of } => return Ok(Lookup::Absent { as_of }),
        };
        let current = output.version_id();
        let head = object_head(
            (current, self.is_replaceable(current).await?),
            output.content_length(),
            (output.checksum_sha256(), output.checksum_type()),
            output.last_modified(),
        )?;
        let body = body::whole_body(output.body, head.content_length);
        Ok(Lookup::Found(ObjectReader { head, body }))
    }

    async fn read_range(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Lookup<Bytes>, StoreError> {
        let length = range.end.saturating_sub(range.start);
        // Both ends are part of it (RFC 9110, section 14.1.2). No checksum is asked for: there is none of a part.
        let part = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let ask = self.client.get_object().bucket(&self.bucket);
        let ask = ask.key(key.to_string()).range(part);
        let ask = ask.set_version_id(version_id.map(|version| version.0.clone()));
        let output = match ask.send().await {
            Ok(output) => output,
            Err(error) if is_missing(&error) => {
                return Ok(Lookup::Absent {
                    as_of: refused_at(&error).map_err(undated)?,
                });
            }
            Err(error) => return Err(refused_or_unavailable("GetObject", &error)),
        };
        // A store may leave the range aside and send everything (RFC 9110, section 14.2).
        let (mut position, sent) = match output.content_range() {
            Some(_) => (range.start, length),
            None => (0, whole_length(output.content_length())?),
        };
        let mut body = body::whole_body(output.body, sent);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.try_next().await? {
            let end = position + chunk.len() as u64;
            let [from, to] = [range.start, range.end].map(|at| at.clamp(position, end) - position);
            // Both are at most the length of the chunk.
            bytes.extend_from_slice(&chunk[from as usize..to as usize]);
            position = end;
        }
        if bytes.len() as u64 != length {
            return Err(StoreError::unavailable(
                STORE,
                "a part of an object isn't there",
            ));
        }
        Ok(Lookup::Found(bytes.freeze()))
    }

    async fn tag(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
        name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        self.tag_of(&key.to_string(), &version_id.0, name).await
    }

    /// S3 answers a PUT only when the object is durable.
    async fn make_durable(&self, _: ObjectKey) -> Result<(), StoreError> {
        Ok(())
    }

    fn locks(&self) -> bool {
        self.lock.is_some()
    }

    async fn lock(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mode) = self.lock else {
            return Ok(());
        };
        self.lock_version(mode, &key.to_string(), version_id, until)
            .await
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        // Where versions were suspended, an upload replaces the one that has no version ID.
        Ok(self.versioning().await? == Some(BucketVersioningStatus::Enabled))
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        versions::delete_all(self, &key.to_string()).await
    }

    /// A delete marker. What stands behind it is removed by the bucket's lifecycle rule, and then the
    /// marker itself.
    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        // Elsewhere the same call would delete for good what has no version ID.
        if !self.keeps_what_it_has().await? {
            return Ok(Quarantined::NotSupported);
        }
        let put_marker = self.client.delete_object().bucket(&self.bucket);
        let answer = put_marker.key(key.to_string()).send().await;
        answer
            .map(|_| Quarantined::Aside)
            .map_err(|error| unavailable(STORE, "DeleteObject", &error))
    }

    async fn end_quarantine(&self, _: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        versions::delete_others(self, &key.to_string(), version_id).await
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        list::list(self, after, limit).await
    }

    /// Asks for a key that can't exist: its name is no file's ID. That takes the same permissions as
    /// a real look, and tells a missing bucket from a missing key.
    async fn check(&self) -> Result<(), StoreError> {
        self.get(CHECKED_KEY, None).await?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "not allowed to ask whether the bucket keeps versions: this needs s3:GetBucketVersioning, which the \
     stack's ApiPolicy and WorkerPolicy have"
)]
struct MayNotAsk(#[source] Failure);

/// Whether the store doesn't know what versions are.
fn has_no_such_call(failure: &Failure) -> bool {
    failure.status == Some(501) || failure.has_code("NotImplemented")
}

fn status_of<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Whether S3 says that this key, or this version of it, doesn't exist. A version that is a delete
/// marker answers 405 to a GET that asks for it.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let is_delete_marker = || {
        error
            .raw_response()
            .and_then(|answer| answer.headers().get("x-amz-delete-marker"))
            == Some("true")
    };
    match error.code() {
        Some("NoSuchKey" | "NoSuchVersion") => true,
        Some("MethodNotAllowed") => is_delete_marker(),
        _ => false,
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "not allowed to look: this needs s3:GetObject and s3:GetObjectVersion on {KEY_PREFIX}*, and \
     s3:ListBucket on the bucket, without which S3 answers 403 for a key that doesn't exist"
)]
struct Refused(#[source] Failure);

fn refused_or_unavailable<E>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failure = Failure::new(operation, error);
    if failure.status == Some(403) {
        return StoreError::unavailable(STORE, Refused(failure));
    }
    StoreError::unavailable(STORE, failure)
}

fn object_head(
    (version_id, replaceable): (Option<&str>, bool),
    content_length: Option<i64>,
    (sha256, checksum_type): (Option<&str>, Option<&ChecksumType>),
    last_modified: Option<&DateTime>,
) -> Result<ObjectHead, StoreError> {
    let unreadable = |header: &str| StoreError::corrupt(STORE, format!("an answer's {header}"));
    Ok(ObjectHead {
        version_id: version_id
            .filter(|version| *version != NULL_VERSION)
            .map(|version| VersionId(version.to_owned())),
        content_length: whole_length(content_length)?,
        sha256: whole_sha256(sha256, checksum_type),
        last_modified: last_modified
            .and_then(timestamp)
            .ok_or_else(|| unreadable("Last-Modified"))?,
        replaceable,
    })
}

fn whole_length(content_length: Option<i64>) -> Result<u64, StoreError> {
    content_length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| StoreError::corrupt(STORE, "an answer's Content-Length"))
}

/// The digest of the whole object. A multipart upload has a checksum of its parts' checksums
/// instead (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>);
/// stores that don't name the type are recognised by the number of parts behind the value.
fn whole_sha256(
    checksum: Option<&str>,
    checksum_type: Option<&ChecksumType>,
) -> Option<Sha256Digest> {
    match checksum_type {
        None | Some(ChecksumType::FullObject) => Sha256Digest::parse_base64(checksum?).ok(),
        Some(_) => None,
    }
}

fn undated(error: NoDate) -> StoreError {
    StoreError::unavailable(STORE, error)
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    at.to_millis().ok().and_then(from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn head(version_id: Option<&str>) -> ObjectHead {
        let modified = DateTime::from_secs(1_790_000_000);
        object_head((version_id, false), Some(5), (None, None), Some(&modified)).unwrap()
    }

    #[test]
    fn a_bucket_without_versions_has_no_version_ids() {
        assert_eq!(head(None).version_id, None);
        assert_eq!(head(Some("null")).version_id, None);
        assert_eq!(head(Some("a1")).version_id, Some(VersionId("a1".into())));
    }

    #[test]
    fn only_a_checksum_of_the_whole_object_is_taken_for_its_digest() {
        let digest = Some(Sha256Digest::parse_base64(PLAIN).unwrap());
        assert_eq!(whole_sha256(Some(PLAIN), None), digest);
        let full = ChecksumType::FullObject;
        assert_eq!(whole_sha256(Some(PLAIN), Some(&full)), digest);
        let composite = ChecksumType::Composite;
        assert_eq!(whole_sha256(Some(PLAIN), Some(&composite)), None);
        assert_eq!(whole_sha256(Some(&format!("{PLAIN}-2")), None), None);
        assert_eq!(whole_sha256(None, Some(&full)), None);
    }

    #[test]
    fn an_answer_without_length_or_date_is_corrupt() {
        let modified = DateTime::from_secs(0);
        for (length, date) in [
            (None, Some(&modified)),
            (Some(-1), Some(&modified)),
            (Some(1), None),
        ] {
            assert!(matches!(
                object_head((None, false), length, (None, None), date),
                Err(StoreError::Corrupt { .. })
            ));
        }
    }
}
