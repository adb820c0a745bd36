//! When a message that wasn't taken is sent again.
//!
//! Invariant: the pauses grow, and are different for two messages that failed together. A message is given up for the
//! number of its tries and for nothing else, so no clock gives one up: a machine that slept for a week has tried it once.

use std::time::Duration;

/// After so many tries that were counted a message is given up: about a day after the first.
pub(super) const MAX_TRIES: u32 = 13;

/// The pauses after each try; the last one goes on.
const PAUSES: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(4 * 60 * 60),
];
/// By how much a pause is longer or shorter than it says, as a part of it.
const JITTER: f64 = 0.2;
/// The longest that a receiver may ask to be left alone for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
/// Longer than any pause: what is due later than that was written by a clock that was ahead.
pub(super) const BEYOND_EVERY_PAUSE: Duration = Duration::from_secs(5 * 60 * 60);

/// How long to wait after the `tries`th try. `asked`: not less than so long, as the receiver said.
pub(super) fn pause_after(tries: u32, asked: Option<Duration>) -> Duration {
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = PAUSES[at.min(PAUSES.len() - 1)];
    let pause = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
    pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn the_tries_of_a_message_take_about_a_day_and_its_pauses_grow() {
        for _ in 0..100 {
            let pauses: Vec<Duration> = (1..MAX_TRIES).map(|n| pause_after(n, None)).collect();
            let whole: Duration = pauses.iter().sum();
            assert!(whole >= 19 * HOUR && whole <= 29 * HOUR, "{whole:?}");
            assert!(pauses[0] >= Duration::from_secs(4) && pauses[0] <= Duration::from_secs(6));
            assert!(pauses[..8].is_sorted());
        }
        assert!(pause_after(0, None) <= Duration::from_secs(6));
    }

    #[test]
    fn who_asks_to_wait_is_waited_for_an_hour_at_the_most() {
        let asked = |asked| pause_after(1, Some(asked));
        assert_eq!(asked(HOUR / 2), HOUR / 2);
        assert_eq!(asked(HOUR * 24 * 365), HOUR);
        assert!(asked(Duration::ZERO) >= Duration::from_secs(4));
    }

    #[test]
    fn no_pause_is_so_long_that_it_looks_like_a_wrong_clock() {
        for tries in [1, MAX_TRIES, u32::MAX] {
            for _ in 0..100 {
                assert!(pause_after(tries, Some(Duration::MAX)) < BEYOND_EVERY_PAUSE);
            }
        }
    }
}
