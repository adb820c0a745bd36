//! A rate limit on pairings that begin: anybody may begin one.
//!
//! Invariant: at most [`MAX_PAIRINGS`] within [`PAIRING_LIFETIME`] at one process, and of one address so few of
//! those that it can't keep all others out. What is kept is bounded by the former.
//!
//! Absent on purpose: whose the request is behind a proxy. There all clients have one address, and its share.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{BeginError, PAIRING_LIFETIME};

/// How many pairings a process lets begin within [`PAIRING_LIFETIME`].
pub const MAX_PAIRINGS: usize = 1_000;
/// How many of these one address may begin; of IPv6, one network.
pub const MAX_PAIRINGS_OF_ADDRESS: usize = 100;

/// When pairings began lately, and from where, the oldest first.
#[derive(Default)]
pub(super) struct PairingRateLimit(Mutex<VecDeque<(Instant, Option<IpAddr>)>>);

impl PairingRateLimit {
    /// Counts one more; `None` is an address that nobody knows, which has no share of its own.
    ///
    /// # Errors
    /// There are as many as may be: then it isn't counted.
    pub(super) fn count(&self, from: Option<IpAddr>, now: Instant) -> Result<(), BeginError> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |(at, _): &(Instant, _)| now >= *at + PAIRING_LIFETIME;
        while begun.front().is_some_and(is_over) {
            begun.pop_front();
        }
        let until = |at: Instant| (at + PAIRING_LIFETIME).saturating_duration_since(now);
        let network = from.map(network_of);
        if network.is_some() {
            let mut own = begun.iter().filter(|(_, of)| *of == network);
            let oldest = own.clone().next();
            if let Some((at, _)) = oldest
                && own.nth(MAX_PAIRINGS_OF_ADDRESS - 1).is_some()
            {
                let again_in = until(*at);
                return Err(BeginError::TooManyOfAddress { again_in });
            }
        }
        match begun.front() {
            Some((at, _)) if begun.len() >= MAX_PAIRINGS => {
                let again_in = until(*at);
                Err(BeginError::TooMany { again_in })
            }
            _ => {
                begun.push_back((now, network));
                Ok(())
            }
        }
    }
}

/// An address of IPv6 is its first 64 bits, since a client chooses the rest.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_others_begin_beside_it() {
        let (rate_limit, start) = (PairingRateLimit::default(), Instant::now());
        for n in 0..MAX_PAIRINGS_OF_ADDRESS {
            let host = format!("2001:db8:1:2::{n:x}");
            rate_limit.count(address(&host), start).unwrap();
        }
        let later = start + Duration::from_secs(60);
        let refused = rate_limit.count(address("2001:db8:1:2:ffff::1"), later);
        let Err(BeginError::TooManyOfAddress { again_in }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(again_in, PAIRING_LIFETIME - Duration::from_secs(60));
        rate_limit.count(address("2001:db8:1:3::1"), later).unwrap();
        rate_limit.count(address("192.0.2.1"), later).unwrap();
        rate_limit.count(None, later).unwrap();
        let over = start + PAIRING_LIFETIME;
        rate_limit.count(address("2001:db8:1:2::1"), over).unwrap();
    }

    #[test]
    fn no_more_begin_than_may_wait_whoever_begins_them() {
        let (rate_limit, start) = (PairingRateLimit::default(), Instant::now());
        let stranger = |n: usize| Some(IpAddr::from(Ipv4Addr::from(n as u32)));
        for n in 0..MAX_PAIRINGS {
            rate_limit.count(stranger(n), start).unwrap();
        }
        let refused = rate_limit.count(stranger(MAX_PAIRINGS), start);
        let Err(BeginError::TooMany { again_in }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(again_in, PAIRING_LIFETIME);
        assert_eq!(rate_limit.0.lock().unwrap().len(), MAX_PAIRINGS);
        rate_limit.count(None, start + PAIRING_LIFETIME).unwrap();
    }
}
