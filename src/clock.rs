//! Where the time comes from.
//!
//! Invariant: no operation reads the system's clock by itself, so a test can say what time it is.
//! Durations of I/O (time-outs, back-off) are tokio's business and not this clock's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Timestamp, whole_millis};

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
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(whole_millis(now))))
    }

    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
