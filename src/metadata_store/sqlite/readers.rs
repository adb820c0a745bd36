//! The connections that read. In WAL mode they wait for nobody, and nobody for them.
//!
//! Invariant: a connection is used by one thread at a time, and there are never more than
//! [`READERS`].

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::error::store_error;
use super::{STORE, schema};
use crate::metadata_store::StoreError;

/// Twice the processors of the machines that this is meant for: a page may hold one for longer.
const READERS: usize = 4;

pub(super) struct Readers(Vec<Mutex<Connection>>);

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        (0..READERS)
            .map(|_| schema::open_for_reading(path).map(Mutex::new))
            .collect::<rusqlite::Result<_>>()
            .map(Self)
    }

    /// Reads a row on this thread.
    pub(super) fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        read(&self.free())
    }

    /// Reads a range of rows on a thread that may block.
    pub(super) async fn range<T: Send + 'static>(
        readers: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(readers);
        tokio::task::spawn_blocking(move || readers.point(read))
            .await
            .map_err(|error| StoreError::unavailable(STORE, error))?
            .map_err(store_error)
    }

    /// A connection that nobody uses, else the turn at one of them. A panic while one was held
    /// leaves it as it was: reads change nothing.
    fn free(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.0 {
            match reader.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let one = fastrand::usize(..self.0.len());
        self.0[one].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
