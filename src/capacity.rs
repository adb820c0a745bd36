//! How much the program takes on at a time.
//!
//! Invariant: nobody queues for a permit. A caller that gets none is told at once to come back later: a
//! queue in front of a full service makes every caller slow and helps none.
//!
//! Absent on purpose: how many permits there are for what. That stands beside what uses them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::client_address::ClientNetwork;

/// When a request's answer has to be there, in the extensions of one whose program is stopped after that.
#[derive(Debug, Clone, Copy)]
pub struct AnswerBy(pub Instant);

impl AnswerBy {
    /// What a wait leaves of the time, for the last look and for the answer.
    const ROOM: Duration = Duration::from_millis(500);
    /// How long a request waits at the most. Its process answers nothing else meanwhile, and no permit bounds how many
    /// processes wait, so that thirty people who upload at once would have them all.
    const LONGEST_WAIT: Duration = Duration::from_secs(1);

    /// `wait`, or less if there isn't so much time.
    pub fn cap(self, wait: Duration) -> Duration {
        let left = self.0.saturating_duration_since(Instant::now());
        wait.min(Self::LONGEST_WAIT)
            .min(left.saturating_sub(Self::ROOM))
    }
}

/// A bounded number of permits.
#[derive(Debug, Clone)]
pub struct Permits(Arc<Semaphore>);

/// A permit, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the permit is given back when this is dropped"]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Permits {
    /// So many permits, all of them free.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Whether all are taken, as it was just now.
    pub fn are_taken(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// `None` if all are taken.
    pub fn take(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Permit { _permit: permit })
    }
}

/// A bounded number of permits for each address that asks, so that none of them has all there are.
///
/// Absent on purpose: what a proxy says of its clients. Where one stands before us that isn't known, all come from its
/// address, and a fair share for each is its to give.
#[derive(Debug, Clone)]
pub struct PermitsByAddress {
    most: usize,
    /// Only addresses that have any, so there are no more than permits.
    taken: Arc<Mutex<HashMap<ClientNetwork, usize>>>,
}

/// A permit of an address, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the permit is given back when this is dropped"]
pub struct AddressPermit {
    permits: PermitsByAddress,
    client: ClientNetwork,
}

impl PermitsByAddress {
    /// At most so many permits for each address.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// `None` if the address has all that it may have.
    pub fn take(&self, address: IpAddr) -> Option<AddressPermit> {
        let client = ClientNetwork::of(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(client).or_default();
        // An entry of zero was made just now, and a bound of zero gives nobody a permit.
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(AddressPermit {
            permits: self.clone(),
            client,
        })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut taken = self
            .permits
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

/// There is no permit for what was asked for. In a request's extensions: it came on a connection beyond those that are served. Whatever it asks
/// for is refused, unless it asks whether the program is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// More files and sockets than this process ever needs at a time.
#[cfg(unix)]
const ENOUGH_DESCRIPTORS: u64 = 10_000;

/// Lets this process open `ENOUGH_DESCRIPTORS` files, or as many as the system allows it, which is often far
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

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_short_leaves_time_for_its_answer_and_is_none_where_there_is_none() {
        let by = |left| AnswerBy(Instant::now() + Duration::from_secs(left));
        let cap = |left, wait| by(left).cap(Duration::from_secs(wait)).as_secs_f64();
        assert_eq!(
            [cap(28, 20), cap(1, 20), cap(0, 20), cap(28, 0)],
            [1.0, 0.5, 0.0, 0.0]
        );
        let over = AnswerBy(Instant::now());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(over.cap(Duration::from_secs(20)), Duration::ZERO);
    }

    #[test]
    fn an_address_has_its_own_permits_and_no_more() {
        let permits = PermitsByAddress::new(2);
        let at = |address: &str| permits.take(address.parse().unwrap());
        let (first, second) = (at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(at("192.0.2.1").is_none());
        let other = [at("192.0.2.2"), at("2001:db8::1"), at("2001:db8::2:1")];
        assert!(other.iter().all(Option::is_some));
        // Whoever has one address of IPv6 has 2^64 of them.
        assert!(at("2001:db8::3").is_none() && at("2001:db8:0:1::3").is_some());
        drop(first);
        assert!(at("192.0.2.1").is_some());
        drop((second, other));
        assert!(permits.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_permit_is_free_again_when_it_is_given_back() {
        let permits = Permits::new(2);
        let (first, second) = (permits.take(), permits.take());
        assert!(first.is_some() && second.is_some());
        assert!(permits.clone().take().is_none() && permits.are_taken());
        drop(first);
        assert!(permits.take().is_some());
    }
}
