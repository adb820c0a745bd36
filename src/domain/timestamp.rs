//! Points in time, in UTC, with the millisecond precision that the API shows.
//!
//! Invariant: a timestamp that is stored or compared has no digits below the millisecond, so that
//! it reads back equal from every store.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::Invalid;

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

/// Reads a moment that somebody wrote by RFC 3339, in whatever zone.
///
/// # Errors
/// Any other text.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, Invalid> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|at| whole_millis(at.to_utc()));
    parsed.map_err(|_| Invalid::new("must be a time such as 2027-01-31T09:05:00Z"))
}

/// RFC 3339 in UTC with milliseconds, as in `2026-01-31T09:05:00.123Z`.
pub fn format_timestamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
