//! The time of this store, which doesn't believe a wall clock that jumps ahead.
//!
//! A record expires when the store's time is past its upload URL and a grace. If the wall clock is set
//! forwards while a client sends, or wrongly and back again, that moment would come early. So a step
//! against the time since boot is believed only when it has lasted for as long as a URL may be of use.
//!
//! Invariant: never later than the wall clock, and never earlier than it by more than the step. A clock
//! that goes back is believed at once: what is early expires nothing.
//!
//! Absent on purpose: a memory over restarts. A clock that is wrong at the start is taken for right.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::domain::{Timestamp, whole_millis};

/// What the two clocks may differ by since they were compared, before it counts as a step: far more than
/// the wall clock is steered by while files are sent.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How long a step ahead has to last until it is believed: the defaults of `UPLOAD_URL_TTL` and
/// `UPLOAD_GRACE` together.
pub(super) const DEFAULT_HOLD: Duration = Duration::from_secs(30 * 60);

#[derive(Debug)]
pub(super) struct StoreClock {
    hold: Duration,
    state: Mutex<Option<Anchor>>,
}

impl StoreClock {
    pub(super) fn new(hold: Duration) -> Self {
        Self {
            hold,
            state: Mutex::new(None),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.at(whole_millis(chrono::Utc::now()), since_boot())
    }

    fn at(&self, wall: Timestamp, since_boot: Duration) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .get_or_insert(Anchor::at(wall, since_boot))
            .time(wall, since_boot, self.hold)
    }
}

/// With the time during which the machine was suspended. Also where a library puts the wall clock off.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // Neither is ever negative.
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

/// A moment at which both clocks were read, and were believed.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: Timestamp,
    since_boot: Duration,
    step: Option<Step>,
}

/// The wall clock went ahead by `by`, which was noticed at `since_boot`.
#[derive(Debug, Clone, Copy)]
struct Step {
    since_boot: Duration,
    by: Duration,
}

impl Anchor {
    fn at(wall: Timestamp, since_boot: Duration) -> Self {
        Self {
            wall,
            since_boot,
            step: None,
        }
    }

    fn time(&mut self, wall: Timestamp, since_boot: Duration, hold: Duration) -> Timestamp {
        let expected = self.wall + since_boot.saturating_sub(self.since_boot);
        let Ok(ahead) = (wall - expected).to_std() else {
            *self = Self::at(wall, since_boot);
            return wall;
        };
        if ahead <= TOLERANCE {
            self.step = None;
            return wall;
        }
        match self.step {
            Some(step) if ahead <= step.by + TOLERANCE => {
                if since_boot.saturating_sub(step.since_boot) >= hold {
                    *self = Self::at(wall, since_boot);
                    return wall;
                }
            }
            // The first, or a further one, which is as young.
            _ => {
                self.step = Some(Step {
                    since_boot,
                    by: ahead,
                });
            }
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn clock() -> (StoreClock, Timestamp) {
        let start = Timestamp::default();
        let clock = StoreClock::new(30 * MINUTE);
        assert_eq!(clock.at(start, 100 * MINUTE), start);
        (clock, start)
    }

    #[test]
    fn a_step_ahead_is_believed_when_it_has_lasted_as_long_as_a_url_and_its_grace() {
        let (clock, start) = clock();
        let at = |minutes: u32| clock.at(start + (31 + minutes) * MINUTE, (100 + minutes) * MINUTE);
        assert_eq!(at(1), start + MINUTE);
        assert_eq!(at(30), start + 30 * MINUTE);
        assert_eq!(at(31), start + (31 + 31) * MINUTE);
        assert_eq!(at(32), start + (31 + 32) * MINUTE);
    }

    #[test]
    fn a_step_ahead_that_is_taken_back_was_never_believed() {
        let (clock, start) = clock();
        assert_eq!(clock.at(start + 600 * MINUTE, 101 * MINUTE), start + MINUTE);
        assert_eq!(
            clock.at(start + 2 * MINUTE, 102 * MINUTE),
            start + 2 * MINUTE
        );
        // Another one begins anew.
        let again = clock.at(start + 600 * MINUTE, 131 * MINUTE);
        assert_eq!(again, start + 31 * MINUTE);
    }

    #[test]
    fn a_second_step_ahead_is_as_young_as_it_is() {
        let (clock, start) = clock();
        clock.at(start + 20 * MINUTE, 101 * MINUTE);
        clock.at(start + 90 * MINUTE, 120 * MINUTE);
        let held = clock.at(start + 101 * MINUTE, 131 * MINUTE);
        assert_eq!(held, start + 31 * MINUTE);
        let believed = clock.at(start + 120 * MINUTE, 150 * MINUTE);
        assert_eq!(believed, start + 120 * MINUTE);
    }

    #[test]
    fn a_step_back_is_believed_at_once() {
        let (clock, start) = clock();
        let back = start - 40 * MINUTE;
        assert_eq!(clock.at(back, 101 * MINUTE), back);
        // And being put right is a step ahead.
        let right = clock.at(start + 2 * MINUTE, 102 * MINUTE);
        assert_eq!(right, back + MINUTE);
    }

    #[test]
    fn a_clock_that_is_steered_is_followed_and_one_that_was_asleep_too() {
        let (clock, start) = clock();
        let steered = start + 10 * MINUTE + Duration::from_secs(40);
        assert_eq!(clock.at(steered, 110 * MINUTE), steered);
        let asleep = start + 100_000 * MINUTE;
        assert_eq!(clock.at(asleep, 100_100 * MINUTE), asleep);
    }

    #[test]
    fn the_machines_clocks_are_those_that_are_read() {
        let clock = StoreClock::new(MINUTE);
        let before = whole_millis(chrono::Utc::now());
        let now = clock.now();
        assert!(before <= now && now <= chrono::Utc::now());
        assert!(since_boot() > Duration::ZERO);
    }
}
