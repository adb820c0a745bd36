//! What is still to be told, in a table of its own beside the records.
//!
//! Invariant: the thread that writes adds a message in the transaction of the change that it tells of, so the commit
//! that makes one durable makes both. No more messages wait than may: those that wait stay, and what comes beyond is left
//! out and counted, since a change can't wait for a receiver.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row, named_params};

use super::readers::Readers;
use super::row_count::RowCount;
use super::writer::Kind;
use super::{SqliteMetadataStore, StoreError, row};
use crate::domain::{FileId, Timestamp, Transition, from_millis};
use crate::metadata_store::TransitionOutcome;
use crate::metadata_store::outbox::{MAX_DUE_MESSAGES, Message, MessageId, Outbox};

const ADD: &str = "INSERT INTO outbox (id, due_at, attempts, tried_since, body)
      VALUES (:id, :due_at, :attempts, :tried_since, :body) ON CONFLICT (id) DO NOTHING";

pub(super) const DUE_MESSAGES: &str = "SELECT id, due_at, attempts, tried_since, body
      FROM outbox INDEXED BY outbox_by_due WHERE due_at <= :moment ORDER BY due_at, id LIMIT :limit";

pub(super) const MESSAGES_AFTER: &str = "SELECT id, due_at, attempts, tried_since, body
      FROM outbox INDEXED BY outbox_by_due WHERE due_at > :moment ORDER BY due_at DESC, id DESC LIMIT :limit";

const IS_THERE: &str = "SELECT 1 FROM outbox WHERE id = :id";

const REPLACE: &str =
    "UPDATE outbox SET due_at = :due_at, attempts = :attempts, tried_since = :tried_since
      WHERE id = :id AND due_at = :seen_due_at AND attempts = :seen_attempts";

const REMOVE: &str = "DELETE FROM outbox WHERE id = :id";

/// What became of a change that is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) is_made: bool,
    /// Messages of it that there was no room for.
    pub(super) left_out: u64,
}

/// Makes a change, and adds the messages if it was made: both or neither, whatever else is in the group's transaction.
pub(super) fn told(
    connection: &Connection,
    messages: &[Message],
    rows: &RowCount,
    change: impl FnOnce() -> rusqlite::Result<bool>,
) -> rusqlite::Result<Told> {
    if messages.is_empty() {
        let (is_made, left_out) = (change()?, 0);
        return Ok(Told { is_made, left_out });
    }
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    execute("SAVEPOINT told")?;
    let made = change().and_then(|is_made| match is_made {
        true => add(connection, messages, rows.room()).map(Some),
        false => Ok(None),
    });
    // Some failures (a full disk, an I/O error) end the transaction, and the savepoint with it.
    if connection.is_autocommit() {
        return made.map(|added| Told {
            is_made: added.is_some(),
            left_out: 0,
        });
    }
    if made.is_err() {
        execute("ROLLBACK TO told")?;
    }
    execute("RELEASE told")?;
    let added = made?;
    rows.change_by(added.map_or(0, |it| it.rows));
    Ok(Told {
        is_made: added.is_some(),
        left_out: added.map_or(0, |it| it.left_out),
    })
}

#[derive(Debug, Clone, Copy)]
struct Added {
    rows: i64,
    left_out: u64,
}

