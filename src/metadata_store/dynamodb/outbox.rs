//! What is still to be told, as items of their own in the table.
//!
//! A message is an item under `webhook#` and its ID. It is added in one transaction with the change that it tells of,
//! which costs twice what the two writes would alone; without messages a change is the one write that it always was.
//! What is due is found in the index of due records, in partitions of its own (`webhook#0` to `webhook#7`), so that
//! there is no index more to pay for with every record, and the worker needs no right to read another one.
//!
//! Invariant: the reconciler asks for partitions without that prefix, so it sees no message. TTL removes a message that
//! nobody could tell for [`KEPT`].

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use futures_util::future::try_join_all;

use super::DynamoDbMetadataStore;
use super::due::BY_DUE;
use super::expression::{Placeholders, WriteToken, update_expression};
use super::item::{
    Attributes, FILE_ID, Item, RECONCILE_AT, RECONCILE_SHARD, SHARDS, STORE, expiry, millis,
    number, string,
};
use crate::aws::unavailable;
use crate::domain::{FileId, Timestamp, Transition};
use crate::metadata_store::outbox::{MAX_DUE_MESSAGES, Message, MessageId, Outbox};
use crate::metadata_store::{StoreError, TransitionOutcome};

const PREFIX: &str = "webhook#";
const BODY: &str = "body";
const ATTEMPTS: &str = "attempts";
const TRIED_SINCE: &str = "triedSince";
/// How long a message is kept at the most: a service that was stopped for that long has nothing to tell any more. It ends
/// by DynamoDB's clock; one of ours that was wrong by more than minutes couldn't sign the call that writes this.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Messages that are read at a time.
const READ_AT_A_TIME: usize = 16;

fn key(id: &MessageId) -> String {
    format!("{PREFIX}{id}")
}

/// The same message is always in the same partition. Which one isn't a matter of security.
fn shard(id: &MessageId) -> u8 {
    let sum = id.as_str().bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    u8::try_from(sum % u32::from(SHARDS)).unwrap_or_default()
}

fn partition(shard: u8) -> String {
    format!("{PREFIX}{shard}")
}

/// What changes when a message is taken up.
fn state_of(message: &Message) -> Vec<(&'static str, AttributeValue)> {
    let mut set = vec![
        (RECONCILE_SHARD, string(partition(shard(&message.id)))),
        (RECONCILE_AT, millis(message.due_at)),
        (ATTEMPTS, number(message.attempts)),
    ];
    let since = message.tried_since;
    set.extend(since.map(|at| (TRIED_SINCE, millis(at))));
    set
}

fn from_item(item: &Item) -> Result<Message, StoreError> {
    let attributes = Attributes(item);
    let parse = |text: &str| {
        let id = text.strip_prefix(PREFIX).unwrap_or_default();
        MessageId::parse(id)
    };
    let attempts = attributes.number(ATTEMPTS)?;
    Ok(Message {
        id: attributes.text_as(FILE_ID, parse)?,
        due_at: attributes.millis(RECONCILE_AT)?,
        attempts: u32::try_from(attempts)
            .map_err(|_| StoreError::corrupt(STORE, format!("attribute {ATTEMPTS}")))?,
        tried_since: attributes.optional(TRIED_SINCE, Attributes::millis)?,
        body: attributes.text_as(BODY, |text| Ok(text.to_owned()))?,
    })
}

/// Adds a message, and leaves one that is there as it is: each value is set only where there is none.
fn adding(message: &Message) -> (String, Placeholders) {
    let mut placeholders = Placeholders::default();
    let mut set = state_of(message);
    set.push((BODY, string(&message.body)));
    set.extend(expiry(message.due_at + KEPT));
    let set = set.into_iter().map(|(attribute, value)| {
        let (name, value) = (
            placeholders.name(attribute),
            placeholders.value(attribute, value),
        );
        format!("{name} = if_not_exists({name}, {value})")
    });
    let update = format!("SET {}", set.collect::<Vec<_>>().join(", "));
    (update, placeholders)
}

impl DynamoDbMetadataStore {
    /// By updates, which make what isn't there, since the worker may put nothing.
    pub(super) fn adding_all(
        &self,
        messages: &[Message],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let adding = messages.iter().map(|message| {
            let (update, placeholders) = adding(message);
            let update = Update::builder()
                .table_name(&self.table)
                .key(FILE_ID, string(key(&message.id)))
                .update_expression(update)
                .set_expression_attribute_names(Some(placeholders.names))
                .set_expression_attribute_values(Some(placeholders.values))
                .build()
                .map_err(|error| StoreError::unavailable(STORE, error))?;
            Ok(TransactWriteItem::builder().update(update).build())
        });
        adding.collect()
    }

