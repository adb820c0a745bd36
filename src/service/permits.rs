//! How many calls of the API may be in hand at a time.
//!
//! Invariant: a call takes its permit when its request is complete, so a client that sends slowly takes
//! nobody's; and calls that last (waiting for a settlement, measuring an upload) have permits of their
//! own, so that they take none from those that don't.

use std::net::IpAddr;

use crate::access::Action;
use crate::capacity::{AddressPermit, Overloaded, Permit, Permits, PermitsByAddress};
use crate::operations::OperationError;

/// Calls at a time that do no more than ask the stores: two groups of the local writer, one being
/// committed while the next gathers. More of them at a time were not more a second, and each took longer
/// (see docs/performance.md); in aws mode, at some milliseconds a call, so many at a time are tens of
/// thousands a second.
pub(super) const MAX_CALLS: usize = 512;

/// Calls at a time that wait for a settlement. Each looks once a second.
pub(super) const MAX_WAITS: usize = 512;

/// Those of one address, so that one client leaves some to the others.
pub(super) const MAX_WAITS_OF_AN_ADDRESS: usize = MAX_WAITS / 4;

/// Completions at a time. Each may hash one object, as the worker does sixteen at a time.
pub(super) const MAX_COMPLETIONS: usize = 16;

/// The permits that there are, by what a call does with one.
#[derive(Debug, Clone)]
pub struct CallPermits {
    calls: Permits,
    waits: Permits,
    /// `None` where all clients come from one address, that of a proxy.
    waits_by_address: Option<PermitsByAddress>,
    completions: Permits,
}

/// The permit of one call, and for a wait one of those that its address has.
#[derive(Debug)]
#[must_use = "the permit is given back when this is dropped"]
pub struct CallPermit {
    _of_address: Option<AddressPermit>,
    _permit: Permit,
}

impl CallPermits {
    /// `is_proxied` says whether clients come through a proxy.
    pub fn new(is_proxied: bool) -> Self {
        let by_address = || PermitsByAddress::new(MAX_WAITS_OF_AN_ADDRESS);
        Self {
            calls: Permits::new(MAX_CALLS),
            waits: Permits::new(MAX_WAITS),
            waits_by_address: (!is_proxied).then(by_address),
            completions: Permits::new(MAX_COMPLETIONS),
        }
    }

    /// Whether there is no permit for another call. To be asked before a request is looked at any
    /// further: what is refused anyway should cost as little as can be.
    pub fn are_taken(&self) -> bool {
        self.calls.are_taken()
    }

    /// Takes the permit for one call; it is given back when what this returns is dropped. Nobody waits for
    /// one.
    ///
    /// # Errors
    /// [`Overloaded`] if all permits for what the action does are taken.
    pub fn take(&self, action: Action, address: Option<IpAddr>) -> Result<CallPermit, Overloaded> {
        let (permits, of_address) = match action {
            Action::AwaitFile => (&self.waits, self.wait_of(address)?),
            Action::CompleteUpload => (&self.completions, None),
            _ => (&self.calls, None),
        };
        Ok(CallPermit {
            _of_address: of_address,
            _permit: permits.take().ok_or(Overloaded)?,
        })
    }

    fn wait_of(&self, address: Option<IpAddr>) -> Result<Option<AddressPermit>, Overloaded> {
        match (&self.waits_by_address, address) {
            (Some(permits), Some(address)) => Ok(Some(permits.take(address).ok_or(Overloaded)?)),
            _ => Ok(None),
        }
    }
}

impl From<Overloaded> for OperationError {
    fn from(_: Overloaded) -> Self {
        Self::Overloaded
    }
}
