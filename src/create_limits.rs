//! How many files one address may create, so that nobody takes what is there for all.
//!
//! Where one process knows all records (local mode), an address may have so many files that wait for their
//! bytes: [`PendingByAddress`]. Where any number of processes share a table, nobody counts them, and each
//! process lets an address create so many a minute: [`CreateRate`].
//!
//! Invariant: what is kept of addresses is bounded, and a known address keeps its place when strangers fill
//! it up. An address of IPv6 is its first 64 bits, since a client chooses the rest.
//!
//! Absent on purpose: whose the request is behind a proxy. There all clients have one address, and the
//! operator raises the limits or turns them off.

mod pending;
mod rate;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

pub use pending::PendingByAddress;
pub use rate::CreateRate;

use crate::domain::{FileId, Timestamp};

/// The limit that a program keeps.
#[derive(Debug, Clone, Default)]
pub enum CreateLimit {
    /// None.
    #[default]
    Off,
    /// On files that are pending, by address: where one process has all records.
    Pending(PendingByAddress),
    /// On creates a minute, by address, at this process.
    Rate(CreateRate),
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
        let Some(client) = address.map(Client::of) else {
            return Ok(Admitted(None));
        };
        match self {
            Self::Off => Ok(Admitted(None)),
            Self::Pending(pending) => pending.claim(client, now).map(|it| Admitted(Some(it))),
            Self::Rate(rate) => rate.take(client).map(|()| Admitted(None)),
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

/// Whoever shares an address, as far as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Client(IpAddr);

impl Client {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 => v4,
        })
    }
}
