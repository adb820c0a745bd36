//! Metadata in one SQLite file, for a service that is one process.
//!
//! All writes go through one thread that commits them in groups, since one synchronised commit
//! costs the same for one record as for a hundred. Reads have connections of their own, which in
//! WAL mode wait for nobody.
//!
//! Invariant: a write is answered after the commit that holds it, and the commit after the disk has
//! it (`synchronous=FULL`), so whatever a caller was told survives a power cut.
//!
//! Absent on purpose: retries. A queue that is full and a disk that fails are told to the caller,
//! who knows whether it is worth waiting.

mod changes;
mod error;
mod hand_ins;
mod idempotency;
mod items;
mod last_seen;
mod marker;
mod outbox;
mod outbox_count;
mod pending_count;
mod read_only;
mod readers;
mod row;
mod row_count;
mod schema;
mod snapshot;
mod statements;
#[cfg(test)]
mod tests;
mod unreadable;
mod usage;
mod usage_table;
mod vacuum;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use self::error::store_error;
use self::outbox_count::OutboxCount;
use self::pending_count::PendingCount;
use self::readers::Readers;
pub use self::snapshot::OlderSchema;
pub use self::unreadable::Unreadable;
use self::usage_table::Counting;
pub use self::usage_table::KeepUsage;
use self::writer::{Counts, Disk, Kind, Writer};
use super::outbox::MAX_WAITING_MESSAGES;
use super::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, StoreError,
    TransitionOutcome,
};
use crate::disk_space::{DiskSpace, ReservedSpace};
use crate::domain::{FileId, FileRecord, Hold, KeyedRequest, Status, Timestamp, Transition};

/// How errors call this store.
const STORE: &str = "the metadata database";

/// The records in one SQLite file. Dropping it writes what is queued, moves everything from the
/// write-ahead log into the file, and blocks until that is done.
pub struct SqliteMetadataStore {
    // Dropped in this order: the connection that closes last removes the log, and only a writing
    // one can.
    readers: Arc<Readers>,
    writer: Writer,
    /// Looked at before anything is added.
    space: DiskSpace,
    pending: Arc<PendingCount>,
    outbox: Arc<OutboxCount>,
    left_pending: Option<LeftPending>,
    counting: Counting,
}

/// How many rows there are of a kind, of a store that may be gone.
#[derive(Clone)]
pub struct RowCounts {
    pending: Arc<PendingCount>,
    outbox: Arc<OutboxCount>,
}

impl RowCounts {
    /// Records that are pending.
    pub fn pending(&self) -> u64 {
        self.pending.rows().committed()
    }

    /// Messages that are still to be told.
    pub fn waiting_messages(&self) -> u64 {
        self.outbox.rows().committed()
    }
}

/// Told the ID of each record that isn't pending any more.
pub type LeftPending = Arc<dyn Fn(FileId) + Send + Sync>;

/// What the store is told of the machine that it is on, and of its limits. By default it knows of none.
pub struct SqliteOptions {
    /// The free space of the disk that the database is on.
    pub space: DiskSpace,
    /// What is given up when a deletion or a settlement finds the disk full.
    pub reserved: Option<ReservedSpace>,
    /// How many records may be pending at a time.
    pub max_pending: Option<u64>,
    /// Called once a record's change is durable; `None`: nobody is told.
    pub left_pending: Option<LeftPending>,
    /// Whether it is kept how much everybody has.
    pub usage: KeepUsage,
    /// How many messages may wait to be told.
    pub max_messages: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            space: DiskSpace::default(),
            reserved: None,
            max_pending: None,
            left_pending: None,
            usage: KeepUsage::default(),
            max_messages: MAX_WAITING_MESSAGES,
        }
    }
}

impl SqliteMetadataStore {
    /// [`Self::open_with`] what it knows by default.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens the file at `path`, or makes it, for its owner alone. Its directory must exist. Blocks
    /// for some milliseconds, longer where a crash left a log to recover. On a full disk the reserved
    /// space is given up for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a file that isn't a database of this program, or is one of a
    /// newer version of it.
    pub fn open_with(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let SqliteOptions {
            space,
            mut reserved,
            max_pending,
            left_pending,
            usage,
            max_messages,
        } = options;
        let path = &schema::without_links(path)?;
        let log_length = reserved.as_ref().map(ReservedSpace::log_length);
        let open = || schema::open_for_writing(path, log_length, &space);
        let mut connection = open();
        if connection.is_err()
            && space.is_used_up()
            && reserved.as_mut().is_some_and(ReservedSpace::give_up)
        {
            connection = open();
        }
        let mut connection = connection?;
        let counting = usage_table::keep(&mut connection, usage).map_err(store_error)?;
        let readers = Readers::open(path).map_err(store_error)?;
        let pending = PendingCount::of(&connection, max_pending).map_err(store_error)?;
        let outbox = OutboxCount::of(&connection, max_messages).map_err(store_error)?;
        let (pending, outbox) = (Arc::new(pending), Arc::new(outbox));
        let counts = Counts {
            pending: Arc::clone(&pending),
            outbox: Arc::clone(&outbox),
        };
        let disk = Disk {
            space: space.clone(),
            reserved,
        };
        let writer = Writer::start(connection, path, disk, counts)?;
        Ok(Self {
            readers: Arc::new(readers),
            writer,
            space,
            pending,
            outbox,
            left_pending,
            counting,
        })
    }

