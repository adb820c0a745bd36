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

mod budgeted_stream;
mod content_md5;
mod endpoint;
mod finalize_queue;
mod get_object;
mod post_object;
mod put_object;
mod range;
mod s3_error;
mod signing_secret;
mod upload_body;
mod upload_gate;

pub use endpoint::{LocalEndpoint, LocalStoreParts};
pub use finalize_queue::{FINALIZE_QUEUE_CAPACITY, finalize_uploads};
#[cfg(feature = "fuzzing")]
pub(crate) use post_object::read_form;
#[cfg(feature = "fuzzing")]
pub(crate) use range::{Condition, Part, Validators};
pub use signing_secret::{ACCESS_KEY_ID, SIGNING_SECRET_FILE, SigningSecret};
pub use upload_gate::{EveryUpload, UploadGate, Wanted};

use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::object_store::ObjectHead;

const X_AMZ_VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

/// Tells an object's bytes from any others under its key. Strong: a version's bytes never change, and
/// neither do those of an object from before there were versions while it exists.
pub(crate) fn etag(head: &ObjectHead) -> String {
    match &head.version_id {
        Some(version) => format!("\"{}\"", version.0),
        None => format!(
            "\"{:x}-{:x}\"",
            head.last_modified.timestamp_millis(),
            head.content_length
        ),
    }
}

/// Says which version an answer is about.
fn insert_version(headers: &mut HeaderMap, head: &ObjectHead) {
    if let Some(version) = &head.version_id {
        headers.insert(X_AMZ_VERSION_ID, header_value(&version.0));
    }
}

/// A header value made of text that was checked to be visible ASCII, or of our own making.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
