//! How a file ends: with the write that ends it, what it holds is given back.
//!
//! What a file holds is in its own item: a place in a box (`placeIn`), a charge to its owner's usage (`chargedTo`). Most
//! files hold nothing, and end by one write whose condition says so; else that write and what it gives back are one
//! transaction.
//!
//! Invariant: what is held is given back once, whoever races and whatever dies.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};

use super::DynamoDbMetadataStore;
use super::expression::Placeholders;
use super::item::{Attributes, FILE_ID, Item, PLACE_IN, STORE, string};
use super::transactions::{MAX_ATTEMPTS, Written, contended, pause, update_in};
use super::usage::{CHARGED_TO, Charge};
use crate::aws::unavailable;
use crate::domain::{BoxId, FileId};
use crate::metadata_store::StoreError;
use crate::metadata_store::outbox::Message;

/// An update of a file's item, as far as it is written.
pub(super) struct Change {
    pub(super) id: FileId,
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) placeholders: Placeholders,
}

/// What a file gives back when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    place_in: Option<BoxId>,
    charge: Option<Charge>,
}

impl Held {
    fn of(item: &Item) -> Result<Self, StoreError> {
        let place = |of: &Attributes<'_>, name| of.text_as(name, BoxId::parse);
        Ok(Self {
            place_in: Attributes(item).optional(PLACE_IN, place)?,
            charge: Charge::of(item)?,
        })
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Change {
    /// The same for a file that holds exactly this, and nothing of it afterwards.
    fn giving_up(&self, held: Held) -> (String, String, Placeholders) {
        let mut placeholders = self.placeholders.clone();
        let mut condition = format!("({})", self.condition);
        let mut removed = Vec::new();
        for (attribute, value) in [
            (PLACE_IN, held.place_in.map(string)),
            (CHARGED_TO, held.charge.map(|charge| string(charge.owner))),
        ] {
            let name = placeholders.name(attribute);
            match value {
                None => condition.push_str(&format!(" AND attribute_not_exists({name})")),
                Some(value) => {
                    let value = placeholders.value(attribute, value);
                    condition.push_str(&format!(" AND {name} = {value}"));
                    removed.push(name);
                }
            }
        }
        let removed = removed.join(", ");
        let update = match (removed.is_empty(), self.update.contains(" REMOVE ")) {
            (true, _) => self.update.clone(),
            (false, true) => format!("{}, {removed}", self.update),
            (false, false) => format!("{} REMOVE {removed}", self.update),
        };
        (update, condition, placeholders)
    }
}

impl DynamoDbMetadataStore {
    /// Ends the life of a file, gives back what it holds, and adds the messages. `false`: the condition doesn't hold.
    pub(super) async fn end(
        &self,
        change: Change,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let mut held = Held::default();
        let mut box_is_there = true;
        for attempt in 1..=MAX_ATTEMPTS {
            if held.is_nothing() && messages.is_empty() {
                match self.end_alone(&change).await? {
                    None => return Ok(true),
                    Some(found) if found.is_nothing() => return Ok(false),
                    Some(found) => held = found,
                }
                continue;
            }
            let mut items = self.giving_back(&change, held, box_is_there)?;
            items.extend(self.adding_all(messages)?);
            match self.write_all(items).await? {
                Written::Done => return Ok(true),
                Written::ConditionFailed(failed) if failed.contains(&0) => {
                    let item = self.get_item(string(change.id)).await?;
                    let found = item.as_ref().map(Held::of).transpose()?.unwrap_or_default();
                    // Else it holds something else than it was taken to.
                    if found == held {
                        return Ok(false);
                    }
                    held = found;
                }
                // The box is gone, and with it the number of its places.
                Written::ConditionFailed(_) => box_is_there = false,
                Written::Conflict => pause(attempt).await,
            }
        }
        Err(contended())
    }

    /// Makes a change that ends nothing, and adds the messages: all or nothing. `false`: the condition doesn't hold.
    pub(super) async fn change_told(
        &self,
        change: Change,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        for attempt in 1..=MAX_ATTEMPTS {
            let Change {
                id,
                update,
                condition,
                placeholders,
            } = &change;
            let (update, condition) = (update.clone(), Some(condition.clone()));
            let update = self.update_of(string(id), update, condition, placeholders.clone())?;
            let mut items = vec![update_in(update)];
            items.extend(self.adding_all(messages)?);
            match self.write_all(items).await? {
                Written::Done => return Ok(true),
                Written::ConditionFailed(_) => return Ok(false),
                Written::Conflict => pause(attempt).await,
            }
        }
        Err(contended())
    }

    /// Ends a file that holds nothing. `None`: it was done. Else what the file holds; nothing: the condition doesn't
    /// hold.
    async fn end_alone(&self, change: &Change) -> Result<Option<Held>, StoreError> {
        let (update, condition, placeholders) = change.giving_up(Held::default());
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(FILE_ID, string(change.id))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let found = failed.item().map(Held::of).transpose()?;
                Ok(Some(found.unwrap_or_default()))
            }
            _ => Err(unavailable(STORE, "UpdateItem", &error)),
        }
    }

    /// The change first, then what it gives back: a place, if the box is there, before a charge.
    fn giving_back(
        &self,
        change: &Change,
        held: Held,
        box_is_there: bool,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let (update, condition, placeholders) = change.giving_up(held);
        let key = string(change.id);
        let mut updates: Vec<Update> =
            vec![self.update_of(key, update, Some(condition), placeholders)?];
        if let Some(id) = held.place_in.filter(|_| box_is_there) {
            updates.push(self.giving_place_back(id)?);
        }
        if let Some(charge) = held.charge {
            updates.push(self.giving_charge_back(charge)?);
        }
        Ok(updates.into_iter().map(update_in).collect())
    }
}
