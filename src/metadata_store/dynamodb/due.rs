//! What is due, merged from the shards of a sparse index.
//!
//! Invariant: reconciliations come in the order of [`DueRecord`], by time and then by ID. DynamoDB promises no
//! order among index entries with the same time, so a shard is read until its last group of equals
//! is complete.
//!
//! Absent on purpose: start keys made up from a reconciliation. They would rely on that missing order.

use futures_util::future::try_join_all;

use super::{
    DynamoDbMetadataStore,
    item::{
        Attributes, FILE_ID, Item, RECONCILE_AT, RECONCILE_SHARD, SHARDS, STORE, millis, string,
    },
};
use crate::{
    aws::unavailable,
    domain::{FileId, Timestamp},
    metadata_store::{DueRecord, MAX_PAGE, StoreError},
};

pub(super) const BY_DUE: &str = "byReview";

/// How many entries one query asks for beyond the first. An entry has about 120 bytes, and an
/// answer up to 1 MB.
const FOLLOWING_ENTRIES: i32 = 1_000;

/// How often one shard is asked for one batch. Only entries of the very same millisecond make it
/// more than a few times, and a shard takes about one write a millisecond.
const MAX_QUERIES: usize = 20;

impl DynamoDbMetadataStore {
    pub(super) async fn read_due(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        if after.is_some_and(|after| after.reconcile_at > until) {
            return Ok(Vec::new());
        }
        let limit = limit.clamp(1, MAX_PAGE);
        let queries = (0..SHARDS).map(|shard| self.read_due_in(shard, until, after, limit));
        let mut due = try_join_all(queries).await?.concat();
        due.sort_unstable();
        due.truncate(limit);
        Ok(due)
    }

    /// At least the first `limit` reconciliations behind `after` in one shard, or all of them.
    async fn read_due_in(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        let mut due: Vec<DueRecord> = Vec::new();
        let mut start_key: Option<Item> = None;
        for query in 0..MAX_QUERIES {
            let entries = match query {
                0 => i32::try_from(limit + 1).unwrap_or(FOLLOWING_ENTRIES),
                _ => FOLLOWING_ENTRIES,
            };
            let from = after.map(|after| after.reconcile_at);
            let (due_records, next) = self
                .query_due(shard, from, until, entries, start_key)
                .await?;
            let last_read = due_records.last().map(|due_record| due_record.reconcile_at);
            due.extend(
                due_records
                    .into_iter()
                    .filter(|it| after.is_none_or(|after| *it > after)),
            );
            due.sort_unstable();
            let is_complete = limit
                .checked_sub(1)
                .and_then(|last| due.get(last))
                .is_some_and(|last_wanted| last_read > Some(last_wanted.reconcile_at));
            if is_complete || next.is_none() {
                return Ok(due);
            }
            start_key = next;
        }
        Err(StoreError::unavailable(
            STORE,
            format!("a batch of reviews wasn't complete after {MAX_QUERIES} queries"),
        ))
    }

    /// One answer, earliest first, with the key at which the next one goes on.
    async fn query_due(
        &self,
        shard: u8,
        from: Option<Timestamp>,
        until: Timestamp,
        entries: i32,
        start_key: Option<Item>,
    ) -> Result<(Vec<DueRecord>, Option<Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DUE)
            .limit(entries)
            .set_exclusive_start_key(start_key)
            .expression_attribute_names("#shard", RECONCILE_SHARD)
            .expression_attribute_names("#at", RECONCILE_AT)
            .expression_attribute_values(":shard", string(shard))
            .expression_attribute_values(":until", millis(until));
        let query = match from {
            None => query.key_condition_expression("#shard = :shard AND #at <= :until"),
            Some(from) => query
                .key_condition_expression("#shard = :shard AND #at BETWEEN :from AND :until")
                .expression_attribute_values(":from", millis(from)),
        };
        let output = query
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        let due_records = output
            .items()
            .iter()
            .map(|entry| {
                let attributes = Attributes(entry);
                Ok(DueRecord {
                    reconcile_at: attributes.millis(RECONCILE_AT)?,
                    id: attributes.text_as(FILE_ID, FileId::parse)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((due_records, output.last_evaluated_key))
    }
}
