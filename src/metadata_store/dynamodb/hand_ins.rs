//! Boxes that files are handed in to.
//!
//! A box that takes files has an item under `places#` and its ID, with how many places are taken. The file is put,
//! and its place taken, in one transaction; the write that ends a file gives the place back in another. Which place a
//! file holds is in the file's own item (`placeIn`), so it is given back once.
//!
//! Invariant: the number is that of the items with `placeIn`, at any moment and whatever dies. It has no TTL and is
//! in no list.
//!
//! Absent on purpose: counting. A list may be behind the writes, and a count of it with it.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::transact_write_items::TransactWriteItemsError,
    operation::update_item::UpdateItemError,
    types::{CancellationReason, Put, TransactWriteItem, Update},
};
use std::time::Duration;

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    idempotency::key_put,
    is_condition_failed,
    item::{
        Attributes, BOX_ID, FILE_ID, Item, PLACE_IN, STATUS, STORE, box_list, from_item, number,
        string, to_item,
    },
    items::{BY_PARENT, PARENT},
};
use crate::{
    aws::unavailable,
    domain::{BoxId, FileId, FileRecord, KeyedRequest, Status, Timestamp, UserId},
    metadata_store::{
        MAX_PAGE, Page, StoreError,
        hand_ins::{HandInInsert, HandInStore},
    },
};

/// Indexes are behind the table for a fraction of a second
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>).
const INDEX_LAG: Duration = Duration::from_secs(3);

const PREFIX: &str = "places#";
/// How many are taken.
const TAKEN: &str = "taken";

/// How often a transaction is tried that met another one on the same box.
pub(super) const MAX_ATTEMPTS: u32 = 12;
/// The pause before the next attempt, times the number of those before; each waits for half of it to one and a half.
const PAUSE: Duration = Duration::from_millis(20);

fn places_key(id: BoxId) -> String {
    format!("{PREFIX}{id}")
}

pub(super) async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE.mul_f64(f64::from(attempt) * (0.5 + fastrand::f64()))).await;
}

pub(super) fn contended() -> StoreError {
    StoreError::unavailable(
        STORE,
        format!("{MAX_ATTEMPTS} transactions met others on the same box"),
    )
}

/// What became of a transaction.
pub(super) enum Written {
    Done,
    /// The condition of the item at this position didn't hold.
    ConditionFailed(usize),
    /// Another transaction was at the same items.
    Conflict,
}

/// An update that gives the file's item its last state, as far as it is written.
pub(super) struct End {
    pub(super) id: FileId,
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) placeholders: Placeholders,
}

impl DynamoDbMetadataStore {
    /// Ends the life of a file that may hold a place in a box. `false`: the condition doesn't hold.
    pub(super) async fn end(&self, end: End) -> Result<bool, StoreError> {
        for attempt in 1..=MAX_ATTEMPTS {
            // Most files are in no box.
            let Some(held) = self.end_without_place(&end).await? else {
                return Ok(true);
            };
            let Some(place_in) = held else {
                return Ok(false);
            };
            match self.end_with_place(&end, place_in).await? {
                Written::Done => return Ok(true),
                // Somebody else was faster: with the state, or with the place.
                Written::ConditionFailed(0) => return Ok(false),
                // The box is gone, and with it the number.
                Written::ConditionFailed(_) => return self.end_of_shut_box(&end, place_in).await,
                Written::Conflict => pause(attempt).await,
            }
        }
        Err(contended())
    }

