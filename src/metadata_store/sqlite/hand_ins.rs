//! Boxes that files are handed in to.
//!
//! Invariant: the thread that writes counts the files that hold a place, and adds one, between no other two writes:
//! so the count can't be off, and there is none to be kept.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, named_params};

use super::readers::Readers;
use super::usage_table::Counting;
use super::writer::Kind;
use super::{
    STORE, SqliteMetadataStore, StoreError, TooManyPending, idempotency, row,
    statements::ABOVE_ALL_IDS,
};
use crate::domain::{BoxId, FileId, FileRecord, KeyedRequest, Timestamp, UserId};
use crate::metadata_store::hand_ins::{HandInInsert, HandInStore};
use crate::metadata_store::{KeyedInsert, MAX_PAGE, Page};

const OPEN: &str = "INSERT INTO open_boxes (id) VALUES (:id) ON CONFLICT (id) DO NOTHING";
const SHUT: &str = "DELETE FROM open_boxes WHERE id = :id";
const IS_OPEN: &str = "SELECT 1 FROM open_boxes WHERE id = :id";

pub(super) const COUNT_PLACES: &str =
    "SELECT count(*) FROM (SELECT 1 FROM files INDEXED BY files_with_place
      WHERE box_id = :id AND (status = 'pending' OR status = 'available') LIMIT :limit)";

pub(super) const PAGE_OF_BOX: &str = concat!(
    "SELECT ",
    row::columns!(),
    " FROM files INDEXED BY files_by_box
      WHERE box_id = :id AND status <> 'deleted' AND id < :before ORDER BY id DESC LIMIT :limit"
);

const LEAVE: &str = "UPDATE files SET box_id = NULL
      WHERE id = :file AND box_id = :id AND status <> 'deleted'";

/// Why this box takes no file more; `None`: it does.
pub(super) fn refusal(
    connection: &Connection,
    record: &FileRecord,
    max_files: u32,
) -> rusqlite::Result<Option<HandInInsert>> {
    let Some(id) = record.in_box() else {
        return Ok(Some(HandInInsert::BoxShut));
    };
    let named = named_params! { ":id": id.as_bytes() };
    if !connection.prepare_cached(IS_OPEN)?.exists(named)? {
        return Ok(Some(HandInInsert::BoxShut));
    }
    let taken: i64 = connection.prepare_cached(COUNT_PLACES)?.query_row(
        named_params! { ":id": id.as_bytes(), ":limit": i64::from(max_files) },
        |row| row.get(0),
    )?;
    Ok((taken >= i64::from(max_files)).then_some(HandInInsert::BoxFull))
}

/// What became of a record that is to be added; `None`: its ID is taken.
fn insert(
    connection: &Connection,
    record: &FileRecord,
    request: Option<&KeyedRequest>,
    max_files: u32,
    now: Timestamp,
    counting: Counting,
) -> rusqlite::Result<Option<HandInInsert>> {
    if let Some(refusal) = refusal(connection, record, max_files)? {
        return Ok(Some(refusal));
    }
    let inserted = idempotency::insert(connection, record, request, now, counting)?;
    Ok(inserted.map(|inserted| match inserted {
        KeyedInsert::Inserted => HandInInsert::Inserted,
        KeyedInsert::KeyTaken(earlier) => HandInInsert::KeyTaken(earlier),
    }))
}

fn page(
    connection: &Connection,
    id: BoxId,
    before: Option<FileId>,
    limit: usize,
) -> rusqlite::Result<Page> {
    let limit = limit.clamp(1, MAX_PAGE);
    let before = before.map_or(ABOVE_ALL_IDS, |id| *id.as_bytes());
    let mut statement = connection.prepare_cached(PAGE_OF_BOX)?;
    let mut rows = statement.query(named_params! {
        // One more than asked for tells whether another page follows.
        ":id": id.as_bytes(), ":before": before, ":limit": limit as i64 + 1,
    })?;
    let mut records = Vec::with_capacity(limit);
    let (mut last, mut taken) = (None, 0);
    while let Some(row) = rows.next()? {
        if taken == limit {
            return Ok(Page {
                records,
                next: last,
            });
        }
        let id = row::id(row, row::ID)?;
        (last, taken) = (Some(id), taken + 1);
        match row::record(row) {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::error!(file_id = %id, %error, "a record can't be read and is not listed");
            }
        }
    }
    Ok(Page {
        records,
        next: None,
    })
}

#[async_trait]
impl HandInStore for SqliteMetadataStore {
    async fn open_box(&self, id: BoxId) -> Result<(), StoreError> {
        self.space.check(STORE)?;
        self.writer
            .write(Kind::Adds, move |connection| {
                let named = named_params! { ":id": id.as_bytes() };
                connection.prepare_cached(OPEN)?.execute(named).map(drop)
            })
            .await
    }

    async fn shut_box(&self, id: BoxId) -> Result<(), StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                let named = named_params! { ":id": id.as_bytes() };
                connection.prepare_cached(SHUT)?.execute(named).map(drop)
            })
            .await
    }

    async fn insert_hand_in(
        &self,
        record: &FileRecord,
        request: Option<&KeyedRequest>,
        max_files: u32,
        now: Timestamp,
    ) -> Result<HandInInsert, StoreError> {
        self.space.check(STORE)?;
        let (record, request) = (record.clone(), request.copied());
        let (pending, counting) = (Arc::clone(&self.pending), self.counting);
        self.writer
            .write(Kind::Adds, move |connection| {
                if let Some(request) = &request
                    && let Some(earlier) = idempotency::earlier(connection, request, now)?
                {
                    return Ok(Ok(Some(HandInInsert::KeyTaken(earlier))));
                }
                if !pending.takes(&record) {
                    return Ok(Err(TooManyPending));
                }
                let request = request.as_ref();
                let inserted = insert(connection, &record, request, max_files, now, counting)?;
                if inserted == Some(HandInInsert::Inserted) {
                    pending.added(&record);
                }
                Ok(Ok(inserted))
            })
            .await??
            .ok_or(StoreError::AlreadyExists { store: STORE })
    }

    async fn box_page(
        &self,
        id: BoxId,
        before: Option<FileId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        Readers::range(&self.readers, move |connection| {
            page(connection, id, before, limit)
        })
        .await
    }

    async fn leave_box(
        &self,
        file: FileId,
        id: BoxId,
        _owner: Option<UserId>,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                let named = named_params! { ":file": file.as_bytes(), ":id": id.as_bytes() };
                let left = connection.prepare_cached(LEAVE)?.execute(named)?;
                Ok(left == 1)
            })
            .await
    }
}
