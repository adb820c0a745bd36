//! Presigned URLs: what is signed, for how long, and whether a received one holds.
//!
//! `sign` makes the URLs; `sigv4` is AWS's own signer, with which a received request is signed again
//! and the two signatures compared. So each checks the other, and local mode exercises the code that
//! production signs with.
//!
//! Downloads may lead to a distribution before the bucket instead, which verifies with a key of its own: `edge`.
//!
//! Invariant: a URL outlives neither its configured life nor the credentials that signed it, and is
//! never written anywhere but into the answer to the client that asked for it. [`PresignedUrl`]
//! doesn't print.
//!
//! Absent on purpose: presigning through the S3 client, which costs ten times as much for the same
//! URL (a test compares the two), and any URL that is good for more than one method and one key.

mod bucket_address;
mod bucket_url;
mod content_disposition;
mod credentials;
#[cfg(feature = "server")]
mod edge;
mod form;
mod presigner;
mod sign;
mod sigv4;
mod verify;

#[cfg(test)]
mod tests;

pub use bucket_address::BucketAddress;
pub use bucket_url::BucketUrl;
pub use content_disposition::{attachment, saved_as};
pub use credentials::SigningCredentials;
#[cfg(feature = "server")]
pub use edge::EdgeSigner;
pub use form::{FormRefusal, ReceivedForm, VerifiedForm, verify_form};
pub use presigner::{
    DownloadMethod, DownloadTerms, GRANT_PARAMETER, GrantTerms, PresignedUpload, PresignedUrl,
    Presigner, Upload, UploadMethod, UploadTerms,
};
pub use verify::{ReceivedRequest, Refusal, VerifiedRequest, verify};

/// The headers that every presigned PUT signs, besides `host` and the digest if there is one.
/// A signed `content-length` is what holds the cap, `if-none-match: *` what makes the key
/// write-once.
pub const UPLOAD_SIGNED_HEADERS: [&str; 3] = ["content-length", "content-type", "if-none-match"];

/// What S3 calls the version of an object that has none in a bucket where others have.
pub const NULL_VERSION: &str = "null";

/// The header that carries a SHA-256 as base64, checked by the store before it accepts the bytes.
/// As a query parameter S3 ignores it; it has to be a signed header.
pub const CHECKSUM_HEADER: &str = "x-amz-checksum-sha256";
