//! The key with which a client marks a request that it may send again.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header. The draft's header is a string in quotes
//! (RFC 8941); many clients leave the quotes out, and mean the same.
//!
//! Invariant: the client's text goes no further than this. What is kept and compared is a digest, so
//! that nobody's text becomes part of a key of a store or stands in a log.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{BoxId, Invalid, Sha256Digest, Submitter, Timestamp, UserId};

/// A key may have at most this many characters. A UUID has 36.
pub const MAX_IDEMPOTENCY_KEY_CHARACTERS: usize = 128;

/// What tells these digests from digests of anything else.
const KEY_CONTEXT: &[u8] = b"file-share idempotency key 1\n";

const OWNED_KEY_CONTEXT: &[u8] = b"file-share idempotency key of a person 1\n";

const HAND_IN_CONTEXT: &[u8] = b"file-share idempotency key of a hand-in 1\n";

/// The digest of a client's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey(Sha256Digest);

impl IdempotencyKey {
    /// Reads the header's value: visible ASCII other than `"` and `\`, in quotes or without; with
    /// quotes it may have spaces.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_matches([' ', '\t']);
        let quoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let key = quoted.unwrap_or(text);
        let is_allowed = |byte: u8| match byte {
            b'"' | b'\\' => false,
            b' ' => quoted.is_some(),
            byte => byte.is_ascii_graphic(),
        };
        if (1..=MAX_IDEMPOTENCY_KEY_CHARACTERS).contains(&key.len()) && key.bytes().all(is_allowed)
        {
            return Ok(Self::of(key));
        }
        Err(Invalid::new(format!(
            "must be 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} visible ASCII characters other than \" \
             and \\, such as a fresh UUID"
        )))
    }

    fn of(key: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(KEY_CONTEXT)
            .chain_update(key)
            .finalize();
        Self(Sha256Digest::from_bytes(digest.into()))
    }

    /// The same text of this person's: another one than anybody else's. The operator's is as it always was.
    pub fn of_owner(self, owner: Option<UserId>) -> Self {
        let Some(owner) = owner else {
            return self;
        };
        let digest = Sha256::new()
            .chain_update(OWNED_KEY_CONTEXT)
            .chain_update(owner.to_string())
            .chain_update(self.0.as_bytes())
            .finalize();
        Self(Sha256Digest::from_bytes(digest.into()))
    }

    /// The same text with which this submitter hands in to this box: another one than anybody else's, and than
    /// elsewhere.
    pub fn of_hand_in(self, in_box: BoxId, submitter: &Submitter) -> Self {
        let digest = Sha256::new()
            .chain_update(HAND_IN_CONTEXT)
            .chain_update(in_box.as_bytes())
            .chain_update(self.0.as_bytes())
            .chain_update(submitter.key())
            .finalize();
        Self(Sha256Digest::from_bytes(digest.into()))
    }

    /// The digest that is stored and compared: 32 bytes, whatever the client's text was.
    pub fn digest(&self) -> Sha256Digest {
        self.0
    }
}

/// Not even the digest: a short key could be guessed from it.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

/// What is kept of a request that came with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The key that the request came with, as a digest.
    pub key: IdempotencyKey,
    /// The digest of what was asked for, in one canonical form.
    pub fingerprint: Sha256Digest,
    /// From this moment on the key is free again.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_make_no_difference() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        let quoted = format!("\"{uuid}\"");
        assert_eq!(IdempotencyKey::parse(uuid), IdempotencyKey::parse(&quoted));
        assert_eq!(
            IdempotencyKey::parse(uuid),
            IdempotencyKey::parse(&format!(" {quoted}\t"))
        );
        assert_ne!(
            IdempotencyKey::parse(uuid),
            IdempotencyKey::parse(&uuid.to_uppercase())
        );
        assert!(IdempotencyKey::parse("\"a b\"").is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let long = "k".repeat(MAX_IDEMPOTENCY_KEY_CHARACTERS + 1);
        assert!(IdempotencyKey::parse(&long[1..]).is_ok());
        for text in [
            "",
            " ",
            "\"\"",
            "\"",
            "a b",
            "\"a",
            "a\"",
            "a\"b",
            "\"a\\\"b\"",
            "\"a\";b=1",
            "\"a\", \"b\"",
            "clé",
            "a\tb",
            "a\u{7f}",
            &long,
        ] {
            let refused = IdempotencyKey::parse(text).unwrap_err();
            assert!(refused.0.contains("128"), "{text:?}");
            assert!(!refused.0.contains("clé"));
        }
    }

    #[test]
    fn a_key_does_not_print() {
        let key = IdempotencyKey::parse("secret").unwrap();
        let shown = format!("{key:?}");
        assert!(!shown.contains("secret") && !shown.contains(&key.digest().to_hex()));
    }
}
