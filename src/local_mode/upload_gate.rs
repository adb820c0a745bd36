//! Asks, before an upload gets its name, whether anybody still waits for it.
//!
//! A URL may outlive its file: that was deleted, or expired because a clock was wrong for a while. Bytes
//! that came for it would be deleted again, and 200 would have been a lie. S3 can't ask; this machine can.
//!
//! Invariant: an upload that is answered 200 belongs to a file that waited for it: one that is available has its
//! bytes, and takes no others, also if its own were lost. Between the question and the name nothing expires, since
//! the store says of a key that it is receiving.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};

use crate::domain::{ObjectKey, StoredBytes};
use crate::object_store::disk::BodyError;
use crate::operations::Stores;
use crate::request_log;
use crate::store_error::StoreError;

/// Whether a file waits for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It does.
    Yes,
    /// It has them.
    Settled,
    /// There is no such file any more, or its time is over.
    No,
}

/// Says of an upload whose bytes have come whether they are to be kept.
#[async_trait]
pub trait UploadGate: Send + Sync {
    /// Whether bytes may be stored under the key.
    async fn wants(&self, key: ObjectKey) -> Result<Wanted, StoreError>;
}

#[async_trait]
impl UploadGate for Stores {
    async fn wants(&self, key: ObjectKey) -> Result<Wanted, StoreError> {
        let record = self.metadata.get(key.file_id()).await?;
        Ok(match record.map(|record| record.status().bytes()) {
            Some(StoredBytes::Awaited) => Wanted::Yes,
            Some(StoredBytes::Kept) => Wanted::Settled,
            Some(StoredBytes::Unwanted) | None => Wanted::No,
        })
    }
}

/// Lets everything through, as S3 does. For tests of the endpoint alone.
pub struct EveryUpload;

#[async_trait]
impl UploadGate for EveryUpload {
    async fn wants(&self, _: ObjectKey) -> Result<Wanted, StoreError> {
        Ok(Wanted::Yes)
    }
}

/// The body, and in place of its end an error if it isn't wanted by then.
pub(super) fn if_wanted<'a>(
    gate: &'a dyn UploadGate,
    key: ObjectKey,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'a,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'a {
    let question = async move {
        match gate.wants(key).await {
            Ok(Wanted::Yes) => None,
            Ok(Wanted::Settled) => Some(Err(BodyError::Settled)),
            Ok(Wanted::No) => Some(Err(BodyError::Unwanted)),
            Err(error) => {
                request_log::FAILED.log(|| {
                    tracing::error!(error = error.chain(), %key, "whether an upload is wanted isn't known");
                });
                Some(Err(BodyError::NobodyToAsk))
            }
        }
    };
    body.chain(stream::once(question).filter_map(future::ready))
}
