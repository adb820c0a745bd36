//! The port to how much somebody has: records that are added under a quota, and the sum of what is there.
//!
//! Invariant: whoever races and whatever dies, somebody's usage is the sum over those of their records that were added
//! by [`UsageStore::insert_charged`] and are pending or available: that it fits is a condition of the write that adds a
//! record, and the one write that ends the record subtracts it. Ends are those of
//! [`MetadataStore`](super::MetadataStore) and [`Outbox`](super::outbox::Outbox); they know by the record whether there
//! is something to subtract, so a record that was charged is given back also where no quota is set any more.
//!
//! Absent on purpose: who has which quota. A store that nobody has a quota in is written as if this port weren't there.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

use async_trait::async_trait;

use super::hand_ins::HandInInsert;
use super::{EarlierRequest, KeyedInsert, StoreError};
use crate::domain::{FileRecord, KeyedRequest, Quota, Timestamp, Usage, UserId};

/// A record that is to be added, and what with it.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// Whose it is has to be known; else it is charged to nobody.
    pub record: &'a FileRecord,
    /// The key of the request that makes it, if it has one.
    pub request: Option<&'a KeyedRequest>,
    /// How many files may hold a place in the box that the record lies in; `None`: it isn't handed in.
    pub max_files_in_box: Option<u32>,
    /// When it is added.
    pub now: Timestamp,
}

/// What became of a record that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargedInsert {
    /// The record is there, charged to its owner, with its place and its key.
    Inserted,
    /// An earlier request came with this key. Nothing was written.
    KeyTaken(EarlierRequest),
    /// It doesn't fit into what its owner may have. Nothing was written.
    QuotaExceeded,
    /// As many files hold a place in the box as may. Nothing was written.
    BoxFull,
    /// The box takes nothing: it was shut, or never opened. Nothing was written.
    BoxShut,
}

impl From<KeyedInsert> for ChargedInsert {
    fn from(inserted: KeyedInsert) -> Self {
        match inserted {
            KeyedInsert::Inserted => Self::Inserted,
            KeyedInsert::KeyTaken(earlier) => Self::KeyTaken(earlier),
        }
    }
}

impl From<HandInInsert> for ChargedInsert {
    fn from(inserted: HandInInsert) -> Self {
        match inserted {
            HandInInsert::Inserted => Self::Inserted,
            HandInInsert::KeyTaken(earlier) => Self::KeyTaken(earlier),
            HandInInsert::BoxFull => Self::BoxFull,
            HandInInsert::BoxShut => Self::BoxShut,
        }
    }
}

/// Of an insert without a quota.
impl From<ChargedInsert> for HandInInsert {
    fn from(inserted: ChargedInsert) -> Self {
        match inserted {
            ChargedInsert::Inserted => Self::Inserted,
            ChargedInsert::KeyTaken(earlier) => Self::KeyTaken(earlier),
            // There is no quota that it could exceed.
            ChargedInsert::BoxFull | ChargedInsert::QuotaExceeded => Self::BoxFull,
            ChargedInsert::BoxShut => Self::BoxShut,
        }
    }
}

/// Somebody's usage as it is kept, and as their records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recounted {
    /// Who.
    pub owner: UserId,
    /// What is kept.
    pub kept: Usage,
    /// The sum over the records that are charged.
    pub counted: Usage,
    /// How many pending and available records aren't, because they were made while nobody had a quota.
    pub uncharged: u64,
}

impl Recounted {
    /// Whether nothing has to be mended.
    pub fn is_right(&self) -> bool {
        self.kept == self.counted && self.uncharged == 0
    }
}

/// Where usage is kept, beside the records of the [`MetadataStore`](super::MetadataStore).
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Adds a record with its key and its place in a box, and charges its owner for it, if it fits into `quota`: all or
    /// nothing. A key that is taken is told before anything about the box, and that before anything about the quota.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if there is a record with this ID.
    async fn insert_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError>;

    /// How much somebody has (a consistent read).
    async fn usage(&self, owner: UserId) -> Result<Usage, StoreError>;

    /// What is kept beside what the records say, for everybody who has either, by reading all of them. While others
    /// write, what is found may be a moment old: only a difference that stays is one.
    async fn recount(&self) -> Result<Vec<Recounted>, StoreError>;

    /// Charges the records that were made while nobody had a quota, whatever their owners may have now, and gives back
    /// what a program that knows of none left charged to records that are over. Gives how many were charged.
    async fn charge_all(&self) -> Result<u64, StoreError>;

    /// Changes what is kept by the difference that was found.
    async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError>;
}
