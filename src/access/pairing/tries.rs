//! How often somebody may type a code that is none.
//!
//! Invariant: at most [`MAX_TRIES`] within [`WINDOW`] by one person and process, and memory is bounded: those who
//! come when all places are taken share one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::UserId;

/// Codes that are none, in one [`WINDOW`].
pub(super) const MAX_TRIES: u32 = 10;
/// From the first of them on.
pub(super) const WINDOW: Duration = Duration::from_secs(10 * 60);
/// People whose tries are counted for each of them.
const MAX_PEOPLE: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    /// `None`: the operator's.
    Theirs(Option<UserId>),
    /// Of all for whom there was no place.
    Shared,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    until: Instant,
}

#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<Whose, Count>>);

impl Tries {
    /// How long this person has to wait, if they have to.
    pub(super) fn wait(&self, by: Option<UserId>, now: Instant) -> Option<Duration> {
        let counts = self.lock();
        let count = counts.get(&whose(&counts, by))?;
        let is_too_many = count.tries >= MAX_TRIES && now < count.until;
        is_too_many.then(|| count.until - now)
    }

    /// Counts a code that was none.
    pub(super) fn note(&self, by: Option<UserId>, now: Instant) {
        let mut counts = self.lock();
        if counts.len() >= MAX_PEOPLE {
            counts.retain(|_, count| now < count.until);
        }
        let whose = whose(&counts, by);
        let begun = Count {
            tries: 0,
            until: now + WINDOW,
        };
        let count = counts.entry(whose).or_insert(begun);
        if now >= count.until {
            *count = begun;
        }
        count.tries = count.tries.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whose(counts: &HashMap<Whose, Count>, by: Option<UserId>) -> Whose {
    let theirs = Whose::Theirs(by);
    match counts.contains_key(&theirs) || counts.len() < MAX_PEOPLE {
        true => theirs,
        false => Whose::Shared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: usize) -> Option<UserId> {
        Some(UserId::of("https://id.example.org", &n.to_string()))
    }

    #[test]
    fn whoever_tries_too_often_waits_and_others_do_not() {
        let (tries, start) = (Tries::default(), Instant::now());
        for n in 0..MAX_TRIES {
            assert_eq!(tries.wait(person(1), start), None, "{n}");
            tries.note(person(1), start);
        }
        let later = start + Duration::from_secs(60);
        assert_eq!(
            tries.wait(person(1), later),
            Some(WINDOW - Duration::from_secs(60))
        );
        assert_eq!(tries.wait(person(2), later), None);
        assert_eq!(tries.wait(None, later), None);
        assert_eq!(tries.wait(person(1), start + WINDOW), None);
        tries.note(person(1), start + WINDOW);
        assert_eq!(tries.wait(person(1), start + WINDOW), None);
    }

    #[test]
    fn memory_is_bounded_and_those_who_find_no_place_share_one() {
        let (tries, start) = (Tries::default(), Instant::now());
        for n in 0..MAX_PEOPLE + 20 {
            tries.note(person(n), start);
        }
        assert_eq!(tries.lock().len(), MAX_PEOPLE + 1);
        assert!(tries.wait(person(MAX_PEOPLE + 50), start).is_some());
        assert_eq!(tries.wait(person(0), start), None);
        tries.note(person(0), start + WINDOW);
        assert_eq!(tries.lock().len(), 1);
    }
}
