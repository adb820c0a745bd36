//! What a browser keeps between the beginning and the end of a sign-in.
//!
//! Invariant: it was made here, for a sign-in and for nothing else, at most [`SIGN_IN_TIME`] ago.
//!
//! Absent on purpose: encryption. Who can read it is the one who signs in.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::return_to::ReturnTo;
use crate::domain::{Timestamp, from_millis};

/// How long a sign-in may take.
pub const SIGN_IN_TIME: Duration = Duration::from_secs(10 * 60);
/// How long a cookie may be, in bytes.
const MAX_BYTES: usize = 4096;
/// Nothing else that is signed by the same secret begins like this.
const LABEL: &[u8] = b"file-share oidc sign-in 1\0";

/// A sign-in under way.
pub(super) struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) return_to: ReturnTo,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    s: String,
    n: String,
    v: String,
    r: String,
    /// When it ends, in milliseconds since 1970.
    e: i64,
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

pub(super) fn seal(pending: &Pending, secret: &[u8], now: Timestamp) -> String {
    let content = serde_json::json!(Content {
        s: pending.state.clone(),
        n: pending.nonce.clone(),
        v: pending.verifier.clone(),
        r: pending.return_to.as_str().to_owned(),
        e: (now + SIGN_IN_TIME).timestamp_millis(),
    });
    let content = URL_SAFE_NO_PAD.encode(content.to_string());
    let tag = hmac::sign(&key(secret), &[LABEL, content.as_bytes()].concat());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// `None`: it wasn't made here, or not for this, or too long ago.
pub(super) fn open(cookie: &str, secret: &[u8], now: Timestamp) -> Option<Pending> {
    let (content, tag) = cookie
        .split_once('.')
        .filter(|_| cookie.len() <= MAX_BYTES)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    let signed = [LABEL, content.as_bytes()].concat();
    hmac::verify(&key(secret), &signed, &tag).ok()?;
    let content = URL_SAFE_NO_PAD.decode(content).ok()?;
    let content: Content = serde_json::from_slice(&content).ok()?;
    let ends = from_millis(content.e)?;
    // One from the future was made by a clock that was put back since.
    let is_young = now < ends && ends <= now + SIGN_IN_TIME + super::LEEWAY;
    let return_to = ReturnTo::parse(&content.r).filter(|_| is_young)?;
    Some(Pending {
        state: content.s,
        nonce: content.n,
        verifier: content.v,
        return_to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_here_for_a_sign_in_and_lately_is_taken() {
        let pending = Pending {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            return_to: ReturnTo::parse("/f/1").unwrap(),
        };
        let at = |seconds: i64| from_millis(1_800_000_000_000 + seconds * 1000).unwrap();
        let cookie = seal(&pending, b"secret", at(0));
        let opened = open(&cookie, b"secret", at(599)).unwrap();
        assert_eq!(opened.state, "s");
        assert_eq!(opened.nonce, "n");
        assert_eq!(opened.verifier, "v");
        assert_eq!(opened.return_to.as_str(), "/f/1");

        assert!(open(&cookie, b"secret", at(600)).is_none());
        assert!(open(&cookie, b"secret", at(-120)).is_none());
        assert!(open(&cookie, b"other", at(0)).is_none());
        for changed in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[changed] = if bytes[changed] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(open(&changed, b"secret", at(0)).is_none(), "{changed}");
        }
        // Signed by the same secret, for something else.
        let (content, _) = cookie.split_once('.').unwrap();
        let tag = hmac::sign(&key(b"secret"), content.as_bytes());
        let other = format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert!(open(&other, b"secret", at(0)).is_none());
    }
}
