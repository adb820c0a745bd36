//! Pages, merged from the shards of an index.
//!
//! Invariant: an item that can't be read is logged and left out, so that one damaged record doesn't take
//! the list away from everybody; it takes its place in the counting all the same, and `get` says what is
//! wrong with it. What a page costs depends on its size alone. Every shard is asked for about as many
//! records as it will have on the page, and asked again only if it turns out to have more.
//!
//! Absent on purpose: DynamoDB's own page keys. The ID of the last record says where to go on, in
//! every shard.

use std::cmp::Reverse;

use futures_util::future::try_join_all;

use super::{
    DynamoDbMetadataStore,
    item::{
        Attributes, FILE_ID, SHARDS, STATUS_SHARD, STORE, TIME_SHARD, from_item, status_shard,
        string,
    },
};
use crate::{
    aws::unavailable,
    domain::{FileId, FileRecord},
    metadata_store::{MAX_PAGE, Page, PageRequest, StoreError},
};

pub(super) const BY_TIME: &str = "byTime";
pub(super) const BY_STATUS: &str = "byStatus";

/// How often the shards are asked for one page. Even if all records of a page were in one shard,
/// fewer rounds would do.
const MAX_ROUNDS: usize = 8;

const _: () = assert!(
    chunk(MAX_PAGE + 1) * MAX_ROUNDS > MAX_PAGE + 1,
    "all records of a page may be in one shard"
);

/// How many records to ask one shard for, of `wanted` in all: twice its fair share, because shards
/// are filled at random, and a few more, because small numbers scatter wider.
const fn chunk(wanted: usize) -> usize {
    wanted * 2 / SHARDS as usize + 4
}

/// An item of an index; without its record if that can't be read.
type Entry = (FileId, Option<FileRecord>);

/// What is known of one shard, newest first.
struct Shard {
    key: String,
    entries: Vec<Entry>,
    /// Nothing comes behind `entries`.
    is_exhausted: bool,
}

impl Shard {
    /// Whether the `wanted` newest records of all shards might include one that this shard hasn't
    /// given yet. `last_wanted` is the last of them, as far as they are known.
    fn may_hold_more(&self, last_wanted: Option<FileId>) -> bool {
        let lowest = self.entries.last().map(|(id, _)| *id);
        !self.is_exhausted
            && match (lowest, last_wanted) {
                (Some(lowest), Some(last_wanted)) => lowest > last_wanted,
                _ => true,
            }
    }
}

impl DynamoDbMetadataStore {
    pub(super) async fn read_page(&self, request: PageRequest) -> Result<Page, StoreError> {
        // One more than asked for shows whether there is a next page.
        let wanted = request.limit.clamp(1, MAX_PAGE) + 1;
        let mut shards: Vec<Shard> = (0..SHARDS)
            .map(|shard| Shard {
                key: match request.status {
                    None => shard.to_string(),
                    Some(status) => status_shard(status, shard),
                },
                entries: Vec::new(),
                is_exhausted: false,
            })
            .collect();

        for _ in 0..MAX_ROUNDS {
            let last_wanted = nth_newest(&shards, wanted);
            let behind: Vec<_> = shards
                .iter_mut()
                .filter(|shard| shard.may_hold_more(last_wanted))
                .collect();
            if behind.is_empty() {
                return Ok(merge(shards, wanted - 1));
            }
            let queries = behind
                .into_iter()
                .map(|shard| self.read_on(shard, request, chunk(wanted)));
            try_join_all(queries).await?;
        }
        Err(StoreError::unavailable(
            STORE,
            format!("a page wasn't complete after {MAX_ROUNDS} rounds of queries"),
        ))
    }

    /// Asks a shard for the records behind those that it has given.
    async fn read_on(
        &self,
        shard: &mut Shard,
        request: PageRequest,
        limit: usize,
    ) -> Result<(), StoreError> {
        let (index, hash_key) = match request.status {
            None => (BY_TIME, TIME_SHARD),
            Some(_) => (BY_STATUS, STATUS_SHARD),
        };
        let before = shard.entries.last().map(|(id, _)| *id).or(request.before);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .expression_attribute_names("#shard", hash_key)
            .expression_attribute_values(":shard", string(&shard.key));
        query = match before {
            None => query.key_condition_expression("#shard = :shard"),
            Some(id) => query
                .key_condition_expression("#shard = :shard AND #id < :before")
                .expression_attribute_names("#id", FILE_ID)
                .expression_attribute_values(":before", string(id)),
        };
        let output = query
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        shard.is_exhausted = output.last_evaluated_key().is_none();
        for item in output.items() {
            let id = Attributes(item).text_as(FILE_ID, FileId::parse)?;
            let record = from_item(item).inspect_err(|error| {
                tracing::error!(file_id = %id, error = %error.chain(), "a record can't be read and is not listed");
            });
            shard.entries.push((id, record.ok()));
        }
        Ok(())
    }
}

/// The ID of the `n`th newest record; `None` if fewer are known.
fn nth_newest(shards: &[Shard], n: usize) -> Option<FileId> {
    let mut ids: Vec<FileId> = shards
        .iter()
        .flat_map(|shard| shard.entries.iter().map(|(id, _)| *id))
        .collect();
    ids.sort_unstable_by_key(|id| Reverse(*id));
    ids.get(n.checked_sub(1)?).copied()
}

fn merge(shards: Vec<Shard>, limit: usize) -> Page {
    let mut entries: Vec<Entry> = shards.into_iter().flat_map(|it| it.entries).collect();
    entries.sort_unstable_by_key(|(id, _)| Reverse(*id));
    let has_next = entries.len() > limit;
    entries.truncate(limit);
    Page {
        next: entries.last().filter(|_| has_next).map(|(id, _)| *id),
        records: entries
            .into_iter()
            .filter_map(|(_, record)| record)
            .collect(),
    }
}
