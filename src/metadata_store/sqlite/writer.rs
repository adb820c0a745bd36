//! The one thread that writes.
//!
//! Invariant: a command is answered once, and not before the commit of its group. A command that
//! fails takes no other with it; a commit that fails takes the whole group, since then nobody knows.
//!
//! Absent on purpose: waiting for a fuller group. Commands gather by themselves while the group before is
//! being committed and while their own is run, so a lone one is not delayed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, Error, ffi};
use tokio::sync::oneshot;

use super::STORE;
use super::error::{shared_store_error, store_error};
use crate::metadata_store::StoreError;

/// How many commands may wait. A group takes milliseconds, so whoever would have to stand behind
/// more than this is better told to come back.
pub(super) const QUEUE_LENGTH: usize = 1024;

/// The most commands that share a commit: about where the cost of the commit no longer shows.
const MAX_GROUP: usize = 256;

pub(super) struct Writer {
    /// `None` while it is being dropped, and in a store that only reads.
    queue: Option<SyncSender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, commands) = sync_channel(QUEUE_LENGTH);
        let thread = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || write_until_closed(&connection, &commands))
            .map_err(|error| StoreError::from_io(STORE, error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// What stands in the place of a writer in a store that only reads: refuses everything.
    pub(super) fn absent() -> Self {
        Self {
            queue: None,
            thread: None,
        }
    }

    /// Has `run` done in a transaction and gives its result after the commit. If the caller gives
    /// up, it may still be done.
    ///
    /// # Errors
    /// At once, if the queue is full.
    pub(super) async fn write<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let command = Box::new(Write {
            run: Some(run),
            result: None,
            answer,
        });
        let stopped = || StoreError::unavailable(STORE, "its writing thread has stopped");
        match self.queue.as_ref().map(|queue| queue.try_send(command)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => {
                return Err(StoreError::unavailable(
                    STORE,
                    format!("{QUEUE_LENGTH} writes are waiting already"),
                ));
            }
            Some(Err(TrySendError::Disconnected(_))) => return Err(stopped()),
            None => {
                return Err(StoreError::unavailable(
                    STORE,
                    "it is open for reading only",
                ));
            }
        }
        answered.await.map_err(|_| stopped())?
    }

    /// Whether the thread still takes commands.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.thread {
            Some(thread) if !thread.is_finished() => Ok(()),
            _ => Err(StoreError::unavailable(
                STORE,
                "its writing thread has stopped",
            )),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the metadata writer had panicked");
        }
    }
}

/// A write that waits for its turn, then for its commit.
trait Command: Send {
    /// Does it. Gives what SQLite said if it failed.
    fn run(&mut self, connection: &Connection) -> Option<ffi::Error>;

    /// Tells the caller, now that the group was committed or not.
    fn answer(self: Box<Self>, group: &Result<(), Arc<Error>>);
}

struct Write<T, F> {
    run: Option<F>,
    result: Option<rusqlite::Result<T>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Command for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Option<ffi::Error> {
        let run = self.run.take()?;
        let result = self.result.insert(run(connection));
        result.as_ref().err()?.sqlite_error().copied()
    }

    fn answer(self: Box<Self>, group: &Result<(), Arc<Error>>) {
        let outcome = match (self.result, group) {
            (Some(Err(own)), _) => Err(store_error(own)),
            (_, Err(shared)) => Err(shared_store_error(shared)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::unavailable(STORE, "the write was not run")),
        };
        // A caller that has given up hears nothing; every operation is safe to repeat.
        let _ = self.answer.send(outcome);
    }
}

fn write_until_closed(connection: &Connection, commands: &Receiver<Box<dyn Command>>) {
    while let Ok(first) = commands.recv() {
        let mut group = vec![first];
        let committed = commit(connection, &mut group, commands).map_err(Arc::new);
        for command in group {
            command.answer(&committed);
        }
    }
    // Not needed for durability: it leaves one file that can be copied by itself.
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = emptied {
        tracing::warn!(%error, "the metadata log was not emptied; the next start does it");
    }
}

/// Runs the group in one transaction, and with it whoever came while it ran. After an error nothing of
/// the group counts as done.
fn commit(
    connection: &Connection,
    group: &mut Vec<Box<dyn Command>>,
    commands: &Receiver<Box<dyn Command>>,
) -> rusqlite::Result<()> {
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]);
    if !connection.is_autocommit() {
        // The rollback after the group before had failed.
        execute("ROLLBACK")?;
    }
    execute("BEGIN IMMEDIATE")?;
    let mut done = 0;
    while let Some(command) = group.get_mut(done) {
        let failure = command.run(connection);
        // A failed statement undoes itself and leaves the others. But some failures (a full disk,
        // an I/O error) end the transaction, and what came after would be outside of it.
        if connection.is_autocommit() {
            let failure = failure.unwrap_or_else(|| ffi::Error::new(ffi::SQLITE_ABORT));
            return Err(Error::SqliteFailure(failure, None));
        }
        done += 1;
        if done == group.len() && done < MAX_GROUP {
            group.extend(commands.try_recv());
        }
    }
    let committed = execute("COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        execute("ROLLBACK")?;
    }
    committed.map(drop)
}
