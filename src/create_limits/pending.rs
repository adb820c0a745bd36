//! How many files of an address wait for their bytes.
//!
//! Invariant: a file is counted once, from its create until it leaves `pending` or its time is over,
//! whichever is first, and what is kept is as much as there are such files. A create that was broken off counts for
//! [`BROKEN_OFF_FOR`], since nobody knows whether it made one.
//!
//! Absent on purpose: a memory beyond this process. After a restart everybody begins with none; the limit
//! on all pending files, which the database counts, holds on.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::TooManyCreates;
use crate::client_address::ClientNetwork;
use crate::domain::{BoxId, FileId, Timestamp};

/// How long a create counts whose client went away in the middle: as long as a file waits for its bytes by default.
pub(super) const BROKEN_OFF_FOR: Duration = Duration::from_secs(30 * 60);
/// Where so many files are counted, what is broken off counts no more: most of it made none, since the database has
/// its own limit, and somebody with many addresses would fill the memory with it.
pub(super) const MAX_WITH_BROKEN_OFF: usize = 100_000;

/// Cheap to clone; all clones count the same.
#[derive(Debug, Clone)]
pub struct PendingByAddress {
    limit: usize,
    counted: Shared,
    /// The hand-ins among them, by box.
    in_boxes: Shared,
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Counted>>);

/// What has a limit of its own: an address, or one in a box.
type Place = (ClientNetwork, Option<BoxId>);

#[derive(Debug, Default)]
struct Counted {
    /// With the creates that are being made.
    by_place: HashMap<Place, usize>,
    files: HashMap<FileId, (Place, Timestamp)>,
    by_end: BTreeSet<(Timestamp, FileId)>,
}

impl PendingByAddress {
    /// At most `limit` for each.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            counted: Shared::default(),
            in_boxes: Shared::default(),
        }
    }

    pub(super) fn claim(
        &self,
        client: ClientNetwork,
        now: Timestamp,
    ) -> Result<Claim, TooManyCreates> {
        self.counted.claim((client, None), self.limit, now)
    }

    /// The same in one box, of which `limit` is.
    pub(super) fn claim_in_box(
        &self,
        client: ClientNetwork,
        id: BoxId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Claim, TooManyCreates> {
        self.in_boxes.claim((client, Some(id)), limit, now)
    }

    /// The file isn't pending any more.
    pub fn forget(&self, id: FileId) {
        self.counted.lock().forget(id);
        self.in_boxes.lock().forget(id);
    }

    pub(super) fn extend(&self, id: FileId, over_at: Timestamp) {
        self.counted.lock().extend(id, over_at);
        self.in_boxes.lock().extend(id, over_at);
    }
}

impl Shared {
    fn claim(&self, place: Place, limit: usize, now: Timestamp) -> Result<Claim, TooManyCreates> {
        let mut counted = self.lock();
        counted.forget_what_is_over(now);
        let count = counted.by_place.entry(place).or_default();
        if *count >= limit {
            if *count == 0 {
                counted.by_place.remove(&place);
            }
            return Err(TooManyCreates);
        }
        *count += 1;
        Ok(Claim {
            of: Some((self.clone(), place)),
            claimed_at: now,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// Counts a file in place of the create that made it.
    fn add(&mut self, id: FileId, place: Place, over_at: Timestamp) {
        // The same create again, by its idempotency key.
        if self.files.contains_key(&id) {
            return self.give_back(place);
        }
        self.files.insert(id, (place, over_at));
        self.by_end.insert((over_at, id));
    }

    fn forget(&mut self, id: FileId) {
        if let Some((place, over_at)) = self.files.remove(&id) {
            self.by_end.remove(&(over_at, id));
            self.give_back(place);
        }
    }

    fn extend(&mut self, id: FileId, over_at: Timestamp) {
        if let Some((place, before)) = self.files.get(&id).copied() {
            self.by_end.remove(&(before, id));
            self.files.insert(id, (place, over_at));
            self.by_end.insert((over_at, id));
        }
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        while let Some((over_at, id)) = self.by_end.first().copied()
            && over_at <= now
        {
            self.forget(id);
        }
    }

    fn give_back(&mut self, place: Place) {
        if let Some(count) = self.by_place.get_mut(&place) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_place.remove(&place);
            }
        }
    }
}

/// A place, until it is said what came of it. One of which nothing is said is kept.
#[derive(Debug)]
pub(super) struct Claim {
    of: Option<(Shared, Place)>,
    claimed_at: Timestamp,
}

impl Claim {
    pub(super) fn keep(mut self, id: FileId, over_at: Timestamp) {
        if let Some((pending, place)) = self.of.take() {
            pending.lock().add(id, place, over_at);
        }
    }

    pub(super) fn give_back(mut self) {
        if let Some((pending, place)) = self.of.take() {
            pending.lock().give_back(place);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some((pending, place)) = self.of.take() else {
            return;
        };
        let mut counted = pending.lock();
        if counted.files.len() >= MAX_WITH_BROKEN_OFF {
            counted.give_back(place);
        } else {
            // Under an ID that no file has: the one of the file isn't known here, if there is one.
            let over_at = self.claimed_at + BROKEN_OFF_FOR;
            counted.add(FileId::new(self.claimed_at), place, over_at);
        }
    }
}
