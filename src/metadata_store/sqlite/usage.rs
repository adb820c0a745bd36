//! How much everybody has, in a table of its own that is there while anybody has a quota.
//!
//! Invariant: triggers on the records keep it, in the transaction of whatever changes a record, so no statement can
//! forget it, and no crash comes between. Where quotas are turned on, the table is filled from the records in one
//! transaction; where they are turned off, table and triggers go, and a write costs what it always did. Neither is a
//! part of the schema's version: a program that knows nothing of them keeps them right.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, TransactionBehavior, named_params};

use super::error::store_error;
use super::readers::Readers;
use super::writer::Kind;
use super::{STORE, SqliteMetadataStore, StoreError, TooManyPending, hand_ins, idempotency};
use crate::domain::{FileRecord, KeyedRequest, Quota, Timestamp, Usage, UserId};
use crate::metadata_store::usage::{ChargedInsert, NewRecord, Recounted, UsageStore};

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

/// Of the records, as the triggers keep it.
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

CREATE TRIGGER usage_added AFTER INSERT ON files
WHEN NEW.owner IS NOT NULL AND (NEW.status = 'pending' OR NEW.status = 'available')
BEGIN
    INSERT INTO owner_usage (owner, files, bytes) VALUES (NEW.owner, 1, NEW.declared_length)
        ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;

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
DROP TRIGGER usage_added;
DROP TRIGGER usage_ended;
DROP TABLE owner_usage;
";

pub(super) const USAGE: &str = "SELECT files, bytes FROM owner_usage WHERE owner = :owner";

const RECOUNT: &str = concat!(
    "SELECT coalesce(kept.owner, counted.owner), coalesce(kept.files, 0), coalesce(kept.bytes, 0),
            coalesce(counted.files, 0), coalesce(counted.bytes, 0)
      FROM owner_usage AS kept FULL JOIN (",
    counted!(),
    ") AS counted ON kept.owner = counted.owner ORDER BY 1"
);

const MEND: &str = "INSERT INTO owner_usage (owner, files, bytes) VALUES (:owner, :files, :bytes)
      ON CONFLICT (owner) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes";

/// Begins to keep usage, or ends it, if that isn't so already.
pub(super) fn keep(connection: &mut Connection, keep: KeepUsage) -> rusqlite::Result<()> {
    let wanted = match keep {
        KeepUsage::AsBefore => return Ok(()),
        KeepUsage::Yes => true,
        KeepUsage::No => false,
    };
    if is_kept(connection)? == wanted {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(if wanted { KEEP } else { KEEP_NO_MORE })?;
    transaction.commit()
}

fn is_kept(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare(IS_KEPT)?.exists([])
}

fn usage_of(connection: &Connection, owner: UserId) -> rusqlite::Result<Usage> {
    let usage = connection
        .prepare_cached(USAGE)?
        .query_row(named_params! { ":owner": owner.to_string() }, |row| {
            usage(row, 0)
        })
        .optional()?;
    Ok(usage.unwrap_or_default())
}

/// From this column and the next. A number below nothing was put there by somebody else, and counts as nothing.
fn usage(row: &Row<'_>, at: usize) -> rusqlite::Result<Usage> {
    let number = |at| row.get(at).map(|it: i64| u64::try_from(it).unwrap_or(0));
    Ok(Usage {
        files: number(at)?,
        bytes: number(at + 1)?,
    })
}

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
        let inserted = idempotency::insert(connection, record, self.request.as_ref(), *now)?;
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
        // All are, since the triggers are there.
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
                connection
                    .prepare_cached(MEND)?
                    .execute(named_params! {
                        ":owner": owner.to_string(), ":files": files, ":bytes": bytes,
                    })
                    .map(drop)
            })
            .await
    }
}
