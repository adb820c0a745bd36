//! Points in time, in UTC, with the millisecond precision that the API shows.
//!
//! Invariant: a timestamp that is stored or compared has no digits below the millisecond, so that
//! it reads back equal from every store.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

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

/// RFC 3339 in UTC with milliseconds, as in `2026-01-31T09:05:00.123Z`.
pub fn format_timestamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
