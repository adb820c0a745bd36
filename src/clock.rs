//! Where the time comes from.
//!
//! Invariant: no operation reads the system's clock by itself, so a test can say what time it is.
//! Durations of I/O (time-outs, back-off) are tokio's business and not this clock's.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Timestamp, whole_millis};

/// A process's own clock, which may be wrong: see [`crate::domain::StoreTime`].
pub trait Clock: Send + Sync {
    /// The present, in whole milliseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        whole_millis(chrono::Utc::now())
    }
}

/// A clock that stands still until it is told to move. For tests.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that says `now`, in whole milliseconds.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(whole_millis(now))))
    }

    /// Moves this clock and all its clones forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another clock that is ahead (or behind, where it is negative) by some milliseconds. For tests.
#[derive(Clone)]
pub struct SkewedClock {
    clock: Arc<dyn Clock>,
    ahead_millis: Arc<AtomicI64>,
}

impl SkewedClock {
    /// `ahead_millis` holds for all clones, until one of them is set anew.
    pub fn new(clock: Arc<dyn Clock>, ahead_millis: i64) -> Self {
        Self {
            clock,
            ahead_millis: Arc::new(AtomicI64::new(ahead_millis)),
        }
    }

    /// Sets it anew, as NTP or a person does.
    pub fn set_ahead(&self, millis: i64) {
        self.ahead_millis.store(millis, SeqCst);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.clock.now() + chrono::TimeDelta::milliseconds(self.ahead_millis.load(SeqCst))
    }
}
