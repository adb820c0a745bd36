//! Every statement that the store makes.
//!
//! Invariant: each write is one statement, so its condition and its change are one, and if it fails
//! it leaves nothing behind, whatever else is in the transaction. Each read names the index that it
//! goes along; SQLite then refuses the statement rather than scan.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::row::{self, COLUMNS, StateColumns};
use crate::domain::{FileId, FileRecord, Settlement, Status, Timestamp};
use crate::metadata_store::{MAX_PAGE, Page, PageRequest, Review, SettleOutcome};

/// Above every ID, since no UUIDv7 has all bits set; and below every one.
const ABOVE_ALL_IDS: [u8; 16] = [0xFF; 16];
const BELOW_ALL_IDS: [u8; 16] = [0; 16];

pub(super) fn insert(connection: &Connection, record: &FileRecord) -> rusqlite::Result<bool> {
    let state = StateColumns::from(&record.state);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO files VALUES (:id, :filename, :declared_length, :content_type,
                 :declared_sha256, :upload_expires_at, :status, :sha256, :version_id,
                 :uploaded_at, :reason, :expires_at, :review_at)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(named_params! {
            ":id": record.id.as_bytes(),
            ":filename": record.filename.as_str(),
            ":declared_length": integer(record.declared_length.bytes()),
            ":content_type": record.content_type.as_str(),
            ":declared_sha256": record.declared_sha256.as_ref().map(|digest| digest.as_bytes()),
            ":upload_expires_at": record.upload_expires_at.timestamp_millis(),
            ":status": record.status().as_str(),
            ":sha256": state.sha256,
            ":version_id": state.version_id,
            ":uploaded_at": state.uploaded_at,
            ":reason": state.reason,
            ":expires_at": state.expires_at,
            ":review_at": record.review_at.map(|at| at.timestamp_millis()),
        })?;
    Ok(inserted == 1)
}

/// SQLite's integers have a sign; none of ours comes near its end.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn get(connection: &Connection, id: FileId) -> rusqlite::Result<Option<FileRecord>> {
    connection
        .prepare_cached(&get_sql())?
        .query_row([id.as_bytes()], row::record)
        .optional()
}

pub(super) fn get_sql() -> String {
    format!("SELECT {COLUMNS} FROM files WHERE id = ?1")
}

pub(super) fn page(connection: &Connection, request: PageRequest) -> rusqlite::Result<Page> {
    let before = request.before.map_or(ABOVE_ALL_IDS, |id| *id.as_bytes());
    let limit = request.limit.clamp(1, MAX_PAGE);
    // One more than asked for says whether there is a next page.
    let wanted = integer(limit as u64 + 1);
    let mut records = match request.status {
        None => connection
            .prepare_cached(&page_sql())?
            .query_map(params![before, wanted], row::record)?
            .collect::<rusqlite::Result<Vec<_>>>()?,
        // No page shows a tombstone.
        Some(Status::Deleted) => Vec::new(),
        Some(status) => connection
            .prepare_cached(&page_by_status_sql())?
            .query_map(params![status.as_str(), before, wanted], row::record)?
            .collect::<rusqlite::Result<Vec<_>>>()?,
    };
    let more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().map(|record| record.id).filter(|_| more);
    Ok(Page { records, next })
}

pub(super) fn page_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM files INDEXED BY files_visible
         WHERE status <> 'deleted' AND id < ?1 ORDER BY id DESC LIMIT ?2"
    )
}

pub(super) fn page_by_status_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM files INDEXED BY files_by_status
         WHERE status = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    )
}

pub(super) fn renew_upload(
    connection: &Connection,
    id: FileId,
    upload_expires_at: Timestamp,
) -> rusqlite::Result<Option<FileRecord>> {
    let sql = format!(
        "UPDATE files SET upload_expires_at = max(upload_expires_at, ?2)
         WHERE id = ?1 AND status = 'pending' RETURNING {COLUMNS}"
    );
    connection
        .prepare_cached(&sql)?
        .query_row(
            params![id.as_bytes(), upload_expires_at.timestamp_millis()],
            row::record,
        )
        .optional()
}

