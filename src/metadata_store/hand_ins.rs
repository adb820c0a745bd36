//! The port to files that are handed in to boxes: the same records, put into a box under its limit.
//!
//! Invariant: at no time more files of a box hold a place than it may have, whoever races and whatever dies: that it
//! has room is a condition of the write that adds the file. A pending or available file holds one; the write that
//! ends it gives it back. Nothing is added to a box once it was shut, so whoever takes its files out after that
//! leaves none behind.
//!
//! Absent on purpose: what a box is called, and when it is open.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

use std::time::Duration;

use async_trait::async_trait;

use super::{EarlierRequest, Page, StoreError};
use crate::domain::{BoxId, FileId, FileRecord, KeyedRequest, Timestamp, UserId};

/// What became of a hand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandInInsert {
    /// The record is there, in its box, and its key names it.
    Inserted,
    /// An earlier request came with this key. Nothing was written.
    KeyTaken(EarlierRequest),
    /// As many files hold a place in the box as may. Nothing was written.
    BoxFull,
    /// The box takes nothing: it was shut, or never opened. Nothing was written.
    BoxShut,
}

/// Where files are handed in to. The records are those of the [`MetadataStore`](super::MetadataStore).
#[async_trait]
pub trait HandInStore: Send + Sync {
    /// From now on files can be added to this box. Doing it again changes nothing; a box that was shut is never
    /// opened again, since its ID isn't made anew.
    async fn open_box(&self, id: BoxId) -> Result<(), StoreError>;

    /// From now on no file is added to this box. Doing it again changes nothing.
    async fn shut_box(&self, id: BoxId) -> Result<(), StoreError>;

    /// Adds a record to the box that it says it lies in, if fewer than `max_files` hold a place there, and with it
    /// the key of the request that made it, if it has one: all or nothing. A key that is taken is told before
    /// anything about the box.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if there is a record with this ID.
    async fn insert_hand_in(
        &self,
        record: &FileRecord,
        request: Option<&KeyedRequest>,
        max_files: u32,
        now: Timestamp,
    ) -> Result<HandInInsert, StoreError>;

    /// The files that lie in a box, but for tombstones, newest first: those that come before `before`, at most
    /// `limit` (1 to [`MAX_PAGE`](super::MAX_PAGE)). The list may be a moment behind the writes.
    async fn box_page(
        &self,
        id: BoxId,
        before: Option<FileId>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// How long that list may be behind the writes, but for moments in which the store is in trouble.
    fn box_list_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// Takes a file out of this box and puts it into the list of its owner, which the record says. `false`: it
    /// doesn't lie there, or was deleted.
    async fn leave_box(
        &self,
        file: FileId,
        id: BoxId,
        owner: Option<UserId>,
    ) -> Result<bool, StoreError>;
}
