//! Rates: never more than they say, for whom they say, in bounded memory.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::client_address::ClientNetwork;

const MIB: usize = 1 << 20;

fn per_second(count: u32, burst: u32) -> Rate {
    Rate::new(count, Duration::from_secs(1), burst)
}

fn limiter(count: u32, burst: u32) -> (RateLimiter<u32>, Instant) {
    (
        RateLimiter::new(per_second(count, burst)),
        Instant::now() + Duration::from_secs(1_000),
    )
}

/// A host in a network of its own.
fn stranger(n: u64) -> ClientNetwork {
    let network = u128::from(n) << 64;
    ClientNetwork::of(IpAddr::V6(Ipv6Addr::from_bits(
        0x2001_u128 << 112 | network,
    )))
}

#[test]
fn a_burst_is_let_in_at_once_and_then_so_many_a_second() {
    let (limiter, start) = limiter(10, 3);
    for left in [2, 1, 0] {
        assert_eq!(limiter.take(1, start).unwrap().count, left);
    }
    let tenth = Duration::from_millis(100);
    assert_eq!(limiter.take(1, start), Err(tenth));
    assert_eq!(limiter.wait(&1, start), Some(tenth));
    assert_eq!(limiter.wait(&2, start), None);
    // What was refused counts for nothing.
    let early = start + Duration::from_millis(99);
    assert_eq!(limiter.take(1, early), Err(Duration::from_millis(1)));
    limiter.take(1, start + tenth).unwrap();
    assert!(limiter.take(1, start + tenth).is_err());
    let whole = start + 4 * tenth;
    let left = limiter.take(1, whole).unwrap();
    assert_eq!((left.count, left.whole_in), (2, tenth));
}

#[test]
fn after_the_wait_that_was_told_it_passes_also_where_a_rate_is_no_whole_number() {
    for (count, burst) in [(1, 1), (3, 2), (7, 1), (999_983, 5), (1_000_000_000, 1)] {
        let (limiter, mut now) = limiter(count, burst);
        for _ in 0..1_000 {
            if let Err(wait) = limiter.take(1, now) {
                assert!(wait > Duration::ZERO);
                now += wait;
                limiter.take(1, now).unwrap();
            }
        }
    }
}

#[test]
fn what_is_given_back_may_be_taken_again() {
    let (limiter, start) = limiter(1, 2);
    for _ in 0..10 {
        limiter.take(1, start).unwrap();
        limiter.give_back(&1);
    }
    limiter.take(1, start).unwrap();
    limiter.take(1, start).unwrap();
    assert!(limiter.take(1, start).is_err());
    // Of whom nothing is known, nothing is given back.
    limiter.give_back(&2);
    limiter.take(2, start).unwrap();
    limiter.take(2, start).unwrap();
    assert!(limiter.take(2, start).is_err());
}

#[test]
fn who_is_known_keeps_their_own_when_strangers_fill_all_places() {
    let limiter = RateLimiter::new(per_second(1, 5));
    let start = Instant::now();
    let known = stranger(u64::MAX);
    limiter.take(known, start).unwrap();
    for n in 0..4 * MAX_KEYS as u64 {
        // Each takes all that it gets, so that places of strangers are used up.
        while n < MAX_KEYS as u64 - 1 && limiter.take(stranger(n), start).is_ok() {}
        let _ = limiter.take(stranger(n), start);
    }
    for left in [3, 2, 1, 0] {
        assert_eq!(limiter.take(known, start).unwrap().count, left);
    }
    assert!(limiter.take(known, start).is_err());
    // The flood is over: there is a place for everybody again.
    let later = start + Duration::from_secs(6);
    for n in 0..100 {
        let newcomer = stranger(u64::MAX / 2 + n);
        assert_eq!(limiter.take(newcomer, later).unwrap().count, 4);
    }
}

#[test]
fn those_who_find_no_place_are_let_in_no_more_often_than_those_who_have_one() {
    let limiter = RateLimiter::new(per_second(1, 2));
    let start = Instant::now();
    for n in 0..MAX_KEYS as u64 {
        limiter.take(stranger(n), start).unwrap();
    }
    let newcomer = stranger(u64::MAX);
    let let_in = (0..10).filter(|_| limiter.take(newcomer, start).is_ok());
    assert_eq!(let_in.count(), 2);
    assert!(limiter.wait(&newcomer, start).is_some());
    limiter.give_back(&newcomer);
    limiter.take(newcomer, start).unwrap();
}

/// As many limiters as a process has: reads and creates, by caller and by address; keys and tokens, passwords,
/// pairings by person and by address. Their keys are no larger than these.
#[test]
fn a_million_addresses_at_every_limit_take_less_than_16_mib() {
    const LIMITERS: usize = 8;
    let limiter = RateLimiter::new(Rate::new(10, Duration::from_secs(60), 10));
    let start = Instant::now();
    let target = [7_u8; 16];
    for n in 0..1_000_000 {
        let now = start + Duration::from_micros(n);
        let _ = limiter.take((stranger(n), target), now);
    }
    let memory = limiter.memory();
    assert!(memory > MAX_KEYS * size_of::<u64>(), "{memory} is no count");
    assert!(LIMITERS * memory < 16 * MIB, "{memory} each");
}

proptest! {
    /// By the sum of all steps ahead, which is as much time as passed, however often the clock was set back.
    #[test]
    fn never_more_than_a_burst_and_the_rate_for_the_time_that_passed(
        count in 1_u32..2_000,
        burst in 1_u32..50,
        goes_back in any::<bool>(),
        // In hundredths of what one takes, so that all is taken again and again.
        steps in prop::collection::vec((-100_i64..300, 1_u32..8), 100..300),
    ) {
        let (limiter, start) = limiter(count, burst);
        let (mut now, mut ahead, mut let_in) = (start, Duration::ZERO, 0_u64);
        for (hundredths, tries) in steps {
            // Where it never does, the bound is reached as well.
            let hundredths = hundredths.max(if goes_back { i64::MIN } else { 0 });
            let nanos = hundredths.unsigned_abs() * 10_000_000 / u64::from(count);
            let step = Duration::from_nanos(nanos);
            match hundredths < 0 {
                true => now = now.checked_sub(step).unwrap_or(start).max(start),
                false => {
                    now += step;
                    ahead += step;
                }
            }
            let_in += (0..tries).filter(|_| limiter.take(1, now).is_ok()).count() as u64;
        }
        let most = f64::from(burst) + ahead.as_secs_f64() * f64::from(count);
        prop_assert!(let_in as f64 <= most + 1e-6, "{let_in} of {most}");
    }

    /// However the clock was set back, nobody waits for longer than one takes.
    #[test]
    fn a_clock_that_goes_back_locks_nobody_out(
        count in 1_u32..100,
        burst in 1_u32..50,
        back in 0_u64..100_000_000,
    ) {
        let (limiter, start) = limiter(count, burst);
        let later = start + Duration::from_micros(back);
        while limiter.take(1, later).is_ok() {}
        let longest = Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(count)));
        if let Err(wait) = limiter.take(1, start) {
            prop_assert!(wait <= longest, "{wait:?}");
        }
    }
}
