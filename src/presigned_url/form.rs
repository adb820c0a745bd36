//! Uploads by a form, for programs that can't send headers: a policy says what the form may be, and its
//! signature is one of the form's fields.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>.
//!
//! Invariant: every condition is exact, the length included, and every field has one. So a form is good
//! for as many bytes as were declared, under one key, of one type, and with one digest where there is one.
//!
//! Absent on purpose: what S3 has besides in policies (`starts-with`, ranges of lengths, redirects). A
//! policy that has it isn't one of ours, even if it is signed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::DateTime;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::presigner::Pairs;
use super::sign::{ALGORITHM, SignedPolicy, Signer};
use super::sigv4::SERVICE;
use super::verify::{CLOCK_SKEW, parse_amz_date};
use super::{CHECKSUM_HEADER, SigningCredentials, UploadTerms};
use crate::domain::{
    ContentLength, MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest, Timestamp, TooLong,
    format_timestamp,
};

/// What S3 is to answer. Its own default, 204, leaves a browser on the page as if nothing had happened.
const SUCCESS_STATUS: &str = "201";
/// Without these in its policy a form would not hold what a PUT holds.
const REQUIRED_CONDITIONS: [&str; 3] = ["bucket", "key", "content-type"];
/// Fields that no condition has to name, since they are the policy, its signature and what S3 ignores.
const FREE_FIELDS: [&str; 2] = ["policy", "x-amz-signature"];
const IGNORED_PREFIX: &str = "x-ignore-";

/// The fields of a form that uploads what `terms` say until `expires_at`.
pub(super) fn fields(
    signer: &Signer,
    credentials: &Credentials,
    bucket: &str,
    terms: &UploadTerms<'_>,
    signed_at: Timestamp,
    expires_at: Timestamp,
) -> Pairs {
    let mut fields = vec![
        ("key", terms.key.to_string()),
        ("Content-Type", terms.content_type.as_str().to_owned()),
        ("success_action_status", SUCCESS_STATUS.to_owned()),
    ];
    if let Some(digest) = terms.sha256 {
        fields.push(("x-amz-checksum-algorithm", "SHA256".to_owned()));
        fields.push((CHECKSUM_HEADER, digest.to_base64()));
    }
    if let Some(token) = credentials.session_token() {
        fields.push(("x-amz-security-token", token.to_owned()));
    }
    let write = |credential: &str, time: &str| {
        let signature_fields = [
            ("x-amz-algorithm", ALGORITHM),
            ("x-amz-credential", credential),
            ("x-amz-date", time),
        ];
        let exact = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(signature_fields)
            .map(|(name, value)| json!({name: value}));
        let length = terms.length.bytes();
        let mut conditions = vec![
            json!({"bucket": bucket}),
            json!(["content-length-range", length, length]),
        ];
        conditions.extend(exact);
        let policy = json!({
            "expiration": format_timestamp(expires_at),
            "conditions": conditions,
        });
        BASE64_STANDARD.encode(policy.to_string())
    };
    let SignedPolicy {
        policy,
        credential,
        time,
        signature,
    } = signer.sign_policy(credentials, signed_at, write);
    fields.extend([
        ("x-amz-algorithm", ALGORITHM.to_owned()),
        ("x-amz-credential", credential),
        ("x-amz-date", time),
        ("policy", policy),
        ("x-amz-signature", signature),
    ]);
    fields
}

/// The fields of a form as they came before the file, by their names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReceivedForm(BTreeMap<String, String>);

impl ReceivedForm {
    /// `false` if there is a field of this name already.
    #[must_use]
    pub fn add(&mut self, name: &str, value: String) -> bool {
        let name = name.to_ascii_lowercase();
        self.0.insert(name, value).is_none()
    }

    /// The key that the form names, unverified.
    pub fn unverified_key(&self) -> Option<ObjectKey> {
        ObjectKey::parse(self.0.get("key")?).ok()
    }

    fn get(&self, name: &'static str) -> Result<&str, FormRefusal> {
        let value = self.0.get(name).map(String::as_str);
        value.ok_or(FormRefusal::Missing(name))
    }
}

/// What is certain of a form that was signed here: what it may upload. There is no other way to one than
/// [`verify_form`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedForm {
    judged_at: Timestamp,
    key: ObjectKey,
    length: ContentLength,
    sha256: Option<Sha256Digest>,
}

