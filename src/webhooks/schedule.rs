//! When a message that wasn't taken is sent again.
//!
//! Invariant: the pauses grow, are different for two messages that failed together, and end a day after the first try.

use std::time::Duration;

use crate::domain::Timestamp;

/// For how long after the first try a message is tried.
pub(super) const TRIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

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

/// When a message that failed at `now`, for the `attempts`th time, is sent again; `asked`: not before so long, as the
/// receiver said. `None`: its day is over.
pub(super) fn next_try(
    attempts: u32,
    tried_since: Timestamp,
    now: Timestamp,
    asked: Option<Duration>,
) -> Option<Timestamp> {
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = PAUSES[at.min(PAUSES.len() - 1)];
    let pause = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
    let next = now + pause.max(asked.unwrap_or_default());
    (next <= tried_since + TRIED_FOR).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    #[test]
    fn a_message_is_tried_some_dozen_times_in_a_day_and_then_no_more() {
        let first = from_millis(1_790_000_000_000).unwrap();
        let (mut now, mut attempts, mut gaps) = (first, 1, Vec::new());
        while let Some(next) = next_try(attempts, first, now, None) {
            gaps.push((next - now).to_std().unwrap());
            (now, attempts) = (next, attempts + 1);
        }
        assert!((10..=16).contains(&gaps.len()), "{gaps:?}");
        assert!(gaps[0] <= Duration::from_secs(6) && gaps[0] >= Duration::from_secs(4));
        assert!(now > first + TRIED_FOR - Duration::from_secs(5 * 60 * 60));
        assert!(now <= first + TRIED_FOR);
        assert_eq!(next_try(u32::MAX, first, first + TRIED_FOR, None), None);
        // A clock that was turned back makes nothing overflow.
        assert!(next_try(1, first, first - TRIED_FOR, None).is_some());
    }

    #[test]
    fn who_asks_to_wait_is_waited_for_within_the_day() {
        let first = from_millis(1_790_000_000_000).unwrap();
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(next_try(1, first, first, Some(hour)), Some(first + hour));
        assert_eq!(next_try(1, first, first, Some(hour * 25)), None);
    }
}
