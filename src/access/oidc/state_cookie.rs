//! What a browser keeps between the beginning and the end of a sign-in.
//!
//! Invariant: it was made here, for a sign-in and for nothing else, at most [`SIGN_IN_TIME`] ago. Each sign-in has a
//! cookie of its own, so that several tabs each come back; a browser keeps at most [`MAX_UNDER_WAY`] of them, in
//! [`MAX_ALL_BYTES`], the youngest.
//!
//! Absent on purpose: encryption. Who can read it is the one who signs in.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::return_to::ReturnTo;
use crate::domain::{Timestamp, from_millis};

/// How long a sign-in may take.
pub const SIGN_IN_TIME: Duration = Duration::from_secs(10 * 60);
/// How long a cookie may be, in bytes.
const MAX_BYTES: usize = 4096;
/// How many sign-ins a browser may have under way.
const MAX_UNDER_WAY: usize = 5;
/// How long their cookies may be all together, names included, in bytes. They go along with every request, and proxies
/// have 8 KiB for those of all services on a host.
const MAX_ALL_BYTES: usize = 4096;
/// Digits that tell the cookie of one sign-in from that of another.
const TAG_DIGITS: usize = 16;
/// Nothing else that is signed by the same secret begins like this.
const LABEL: &[u8] = b"file-share oidc sign-in 1\0";

/// A sign-in under way.
pub(super) struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) return_to: ReturnTo,
}

/// Signed as a whole, so what a later version of this program adds is no lie.
#[derive(Serialize, Deserialize)]
struct Content {
    s: String,
    n: String,
    v: String,
    r: String,
    /// When it ends, in milliseconds since 1970.
    e: i64,
}

/// Tells the cookie of one sign-in from that of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInTag(String);

impl SignInTag {
    /// That of the sign-in with this `state`.
    pub(super) fn of(state: &str) -> Self {
        let digits = hex::encode(Sha256::digest(state));
        Self(digits.chars().take(TAG_DIGITS).collect())
    }

    /// Reads what [`Self::as_str`] gives; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        let good = text.len() == TAG_DIGITS && text.bytes().all(is_digit);
        good.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which of the cookies of earlier sign-ins a browser has to forget that is given another one of `bytes`: what is none
/// any more, and the oldest beyond the bounds.
pub(super) fn superfluous(
    kept: &[(SignInTag, &str)],
    bytes: usize,
    secret: &[u8],
    now: Timestamp,
) -> Vec<SignInTag> {
    let mut by_end: Vec<(Option<i64>, usize, &SignInTag)> = kept
        .iter()
        .map(|(tag, cookie)| {
            let ends = content(cookie, secret, now).map(|content| content.e);
            // The name has some more.
            (ends, cookie.len() + 2 * TAG_DIGITS, tag)
        })
        .collect();
    by_end.sort_by_key(|(ends, ..)| std::cmp::Reverse(*ends));
    let (mut count, mut bytes) = (1, bytes);
    let mut forgotten = Vec::new();
    for (ends, length, tag) in by_end {
        let fits = count < MAX_UNDER_WAY && bytes + length <= MAX_ALL_BYTES;
        if ends.is_some() && fits {
            (count, bytes) = (count + 1, bytes + length);
        } else {
            forgotten.push(tag.clone());
        }
    }
    forgotten
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
    let content = content(cookie, secret, now)?;
    Some(Pending {
        return_to: ReturnTo::parse(&content.r)?,
        state: content.s,
        nonce: content.n,
        verifier: content.v,
    })
}

fn content(cookie: &str, secret: &[u8], now: Timestamp) -> Option<Content> {
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
    is_young.then_some(content)
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

    #[test]
    fn what_a_later_version_began_is_taken_too() {
        let now = from_millis(1_800_000_000_000).unwrap();
        let ends = (now + SIGN_IN_TIME).timestamp_millis();
        let content =
            serde_json::json!({"s": "s", "n": "n", "v": "v", "r": "/", "e": ends, "new": 1});
        let content = URL_SAFE_NO_PAD.encode(content.to_string());
        let tag = hmac::sign(&key(b"secret"), &[LABEL, content.as_bytes()].concat());
        let cookie = format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(open(&cookie, b"secret", now).unwrap().state, "s");
    }

    #[test]
    fn a_browser_keeps_a_handful_of_sign_ins_the_youngest_in_bounded_room() {
        let at = |seconds: i64| from_millis(1_800_000_000_000 + seconds * 1000).unwrap();
        let begun = |n: i64, path: &str| {
            let state = format!("state {n}");
            let pending = Pending {
                state: state.clone(),
                nonce: "n".into(),
                verifier: "v".into(),
                return_to: ReturnTo::parse(path).unwrap(),
            };
            (SignInTag::of(&state), seal(&pending, b"secret", at(n)))
        };
        let forgotten = |begun: &[(SignInTag, String)], bytes, now| {
            let kept: Vec<_> = begun
                .iter()
                .map(|(tag, it)| (tag.clone(), it.as_str()))
                .collect();
            superfluous(&kept, bytes, b"secret", at(now))
        };
        // In any order.
        let several: Vec<_> = [3, 1, 4, 0, 2].map(|n| begun(n, "/")).into();
        assert_eq!(forgotten(&several[..4], 100, 5), []);
        assert_eq!(forgotten(&several, 100, 5), [SignInTag::of("state 0")]);
        let oldest = [1, 0].map(|n| SignInTag::of(&format!("state {n}")));
        assert_eq!(forgotten(&several, 3_600, 5), oldest);
        // Those that are over, and what was never one.
        let over = forgotten(&several[..4], 100, 603);
        assert_eq!(over.len(), 3, "{over:?}");
        let foreign = (SignInTag::of("x"), "x".repeat(5_000));
        assert_eq!(forgotten(&[foreign], 100, 5), [SignInTag::of("x")]);
        let long = format!("/{}", "a".repeat(1_000));
        let long: Vec<_> = (0..4).map(|n| begun(n, &long)).collect();
        assert!(forgotten(&long, long[0].1.len(), 5).len() >= 3);
    }

    #[test]
    fn a_tag_is_some_digits_and_nothing_else() {
        let tag = SignInTag::of("state");
        assert_eq!(SignInTag::parse(tag.as_str()), Some(tag));
        for text in [
            "",
            "0",
            "0123456789abcdeF",
            "0123456789abcdef0",
            "0123456789abcde;",
        ] {
            assert_eq!(SignInTag::parse(text), None, "{text}");
        }
    }
}
