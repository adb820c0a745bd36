//! Boxes in the item store.
//!
//! Invariant: a box is there once files can be handed in to it, and until the last of its files was taken out.

use super::file_box::FileBox;
use super::stored::{corrupt, from_item, to_item};
use super::{Boxes, STORE};
use crate::access::{Action, Denied, Resource, authorize};
use crate::capability_token::{CapabilityLabel, RenewableId};
use crate::domain::{BoxId, Timestamp, UserId};
use crate::item_store::{Item, ItemKey, ItemKind, ItemList, ItemParent, ItemVersion, StoreError};
use crate::operations::{Context, OperationError};

/// What the list of the operator's boxes is called. No person's ID is.
const OPERATOR: &str = "operator";

/// A box as one write left it.
pub(super) struct KeptBox {
    pub(super) file_box: FileBox,
    pub(super) version: ItemVersion,
}

impl Boxes {
    /// The box of this name.
    pub(super) async fn get(
        &self,
        id: BoxId,
        now: Timestamp,
    ) -> Result<Option<KeptBox>, StoreError> {
        let item = self.items.get(&key(id)?, now).await?;
        let kept = item.map(|item| {
            Ok(KeptBox {
                file_box: from_item(&item)?,
                version: item.version,
            })
        });
        kept.transpose()
    }

    /// A box with which the caller may do this as its owner.
    pub(super) async fn own(
        &self,
        context: &Context,
        action: Action,
        id: BoxId,
        now: Timestamp,
    ) -> Result<KeptBox, OperationError> {
        let kept = self
            .get(id, now)
            .await?
            .ok_or(OperationError::BoxNotFound)?;
        let owner = kept.file_box.owner;
        match authorize(&context.caller, action, Resource::Box { owner }) {
            Ok(()) => Ok(kept),
            Err(Denied::NotFound) => Err(OperationError::BoxNotFound),
            Err(denied) => Err(denied.into()),
        }
    }

    /// The box whose URL has this token, if files may be handed in to it by that.
    pub(super) async fn of_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<FileBox, OperationError> {
        let id = self.keys.verify(CapabilityLabel::Drop, token);
        let (item, generation) = id.ok_or(OperationError::BoxNotFound)?.item();
        let kept = self.get(BoxId::from_bytes(*item.as_bytes()), now).await?;
        let file_box = kept.map(|kept| kept.file_box);
        file_box
            .filter(|it| it.generation == generation && !it.is_ended)
            .ok_or(OperationError::BoxNotFound)
    }

    /// Adds a box. Nobody knows of it before this returns.
    pub(super) async fn add(&self, file_box: &FileBox, now: Timestamp) -> Result<(), StoreError> {
        self.hand_ins.open_box(file_box.id).await?;
        match self.items.put_new(&to_item(file_box)?, now).await? {
            true => Ok(()),
            // An ID of 64 random bits is taken within the same millisecond: that was another box.
            false => Err(StoreError::AlreadyExists { store: STORE }),
        }
    }

    /// Writes a box in the place of what was read. `false`: somebody else was faster.
    pub(super) async fn replace(
        &self,
        file_box: &FileBox,
        version: ItemVersion,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let item = to_item(file_box)?;
        self.items.replace(&Item { version, ..item }, now).await
    }
}

/// The same bytes as what tokens are made for, and passwords are guessed of.
pub(super) fn renewable(id: BoxId) -> RenewableId {
    RenewableId::from_bytes(*id.as_bytes())
}

pub(super) fn key(id: BoxId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Box, &id.to_string()).map_err(corrupt)
}

pub(super) fn list_of(owner: Option<UserId>) -> Result<ItemParent, StoreError> {
    let of = owner.map_or_else(|| OPERATOR.to_owned(), |owner| owner.to_string());
    ItemParent::new(ItemList::Boxes, &of).map_err(corrupt)
}

/// Others wrote the same item again and again. The same call again is right.
pub(super) fn contended() -> StoreError {
    StoreError::unavailable(STORE, "others were faster each time")
}
