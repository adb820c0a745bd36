//! The one thread that writes.
//!
//! Invariant: a command is answered once, and not before the commit of its group. A command that
//! fails takes no other with it; a commit that fails takes the whole group, since then nobody knows.
//!
//! Where the disk is full, the group fails, and what adds something is refused. What must go on
//! ([`Kind::Essential`]) is done again, after the log was moved into the file, whose place is then free for the
//! next commit, and once more after the reserved space was given up.
//!
//! Absent on purpose: waiting for a fuller group. Commands gather by themselves while the group before is
//! being committed and while their own is run, so a lone one is not delayed.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Error, ffi};
use tokio::sync::oneshot;

use super::error::{may_be_full, says_full, shared_store_error, store_error};
use super::last_seen::LastSeen;
use super::outbox_count::OutboxCount;
use super::pending_count::PendingCount;
use super::{STORE, vacuum};
use crate::disk_space::{DiskSpace, ReservedSpace};
use crate::metadata_store::StoreError;

/// How many commands may wait. A group takes milliseconds, so whoever would have to stand behind
/// more than this is better told to come back.
pub(super) const QUEUE_LENGTH: usize = 1024;

/// The most commands that share a commit: about where the cost of the commit no longer shows.
const MAX_GROUP: usize = 256;

/// How long nothing may come before the writer sees to what it has to do besides.
const IDLE: Duration = Duration::from_millis(500);

/// The same while pages are being given back, a few at a time.
const SHORT: Duration = Duration::from_millis(20);

/// What a write does to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It adds something, and may be refused where there is no room.
    Adds,
    /// A deletion, what keeps a file from one, or what ends a file's time as `pending`: it goes on as long as anything can be done.
    Essential,
}

/// The disk as the writer sees it.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) space: DiskSpace,
    pub(super) reserved: Option<ReservedSpace>,
}

/// What is counted of what is written.
#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) pending: Arc<PendingCount>,
    pub(super) outbox: Arc<OutboxCount>,
}

impl Counts {
    fn begin(&self) {
        self.pending.rows().begin();
        self.outbox.rows().begin();
    }

    fn commit(&self) {
        self.pending.rows().commit();
        self.outbox.rows().commit();
    }
}

