//! How much the program takes on at a time.
//!
//! Invariant: nobody queues for a place. Whoever finds none is told at once to come back later: a
//! queue in front of work that is full makes everybody slow and helps nobody.
//!
//! Absent on purpose: how many places there are for what. That stands beside what uses them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A bounded number of places.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

/// A place, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Whether all are taken, as it was just now.
    pub fn are_taken(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// `None` if all are taken.
    pub fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Place { _permit: permit })
    }
}

/// In a request's extensions: it came on a connection for which there is no room. Whatever it asks
/// for is refused, unless it asks whether the program is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// More files and sockets than this process ever needs at a time.
#[cfg(unix)]
const ENOUGH_DESCRIPTORS: u64 = 10_000;

/// Lets this process open [`ENOUGH_DESCRIPTORS`], or as many as the system allows it, which is often far
/// more than it begins with, and gives the limit that holds then; `None` where there is none.
#[cfg(unix)]
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(ENOUGH_DESCRIPTORS, |most| most.min(ENOUGH_DESCRIPTORS));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        // Where it isn't allowed, the limit stays as it was.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    getrlimit(Resource::Nofile).current
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_given_back() {
        let places = Places::new(2);
        let (first, second) = (places.take(), places.take());
        assert!(first.is_some() && second.is_some());
        assert!(places.clone().take().is_none() && places.are_taken());
        drop(first);
        assert!(places.take().is_some());
    }
}
