//! The bytes of one object as they come.
//!
//! Invariant: a body ends without an error only if it had as many bytes as were announced, and within
//! [`BODY_TIME_OUT`].

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::STORE;
use crate::object_store::{ObjectBody, StoreError};

/// How long the body of one object may take: the largest file at 350 kB/s. The SDK gives up on a
/// stream that stands still, and not on one that trickles.
const BODY_TIME_OUT: Duration = Duration::from_secs(60);

/// The chunks of a body, and an error in place of its end if they aren't `length` bytes together.
pub(super) fn whole_body(body: ByteStream, length: u64) -> ObjectBody {
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
