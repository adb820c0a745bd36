//! `Content-MD5`: the digest that a client may send along with the bytes of a PUT, as S3 checks it.
//!
//! Source: RFC 1864, and <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
//!
//! Invariant: bytes of another MD5 end with an error where their end would be, so no object is made of
//! them. It finds accidents and no attacks: what holds against those is the SHA-256.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use poem::http::{HeaderMap, HeaderName};

use super::s3_error::S3Error;
use crate::object_store::disk::BodyError;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentMd5([u8; 16]);

impl ContentMd5 {
    /// `None` without the header.
    ///
    /// # Errors
    /// A value that is no MD5 in base64, or several values.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, S3Error> {
        let mut values = headers.get_all(CONTENT_MD5).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let digest = BASE64_STANDARD.decode(value.as_bytes()).ok();
        let digest = digest.and_then(|bytes| bytes.try_into().ok());
        match (digest, values.next()) {
            (Some(digest), None) => Ok(Some(Self(digest))),
            _ => Err(S3Error::invalid_md5()),
        }
    }
}

/// The chunks as they are, and an error at their end if they have another MD5 than `expected`.
pub(super) fn checked<'a>(
    chunks: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'a,
    expected: Option<ContentMd5>,
) -> BoxStream<'a, Result<Bytes, BodyError>> {
    let Some(ContentMd5(expected)) = expected else {
        return chunks.boxed();
    };
    let begun = (chunks.boxed(), Some(Md5::new()));
    stream::unfold(begun, move |(mut chunks, hasher)| async move {
        let mut hasher = hasher?;
        match chunks.next().await {
            Some(Ok(chunk)) => {
                hasher.update(&chunk);
                Some((Ok(chunk), (chunks, Some(hasher))))
            }
            Some(Err(error)) => Some((Err(error), (chunks, None))),
            None => {
                let observed: [u8; 16] = hasher.finalize().into();
                (observed != expected)
                    .then_some((Err(BodyError::OtherMd5 { observed }), (chunks, None)))
            }
        }
    })
    .boxed()
}
