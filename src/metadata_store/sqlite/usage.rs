//! Quotas: what is added within them, and the count made anew from the records.
//!
//! Invariant: the thread that writes looks at what the owner has, and adds, between no other two writes. How the count
//! is kept is said in `usage_table`.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row};

use super::error::store_error;
use super::readers::Readers;
use super::usage_table::{Counting, RECOUNT, add, is_kept, usage, usage_of};
use super::writer::Kind;
use super::{STORE, SqliteMetadataStore, StoreError, TooManyPending, hand_ins, idempotency};
use crate::domain::{FileRecord, KeyedRequest, Quota, Timestamp, Usage, UserId};
use crate::metadata_store::usage::{ChargedInsert, NewRecord, Recounted, UsageStore};

fn recounted(row: &Row<'_>) -> rusqlite::Result<Recounted> {
    let owner: String = row.get(0)?;
    let owner = UserId::parse(&owner)
        .map_err(|error| Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))?;
    Ok(Recounted {
        owner,
        kept: usage(row, 1)?,
        counted: usage(row, 3)?,
        uncharged: 0,
    })
}

/// What is added in one transaction, by the thread that writes.
struct Insert {
    record: FileRecord,
    request: Option<KeyedRequest>,
    max_files_in_box: Option<u32>,
    now: Timestamp,
    quota: Quota,
    counting: Counting,
}

impl Insert {
    /// `None`: the ID is taken.
    fn run(&self, connection: &Connection) -> rusqlite::Result<Option<ChargedInsert>> {
        let Self { record, now, .. } = self;
        if let Some(max_files) = self.max_files_in_box
            && let Some(refusal) = hand_ins::refusal(connection, record, max_files)?
        {
            return Ok(Some(refusal.into()));
        }
        if let Some(owner) = record.owner {
            let length = record.declared.length.bytes();
            if !self.quota.takes(usage_of(connection, owner)?, length) {
                return Ok(Some(ChargedInsert::QuotaExceeded));
            }
        }
        let request = self.request.as_ref();
        let inserted = idempotency::insert(connection, record, request, *now, self.counting)?;
        Ok(inserted.map(ChargedInsert::from))
    }
}

#[async_trait]
impl UsageStore for SqliteMetadataStore {
    async fn insert_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError> {
        self.space.check(STORE)?;
        let insert = Insert {
            record: new.record.clone(),
            request: new.request.copied(),
            max_files_in_box: new.max_files_in_box,
            now: new.now,
            quota: *quota,
            counting: self.counting,
        };
        let pending = Arc::clone(&self.pending);
        self.writer
            .write(Kind::Adds, move |connection| {
                if let Some(request) = &insert.request
                    && let Some(earlier) = idempotency::earlier(connection, request, insert.now)?
                {
                    return Ok(Ok(Some(ChargedInsert::KeyTaken(earlier))));
                }
                if !pending.takes(&insert.record) {
                    return Ok(Err(TooManyPending));
                }
                let inserted = insert.run(connection)?;
                if inserted == Some(ChargedInsert::Inserted) {
                    pending.added(&insert.record);
                }
                Ok(Ok(inserted))
            })
            .await??
            .ok_or(StoreError::AlreadyExists { store: STORE })
    }

    async fn usage(&self, owner: UserId) -> Result<Usage, StoreError> {
        let read = |connection: &Connection| usage_of(connection, owner);
        self.readers.point(read).map_err(store_error)
    }

    async fn recount(&self) -> Result<Vec<Recounted>, StoreError> {
        Readers::range(&self.readers, |connection| {
            if !is_kept(connection)? {
                return Ok(Vec::new());
            }
            let mut statement = connection.prepare(RECOUNT)?;
            statement.query_map([], recounted)?.collect()
        })
        .await
    }

    async fn charge_all(&self) -> Result<u64, StoreError> {
        // All are, since the table was filled from them.
        Ok(0)
    }

    async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError> {
        let Recounted {
            owner,
            kept,
            counted,
            uncharged: _,
        } = *found;
        let difference = |counted: u64, kept: u64| {
            let of = |it| i64::try_from(it).unwrap_or(i64::MAX);
            of(counted).saturating_sub(of(kept))
        };
        let files = difference(counted.files, kept.files);
        let bytes = difference(counted.bytes, kept.bytes);
        self.writer
            .write(Kind::Essential, move |connection| {
                add(connection, owner, files, bytes)
            })
            .await
    }
}
