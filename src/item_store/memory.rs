//! Items in memory: the reference that says what an item store does, in as few lines as possible. For tests.
//!
//! Invariant: passes the same suite as the real stores. Nothing in production can select it, since it is
//! compiled for tests only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Item, ItemKey, ItemPage, ItemParent, ItemStore, MAX_ITEM_PAGE, StoreError};
use crate::domain::Timestamp;

/// Items in memory, none at first.
#[derive(Default)]
pub struct MemoryItemStore {
    items: Mutex<BTreeMap<ItemKey, Item>>,
    /// The fault that every call has while it is set.
    fault: Mutex<Option<&'static str>>,
}

impl MemoryItemStore {
    /// From now on every call fails with this, or works again.
    pub fn set_fault(&self, fault: Option<&'static str>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// All there is, also what is over: what a thief of the store would have.
    pub fn everything(&self) -> Vec<Item> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.values().cloned().collect()
    }

    /// Lets others go first, as a store does that is elsewhere: so calls of several tasks come in between each
    /// other also where there is one thread.
    async fn come_there(&self) {
        tokio::task::yield_now().await;
    }

    fn items(&self) -> Result<MutexGuard<'_, BTreeMap<ItemKey, Item>>, StoreError> {
        match *self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(cause) => Err(StoreError::unavailable("the item store", cause)),
            None => Ok(self.items.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

#[async_trait]
impl ItemStore for MemoryItemStore {
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        self.come_there().await;
        let mut items = self.items()?;
        if items.get(&item.key).is_some_and(|it| !it.is_over(now)) {
            return Ok(false);
        }
        items.insert(item.key.clone(), item.clone());
        Ok(true)
    }

    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError> {
        self.come_there().await;
        let items = self.items()?;
        Ok(items.get(key).filter(|it| !it.is_over(now)).cloned())
    }

    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        self.come_there().await;
        let mut items = self.items()?;
        let there = items.get_mut(&item.key);
        let there = there.filter(|it| !it.is_over(now) && it.version == item.version);
        Ok(there.map(|it| *it = item.with_fresh_version()).is_some())
    }

    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError> {
        self.come_there().await;
        let removed = self.items()?.remove(key);
        Ok(removed.is_some_and(|it| !it.is_over(now)))
    }

    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError> {
        self.come_there().await;
        let limit = limit.clamp(1, MAX_ITEM_PAGE);
        let items = self.items()?;
        let mut found: Vec<Item> = items
            .values()
            .filter(|it| it.parent.as_ref() == Some(parent) && !it.is_over(now))
            .filter(|it| after.is_none_or(|after| it.key > *after))
            .take(limit + 1)
            .cloned()
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|it| it.key.clone());
        Ok(ItemPage { items: found, next })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::conformance::Fixture;
    use super::*;

    async fn open() -> Fixture {
        Fixture {
            store: Arc::new(MemoryItemStore::default()),
            keep: Box::new(()),
        }
    }

    crate::item_store_conformance!(open);
}
