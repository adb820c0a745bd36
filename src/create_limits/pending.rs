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
use crate::domain::{FileId, Timestamp};

/// How long a create counts whose client went away in the middle: as long as a file waits for its bytes by default.
pub(super) const BROKEN_OFF_FOR: Duration = Duration::from_secs(30 * 60);
/// Where so many files are counted, what is broken off counts no more: most of it made none, since the database has
/// its own limit, and somebody with many addresses would fill the memory with it.
pub(super) const MAX_WITH_BROKEN_OFF: usize = 100_000;

/// Cheap to clone; all clones count the same.
#[derive(Debug, Clone)]
pub struct PendingByAddress {
    limit: usize,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    /// With the creates that are being made.
    by_client: HashMap<ClientNetwork, usize>,
    files: HashMap<FileId, (ClientNetwork, Timestamp)>,
    by_end: BTreeSet<(Timestamp, FileId)>,
}

impl PendingByAddress {
    /// At most `limit` for each.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            counted: Arc::default(),
        }
    }

    pub(super) fn claim(
        &self,
        client: ClientNetwork,
        now: Timestamp,
    ) -> Result<Claim, TooManyCreates> {
        let mut counted = self.counted();
        counted.forget_what_is_over(now);
        let count = counted.by_client.entry(client).or_default();
        if *count >= self.limit {
            if *count == 0 {
                counted.by_client.remove(&client);
            }
            return Err(TooManyCreates);
        }
        *count += 1;
        Ok(Claim {
            of: Some((self.clone(), client)),
            claimed_at: now,
        })
    }

    /// The file isn't pending any more.
    pub fn forget(&self, id: FileId) {
        self.counted().forget(id);
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// Counts a file in place of the create that made it.
    fn add(&mut self, id: FileId, client: ClientNetwork, over_at: Timestamp) {
        // The same create again, by its idempotency key.
        if self.files.contains_key(&id) {
            return self.give_back(client);
        }
        self.files.insert(id, (client, over_at));
        self.by_end.insert((over_at, id));
    }

    fn forget(&mut self, id: FileId) {
        if let Some((client, over_at)) = self.files.remove(&id) {
            self.by_end.remove(&(over_at, id));
            self.give_back(client);
        }
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        while let Some((over_at, id)) = self.by_end.first().copied()
            && over_at <= now
        {
            self.forget(id);
        }
    }

    fn give_back(&mut self, client: ClientNetwork) {
        if let Some(count) = self.by_client.get_mut(&client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_client.remove(&client);
            }
        }
    }
}

/// A place, until it is said what came of it. One of which nothing is said is kept.
#[derive(Debug)]
pub(super) struct Claim {
    of: Option<(PendingByAddress, ClientNetwork)>,
    claimed_at: Timestamp,
}

impl Claim {
    pub(super) fn keep(mut self, id: FileId, over_at: Timestamp) {
        if let Some((pending, client)) = self.of.take() {
            pending.counted().add(id, client, over_at);
        }
    }

    pub(super) fn give_back(mut self) {
        if let Some((pending, client)) = self.of.take() {
            pending.counted().give_back(client);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some((pending, client)) = self.of.take() else {
            return;
        };
        let mut counted = pending.counted();
        if counted.files.len() >= MAX_WITH_BROKEN_OFF {
            counted.give_back(client);
        } else {
            // Under an ID that no file has: the one of the file isn't known here, if there is one.
            let over_at = self.claimed_at + BROKEN_OFF_FOR;
            counted.add(FileId::new(self.claimed_at), client, over_at);
        }
    }
}
