//! The one thread that writes, a group of commands to a commit.
//!
//! Invariant: a command is answered after the commit that holds it. If the commit fails, all its
//! commands get the error and none of them has happened. A command that fails by itself leaves
//! nothing behind and takes none of the others with it, since each is a single statement.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Error, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::STORE;
use super::error::shared_store_error;
use crate::metadata_store::StoreError;

/// Commands that may wait for their commit. A full queue is answered at once instead of growing.
const QUEUE_CAPACITY: usize = 1024;
/// The most commands in one commit.
const MAX_GROUP: usize = 256;

/// Tells the caller, once it is known whether the group was committed.
type Answer = Box<dyn FnOnce(Result<(), &Arc<Error>>) + Send>;
/// Runs the statement, or takes the reason why there is no transaction to run it in. Gives also the
/// statement's own error, if it had one.
type Command =
    Box<dyn FnOnce(Result<&Connection, &Arc<Error>>) -> (Answer, Option<Arc<Error>>) + Send>;

pub(super) struct Writer {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (commands, queue) = mpsc::channel(QUEUE_CAPACITY);
        let thread = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || write_groups(connection, queue))
            .map_err(|error| StoreError::from_io(STORE, error))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Runs one statement in the next commit, and answers when that is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let command: Command = Box::new(move |transaction| {
            let outcome = match transaction {
                Ok(connection) => statement(connection).map_err(Arc::new),
                Err(error) => Err(Arc::clone(error)),
            };
            let failure = outcome.as_ref().err().cloned();
            let answer: Answer = Box::new(move |commit| {
                let outcome = match (outcome, commit) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Err(error), _) => Err(shared_store_error(&error)),
                    (_, Err(error)) => Err(shared_store_error(error)),
                };
                // Whoever asked may have gone away; the write stands all the same.
                let _ = sender.send(outcome);
            });
            (answer, failure)
        });
        self.queue()?
            .try_send(command)
            .map_err(|_| StoreError::unavailable(STORE, "too many writes are waiting"))?;
        receiver
            .await
            .map_err(|_| StoreError::unavailable(STORE, "the writer has stopped"))?
    }

    /// Whether writes are taken.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.queue()?.capacity() {
            0 => Err(StoreError::unavailable(
                STORE,
                "too many writes are waiting",
            )),
            _ => Ok(()),
        }
    }

    fn queue(&self) -> Result<&mpsc::Sender<Command>, StoreError> {
        self.commands
            .as_ref()
            .filter(|commands| !commands.is_closed())
            .ok_or_else(|| StoreError::unavailable(STORE, "the writer has stopped"))
    }
}

impl Drop for Writer {
    /// Finishes what is queued.
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_groups(mut connection: Connection, mut queue: mpsc::Receiver<Command>) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < MAX_GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let mut answers = Vec::with_capacity(group.len());
        let committed = commit(&mut connection, group.drain(..), &mut answers);
        for answer in answers {
            answer(committed.as_ref().copied());
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the metadata database wasn't closed cleanly");
    }
}

/// Runs a group in one transaction.
fn commit(
    connection: &mut Connection,
    group: impl Iterator<Item = Command>,
    answers: &mut Vec<Answer>,
) -> Result<(), Arc<Error>> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Arc::new);
    let transaction = match transaction {
        Ok(transaction) => transaction,
        Err(error) => {
            answers.extend(group.map(|command| command(Err(&error)).0));
            return Err(error);
        }
    };
    let mut rolled_back: Option<Arc<Error>> = None;
    for command in group {
        let (answer, failure) = match &rolled_back {
            None => command(Ok(&transaction)),
            Some(error) => command(Err(error)),
        };
        answers.push(answer);
        // A full disk and the like take the whole transaction back at once; what ran after that
        // would be a commit of its own (https://sqlite.org/lang_transaction.html, "Response To
        // Errors Within A Transaction").
        if rolled_back.is_none() && transaction.is_autocommit() {
            rolled_back = failure;
        }
    }
    match rolled_back {
        Some(error) => Err(error),
        None => transaction.commit().map_err(Arc::new),
    }
}
