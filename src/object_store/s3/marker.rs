//! The marker of the objects: a small object beside `uploads/`, of which no notification comes.
//!
//! Invariant: the object that is there first stays, whoever adds another (`If-None-Match`). It is the one
//! object that a program of ours writes itself, and no file.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{S3ObjectStore, STORE, StoreError, refused_or_unavailable};
use crate::store_marker::{MARKER_LENGTH, MarkedStore, Marker};

/// The policies name it.
const KEY: &str = "store-marker";

impl S3ObjectStore {
    async fn put_marker(&self, marker: &Marker, only_new: bool) -> Result<(), StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(KEY)
            .content_type("text/plain")
            .set_if_none_match(only_new.then(|| "*".to_owned()))
            .body(ByteStream::from(marker.to_string().into_bytes()));
        match put.send().await {
            // A 409 is somebody else's that is being written just now.
            Err(error)
                if matches!(
                    error.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict")
                ) =>
            {
                Ok(())
            }
            answer => answer
                .map(drop)
                .map_err(|error| refused_or_unavailable("PutObject", &error)),
        }
    }
}

#[async_trait]
impl MarkedStore for S3ObjectStore {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let Some(output) = self.get(KEY, None).await?.found() else {
            return Ok(None);
        };
        let unreadable = |what: &str| StoreError::corrupt(STORE, format!("its marker: {what}"));
        let length = output
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > 2 * MARKER_LENGTH) {
            return Err(unreadable("a marker of another kind"));
        }
        let body = output.body.collect().await;
        let body = body.map_err(|error| StoreError::unavailable(STORE, error))?;
        let text = String::from_utf8(body.to_vec()).map_err(|_| unreadable("no text"))?;
        Marker::parse(&text).map(Some).map_err(unreadable)
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        self.put_marker(marker, true).await
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        self.put_marker(marker, false).await
    }
}
