//! Objects as files of this machine, one file an object.
//!
//! ```text
//! {data_dir}/lock            held while a process uses the directory
//! {data_dir}/incoming/…      uploads that are being received; emptied at start
//! {data_dir}/objects/3f/{id} objects, sharded by the last byte of their ID
//! ```
//!
//! Invariant: what lies under `objects/` is whole and synced. A name there appears once, by a rename
//! that doesn't replace, and its bytes never change after that. No path holds text of a user's.
//!
//! Absent on purpose: versions (a key is never written twice) and a store-verified digest in
//! [`ObjectHead`] (files keep none; the finalizer reads the bytes once).

mod create;
mod data_dir;
mod list;
mod read;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

pub use create::{BodyError, CreateError};
pub use data_dir::OpenError;
pub use read::{OpenObject, READ_CHUNK};

use super::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined, StoreError,
};
use crate::disk_space::DiskSpace;
use crate::domain::{ObjectKey, Timestamp, VersionId, whole_millis};
use data_dir::DataDir;

/// What errors call this store.
const NAME: &str = "the object directory";

/// Cheap to clone; all clones hold the one lock on the data directory.
#[derive(Debug, Clone)]
pub struct DiskObjectStore {
    dir: Arc<DataDir>,
    /// Looked at while an object is written.
    space: DiskSpace,
}

impl DiskObjectStore {
    /// Opens `data_dir`, makes what is missing in it, and removes what uploads left behind that
    /// were cut off by a crash. Blocks; meant for the start of a program.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another process (or another store of this one) has it open.
    pub fn open(data_dir: &std::path::Path) -> Result<Self, OpenError> {
        Ok(Self {
            dir: Arc::new(DataDir::open(data_dir)?),
            space: DiskSpace::default(),
        })
    }

    /// The same, which takes no objects on while `space` has too little to spare.
    pub fn within(self, space: DiskSpace) -> Self {
        Self { space, ..self }
    }

    /// The data directory, by a path without links.
    pub fn data_dir(&self) -> &std::path::Path {
        self.dir.root()
    }

    /// Opens `data_dir` for reading only, while another process may be using it. Changes nothing;
    /// every write is refused.
    ///
    /// # Errors
    /// [`OpenError::Io`] if there are no objects below it.
    pub fn look_at(data_dir: &std::path::Path) -> Result<Self, OpenError> {
        Ok(Self {
            dir: Arc::new(DataDir::look_at(data_dir)?),
            space: DiskSpace::default(),
        })
    }

    /// Opens an object for reading any part of it; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if something else than a file has its name.
    pub async fn open_object(&self, key: ObjectKey) -> Result<Option<OpenObject>, StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || OpenObject::open(&dir.object_path(key))).await
    }
}

#[async_trait]
impl ObjectStore for DiskObjectStore {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        let as_of = now();
        Ok(match self.open_object(key).await? {
            Some(object) => Lookup::Found(object.head().clone()),
            None => Lookup::Absent { as_of },
        })
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        let as_of = now();
        if version_id.is_some() {
            // Nothing here ever had a version ID.
            return Ok(Lookup::Absent { as_of });
        }
        Ok(match self.open_object(key).await? {
            Some(object) => Lookup::Found(ObjectReader {
                head: object.head().clone(),
                body: object.body(0..object.head().content_length),
            }),
            None => Lookup::Absent { as_of },
        })
    }

    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || dir.sync_shard(key).map_err(from_io)).await
    }

    /// The endpoint takes a key once only, from forms too.
    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || {
            dir.writable().map_err(from_io)?;
            let as_of = now();
            match std::fs::remove_file(dir.object_path(key)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                // Synced even if the file was missing: the one who removed it may not have come
                // to that.
                _ => dir.sync_shard(key),
            }
            .map_err(from_io)?;
            Ok(as_of)
        })
        .await
    }

    async fn quarantine(&self, _: ObjectKey) -> Result<Quarantined, StoreError> {
        Ok(Quarantined::NotSupported)
    }

    async fn end_quarantine(&self, _: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Nothing here ever had a version ID.
    async fn delete_other_versions(&self, _: ObjectKey, _: &VersionId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let dir = Arc::clone(&self.dir);
        let after = after.cloned();
        blocking(move || list::list(&dir, after.as_ref(), limit)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || dir.check().map_err(from_io)).await
    }
}

fn now() -> Timestamp {
    whole_millis(chrono::Utc::now())
}

fn from_io(error: io::Error) -> StoreError {
    StoreError::from_io(NAME, error)
}

/// Runs file system calls off the threads that serve requests.
async fn blocking<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The work panicked, or the runtime is shutting down.
        Err(error) => Err(StoreError::unavailable(NAME, error).into()),
    }
}
