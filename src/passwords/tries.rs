//! How often somebody may guess a password.
//!
//! Invariant: at most [`MAX_TRIES`] within [`WINDOW`] for one link or box from one address and in one process, and memory is
//! bounded: those who come when all places are taken share one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::capability_token::RenewableId;

/// Passwords that are wrong, in one [`WINDOW`].
pub(super) const MAX_TRIES: u32 = 10;
/// From the first of them on.
const WINDOW: Duration = Duration::from_secs(60);
/// Links, boxes and addresses of which tries are counted apart.
const MAX_PLACES: usize = 10_000;

/// `None`: of all for whom there was no place.
type Whose = Option<(RenewableId, Option<IpAddr>)>;

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    until: Instant,
}

#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<Whose, Count>>);

impl Tries {
    /// Counts a try.
    ///
    /// # Errors
    /// There were too many: how long until there may be another.
    pub(super) fn begin(
        &self,
        of: RenewableId,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut counts = self.lock();
        if counts.len() >= MAX_PLACES {
            counts.retain(|_, count| now < count.until);
        }
        let whose = whose(&counts, of, address);
        let begun = Count {
            tries: 0,
            until: now + WINDOW,
        };
        let count = counts.entry(whose).or_insert(begun);
        if now >= count.until {
            *count = begun;
        }
        if count.tries >= MAX_TRIES {
            return Err(count.until - now);
        }
        count.tries += 1;
        Ok(())
    }

    /// It was no guess.
    pub(super) fn give_back(&self, of: RenewableId, address: Option<IpAddr>) {
        let mut counts = self.lock();
        let whose = whose(&counts, of, address);
        if let Some(count) = counts.get_mut(&whose) {
            count.tries = count.tries.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whose(counts: &HashMap<Whose, Count>, of: RenewableId, address: Option<IpAddr>) -> Whose {
    let theirs = Some((of, address.map(network)));
    match counts.contains_key(&theirs) || counts.len() < MAX_PLACES {
        true => theirs,
        false => None,
    }
}

/// Of IPv6 the first 64 bits, since whoever has one address there has them all.
fn network(address: IpAddr) -> IpAddr {
    const HOST_BITS: u128 = u64::MAX as u128;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !HOST_BITS).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    fn link() -> RenewableId {
        RenewableId::new(from_millis(1_790_000_000_000).unwrap()).unwrap()
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn whoever_guesses_too_often_waits_and_others_do_not() {
        let (tries, start, link) = (Tries::default(), Instant::now(), link());
        let home = address("192.0.2.7");
        for _ in 0..MAX_TRIES {
            tries.begin(link, home, start).unwrap();
        }
        let later = start + Duration::from_secs(20);
        let wait = tries.begin(link, home, later).unwrap_err();
        assert_eq!(wait, Duration::from_secs(40));
        // The same address, written otherwise.
        assert!(
            tries
                .begin(link, address("::ffff:192.0.2.7"), later)
                .is_err()
        );
        tries.begin(link, address("192.0.2.8"), later).unwrap();
        tries.begin(self::link(), home, later).unwrap();
        tries.begin(link, home, start + WINDOW).unwrap();
    }

    #[test]
    fn whoever_goes_through_the_addresses_of_a_network_is_one() {
        let (tries, start, link) = (Tries::default(), Instant::now(), link());
        for n in 0..MAX_TRIES {
            let address = address(&format!("2001:db8:0:1::{n:x}"));
            tries.begin(link, address, start).unwrap();
        }
        assert!(
            tries
                .begin(link, address("2001:db8:0:1:ffff::1"), start)
                .is_err()
        );
        tries
            .begin(link, address("2001:db8:0:2::1"), start)
            .unwrap();
    }

    #[test]
    fn memory_is_bounded_and_those_who_find_no_place_share_one() {
        let (tries, start) = (Tries::default(), Instant::now());
        for _ in 0..MAX_PLACES + 20 {
            let _ = tries.begin(link(), None, start);
        }
        assert_eq!(tries.lock().len(), MAX_PLACES + 1);
        assert!(tries.begin(link(), None, start).is_err());
        tries.begin(link(), None, start + WINDOW).unwrap();
        assert_eq!(tries.lock().len(), 1);
    }
}
