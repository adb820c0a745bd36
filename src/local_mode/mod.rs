//! Local mode: this machine in the place of S3.
//!
//! The endpoint here honours the presigned URLs and forms that the API hands out, with the outcome and the
//! answers that S3 would give, so that a client can't tell the two apart.
//!
//! Invariant: nothing is done for a request before its signature was verified, and no presigned URL,
//! signature or file content is ever logged.
//!
//! Absent on purpose: every part of S3's API that no URL of ours is good for. Listing, copying,
//! multipart uploads, tags, ACLs and deletes can't be reached.

mod endpoint;
mod get_object;
mod hand_off;
mod paced;
mod post_object;
mod put_object;
mod range;
mod receive;
mod s3_error;
mod signing_secret;

pub use endpoint::{LocalEndpoint, LocalStoreParts};
pub use hand_off::{HAND_OFF_CAPACITY, finalize_uploads};
#[cfg(feature = "fuzzing")]
pub(crate) use post_object::read_form;
#[cfg(feature = "fuzzing")]
pub(crate) use range::{Condition, Part, Validators};
pub use signing_secret::{ACCESS_KEY_ID, SecretError, SigningSecret};

use poem::http::HeaderValue;

use crate::object_store::ObjectHead;

/// Tells an object's bytes from any others under its key. Strong: bytes never change under a key
/// while the object exists.
pub(crate) fn etag(head: &ObjectHead) -> String {
    format!(
        "\"{:x}-{:x}\"",
        head.last_modified.timestamp_millis(),
        head.content_length
    )
}

/// A header value made of text that was checked to be visible ASCII, or of our own making.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
