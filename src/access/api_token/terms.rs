//! The terms of a token: what is asked for, what is shown of it, and why there is none.
//!
//! Invariant: a name can be shown, and a token ends within [`LONGEST_LIFETIME`], since what was revoked isn't
//! remembered for much longer.
//!
//! Absent on purpose: the secret (`text`), and what is kept (`stored`).

use std::time::Duration;

use crate::access::revocation::{self, SecurityStamp};
use crate::access::{Scopes, TokenId};
use crate::domain::{Invalid, Timestamp, UserId};
use crate::store_error::StoreError;

/// How long a token holds if nothing else is asked for.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a token may hold.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const _: () = assert!(LONGEST_LIFETIME.as_secs() < revocation::KEPT_FOR.as_secs());
/// How many tokens an owner may have. Processes that make one at the same moment may go beyond it, by one each.
pub const MAX_TOKENS: usize = 100;
/// How long the name of a token may be, in characters.
pub const MAX_LABEL_CHARACTERS: usize = 100;

/// The name that people give to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLabel(String);

impl TokenLabel {
    /// A name for a token, without the blanks around it.
    ///
    /// # Errors
    /// If it is empty, longer than [`MAX_LABEL_CHARACTERS`], or holds what isn't seen.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let turns = |it: char| matches!(it, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        let is_seen = |it: char| !it.is_control() && !turns(it);
        let length = text.chars().count();
        match (1..=MAX_LABEL_CHARACTERS).contains(&length) && text.chars().all(is_seen) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new(format!(
                "must be 1 to {MAX_LABEL_CHARACTERS} characters, without control characters"
            ))),
        }
    }

    /// A name that was taken before, by whatever rules.
    pub(in crate::access) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// For whom it acts; `None`: the operator.
    pub owner: Option<UserId>,
    /// What its owner calls it.
    pub label: TokenLabel,
    /// What it may do.
    pub scopes: Scopes,
    /// Until when it holds; `None`: for [`DEFAULT_LIFETIME`].
    pub expires_at: Option<Timestamp>,
    /// That of what it is made from.
    pub stamp: SecurityStamp,
}

/// What can be shown of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInfo {
    /// What it is called where it is revoked.
    pub id: TokenId,
    /// For whom it acts; `None`: the operator.
    pub owner: Option<UserId>,
    /// What its owner calls it.
    pub label: TokenLabel,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this moment on it doesn't hold any more.
    pub expires_at: Timestamp,
    /// When it was used last, to the half minute before; `None`: never.
    pub last_used_at: Option<Timestamp>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTokenError {
    /// The moment at which it should end is in the past, or too far away.
    #[error("expiresAt {0}")]
    Expiry(Invalid),
    /// The owner has as many as there may be.
    #[error("there are {MAX_TOKENS} tokens already: revoke one of them first")]
    TooMany,
    /// The operator has none here: whoever reaches the service is taken for the operator, or nobody is.
    #[error("this service takes no tokens of its operator")]
    NoOperator,
    /// Whoever asks for it was let in by what has been revoked.
    #[error("what this is asked for by was revoked: sign in again")]
    Revoked,
    /// No token could be drawn.
    #[error("the operating system has no random numbers: {0}")]
    NoRandomNumbers(#[from] getrandom::Error),
    /// The store didn't do it, or didn't say whether it did.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Until when a token holds that is made now.
pub(super) fn expiry(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Invalid> {
    match wanted {
        None => Ok(now + DEFAULT_LIFETIME),
        Some(at) if at <= now => Err(Invalid::new("must be in the future")),
        Some(at) if at > now + LONGEST_LIFETIME => Err(Invalid::new("must be within a year")),
        Some(at) => Ok(at),
    }
}
