//! The port to small items: sessions, API tokens, pairings, events of files.
//!
//! Invariant: every call that writes is one conditional write, atomic and safe to repeat. An item that is over
//! isn't there, whether or not its store has removed it yet. Each write gives an item a version that no other
//! write has, so a caller that changes what it read changes exactly that.
//!
//! Absent on purpose: scans, items that stay for ever, and what a body means. Each kind has an owner who writes
//! and reads its bodies.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod item;
mod key;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;

use async_trait::async_trait;

pub use item::{Item, ItemBody, ItemVersion, MAX_ITEM_BODY_BYTES};
pub use key::{ItemKey, ItemKind, ItemList, ItemParent, MAX_ITEM_ID_BYTES};

use crate::domain::Timestamp;
pub use crate::store_error::StoreError;

/// The most items that one page of a list holds.
pub const MAX_ITEM_PAGE: usize = 100;

/// A part of a list, in the order of the keys.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemPage {
    /// Those that aren't over; at most as many as were asked for, and maybe fewer although more follow.
    pub items: Vec<Item>,
    /// Where the next page goes on; `None` if this was the last.
    pub next: Option<ItemKey>,
}

/// Where small items are kept. `now` is the caller's time everywhere: an item is over from `expires_at` on.
#[async_trait]
pub trait ItemStore: Send + Sync {
    /// Adds an item. `false`: the key is taken by one that isn't over.
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError>;

    /// The item under this key, as the last write before this call left it.
    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError>;

    /// Writes the item in the place of the one that has the same key and version, and gives it a new version.
    /// `false`: there is none that isn't over, or somebody else was faster.
    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError>;

    /// Removes an item. Whether one was there that wasn't over. A store that had to ask twice, since it got no
    /// answer, may say `false` of what it removed itself; what must be done exactly once is a [`Self::replace`].
    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError>;

    /// The items with this parent behind the key `after`, or from the first one on; `limit` is from 1 to
    /// [`MAX_ITEM_PAGE`]. It may be a moment behind the writes.
    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError>;
}
