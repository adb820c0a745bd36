//! Receipts: what the service signs about an available file, for whoever has to show later what arrived and when.
//!
//! A receipt is a compact JWS (RFC 7515) that is signed by Ed25519 (RFC 8037, under its name of RFC 9864), so that any
//! JOSE library verifies it, also where the service is out of reach.
//!
//! Invariant: what is signed is what the record of an available file says, when, and where the caller reached the
//! service. A receipt has a `typ` of its own, so that it is taken for no other token (RFC 8725, section 3.11).
//!
//! Absent on purpose: who may have a receipt (`operations`), and verifying: whoever asks the service whether a receipt
//! of its own is right needs no signature.

mod keys;

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

pub use keys::{KEY_FILE, PublicKey, ReceiptKeys};

use crate::domain::{AttestedFile, Submitter, Timestamp, format_timestamp};

/// What a receipt says it is, in its header.
pub const RECEIPT_TYPE: &str = "file-share-receipt+jwt";
/// The only algorithm that receipts are signed by.
pub const ALGORITHM: &str = "Ed25519";

/// What is signed, in the order in which it is written. What doesn't apply to a file is left out, as `late` is of a
/// file that had no time to be there by: whoever reads receipts ignores fields that they don't know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    iss: &'a str,
    jti: String,
    display_name: &'a str,
    size: u64,
    sha256: String,
    uploaded_at: String,
    /// Who handed it in: a name that anybody can type, unless there is a `submitter_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter_id: Option<String>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    in_box: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<bool>,
    iat: i64,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// A receipt as it is handed out: header, claims and signature, each as base64url, with dots in between.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedReceipt(String);

impl SignedReceipt {
    /// The text itself.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// It names a file, which is nobody's business in a log.
impl fmt::Debug for SignedReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedReceipt")
    }
}

impl ReceiptKeys {
    /// The receipt of this file; `None` where there is no key to sign with. `issuer` is where the caller reaches the
    /// service.
    pub fn sign(&self, file: &AttestedFile, issuer: &str, now: Timestamp) -> Option<SignedReceipt> {
        let key = self.first()?;
        let header = Header {
            alg: ALGORITHM,
            typ: RECEIPT_TYPE,
            kid: key.id(),
        };
        let in_box = file.in_box.as_ref();
        let due_at = in_box.and_then(|it| it.due_at);
        let submitter = file.submitter.as_ref();
        let claims = Claims {
            iss: issuer,
            jti: file.id.to_string(),
            display_name: &file.display_name,
            size: file.size,
            sha256: file.sha256.to_hex(),
            uploaded_at: format_timestamp(file.uploaded_at),
            submitter: submitter.map(Submitter::shown),
            submitter_id: submitter.and_then(Submitter::user).map(|id| id.to_string()),
            in_box: in_box.map(|it| it.id.to_string()),
            title: in_box.map(|it| it.title.as_str()),
            due_at: due_at.map(format_timestamp),
            late: due_at.map(|due| file.uploaded_at > due),
            iat: now.timestamp(),
        };
        let mut text = format!("{}.{}", part(&header), part(&claims));
        let signature = key.sign(text.as_bytes());
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(SignedReceipt(text))
    }
}

fn part(value: &impl Serialize) -> String {
    // Only a map with keys that aren't texts can't be written.
    let json = serde_json::to_vec(value).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

#[cfg(test)]
mod tests;
