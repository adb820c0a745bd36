//! Objects as files of this machine, one file a version.
//!
//! ```text
//! {data_dir}/lock                      held while a process uses the directory
//! {data_dir}/incoming/…                uploads that are being received; emptied at start
//! {data_dir}/objects/3f/{id}/{version} objects, sharded by the last byte of their ID
//! {data_dir}/objects/3f/{id}           an object from before there were versions
//! {data_dir}/quarantine/{time}-{id}    objects that no record names, for some weeks
//! ```
//!
//! A key is never written while it is taken. Once its object was deleted it may be written again, and then
//! it is another version: what was said of the one is never true of the other.
//!
//! Invariant: what lies under `objects/` is whole, and its bytes are synced. A name there appears once, by a
//! rename that doesn't replace, and its bytes never change after that. No path holds text of a user's.
//!
//! Absent on purpose: a store-verified digest in [`ObjectHead`] (files keep none; the finalizer reads the
//! bytes once).

mod create;
mod data_dir;
mod list;
mod marker;
mod read;
mod receiving;
mod remove;
mod store_clock;
mod synced;
mod take_over;
#[cfg(test)]
mod tests;
mod versions;
mod write_buffer;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

pub use create::{BodyError, CreateError};
pub use data_dir::OpenError;
pub use read::{OpenObject, READ_CHUNK};
pub use receiving::Receiving;
pub use take_over::TakenOver;
pub use versions::Wanted;

use super::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined, StoreError,
};
use crate::disk_space::DiskSpace;
use crate::domain::{ObjectKey, Timestamp, VersionId};
use crate::owner_only_files::check_root;
use data_dir::DataDir;
use receiving::Uploads;
use synced::Synced;

/// What errors call this store.
const NAME: &str = "the object directory";

/// Cheap to clone; all clones hold the one lock on the data directory.
#[derive(Debug, Clone)]
pub struct DiskObjectStore {
    dir: Arc<DataDir>,
    /// Looked at while an object is written.
    space: DiskSpace,
    uploads: Arc<Uploads>,
    synced: Arc<Synced>,
}

impl DiskObjectStore {
    /// Opens `data_dir`, makes what is missing in it, and removes what uploads left behind that
    /// were cut off by a crash. Blocks; meant for the start of a program.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another process (or another store of this one) has it open.
    pub fn open(data_dir: &std::path::Path) -> Result<Self, OpenError> {
        Ok(Self::of(DataDir::open(data_dir)?))
    }

    fn of(dir: DataDir) -> Self {
        Self {
            dir: Arc::new(dir),
            uploads: Uploads::new(store_clock::DEFAULT_HOLD),
            synced: Arc::default(),
            space: DiskSpace::default(),
        }
    }

    /// The same, where an upload may bring bytes for so long after its URL was made: no absence is told as
    /// of a time to which the wall clock has jumped since.
    #[must_use]
    pub fn with_uploads_lasting(self, longest: Duration) -> Self {
        Self {
            uploads: Uploads::new(longest),
            ..self
        }
    }

    /// Says that bytes may be coming for `key`, for as long as what is returned is kept. To be called before
    /// the time of an upload's URL is judged.
    #[must_use]
    pub fn receiving(&self, key: ObjectKey) -> Receiving {
        self.uploads.begin(key)
    }

    /// The same, which takes no objects on while `space` has too little to spare.
    pub fn within(self, space: DiskSpace) -> Self {
        Self { space, ..self }
    }

    /// What it looks at while an object is written.
    pub fn space(&self) -> DiskSpace {
        self.space.clone()
    }

    /// The data directory, by a path without links.
    pub fn data_dir(&self) -> &std::path::Path {
        self.dir.root()
    }

    /// Whether [`Self::open`] would use `data_dir`, which is there. Changes nothing, and doesn't say whether
    /// another process has it open.
    ///
    /// # Errors
    /// Why not.
    pub fn check_data_dir(data_dir: &std::path::Path) -> io::Result<()> {
        check_root(data_dir, data_dir::LOCK)
    }

    /// Opens `data_dir` for reading only, while another process may be using it. Changes nothing;
    /// every write is refused.
    ///
    /// # Errors
    /// [`OpenError::Io`] if there are no objects below it.
    pub fn open_read_only(data_dir: &std::path::Path) -> Result<Self, OpenError> {
        Ok(Self::of(DataDir::open_read_only(data_dir)?))
    }

    /// Opens a version of an object for reading any part of it; `None` if it isn't there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if something else than a file has its name.
    pub async fn open_object(
        &self,
        key: ObjectKey,
        wanted: Wanted,
    ) -> Result<Option<OpenObject>, StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || OpenObject::open(&dir.object_path(key), &wanted)).await
    }

    /// Takes something of an object away.
    async fn remove<T: Send + 'static>(
        &self,
        key: ObjectKey,
        work: impl FnOnce(&DataDir) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        blocking(move || {
            this.dir.writable().map_err(from_io)?;
            this.synced.forget(key);
            work(&this.dir).map_err(from_io)
        })
        .await
    }
}

#[async_trait]
impl ObjectStore for DiskObjectStore {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        let as_of = self.uploads.as_of(key);
        Ok(match self.open_object(key, Wanted::Current).await? {
            Some(object) => Lookup::Found(object.head().clone()),
            None => Lookup::Absent { as_of },
        })
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        let as_of = self.uploads.as_of(key);
        Ok(match self.open_object(key, version_id.into()).await? {
            Some(object) => Lookup::Found(ObjectReader {
                head: object.head().clone(),
                body: object.body(0..object.head().content_length),
            }),
            None => Lookup::Absent { as_of },
        })
    }

    async fn read_range(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Lookup<Bytes>, StoreError> {
        let as_of = self.uploads.as_of(key);
        let Some(object) = self.open_object(key, version_id.into()).await? else {
            return Ok(Lookup::Absent { as_of });
        };
        let mut body = object.body(range);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(Lookup::Found(bytes.freeze()))
    }

    /// There are no tags on a disk.
    async fn tag(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
        _name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        let as_of = self.uploads.as_of(key);
        let wanted = Wanted::Version(version_id.clone());
        Ok(match self.open_object(key, wanted).await? {
            Some(_) => Lookup::Found(None),
            None => Lookup::Absent { as_of },
        })
    }

    /// Has mostly been done when the upload was answered. What this finds undone is an upload that got its
    /// name just now, or before a start of the program.
    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        if self.synced.contains(key) {
            return Ok(());
        }
        let this = self.clone();
        blocking(move || {
            let before = this.synced.before();
            if this.dir.sync_object(key).map_err(from_io)? {
                this.synced.add(key, before);
            }
            Ok(())
        })
        .await
    }

    /// The endpoint takes a key once only, from forms too.
    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        let as_of = self.uploads.as_of(key);
        self.remove(key, move |dir| remove::all_versions(dir, key))
            .await?;
        Ok(as_of)
    }

    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        let now = self.uploads.now();
        self.remove(key, move |dir| remove::aside(dir, key, now))
            .await?;
        Ok(Quarantined::Aside)
    }

    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || {
            dir.writable().map_err(from_io)?;
            remove::end_quarantine(&dir, before).map_err(from_io)
        })
        .await
    }

    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        let named = version_id.clone();
        self.remove(key, move |dir| remove::other_versions(dir, key, &named))
            .await
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let dir = Arc::clone(&self.dir);
        let (as_of, after) = (self.uploads.now(), after.cloned());
        blocking(move || list::list(&dir, as_of, after.as_ref(), limit)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || dir.check().map_err(from_io)).await
    }
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
