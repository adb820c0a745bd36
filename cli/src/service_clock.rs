//! What time it is for the service: what "in an hour" means to whoever gives others until then.
//!
//! **Invariant:** where an answer said it, times from now on count from the service's clock, however wrong this machine's
//! is. Nothing else is decided by it.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use http::header::DATE;

/// The header has whole seconds, and an answer takes its time: what is nearer than this is the same.
const NEAR: TimeDelta = TimeDelta::seconds(3);

/// By how much the service's clock is ahead of this machine's, as the last answer said.
#[derive(Debug, Default)]
pub(crate) struct ServiceClock(Mutex<TimeDelta>);

impl ServiceClock {
    /// Takes the time of an answer that came just now (RFC 9110, 6.6.1).
    pub(crate) fn note(&self, headers: &HeaderMap) {
        self.note_at(headers, Utc::now());
    }

    fn note_at(&self, headers: &HeaderMap, now: DateTime<Utc>) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let Some(theirs) = date.filter(|date| *date > SystemTime::UNIX_EPOCH) else {
            return;
        };
        let ahead = DateTime::<Utc>::from(theirs) - now;
        let is_near = ahead.abs() < NEAR;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = if is_near { TimeDelta::zero() } else { ahead };
    }

    /// Its time; this machine's, as long as no answer said any.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.at(Utc::now())
    }

    fn at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let ahead = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.checked_add_signed(ahead).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_by_the_last_answer_that_said_something() {
        let now = DateTime::parse_from_rfc3339("2027-01-31T12:00:00.400Z").unwrap();
        let now = now.to_utc();
        let clock = ServiceClock::default();
        let note = |date: &str| {
            let headers = HeaderMap::from_iter([(DATE, date.parse().unwrap())]);
            clock.note_at(&headers, now);
            (clock.at(now) - now).num_seconds()
        };
        assert_eq!(note("Sun, 31 Jan 2027 13:00:00 GMT"), 3599);
        assert_eq!(note("yesterday"), 3599);
        assert_eq!(note("Fri, 29 Jan 2027 12:00:00 GMT"), -2 * 86_400);
        assert_eq!(note("Sun, 31 Jan 2027 11:59:58 GMT"), 0);
        clock.note_at(&HeaderMap::new(), now);
        assert_eq!(clock.at(now), now);
    }
}
