//! How many messages wait to be told, and how many there was no room for.
//!
//! Invariant: that of [`RowCount`]. What was left out is said in the log with its number, [`SAY_EVERY`] at most: at once,
//! and what came after that as soon as anything changes in the outbox again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::row_count::RowCount;

/// Along the index, once at the start.
const COUNT: &str = "SELECT count(*) FROM outbox INDEXED BY outbox_by_due";

/// How often it is said that messages are left out.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Shared by the writer and the commands that it runs.
#[derive(Debug, Default)]
pub(super) struct OutboxCount {
    rows: RowCount,
    left_out: Mutex<LeftOut>,
}

#[derive(Debug, Default)]
struct LeftOut {
    /// Since the store was opened.
    total: u64,
    said: u64,
    said_at: Option<Instant>,
}

impl LeftOut {
    /// The number that is to be said now.
    fn due_to_say(&mut self, now: Instant) -> Option<u64> {
        let is_time = self
            .said_at
            .is_none_or(|at| now.saturating_duration_since(at) >= SAY_EVERY);
        if self.total == self.said || !is_time {
            return None;
        }
        (self.said, self.said_at) = (self.total, Some(now));
        Some(self.total)
    }
}

impl OutboxCount {
    /// `limit`: how many may wait.
    pub(super) fn of(connection: &Connection, limit: u64) -> rusqlite::Result<Self> {
        let count = connection.query_row(COUNT, [], |row| row.get(0))?;
        Ok(Self {
            rows: RowCount::of(count, Some(limit)),
            left_out: Mutex::default(),
        })
    }

    pub(super) fn rows(&self) -> &RowCount {
        &self.rows
    }

    /// After the commit, also of nothing: so many were left out.
    pub(super) fn left_out(&self, messages: u64) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.total = left_out.total.saturating_add(messages);
        if let Some(total) = left_out.due_to_say(Instant::now()) {
            tracing::error!(
                total,
                "the outbox of webhooks is full: so many messages were left out since the start and are never \
                 sent. What waits there is sent once the receiver of WEBHOOK_URL takes it"
            );
        }
    }

    /// How many were left out since the store was opened.
    #[cfg(test)]
    pub(super) fn total_left_out(&self) -> u64 {
        self.left_out.lock().unwrap().total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said_at_once_then_once_a_minute_and_to_the_last() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.due_to_say(at(0)), None);
        left_out.total = 1;
        assert_eq!(left_out.due_to_say(at(0)), Some(1));
        left_out.total = 7;
        assert_eq!(left_out.due_to_say(at(59)), None);
        assert_eq!(left_out.due_to_say(at(60)), Some(7));
        assert_eq!(left_out.due_to_say(at(600)), None, "it is said already");
    }
}
