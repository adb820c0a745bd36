//! The file, its tables, and how connections to it are set up.
//!
//! Invariant: the schema is what [`SCHEMA_VERSION`] says, or nothing is opened.
//!
//! A file of an older version is brought up to date when it is opened, in one transaction: a crash
//! leaves the old version or the new one. The way back is a copy made before.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::store_error;
use super::{STORE, last_seen, vacuum};
use crate::disk_space::DiskSpace;
use crate::metadata_store::StoreError;
use crate::owner_only_files::{make_owner_only, open_or_create};

/// Kept in the file as `user_version`; raised with every change of the table or its indexes.
pub(super) const SCHEMA_VERSION: i64 = 15;

/// What SQLite puts beside the file: the log, its index, and the journal of other journal modes, which
/// it would roll back into the file if it found one. And our own note of the file.
const COMPANIONS: [&str; 4] = [LOG_SUFFIX, "-shm", "-journal", last_seen::SUFFIX];

/// What the name of the log ends with.
pub(super) const LOG_SUFFIX: &str = "-wal";

/// "FShr": tells our files from other programs' databases.
const APPLICATION_ID: i64 = 0x4653_6872;

/// How long to wait for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// To what the write-ahead log is cut back after a burst, in bytes.
const LOG_SIZE_LIMIT: i64 = 64 * 1024 * 1024;

/// How long the write-ahead log grows before it is moved into the file, in pages of 4 KiB: 16 MiB. The
/// commit that moves it waits for two more syncs, and under load the default of 1,000 pages would
/// make that one in a hundred commits. A longer log only makes the start after a crash longer.
const PAGES_PER_CHECKPOINT: i64 = 4096;

/// How many statements the writing connection keeps prepared: more than there are.
const WRITING_STATEMENTS: usize = 48;

/// A page of the file, in bytes.
pub(super) const PAGE: u64 = 4096;

