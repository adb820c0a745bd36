//! Points in time, in UTC, with the millisecond precision that the API shows.
//!
//! Invariant: a timestamp that is stored or compared has no digits below the millisecond, so that
//! it reads back equal from every store.

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, Utc};

use super::Invalid;

/// The last year that RFC 3339 can write.
const LAST_YEAR: i32 = 9_999;

/// A moment in UTC.
pub type Timestamp = DateTime<Utc>;

/// The same moment without what is below the millisecond.
pub fn whole_millis(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(3)
}

/// The moment that lies `millis` milliseconds after the Unix epoch; `None` beyond chrono's range.
pub fn from_millis(millis: i64) -> Option<Timestamp> {
    DateTime::from_timestamp_millis(millis)
}

/// Reads a moment that somebody wrote by RFC 3339, in whatever zone. A leap second is the first one of the next
/// minute, as for every clock that counts seconds since the epoch.
///
/// # Errors
/// Any other text, and what is no year of four digits in UTC: RFC 3339 has no word for it.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, Invalid> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .map_err(|_| Invalid::new("must be a time such as 2027-01-31T09:05:00Z"))?;
    from_millis(parsed.timestamp_millis())
        .filter(|at| (0..=LAST_YEAR).contains(&at.year()))
        .ok_or_else(|| Invalid::new("must be a time from the year 0 to the year 9999, in UTC"))
}

/// RFC 3339 in UTC with milliseconds, as in `2026-01-31T09:05:00.123Z`.
pub fn format_timestamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_rfc_3339_can_not_write_in_utc_is_refused() {
        for text in [
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:60Z",
            "+10000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "2027-02-30T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T09:05:00+24:00",
            "2027-01-31T09:05:00",
            "2027-01-31T09:05:61Z",
            "",
        ] {
            assert!(parse_timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_first_of_the_next_minute_and_a_zone_is_counted_in() {
        for (text, same) in [
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250Z"),
            ("2027-06-30T23:59:60+02:00", "2027-06-30T22:00:00.000Z"),
            ("2027-01-31t09:05:00.1239z", "2027-01-31T09:05:00.123Z"),
            ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
            ("2027-01-31T09:05:00-00:00", "2027-01-31T09:05:00.000Z"),
        ] {
            let read = parse_timestamp(text).map(format_timestamp);
            assert_eq!(read.as_deref(), Ok(same), "{text}");
        }
    }

    proptest! {
        /// Else a record wouldn't read back as it was written.
        #[test]
        fn whatever_is_taken_for_a_time_reads_back_from_its_milliseconds_and_from_its_text(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,12})?([zZ]|[+-][0-2][0-9]:[0-6][0-9])"
        ) {
            if let Ok(at) = parse_timestamp(&text) {
                prop_assert_eq!(from_millis(at.timestamp_millis()), Some(at));
                prop_assert_eq!(whole_millis(at), at);
                prop_assert_eq!(parse_timestamp(&format_timestamp(at)), Ok(at));
            }
        }

        #[test]
        fn no_text_upsets_the_reader(text in "(?s:.{0,40})") {
            let _ = parse_timestamp(&text);
        }
    }
}
