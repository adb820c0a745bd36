//! What the clients of a scenario saw, in numbers.
//!
//! Invariant: counts answers and their absence, and judges neither.

use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What all clients of a scenario saw together.
#[derive(Debug, Default)]
pub(crate) struct ClientStats {
    /// Calls of the API, repetitions included.
    pub calls: Cell<usize>,
    /// Those that were answered with a 5xx.
    pub server_errors: Cell<usize>,
    /// Those of them that said nothing of when to come back.
    pub without_advice: Cell<usize>,
    /// Calls that broke off without an answer.
    pub broken: Cell<usize>,
    /// Creations without a 201: a record may have been made that nobody was told of.
    pub untold: Cell<usize>,
    /// Operations that a client gave up, and what it saw last.
    pub gave_up: RefCell<Vec<String>>,
    /// How long the answers of the API took.
    pub latencies: RefCell<Vec<Duration>>,
}

/// Counts one more.
pub(crate) fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

impl ClientStats {
    /// The share of the API's answers that were a 5xx.
    pub(crate) fn share_of_server_errors(&self) -> f64 {
        self.server_errors.get() as f64 / self.calls.get().max(1) as f64
    }
}

/// The time that 99 of 100 stay below.
pub(crate) fn p99(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let index = (sorted.len() * 99).div_ceil(100).max(1) - 1;
    sorted.get(index).copied().unwrap_or_default()
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
