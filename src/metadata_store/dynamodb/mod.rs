//! Records in a DynamoDB table, one item a file.
//!
//! The partition key is `fileId`. Three indexes, each spread over shards by the ID's last byte,
//! answer what can't be asked by ID: `byTime` and `byStatus` give pages, `byReview` (sparse) gives
//! what is due. A fourth, `byParent` (sparse), gives what belongs to somebody. `deploy/stack.yaml` defines them.
//!
//! Invariant: every write has a condition, and is safe for the client to send again when an answer
//! was lost: what the port answers is what the first attempt did.
//!
//! Absent on purpose: scans but for a recount, transactions over several files, and a clock.

mod due;
mod ends;
mod expression;
mod hand_ins;
mod idempotency;
mod inserts;
mod item;
mod items;
mod marker;
mod outbox;
mod owner_pages;
mod pages;
mod protection;
mod start_check;
mod states;
mod transactions;
mod usage;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use self::{
    expression::{Condition, Placeholders, WriteToken, update_expression},
    item::{
        FILE_ID, Item, STORE, UPLOAD_EXPIRES_AT, expiry_of, from_item, millis,
        reconcile_attributes, removed_expiry, string, to_item,
    },
};
use super::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, StoreError,
    TransitionOutcome,
};
use crate::{
    aws::unavailable,
    domain::{FileId, FileRecord, Hold, KeyedRequest, Status, Timestamp, Transition},
};

pub use start_check::{TableCheck, TableUse};

/// A key that no file has: its version isn't 7.
const NIL_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Records in one DynamoDB table, with the key and the indexes that `deploy/stack.yaml` gives it.
pub struct DynamoDbMetadataStore {
    client: Client,
    table: String,
}

impl DynamoDbMetadataStore {
    /// `client` comes from [`crate::aws::dynamodb_client`].
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    async fn get_item(&self, id: AttributeValue) -> Result<Option<Item>, StoreError> {
        self.client
            .get_item()
            .table_name(&self.table)
            .key(FILE_ID, id)
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|error| unavailable(STORE, "GetItem", &error))
    }

    /// The item as it is after the write; `None` if the condition didn't hold.
    async fn update(
        &self,
        id: FileId,
        set: Vec<(&'static str, AttributeValue)>,
        remove: &[&'static str],
        condition: Condition,
    ) -> Result<Option<Item>, StoreError> {
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, None, remove, &mut placeholders);
        let condition = condition.expression(&mut placeholders);
        self.send_update(string(id), update, condition, placeholders)
            .await
    }

    async fn send_update(
        &self,
        key: AttributeValue,
        update: String,
        condition: String,
        placeholders: Placeholders,
    ) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(FILE_ID, key)
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
            Err(error) if is_condition_failed(&error) => Ok(None),
            Err(error) => Err(unavailable(STORE, "UpdateItem", &error)),
        }
    }
}

fn is_condition_failed<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

#[async_trait]
impl MetadataStore for DynamoDbMetadataStore {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        let token = WriteToken::new();
        let (name, value) = token.attribute();
        let mut item = to_item(record);
        item.insert(name.to_owned(), value);
        let mut placeholders = Placeholders::default();
        let absent = Condition::Absent.expression(&mut placeholders);
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(token.or_repeated(&absent, &mut placeholders))
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => {
                Err(StoreError::AlreadyExists { store: STORE })
            }
            Err(error) => Err(unavailable(STORE, "PutItem", &error)),
        }
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        self.insert_with_key(record, request, now).await
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        self.request_of_key(request, now).await
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let item = self.get_item(string(id)).await?;
        item.as_ref().map(from_item).transpose()
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        match request.owner {
            None => self.read_page(request).await,
            Some(owner) => self.read_owner_page(owner, request).await,
        }
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let set = vec![(UPLOAD_EXPIRES_AT, millis(upload_expires_at))];
        let condition = Condition::PendingUntilBefore(upload_expires_at);
        if let Some(item) = self.update(id, set, &[], condition).await? {
            return from_item(&item).map(Some);
        }
        // The deadline may be there already, or further ahead.
        let stored = self.get(id).await?;
        Ok(stored.filter(|record| record.status() == Status::Pending))
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        self.make_transition(id, transition, &[]).await
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        self.make_tombstone(id, now, purge_at, upload_grace, as_of, &[])
            .await
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        self.put_hold(id, hold).await
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.remove_hold(id, hold, due_at).await
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.move_keep_until(id, keep_until).await
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.move_deletion(id, seen, reconcile_at).await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        self.read_due(until, after, limit).await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        self.move_reconcile(id, reconcile_at, upload_grace).await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        if status.may_have_bytes() {
            return Ok(());
        }
        let mut set: Vec<_> = reconcile_attributes(id, reconcile_at).into();
        set.extend(expiry_of(status, purge_at));
        let removed = removed_expiry(status);
        self.update(id, set, removed, Condition::StatusIs(status))
            .await
            .map(drop)
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        if status.may_have_bytes() {
            return Ok(());
        }
        let mut placeholders = Placeholders::default();
        let condition = Condition::StatusIs(status).expression(&mut placeholders);
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(FILE_ID, string(id))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => Ok(()),
            Err(error) => Err(unavailable(STORE, "DeleteItem", &error)),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.get_item(string(NIL_ID)).await.map(drop)
    }
}
