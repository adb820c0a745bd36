//! How many files an address creates a minute, at one process.
//!
//! Invariant: at most [`MAX_CLIENTS`] addresses are kept, and those that have taken something lately stay.
//! Who finds no place is counted together with all others that find none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Client, TooManyCreates};

/// How many addresses are known at a time; some 100 bytes each.
pub(super) const MAX_CLIENTS: usize = 10_000;
/// Over how long a share is given back.
const PERIOD: Duration = Duration::from_secs(60);

/// Cheap to clone; all clones count the same.
#[derive(Debug, Clone)]
pub struct CreateRate {
    share: f64,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug)]
struct Taken {
    by_client: HashMap<Client, Bucket>,
    strangers: Bucket,
    swept_at: Instant,
}

/// What was taken and isn't given back yet.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    taken: f64,
    at: Instant,
}

impl CreateRate {
    /// At most `share` a minute for each, all of it at once if need be.
    pub fn new(share: u32) -> Self {
        let now = Instant::now();
        Self {
            share: share.into(),
            taken: Arc::new(Mutex::new(Taken {
                by_client: HashMap::new(),
                strangers: Bucket {
                    taken: 0.0,
                    at: now,
                },
                swept_at: now,
            })),
        }
    }

    pub(super) fn take(&self, client: Client) -> Result<(), TooManyCreates> {
        self.take_at(client, Instant::now())
    }

    pub(super) fn take_at(&self, client: Client, now: Instant) -> Result<(), TooManyCreates> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.bucket(client, now, self.share).take(now, self.share)
    }
}

impl Taken {
    fn bucket(&mut self, client: Client, now: Instant, share: f64) -> &mut Bucket {
        let full = self.by_client.len() >= MAX_CLIENTS;
        if full && !self.by_client.contains_key(&client) {
            // All of them are looked at, so not for each stranger.
            if now.saturating_duration_since(self.swept_at) >= PERIOD / 60 {
                self.swept_at = now;
                self.by_client
                    .retain(|_, bucket| bucket.left(now, share) > 0.0);
            }
            if self.by_client.len() >= MAX_CLIENTS {
                return &mut self.strangers;
            }
        }
        let fresh = Bucket {
            taken: 0.0,
            at: now,
        };
        self.by_client.entry(client).or_insert(fresh)
    }
}

impl Bucket {
    /// How much is taken at `now`.
    fn left(&self, now: Instant, share: f64) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.taken - passed * share / PERIOD.as_secs_f64()).max(0.0)
    }

    fn take(&mut self, now: Instant, share: f64) -> Result<(), TooManyCreates> {
        let taken = self.left(now, share);
        if taken + 1.0 > share {
            return Err(TooManyCreates);
        }
        *self = Self {
            taken: taken + 1.0,
            at: now,
        };
        Ok(())
    }
}
