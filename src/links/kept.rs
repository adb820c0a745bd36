//! Links in the item store.
//!
//! Invariant: a link is there once all that is kept of its files is, and what is kept of them lasts as long as it.
//! What a process that died in between leaves behind is in no link, and goes when its time is over.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::link::{Link, MAX_LINKS_OF_A_FILE};
use super::{AT_A_TIME, Links, STORE, grants, stored};
use crate::capability_token::RenewableId;
use crate::domain::{FileId, Invalid, Timestamp, UserId};
use crate::item_store::{
    Item, ItemKey, ItemKind, ItemList, ItemParent, ItemVersion, MAX_ITEM_PAGE, StoreError,
};
use crate::operations::OperationError;

/// What the list of the operator's links is called. No person's ID is.
const OPERATOR: &str = "operator";
/// How often what is kept of a file is written anew if somebody else was faster.
const MAX_ROUNDS: usize = 20;

/// A link as one write left it.
pub(super) struct KeptLink {
    pub(super) link: Link,
    pub(super) version: ItemVersion,
}

impl Links {
    /// The link of this name, if it isn't over.
    pub(super) async fn get(
        &self,
        id: RenewableId,
        now: Timestamp,
    ) -> Result<Option<KeptLink>, StoreError> {
        let item = self.items.get(&key(id)?, now).await?;
        let kept = item.map(|item| {
            Ok(KeptLink {
                link: stored::from_item(&item)?,
                version: item.version,
            })
        });
        kept.transpose()
    }

    /// Adds a link.
    pub(super) async fn add(&self, link: &Link, now: Timestamp) -> Result<(), OperationError> {
        self.add_files(link, &link.files, now).await?;
        match self.items.put_new(&stored::to_item(link)?, now).await? {
            true => Ok(()),
            // An ID of 64 random bits is taken within the same millisecond: that was another link's.
            false => Err(StoreError::AlreadyExists { store: STORE }.into()),
        }
    }

    /// Keeps of these files that they are passed on by this link; of those that were before, nothing new.
    pub(super) async fn add_files(
        &self,
        link: &Link,
        files: &[FileId],
        now: Timestamp,
    ) -> Result<(), OperationError> {
        self.check_room(files, now).await?;
        let items: Result<Vec<Item>, StoreError> = files
            .iter()
            .map(|file| grants::new_item(link, *file))
            .collect();
        let adding = stream::iter(items?).map(|item| async move {
            // `false`: the file was in this link before, and how often it was taken still counts.
            self.items.put_new(&item, now).await
        });
        adding
            .buffer_unordered(AT_A_TIME)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await?;
        Ok(())
    }

    async fn check_room(&self, files: &[FileId], now: Timestamp) -> Result<(), OperationError> {
        let counting = stream::iter(files.to_vec()).map(|file| async move {
            let parent = list_of_file(file)?;
            let there = self
                .items
                .list(&parent, None, MAX_LINKS_OF_A_FILE, now)
                .await?;
            match there.items.len() >= MAX_LINKS_OF_A_FILE {
                true => Err(OperationError::TooManyLinks),
                false => Ok(()),
            }
        });
        counting
            .buffer_unordered(AT_A_TIME)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await
    }

    /// Has what is kept of a link's files last until `until`, if it would go before.
    pub(super) async fn extend_files(
        &self,
        link: &Link,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let extending = stream::iter(link.files.clone())
            .map(|file| async move { self.extend_file(link.id, file, until, now).await });
        extending
            .buffer_unordered(AT_A_TIME)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await
    }

