//! Giving pages that hold nothing any more back to the file system.
//!
//! Invariant: what is done at a time is short, so a write waits for some milliseconds at most; only the
//! start, where a file of an older version is rewritten once, takes longer.
//!
//! Absent on purpose: giving all of it back. Some free pages stay for the next records, since pages that
//! are given back and taken again cost two writes each.

use rusqlite::Connection;

use super::schema::{PAGE, pragma};
use crate::disk_space::DiskSpace;

/// Pages that are given back in one step.
const STEP: i64 = 256;
/// Free pages that stay at least: 64 KiB.
const KEPT: i64 = 16;
/// The share of the file that may be free: one page of so many.
const KEPT_PART: i64 = 8;
/// The setting of `auto_vacuum` in which pages are given back when they are asked for.
const INCREMENTAL: i64 = 2;
/// Up to which length a file of an older version is rewritten, in bytes: some seconds.
const MAX_REWRITTEN: u64 = 1024 * 1024 * 1024;
/// How much room rewriting takes, by the length of the file: the copy, and the log of it.
const ROOM: u64 = 3;

/// For a file in which there is nothing yet; for others it says what [`rewrite`] makes of them.
///
/// SQLite takes the setting when the statement is prepared (<https://sqlite.org/pragma.html>: some pragmas run
/// then), and it is in the file with whatever is written first. Run, the statement would write it in a transaction
/// of its own, whose four syncs the first start would wait for.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let statement = format!("PRAGMA auto_vacuum = {INCREMENTAL}");
    connection.prepare(&statement).map(drop)
}

/// Makes a file of an older version one whose pages can be given back, if there is room for a copy of it.
/// If not, it stays as it is, and the next start looks again.
pub(super) fn rewrite(connection: &Connection, space: &DiskSpace) -> rusqlite::Result<()> {
    if pragma(connection, "auto_vacuum")? == INCREMENTAL {
        return Ok(());
    }
    let pages = pragma(connection, "page_count")?.unsigned_abs();
    let bytes = pages.saturating_mul(PAGE);
    if bytes > MAX_REWRITTEN || !space.has_besides(bytes.saturating_mul(ROOM)) {
        tracing::info!(
            bytes,
            "the database stays as large as it ever was: too long to rewrite, or too little room"
        );
        return Ok(());
    }
    let rewritten = connection.execute_batch("VACUUM");
    match rewritten {
        Ok(()) => connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())),
        Err(error) => {
            tracing::warn!(%error, "the database could not be rewritten and stays as it is");
            Ok(())
        }
    }
}

/// Gives some pages back, if more are free than should be. Whether there is more to do.
pub(super) fn step(connection: &Connection) -> rusqlite::Result<bool> {
    let free = pragma(connection, "freelist_count")?;
    let kept = (pragma(connection, "page_count")? / KEPT_PART).max(KEPT);
    if free <= kept || pragma(connection, "auto_vacuum")? != INCREMENTAL {
        return Ok(false);
    }
    let pages = (free - kept).min(STEP);
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.raw_query();
    // A row for each page, in which there is nothing.
    while rows.next()?.is_some() {}
    drop(rows);
    drop(statement);
    let more = free - pages > kept;
    if !more {
        // The file gets shorter when the log is moved into it.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(more)
}
