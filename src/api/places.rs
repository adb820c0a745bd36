//! How many requests may be in hand at a time.
//!
//! Invariant: nobody queues for a place. Whoever finds none is told at once to come back, since a
//! queue would only make everybody slow.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Code, Problem};

/// Completions at a time. Each may hash one object, as the worker does sixteen at a time.
pub const MAX_COMPLETIONS: usize = 16;

/// The places that there are, by what a request does with one.
#[derive(Debug, Clone)]
pub struct Places {
    completions: Arc<Semaphore>,
}

/// A place, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            completions: Arc::new(Semaphore::new(MAX_COMPLETIONS)),
        }
    }
}

impl Places {
    /// A place for a request that measures what arrived.
    ///
    /// # Errors
    /// [`Code::Overloaded`] if all are taken.
    pub fn for_completion(&self) -> Result<Place, Problem> {
        take(&self.completions)
    }
}

fn take(places: &Arc<Semaphore>) -> Result<Place, Problem> {
    match Arc::clone(places).try_acquire_owned() {
        Ok(permit) => Ok(Place { _permit: permit }),
        Err(_) => Err(Code::Overloaded.plain()),
    }
}