    async fn extend_file(
        &self,
        link: RenewableId,
        file: FileId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = grants::key(link, file)?;
        for _ in 0..MAX_ROUNDS {
            let Some(item) = self.items.get(&key, now).await? else {
                return Ok(());
            };
            let longer = Item {
                expires_at: until,
                ..item.clone()
            };
            if item.expires_at >= until || self.items.replace(&longer, now).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Writes a link in the place of what was read. `false`: somebody else was faster.
    pub(super) async fn replace(
        &self,
        link: &Link,
        version: ItemVersion,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let item = stored::to_item(link)?;
        self.items.replace(&Item { version, ..item }, now).await
    }

    /// Ends a link, and removes what was kept of its files as far as that succeeds: without the link it says
    /// nothing, and goes when its time is over.
    pub(super) async fn remove(&self, link: &Link, now: Timestamp) -> Result<(), StoreError> {
        self.items.remove(&key(link.id)?, now).await?;
        let removing = stream::iter(link.files.clone()).map(|file| async move {
            let key = grants::key(link.id, file)?;
            self.items.remove(&key, now).await
        });
        let left: usize = removing
            .buffer_unordered(AT_A_TIME)
            .map(|removed| usize::from(removed.is_err()))
            .fold(0, |sum, left| std::future::ready(sum + left))
            .await;
        if left > 0 {
            tracing::debug!(link = %link.id, left, "what is kept of an ended link goes later");
        }
        Ok(())
    }

    /// Links of this owner behind that of this name, the youngest first.
    pub(super) async fn page_of_owner(
        &self,
        owner: Option<UserId>,
        after: Option<RenewableId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<Link>, Option<RenewableId>), StoreError> {
        let after = after.map(key).transpose()?;
        let page = self
            .items
            .list(&list_of(owner)?, after.as_ref(), limit, now)
            .await?;
        let links = page.items.iter().filter_map(|item| {
            let link = stored::from_item(item);
            link.inspect_err(|error| {
                let (link, error) = (item.key.id(), error.chain());
                tracing::error!(link, error, "a link can't be read");
            })
            .ok()
        });
        let next = page.next.map(|key| RenewableId::parse(key.id()));
        let next = next.transpose().map_err(corrupt)?;
        Ok((links.collect(), next))
    }

    /// Links of this file behind that of this name, the youngest first.
    pub(super) async fn page_of_file(
        &self,
        file: FileId,
        after: Option<RenewableId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<Link>, Option<RenewableId>), StoreError> {
        let parent = list_of_file(file)?;
        let after = after.map(|link| grants::key(link, file)).transpose()?;
        let listing = self.items.list(&parent, after.as_ref(), limit, now);
        let page = listing.await?;
        let ids: Vec<RenewableId> = page
            .items
            .iter()
            .filter_map(|item| grants::link_of(&item.key))
            .collect();
        let reading = stream::iter(ids).map(|id| async move { self.get(id, now).await });
        let links: Vec<Option<KeptLink>> = reading.buffered(AT_A_TIME).try_collect().await?;
        let links = links.into_iter().flatten().map(|kept| kept.link);
        // One from which the file was taken out keeps how often it was taken.
        let links = links.filter(|link| link.files.contains(&file));
        let next = page.next.map(|key| {
            let next = grants::link_of(&key);
            next.ok_or_else(|| corrupt(Invalid("a page of links ends behind none".into())))
        });
        Ok((links.collect(), next.transpose()?))
    }
}

const _: () = assert!(MAX_LINKS_OF_A_FILE <= MAX_ITEM_PAGE);

pub(super) fn key(id: RenewableId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Link, &id.to_string()).map_err(corrupt)
}

pub(super) fn list_of(owner: Option<UserId>) -> Result<ItemParent, StoreError> {
    let of = owner.map_or_else(|| OPERATOR.to_owned(), |owner| owner.to_string());
    ItemParent::new(ItemList::Links, &of).map_err(corrupt)
}

pub(super) fn list_of_file(file: FileId) -> Result<ItemParent, StoreError> {
    ItemParent::new(ItemList::File, &file.to_string()).map_err(corrupt)
}

/// Others wrote the same item again and again. The same call again is right.
pub(super) fn contended() -> StoreError {
    StoreError::unavailable(STORE, "others were faster each time")
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}
