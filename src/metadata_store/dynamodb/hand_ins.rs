//! Boxes that files are handed in to.
//!
//! A box that takes files has an item under `places#` and its ID, with how many places are taken. The file is put,
//! and its place taken, in one transaction; the write that ends a file gives the place back in another (`inserts` and
//! `ends` have both). Which place a file holds is in the file's own item (`placeIn`), so it is given back once.
//!
//! Invariant: the number is that of the items with `placeIn`, at any moment and whatever dies. It has no TTL and is
//! in no list.
//!
//! Absent on purpose: counting. A list may be behind the writes, and a count of it with it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::Update;

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    is_condition_failed,
    item::{
        Attributes, BOX_ID, FILE_ID, Item, PLACE_IN, STATUS, STORE, box_list, from_item, number,
        string,
    },
    items::{BY_PARENT, PARENT},
};
use crate::{
    aws::unavailable,
    domain::{BoxId, FileId, FileRecord, KeyedRequest, Status, Timestamp, UserId},
    metadata_store::{
        MAX_PAGE, Page, StoreError,
        hand_ins::{HandInInsert, HandInStore},
        usage::{ChargedInsert, NewRecord},
    },
};

/// Indexes are behind the table for a fraction of a second
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>).
const INDEX_LAG: Duration = Duration::from_secs(3);

const PREFIX: &str = "places#";
/// How many are taken.
const TAKEN: &str = "taken";

fn places_key(id: BoxId) -> String {
    format!("{PREFIX}{id}")
}

impl DynamoDbMetadataStore {
    /// Takes one of so many places of a box.
    pub(super) fn taking_place(&self, id: BoxId, max_files: u32) -> Result<Update, StoreError> {
        let mut placeholders = Placeholders::default();
        let taken = placeholders.name(TAKEN);
        let one = placeholders.value("one", number(1));
        let limit = placeholders.value("limit", number(max_files));
        let (update, condition) = (format!("ADD {taken} {one}"), format!("{taken} < {limit}"));
        let key = string(places_key(id));
        self.update_of(key, update, Some(condition), placeholders)
    }

    /// Gives a place of a box back, if the box is there.
    pub(super) fn giving_place_back(&self, id: BoxId) -> Result<Update, StoreError> {
        let mut placeholders = Placeholders::default();
        let taken = placeholders.name(TAKEN);
        let one = placeholders.value("one", number(-1));
        let update = format!("ADD {taken} {one}");
        let condition = format!("attribute_exists({taken})");
        let key = string(places_key(id));
        self.update_of(key, update, Some(condition), placeholders)
    }

    /// `None`: there is room, or was a moment ago.
    pub(super) async fn why_no_place(
        &self,
        id: BoxId,
        max_files: u32,
    ) -> Result<Option<ChargedInsert>, StoreError> {
        let Some(item) = self.get_item(string(places_key(id))).await? else {
            return Ok(Some(ChargedInsert::BoxShut));
        };
        let taken = Attributes(&item).number(TAKEN)?;
        Ok((taken >= i64::from(max_files)).then_some(ChargedInsert::BoxFull))
    }
}

#[async_trait]
impl HandInStore for DynamoDbMetadataStore {
    async fn open_box(&self, id: BoxId) -> Result<(), StoreError> {
        let mut placeholders = Placeholders::default();
        let absent = Condition::Absent.expression(&mut placeholders);
        let item = [(FILE_ID, string(places_key(id))), (TAKEN, number(0))];
        let item: Item = item.map(|(name, value)| (name.to_owned(), value)).into();
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(absent)
            .set_expression_attribute_names(Some(placeholders.names))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => Ok(()),
            Err(error) => Err(unavailable(STORE, "PutItem", &error)),
        }
    }

    async fn shut_box(&self, id: BoxId) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(FILE_ID, string(places_key(id)))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable(STORE, "DeleteItem", &error))
    }

    async fn insert_hand_in(
        &self,
        record: &FileRecord,
        request: Option<&KeyedRequest>,
        max_files: u32,
        now: Timestamp,
    ) -> Result<HandInInsert, StoreError> {
        let new = NewRecord {
            record,
            request,
            max_files_in_box: Some(max_files),
            now,
        };
        Ok(self.insert_all(new, None).await?.into())
    }

    async fn box_page(
        &self,
        id: BoxId,
        before: Option<FileId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_PARENT)
            .scan_index_forward(false)
            // One more than asked for shows whether there is a next page.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .expression_attribute_names("#parent", PARENT)
            .expression_attribute_values(":parent", string(box_list(id)));
        query = match before {
            None => query.key_condition_expression("#parent = :parent"),
            Some(before) => query
                .key_condition_expression("#parent = :parent AND #id < :before")
                .expression_attribute_names("#id", FILE_ID)
                .expression_attribute_values(":before", string(before)),
        };
        let output = query
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        let found = output.items();
        let more = found.len() > limit || output.last_evaluated_key.is_some();
        let mut records = Vec::with_capacity(found.len().min(limit));
        let mut last = None;
        for item in found.iter().take(limit) {
            let id = Attributes(item).text_as(FILE_ID, FileId::parse)?;
            last = Some(id);
            let record = from_item(item).inspect_err(|error| {
                tracing::error!(file_id = %id, error = %error.chain(), "a record can't be read and is not listed");
            });
            records.extend(record.ok());
        }
        Ok(Page {
            records,
            next: last.filter(|_| more),
        })
    }

    fn box_list_lag(&self) -> Duration {
        INDEX_LAG
    }

    async fn leave_box(
        &self,
        file: FileId,
        id: BoxId,
        owner: Option<UserId>,
    ) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let [in_box, place, parent] = [BOX_ID, PLACE_IN, PARENT].map(|it| placeholders.name(it));
        let status = placeholders.name(STATUS);
        let left = placeholders.value("left", string(id));
        let deleted = placeholders.value("deleted", string(Status::Deleted.as_str()));
        let update = match owner {
            None => format!("REMOVE {in_box}, {place}, {parent}"),
            Some(owner) => {
                let owner = placeholders.value("owner", string(owner));
                format!("SET {parent} = {owner} REMOVE {in_box}, {place}")
            }
        };
        let condition = format!("{in_box} = {left} AND {status} <> {deleted}");
        let changed = self.send_update(string(file), update, condition, placeholders);
        Ok(changed.await?.is_some())
    }
}
