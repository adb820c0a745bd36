//! Which objects this process knows to survive a power cut, so that nothing is synced twice.
//!
//! Invariant: bounded, and forgetful rather than wrong: a key is in it only if nothing was taken away
//! between the moment before its object got its name and the sync of that name.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ObjectKey;

/// How many keys are remembered at least; at most it is twice as many. A key is asked for within seconds
/// of its upload, or never.
const REMEMBERED: usize = 8_192;

#[derive(Debug, Default)]
pub(super) struct Synced(Mutex<Keys>);

#[derive(Debug, Default)]
struct Keys {
    young: HashSet<ObjectKey>,
    old: HashSet<ObjectKey>,
    /// How often something was taken away.
    removals: u64,
}

/// The state of things before an object got its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before(u64);

impl Synced {
    pub(super) fn before(&self) -> Before {
        Before(self.keys().removals)
    }

    pub(super) fn contains(&self, key: ObjectKey) -> bool {
        let keys = self.keys();
        keys.young.contains(&key) || keys.old.contains(&key)
    }

    /// The object that was there `before` its name was synced, and that name, survive a power cut.
    pub(super) fn add(&self, key: ObjectKey, before: Before) {
        let mut keys = self.keys();
        if keys.removals != before.0 {
            return;
        }
        if keys.young.len() >= REMEMBERED {
            keys.old = std::mem::take(&mut keys.young);
        }
        keys.young.insert(key);
    }

    /// To be called before the object is taken away.
    pub(super) fn forget(&self, key: ObjectKey) {
        let mut keys = self.keys();
        keys.removals += 1;
        keys.young.remove(&key);
        keys.old.remove(&key);
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileId;

    fn key() -> ObjectKey {
        ObjectKey::new(FileId::new(chrono::Utc::now()))
    }

    #[test]
    fn a_key_is_remembered_until_its_object_is_taken_away() {
        let synced = Synced::default();
        let key = key();
        synced.add(key, synced.before());
        assert!(synced.contains(key));
        synced.forget(key);
        assert!(!synced.contains(key));
    }

    #[test]
    fn what_was_synced_while_something_was_taken_away_is_not_remembered() {
        let synced = Synced::default();
        let (one, other) = (key(), key());
        let before = synced.before();
        synced.forget(other);
        synced.add(one, before);
        assert!(!synced.contains(one));
    }

    #[test]
    fn of_any_number_of_keys_a_bounded_number_is_remembered_and_the_last_ones_are() {
        let synced = Synced::default();
        let keys: Vec<_> = (0..5 * REMEMBERED).map(|_| key()).collect();
        for key in &keys {
            synced.add(*key, synced.before());
        }
        let keys_now = synced.keys();
        assert!(keys_now.young.len() + keys_now.old.len() <= 2 * REMEMBERED);
        drop(keys_now);
        let last = &keys[keys.len() - REMEMBERED..];
        assert!(last.iter().all(|key| synced.contains(*key)));
    }
}
