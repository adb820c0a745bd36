//! Tokens that were looked up a moment ago.
//!
//! Invariant: at most [`MAX_REMEMBERED`], of tokens that held; a text that is none takes no place. What is
//! forgotten stays so, also if a look that began before comes back later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::text::TokenDigest;
use crate::access::{TokenCaller, TokenId};
use crate::domain::UserId;

/// How many tokens are remembered. One that finds no place is looked up each time.
const MAX_REMEMBERED: usize = 10_000;

/// How often, at most, those that are over are looked for where all places are taken.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How often something had been forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

struct Kept {
    digest: TokenDigest,
    caller: Arc<TokenCaller>,
    until: Instant,
}

/// What is remembered of a token.
pub(super) enum Verified {
    /// It was looked up a moment ago, and this is who calls with it.
    Fresh(Arc<TokenCaller>),
    /// It held when it was looked up last, however long ago that is.
    HeldBefore,
    Unknown,
}

#[derive(Default)]
struct State {
    tokens: HashMap<TokenId, Kept>,
    forgotten: u64,
    swept_at: Option<Instant>,
}

impl State {
    fn sweep(&mut self, now: Instant) {
        if self
            .swept_at
            .is_none_or(|swept_at| now >= swept_at + SWEEP_INTERVAL)
        {
            self.swept_at = Some(now);
            self.tokens.retain(|_, kept| now < kept.until);
        }
    }
}

#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<State>);

impl VerifiedTokens {
    pub(super) fn recall(&self, digest: &TokenDigest, now: Instant) -> Verified {
        let state = self.lock();
        let found = state.tokens.get(&TokenId::of_digest(digest));
        match found.filter(|found| bool::from(found.digest.ct_eq(digest))) {
            None => Verified::Unknown,
            Some(found) if now < found.until => Verified::Fresh(Arc::clone(&found.caller)),
            Some(_) => Verified::HeldBefore,
        }
    }

    /// To be asked for before a token is looked up.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.lock().forgotten)
    }

    /// Remembers a token that was found, unless anything was forgotten since `epoch`.
    pub(super) fn add(
        &self,
        epoch: Epoch,
        digest: &TokenDigest,
        caller: Arc<TokenCaller>,
        until: Instant,
    ) {
        let mut state = self.lock();
        if Epoch(state.forgotten) != epoch {
            return;
        }
        let id = caller.id;
        if state.tokens.len() >= MAX_REMEMBERED && !state.tokens.contains_key(&id) {
            state.sweep(Instant::now());
            if state.tokens.len() >= MAX_REMEMBERED {
                return;
            }
        }
        let digest = *digest;
        let kept = Kept {
            digest,
            caller,
            until,
        };
        state.tokens.insert(id, kept);
    }

    /// Makes room of one that somebody else ended: that is noticed when it is looked up, at the latest.
    pub(super) fn drop_one(&self, id: TokenId) {
        self.lock().tokens.remove(&id);
    }

    pub(super) fn forget(&self, id: TokenId) {
        let mut state = self.lock();
        state.forgotten += 1;
        state.tokens.remove(&id);
    }

    pub(super) fn forget_all_of(&self, owner: Option<UserId>) {
        let mut state = self.lock();
        state.forgotten += 1;
        state.tokens.retain(|_, token| token.caller.owner != owner);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scopes;
    use crate::domain::Timestamp;

    fn digest(n: u64) -> TokenDigest {
        let mut digest = TokenDigest::default();
        digest[..8].copy_from_slice(&n.to_be_bytes());
        digest
    }

    fn is_fresh(cache: &VerifiedTokens, digest: &TokenDigest) -> bool {
        matches!(cache.recall(digest, Instant::now()), Verified::Fresh(_))
    }

    fn caller(n: u64) -> Arc<TokenCaller> {
        Arc::new(TokenCaller {
            id: TokenId::of_digest(&digest(n)),
            owner: None,
            scopes: Scopes::default(),
            expires_at: Timestamp::MAX_UTC,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_than_there_are_places_and_those_that_are_over_make_room() {
        let cache = VerifiedTokens::default();
        let add = |n| {
            let until = Instant::now() + Duration::from_secs(30);
            cache.add(cache.epoch(), &digest(n), caller(n), until);
        };
        let has = |n| is_fresh(&cache, &digest(n));
        let places = MAX_REMEMBERED as u64;
        (0..=places).for_each(add);
        assert!(has(0) && has(places - 1) && !has(places));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!has(0));
        add(places);
        assert!(has(places));
        assert_eq!(cache.lock().tokens.len(), 1);
    }

    #[test]
    fn a_look_that_began_before_something_was_forgotten_is_not_remembered() {
        let cache = VerifiedTokens::default();
        let until = Instant::now() + Duration::from_secs(30);
        let epoch = cache.epoch();
        cache.forget(caller(1).id);
        cache.add(epoch, &digest(1), caller(1), until);
        assert!(!is_fresh(&cache, &digest(1)));
        cache.add(cache.epoch(), &digest(1), caller(1), until);
        assert!(is_fresh(&cache, &digest(1)));
        // Another token with the same beginning isn't this one.
        let mut other = digest(1);
        other[31] = 1;
        assert!(matches!(
            cache.recall(&other, Instant::now()),
            Verified::Unknown
        ));
    }
}