/// Adds them to the transaction that is under way, as many as there is room for.
fn add(connection: &Connection, messages: &[Message], room: u64) -> rusqlite::Result<Added> {
    let (mut room, mut rows, mut left_out) = (room, 0, 0);
    for message in messages {
        if room == 0 {
            let id = named_params! { ":id": message.id.as_str() };
            let waits_already = connection.prepare_cached(IS_THERE)?.exists(id)?;
            left_out += u64::from(!waits_already);
            continue;
        }
        let added = connection.prepare_cached(ADD)?.execute(named_params! {
            ":id": message.id.as_str(),
            ":due_at": message.due_at.timestamp_millis(),
            ":attempts": message.attempts,
            ":tried_since": message.tried_since.map(|at| at.timestamp_millis()),
            ":body": message.body,
        })?;
        if added > 0 {
            (room, rows) = (room - 1, rows + 1);
        }
    }
    Ok(Added { rows, left_out })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let unreadable = |at, kind, why: &str| Error::FromSqlConversionFailure(at, kind, why.into());
    let id: String = row.get(0)?;
    let since: Option<i64> = row.get(3)?;
    let since = since.map(|millis| {
        from_millis(millis).ok_or_else(|| unreadable(3, Type::Integer, "beyond all time"))
    });
    Ok(Message {
        id: MessageId::parse(&id).map_err(|why| unreadable(0, Type::Text, &why.0))?,
        due_at: row::moment_at(row, 1)?,
        attempts: row.get(2)?,
        tried_since: since.transpose()?,
        body: row.get(4)?,
    })
}

/// Those of one of the questions about a moment.
fn found(
    connection: &Connection,
    question: &str,
    moment: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Message>> {
    let mut statement = connection.prepare_cached(question)?;
    let limit = limit.clamp(1, MAX_DUE_MESSAGES) as i64;
    let mut rows =
        statement.query(named_params! { ":moment": moment.timestamp_millis(), ":limit": limit })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match message(row) {
            Ok(message) => found.push(message),
            Err(error) => tracing::error!(%error, "a message can't be read and is not told"),
        }
    }
    Ok(found)
}

impl SqliteMetadataStore {
    /// After the commit: whether the change was made.
    pub(super) fn made(&self, told: Told) -> bool {
        self.outbox.left_out(told.left_out);
        told.is_made
    }
}

#[async_trait]
impl Outbox for SqliteMetadataStore {
    async fn transition_told(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        self.make_transition(id, transition, messages.to_vec())
            .await
    }

    async fn delete_told(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        self.make_tombstone(id, now, purge_at, upload_grace, as_of, messages.to_vec())
            .await
    }

    async fn add_message(&self, message: &Message) -> Result<(), StoreError> {
        self.space.check(super::STORE)?;
        let (message, rows) = (message.clone(), Arc::clone(&self.outbox));
        let told = self
            .writer
            .write(Kind::Adds, move |connection| {
                told(
                    connection,
                    std::slice::from_ref(&message),
                    rows.rows(),
                    || Ok(true),
                )
            })
            .await?;
        self.made(told);
        Ok(())
    }

    async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, StoreError> {
        let readers = Arc::clone(&self.readers);
        Readers::range(&readers, move |connection| {
            found(connection, DUE_MESSAGES, now, limit)
        })
        .await
    }

    async fn messages_after(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let readers = Arc::clone(&self.readers);
        Readers::range(&readers, move |connection| {
            found(connection, MESSAGES_AFTER, moment, limit)
        })
        .await
    }

    async fn replace_message(&self, seen: &Message, message: &Message) -> Result<bool, StoreError> {
        let (seen_due_at, seen_attempts) = (seen.due_at.timestamp_millis(), seen.attempts);
        let message = message.clone();
        self.writer
            .write(Kind::Essential, move |connection| {
                let replaced = connection.prepare_cached(REPLACE)?.execute(named_params! {
                    ":id": message.id.as_str(),
                    ":due_at": message.due_at.timestamp_millis(),
                    ":attempts": message.attempts,
                    ":tried_since": message.tried_since.map(|at| at.timestamp_millis()),
                    ":seen_due_at": seen_due_at,
                    ":seen_attempts": seen_attempts,
                })?;
                Ok(replaced == 1)
            })
            .await
    }

    async fn remove_message(&self, id: &MessageId) -> Result<(), StoreError> {
        let (id, rows) = (id.clone(), Arc::clone(&self.outbox));
        self.writer
            .write(Kind::Essential, move |connection| {
                let named = named_params! { ":id": id.as_str() };
                let removed = connection.prepare_cached(REMOVE)?.execute(named)?;
                if removed > 0 {
                    rows.rows().change_by(-1);
                }
                Ok(())
            })
            .await?;
        self.outbox.left_out(0);
        Ok(())
    }
}
