//! When to try again: later each time, never all at once, and not before the server wants it.
//!
//! **Invariant:** a bounded number of attempts, and none after the deadline.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::time::{Instant, sleep};

/// How often something is tried that fails although somebody is there.
const ATTEMPTS: u32 = 8;
/// How often somebody is called who isn't there: a person wants to know soon.
const CALLS: u32 = 3;
/// The first pause; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// How long one file may take, retries and waiting included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Counts attempts and waits between them.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Deadline,
    failed: u32,
    calls: u32,
}

impl Retry {
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self {
            deadline,
            failed: 0,
            calls: 0,
        }
    }

    /// Waits until it is time for another attempt; false if there shall be none.
    pub(crate) async fn again(&mut self, retry_after: Option<Duration>) -> bool {
        self.failed += 1;
        self.failed < ATTEMPTS && self.pause(self.failed, retry_after).await
    }

    /// Whether there is time for a pause of this length and another attempt.
    pub(crate) fn has_time_for(&self, pause: Duration) -> bool {
        self.failed + 1 < ATTEMPTS && pause < self.deadline.left()
    }

    /// The same after an attempt at which nobody took the connection.
    pub(crate) async fn call_again(&mut self) -> bool {
        self.calls += 1;
        self.calls < CALLS && self.pause(self.calls, None).await
    }

    async fn pause(&self, failed: u32, retry_after: Option<Duration>) -> bool {
        let pause = retry_after.unwrap_or_default().max(back_off(failed));
        if pause >= self.deadline.left() {
            return false;
        }
        sleep(pause).await;
        true
    }
}

/// Between half of the pause and all of it, so that those who failed together don't come back so.
fn back_off(failed: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << (failed - 1).min(16)).min(LONGEST);
    doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// `Retry-After` in seconds. (RFC 9110, 10.2.3; the form with a date isn't of this contract.)
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse();
    seconds.ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        for failed in 1..40 {
            let full = FIRST.saturating_mul(1 << (failed - 1).min(16)).min(LONGEST);
            let pauses: Vec<_> = (0..20).map(|_| back_off(failed)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause >= full / 2 && *pause <= full)
            );
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[tokio::test]
    async fn what_the_server_asks_for_is_waited_for_if_there_is_time() {
        let mut retry = Retry::until(Deadline::after(Duration::from_secs(2)));
        let started = Instant::now();
        assert!(retry.again(Some(Duration::from_secs(1))).await);
        assert!(started.elapsed() >= Duration::from_secs(1));
        assert!(!retry.again(Some(Duration::from_secs(60))).await);
    }
}
