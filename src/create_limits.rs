//! How many files of one address may wait for their bytes, so that nobody takes what is there for all.
//!
//! Where one process knows all records (local mode), an address may have so many, and so many in one box:
//! [`PendingByAddress`]. Where any number of processes share a table, nobody counts them, in boxes neither, and what bounds
//! an address is how often it may create one at each process, and the places that a box has.
//!
//! Invariant: what is kept of addresses is bounded by the files that wait.
//!
//! Absent on purpose: how often somebody may create ([`crate::rate_limits`]).

mod pending;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use pending::PendingByAddress;

use crate::client_address::ClientNetwork;
use crate::domain::{BoxId, FileId, Timestamp};

/// How many files of one box may wait for their bytes that one address handed in. A school has one address, and what was
/// broken off waits for the better part of an hour: at a deadline that is all that some hundred people send at once,
/// and what each of them tried before.
pub const MAX_PENDING_IN_BOX: usize = 1_000;
/// As many as one person may send at a time, also where a box has few places.
pub const MIN_PENDING_IN_BOX: usize = 10;

/// The limit that a program keeps.
#[derive(Debug, Clone, Default)]
pub enum CreateLimit {
    /// None.
    #[default]
    Off,
    /// On files that are pending, by address: where one process has all records.
    Pending(PendingByAddress),
}

/// The address has as many as it may have for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this address has created as many files as it may for now")]
pub struct TooManyCreates;

/// A create that was let in. It counts until somebody says what came of it: whoever hangs up in the middle may
/// have made a file all the same.
#[derive(Debug)]
#[must_use = "a create of which nothing is said counts as if it had made a file"]
pub struct Admitted(Option<pending::Claim>);

impl CreateLimit {
    /// Lets one create of `address` in; `None` is an address that nobody knows, which has no limit.
    ///
    /// # Errors
    /// [`TooManyCreates`] if it has had its share.
    pub fn admit(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Admitted, TooManyCreates> {
        let Some(client) = address.map(ClientNetwork::of) else {
            return Ok(Admitted(None));
        };
        match self {
            Self::Off => Ok(Admitted(None)),
            Self::Pending(pending) => pending.claim(client, now).map(|it| Admitted(Some(it))),
        }
    }

    /// Lets one hand-in of `address` into a box of so many places, where pending files are counted: it has at most
    /// [`MAX_PENDING_IN_BOX`] there, and at most half of the places or [`MIN_PENDING_IN_BOX`], so that nobody shuts the box by
    /// sending nothing.
    ///
    /// # Errors
    /// [`TooManyCreates`] if it has its share.
    pub fn admit_to_box(
        &self,
        address: Option<IpAddr>,
        id: BoxId,
        places: u32,
        now: Timestamp,
    ) -> Result<Admitted, TooManyCreates> {
        let half = usize::try_from(places / 2).unwrap_or(usize::MAX);
        let limit = half.clamp(MIN_PENDING_IN_BOX, MAX_PENDING_IN_BOX);
        match (self, address.map(ClientNetwork::of)) {
            (Self::Pending(pending), Some(client)) => {
                let claimed = pending.claim_in_box(client, id, limit, now);
                claimed.map(|it| Admitted(Some(it)))
            }
            _ => Ok(Admitted(None)),
        }
    }

    /// A file that waits got another URL: it counts until `over_at`.
    pub fn extend(&self, id: FileId, over_at: Timestamp) {
        if let Self::Pending(pending) = self {
            pending.extend(id, over_at);
        }
    }
}

impl Admitted {
    /// It made the file `id`, which counts until it isn't pending any more, or until `over_at`.
    pub fn keep(self, id: FileId, over_at: Timestamp) {
        if let Some(claim) = self.0 {
            claim.keep(id, over_at);
        }
    }

    /// Nothing came of it, so it counts as none.
    pub fn give_back(self) {
        if let Some(claim) = self.0 {
            claim.give_back();
        }
    }
}
