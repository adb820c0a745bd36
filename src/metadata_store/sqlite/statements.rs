//! Every statement that the store makes.
//!
//! Invariant: each write is one statement, so its condition and its change are one, and if it fails
//! it leaves nothing behind, whatever else is in the transaction. Each read names the index that it
//! goes along; SQLite then refuses the statement rather than scan.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::row::{self, StoredFacts, columns};
use crate::domain::{
    ContentType, FileId, FileRecord, Hold, RejectionCode, StageName, StateFields, Status,
    Timestamp, Transition, TransitionCondition,
};
use crate::metadata_store::{DueRecord, LOOKED_AT_FOR_STATUS, MAX_PAGE, Page, PageRequest};

pub(super) const GET: &str = concat!("SELECT ", columns!(), " FROM files WHERE id = :id");

pub(super) const PAGE_OF_VISIBLE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM files INDEXED BY files_visible
      WHERE status <> 'deleted' AND id < :before ORDER BY id DESC LIMIT :limit"
);

pub(super) const PAGE_BY_STATUS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM files INDEXED BY files_by_status
      WHERE status = :status AND withdrawn_sha256 IS NULL AND id < :before ORDER BY id DESC LIMIT :limit"
);

pub(super) const PAGE_OF_WITHDRAWN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM files INDEXED BY files_withdrawn
      WHERE withdrawn_sha256 IS NOT NULL AND id < :before ORDER BY id DESC LIMIT :limit"
);

pub(super) const PAGE_OF_OWNER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM files INDEXED BY files_by_owner
      WHERE owner = :owner AND status <> 'deleted' AND box_id IS NULL AND id < :before
      ORDER BY id DESC LIMIT :limit"
);

pub(super) const DUE_RECORDS: &str = "SELECT review_at, id FROM files INDEXED BY files_by_review
      WHERE review_at <= :until AND (review_at, id) > (:after_at, :after_id)
      ORDER BY review_at, id LIMIT :limit";

const RENEW_UPLOAD: &str = concat!(
    "UPDATE files SET upload_expires_at = max(upload_expires_at, :upload_expires_at)
      WHERE id = :id AND status = 'pending' RETURNING ",
    columns!()
);

pub(super) const TRANSITION: &str = "UPDATE files SET status = :status, stage = :stage, sha256 = :sha256,
         version_id = :version_id, uploaded_at = :uploaded_at, reason = :reason,
         reason_code = :reason_code, detected_type = :detected_type, expires_at = :expires_at, review_at = :review_at,
         hold_reason = CASE WHEN :keeps_its_hold THEN hold_reason END,
         hold_since = CASE WHEN :keeps_its_hold THEN hold_since END,
         hold_by = CASE WHEN :keeps_its_hold THEN hold_by END,
         keep_until = coalesce(:keep_until, keep_until),
         withdrawn_sha256 = :withdrawn_sha256, withdrawn_uploaded_at = :withdrawn_uploaded_at,
         named_version_id = :named_version_id
      WHERE id = :id AND status = :from AND (withdrawn_sha256 IS NOT NULL) = :was_withdrawn
        AND (:deadline_seen IS NULL OR upload_expires_at = :deadline_seen)
        AND (coalesce(stage, '') <> 'locking' OR (:may_be_locking
          AND (:version_seen IS NULL OR named_version_id IS NULL OR named_version_id = :version_seen)))";

const IS_PENDING: &str = "SELECT 1 FROM files WHERE id = :id AND status = 'pending'";

pub(super) const DELETE: &str =
    "UPDATE files SET status = 'deleted', stage = NULL, sha256 = NULL, version_id = NULL,
         uploaded_at = NULL, reason = NULL, reason_code = NULL, detected_type = NULL, expires_at = :expires_at,
         review_at = CASE WHEN coalesce(sha256, withdrawn_sha256) IS NOT NULL
               AND coalesce(version_id, named_version_id) IS NULL
             THEN upload_expires_at + :upload_grace ELSE :now END,
         withdrawn_sha256 = NULL, withdrawn_uploaded_at = NULL, named_version_id = NULL
      WHERE id = :id AND status <> 'deleted' AND hold_reason IS NULL
        AND (keep_until IS NULL OR keep_until <= :as_of
          OR (status <> 'available' AND coalesce(stage, '') <> 'locking' AND withdrawn_sha256 IS NULL))";

