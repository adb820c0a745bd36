//! Small items, in the same table as the records.
//!
//! Invariant: an item's key is no file's ID, and it has none of the attributes of the indexes that lists of
//! files, reconciliations and sweeps read, so none of them sees it. Its version is its write's token too: a
//! write that the client sends again because the answer was lost finds that it was made. TTL removes what is
//! over, days late at times: its own time is compared in every condition and after every read.
//!
//! Absent on purpose: DynamoDB's own page keys. The last key of a page says where to go on.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{
    DynamoDbMetadataStore,
    expression::{Placeholders, update_expression},
    is_condition_failed,
    item::{
        Attributes, EXPIRES_AT_MILLIS, FILE_ID, Item as Stored, STORE, expiry, millis, number,
        string,
    },
};
use crate::{
    aws::unavailable,
    domain::Timestamp,
    item_store::{
        Item, ItemBody, ItemKey, ItemKind, ItemPage, ItemParent, ItemStore, ItemVersion,
        MAX_ITEM_PAGE, StoreError,
    },
};

/// Sparse: what has a parent.
pub(super) const BY_PARENT: &str = "byParent";

pub(super) const PARENT: &str = "parent";
const BODY: &str = "body";
const VERSION: &str = "itemVersion";

/// Below all keys, since none begins with a space; an empty text is no value of a key.
const BELOW_ALL_KEYS: &str = " ";

fn to_stored(item: &Item) -> Stored {
    let parent = item.parent.as_ref();
    [
        (FILE_ID, string(&item.key)),
        (BODY, string(item.body.as_str())),
        (VERSION, number(item.version.number())),
    ]
    .into_iter()
    .chain(expiry(item.expires_at))
    .chain(parent.map(|parent| (PARENT, string(parent.as_str()))))
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn from_stored(stored: &Stored) -> Result<Item, StoreError> {
    let attributes = Attributes(stored);
    Ok(Item {
        key: attributes.text_as(FILE_ID, ItemKey::parse)?,
        parent: attributes.optional(PARENT, |of, name| of.text_as(name, ItemParent::parse))?,
        expires_at: attributes.millis(EXPIRES_AT_MILLIS)?,
        body: attributes.text_as(BODY, |text| ItemBody::new(text))?,
        version: ItemVersion::from_number(attributes.number(VERSION)?),
    })
}

impl DynamoDbMetadataStore {
    /// Whether the condition held.
    async fn write_if(
        &self,
        item: &Item,
        condition: String,
        placeholders: Placeholders,
    ) -> Result<bool, StoreError> {
        match item.key.kind() {
            ItemKind::Event | ItemKind::Scanning => {
                self.put_by_update(item, condition, placeholders).await
            }
            _ => self.put_item_if(item, condition, placeholders).await,
        }
    }

    async fn put_item_if(
        &self,
        item: &Item,
        condition: String,
        mut placeholders: Placeholders,
    ) -> Result<bool, StoreError> {
        let version = placeholders.name(VERSION);
        let own = placeholders.value("own", number(item.version.number()));
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_stored(item)))
            .condition_expression(format!("({condition}) OR {version} = {own}"))
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if is_condition_failed(&error) => Ok(false),
            Err(error) => Err(unavailable(STORE, "PutItem", &error)),
        }
    }

    /// The same for an item that the worker writes too, which may update what is in the table and puts nothing into it:
    /// an update of what isn't there makes it.
    async fn put_by_update(
        &self,
        item: &Item,
        condition: String,
        mut placeholders: Placeholders,
    ) -> Result<bool, StoreError> {
        let mut set = vec![
            (BODY, string(item.body.as_str())),
            (VERSION, number(item.version.number())),
        ];
        set.extend(expiry(item.expires_at));
        set.extend(item.parent.iter().map(|it| (PARENT, string(it.as_str()))));
        let remove: &[&'static str] = match item.parent {
            Some(_) => &[],
            None => &[PARENT],
        };
        let update = update_expression(set, None, remove, &mut placeholders);
        let version = placeholders.name(VERSION);
        let own = placeholders.value("own", number(item.version.number()));
        let condition = format!("({condition}) OR {version} = {own}");
        let key = string(&item.key);
        let updated = self.send_update(key, update, condition, placeholders);
        Ok(updated.await?.is_some())
    }

    /// As many of the list as are asked for, in order, and whether more follow.
    async fn query_items(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        wanted: usize,
    ) -> Result<(Vec<Stored>, bool), StoreError> {
        let after = after.map_or(BELOW_ALL_KEYS, ItemKey::as_str);
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_PARENT)
            .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
            .key_condition_expression("#parent = :parent AND #key > :after")
            .expression_attribute_names("#parent", PARENT)
            .expression_attribute_names("#key", FILE_ID)
            .expression_attribute_values(":parent", string(parent.as_str()))
            .expression_attribute_values(":after", string(after))
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        let more = output.last_evaluated_key.is_some();
        Ok((output.items.unwrap_or_default(), more))
    }
}

#[async_trait]
impl ItemStore for DynamoDbMetadataStore {
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let key = placeholders.name(FILE_ID);
        let expiry = placeholders.name(EXPIRES_AT_MILLIS);
        let now = placeholders.value("now", millis(now));
        let free = format!("attribute_not_exists({key}) OR {expiry} <= {now}");
        self.write_if(item, free, placeholders).await
    }

    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError> {
        let stored = self.get_item(string(key)).await?;
        let item = stored.as_ref().map(from_stored).transpose()?;
        Ok(item.filter(|item| !item.is_over(now)))
    }

    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let version = placeholders.name(VERSION);
        let seen = placeholders.value("seen", number(item.version.number()));
        let expiry = placeholders.name(EXPIRES_AT_MILLIS);
        let now = placeholders.value("now", millis(now));
        let unchanged = format!("{version} = {seen} AND {expiry} > {now}");
        self.write_if(&item.with_fresh_version(), unchanged, placeholders)
            .await
    }

    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(FILE_ID, string(key))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let removed = answer.map_err(|error| unavailable(STORE, "DeleteItem", &error))?;
        let Some(removed) = removed.attributes.filter(|it| !it.is_empty()) else {
            return Ok(false);
        };
        Ok(Attributes(&removed).millis(EXPIRES_AT_MILLIS)? > now)
    }

    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError> {
        let limit = limit.clamp(1, MAX_ITEM_PAGE);
        let (mut stored, mut more) = self.query_items(parent, after, limit + 1).await?;
        more |= stored.len() > limit;
        stored.truncate(limit);
        let last = stored.last().and_then(|it| it.get(FILE_ID));
        let last = last.and_then(|key| AttributeValue::as_s(key).ok());
        let next = last.and_then(|key| ItemKey::parse(key).ok());
        let items = stored.iter().map(from_stored).filter_map(|item| {
            item.inspect_err(|error| {
                let error = error.chain();
                tracing::error!(
                    parent = parent.as_str(),
                    error,
                    "an item can't be read and is not listed"
                );
            })
            .ok()
        });
        Ok(ItemPage {
            items: items.filter(|item| !item.is_over(now)).collect(),
            next: next.filter(|_| more),
        })
    }
}
