//! Whether a received request is one that a URL of ours allows, and what it says then.
//!
//! The request is signed again with the secret, and the two signatures are compared in constant
//! time. So everything that the signature covers (method, path, query, the signed headers) is right
//! or the request is refused.
//!
//! Invariant: nothing that changes what a store does goes through unsigned. Every `x-amz-*` header
//! has to be among the signed ones: with an unsigned `x-amz-copy-source` the holder of a PUT could
//! copy out other people's objects.

use std::time::Duration;

use chrono::NaiveDateTime;
use http::HeaderMap;
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use subtle::ConstantTimeEq;

use super::sign::ALGORITHM;
use super::sigv4::{self, QUERY, SERVICE, Subject};
use super::{BucketUrl, SigningCredentials, UPLOAD_SIGNED_HEADERS};
use crate::domain::Timestamp;

/// The basic format of ISO 8601, to the second.
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// How far ahead of ours a signer's clock may be. S3 allows the same.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

/// A request as it came in, nothing decoded.
#[derive(Clone, Copy)]
pub struct ReceivedRequest<'a> {
    /// The method in upper case, as it came.
    pub method: &'a str,
    /// Path and query as they stood in the request line.
    pub path_and_query: &'a str,
    /// All headers, whether signed or not.
    pub headers: &'a HeaderMap,
}

/// What is certain of a request that a URL of ours allows: all of it is covered by the signature. There is
/// no other way to one than [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRequest {
    judged_at: Timestamp,
    headers: Vec<(String, String)>,
    params: Params,
}

impl VerifiedRequest {
    /// The time by which the URL was still good.
    pub fn judged_at(&self) -> Timestamp {
        self.judged_at
    }

    /// A signed header, but for `host`; `None` if it wasn't signed, whether it was sent or not.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// A parameter of the query, decoded; the signature's own are none of them.
    pub fn param(&self, name: &str) -> Option<&str> {
        value_of(&self.params, name)
    }
}

type Params = Vec<(String, String)>;

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(own, _)| own == name)?;
    Some(value)
}

/// Why a request is refused. S3 has a code for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has none of the signature's parameters.
    #[error("the request isn't signed")]
    NotSigned,
    /// A parameter is missing, is there twice, has no value that SigV4 knows, or is for another day, region
    /// or service.
    #[error("{0}")]
    Malformed(&'static str),
    /// Somebody else's credentials signed it, or ones that have been replaced since.
    #[error("the access key ID isn't the one that signs here")]
    UnknownAccessKey,
    /// The signature is right, and its life is longer than URLs for this method have.
    #[error("X-Amz-Expires is longer than a URL may live here")]
    LivesTooLong,
    /// These headers were sent, or belong to a PUT, and the signature doesn't cover them; in lower case.
    #[error("these headers have to be signed: {}", .0.join(", "))]
    HeadersNotSigned(Vec<String>),
    /// Something that the signature covers was changed, or another secret signed.
    #[error("the signature doesn't match the request")]
    SignatureMismatch,
    /// It was signed further in the future than clocks may differ.
    #[error("the request isn't valid yet")]
    NotYetValid,
    /// Its life was over at that moment.
    #[error("the request expired at {0}")]
    Expired(Timestamp),
    /// There is nothing here to compare the signature with.
    #[error("the signing credentials can't be read")]
    NoCredentials,
}

/// The signature's own parameters.
struct Claim {
    signed_at: Timestamp,
    lifetime: Duration,
    signed_headers: Vec<String>,
    signature: String,
    access_key_id: String,
    scope: String,
    /// The rest of the query, decoded, in the order in which it came.
    other_params: Params,
}

/// Checks a request that came for an object below `bucket`.
///
/// `object_path` is the raw path behind the bucket's, beginning with a slash: the signature is
/// computed for `bucket`, the address that our URLs were signed for, so a proxy may have changed
/// host and prefix on the way.
///
/// # Errors
/// The first [`Refusal`] that applies. The signature is looked at before lifetime and expiry, so
/// that a forger doesn't learn anything from them, and a PUT's URL that is used for a GET isn't told
/// that it lives too long.
pub async fn verify(
    request: &ReceivedRequest<'_>,
    bucket: &BucketUrl,
    object_path: &str,
    credentials: &SigningCredentials,
    region: &str,
    longest_lifetime: Duration,
    now: Timestamp,
) -> Result<VerifiedRequest, Refusal> {
    let query = request
        .path_and_query
        .split_once('?')
        .map_or("", |(_, query)| query);
    let claim = Claim::parse(query)?;
    let unsigned = unsigned_headers(request, &claim.signed_headers);
    if !unsigned.is_empty() {
        return Err(Refusal::HeadersNotSigned(unsigned));
    }
    // Of two hosts nobody knows which one was meant (RFC 9112, section 3.2), and only one is signed.
    if request.headers.get_all(http::header::HOST).iter().count() > 1 {
        return Err(Refusal::SignatureMismatch);
    }
    let (identity, _) = credentials
        .identity(now, Duration::ZERO)
        .await
        .map_err(|_| Refusal::NoCredentials)?;
    let uri = format!("{bucket}{object_path}?{}", encoded(&claim.other_params));
    let headers = signed_values(request.headers, &claim.signed_headers)?;
    let signed: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let subject = Subject {
        method: request.method,
        uri: uri.trim_end_matches('?'),
        headers: &signed,
    };
    let expected = sigv4::presign(&subject, &identity, region, claim.signed_at, claim.lifetime)
        .map_err(|_| Refusal::SignatureMismatch)?;
    let credential = expected
        .params
        .iter()
        .find(|(name, _)| *name == "X-Amz-Credential")
        .and_then(|(_, value)| value.split_once('/'));
    match credential {
        Some((id, scope)) if scope == claim.scope => {
            if id != claim.access_key_id {
                return Err(Refusal::UnknownAccessKey);
            }
        }
        _ => {
            return Err(Refusal::Malformed(
                "X-Amz-Credential has another date, region or service",
            ));
        }
    }
    if !bool::from(
        expected
            .signature
            .as_bytes()
            .ct_eq(claim.signature.as_bytes()),
    ) {
        return Err(Refusal::SignatureMismatch);
    }
    if claim.lifetime > longest_lifetime {
        return Err(Refusal::LivesTooLong);
    }
    if claim.signed_at > now + CLOCK_SKEW {
        return Err(Refusal::NotYetValid);
    }
    let expires_at = claim.signed_at + claim.lifetime;
    if now >= expires_at {
        return Err(Refusal::Expired(expires_at));
    }
    Ok(VerifiedRequest {
        judged_at: now,
        headers,
        params: claim.other_params,
    })
}

