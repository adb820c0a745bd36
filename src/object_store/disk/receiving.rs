//! The uploads that are being received, and what the store may say of a key while they are.
//!
//! Whoever finds no object concludes something from it: that an upload URL ran out unused, that a record
//! isn't needed any more. While bytes of such an upload still come, that is wrong. So an absence is told
//! as of the moment at which the earliest of them began.
//!
//! Invariant: an upload is registered before its URL's time is judged, and until its object has its name
//! or nothing is left of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::store_clock::StoreClock;
use crate::domain::{ObjectKey, Timestamp};

#[derive(Debug)]
pub(super) struct Uploads {
    clock: StoreClock,
    in_progress: Mutex<InProgress>,
}

#[derive(Debug, Default)]
struct InProgress {
    /// As many as the server lets send at a time.
    by_key: HashMap<ObjectKey, Vec<(u64, Timestamp)>>,
    next: u64,
}

impl Uploads {
    pub(super) fn new(hold: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock: StoreClock::new(hold),
            in_progress: Mutex::default(),
        })
    }

    /// The store's time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// As of when an absence may be told that is looked for after this call.
    pub(super) fn as_of(&self, key: ObjectKey) -> Timestamp {
        let in_progress = self.in_progress();
        // Under the lock: an upload that isn't registered yet begins later than this.
        let now = self.clock.now();
        let uploads = in_progress.by_key.get(&key).into_iter().flatten();
        uploads.map(|(_, begun_at)| *begun_at).fold(now, Ord::min)
    }

    pub(super) fn begin(self: &Arc<Self>, key: ObjectKey) -> Receiving {
        let mut in_progress = self.in_progress();
        let now = self.clock.now();
        let id = in_progress.next;
        in_progress.next += 1;
        in_progress.by_key.entry(key).or_default().push((id, now));
        drop(in_progress);
        Receiving {
            uploads: Arc::clone(self),
            key,
            id,
        }
    }

    fn in_progress(&self) -> MutexGuard<'_, InProgress> {
        self.in_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that may be being received, until this is dropped.
#[derive(Debug)]
pub struct Receiving {
    uploads: Arc<Uploads>,
    key: ObjectKey,
    id: u64,
}

impl Receiving {
    /// Its URL was found to be good at this moment, by the clock that judges URLs. If that is earlier than
    /// when it was registered, the wall clock was set back in between.
    pub fn judged_at(&self, time: Timestamp) {
        let mut in_progress = self.uploads.in_progress();
        let own = in_progress.by_key.get_mut(&self.key).into_iter().flatten();
        for (_, begun_at) in own.filter(|(id, _)| *id == self.id) {
            *begun_at = time.min(*begun_at);
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut in_progress = self.uploads.in_progress();
        if let Some(own) = in_progress.by_key.get_mut(&self.key) {
            own.retain(|(id, _)| *id != self.id);
            if own.is_empty() {
                in_progress.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileId;

    #[test]
    fn the_earliest_upload_counts_and_each_only_while_it_lasts() {
        let uploads = Uploads::new(Duration::ZERO);
        let [key, other] = [(); 2].map(|()| ObjectKey::new(FileId::new(chrono::Utc::now())));
        let before = uploads.now();
        let first = uploads.begin(key);
        let began = uploads.as_of(key);
        assert!(before <= began && began <= uploads.now());
        let second = uploads.begin(key);
        let earlier = began - Duration::from_secs(5);
        second.judged_at(earlier);
        assert_eq!(uploads.as_of(key), earlier);
        assert!(uploads.as_of(other) >= began);
        drop(second);
        assert_eq!(uploads.as_of(key), began);
        first.judged_at(chrono::Utc::now());
        assert_eq!(uploads.as_of(key), began);
        drop(first);
        assert!(uploads.in_progress().by_key.is_empty());
    }
}
