//! How many calls of the API may be in hand at a time.
//!
//! Invariant: a call takes its place when its request is complete, so a client that sends slowly takes
//! nobody's; and calls that last (waiting for a settlement, measuring an upload) have places of their
//! own, so that they take none from those that don't.

use super::problem::{Code, Problem};
use crate::capacity::{Place, Places};

/// Calls at a time that do no more than ask the stores: two groups of the local writer, one being
/// committed while the next gathers. More of them at a time were not more a second, and each took longer
/// (see ARCHITECTURE.md); in aws mode, at some milliseconds a call, so many at a time are tens of
/// thousands a second.
pub const MAX_CALLS: usize = 512;

/// Calls at a time that wait for a settlement. Each looks once a second.
pub const MAX_WAITS: usize = 512;

/// Completions at a time. Each may hash one object, as the worker does sixteen at a time.
pub const MAX_COMPLETIONS: usize = 16;

/// The places that there are, by what a call does with one.
#[derive(Debug, Clone)]
pub struct CallPlaces {
    calls: Places,
    waits: Places,
    completions: Places,
}

impl Default for CallPlaces {
    fn default() -> Self {
        Self {
            calls: Places::new(MAX_CALLS),
            waits: Places::new(MAX_WAITS),
            completions: Places::new(MAX_COMPLETIONS),
        }
    }
}

/// Each fails with [`Code::Overloaded`] if all places of its kind are taken.
impl CallPlaces {
    /// Whether there is no place for another call. To be asked before a request is looked at any
    /// further: what is refused anyway should cost as little as can be.
    pub fn are_full(&self) -> bool {
        self.calls.are_taken()
    }

    /// For a call that asks the stores and answers.
    pub fn call(&self) -> Result<Place, Problem> {
        taken(&self.calls)
    }

    /// For a call that waits for a settlement.
    pub fn wait(&self) -> Result<Place, Problem> {
        taken(&self.waits)
    }

    /// For a call that measures what arrived.
    pub fn completion(&self) -> Result<Place, Problem> {
        taken(&self.completions)
    }
}

fn taken(places: &Places) -> Result<Place, Problem> {
    places.take().ok_or_else(|| Code::Overloaded.plain())
}
