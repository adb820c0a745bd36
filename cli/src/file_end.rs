//! When something is to end, as a person says it: a file, a link, a box.
//!
//! **Invariant:** what the service gets is a moment in UTC. A time from now on counts from when that is said, by whatever
//! clock the caller goes by.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

const EXAMPLES: &str = "must be a time such as 12h, 7d or 2w, or 2027-01-31T09:05:00+01:00";

/// The end of a file that is kept for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileEnd {
    After(Duration),
    At(DateTime<Utc>),
}

impl FileEnd {
    /// Reads a number with a unit (s, m, h, d, w), or a moment by RFC 3339.
    ///
    /// # Errors
    /// Any other text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => return Err(EXAMPLES.to_owned()),
        };
        let number: Option<u64> = number.parse().ok().filter(|number| *number > 0);
        let after = number
            .and_then(|number| number.checked_mul(seconds))
            .map(Duration::from_secs);
        // What lies beyond the calendar can't be said to the service.
        after
            .filter(|after| end(Utc::now(), *after).is_some())
            .map(Self::After)
            .ok_or_else(|| EXAMPLES.to_owned())
    }

    /// For a file that is created at `now`.
    pub(crate) fn of_a_file(self, now: DateTime<Utc>) -> String {
        let at = match self {
            Self::At(at) => at,
            Self::After(after) => end(now, after).unwrap_or(DateTime::<Utc>::MAX_UTC),
        };
        at.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// `None` beyond the year 9999, which RFC 3339 has no words for.
fn end(now: DateTime<Utc>, after: Duration) -> Option<DateTime<Utc>> {
    use chrono::Datelike;
    let after = chrono::TimeDelta::from_std(after).ok()?;
    let end = now.checked_add_signed(after);
    end.filter(|end| end.year() <= 9999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_said_as_a_time_from_now_on_or_as_a_moment_in_any_zone() {
        let now = DateTime::parse_from_rfc3339("2026-11-27T08:00:00Z").unwrap();
        let end = |text| FileEnd::parse(text).map(|end| end.of_a_file(now.to_utc()));
        for (text, expected) in [
            ("90s", "2026-11-27T08:01:30.000Z"),
            ("12h", "2026-11-27T20:00:00.000Z"),
            ("7d", "2026-12-04T08:00:00.000Z"),
            ("2w", "2026-12-11T08:00:00.000Z"),
            ("2027-01-31T09:05:00+01:00", "2027-01-31T08:05:00.000Z"),
            ("2027-01-31 09:05:00.25Z", "2027-01-31T09:05:00.250Z"),
        ] {
            assert_eq!(end(text).as_deref(), Ok(expected), "{text}");
        }
        let never = "99999999999999999999d";
        for text in [
            "",
            "7",
            "d",
            "0d",
            "-1d",
            "7 days",
            "tomorrow",
            "2027-01-31",
            "9999999d",
            never,
        ] {
            let refused = end(text).unwrap_err();
            assert!(refused.contains("7d"), "{text}: {refused}");
        }
    }
}