const HOLD: &str = concat!(
    "UPDATE files SET hold_reason = :reason, hold_since = coalesce(hold_since, :since), hold_by = :by
      WHERE id = :id AND (status = 'pending' OR status = 'available') RETURNING ",
    columns!()
);

const RELEASE: &str = concat!(
    "UPDATE files SET hold_reason = NULL, hold_since = NULL, hold_by = NULL,
         review_at = CASE WHEN withdrawn_sha256 IS NULL THEN review_at ELSE :due_at END
      WHERE id = :id AND status <> 'deleted'
        AND hold_reason = :reason AND hold_since = :since AND hold_by IS :by RETURNING ",
    columns!()
);

const KEEP_LONGER: &str = concat!(
    "UPDATE files SET keep_until = :keep_until
      WHERE id = :id AND status = 'available' AND (keep_until IS NULL OR keep_until <= :keep_until) RETURNING ",
    columns!()
);

const POSTPONE_DELETION: &str = "UPDATE files SET review_at = :review_at
      WHERE id = :id AND status = 'available' AND review_at = :seen";

const POSTPONE_RECONCILE: &str = "UPDATE files
      SET review_at = min(:review_at, upload_expires_at + :upload_grace)
      WHERE id = :id AND status = 'pending'";

const SCHEDULE_RECONCILE: &str = "UPDATE files SET review_at = :review_at, expires_at = :expires_at
      WHERE id = :id AND status = :status AND (withdrawn_sha256 IS NOT NULL) = :is_withdrawn";

const REMOVE: &str = "DELETE FROM files
      WHERE id = :id AND status = :status AND (withdrawn_sha256 IS NOT NULL) = :is_withdrawn";

/// Above every ID, since no UUIDv7 has all bits set.
pub(super) const ABOVE_ALL_IDS: [u8; 16] = [0xFF; 16];
const BELOW_ALL_IDS: [u8; 16] = [0; 16];

pub(super) fn get(connection: &Connection, id: FileId) -> rusqlite::Result<Option<FileRecord>> {
    connection
        .prepare_cached(GET)?
        .query_row(named_params! { ":id": id.as_bytes() }, row::record)
        .optional()
}

/// One page. A row that can't be read is logged and left out, so that one damaged record doesn't
/// take the list away from everybody; `get` says what is wrong with it.
pub(super) fn page(connection: &Connection, request: PageRequest) -> rusqlite::Result<Page> {
    let limit = request.limit.clamp(1, MAX_PAGE);
    let before = request
        .before
        .as_ref()
        .map_or(ABOVE_ALL_IDS, |id| *id.as_bytes());
    // One more than asked for tells whether another page follows.
    let mut fetched = limit + 1;
    let mut wanted = None;
    let mut statement;
    let mut rows = match (request.owner, request.status) {
        (_, Some(status)) if !status.is_listed() => {
            return Ok(Page {
                records: Vec::new(),
                next: None,
            });
        }
        (Some(owner), status) => {
            wanted = status;
            fetched = status.map_or(fetched, |_| LOOKED_AT_FOR_STATUS);
            statement = connection.prepare_cached(PAGE_OF_OWNER)?;
            statement.query(named_params! {
                ":owner": owner.to_string(), ":before": before, ":limit": fetched as i64,
            })?
        }
        (None, None) => {
            statement = connection.prepare_cached(PAGE_OF_VISIBLE)?;
            statement.query(named_params! { ":before": before, ":limit": fetched as i64 })?
        }
        (None, Some(Status::Withdrawn)) => {
            statement = connection.prepare_cached(PAGE_OF_WITHDRAWN)?;
            statement.query(named_params! { ":before": before, ":limit": fetched as i64 })?
        }
        (None, Some(status)) => {
            statement = connection.prepare_cached(PAGE_BY_STATUS)?;
            statement.query(named_params! {
                ":status": status.as_str(), ":before": before, ":limit": fetched as i64,
            })?
        }
    };

    let mut records = Vec::with_capacity(limit);
    let mut last = None;
    let (mut looked_at, mut taken) = (0, 0);
    while let Some(row) = rows.next()? {
        if taken == limit {
            return Ok(Page {
                records,
                next: last,
            });
        }
        looked_at += 1;
        let id = row::id(row, row::ID)?;
        last = Some(id);
        if !row::has_status(row, wanted)? {
            continue;
        }
        taken += 1;
        match row::record(row) {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::error!(file_id = %id, %error, "a record can't be read and is not listed");
            }
        }
    }
    // Behind those that were looked at there may be more.
    let next = last.filter(|_| wanted.is_some() && looked_at == fetched);
    Ok(Page { records, next })
}