impl Claim {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut own: [Option<String>; 6] = Default::default();
        const NAMES: [&str; 6] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        ];
        let mut other_params = Params::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if let Some(index) = NAMES.iter().position(|own_name| *own_name == name) {
                if own[index].replace(value).is_some() {
                    return Err(Refusal::Malformed(
                        "a parameter of the signature is given twice",
                    ));
                }
            } else {
                other_params.push((name, value));
            }
        }
        if own.iter().all(Option::is_none) {
            return Err(Refusal::NotSigned);
        }
        let [
            Some(algorithm),
            Some(credential),
            Some(date),
            Some(expires),
            Some(signed_headers),
            Some(signature),
        ] = own
        else {
            return Err(Refusal::Malformed(
                "X-Amz-Algorithm, -Credential, -Date, -Expires, -SignedHeaders and -Signature must all be there",
            ));
        };
        if algorithm != ALGORITHM {
            return Err(Refusal::Malformed(
                "X-Amz-Algorithm must be AWS4-HMAC-SHA256",
            ));
        }
        // A moment, a number and a list have one spelling each here, so that a request has one too.
        let signed_at = parse_amz_date(&date).ok_or(Refusal::Malformed(
            "X-Amz-Date must be like 20260131T090500Z",
        ))?;
        let lifetime = expires
            .parse::<u32>()
            .ok()
            .filter(|seconds| *seconds > 0 && seconds.to_string() == expires)
            .map(|seconds| Duration::from_secs(seconds.into()))
            .ok_or(Refusal::Malformed(
                "X-Amz-Expires must be a number of seconds",
            ))?;
        let (access_key_id, scope) = credential
            .split_once('/')
            .filter(|(_, scope)| scope.contains(&format!("/{SERVICE}/")))
            .ok_or(Refusal::Malformed(
                "X-Amz-Credential must have a key, date, region and service",
            ))?;
        Ok(Self {
            signed_at,
            lifetime,
            signed_headers: sorted_names(&signed_headers)?,
            signature,
            access_key_id: access_key_id.to_owned(),
            scope: scope.to_owned(),
            other_params,
        })
    }
}

/// The moment that a signature names, in its one spelling.
pub(super) fn parse_amz_date(text: &str) -> Option<Timestamp> {
    NaiveDateTime::parse_from_str(text, DATE_FORMAT)
        .ok()
        .filter(|parsed| parsed.format(DATE_FORMAT).to_string() == text)
        .map(|parsed| parsed.and_utc())
}

/// The names in a list as SigV4 has it: in lower case, each once and in order.
fn sorted_names(list: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = list.split(';').map(str::to_owned).collect();
    let is_canonical = names.is_sorted_by(|a, b| a < b)
        && !names
            .iter()
            .any(|name| name.is_empty() || name.bytes().any(|b| b.is_ascii_uppercase()));
    is_canonical.then_some(names).ok_or(Refusal::Malformed(
        "X-Amz-SignedHeaders must have names in lower case, each once and in order",
    ))
}

/// Decodes one part of a query as S3 does, where `+` is a space.
fn decode(text: &str) -> Result<String, Refusal> {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::Malformed("the query isn't UTF-8"))
}

/// Parameters as SigV4 encodes them.
fn encoded(params: &Params) -> String {
    let mut query = String::new();
    for (name, value) in params {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, QUERY));
        query.push('=');
        query.extend(utf8_percent_encode(value, QUERY));
    }
    query
}

/// The headers that would have to be signed and aren't.
fn unsigned_headers(request: &ReceivedRequest<'_>, signed: &[String]) -> Vec<String> {
    let required = std::iter::once("host").chain(
        UPLOAD_SIGNED_HEADERS
            .into_iter()
            .filter(|_| request.method == "PUT"),
    );
    let sent = request.headers.keys().map(http::HeaderName::as_str);
    let mut missing: Vec<String> = required
        .chain(sent.filter(|name| name.starts_with("x-amz-")))
        .filter(|name| !signed.iter().any(|own| own == name))
        .map(str::to_owned)
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// The values of the signed headers, but for `host`, which the signer takes from the URI.
fn signed_values(headers: &HeaderMap, signed: &[String]) -> Result<Vec<(String, String)>, Refusal> {
    let mut values = Vec::with_capacity(signed.len());
    for name in signed.iter().filter(|name| *name != "host") {
        let mut sent = headers.get_all(name).iter().peekable();
        // A header that was signed and is missing makes another request of it.
        if sent.peek().is_none() {
            return Err(Refusal::SignatureMismatch);
        }
        for value in sent {
            let value = value.to_str().map_err(|_| Refusal::SignatureMismatch)?;
            values.push((name.clone(), value.to_owned()));
        }
    }
    Ok(values)
}