    /// Keys of messages of one partition, from that end on.
    async fn query_messages(
        &self,
        shard: u8,
        from: End,
        limit: usize,
    ) -> Result<Vec<(Timestamp, MessageId)>, StoreError> {
        let (condition, moment) = match from {
            End::TheEarliestUntil(now) => ("#shard = :shard AND #at <= :moment", now),
            End::TheLatestAfter(moment) => ("#shard = :shard AND #at > :moment", moment),
        };
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DUE)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .scan_index_forward(matches!(from, End::TheEarliestUntil(_)))
            .key_condition_expression(condition)
            .expression_attribute_names("#shard", RECONCILE_SHARD)
            .expression_attribute_names("#at", RECONCILE_AT)
            .expression_attribute_values(":shard", string(partition(shard)))
            .expression_attribute_values(":moment", millis(moment))
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        let entries = output.items().iter().map(|entry| {
            let attributes = Attributes(entry);
            let id = attributes.text_as(FILE_ID, |text| {
                MessageId::parse(text.strip_prefix(PREFIX).unwrap_or_default())
            });
            Ok((attributes.millis(RECONCILE_AT)?, id?))
        });
        entries.collect()
    }

    /// Messages of all partitions from that end on, as the index has them: in the order of their moments, and some may be
    /// due at another one by now.
    async fn found_messages(&self, from: End, limit: usize) -> Result<Vec<Message>, StoreError> {
        let limit = limit.clamp(1, MAX_DUE_MESSAGES);
        let queries = (0..SHARDS).map(|shard| self.query_messages(shard, from, limit));
        let mut found = try_join_all(queries).await?.concat();
        found.sort_unstable();
        if let End::TheLatestAfter(_) = from {
            found.reverse();
        }
        found.truncate(limit);
        let mut messages = Vec::with_capacity(found.len());
        for some in found.chunks(READ_AT_A_TIME) {
            let reads = some.iter().map(|(_, id)| self.get_item(string(key(id))));
            let items = try_join_all(reads).await?;
            let read = items.iter().flatten().map(from_item);
            messages.extend(read.filter_map(|message| {
                message
                    .inspect_err(|error| {
                        let error = error.chain();
                        tracing::error!(error, "a message can't be read and is not told");
                    })
                    .ok()
            }));
        }
        messages.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        Ok(messages)
    }
}

/// Which messages of a partition are asked for first.
#[derive(Clone, Copy)]
enum End {
    TheEarliestUntil(Timestamp),
    TheLatestAfter(Timestamp),
}

#[async_trait]
impl Outbox for DynamoDbMetadataStore {
    async fn transition_told(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        self.make_transition(id, transition, messages).await
    }

    async fn delete_told(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        self.make_tombstone(id, now, purge_at, upload_grace, as_of, messages)
            .await
    }

    async fn add_message(&self, message: &Message) -> Result<(), StoreError> {
        let (update, placeholders) = adding(message);
        self.client
            .update_item()
            .table_name(&self.table)
            .key(FILE_ID, string(key(&message.id)))
            .update_expression(update)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values(Some(placeholders.values))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable(STORE, "UpdateItem", &error))
    }

    async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, StoreError> {
        let found = self.found_messages(End::TheEarliestUntil(now), limit);
        let mut messages = found.await?;
        // The index is behind the table: what was taken up since isn't due.
        messages.retain(|message| message.due_at <= now);
        Ok(messages)
    }

    async fn messages_after(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let found = self.found_messages(End::TheLatestAfter(moment), limit);
        let mut messages = found.await?;
        messages.retain(|message| message.due_at > moment);
        messages.reverse();
        Ok(messages)
    }

    async fn replace_message(&self, seen: &Message, message: &Message) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let token = WriteToken::new();
        let mut set = state_of(message);
        set.push(token.attribute());
        let update = update_expression(set, None, &[], &mut placeholders);
        let due_at = placeholders.name(RECONCILE_AT);
        let seen_due_at = placeholders.value("seenDueAt", millis(seen.due_at));
        let attempts = placeholders.name(ATTEMPTS);
        let seen_attempts = placeholders.value("seenAttempts", number(seen.attempts));
        let unchanged = format!("{due_at} = {seen_due_at} AND {attempts} = {seen_attempts}");
        let condition = token.or_repeated(&unchanged, &mut placeholders);
        let key = string(key(&seen.id));
        let replaced = self.send_update(key, update, condition, placeholders);
        Ok(replaced.await?.is_some())
    }

    async fn remove_message(&self, id: &MessageId) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(FILE_ID, string(key(id)))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable(STORE, "DeleteItem", &error))
    }
}
