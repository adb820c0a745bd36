//! Tokens that were verified a moment ago.
//!
//! Invariant: only tokens that were taken are remembered, by their digests, for at most [`REMEMBERED`] and never
//! beyond their end, and at most [`MAX_REMEMBERED`] of them. Those beyond are verified each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cached::Clock;
use super::claims::Identity;
use crate::domain::Timestamp;

/// How long a token is taken without a look at its signature. So long a key that the issuer took back may go on.
pub(super) const REMEMBERED: Duration = Duration::from_secs(60);
/// How many tokens are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// How often old ones are looked for at most.
const CLEANED_EVERY: Duration = Duration::from_secs(1);

type TokenDigest = [u8; 32];

pub(super) struct Remembered {
    tokens: Mutex<Tokens>,
    clock: Clock,
}

#[derive(Default)]
struct Tokens {
    until: HashMap<TokenDigest, (Arc<Identity>, Instant)>,
    cleaned_at: Option<Instant>,
}

impl Remembered {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            tokens: Mutex::default(),
            clock,
        }
    }

    pub(super) fn get(&self, digest: &TokenDigest, now: Timestamp) -> Option<Arc<Identity>> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, until) = tokens.until.get(digest)?;
        let holds = (self.clock)() < *until && now < identity.expires_at;
        holds.then(|| Arc::clone(identity))
    }

    pub(super) fn put(&self, digest: TokenDigest, identity: &Arc<Identity>) {
        let now = (self.clock)();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = tokens.until.len() >= MAX_REMEMBERED;
        let cleaned_long_ago = tokens
            .cleaned_at
            .is_none_or(|at| now.saturating_duration_since(at) >= CLEANED_EVERY);
        if is_full && cleaned_long_ago {
            tokens.cleaned_at = Some(now);
            tokens.until.retain(|_, (_, until)| now < *until);
        }
        if tokens.until.len() < MAX_REMEMBERED || tokens.until.contains_key(&digest) {
            let until = now + REMEMBERED;
            tokens.until.insert(digest, (Arc::clone(identity), until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{UserId, from_millis};

    #[test]
    fn a_flood_of_tokens_takes_bounded_memory_and_old_ones_make_place() {
        let begin = Instant::now();
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let of_clock = Arc::clone(&passed);
        let remembered = Remembered::new(Arc::new(move || begin + *of_clock.lock().unwrap()));
        let at = |seconds: i64| from_millis(seconds * 1000).unwrap();
        let identity = Arc::new(Identity {
            issuer: "i".into(),
            subject: "s".into(),
            user_id: UserId::of("i", "s"),
            name: None,
            groups: Vec::new(),
            issued_at: None,
            expires_at: at(1_000),
        });
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        (0..MAX_REMEMBERED + 5).for_each(|number| remembered.put(digest(number), &identity));
        let count = || remembered.tokens.lock().unwrap().until.len();
        assert_eq!(count(), MAX_REMEMBERED);
        assert!(remembered.get(&digest(0), at(0)).is_some());
        assert!(remembered.get(&digest(MAX_REMEMBERED), at(0)).is_none());
        assert!(remembered.get(&digest(0), at(1_000)).is_none());

        *passed.lock().unwrap() = REMEMBERED;
        assert!(remembered.get(&digest(0), at(0)).is_none());
        remembered.put(digest(MAX_REMEMBERED), &identity);
        assert_eq!(count(), 1);
        assert!(remembered.get(&digest(MAX_REMEMBERED), at(0)).is_some());
    }
}