pub(super) fn settle(
    connection: &Connection,
    id: FileId,
    settlement: &Settlement,
    now: Timestamp,
) -> rusqlite::Result<SettleOutcome> {
    let seen_deadline = match settlement {
        Settlement::Expired {
            upload_expires_at, ..
        } => Some(upload_expires_at.timestamp_millis()),
        Settlement::Available(_) | Settlement::Rejected { .. } => None,
    };
    let state = settlement.state();
    let columns = StateColumns::from(&state);
    let settled = connection
        .prepare_cached(
            "UPDATE files SET status = :status, sha256 = :sha256, version_id = :version_id,
                 uploaded_at = :uploaded_at, reason = :reason, expires_at = :expires_at,
                 review_at = :review_at
             WHERE id = :id AND status = 'pending'
                 AND (:seen_deadline IS NULL OR upload_expires_at = :seen_deadline)",
        )?
        .execute(named_params! {
            ":id": id.as_bytes(),
            ":status": state.status().as_str(),
            ":sha256": columns.sha256,
            ":version_id": columns.version_id,
            ":uploaded_at": columns.uploaded_at,
            ":reason": columns.reason,
            ":expires_at": columns.expires_at,
            ":review_at": settlement.review_at(now).map(|at| at.timestamp_millis()),
            ":seen_deadline": seen_deadline,
        })?;
    Ok(if settled == 1 {
        SettleOutcome::Settled
    } else {
        SettleOutcome::Unchanged
    })
}

pub(super) fn delete(
    connection: &Connection,
    id: FileId,
    now: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached(
            "UPDATE files SET status = 'deleted', sha256 = NULL, version_id = NULL,
                 uploaded_at = NULL, reason = NULL, expires_at = ?3, review_at = ?2
             WHERE id = ?1 AND status <> 'deleted'",
        )?
        .execute(params![
            id.as_bytes(),
            now.timestamp_millis(),
            expires_at.timestamp_millis()
        ])?;
    Ok(deleted == 1)
}

pub(super) fn due_for_review(
    connection: &Connection,
    until: Timestamp,
    after: Option<Review>,
    limit: usize,
) -> rusqlite::Result<Vec<Review>> {
    let (after_at, after_id) = after.map_or((i64::MIN, BELOW_ALL_IDS), |review| {
        (review.review_at.timestamp_millis(), *review.id.as_bytes())
    });
    connection
        .prepare_cached(DUE_FOR_REVIEW_SQL)?
        .query_map(
            params![
                until.timestamp_millis(),
                after_at,
                after_id,
                integer(limit.clamp(1, MAX_PAGE) as u64)
            ],
            |row| {
                Ok(Review {
                    review_at: row::moment_at(row, 0)?,
                    id: row::id(row, 1)?,
                })
            },
        )?
        .collect()
}

pub(super) const DUE_FOR_REVIEW_SQL: &str =
    "SELECT review_at, id FROM files INDEXED BY files_by_review
     WHERE review_at IS NOT NULL AND review_at <= ?1 AND (review_at, id) > (?2, ?3)
     ORDER BY review_at, id LIMIT ?4";

pub(super) fn schedule_review(
    connection: &Connection,
    id: FileId,
    status: Status,
    review_at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE files SET review_at = ?3
             WHERE id = ?1 AND status = ?2 AND expires_at IS NOT NULL",
        )?
        .execute(params![
            id.as_bytes(),
            status.as_str(),
            review_at.timestamp_millis()
        ])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, id: FileId, status: Status) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM files WHERE id = ?1 AND status = ?2 AND expires_at IS NOT NULL",
        )?
        .execute(params![id.as_bytes(), status.as_str()])?;
    Ok(())
}

pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&get_sql())?
        .query_row([BELOW_ALL_IDS], |_| Ok(()))
        .optional()
        .map(drop)
}
