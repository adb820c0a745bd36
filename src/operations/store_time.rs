//! The store's time beside the process's own clock.
//!
//! Invariant: every decision that something is over goes through here. The process's own clock says
//! when something was asked for; only [`TimedCall`] says what has passed ([`StoreTime`]).
//!
//! Absent on purpose: a correction of the clock. Where it is wrong, somebody has to set it; until then
//! nothing is expired, removed or swept, and what arrives is finalized as ever.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Stores;
use crate::clock::Clock;
use crate::domain::{ClocksDiffer, FileId, ObjectKey, StoreTime, Timestamp};
use crate::object_store::Lookup;
use crate::store_error::StoreError;

/// How often a process says that its clock is wrong.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// When this process said it last.
static SAID_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// A call of the object store, by the process's own clock.
pub(super) struct TimedCall<'a> {
    clock: &'a dyn Clock,
    began: Timestamp,
}

impl TimedCall<'_> {
    /// What has passed, once the store has answered with its own time.
    ///
    /// # Errors
    /// If the clocks don't agree: then nothing is over. A store that holds its time back for an upload
    /// that it is receiving looks the same.
    pub(super) fn agree(&self, as_of: Timestamp) -> Result<StoreTime, ClocksDiffer> {
        StoreTime::agreed(self.began, self.clock.now(), as_of)
    }
}

impl Stores {
    /// To be begun just before the call, so that what comes during the call counts as later.
    pub(super) fn timed_call(&self) -> TimedCall<'_> {
        TimedCall {
            clock: self.clock.as_ref(),
            began: self.clock.now(),
        }
    }

    /// The present by whichever clock is behind: by this nothing is over that has to stay.
    ///
    /// # Errors
    /// If the store doesn't answer.
    pub(super) async fn earlier_now(&self) -> Result<Timestamp, StoreError> {
        Ok(match self.compare_clocks().await? {
            Ok(now) => now.timestamp(),
            Err(differ) => differ.own.min(differ.store),
        })
    }

    /// The present by the store's clock, whatever this process's own says.
    ///
    /// # Errors
    /// If the store doesn't answer.
    pub(super) async fn store_now(&self) -> Result<Timestamp, StoreError> {
        Ok(match self.compare_clocks().await? {
            Ok(now) => now.timestamp(),
            Err(differ) => differ.store,
        })
    }

    /// Asks the object store for its time, by a look at a key that nobody has, and compares it with the
    /// process's own. Says so loudly, once a minute at most, if they differ.
    ///
    /// # Errors
    /// If the store doesn't answer.
    pub async fn compare_clocks(&self) -> Result<Result<StoreTime, ClocksDiffer>, StoreError> {
        let call = self.timed_call();
        let nobodys = ObjectKey::new(FileId::new(call.began));
        let as_of = match self.objects.read(nobodys, None).await? {
            Lookup::Absent { as_of } => as_of,
            Lookup::Found(reader) => reader.head.last_modified,
        };
        let agreed = call.agree(as_of);
        if let Err(differ) = &agreed
            && is_time_to_say_it()
        {
            tracing::error!(
                %differ,
                "the clock of this machine or of the store is wrong: set it (NTP). Until they agree \
                 within a minute this process expires, removes and sweeps nothing"
            );
        }
        Ok(agreed)
    }
}

fn is_time_to_say_it() -> bool {
    let mut said_at = SAID_AT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_due = said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY);
    if is_due {
        *said_at = Some(Instant::now());
    }
    is_due
}