impl VerifiedForm {
    /// The time by which the form was still good.
    pub fn judged_at(&self) -> Timestamp {
        self.judged_at
    }

    /// Where its bytes go.
    pub fn key(&self) -> ObjectKey {
        self.key
    }

    /// How many bytes its file has.
    pub fn length(&self) -> ContentLength {
        self.length
    }

    /// The digest that its file has, if one was declared.
    pub fn sha256(&self) -> Option<Sha256Digest> {
        self.sha256
    }
}

/// Why a form is refused. S3 has a code for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormRefusal {
    /// It has neither a policy nor a signature.
    #[error("the form isn't signed")]
    NotSigned,
    /// A field isn't there that verifying needs.
    #[error("the form has no field {0}")]
    Missing(&'static str),
    /// A field has no value that SigV4 knows, or was signed for another day, region or service.
    #[error("{0}")]
    Malformed(&'static str),
    /// Somebody else's credentials signed it, or ones that have been replaced since.
    #[error("the access key ID isn't the one that signs here")]
    UnknownAccessKey,
    /// Policy or signature were changed, or another secret signed.
    #[error("the signature doesn't match the policy")]
    SignatureMismatch,
    /// The policy was signed here, and isn't such as [`super::Presigner`] makes, or holds for too long.
    #[error("{0}")]
    InvalidPolicy(&'static str),
    /// It was signed further in the future than clocks may differ.
    #[error("the policy isn't valid yet")]
    NotYetValid,
    /// The policy's own expiry is over.
    #[error("the policy expired at {0}")]
    Expired(Timestamp),
    /// The condition that doesn't hold, as S3 writes it.
    #[error("a condition of the policy doesn't hold: {0}")]
    ConditionFailed(String),
    /// Fields were added that the policy says nothing of; their names, in lower case.
    #[error("the policy has no condition for these fields: {}", .0.join(", "))]
    ExtraFields(Vec<String>),
    /// The signed key isn't one of this service's.
    #[error("the form is signed for a key that no file has")]
    UnknownKey,
    /// The signed `x-amz-checksum-sha256` isn't the base64 of 32 bytes.
    #[error("the form is signed for a digest that is no SHA-256")]
    InvalidChecksum,
    /// The signed length is above the largest that a file may have.
    #[error("{0}")]
    TooLong(#[from] TooLong),
    /// There is nothing here to compare the signature with.
    #[error("the signing credentials can't be read")]
    NoCredentials,
}

/// Checks the fields of a form that came to the bucket of this name.
///
/// # Errors
/// The first [`FormRefusal`] that applies. As with a URL, the signature is looked at before anything that
/// it covers.
pub async fn verify_form(
    form: &ReceivedForm,
    bucket: &str,
    credentials: &SigningCredentials,
    region: &str,
    longest_lifetime: Duration,
    now: Timestamp,
) -> Result<VerifiedForm, FormRefusal> {
    if !form.0.contains_key("policy") && !form.0.contains_key("x-amz-signature") {
        return Err(FormRefusal::NotSigned);
    }
    let policy = form.get("policy")?;
    let signed_at = verify_signature(form, policy, credentials, region, now).await?;
    let policy = Policy::parse(policy)?;
    if policy.expires_at > signed_at + longest_lifetime {
        return Err(FormRefusal::InvalidPolicy(
            "the policy is valid for longer than a form may live here",
        ));
    }
    if signed_at > now + CLOCK_SKEW {
        return Err(FormRefusal::NotYetValid);
    }
    if now >= policy.expires_at {
        return Err(FormRefusal::Expired(policy.expires_at));
    }
    policy.hold(form, bucket)?;
    let sha256 = form.0.get(CHECKSUM_HEADER);
    Ok(VerifiedForm {
        judged_at: now,
        key: ObjectKey::parse(form.get("key")?).map_err(|_| FormRefusal::UnknownKey)?,
        length: ContentLength::new(policy.length, MAX_CONTENT_LENGTH)?,
        sha256: sha256
            .map(|text| Sha256Digest::parse_base64(text))
            .transpose()
            .map_err(|_| FormRefusal::InvalidChecksum)?,
    })
}

/// When the policy was signed, if it was signed here.
async fn verify_signature(
    form: &ReceivedForm,
    policy: &str,
    credentials: &SigningCredentials,
    region: &str,
    now: Timestamp,
) -> Result<Timestamp, FormRefusal> {
    let signature = form.get("x-amz-signature")?;
    if form.get("x-amz-algorithm")? != ALGORITHM {
        return Err(FormRefusal::Malformed(
            "x-amz-algorithm must be AWS4-HMAC-SHA256",
        ));
    }
    let signed_at = parse_amz_date(form.get("x-amz-date")?).ok_or(FormRefusal::Malformed(
        "x-amz-date must be like 20260131T090500Z",
    ))?;
    let (access_key_id, scope) =
        form.get("x-amz-credential")?
            .split_once('/')
            .ok_or(FormRefusal::Malformed(
                "x-amz-credential must have a key, date, region and service",
            ))?;
    let own_scope = format!(
        "{}/{region}/{SERVICE}/aws4_request",
        signed_at.format("%Y%m%d")
    );
    if scope != own_scope {
        return Err(FormRefusal::Malformed(
            "x-amz-credential has another date, region or service",
        ));
    }
    let (identity, _) = credentials
        .identity(now, Duration::ZERO)
        .await
        .map_err(|_| FormRefusal::NoCredentials)?;
    let own = identity
        .data::<Credentials>()
        .ok_or(FormRefusal::NoCredentials)?;
    if own.access_key_id() != access_key_id {
        return Err(FormRefusal::UnknownAccessKey);
    }
    let at = SystemTime::from(signed_at);
    let key = generate_signing_key(own.secret_access_key(), at, region, SERVICE);
    let expected = calculate_signature(key, policy.as_bytes());
    if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(FormRefusal::SignatureMismatch);
    }
    Ok(signed_at)
}

/// A policy as our own are.
struct Policy {
    expires_at: Timestamp,
    /// In bytes.
    length: u64,
    /// Names in lower case, and the one value that each may have.
    exact: BTreeMap<String, String>,
}

impl Policy {
    fn parse(base64: &str) -> Result<Self, FormRefusal> {
        let refused =
            || FormRefusal::InvalidPolicy("the policy isn't one that was handed out here");
        let json = BASE64_STANDARD.decode(base64).map_err(|_| refused())?;
        let policy: Map<String, Value> = serde_json::from_slice(&json).map_err(|_| refused())?;
        let expires_at = policy
            .get("expiration")
            .and_then(Value::as_str)
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .ok_or_else(refused)?
            .to_utc();
        let conditions = policy
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or_else(refused)?;
        let (mut length, mut exact) = (None, BTreeMap::new());
        for condition in conditions {
            if let Some(fields) = condition.as_object() {
                for (name, value) in fields {
                    let value = value.as_str().ok_or_else(refused)?.to_owned();
                    let earlier = exact.insert(name.to_ascii_lowercase(), value);
                    if earlier.is_some() {
                        return Err(refused());
                    }
                }
                continue;
            }
            let range = condition.as_array().map(Vec::as_slice);
            let Some([operator, least, most]) = range else {
                return Err(refused());
            };
            let is_range = operator == "content-length-range" && least == most;
            let bytes = most.as_u64().filter(|_| is_range).ok_or_else(refused)?;
            if length.replace(bytes).is_some() {
                return Err(refused());
            }
        }
        if !REQUIRED_CONDITIONS
            .iter()
            .all(|name| exact.contains_key(*name))
        {
            return Err(refused());
        }
        Ok(Self {
            expires_at,
            length: length.ok_or_else(refused)?,
            exact,
        })
    }

    fn hold(&self, form: &ReceivedForm, bucket: &str) -> Result<(), FormRefusal> {
        for (name, value) in &self.exact {
            let sent = match name.as_str() {
                "bucket" => form.0.get(name).map_or(bucket, String::as_str),
                name => form.0.get(name).map_or("", String::as_str),
            };
            let holds = sent == value && (name != "bucket" || value == bucket);
            if !holds {
                let condition = json!(["eq", format!("${name}"), value]);
                return Err(FormRefusal::ConditionFailed(condition.to_string()));
            }
        }
        let extra: Vec<String> = form
            .0
            .keys()
            .filter(|name| {
                !self.exact.contains_key(*name)
                    && !FREE_FIELDS.contains(&name.as_str())
                    && !name.starts_with(IGNORED_PREFIX)
            })
            .cloned()
            .collect();
        if extra.is_empty() {
            Ok(())
        } else {
            Err(FormRefusal::ExtraFields(extra))
        }
    }
}

#[cfg(test)]
mod tests;
