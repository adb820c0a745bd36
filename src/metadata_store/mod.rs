//! The port to the metadata: one record a file.
//!
//! Invariant: every method that writes is one conditional write, atomic and safe to repeat. A
//! caller whose answer was lost repeats the call and compares; it never has to guess.
//!
//! Absent on purpose: transactions over several records (a record and the key of the request that made
//! it are written as one), scans, and any write without a condition.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod dynamodb;
pub mod hand_ins;
pub mod intercepted;
pub mod measured;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
pub mod outbox;
#[cfg(feature = "server")]
pub mod sqlite;
pub mod usage;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    FileId, FileRecord, Hold, KeyedRequest, Sha256Digest, Status, Timestamp, Transition, UserId,
};
pub use crate::store_error::StoreError;

/// The most records that one page or one batch of due records holds.
pub const MAX_PAGE: usize = 100;

/// How many of a person's records are looked at for one page of those with one status.
pub const LOOKED_AT_FOR_STATUS: usize = 1_000;

/// Which records a page holds: the newest that come before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Only records of this person; `None`: everybody's. Such a page may hold fewer records than there are,
    /// and still say where the next one goes on.
    pub owner: Option<UserId>,
    /// Only records with this status. `None` means all but the deleted ones, which no page shows.
    pub status: Option<Status>,
    /// Only records with an ID below this one; `None` starts at the newest.
    pub before: Option<FileId>,
    /// From 1 to [`MAX_PAGE`].
    pub limit: usize,
}

/// Records, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// At most [`PageRequest::limit`] of them.
    pub records: Vec<FileRecord>,
    /// Where the next page goes on; `None` if this was the last.
    pub next: Option<FileId>,
}

/// A record that has something left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueRecord {
    /// When it became due, or will.
    pub reconcile_at: Timestamp,
    /// The record that is due. Of two that are due at one moment, that with the lower ID comes first.
    pub id: FileId,
}

/// What became of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionOutcome {
    /// This call made it.
    Applied,
    /// The condition didn't hold: somebody settled, deleted, renewed or removed the record first. It
    /// says who.
    Unchanged,
}

impl TransitionOutcome {
    /// By whether the condition held.
    pub fn of(is_applied: bool) -> Self {
        match is_applied {
            true => Self::Applied,
            false => Self::Unchanged,
        }
    }
}

/// What became of an insert with an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedInsert {
    /// The record is there, and its key names it.
    Inserted,
    /// An earlier request came with this key. Nothing was written.
    KeyTaken(EarlierRequest),
}

/// The request that a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierRequest {
    /// The record that it made. It may be deleted, or gone, by now.
    pub id: FileId,
    /// The digest of what it asked for: another one means that the key is used for another request.
    pub fingerprint: Sha256Digest,
}

/// One record a file, under the file's ID. Every implementation passes the suite in `conformance`.
#[async_trait]
pub trait MetadataStore: Send + Sync {
    /// Adds a record under its ID. It is durable when this returns, and every `get` after that
    /// sees it.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if there is one with this ID; it is left as it was.
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError>;

    /// Adds a record under its ID, and with it the key of the request that made it, both or neither.
    /// A key whose time is over at `now` is as good as none. Keys that are over are removed by and
    /// by, so that what is kept of them is bounded by how many came within their lifetime.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if there is a record with this ID: then the key is free still.
    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError>;

    /// The request that the key of `request` stands for at `now` (a consistent read); `None` if it is free.
    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError>;

    /// The record as it is now (a consistent read), tombstones included.
    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError>;

    /// One page. Its cost doesn't depend on how many records there are, nor on how deep it lies.
    /// A record that existed when the first page was asked for, and doesn't change its status, is
    /// on exactly one page. Records of the last second may be missing where the index is
    /// eventually consistent.
    async fn page(&self, request: PageRequest) -> Result<Page, StoreError>;

    /// Moves a pending record's upload deadline to `upload_expires_at`, never backwards, and gives
    /// the record as it is then. `None` if it is no longer pending, or doesn't exist.
    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError>;

    /// Gives the record the state and the reconciliation of `transition`, if it still has the status that this
    /// begins at and its condition holds; otherwise nothing changes.
    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError>;

    /// Turns the record into a tombstone that is due at `now` and may vanish at
    /// `purge_at`. One that was available without a version ID is due only when no upload can put
    /// other bytes under its key any more, `upload_grace` after its deadline: until then download URLs
    /// are under way that don't say which bytes. `false` if there is none, it is a tombstone already, or it is
    /// protected as of `as_of`: held, or to be kept beyond that (`FileRecord::is_retained`).
    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Holds a file that has bytes or waits for them, and gives the record as it is then. One that is held already has
    /// the new reason, and `since` stays. `None` if there is nothing to hold. A hold outlasts a withdrawal, and begins at
    /// none: of what was withdrawn the bytes stay. A transition to any other status that has no bytes ends it.
    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError>;

    /// Ends this very hold, if it is there still, and gives the record as it is then: with another hold, if that is there
    /// instead. A withdrawn file that isn't held any more by this call is due at `due_at`. `None` if there is none, or it
    /// is a tombstone.
    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError>;

    /// Has an available file kept until `keep_until`, and gives the record as it is then. `None` if it isn't available,
    /// or is kept until later already: the end moves forward alone.
    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError>;

    /// Has an available record looked at again at `reconcile_at` that was due at `seen`. `false` if it isn't so any more.
    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Records whose `reconcile_at` isn't after `until`, earliest first, beginning behind `after`;
    /// at most `limit` (1 to [`MAX_PAGE`]) of them. They may have changed since: read before acting.
    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError>;

    /// Sets when to look at a pending record again: at `reconcile_at`, or `upload_grace` after its deadline
    /// if that is earlier. `false` if it isn't pending (any more), or there is none.
    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError>;

    /// Sets when to look at a rejected, expired or deleted record again, and until when it is kept, if its
    /// status is still `status`; otherwise nothing happens.
    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes a record for good, if its status is still `status` (rejected, expired or deleted);
    /// otherwise nothing happens.
    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError>;

    /// Whether the store answers a read such as `get` makes.
    async fn check(&self) -> Result<(), StoreError>;
}
