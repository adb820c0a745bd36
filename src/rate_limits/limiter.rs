//! One rate for many keys.
//!
//! Invariant: at most [`MAX_KEYS`] keys are known at a time. One that took something lately keeps its place, whoever
//! comes meanwhile. Those that find none share [`STRANGERS`] places by chance, and are never let in more often than a
//! known one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::gcra::{Arrival, Left, Rate};

/// How many keys have a place of their own: seven eighths of 2^15, as many as fit into a table of that size.
pub const MAX_KEYS: usize = 28_672;
/// How many places all others share.
const STRANGERS: usize = 1_024;
/// How often, at most, those that took nothing lately are looked for where all places are taken: all of them are
/// looked at for it.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Lets each key in as often as a rate says.
#[derive(Debug)]
pub struct RateLimiter<K> {
    rate: Rate,
    started: Instant,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    known: HashMap<K, Arrival>,
    /// Empty until somebody needs it.
    strangers: Vec<Arrival>,
    swept_at: Option<u64>,
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// A limiter at which nobody took anything yet.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            started: Instant::now(),
            taken: Mutex::new(Taken {
                known: HashMap::new(),
                strangers: Vec::new(),
                swept_at: None,
            }),
        }
    }

    /// What each key may.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one for this key, and says what is left.
    ///
    /// # Errors
    /// None is left: how long until one is. Nothing is taken then.
    pub fn take(&self, key: K, now: Instant) -> Result<Left, Duration> {
        let now = self.nanos(now);
        let mut taken = self.lock();
        let arrival = taken.arrival(key, now);
        *arrival = self.rate.take(*arrival, now)?;
        Ok(self.rate.left(*arrival, now))
    }

    /// How long this key has to wait, if it has to; nothing is taken.
    pub fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let now = self.nanos(now);
        let taken = self.lock();
        self.rate.take(taken.peek(key), now).err()
    }

    /// What was taken for this key doesn't count. A key that got its place since gains one at the most.
    pub fn give_back(&self, key: &K) {
        let mut taken = self.lock();
        if let Some(arrival) = taken.find(key) {
            *arrival = self.rate.give_back(*arrival);
        }
    }

    /// An earlier moment than the start is the start.
    fn nanos(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.started).as_nanos();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much memory the keys take, in bytes: a table has a byte beside each place, and an eighth of its places
    /// stay free.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let taken = self.lock();
        let places = (taken.known.capacity() * 8 / 7).next_power_of_two();
        places * (size_of::<(K, Arrival)>() + 1) + taken.strangers.capacity() * size_of::<Arrival>()
    }
}

impl<K: Eq + Hash> Taken<K> {
    fn arrival(&mut self, key: K, now: u64) -> &mut Arrival {
        if self.known.len() >= MAX_KEYS && !self.known.contains_key(&key) {
            self.sweep(now);
            if self.known.len() >= MAX_KEYS {
                self.strangers.resize(STRANGERS, 0);
                let place = self.place(&key);
                return &mut self.strangers[place];
            }
        }
        self.known.entry(key).or_insert(now)
    }

    fn find(&mut self, key: &K) -> Option<&mut Arrival> {
        let place = self.place(key);
        match self.known.get_mut(key) {
            None => self.strangers.get_mut(place),
            known => known,
        }
    }

    fn peek(&self, key: &K) -> Arrival {
        match self.known.get(key) {
            Some(arrival) => *arrival,
            None if self.known.len() < MAX_KEYS => 0,
            None => self.strangers.get(self.place(key)).copied().unwrap_or(0),
        }
    }

    /// By a hash of this process's own, so that nobody chooses whose place they share.
    fn place(&self, key: &K) -> usize {
        let hash = self.known.hasher().hash_one(key);
        usize::try_from(hash % STRANGERS as u64).unwrap_or(0)
    }

    /// Forgets those who have a whole burst left: they are as if they had never come.
    fn sweep(&mut self, now: u64) {
        let interval = SWEEP_INTERVAL.as_nanos() as u64;
        // Also after the clock was set back.
        let is_due = self.swept_at.is_none_or(|at| now.abs_diff(at) >= interval);
        if is_due {
            self.swept_at = Some(now);
            self.known.retain(|_, arrival| *arrival > now);
        }
    }
}
