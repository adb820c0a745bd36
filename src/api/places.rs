//! How many calls of the API may be in hand at a time.
//!
//! Invariant: a call takes its place when its request is complete, so a client that sends slowly takes
//! nobody's; and calls that last (waiting for a settlement, measuring an upload) have places of their
//! own, so that they take none from those that don't.

use std::net::IpAddr;

use super::problem::{Code, Problem};
use crate::capacity::{Place, PlaceOfAddress, Places, PlacesByAddress};

/// Calls at a time that do no more than ask the stores: two groups of the local writer, one being
/// committed while the next gathers. More of them at a time were not more a second, and each took longer
/// (see ARCHITECTURE.md); in aws mode, at some milliseconds a call, so many at a time are tens of
/// thousands a second.
pub const MAX_CALLS: usize = 512;

/// Calls at a time that wait for a settlement. Each looks once a second.
pub const MAX_WAITS: usize = 512;

/// Those of one address, so that one client leaves some to the others.
pub const MAX_WAITS_OF_AN_ADDRESS: usize = MAX_WAITS / 4;

/// Completions at a time. Each may hash one object, as the worker does sixteen at a time.
pub const MAX_COMPLETIONS: usize = 16;

/// The places that there are, by what a call does with one.
#[derive(Debug, Clone)]
pub struct CallPlaces {
    calls: Places,
    waits: Places,
    /// `None` where all clients come from one address, that of a proxy.
    waits_by_address: Option<PlacesByAddress>,
    completions: Places,
}

impl CallPlaces {
    /// `is_proxied` says whether clients come through a proxy.
    pub fn new(is_proxied: bool) -> Self {
        let by_address = || PlacesByAddress::new(MAX_WAITS_OF_AN_ADDRESS);
        Self {
            calls: Places::new(MAX_CALLS),
            waits: Places::new(MAX_WAITS),
            waits_by_address: (!is_proxied).then(by_address),
            completions: Places::new(MAX_COMPLETIONS),
        }
    }
}

/// A place for a wait, and one of those that its address has.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct WaitPlace {
    _of_address: Option<PlaceOfAddress>,
    _place: Place,
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

    /// For a call from this address that waits for a settlement.
    pub fn wait(&self, from: Option<IpAddr>) -> Result<WaitPlace, Problem> {
        let of_address = match (&self.waits_by_address, from) {
            (Some(places), Some(from)) => {
                Some(places.take(from).ok_or_else(|| Code::Overloaded.plain())?)
            }
            _ => None,
        };
        Ok(WaitPlace {
            _of_address: of_address,
            _place: taken(&self.waits)?,
        })
    }

    /// For a call that measures what arrived.
    pub fn completion(&self) -> Result<Place, Problem> {
        taken(&self.completions)
    }
}

fn taken(places: &Places) -> Result<Place, Problem> {
    places.take().ok_or_else(|| Code::Overloaded.plain())
}