pub(super) fn due_records(
    connection: &Connection,
    until: Timestamp,
    after: Option<DueRecord>,
    limit: usize,
) -> rusqlite::Result<Vec<DueRecord>> {
    let (after_at, after_id) = match &after {
        Some(due_record) => (
            due_record.reconcile_at.timestamp_millis(),
            *due_record.id.as_bytes(),
        ),
        None => (i64::MIN, BELOW_ALL_IDS),
    };
    connection
        .prepare_cached(DUE_RECORDS)?
        .query_map(
            named_params! {
                ":until": until.timestamp_millis(),
                ":after_at": after_at,
                ":after_id": after_id,
                ":limit": limit.clamp(1, MAX_PAGE) as i64,
            },
            |row| {
                Ok(DueRecord {
                    reconcile_at: row::moment_at(row, 0)?,
                    id: row::id(row, 1)?,
                })
            },
        )?
        .collect()
}

/// The record after its renewal; `None` if it isn't pending.
pub(super) fn renew_upload(
    connection: &Connection,
    id: FileId,
    upload_expires_at: Timestamp,
) -> rusqlite::Result<Option<FileRecord>> {
    connection
        .prepare_cached(RENEW_UPLOAD)?
        .query_row(
            named_params! {
                ":id": id.as_bytes(),
                ":upload_expires_at": upload_expires_at.timestamp_millis(),
            },
            row::record,
        )
        .optional()
}

/// Whether this call made it.
pub(super) fn transition(
    connection: &Connection,
    id: FileId,
    transition: &Transition,
) -> rusqlite::Result<bool> {
    let condition = &transition.condition;
    let deadline_seen = match condition {
        TransitionCondition::UploadExpiresAt(seen) => Some(seen.timestamp_millis()),
        _ => None,
    };
    let version_seen = match condition {
        TransitionCondition::LocksNoOther(version_id) => Some(version_id.as_str()),
        _ => None,
    };
    let to = StateFields::from(&transition.to);
    let facts = StoredFacts::of(&to);
    let changed = connection
        .prepare_cached(TRANSITION)?
        .execute(named_params! {
            ":id": id.as_bytes(),
            ":from": transition.from.kept_as().as_str(),
            ":was_withdrawn": transition.from == Status::Withdrawn,
            ":status": to.status.kept_as().as_str(),
            ":stage": to.stage.map(StageName::as_str),
            ":sha256": facts.sha256,
            ":version_id": facts.version_id,
            ":named_version_id": facts.named_version_id,
            ":uploaded_at": facts.uploaded_at,
            ":withdrawn_sha256": facts.withdrawn_sha256,
            ":withdrawn_uploaded_at": facts.withdrawn_uploaded_at,
            ":reason": to.reason,
            ":reason_code": to.reason_code.map(RejectionCode::as_str),
            ":detected_type": to.detected_type.map(ContentType::as_str),
            ":expires_at": to.purge_at.map(|at| at.timestamp_millis()),
            ":review_at": transition.reconcile_at.map(|at| at.timestamp_millis()),
            ":deadline_seen": deadline_seen,
            ":version_seen": version_seen,
            ":may_be_locking": *condition != TransitionCondition::NotLocking,
            ":keeps_its_hold": to.status.keeps_its_hold(),
            ":keep_until": transition.keep_until.map(|at| at.timestamp_millis()),
        })?;
    Ok(changed == 1)
}

pub(super) fn is_pending(connection: &Connection, id: FileId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(IS_PENDING)?
        .exists(named_params! { ":id": id.as_bytes() })
}

/// Whether this call made it a tombstone.
pub(super) fn delete(
    connection: &Connection,
    id: FileId,
    now: Timestamp,
    purge_at: Timestamp,
    upload_grace: Duration,
    as_of: Timestamp,
) -> rusqlite::Result<bool> {
    let deleted = connection.prepare_cached(DELETE)?.execute(named_params! {
        ":upload_grace": millis(upload_grace),
        ":id": id.as_bytes(),
        ":now": now.timestamp_millis(),
        ":expires_at": purge_at.timestamp_millis(),
        ":as_of": as_of.timestamp_millis(),
    })?;
    Ok(deleted == 1)
}

