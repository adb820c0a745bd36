//! The generic cell rate algorithm (ITU-T I.371, annex A): what was taken lately, kept as one moment.
//!
//! Invariant: pure. Moments are nanoseconds since a start that the caller chose.

use std::time::Duration;

/// So many in a period on average, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// After how many nanoseconds one more may be; rounded up, so that a rate is never exceeded.
    interval: u64,
    burst: u64,
}

/// What is left after something was let in or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How many more may be at once.
    pub count: u64,
    /// Until all of it is there again.
    pub whole_in: Duration,
}

/// The moment up to which what was taken reaches, if each takes an interval: the "theoretical arrival time".
pub(super) type Arrival = u64;

/// For a rate of one an hour with the largest burst, moments stay far below 2^64.
const LONGEST_PERIOD: Duration = Duration::from_secs(60 * 60);

impl Rate {
    /// `count` in each `period`, of at most an hour, and `burst` at once; none of either is one.
    pub const fn new(count: u32, period: Duration, burst: u32) -> Self {
        let (count, burst) = (
            if count == 0 { 1 } else { count as u64 },
            if burst == 0 { 1 } else { burst as u64 },
        );
        let period = if period.as_nanos() < LONGEST_PERIOD.as_nanos() {
            period
        } else {
            LONGEST_PERIOD
        };
        let nanos = period.as_nanos() as u64;
        let interval = nanos.div_ceil(count);
        Self {
            interval: if interval == 0 { 1 } else { interval },
            burst,
        }
    }

    /// How many may be at once.
    pub fn burst(self) -> u64 {
        self.burst
    }

    /// After how long one more may be.
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// How long it takes until a whole burst is there again.
    pub fn window(self) -> Duration {
        Duration::from_nanos(self.whole())
    }

    fn whole(self) -> u64 {
        self.interval.saturating_mul(self.burst)
    }

    /// Within what a moment can be: not in the past, and not further ahead than a burst reaches. It is so after the
    /// clock was set back, and then nobody waits for longer than without that.
    fn held(self, arrival: Arrival, now: u64) -> Arrival {
        arrival.clamp(now, now.saturating_add(self.whole()))
    }

    /// Takes one.
    ///
    /// # Errors
    /// None is left: how long until one is.
    pub(super) fn take(self, arrival: Arrival, now: u64) -> Result<Arrival, Duration> {
        let next = self.held(arrival, now).saturating_add(self.interval);
        let most = now.saturating_add(self.whole());
        match next.checked_sub(most) {
            None | Some(0) => Ok(next),
            Some(wait) => Err(Duration::from_nanos(wait)),
        }
    }

    pub(super) fn give_back(self, arrival: Arrival) -> Arrival {
        arrival.saturating_sub(self.interval)
    }

    pub(super) fn left(self, arrival: Arrival, now: u64) -> Left {
        let taken = self.held(arrival, now) - now;
        Left {
            count: (self.whole() - taken) / self.interval,
            whole_in: Duration::from_nanos(taken),
        }
    }
}
