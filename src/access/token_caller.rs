//! A program that acts for a person, by a token.
//!
//! Invariant: it says nothing that a token could be made of.

use std::fmt;

use super::Scopes;
use crate::domain::{Invalid, Timestamp, UserId};

/// Bytes of a token's digest that its ID consists of.
const ID_BYTES: usize = 16;

/// What a token is called where it is listed and revoked; no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenId([u8; ID_BYTES]);

impl TokenId {
    /// The ID of the token with this digest.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest[..ID_BYTES]);
        Self(id)
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("must be the ID of a token: 32 digits of hex in lower case");
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused());
        }
        let mut id = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut id).map_err(|_| refused())?;
        Ok(Self(id))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

/// Who calls with a token that holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenCaller {
    /// Which token it is.
    pub id: TokenId,
    /// For whom it acts; `None`: the operator.
    pub owner: Option<UserId>,
    /// What it may do for them.
    pub scopes: Scopes,
    /// From this moment on it doesn't hold any more.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_token_reads_back_and_nothing_else_is_one() {
        let id = TokenId::of_digest(&[0xAB; 32]);
        assert_eq!(TokenId::parse(&id.to_string()), Ok(id));
        let upper = id.to_string().to_uppercase();
        for text in ["", "ab", upper.as_str(), &"zz".repeat(16), &"a".repeat(34)] {
            assert!(TokenId::parse(text).is_err(), "{text:?}");
        }
    }
}