/// The record as it is held; `None` if there is nothing to hold.
pub(super) fn hold(
    connection: &Connection,
    id: FileId,
    hold: &Hold,
) -> rusqlite::Result<Option<FileRecord>> {
    connection
        .prepare_cached(HOLD)?
        .query_row(
            named_params! {
                ":id": id.as_bytes(),
                ":reason": hold.reason.as_str(),
                ":since": hold.since.timestamp_millis(),
                ":by": hold.by.map(|by| by.to_string()),
            },
            row::record,
        )
        .optional()
}

/// The record, which isn't held by this hold; `None` if there is none, or it is a tombstone.
pub(super) fn release(
    connection: &Connection,
    id: FileId,
    hold: &Hold,
    due_at: Timestamp,
) -> rusqlite::Result<Option<FileRecord>> {
    let released = connection
        .prepare_cached(RELEASE)?
        .query_row(
            named_params! {
                ":id": id.as_bytes(),
                ":reason": hold.reason.as_str(),
                ":since": hold.since.timestamp_millis(),
                ":by": hold.by.map(|by| by.to_string()),
                ":due_at": due_at.timestamp_millis(),
            },
            row::record,
        )
        .optional()?;
    match released {
        Some(record) => Ok(Some(record)),
        None => Ok(get(connection, id)?.filter(|it| it.status() != Status::Deleted)),
    }
}

/// The record as it is kept; `None` if it isn't available, or is kept for longer.
pub(super) fn keep_longer(
    connection: &Connection,
    id: FileId,
    keep_until: Timestamp,
) -> rusqlite::Result<Option<FileRecord>> {
    connection
        .prepare_cached(KEEP_LONGER)?
        .query_row(
            named_params! {
                ":id": id.as_bytes(),
                ":keep_until": keep_until.timestamp_millis(),
            },
            row::record,
        )
        .optional()
}

/// Whether it was available, and due at `seen`.
pub(super) fn postpone_deletion(
    connection: &Connection,
    id: FileId,
    seen: Timestamp,
    reconcile_at: Timestamp,
) -> rusqlite::Result<bool> {
    let postponed = connection
        .prepare_cached(POSTPONE_DELETION)?
        .execute(named_params! {
            ":id": id.as_bytes(),
            ":seen": seen.timestamp_millis(),
            ":review_at": reconcile_at.timestamp_millis(),
        })?;
    Ok(postponed == 1)
}

/// Whether it is pending.
pub(super) fn postpone_reconcile(
    connection: &Connection,
    id: FileId,
    reconcile_at: Timestamp,
    upload_grace: Duration,
) -> rusqlite::Result<bool> {
    let postponed = connection
        .prepare_cached(POSTPONE_RECONCILE)?
        .execute(named_params! {
            ":id": id.as_bytes(),
            ":review_at": reconcile_at.timestamp_millis(),
            ":upload_grace": millis(upload_grace),
        })?;
    Ok(postponed == 1)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn schedule_reconcile(
    connection: &Connection,
    id: FileId,
    status: Status,
    reconcile_at: Timestamp,
    purge_at: Timestamp,
) -> rusqlite::Result<()> {
    if status.may_have_bytes() {
        return Ok(());
    }
    connection
        .prepare_cached(SCHEDULE_RECONCILE)?
        .execute(named_params! {
            ":id": id.as_bytes(),
            ":status": status.kept_as().as_str(),
            ":is_withdrawn": status == Status::Withdrawn,
            ":review_at": reconcile_at.timestamp_millis(),
            ":expires_at": purge_at.timestamp_millis(),
        })?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, id: FileId, status: Status) -> rusqlite::Result<()> {
    if status.may_have_bytes() {
        return Ok(());
    }
    connection.prepare_cached(REMOVE)?.execute(named_params! {
        ":id": id.as_bytes(),
        ":status": status.kept_as().as_str(),
        ":is_withdrawn": status == Status::Withdrawn,
    })?;
    Ok(())
}

/// Reads along the way that [`get`] takes.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(GET)?
        .exists(named_params! { ":id": BELOW_ALL_IDS })?;
    Ok(())
}
