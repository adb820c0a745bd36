//! Small items: a table of their own in the same file, written by the same thread.
//!
//! Invariant: each write is one statement besides the removal of what is over. Each item that is put also
//! removes some that are over, more than it adds, so their number is bounded by how many come within one
//! lifetime.

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, named_params};

use super::error::store_error;
use super::readers::Readers;
use super::writer::Kind;
use super::{STORE, SqliteMetadataStore, StoreError, row};
use crate::domain::{Invalid, Timestamp};
use crate::item_store::{
    Item, ItemBody, ItemKey, ItemPage, ItemParent, ItemStore, ItemVersion, MAX_ITEM_PAGE,
};

/// How many items that are over a put removes at the most. It adds one.
const REMOVED_A_PUT: i64 = 8;

const PUT_NEW: &str = "INSERT INTO items (key, parent, expires_at, version, body)
      VALUES (:key, :parent, :expires_at, :version, :body)
      ON CONFLICT (key) DO UPDATE SET parent = excluded.parent, expires_at = excluded.expires_at,
          version = excluded.version, body = excluded.body
      WHERE items.expires_at <= :now";

pub(super) const GET_ITEM: &str = "SELECT key, parent, expires_at, version, body FROM items
      WHERE key = :key AND expires_at > :now";

const REPLACE: &str = "UPDATE items SET parent = :parent, expires_at = :expires_at,
          version = :version, body = :body
      WHERE key = :key AND version = :seen AND expires_at > :now";

const REMOVE: &str = "DELETE FROM items WHERE key = :key AND expires_at > :now";

pub(super) const ITEMS_OF_PARENT: &str =
    "SELECT key, parent, expires_at, version, body FROM items INDEXED BY items_by_parent
      WHERE parent = :parent AND key > :after ORDER BY key LIMIT :limit";

pub(super) const REMOVE_ITEMS_OVER: &str = "DELETE FROM items WHERE key IN (
         SELECT key FROM items INDEXED BY items_by_expiry
         WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit)";

const KEY: usize = 0;

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let text = |at: usize| row.get::<_, String>(at);
    let unreadable = |at: usize| {
        move |invalid: Invalid| Error::FromSqlConversionFailure(at, Type::Text, invalid.into())
    };
    let parent = row.get::<_, Option<String>>(1)?;
    let parent = parent.as_deref().map(ItemParent::parse).transpose();
    Ok(Item {
        key: ItemKey::parse(&text(KEY)?).map_err(unreadable(KEY))?,
        parent: parent.map_err(unreadable(1))?,
        expires_at: row::moment_at(row, 2)?,
        version: ItemVersion::from_number(row.get(3)?),
        body: ItemBody::new(text(4)?).map_err(unreadable(4))?,
    })
}

fn put_new(connection: &Connection, item: &Item, now: Timestamp) -> rusqlite::Result<bool> {
    let put = connection.prepare_cached(PUT_NEW)?.execute(named_params! {
        ":key": item.key.as_str(),
        ":parent": item.parent.as_ref().map(ItemParent::as_str),
        ":expires_at": item.expires_at.timestamp_millis(),
        ":version": item.version.number(),
        ":body": item.body.as_str(),
        ":now": now.timestamp_millis(),
    })?;
    connection
        .prepare_cached(REMOVE_ITEMS_OVER)?
        .execute(named_params! {
            ":now": now.timestamp_millis(),
            ":limit": REMOVED_A_PUT,
        })?;
    Ok(put == 1)
}

fn replace(
    connection: &Connection,
    item: &Item,
    seen: ItemVersion,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let replaced = connection.prepare_cached(REPLACE)?.execute(named_params! {
        ":key": item.key.as_str(),
        ":parent": item.parent.as_ref().map(ItemParent::as_str),
        ":expires_at": item.expires_at.timestamp_millis(),
        ":version": item.version.number(),
        ":body": item.body.as_str(),
        ":seen": seen.number(),
        ":now": now.timestamp_millis(),
    })?;
    Ok(replaced == 1)
}

/// One page. An item that can't be read is logged and left out, so that one that is damaged doesn't take the
/// list away; `get` says what is wrong with it.
fn list(
    connection: &Connection,
    parent: &ItemParent,
    after: &str,
    limit: usize,
    now: Timestamp,
) -> rusqlite::Result<ItemPage> {
    let mut statement = connection.prepare_cached(ITEMS_OF_PARENT)?;
    let mut rows = statement.query(named_params! {
        ":parent": parent.as_str(),
        ":after": after,
        // One more than asked for tells whether another page follows.
        ":limit": limit as i64 + 1,
    })?;
    let mut items = Vec::new();
    let mut last = None;
    let mut taken = 0;
    while let Some(row) = rows.next()? {
        if taken == limit {
            return Ok(ItemPage { items, next: last });
        }
        taken += 1;
        match item(row) {
            Ok(item) => {
                last = Some(item.key.clone());
                items.extend((!item.is_over(now)).then_some(item));
            }
            Err(error) => {
                let key: String = row.get(KEY)?;
                last = ItemKey::parse(&key).ok().or(last);
                tracing::error!(parent = parent.as_str(), %error, "an item can't be read and is not listed");
            }
        }
    }
    Ok(ItemPage { items, next: None })
}

#[async_trait]
impl ItemStore for SqliteMetadataStore {
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        self.space.check(STORE)?;
        let item = item.clone();
        self.writer
            .write(Kind::Adds, move |connection| {
                put_new(connection, &item, now)
            })
            .await
    }

    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError> {
        let read = |connection: &Connection| {
            connection
                .prepare_cached(GET_ITEM)?
                .query_row(
                    named_params! { ":key": key.as_str(), ":now": now.timestamp_millis() },
                    item,
                )
                .optional()
        };
        self.readers.point(read).map_err(store_error)
    }

    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        let (seen, item) = (item.version, item.with_fresh_version());
        self.writer
            .write(Kind::Adds, move |connection| {
                replace(connection, &item, seen, now)
            })
            .await
    }

    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError> {
        let key = key.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                let removed = connection.prepare_cached(REMOVE)?.execute(
                    named_params! { ":key": key.as_str(), ":now": now.timestamp_millis() },
                )?;
                Ok(removed == 1)
            })
            .await
    }

    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError> {
        let limit = limit.clamp(1, MAX_ITEM_PAGE);
        // Below all keys.
        let after = after.map_or_else(String::new, ToString::to_string);
        let parent = parent.clone();
        Readers::range(&self.readers, move |connection| {
            list(connection, &parent, &after, limit, now)
        })
        .await
    }
}
