//! A rate limit on pairings that begin: anybody may begin one.
//!
//! Invariant: at most [`MAX_PAIRINGS`] begin at once at one process, and as many more within [`PAIRING_LIFETIME`]; of
//! one address so few of those that it can't keep all others out.

use std::net::IpAddr;

use tokio::time::Instant;

use super::{BeginError, PAIRING_LIFETIME};
use crate::client_address::ClientNetwork;
use crate::rate_limits::{Rate, RateLimiter};

/// How many pairings a process lets begin at once, and within [`PAIRING_LIFETIME`].
pub const MAX_PAIRINGS: u32 = 1_000;
/// How many of these one address may begin; of IPv6, one network.
pub const MAX_PAIRINGS_OF_ADDRESS: u32 = 100;

pub(super) struct PairingRateLimit {
    all: RateLimiter<()>,
    of_address: RateLimiter<ClientNetwork>,
}

impl Default for PairingRateLimit {
    fn default() -> Self {
        let rate = |count| Rate::new(count, PAIRING_LIFETIME, count);
        Self {
            all: RateLimiter::new(rate(MAX_PAIRINGS)),
            of_address: RateLimiter::new(rate(MAX_PAIRINGS_OF_ADDRESS)),
        }
    }
}

impl PairingRateLimit {
    /// Counts one more; `None` is an address that nobody knows, which has no share of its own.
    ///
    /// # Errors
    /// There are as many as may be: then it isn't counted.
    pub(super) fn count(&self, from: Option<IpAddr>, now: Instant) -> Result<(), BeginError> {
        let network = from.map(ClientNetwork::of);
        if let Some(network) = network {
            let counted = self.of_address.take(network, now);
            counted.map_err(|again_in| BeginError::TooManyOfAddress { again_in })?;
        }
        let counted = self.all.take((), now);
        counted.map(drop).map_err(|again_in| {
            if let Some(network) = &network {
                self.of_address.give_back(network);
            }
            BeginError::TooMany { again_in }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

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
        let refused = rate_limit.count(address("2001:db8:1:2:ffff::1"), start);
        let Err(BeginError::TooManyOfAddress { again_in }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(again_in, PAIRING_LIFETIME / MAX_PAIRINGS_OF_ADDRESS);
        rate_limit.count(address("2001:db8:1:3::1"), start).unwrap();
        rate_limit.count(address("192.0.2.1"), start).unwrap();
        rate_limit.count(None, start).unwrap();
        let later = start + again_in;
        rate_limit.count(address("2001:db8:1:2::1"), later).unwrap();
    }

    #[test]
    fn no_more_begin_than_may_wait_whoever_begins_them() {
        let (rate_limit, start) = (PairingRateLimit::default(), Instant::now());
        let stranger = |n: u32| Some(IpAddr::from(Ipv4Addr::from(n)));
        for n in 0..MAX_PAIRINGS {
            rate_limit.count(stranger(n), start).unwrap();
        }
        let refused = rate_limit.count(stranger(MAX_PAIRINGS), start);
        let Err(BeginError::TooMany { again_in }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(again_in, PAIRING_LIFETIME / MAX_PAIRINGS);
        rate_limit.count(None, start + again_in).unwrap();
    }
}