    /// What may be asked at any time how many rows there are.
    pub fn row_counts(&self) -> RowCounts {
        RowCounts {
            pending: Arc::clone(&self.pending),
            outbox: Arc::clone(&self.outbox),
        }
    }

    /// Opens the file at `path` for reading only, while another process may be using it. Leaves no
    /// trace beside it (see `read_only`); every write is refused.
    ///
    /// # Errors
    /// As [`Self::open`], and [`StoreError::Unavailable`] if there is no such file.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let path = &read_only::existing(path)?;
        read_only::check(path)?;
        Ok(Self {
            readers: Arc::new(Readers::open_read_only(path)),
            writer: Writer::absent(),
            space: DiskSpace::default(),
            pending: Arc::default(),
            outbox: Arc::default(),
            left_pending: None,
            counting: Counting::Off,
        })
    }
}

/// An insert that wasn't made because too many records are pending.
struct TooManyPending;

impl From<TooManyPending> for StoreError {
    fn from(_: TooManyPending) -> Self {
        Self::TooManyPending { store: STORE }
    }
}

#[async_trait]
impl MetadataStore for SqliteMetadataStore {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        self.space.check(STORE)?;
        let (record, pending) = (record.clone(), Arc::clone(&self.pending));
        let counting = self.counting;
        let inserted = self
            .writer
            .write(Kind::Adds, move |connection| {
                if !pending.takes(&record) {
                    return Ok(Err(TooManyPending));
                }
                let inserted = usage_table::insert(connection, &record, counting)?;
                if inserted {
                    pending.added(&record);
                }
                Ok(Ok(inserted))
            })
            .await??;
        if inserted {
            Ok(())
        } else {
            Err(StoreError::AlreadyExists { store: STORE })
        }
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        self.space.check(STORE)?;
        let (record, request) = (record.clone(), *request);
        let (pending, counting) = (Arc::clone(&self.pending), self.counting);
        self.writer
            .write(Kind::Adds, move |connection| {
                if !pending.takes(&record)
                    && idempotency::earlier(connection, &request, now)?.is_none()
                {
                    return Ok(Err(TooManyPending));
                }
                let inserted =
                    idempotency::insert_keyed(connection, &record, &request, now, counting)?;
                if inserted == Some(KeyedInsert::Inserted) {
                    pending.added(&record);
                }
                Ok(Ok(inserted))
            })
            .await??
            .ok_or(StoreError::AlreadyExists { store: STORE })
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        let read = |connection: &Connection| idempotency::earlier(connection, request, now);
        self.readers.point(read).map_err(store_error)
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        // On the caller's own thread: this takes a few microseconds, less than handing it to a
        // blocking thread and back would.
        self.readers
            .point(|connection| statements::get(connection, id))
            .map_err(store_error)
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        Readers::range(&self.readers, move |connection| {
            statements::page(connection, request)
        })
        .await
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.writer
            .write(Kind::Adds, move |connection| {
                statements::renew_upload(connection, id, upload_expires_at)
            })
            .await
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        self.make_transition(id, transition, Vec::new()).await
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        self.make_tombstone(id, now, purge_at, upload_grace, as_of, Vec::new())
            .await
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        let hold = hold.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::hold(connection, id, &hold)
            })
            .await
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let hold = hold.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::release(connection, id, &hold, due_at)
            })
            .await
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::keep_longer(connection, id, keep_until)
            })
            .await
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::postpone_deletion(connection, id, seen, reconcile_at)
            })
            .await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        Readers::range(&self.readers, move |connection| {
            statements::due_records(connection, until, after, limit)
        })
        .await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::postpone_reconcile(connection, id, reconcile_at, upload_grace)
            })
            .await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::schedule_reconcile(connection, id, status, reconcile_at, purge_at)
            })
            .await
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        self.writer
            .write(Kind::Essential, move |connection| {
                statements::remove(connection, id, status)
            })
            .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.writer.check()?;
        self.readers.point(statements::check).map_err(store_error)
    }
}
