//! The only time by which it is decided that something is over.
//!
//! A presigned URL ends by the store's clock, and a process's own clock may be wrong. So whatever is
//! expired, removed or swept is so by a [`StoreTime`], which comes from an answer of the store and is
//! never later than the process's own clock; where the two differ by more than
//! [`MAX_CLOCK_DIFFERENCE`] there is none, and nothing is over.
//!
//! Invariant: there is no way to a [`StoreTime`] but [`StoreTime::agreed`].

use std::time::Duration;

use super::{Timestamp, format_timestamp};

/// How far a process's own clock may be from the store's before it decides nothing by time any more.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// A moment that has come by the store's clock and by the process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreTime(Timestamp);

/// The process's own clock isn't the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process's clock says {} and the store's says {}", format_timestamp(*.own), format_timestamp(*.store))]
pub struct ClocksDiffer {
    /// What the process's own clock said.
    pub own: Timestamp,
    /// What the store's answer said.
    pub store: Timestamp,
}

impl StoreTime {
    /// From an answer of the store with its time, `as_of`, to a call that began at `began` and ended
    /// at `ended` by the process's own clock.
    ///
    /// # Errors
    /// [`ClocksDiffer`] if `as_of` lies further outside than [`MAX_CLOCK_DIFFERENCE`].
    pub fn agreed(
        began: Timestamp,
        ended: Timestamp,
        as_of: Timestamp,
    ) -> Result<Self, ClocksDiffer> {
        let own = if as_of < began { began } else { ended };
        if as_of + MAX_CLOCK_DIFFERENCE < began || as_of > ended + MAX_CLOCK_DIFFERENCE {
            return Err(ClocksDiffer { own, store: as_of });
        }
        Ok(Self(as_of.min(began)))
    }

    /// Whether `moment` is past, or now.
    pub fn has_reached(self, moment: Timestamp) -> bool {
        self.0 >= moment
    }

    /// For what is written down; to compare there is [`Self::has_reached`].
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    fn at(seconds: i64) -> Timestamp {
        from_millis(1_790_000_000_000 + seconds * 1000).unwrap()
    }

    #[test]
    fn the_earlier_of_both_clocks_counts() {
        let agreed = |began, ended, as_of| StoreTime::agreed(at(began), at(ended), at(as_of));
        assert_eq!(agreed(100, 100, 70), Ok(StoreTime(at(70))));
        assert_eq!(agreed(100, 100, 130), Ok(StoreTime(at(100))));
        // The call took long: the store answered some time in it.
        assert_eq!(agreed(100, 400, 390), Ok(StoreTime(at(100))));
    }

    #[test]
    fn clocks_that_differ_by_more_than_a_minute_give_no_time() {
        for (as_of, agrees) in [(39, false), (40, true), (160, true), (161, false)] {
            let agreed = StoreTime::agreed(at(100), at(100), at(as_of));
            assert_eq!(agreed.is_ok(), agrees, "{as_of}");
        }
        let differ = StoreTime::agreed(at(100), at(101), at(4000)).unwrap_err();
        assert_eq!((differ.own, differ.store), (at(101), at(4000)));
    }

    #[test]
    fn a_moment_is_reached_when_it_is_now() {
        let now = StoreTime(at(5));
        assert!(now.has_reached(at(5)) && now.has_reached(at(4)) && !now.has_reached(at(6)));
    }
}
