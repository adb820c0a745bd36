//! Who may wait for work on a password.
//!
//! Invariant: at most [`MAX_WAITING`] wait in all, [`MAX_OF_ONE`] of them for one link or box and as many from one address.
//! So whoever floods one, or has one address, leaves places for others.
//!
//! Absent on purpose: an order. Whoever finds no place is told to come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capability_token::RenewableId;
use crate::client_address::ClientNetwork;

/// Passwords that wait for those that are worked on: about a second.
pub(super) const MAX_WAITING: usize = 32;
/// Of those, for one link or box, and from one address.
pub(super) const MAX_OF_ONE: usize = 8;

/// What has a share of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Share {
    Target(RenewableId),
    Address(ClientNetwork),
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_share: HashMap<Share, usize>,
}

#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Taken>);

/// A place, as long as this lives.
#[derive(Debug)]
pub(super) struct Place<'a> {
    places: &'a Places,
    shares: Vec<Share>,
}

impl Places {
    /// A place that counts for each of these; `None`: there is none left, or one of them has its share.
    pub(super) fn take(&self, shares: Vec<Share>) -> Option<Place<'_>> {
        let mut taken = self.lock();
        let has_its_share = |share| {
            taken
                .by_share
                .get(share)
                .is_some_and(|it| *it >= MAX_OF_ONE)
        };
        if taken.all >= MAX_WAITING || shares.iter().any(has_its_share) {
            return None;
        }
        taken.all += 1;
        for share in &shares {
            *taken.by_share.entry(*share).or_default() += 1;
        }
        Some(Place {
            places: self,
            shares,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all = taken.all.saturating_sub(1);
        for share in &self.shares {
            if let Some(count) = taken.by_share.get_mut(share) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    taken.by_share.remove(share);
                }
            }
        }
    }
}

/// The shares of whoever gives a password of this link or box from this address.
pub(super) fn shares(of: RenewableId, address: Option<IpAddr>) -> Vec<Share> {
    let address = address.map(|it| Share::Address(ClientNetwork::of(it)));
    [Some(Share::Target(of)), address]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    fn link() -> RenewableId {
        RenewableId::new(from_millis(1_790_000_000_000).unwrap()).unwrap()
    }

    fn address(last: usize) -> Option<IpAddr> {
        Some(format!("192.0.2.{last}").parse().unwrap())
    }

    #[test]
    fn who_floods_one_link_or_has_one_address_leaves_places_for_others() {
        let places = Places::default();
        let (flooded, other) = (link(), link());
        let many = (0..100).filter_map(|n| places.take(shares(flooded, address(n))));
        let of_many: Vec<_> = many.collect();
        assert_eq!(of_many.len(), MAX_OF_ONE);
        let one = (0..100).filter_map(|_| places.take(shares(link(), address(200))));
        let of_one: Vec<_> = one.collect();
        assert_eq!(of_one.len(), MAX_OF_ONE);
        let honest = places.take(shares(other, address(201)));
        assert!(honest.is_some());
        // All together are bounded as well, and what is over gives its place back.
        let all: Vec<_> = (0..100).filter_map(|_| places.take(Vec::new())).collect();
        assert_eq!(all.len(), MAX_WAITING - 2 * MAX_OF_ONE - 1);
        drop((of_many, of_one, honest, all));
        assert!(places.lock().by_share.is_empty());
        assert_eq!(places.lock().all, 0);
    }
}