pub(super) struct Writer {
    /// `None` while it is being dropped, and in a store that only reads.
    queue: Option<SyncSender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: &Path,
        disk: Disk,
        counts: Counts,
    ) -> Result<Self, StoreError> {
        let (queue, commands) = sync_channel(QUEUE_LENGTH);
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || {
                let writing = Writing {
                    last_seen: LastSeen::begin(&path),
                    connection,
                    disk,
                    counts,
                    gives_back: false,
                };
                writing.until_closed(&commands);
            })
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
    /// up, it may still be done. If the disk is full it may be run more than once, at first for nothing.
    ///
    /// # Errors
    /// At once, if the queue is full.
    pub(super) async fn write<T, F>(&self, kind: Kind, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let command = Box::new(Write {
            kind,
            run,
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
    fn kind(&self) -> Kind;

    /// Does it. Gives what SQLite said if it failed.
    fn run(&mut self, connection: &Connection) -> Option<ffi::Error>;

    /// Whether it failed by itself for want of room, and left the rest of its group as it was.
    fn found_no_room(&self) -> bool;

    /// Tells the caller, now that the group was committed or not.
    fn answer(self: Box<Self>, group: &Result<(), Arc<Error>>);
}

struct Write<T, F> {
    kind: Kind,
    run: F,
    result: Option<rusqlite::Result<T>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Command for Write<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, connection: &Connection) -> Option<ffi::Error> {
        let result = self.result.insert((self.run)(connection));
        result.as_ref().err()?.sqlite_error().copied()
    }

    fn found_no_room(&self) -> bool {
        matches!(&self.result, Some(Err(error)) if says_full(error))
    }

    fn answer(self: Box<Self>, group: &Result<(), Arc<Error>>) {
        let outcome = match (self.result, group) {
            // That it was for want of room may only be known of the group.
            (_, Err(shared)) if says_full(shared) => Err(shared_store_error(shared)),
            (Some(Err(own)), _) => Err(store_error(own)),
            (_, Err(shared)) => Err(shared_store_error(shared)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::unavailable(STORE, "the write was not run")),
        };
        // A caller that has given up hears nothing; every operation is safe to repeat.
        let _ = self.answer.send(outcome);
    }
}

type Commands = Receiver<Box<dyn Command>>;
type Group = Vec<Box<dyn Command>>;

/// What the thread works on.
struct Writing {
    last_seen: LastSeen,
    connection: Connection,
    disk: Disk,
    counts: Counts,
    /// Pages of the file are free that should be given back.
    gives_back: bool,
}

impl Writing {
    fn until_closed(mut self, commands: &Commands) {
        self.maintain();
        loop {
            let pause = if self.gives_back { SHORT } else { IDLE };
            let received = commands.recv_timeout(pause);
            self.last_seen.before_writing();
            match received {
                Ok(first) => self.write(vec![first], commands),
                Err(RecvTimeoutError::Timeout) => self.give_back(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.last_seen.after_writing();
            self.maintain();
        }
        // Not needed for durability: it leaves one file that can be copied by itself.
        let emptied = self.checkpoint("TRUNCATE");
        if let Err(error) = emptied {
            tracing::warn!(%error, "the metadata log was not emptied; the next start does it");
        }
        self.last_seen.end();
    }

    /// What has to be done besides the commands. Costs nothing where there is nothing to do.
    fn maintain(&mut self) {
        if let Some(reserved) = &mut self.disk.reserved {
            reserved.maintain();
        }
    }

    /// Nothing came for a while: some free pages go back to the file system.
    fn give_back(&mut self) {
        self.gives_back = vacuum::step(&self.connection).unwrap_or_else(|error| {
            tracing::debug!(%error, "no pages are given back for now");
            false
        });
    }

    fn write(&mut self, group: Group, commands: &Commands) {
        let rest = self.attempt(group, Some(commands));
        if rest.is_empty() {
            return;
        }
        self.make_room_in_log();
        let rest = self.attempt(rest, None);
        if rest.is_empty() {
            return;
        }
        if let Some(reserved) = &mut self.disk.reserved {
            reserved.give_up();
        }
        self.make_room_in_log();
        let mut rest = rest;
        let committed = self.commit(&mut rest, None);
        answer(rest, &committed);
    }

    /// Answers all but those that must go on and found no room: they come back.
    fn attempt(&self, mut group: Group, commands: Option<&Commands>) -> Group {
        let committed = self.commit(&mut group, commands);
        let no_room = committed.as_ref().is_err_and(|error| says_full(error));
        let again = |command: &dyn Command| {
            command.kind() == Kind::Essential && (no_room || command.found_no_room())
        };
        let (again, done): (Group, Group) = group
            .into_iter()
            .partition(|command| again(command.as_ref()));
        answer(done, &committed);
        again
    }

    /// What was moved into the file leaves its place in the log to the next commit.
    fn make_room_in_log(&self) {
        if let Err(error) = self.checkpoint("PASSIVE") {
            tracing::warn!(%error, "the metadata log can't be moved into its file");
        }
    }

    /// [`commit`], with an error that says so if there was no room.
    fn commit(&self, group: &mut Group, commands: Option<&Commands>) -> Result<(), Arc<Error>> {
        self.counts.begin();
        let committed = commit(&self.connection, group, commands);
        if committed.is_ok() {
            self.counts.commit();
        }
        committed.map_err(|error| {
            let full = may_be_full(&error) && self.disk.space.is_used_up();
            Arc::new(match full {
                true => Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None),
                false => error,
            })
        })
    }

    fn checkpoint(&self, how: &str) -> rusqlite::Result<()> {
        let sql = format!("PRAGMA wal_checkpoint({how})");
        self.connection.query_row(&sql, [], |_| Ok(()))
    }
}

fn answer(group: Group, committed: &Result<(), Arc<Error>>) {
    for command in group {
        command.answer(committed);
    }
}

/// Runs the group in one transaction, and with it whoever came while it ran. After an error nothing of
/// the group counts as done.
fn commit(
    connection: &Connection,
    group: &mut Group,
    commands: Option<&Commands>,
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
        if done == group.len()
            && done < MAX_GROUP
            && let Some(commands) = commands
        {
            group.extend(commands.try_recv());
        }
    }
    let committed = execute("COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        execute("ROLLBACK")?;
    }
    committed.map(drop)
}
