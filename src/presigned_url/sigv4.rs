//! Signature version 4 in the query string, by AWS's own signer.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>. S3 wants
//! the path encoded once and never normalised, and an unsigned payload.
//!
//! Invariant: the one place that calls that signer. `verify` judges every received request by it, and
//! `sign`, which makes our own URLs, is held against it by a property test.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::domain::{Invalid, Timestamp};

pub(super) const SERVICE: &str = "s3";

/// What SigV4 leaves unencoded in a query: RFC 3986's unreserved characters.
pub(super) const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is signed: a method, a URI that is already percent-encoded, and headers.
pub(super) struct Subject<'a> {
    pub method: &'a str,
    /// With a host, which is always signed, and without any `X-Amz-` parameter of a signature.
    pub uri: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
}

/// The query parameters that make the subject's URI a presigned one, unencoded, and among them the
/// signature.
pub(super) struct Signed {
    pub params: Vec<(&'static str, Cow<'static, str>)>,
    pub signature: String,
}

/// Signs the subject as SigV4 does in a query, for `lifetime` from `signed_at` on.
///
/// # Errors
/// If URI or headers aren't such as HTTP allows.
pub(super) fn presign(
    subject: &Subject<'_>,
    identity: &Identity,
    region: &str,
    signed_at: Timestamp,
    lifetime: Duration,
) -> Result<Signed, Invalid> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.session_token_mode = SessionTokenMode::Include;
    settings.expires_in = Some(lifetime);
    // Whatever the caller lists is signed; the signer's own list of exceptions doesn't apply.
    settings.excluded_headers = None;

    let refused = |_| Invalid::new("the request can't be signed");
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::from(signed_at))
        .settings(settings)
        .build()
        .map_err(|_| Invalid::new("the signer lacks a parameter"))?
        .into();
    let request = SignableRequest::new(
        subject.method,
        subject.uri,
        subject.headers.iter().copied(),
        SignableBody::UnsignedPayload,
    )
    .map_err(refused)?;
    let (instructions, signature) = sign(request, &params).map_err(refused)?.into_parts();
    let (_, params) = instructions.into_parts();
    Ok(Signed { params, signature })
}