/// What a path can't hold as it is where it is part of a URI (<https://sqlite.org/uri.html>).
const NOT_IN_A_URI: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// Moments are milliseconds since the Unix epoch. The checks are the states of a record: what
/// breaks one of them was not written by this program. They have no `IN` with more than two values: for
/// each row that is written SQLite would make a table of them first, which was an eighth of what a create
/// takes.
const FILES_SINCE_3: &str = "
CREATE TABLE files (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    filename          TEXT    NOT NULL,
    declared_length   INTEGER NOT NULL CHECK (declared_length >= 0),
    content_type      TEXT    NOT NULL,
    declared_sha256   BLOB    CHECK (length(declared_sha256) = 32),
    upload_expires_at INTEGER NOT NULL,
    status            TEXT    NOT NULL
        CHECK (status = 'pending' OR status = 'available' OR status = 'rejected'
            OR status = 'expired' OR status = 'deleted'),
    sha256            BLOB    CHECK (length(sha256) = 32),
    version_id        TEXT,
    uploaded_at       INTEGER,
    reason            TEXT,
    expires_at        INTEGER,
    review_at         INTEGER,
    CHECK ((status = 'available') = (sha256 IS NOT NULL)),
    CHECK ((status = 'available') = (uploaded_at IS NOT NULL)),
    CHECK (status = 'available' OR version_id IS NULL),
    CHECK ((status = 'rejected') = (reason IS NOT NULL)),
    CHECK ((status = 'rejected' OR status = 'expired' OR status = 'deleted')
        = (expires_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- One for each question, so that every answer begins at its first row and reads nothing else.
CREATE INDEX files_visible ON files (id) WHERE status <> 'deleted';
CREATE INDEX files_by_status ON files (status, id);
CREATE INDEX files_by_review ON files (review_at, id) WHERE review_at IS NOT NULL;
";

/// Which requests with an idempotency key made which file. `key` is the digest of the client's text. No
/// reference to `files`: a key outlives its file.
const KEYS: &str = "
CREATE TABLE idempotency_keys (
    key         BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    file_id     BLOB    NOT NULL CHECK (length(file_id) = 16),
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
";

/// Which objects these records belong to, and how often that was found to be so: see `store_marker`.
const MARKER: &str = "
CREATE TABLE store_marker (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    id     TEXT    NOT NULL,
    starts INTEGER NOT NULL
) STRICT;
";

/// Since version 3 the checks of `files` are written as they are now. A check can't be changed in place,
/// so the records move to a new table.
const SET_FILES_ASIDE: &str = "
DROP INDEX files_visible;
DROP INDEX files_by_status;
DROP INDEX files_by_review;
ALTER TABLE files RENAME TO files_before;
";
const TAKE_FILES_OVER: &str = "
INSERT INTO files (id, filename, declared_length, content_type, declared_sha256, upload_expires_at, status,
        sha256, version_id, uploaded_at, reason, expires_at, review_at)
    SELECT id, filename, declared_length, content_type, declared_sha256, upload_expires_at, status,
        sha256, version_id, uploaded_at, reason, expires_at, review_at
    FROM files_before;
DROP TABLE files_before;
";

/// Whose a file is; the operator's without one. A column without a condition costs nothing, however many records
/// there are; the index is made in one pass over them.
const OWNERS: &str = "
ALTER TABLE files ADD COLUMN owner TEXT;
CREATE INDEX files_by_owner ON files (owner, id) WHERE owner IS NOT NULL AND status <> 'deleted';
";

/// Small items that are over some day: see `item_store`. With row IDs, since bodies may fill a page.
const ITEMS: &str = "
CREATE TABLE items (
    key        TEXT    NOT NULL PRIMARY KEY,
    parent     TEXT,
    expires_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;

CREATE INDEX items_by_parent ON items (parent, key) WHERE parent IS NOT NULL;
CREATE INDEX items_by_expiry ON items (expires_at);
";

/// The name of a file as it was given, where that says more than `filename`.
const DISPLAY_NAMES: &str = "
ALTER TABLE files ADD COLUMN display_name TEXT;
";

/// When an available file is to be deleted, if that was said. It is due by `review_at`, as everything is.
const DELETE_AFTER: &str = "
ALTER TABLE files ADD COLUMN delete_after INTEGER;
";

/// Boxes that files are handed in to, and who handed in which. A file that lies in a box is in its owner's list no
/// more. The last index has those that hold a place there: to count them reads nothing else.
const HAND_INS: &str = "
CREATE TABLE open_boxes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 14)
) STRICT, WITHOUT ROWID;

ALTER TABLE files ADD COLUMN box_id BLOB;
ALTER TABLE files ADD COLUMN submitter TEXT;
ALTER TABLE files ADD COLUMN submitter_id TEXT;
DROP INDEX files_by_owner;
CREATE INDEX files_by_owner ON files (owner, id)
    WHERE owner IS NOT NULL AND status <> 'deleted' AND box_id IS NULL;
CREATE INDEX files_by_box ON files (box_id, id) WHERE box_id IS NOT NULL AND status <> 'deleted';
CREATE INDEX files_with_place ON files (box_id)
    WHERE box_id IS NOT NULL AND (status = 'pending' OR status = 'available');
";

/// What a client keeps with a file, as a JSON object of texts; none if it keeps nothing.
const METADATA: &str = "
ALTER TABLE files ADD COLUMN metadata TEXT;
";

/// What is still to be told others: see `outbox`. With row IDs, since a body may fill a page.
const OUTBOX: &str = "
CREATE TABLE outbox (
    id          TEXT    NOT NULL PRIMARY KEY,
    due_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL CHECK (attempts >= 0),
    tried_since INTEGER,
    body        TEXT    NOT NULL
) STRICT;

CREATE INDEX outbox_by_due ON outbox (due_at, id);
";

/// What the bytes of a file are, why they were rejected by a name that doesn't change, and whether they had to be of the
/// type that their file's name says.
const FILE_TYPES: &str = "
ALTER TABLE files ADD COLUMN reason_code TEXT;
ALTER TABLE files ADD COLUMN detected_type TEXT;
ALTER TABLE files ADD COLUMN type_has_to_fit INTEGER;
";

/// What a pending file waits for, if that isn't its bytes.
const STAGES: &str = "
ALTER TABLE files ADD COLUMN stage TEXT;
";

/// That a file is held, why, since when, and who said so; and until when it is to be kept.
const PROTECTION: &str = "
ALTER TABLE files ADD COLUMN hold_reason TEXT;
ALTER TABLE files ADD COLUMN hold_since INTEGER;
ALTER TABLE files ADD COLUMN hold_by TEXT;
ALTER TABLE files ADD COLUMN keep_until INTEGER;
";

/// What the bytes of a withdrawn file were. It is kept as a rejected one, whose checks allow neither digest nor time.
const WITHDRAWN: &str = "
ALTER TABLE files ADD COLUMN withdrawn_sha256 BLOB;
ALTER TABLE files ADD COLUMN withdrawn_uploaded_at INTEGER;
CREATE INDEX files_withdrawn ON files (id) WHERE withdrawn_sha256 IS NOT NULL;
";

/// The version of the bytes of a file that isn't available: that is being locked, or was withdrawn. The checks of
/// `version_id` allow none there.
const NAMED_VERSIONS: &str = "
ALTER TABLE files ADD COLUMN named_version_id TEXT;
";

/// What each version since the third one added to the one before it.
const STEPS_SINCE_3: [&[&str]; 12] = [
    &[MARKER],
    &[OWNERS, ITEMS],
    &[DISPLAY_NAMES],
    &[DELETE_AFTER],
    &[HAND_INS],
    &[METADATA],
    &[OUTBOX],
    &[FILE_TYPES],
    &[STAGES],
    &[PROTECTION],
    &[WITHDRAWN],
    &[NAMED_VERSIONS],
];
const _: () = assert!(SCHEMA_VERSION as usize == 3 + STEPS_SINCE_3.len());

/// What makes a file of this version of one of `version`; 0 is a file with nothing in it. The steps are texts of
/// their time, and stay as they are whatever becomes of the table later: a change is one more step behind them,
/// which new files go through too.
fn steps_from(version: i64) -> impl Iterator<Item = &'static str> {
    let to_3: &[&str] = match version {
        0 => &[FILES_SINCE_3, KEYS],
        1 => &[KEYS, SET_FILES_ASIDE, FILES_SINCE_3, TAKE_FILES_OVER],
        2 => &[SET_FILES_ASIDE, FILES_SINCE_3, TAKE_FILES_OVER],
        _ => &[],
    };
    let taken = usize::try_from(version - 3).unwrap_or_default();
    let later = STEPS_SINCE_3.iter().skip(taken).copied().flatten();
    to_3.iter().chain(later).copied()
}

/// The path with the links in its directory's resolved: SQLite is told to follow none at all.
pub(super) fn without_links(path: &Path) -> Result<PathBuf, StoreError> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let directory = directory
        .canonicalize()
        .map_err(|error| StoreError::from_io(STORE, error))?;
    Ok(directory.join(path.file_name().unwrap_or_default()))
}

/// `log_length`: how long the log may grow at most, in bytes, if that is less than by default.
pub(super) fn open_for_writing(
    path: &Path,
    log_length: Option<u64>,
    space: &DiskSpace,
) -> Result<Connection, StoreError> {
    create_file(path).map_err(|error| StoreError::from_io(STORE, error))?;
    let log_is_left = has_log(path).map_err(|error| StoreError::from_io(STORE, error))?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(store_error)?;
    refuse_foreign(&connection)?;
    if log_is_left && !last_seen::are_untouched(path) {
        // Else closing it would move the log into the file, and with that ruin a copy that was restored.
        let keep_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let keep = |it| connection.set_db_config(keep_log, it).map_err(store_error);
        keep(true)?;
        refuse_damaged(&connection)?;
        keep(false)?;
    }
    vacuum::prepare(&connection).map_err(store_error)?;
    set_up_writing(&connection, log_length)?;
    create_schema(&mut connection).map_err(store_error)?;
    vacuum::rewrite(&connection, space).map_err(store_error)?;
    // What a statement has to remember for its own rollback goes to no other disk, which may be full too.
    const MEMORY: i64 = 2;
    connection
        .pragma_update(None, "temp_store", MEMORY)
        .map_err(store_error)?;
    connection.set_prepared_statement_cache_capacity(WRITING_STATEMENTS);
    Ok(connection)
}

pub(super) fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// As the file lies on the disk, without a look at locks and log: only right while nobody writes.
pub(super) fn open_unchanging(path: &Path) -> rusqlite::Result<Connection> {
    use std::os::unix::ffi::OsStrExt;
    let path = percent_encode(path.as_os_str().as_bytes(), NOT_IN_A_URI);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
}

/// Makes the file before SQLite does, so that nobody else can read it even for a moment, and sees to
/// it that none of the files that SQLite will open leads elsewhere. SQLite gives the log the
/// permissions of the file (sqlite.org/src, `findCreateFileMode`).
fn create_file(path: &Path) -> std::io::Result<()> {
    let named = |path: &Path, error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    let file = open_or_create(path).map_err(|error| named(path, error))?;
    for suffix in COMPANIONS {
        let companion = beside(path, suffix);
        make_owner_only(&companion).map_err(|error| named(&companion, error))?;
    }
    if file.metadata()?.len() == 0 {
        // SQLite syncs both, with the first that it writes.
        return Ok(());
    }
    file.sync_all()?;
    // The name is durable only when the directory is.
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // No mutex of SQLite's own: each connection is used by one thread at a time. And no links:
    // somebody may have put one there since the file was looked at.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Looks before anything is changed in the file.
pub(super) fn refuse_foreign(connection: &Connection) -> Result<(), StoreError> {
    let read = |name| pragma(connection, name).map_err(store_error);
    let (application_id, version) = (read("application_id")?, read("user_version")?);
    if application_id == APPLICATION_ID {
        if version < 1 {
            return Err(StoreError::corrupt(
                STORE,
                format!("there never was a schema {version} of it"),
            ));
        }
        if version > SCHEMA_VERSION {
            return Err(StoreError::corrupt(
                STORE,
                format!(
                    "a newer version of this program made it (schema {version}; this one knows \
                     {SCHEMA_VERSION})"
                ),
            ));
        }
        return Ok(());
    }
    if application_id != 0 || version != 0 || read("schema_version")? != 0 {
        return Err(StoreError::corrupt(STORE, "a database of another program"));
    }
    Ok(())
}

/// Whether a log lies beside the file: of a process that runs, or of one that ended without a stop.
pub(super) fn has_log(path: &Path) -> std::io::Result<bool> {
    beside(path, LOG_SUFFIX).try_exists()
}

/// The path of what lies beside the file, whose name is the file's and then `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
std::thread_local! {
    /// How often this thread looked through a database.
    pub(super) static LOOKED_THROUGH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Looks through the whole database, together with its log: a million records take about a second. To be asked
/// where a log was left and somebody else may have changed the files since (see [`last_seen`]). SQLite writes its pages over those of whatever file it finds it beside: if the file
/// was replaced by a copy from before, what comes of it is neither the one nor the other.
pub(super) fn refuse_damaged(connection: &Connection) -> Result<(), StoreError> {
    #[cfg(test)]
    LOOKED_THROUGH.with(|count| count.set(count.get() + 1));
    let checked = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let found: String = match checked.map_err(store_error) {
        Ok(found) => found,
        Err(StoreError::Corrupt { .. }) => "it can't be looked through".to_owned(),
        Err(error) => return Err(error),
    };
    if found == "ok" {
        return Ok(());
    }
    tracing::error!(found, "the database is damaged");
    Err(StoreError::corrupt(
        STORE,
        "the database and the log beside it don't belong together, or one is damaged. Was the database restored \
         from a copy? Then move the files metadata.sqlite-wal and metadata.sqlite-shm away, which are of the \
         database before it, and start again. Nothing was changed",
    ))
}

fn set_up_writing(connection: &Connection, log_length: Option<u64>) -> Result<(), StoreError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(store_error)?;
    if mode != "wal" {
        return Err(StoreError::unavailable(
            STORE,
            format!("the file system allows no write-ahead log (journal mode {mode})"),
        ));
    }
    let set = |name, value: i64| {
        connection
            .pragma_update(None, name, value)
            .map_err(store_error)
    };
    const FULL: i64 = 2;
    set("synchronous", FULL)?;
    // On macOS a plain fsync doesn't reach the disk; elsewhere these two have no effect.
    set("fullfsync", 1)?;
    set("checkpoint_fullfsync", 1)?;
    let pages = log_length.and_then(|bytes| i64::try_from(bytes / PAGE).ok());
    let pages = pages.map_or(PAGES_PER_CHECKPOINT, |pages| {
        pages.clamp(1, PAGES_PER_CHECKPOINT)
    });
    set("wal_autocheckpoint", pages)?;
    set("journal_size_limit", LOG_SIZE_LIMIT)
}

fn create_schema(connection: &mut Connection) -> rusqlite::Result<()> {
    // Looked at again under the lock: another process may have been faster.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = pragma(&transaction, "user_version")?;
    for step in steps_from(version) {
        transaction.execute_batch(step)?;
    }
    if version == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    if version < SCHEMA_VERSION {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}
