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
    ends::Change,
    expression::{Condition, Placeholders, WriteToken, update_expression},
    item::{
        FILE_ID, HOLD_ATTRIBUTES, Item, KEEP_UNTIL, RECONCILE_AT, STATE_ATTRIBUTES, STORE,
        UPLOAD_EXPIRES_AT, expiry_of, from_item, millis, reconcile_attributes, reconcile_shard,
        removed_expiry, state_attributes, string, to_item,
    },
    items::PARENT,
};
use super::outbox::Message;
use super::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, StoreError,
    TransitionOutcome,
};
use crate::{
    aws::unavailable,
    domain::{
        FileId, FileRecord, FileState, Hold, KeyedRequest, Status, Timestamp, Transition,
        TransitionCondition,
    },
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
        token: Option<&WriteToken>,
    ) -> Result<Option<Item>, StoreError> {
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, None, remove, &mut placeholders);
        let mut condition = condition.expression(&mut placeholders);
        if let Some(token) = token {
            condition = token.or_repeated(&condition, &mut placeholders);
        }
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

    /// Gives the item another state, and nothing of the former one stays; adds the messages with it. `false` if the
    /// condition didn't hold.
    async fn change_state(
        &self,
        id: FileId,
        (state, keep_until): (&FileState, Option<Timestamp>),
        next: ReconcileAt,
        condition: Condition,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let token = WriteToken::new();
        let (reconcile_at, uploads_end) = match next {
            ReconcileAt::Never => (None, None),
            ReconcileAt::At(at) => (Some(at), None),
            ReconcileAt::UploadsEnd(grace) => (None, Some(grace)),
        };
        let mut set = state_attributes(id, state, reconcile_at);
        set.push(token.attribute());
        set.extend(keep_until.map(|at| (KEEP_UNTIL, millis(at))));
        if uploads_end.is_some() {
            set.push(reconcile_shard(id));
        }
        let left_lists = (!state.status().is_listed()).then_some(PARENT);
        let is_held_no_more = match state.status().keeps_its_hold() {
            true => &[][..],
            false => &HOLD_ATTRIBUTES,
        };
        let remove: Vec<_> = STATE_ATTRIBUTES
            .into_iter()
            .chain(left_lists)
            .chain(is_held_no_more.iter().copied())
            .filter(|name| set.iter().all(|(kept, _)| kept != name))
            .filter(|name| *name != RECONCILE_AT || uploads_end.is_none())
            .collect();
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, uploads_end, &remove, &mut placeholders);
        let condition = condition.expression(&mut placeholders);
        let condition = token.or_repeated(&condition, &mut placeholders);
        let change = Change {
            id,
            update,
            condition,
            placeholders,
        };
        if !state.status().may_have_bytes() {
            return self.end(change, messages).await;
        }
        if !messages.is_empty() {
            return self.change_told(change, messages).await;
        }
        let Change {
            update,
            condition,
            placeholders,
            ..
        } = change;
        let changed = self
            .send_update(string(id), update, condition, placeholders)
            .await?;
        Ok(changed.is_some())
    }

    async fn make_transition(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        let from = transition.from;
        let condition = match &transition.condition {
            TransitionCondition::Always => Condition::StatusIs(from),
            TransitionCondition::UploadExpiresAt(seen) => Condition::StatusAndDeadline(from, *seen),
            TransitionCondition::NotLocking => Condition::NotLocking(from),
            TransitionCondition::LocksNoOther(version_id) => {
                Condition::LocksNoOther(from, version_id.clone())
            }
        };
        let next = match transition.reconcile_at {
            Some(at) => ReconcileAt::At(at),
            None => ReconcileAt::Never,
        };
        let changed = self
            .change_state(
                id,
                (&transition.to, transition.keep_until),
                next,
                condition,
                messages,
            )
            .await?;
        Ok(if changed {
            TransitionOutcome::Applied
        } else {
            TransitionOutcome::Unchanged
        })
    }

    async fn make_tombstone(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let tombstone = FileState::Deleted { purge_at };
        let at_once = ReconcileAt::At(now);
        let condition = Condition::LivingAndNotUnversioned(as_of);
        if self
            .change_state(id, (&tombstone, None), at_once, condition, messages)
            .await?
        {
            return Ok(true);
        }
        let at_the_end = ReconcileAt::UploadsEnd(upload_grace);
        let condition = Condition::Unversioned(as_of);
        self.change_state(id, (&tombstone, None), at_the_end, condition, messages)
            .await
    }

    /// Sets only when a pending record is looked at. `false` if the condition didn't hold.
    async fn set_reconcile_at(
        &self,
        id: FileId,
        next: ReconcileAt,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        let (set, uploads_end) = match next {
            ReconcileAt::At(at) => (reconcile_attributes(id, at).into(), None),
            ReconcileAt::UploadsEnd(grace) => (vec![reconcile_shard(id)], Some(grace)),
            ReconcileAt::Never => return Ok(false),
        };
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, uploads_end, &[], &mut placeholders);
        let condition = condition.expression(&mut placeholders);
        let changed = self
            .send_update(string(id), update, condition, placeholders)
            .await?;
        Ok(changed.is_some())
    }
}

/// When a record is looked at next.
#[derive(Debug, Clone, Copy)]
enum ReconcileAt {
    Never,
    At(Timestamp),
    /// So long after the upload deadline that the item has.
    UploadsEnd(Duration),
}

/// A pending record whose next look lies so far behind its creation is likelier to be at its end before.
/// Whichever is tried first, the other one follows if it doesn't hold.
const LIKELY_LIFE: Duration = Duration::from_secs(30 * 60);

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
        if let Some(item) = self.update(id, set, &[], condition, None).await? {
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
        let earlier = reconcile_at - upload_grace;
        let mut ways = [
            (
                ReconcileAt::At(reconcile_at),
                Condition::PendingUntilNotBefore(earlier),
            ),
            (
                ReconcileAt::UploadsEnd(upload_grace),
                Condition::PendingUntilBefore(earlier),
            ),
        ];
        if reconcile_at >= id.created_at() + LIKELY_LIFE {
            ways.reverse();
        }
        for (next, condition) in ways {
            if self.set_reconcile_at(id, next, condition).await? {
                return Ok(true);
            }
        }
        Ok(false)
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
        self.update(id, set, removed, Condition::StatusIs(status), None)
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
