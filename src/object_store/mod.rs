//! The port to the bytes: what the service itself does with objects, which is to look at them,
//! to read and list them, and to delete them. Clients write and fetch through presigned URLs.
//!
//! Invariant: everything that one [`ObjectHead`] says is of one version of one object.
//!
//! Absent on purpose: writing. No code of ours can change the bytes of a file.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "server")]
pub mod disk;
pub mod intercepted;
pub mod measured;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
pub mod s3;

use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::domain::{ObjectKey, Sha256Digest, Timestamp, VersionId};
pub use crate::store_error::StoreError;

/// What a store says of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// `None` where the store has no versions.
    pub version_id: Option<VersionId>,
    /// In bytes.
    pub content_length: u64,
    /// The digest of the whole object, if the store computed and compared it itself when the bytes
    /// came in. Never an ETag, never a checksum of checksums.
    pub sha256: Option<Sha256Digest>,
    /// When the store had these bytes, by the store's clock.
    pub last_modified: Timestamp,
    /// Whether an upload that was handed out may still put other bytes in place of these: an object
    /// without a version in a bucket that had versions, and took forms, before they were suspended.
    pub replaceable: bool,
}

/// What a store answers to a look at an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// There is no such object (any more).
    Absent {
        /// The store's own time, at which this was so. Bytes of an upload that the store began to take
        /// before that moment and still takes may come later; a store that knows of such an upload says
        /// the moment at which it began, so that nobody concludes too much from the absence.
        as_of: Timestamp,
    },
}

impl<T> Lookup<T> {
    /// What was found, for whoever needn't know when it wasn't there.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent { .. } => None,
        }
    }

    /// Changes what was found; that there is nothing, and as of when, stays as it is.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(found) => Lookup::Found(change(found)),
            Self::Absent { as_of } => Lookup::Absent { as_of },
        }
    }
}

/// The bytes, a chunk at a time. Ends with an error if the store breaks off early.
pub type ObjectBody = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// One version of an object, being read.
pub struct ObjectReader {
    /// What the store said of this version, in the same answer as the bytes.
    pub head: ObjectHead,
    /// The bytes of this version, from the first on.
    pub body: ObjectBody,
}

/// The most keys that one page of a listing holds, as S3 sets it.
pub const MAX_LISTING: usize = 1_000;

/// Where a listing goes on. What its text means is the store's own business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosition(pub String);

/// An object as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedObject {
    /// The key, which is one of this service's.
    pub key: ObjectKey,
    /// When the newest of its versions came.
    pub last_modified: Timestamp,
    /// Whether more than one version or delete marker of it is there, or may be there.
    pub has_others: bool,
    /// Whether it is out of sight: the newest that there is of it is a delete marker, as
    /// [`ObjectStore::quarantine`] puts one. The store ends it by itself.
    pub is_quarantined: bool,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Objects under keys of this service's, each once.
    pub objects: Vec<ListedObject>,
    /// How many other keys lay between them that aren't this service's.
    pub foreign: usize,
    /// The store's own time of this answer.
    pub as_of: Timestamp,
    /// Where the next page goes on; `None` if this was the last.
    pub next: Option<ListPosition>,
}

/// What became of an object that no record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarantined {
    /// It is out of sight, and can be brought back.
    Aside,
    /// This store has no way to keep it aside, so it stays where it is.
    NotSupported,
}

/// What the service does with objects. Every implementation passes the suite in `conformance`.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The current version of the object.
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError>;

    /// Begins to read one version (the current one where `version_id` is `None`). The head comes from
    /// the same answer as the bytes.
    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError>;

    /// A part of one version (of the current one where `version_id` is `None`), which has to lie within the object and
    /// not be empty. Gives it whole, or fails: it is held in memory, so whoever asks bounds it.
    async fn read_range(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Lookup<Bytes>, StoreError>;

    /// The value of one tag of this very version, which others may set at any time; `None` if it has no such tag. A store
    /// that has no tags says so of every version that is there.
    async fn tag(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
        name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError>;

    /// When this returns, the object that is there now survives a power cut, its name included. Nothing
    /// is called available before that. Does nothing where the store answers a PUT only then.
    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError>;

    /// Whether the store itself is to keep what is available until its time ([`Self::lock`]).
    fn locks(&self) -> bool {
        false
    }

    /// Has the store itself refuse to delete this version before `until`, where [`Self::locks`]; else nothing is done.
    /// The same time again changes nothing, and so does an earlier one: a lock only moves forward.
    async fn lock(
        &self,
        _key: ObjectKey,
        _version_id: Option<&VersionId>,
        _until: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether bytes that arrived can't be lost to others that arrive under the same key: because the store
    /// keeps every version, or takes a key once only. Asked anew each time, since an operator can change it.
    async fn keeps_what_it_has(&self) -> Result<bool, StoreError>;

    /// Deletes the object in all its versions, delete markers included. That there is none (any
    /// more) is no error. Gives the store's own time at which it began: whatever was there then is gone,
    /// with the same reservation as [`Lookup::Absent`]. [`StoreError::Locked`] if the store keeps some of it by a lock:
    /// the others are gone.
    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError>;

    /// Takes an object away that no record names, so that it can be brought back for some weeks: a store
    /// with versions puts a delete marker before them, the local one moves it aside. A store that can't
    /// leaves it where it is.
    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError>;

    /// Deletes for good what was quarantined before `before`, a bounded number of objects at a time, and says
    /// how many. Does nothing where the store ends it by itself (a lifecycle rule).
    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError>;

    /// Deletes all versions of the object but `version_id`, delete markers included. Does nothing where that
    /// version isn't there: then the others may be all that is left.
    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError>;

    /// One page of the objects whose keys are this service's, in an order of the store's own,
    /// beginning behind `after`; at most `limit` (1 to [`MAX_LISTING`]) of them, perhaps fewer or
    /// none though there is a next page. An object counts as long as any version or delete marker of
    /// it is there, also where `head` finds none. One that is there from the first page to the last
    /// is on exactly one of them.
    async fn list(&self, after: Option<&ListPosition>, limit: usize)
    -> Result<Listing, StoreError>;

    /// Whether the store answers a look such as `head` takes.
    async fn check(&self) -> Result<(), StoreError>;
}
