//! How much everybody has, in a table of its own that is there while anybody has a quota.
//!
//! Invariant: it changes in the transaction of whatever changes a record, so no crash comes between. A record is counted
//! by the one function that adds records, since a trigger on an insert has SQLite keep a copy of each page that the
//! insert changes, which was most of what a quota cost; what ends is counted by a trigger, so no statement can forget
//! it. Where quotas are turned on, the table is filled from the records in one transaction; where they are turned off,
//! table and trigger go, and a write costs what it always did.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::row;
use crate::domain::{FileRecord, Status, Usage, UserId};

/// Whether usage is kept from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepUsage {
    /// As it is: for a program that serves nobody.
    #[default]
    AsBefore,
    /// Somebody has a quota.
    Yes,
    /// Nobody has one.
    No,
}

const IS_KEPT: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'owner_usage'";

/// Of the records, as it is kept.
macro_rules! counted {
    () => {
        "SELECT owner, count(*) AS files, sum(declared_length) AS bytes FROM files
          WHERE owner IS NOT NULL AND (status = 'pending' OR status = 'available') GROUP BY owner"
    };
}

const KEEP: &str = concat!(
    "
CREATE TABLE owner_usage (
    owner TEXT    NOT NULL PRIMARY KEY,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO owner_usage (owner, files, bytes) ",
    counted!(),
    ";

CREATE TRIGGER usage_ended AFTER UPDATE OF status ON files
WHEN OLD.owner IS NOT NULL AND (OLD.status = 'pending' OR OLD.status = 'available')
    AND NOT (NEW.status = 'pending' OR NEW.status = 'available')
BEGIN
    UPDATE owner_usage SET files = files - 1, bytes = bytes - OLD.declared_length WHERE owner = OLD.owner;
    DELETE FROM owner_usage WHERE owner = OLD.owner AND files = 0;
END;
"
);

const KEEP_NO_MORE: &str = "
DROP TRIGGER usage_ended;
DROP TABLE owner_usage;
";

pub(super) const USAGE: &str = "SELECT files, bytes FROM owner_usage WHERE owner = ?";

const ADD: &str = "INSERT INTO owner_usage (owner, files, bytes) VALUES (?, ?, ?)
      ON CONFLICT (owner) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes";

/// Undoes an insert of the transaction that is open.
const TAKE_BACK: &str = "DELETE FROM files WHERE id = ?";

/// Builds before the release of 0.2.0 counted what is added by this trigger: both would count each record twice.
const NO_TRIGGER_ADDS: &str = "DROP TRIGGER IF EXISTS usage_added";

/// What each owner has, by the count that is kept, and by the records.
pub(super) const RECOUNT: &str = concat!(
    "SELECT coalesce(kept.owner, counted.owner), coalesce(kept.files, 0), coalesce(kept.bytes, 0),
            coalesce(counted.files, 0), coalesce(counted.bytes, 0)
      FROM owner_usage AS kept FULL JOIN (",
    counted!(),
    ") AS counted ON kept.owner = counted.owner ORDER BY 1"
);

/// Whether records are counted as they are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    On,
    Off,
}

/// Begins to keep usage, or ends it, if that isn't so already.
pub(super) fn keep(connection: &mut Connection, keep: KeepUsage) -> rusqlite::Result<Counting> {
    connection.execute_batch(NO_TRIGGER_ADDS)?;
    let is_kept = is_kept(connection)?;
    let wanted = match keep {
        KeepUsage::AsBefore => is_kept,
        KeepUsage::Yes => true,
        KeepUsage::No => false,
    };
    if is_kept != wanted {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(if wanted { KEEP } else { KEEP_NO_MORE })?;
        transaction.commit()?;
    }
    Ok(if wanted { Counting::On } else { Counting::Off })
}

/// Whether the record was added, and counted where that is done; `false` if its ID is taken. Nothing stays of one that
/// can't be counted.
pub(super) fn insert(
    connection: &Connection,
    record: &FileRecord,
    counting: Counting,
) -> rusqlite::Result<bool> {
    let is_added = row::insert(connection, record)?;
    if !is_added || counting == Counting::Off {
        return Ok(is_added);
    }
    let Err(error) = count(connection, record) else {
        return Ok(true);
    };
    // Some failures (a full disk, an I/O error) end the transaction, and the record with it. Where nothing else helps it
    // is ended here: the writer sees that, and fails the group.
    if !connection.is_autocommit() {
        let id = record.id.as_bytes();
        if connection.execute(TAKE_BACK, [id]).is_err() && !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
    }
    Err(error)
}

fn count(connection: &Connection, record: &FileRecord) -> rusqlite::Result<()> {
    let status = record.state.status().kept_as();
    match record.owner {
        Some(owner) if matches!(status, Status::Pending | Status::Available) => {
            let bytes = i64::try_from(record.declared.length.bytes()).unwrap_or(i64::MAX);
            add(connection, owner, 1, bytes)
        }
        _ => Ok(()),
    }
}

/// Adds to what an owner has, or takes away from it.
pub(super) fn add(
    connection: &Connection,
    owner: UserId,
    files: i64,
    bytes: i64,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(ADD)?;
    statement
        .execute(params![owner.to_string(), files, bytes])
        .map(drop)
}

pub(super) fn is_kept(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare(IS_KEPT)?.exists([])
}

pub(super) fn usage_of(connection: &Connection, owner: UserId) -> rusqlite::Result<Usage> {
    let usage = connection
        .prepare_cached(USAGE)?
        .query_row([owner.to_string()], |row| usage(row, 0))
        .optional()?;
    Ok(usage.unwrap_or_default())
}

/// From this column and the next. A number below nothing was put there by somebody else, and counts as nothing.
pub(super) fn usage(row: &Row<'_>, at: usize) -> rusqlite::Result<Usage> {
    let number = |at| row.get(at).map(|it: i64| u64::try_from(it).unwrap_or(0));
    Ok(Usage {
        files: number(at)?,
        bytes: number(at + 1)?,
    })
}
