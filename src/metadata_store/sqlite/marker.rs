//! The marker of the records: one row of a table of its own.
//!
//! Invariant: it is written in the writer's way, and on a full disk as deletions are, since no start may
//! fail for it.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::error::store_error;
use super::writer::Kind;
use super::{STORE, SqliteMetadataStore, StoreError};
use crate::store_marker::{MarkedStore, Marker};

const GET: &str = "SELECT id, starts FROM store_marker WHERE only = 1";
const ADD: &str =
    "INSERT INTO store_marker (only, id, starts) VALUES (1, ?, ?) ON CONFLICT DO NOTHING";
const REPLACE: &str = "INSERT OR REPLACE INTO store_marker (only, id, starts) VALUES (1, ?, ?)";

fn write(connection: &Connection, sql: &str, marker: &Marker) -> rusqlite::Result<()> {
    let starts = i64::try_from(marker.starts).unwrap_or(i64::MAX);
    connection.execute(sql, params![marker.id.to_string(), starts])?;
    Ok(())
}

#[async_trait]
impl MarkedStore for SqliteMetadataStore {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let read = |connection: &Connection| {
            connection
                .query_row(GET, [], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
                })
                .optional()
        };
        let Some((id, starts)) = self.readers.point(read).map_err(store_error)? else {
            return Ok(None);
        };
        match (Uuid::try_parse(&id), u64::try_from(starts)) {
            (Ok(id), Ok(starts)) => Ok(Some(Marker { id, starts })),
            _ => Err(StoreError::corrupt(STORE, "its marker")),
        }
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        let marker = marker.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                write(connection, ADD, &marker)
            })
            .await
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        let marker = marker.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                write(connection, REPLACE, &marker)
            })
            .await
    }
}
