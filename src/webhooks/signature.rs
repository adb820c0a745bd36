//! How a message is signed: HMAC-SHA256 over `id.timestamp.body`, in base64 behind `v1,`.
//!
//! Invariant: the bytes that are signed are those that are sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::WebhookSecret;

/// What a signature of this kind begins with.
pub const SIGNATURE_VERSION: &str = "v1";

/// The value of `webhook-signature`: a signature by each of the secrets, with blanks in between. `sent_at` is in
/// seconds since 1970.
pub fn sign(secrets: &[WebhookSecret], id: &str, sent_at: i64, body: &str) -> String {
    let signatures = secrets.iter().map(|secret| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("any key will do");
        for part in [id, ".", &sent_at.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        let code = STANDARD.encode(mac.finalize().into_bytes());
        format!("{SIGNATURE_VERSION},{code}")
    });
    signatures.collect::<Vec<_>>().join(" ")
}
