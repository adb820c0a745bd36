//! Passwords that were right lately, so that a class which knows one costs the work of one.
//!
//! Invariant: what is kept is a digest under a key that this process alone has, of the password together with what is kept of
//! the right one: another password, of another link, or after a change, is another digest. There are at most [`MAX_KNOWN`],
//! for [`KNOWN_FOR`] each.
//!
//! Absent on purpose: passwords that were wrong. Each of them is a guess.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Password, PasswordHash};
use crate::capability_token::RenewableId;
use crate::store_error::StoreError;

/// How long a password is known after it was worked on.
const KNOWN_FOR: Duration = Duration::from_secs(5 * 60);
/// How many are known at a time, of 100 bytes or so.
const MAX_KNOWN: usize = 10_000;
const KEY_BYTES: usize = 32;

type KeyedDigest = [u8; 32];

#[derive(Default)]
pub(super) struct Known {
    key: OnceLock<[u8; KEY_BYTES]>,
    until: Mutex<HashMap<KeyedDigest, Instant>>,
    /// The passwords that somebody is having worked on.
    turns: Mutex<HashMap<KeyedDigest, Arc<tokio::sync::Mutex<()>>>>,
}

impl Known {
    /// What one password of one link or box is known by.
    pub(super) fn digest(
        &self,
        of: RenewableId,
        expected: &PasswordHash,
        password: &Password,
    ) -> Result<KeyedDigest, StoreError> {
        // The parts before the password have fixed lengths.
        let digest = Sha256::new()
            .chain_update(self.key()?)
            .chain_update(of.as_bytes())
            .chain_update(expected.salt)
            .chain_update(expected.hash)
            .chain_update(&password.0);
        Ok(digest.finalize().into())
    }

    fn key(&self) -> Result<&[u8; KEY_BYTES], StoreError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| {
            StoreError::unavailable("the operating system's random numbers", error)
        })?;
        Ok(self.key.get_or_init(|| key))
    }

    pub(super) fn is_known(&self, digest: &KeyedDigest, now: Instant) -> bool {
        lock(&self.until)
            .get(digest)
            .is_some_and(|until| now < *until)
    }

    /// The password was right.
    pub(super) fn add(&self, digest: KeyedDigest, now: Instant) {
        let mut known = lock(&self.until);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, until| now < *until);
        }
        if known.len() < MAX_KNOWN {
            known.insert(digest, now + KNOWN_FOR);
        }
    }

    /// The turn of one password: of many who give the same at once, one has it worked on, and the others hear what came
    /// of it.
    pub(super) fn turn(&self, digest: KeyedDigest) -> Turn<'_> {
        let mut turns = lock(&self.turns);
        let mutex = Arc::clone(turns.entry(digest).or_default());
        Turn {
            known: self,
            digest,
            mutex: Some(mutex),
        }
    }
}

pub(super) struct Turn<'a> {
    known: &'a Known,
    digest: KeyedDigest,
    /// Until it is dropped.
    mutex: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Turn<'_> {
    pub(super) async fn wait(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match &self.mutex {
            Some(mutex) => Some(mutex.lock().await),
            None => None,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Under the lock that all clones are made under, so that the last one sees that it is.
        let mut turns = lock(&self.known.turns);
        drop(self.mutex.take());
        let is_last = |mutex: &Arc<_>| Arc::strong_count(mutex) == 1;
        if turns.get(&self.digest).is_some_and(is_last) {
            turns.remove(&self.digest);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    #[tokio::test]
    async fn a_password_is_known_for_minutes_alone_as_that_of_its_link() {
        let (known, start) = (Known::default(), Instant::now());
        let link = || RenewableId::new(from_millis(1_790_000_000_000).unwrap()).unwrap();
        let (link, other, hash) = (link(), link(), PasswordHash::sample());
        let digest = |of, text| {
            let password = Password::parse(text).unwrap();
            known.digest(of, &hash, &password).unwrap()
        };
        known.add(digest(link, "right"), start);
        assert!(known.is_known(&digest(link, "right"), start));
        assert!(!known.is_known(&digest(link, "wrong"), start));
        assert!(!known.is_known(&digest(other, "right"), start));
        assert!(!known.is_known(&digest(link, "right"), start + KNOWN_FOR));
        // A password that was changed is kept otherwise.
        let password = Password::parse("right").unwrap();
        let changed = PasswordHash {
            salt: [2; super::super::SALT_BYTES],
            ..hash.clone()
        };
        let after = known.digest(link, &changed, &password).unwrap();
        assert!(!known.is_known(&after, start));
        // In another process, too.
        let elsewhere = Known::default().digest(link, &hash, &password).unwrap();
        assert_ne!(elsewhere, digest(link, "right"));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_a_turn_that_is_over_is_forgotten() {
        let (known, start) = (Known::default(), Instant::now());
        for n in 0..MAX_KNOWN + 10 {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            known.add(digest, start);
        }
        assert_eq!(lock(&known.until).len(), MAX_KNOWN);
        known.add([0xff; 32], start + KNOWN_FOR);
        assert_eq!(lock(&known.until).len(), 1);
        let (one, other) = (known.turn([1; 32]), known.turn([1; 32]));
        let waiting = one.wait().await;
        let hung_up = tokio::time::timeout(Duration::from_millis(1), other.wait()).await;
        assert!(hung_up.is_err());
        drop(hung_up);
        drop(waiting);
        drop(one);
        assert!(other.wait().await.is_some());
        drop(other);
        assert!(lock(&known.turns).is_empty());
    }
}
