//! Connections that only read.
//!
//! Invariant: they are opened read-only, so no read can change the file, and in WAL mode none
//! waits for the writer. Point reads and ranges have connections of their own: a page that waits
//! for the disk holds up no download.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::available_parallelism;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::store_error;
use super::{STORE, read_only, schema};
use crate::metadata_store::StoreError;

/// Connections for point reads are as many as the runtime has threads by default, within this.
const MAX_POINT_READERS: usize = 16;

/// How many pages or batches are read at the same time; others wait their turn.
const RANGE_READERS: usize = 4;

pub(super) struct Readers {
    points: Vec<Mutex<Connection>>,
    /// Where the next point read begins to look for a free connection.
    turn: AtomicUsize,
    /// Those that nobody is using. Whoever holds a permit finds one.
    ranges: Mutex<Vec<Connection>>,
    range_permits: Arc<Semaphore>,
    /// The file of another process, which every read opens anew (see [`read_only`]); the connections
    /// above are not there then.
    looked_at: Option<PathBuf>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let threads = available_parallelism().map_or(1, usize::from);
        let open_all = |count| -> rusqlite::Result<Vec<Connection>> {
            (0..count).map(|_| schema::open_for_reading(path)).collect()
        };
        let points = open_all(threads.min(MAX_POINT_READERS))?;
        Ok(Self {
            points: points.into_iter().map(Mutex::new).collect(),
            turn: AtomicUsize::new(0),
            ranges: Mutex::new(open_all(RANGE_READERS)?),
            range_permits: Arc::new(Semaphore::new(RANGE_READERS)),
            looked_at: None,
        })
    }

    /// For a file that another process may be using.
    pub(super) fn open_read_only(path: &Path) -> Self {
        Self {
            points: Vec::new(),
            turn: AtomicUsize::new(0),
            ranges: Mutex::default(),
            range_permits: Arc::new(Semaphore::new(RANGE_READERS)),
            looked_at: Some(path.to_owned()),
        }
    }

    /// Runs a read of one row on this thread.
    pub(super) fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if let Some(path) = &self.looked_at {
            return read_only::read(path, read);
        }
        let count = self.points.len().max(1);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let in_turn = || self.points.iter().cycle().skip(turn);
        for connection in in_turn().take(count) {
            match connection.try_lock() {
                Ok(connection) => return read(&connection),
                Err(TryLockError::Poisoned(poisoned)) => return read(&poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // More threads than connections: wait the few microseconds that a point read takes.
        match in_turn().next() {
            Some(connection) => read(&lock(connection)),
            None => Err(rusqlite::Error::InvalidQuery),
        }
    }

    /// Runs a read of many rows on a blocking thread.
    pub(super) async fn range<T: Send + 'static>(
        this: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permits = Arc::clone(&this.range_permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|closed| StoreError::unavailable(STORE, closed))?;
        // The permit goes along: a caller that gives up doesn't stop the read.
        let borrowed = Borrowed {
            connection: lock(&this.ranges).pop(),
            readers: Arc::clone(this),
            _permit: permit,
        };
        let task = tokio::task::spawn_blocking(move || match &borrowed.connection {
            Some(connection) => read(connection).map_err(store_error),
            None if let Some(path) = &borrowed.readers.looked_at => {
                read_only::read(path, read).map_err(store_error)
            }
            None => Err(StoreError::unavailable(STORE, "no connection is left")),
        });
        task.await
            .map_err(|panicked| StoreError::unavailable(STORE, panicked))?
    }
}

/// A connection for ranges with its permit. Dropping gives both back, the connection first, even
/// after a panic.
struct Borrowed {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        lock(&self.readers.ranges).extend(self.connection.take());
    }
}

/// A panic while reading leaves nothing half done in a connection, so poison is no concern.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
