//! What people are told while a service asks to wait.
//!
//! **Invariant:** once in [`NOTE_INTERVAL`], however many files wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::output::Output;

/// How often it is said at most that the service asks to wait.
const NOTE_INTERVAL: Duration = Duration::from_secs(10);

/// Says that the service limits how often it is called: not more often than once in [`NOTE_INTERVAL`], however many
/// files wait.
#[derive(Debug)]
pub(crate) struct WaitNotes {
    output: Output,
    said_at: Mutex<Option<Instant>>,
}

impl WaitNotes {
    /// Those that are said there.
    pub(crate) fn on(output: Output) -> Self {
        Self {
            output,
            said_at: Mutex::default(),
        }
    }

    /// Says it, unless it was said just now.
    pub(crate) fn say(&self, pause: Duration) {
        let now = Instant::now();
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        if said_at.is_none_or(|at| now >= at + NOTE_INTERVAL) {
            *said_at = Some(now);
            let seconds = pause.as_secs();
            self.output.note(&format!(
                "fshare: the service limits how often it is called, and asks to wait {seconds} s: going on then"
            ));
        }
    }
}
