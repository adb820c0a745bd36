//! Objects in Amazon S3, or in a store with its API.
//!
//! Invariant: "there is no such object" is only said where S3 itself says so by name. A missing
//! bucket, a refusal, or a stranger's 404 is an error, because the caller may expire an upload on
//! the strength of the answer.
//!
//! Absent on purpose: ETags (they are no digests) and ranges.

mod list;
mod start_check;
mod versions;

use std::{error::Error, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, ByteStreamError, DateTime},
    types::{BucketVersioningStatus, ChecksumMode, ChecksumType},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::{
    ListPosition, Listing, Lookup, ObjectBody, ObjectHead, ObjectReader, ObjectStore, Quarantined,
    StoreError,
};
use crate::{
    aws::Failure,
    domain::{
        KEY_PREFIX, ObjectKey, Sha256Digest, Timestamp, VersionId, from_millis, whole_millis,
    },
};

const STORE: &str = "the bucket";

/// Below [`KEY_PREFIX`], and no file's: its name is no ID.
const CHECKED_KEY: &str = "uploads/check";

/// How long the body of one object may take: the largest file at 350 kB/s. The SDK gives up on a
/// stream that stands still, and not on one that trickles.
const BODY_TIME_OUT: Duration = Duration::from_secs(60);

/// What S3 calls the version of an object that was written while the bucket had no versions.
const NULL_VERSION: &str = "null";

pub struct S3ObjectStore {
    client: Client,
    bucket: String,
}

impl S3ObjectStore {
    /// `client` comes from [`crate::aws::s3_client`].
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
        }
    }

    /// `None` if S3 names the key or the version as what is missing.
    async fn get(
        &self,
        key: &str,
        version_id: Option<&VersionId>,
    ) -> Result<Option<GetObjectOutput>, StoreError> {
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
            Ok(output) => Ok(Some(output)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(refused_or_unavailable("GetObject", &error)),
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
            Ok(output) => object_head(
                output.version_id(),
                output.content_length(),
                (output.checksum_sha256(), output.checksum_type()),
                output.last_modified(),
            )
            .map(Lookup::Found),
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
        let as_of = now();
        let Some(output) = self.get(&key.to_string(), version_id).await? else {
            return Ok(Lookup::Absent { as_of });
        };
        let head = object_head(
            output.version_id(),
            output.content_length(),
            (output.checksum_sha256(), output.checksum_type()),
            output.last_modified(),
        )?;
        let body = whole_body(output.body, head.content_length);
        Ok(Lookup::Found(ObjectReader { head, body }))
    }

    /// S3 answers a PUT only when the object is durable.
    async fn make_durable(&self, _: ObjectKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        let answer = self
            .client
            .get_bucket_versioning()
            .bucket(&self.bucket)
            .send()
            .await;
        match answer {
            // Where versions were suspended, an upload replaces the one that has no version ID.
            Ok(output) => Ok(output.status() == Some(&BucketVersioningStatus::Enabled)),
            Err(error) => {
                let failure = Failure::new("GetBucketVersioning", &error);
                if has_no_such_call(&failure) {
                    return Ok(false);
                }
                if failure.status == Some(403) {
                    return Err(StoreError::unavailable(STORE, MayNotAsk(failure)));
                }
                Err(StoreError::unavailable(STORE, failure))
            }
        }
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        let as_of = now();
        versions::delete_all(self, &key.to_string()).await?;
        Ok(as_of)
    }

    async fn quarantine(&self, _: ObjectKey) -> Result<Quarantined, StoreError> {
        Ok(Quarantined::NotSupported)
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
    "not allowed to ask whether the bucket keeps versions: uploads by form need \
     s3:GetBucketVersioning, which the stack's ApiPolicy has"
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
    version_id: Option<&str>,
    content_length: Option<i64>,
    (sha256, checksum_type): (Option<&str>, Option<&ChecksumType>),
    last_modified: Option<&DateTime>,
) -> Result<ObjectHead, StoreError> {
    let unreadable = |header: &str| StoreError::corrupt(STORE, format!("an answer's {header}"));
    Ok(ObjectHead {
        version_id: version_id
            .filter(|version| *version != NULL_VERSION)
            .map(|version| VersionId(version.to_owned())),
        content_length: content_length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| unreadable("Content-Length"))?,
        sha256: whole_sha256(sha256, checksum_type),
        last_modified: last_modified
            .and_then(timestamp)
            .ok_or_else(|| unreadable("Last-Modified"))?,
        replaceable: false,
    })
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

fn now() -> Timestamp {
    whole_millis(chrono::Utc::now())
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    at.to_millis().ok().and_then(from_millis)
}

/// The chunks of a body, and an error in place of its end if they aren't `length` bytes together.
fn whole_body(body: ByteStream, length: u64) -> ObjectBody {
    let deadline = Instant::now() + BODY_TIME_OUT;
    Box::pin(stream::try_unfold(
        (body, length),
        move |(mut body, left)| async move {
            let next = timeout_at(deadline, body.next())
                .await
                .map_err(|late| StoreError::unavailable(STORE, late))?;
            let Some(chunk) = next else {
                return match left {
                    0 => Ok(None),
                    _ => Err(wrong_length(length)),
                };
            };
            let chunk = chunk.map_err(broken_off)?;
            let left = u64::try_from(chunk.len())
                .ok()
                .and_then(|bytes| left.checked_sub(bytes))
                .ok_or_else(|| wrong_length(length))?;
            Ok(Some((chunk, (body, left))))
        },
    ))
}

/// Bytes that the store's own checksum contradicts are no fault of the way to it.
fn broken_off(error: ByteStreamError) -> StoreError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.is::<aws_smithy_checksums::body::validate::Error>() {
            return StoreError::corrupt(STORE, "bytes that don't match their own checksum");
        }
        cause = error.source();
    }
    StoreError::unavailable(STORE, error)
}

fn wrong_length(length: u64) -> StoreError {
    StoreError::unavailable(
        STORE,
        format!("the body of an object didn't have the {length} bytes that were announced"),
    )
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    const PLAIN: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn head(version_id: Option<&str>) -> ObjectHead {
        let modified = DateTime::from_secs(1_790_000_000);
        object_head(version_id, Some(5), (None, None), Some(&modified)).unwrap()
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
                object_head(None, length, (None, None), date),
                Err(StoreError::Corrupt { .. })
            ));
        }
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_announced_ends_with_an_error() {
        for (announced, complete) in [(4, false), (5, true), (6, false)] {
            let body = whole_body(ByteStream::from_static(b"hello"), announced);
            let read: Result<Vec<_>, _> = body.try_collect().await;
            assert_eq!(read.is_ok(), complete, "{announced} bytes announced");
        }
        let empty = whole_body(ByteStream::from_static(b""), 0);
        assert!(empty.try_collect::<Vec<_>>().await.is_ok());
    }
}
