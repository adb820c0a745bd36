//! Requests with an idempotency key, and the records that they made.
//!
//! Invariant: a record and its key are written together or not at all, whatever else is in the
//! group's transaction: the statements are in a savepoint of their own. Each such insert also removes
//! some keys that are over, more than it adds, so their number is bounded by how many come within one
//! lifetime.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::row;
use super::usage_table::{self, Counting};
use crate::domain::{FileRecord, KeyedRequest, Sha256Digest, Timestamp};
use crate::metadata_store::{EarlierRequest, KeyedInsert};

/// How many keys that are over an insert removes at the most. It adds one.
const REMOVED_AN_INSERT: i64 = 8;

const EARLIER: &str = "SELECT file_id, fingerprint FROM idempotency_keys
      WHERE key = :key AND expires_at > :now";

/// A key that is over is in the way until it is removed.
const KEEP: &str = "INSERT OR REPLACE INTO idempotency_keys (key, fingerprint, file_id, expires_at)
      VALUES (:key, :fingerprint, :file_id, :expires_at)";

const REMOVE_OVER: &str = "DELETE FROM idempotency_keys WHERE key IN (
         SELECT key FROM idempotency_keys INDEXED BY idempotency_keys_by_expiry
         WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit)";

/// Adds a record, with its key if it has one. `None` if the record's ID is taken.
pub(super) fn insert(
    connection: &Connection,
    record: &FileRecord,
    request: Option<&KeyedRequest>,
    now: Timestamp,
    counting: Counting,
) -> rusqlite::Result<Option<KeyedInsert>> {
    match request {
        Some(request) => insert_keyed(connection, record, request, now, counting),
        None => {
            Ok(usage_table::insert(connection, record, counting)?.then_some(KeyedInsert::Inserted))
        }
    }
}

/// `None` if the record's ID is taken.
pub(super) fn insert_keyed(
    connection: &Connection,
    record: &FileRecord,
    request: &KeyedRequest,
    now: Timestamp,
    counting: Counting,
) -> rusqlite::Result<Option<KeyedInsert>> {
    if let Some(earlier) = earlier(connection, request, now)? {
        return Ok(Some(KeyedInsert::KeyTaken(earlier)));
    }
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    execute("SAVEPOINT keyed")?;
    let written = insert_both(connection, record, request, now, counting);
    match &written {
        Ok(true) => {}
        // Some failures (a full disk, an I/O error) end the transaction, and the savepoint with it.
        Err(_) if connection.is_autocommit() => {}
        Ok(false) | Err(_) => execute("ROLLBACK TO keyed")?,
    }
    if connection.is_autocommit() {
        return written.map(|_| None);
    }
    execute("RELEASE keyed")?;
    Ok(written?.then_some(KeyedInsert::Inserted))
}

pub(super) fn earlier(
    connection: &Connection,
    request: &KeyedRequest,
    now: Timestamp,
) -> rusqlite::Result<Option<EarlierRequest>> {
    connection
        .prepare_cached(EARLIER)?
        .query_row(
            named_params! {
                ":key": request.key.digest().as_bytes(),
                ":now": now.timestamp_millis(),
            },
            |row| {
                Ok(EarlierRequest {
                    id: row::id(row, 0)?,
                    fingerprint: Sha256Digest::from_bytes(row.get(1)?),
                })
            },
        )
        .optional()
}

/// `false` if the record's ID is taken.
fn insert_both(
    connection: &Connection,
    record: &FileRecord,
    request: &KeyedRequest,
    now: Timestamp,
    counting: Counting,
) -> rusqlite::Result<bool> {
    if !usage_table::insert(connection, record, counting)? {
        return Ok(false);
    }
    connection.prepare_cached(KEEP)?.execute(named_params! {
        ":key": request.key.digest().as_bytes(),
        ":fingerprint": request.fingerprint.as_bytes(),
        ":file_id": record.id.as_bytes(),
        ":expires_at": request.expires_at.timestamp_millis(),
    })?;
    connection
        .prepare_cached(REMOVE_OVER)?
        .execute(named_params! {
            ":now": now.timestamp_millis(),
            ":limit": REMOVED_AN_INSERT,
        })?;
    Ok(true)
}