    /// `None`: it was done. Else the box whose place the file holds; an inner `None`: the condition doesn't hold.
    async fn end_without_place(&self, end: &End) -> Result<Option<Option<BoxId>>, StoreError> {
        let mut placeholders = end.placeholders.clone();
        let place = placeholders.name(PLACE_IN);
        let condition = format!("({}) AND attribute_not_exists({place})", end.condition);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(FILE_ID, string(end.id))
            .update_expression(&end.update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            )
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let found = failed.item();
                let place = found.map(|item| {
                    Attributes(item).optional(PLACE_IN, |of, name| of.text_as(name, BoxId::parse))
                });
                Ok(Some(place.transpose()?.flatten()))
            }
            _ => Err(unavailable(STORE, "UpdateItem", &error)),
        }
    }

    async fn end_with_place(&self, end: &End, place_in: BoxId) -> Result<Written, StoreError> {
        let items = self.change_with_place(end, place_in, true)?;
        self.write_all(items).await
    }

    /// What ends a file that holds a place in this box, and gives it back if the box is there.
    pub(super) fn change_with_place(
        &self,
        end: &End,
        place_in: BoxId,
        box_is_there: bool,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let (update, condition, placeholders) = end.leaving(place_in);
        let mut updates = vec![self.update_of(string(end.id), update, condition, placeholders)?];
        if box_is_there {
            let mut placeholders = Placeholders::default();
            let (taken, one) = (
                placeholders.name(TAKEN),
                placeholders.value("one", number(-1)),
            );
            let (update, condition) = (
                format!("ADD {taken} {one}"),
                format!("attribute_exists({taken})"),
            );
            let key = string(places_key(place_in));
            updates.push(self.update_of(key, update, condition, placeholders)?);
        }
        let item = |update| TransactWriteItem::builder().update(update).build();
        Ok(updates.into_iter().map(item).collect())
    }

    async fn end_of_shut_box(&self, end: &End, place_in: BoxId) -> Result<bool, StoreError> {
        let (update, condition, placeholders) = end.leaving(place_in);
        let changed = self.send_update(string(end.id), update, condition, placeholders);
        Ok(changed.await?.is_some())
    }

    pub(super) fn update_of(
        &self,
        key: aws_sdk_dynamodb::types::AttributeValue,
        update: String,
        condition: String,
        placeholders: Placeholders,
    ) -> Result<Update, StoreError> {
        let values = placeholders.values;
        Update::builder()
            .table_name(&self.table)
            .key(FILE_ID, key)
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .build()
            .map_err(|error| StoreError::unavailable(STORE, error))
    }

    pub(super) async fn write_all(
        &self,
        items: Vec<TransactWriteItem>,
    ) -> Result<Written, StoreError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        let written = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                why(cancelled.cancellation_reasons())
            }
            _ if error.code() == Some("TransactionInProgressException") => Some(Written::Conflict),
            _ => None,
        };
        written.ok_or_else(|| unavailable(STORE, "TransactWriteItems", &error))
    }

    /// The record, its place, and the key of its request.
    fn hand_in(
        &self,
        record: &FileRecord,
        place: (BoxId, u32),
        request: Option<&KeyedRequest>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let (id, max_files) = place;
        let mut of_record = Placeholders::default();
        let absent = Condition::Absent.expression(&mut of_record);
        let file = self.put(to_item(record), absent, of_record)?;
        let mut placeholders = Placeholders::default();
        let taken = placeholders.name(TAKEN);
        let one = placeholders.value("one", number(1));
        let limit = placeholders.value("limit", number(max_files));
        let (update, condition) = (format!("ADD {taken} {one}"), format!("{taken} < {limit}"));
        let place = self.update_of(string(places_key(id)), update, condition, placeholders)?;
        let put = |put: Put| TransactWriteItem::builder().put(put).build();
        let mut items = vec![
            put(file),
            TransactWriteItem::builder().update(place).build(),
        ];
        if let Some(request) = request {
            items.push(put(key_put(self, record.id, request, now)?));
        }
        Ok(items)
    }

    /// `None`: there is room, or was a moment ago.
    async fn why_no_place(
        &self,
        id: BoxId,
        max_files: u32,
    ) -> Result<Option<HandInInsert>, StoreError> {
        let Some(item) = self.get_item(string(places_key(id))).await? else {
            return Ok(Some(HandInInsert::BoxShut));
        };
        let taken = Attributes(&item).number(TAKEN)?;
        Ok((taken >= i64::from(max_files)).then_some(HandInInsert::BoxFull))
    }
}

impl End {
    /// The same for a file that holds a place of this box, and gives it back.
    fn leaving(&self, place_in: BoxId) -> (String, String, Placeholders) {
        let mut placeholders = self.placeholders.clone();
        let place = placeholders.name(PLACE_IN);
        let held = placeholders.value("held", string(place_in));
        let update = match self.update.contains(" REMOVE ") {
            true => format!("{}, {place}", self.update),
            false => format!("{} REMOVE {place}", self.update),
        };
        let condition = format!("({}) AND {place} = {held}", self.condition);
        (update, condition, placeholders)
    }
}

/// The first item whose condition didn't hold, the key of a request before all others. `None` for any other reason,
/// such as throttling.
fn why(reasons: &[CancellationReason]) -> Option<Written> {
    let code = |at: usize| reasons.get(at).and_then(CancellationReason::code);
    let failed = |at: &usize| code(*at) == Some("ConditionalCheckFailed");
    if let Some(at) = [2, 0, 1].into_iter().find(failed) {
        return Some(Written::ConditionFailed(at));
    }
    (0..reasons.len())
        .any(|at| code(at) == Some("TransactionConflict"))
        .then_some(Written::Conflict)
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
        let Some(id) = record.in_box() else {
            return Ok(HandInInsert::BoxShut);
        };
        for attempt in 1..=MAX_ATTEMPTS {
            let items = self.hand_in(record, (id, max_files), request, now)?;
            let written = self.write_all(items).await?;
            if matches!(written, Written::Done) {
                return Ok(HandInInsert::Inserted);
            }
            if let Some(request) = request
                && let Some(earlier) = self.request_of_key(request, now).await?
            {
                return Ok(HandInInsert::KeyTaken(earlier));
            }
            match written {
                Written::ConditionFailed(0) => {
                    return Err(StoreError::AlreadyExists { store: STORE });
                }
                Written::ConditionFailed(1) => {
                    if let Some(why) = self.why_no_place(id, max_files).await? {
                        return Ok(why);
                    }
                }
                _ => {}
            }
            pause(attempt).await;
        }
        Err(contended())
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
