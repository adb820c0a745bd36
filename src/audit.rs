//! Who did what: a line for each decision that changed or handed out something, and for each refusal.
//!
//! Invariant: every line names the one before by its digest, so that one that was changed, removed or moved
//! shows, and signed checkpoints, which stand in the ordinary log too, show a tail that was cut. A change is made
//! only while there is room for its line. No line has a URL, a token, a file's name or its content.
//!
//! Absent on purpose: what is only looked at; protection of the lines that were written since the last
//! checkpoint from whoever can write to the disk; and deleting old files, which is the operator's to decide.

mod chain;
mod day_files;
mod key;
mod standard_output;
mod verify;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::access::Caller;
use crate::domain::{Timestamp, UserId};
use chain::{Chain, Last, Line};
use day_files::DayFiles;
pub use key::{AuditKey, KEY_FILE};
use standard_output::StandardOutput;
pub use standard_output::Written;
pub use verify::{Problem, Verification, Verifier};

/// After so many lines a checkpoint is written.
const LINES_A_CHECKPOINT: u64 = 1_000;
/// After so long a checkpoint is written, if there were lines.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The outcome of what was done.
pub const DONE: &str = "done";
/// The outcome of what may have been done or not.
pub const UNKNOWN: &str = "unknown";

/// How many refusals have a line of their own within [`REFUSAL_WINDOW`]; what is beyond is counted. Refusals
/// cost their sender nothing, and would fill the disk.
const MAX_REFUSALS: u64 = 600;
const REFUSAL_WINDOW: Duration = Duration::from_secs(60);

/// Who did something, or was refused.
#[derive(Debug, Clone, Copy)]
pub enum Actor<'a> {
    /// Whoever called.
    Caller(&'a Caller),
    /// Somebody who signed in and has no role, so that no call is theirs.
    WithoutRole(UserId),
    /// The program itself, in a task of its own.
    System,
}

impl<'a> From<&'a Caller> for Actor<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self::Caller(caller)
    }
}

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(caller) => write!(f, "{caller}"),
            Self::WithoutRole(user) => write!(f, "{user}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// One decision.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// When it was made, by the process's clock.
    pub time: Timestamp,
    /// Which request asked for it.
    pub request_id: &'a str,
    /// Who asked.
    pub caller: Actor<'a>,
    /// What was asked for, such as `delete_file`.
    pub action: &'static str,
    /// What it was about, such as a file's ID; `None` if nothing was there yet.
    pub resource: Option<String>,
    /// What became of it: [`DONE`], or the code of the refusal.
    pub outcome: &'static str,
    /// Whose connection it was.
    pub source: Option<IpAddr>,
}

/// Where lines go.
#[derive(Debug)]
enum Sink {
    Days(DayFiles),
    StandardOutput(StandardOutput),
}

/// The log of one process run: one chain.
#[derive(Debug)]
pub struct AuditLog {
    key: AuditKey,
    inner: Mutex<Inner>,
    /// How often a line had no room, or couldn't be written or kept.
    failures: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    chain: Chain,
    sink: Sink,
    lines_since_checkpoint: u64,
    checkpoint_at: Instant,
    /// The last checkpoint, as long as it doesn't stand in the ordinary log.
    unsaid: Option<Last>,
    refusals: Refusals,
}

/// How many refusals were written lately, and how many weren't.
#[derive(Debug)]
struct Refusals {
    since: Instant,
    written: u64,
    left_out: u64,
}

impl AuditLog {
    /// The log in the directory `audit` of `data_dir`, a file a day; it goes on where the run before ended.
    ///
    /// # Errors
    /// A directory or file that can't be used, or no random numbers.
    pub fn in_data_dir(data_dir: &Path, key: AuditKey, now: Timestamp) -> io::Result<Self> {
        let (days, last) = DayFiles::open(&data_dir.join("audit"), now)?;
        Self::begin(Sink::Days(days), Chain::begin(last)?, key, now)
    }

    /// The log on standard output, between the lines of the ordinary one.
    ///
    /// # Errors
    /// No random numbers, or standard output is closed.
    pub fn on_standard_output(key: AuditKey, now: Timestamp) -> io::Result<Self> {
        Self::on_output(StandardOutput::open()?, key, now)
    }

    fn on_output(output: StandardOutput, key: AuditKey, now: Timestamp) -> io::Result<Self> {
        let log = Self::begin(Sink::StandardOutput(output), Chain::begin(None)?, key, now)?;
        let drain = log.lock().drain();
        drain.map_or(Ok(()), |drain| drain())?;
        Ok(log)
    }

    fn begin(sink: Sink, chain: Chain, key: AuditKey, now: Timestamp) -> io::Result<Self> {
        let started = Instant::now();
        let mut inner = Inner {
            chain,
            sink,
            lines_since_checkpoint: 0,
            checkpoint_at: started,
            unsaid: None,
            refusals: Refusals {
                since: started,
                written: 0,
                left_out: 0,
            },
        };
        inner.reserve()?;
        let start = inner.chain.start(now);
        inner.write(start, now)?;
        Ok(Self {
            key,
            inner: Mutex::new(inner),
            failures: AtomicU64::new(0),
        })
    }

    /// Sees to it that there is room for the line of what is done next.
    ///
    /// # Errors
    /// The disk is full: then it must not be done.
    pub fn reserve(&self) -> io::Result<()> {
        let reserved = self.lock().reserve();
        reserved.inspect_err(|_| self.failed())
    }

    /// How often there was no room for a line, or one couldn't be written or given to the disk for good.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes a line about what was done. Nothing may be handed out before it is there, for which there is
    /// [`Written::wait`].
    ///
    /// # Errors
    /// What the system says. After [`Self::reserve`] it isn't for lack of room.
    pub fn record(&self, entry: &Entry<'_>) -> io::Result<Written> {
        self.recorded(entry).inspect_err(|_| self.failed())
    }

    fn recorded(&self, entry: &Entry<'_>) -> io::Result<Written> {
        let mut inner = self.lock();
        let line = inner.chain.entry(entry);
        inner.write(line, entry.time)?;
        let written = match &inner.sink {
            Sink::Days(_) => Written::already(),
            Sink::StandardOutput(out) => out.last(),
        };
        inner.lines_since_checkpoint += 1;
        inner.checkpoint_if_due(&self.key, entry.time)?;
        Ok(written)
    }

    /// Writes a line about what was refused, or counts it if there were too many just now.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_refusal(&self, entry: &Entry<'_>) -> io::Result<()> {
        {
            let mut inner = self.lock();
            // They take no room from calls that are under way.
            let has_room = match &inner.sink {
                Sink::Days(_) => true,
                Sink::StandardOutput(out) => !out.is_full(),
            };
            let refusals = &mut inner.refusals;
            if refusals.since.elapsed() >= REFUSAL_WINDOW {
                refusals.since = Instant::now();
                refusals.written = 0;
            }
            if refusals.written >= MAX_REFUSALS || !has_room {
                refusals.left_out += 1;
                return Ok(());
            }
            refusals.written += 1;
        }
        self.record(entry).map(drop)
    }

    /// Writes a checkpoint if one is due, says the last one in the ordinary log, and has the disk keep what was written.
    /// To be called every few seconds, where it may block.
    ///
    /// # Errors
    /// What the system says.
    pub fn tick(&self, now: Timestamp) -> io::Result<()> {
        self.ticked(now).inspect_err(|_| self.failed())
    }

    fn ticked(&self, now: Timestamp) -> io::Result<()> {
        let (to_sync, checkpoint) = {
            let mut inner = self.lock();
            inner.checkpoint_if_due(&self.key, now)?;
            let to_sync = match &mut inner.sink {
                Sink::Days(days) => days.take_unsynced(),
                Sink::StandardOutput(_) => None,
            };
            (to_sync, inner.unsaid.take())
        };
        // Without the lock, which every call waits for: the disk is slow, and whoever collects the ordinary log may
        // stand still.
        if let Some(last) = checkpoint {
            tracing::info!(
                target: "audit",
                chain = last.chain,
                seq = last.seq,
                hash = last.hash,
                "checkpoint of the audit log"
            );
        }
        to_sync.map_or(Ok(()), |file| file.sync_data())
    }

    /// The last checkpoint, at the end of the program.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self, now: Timestamp) -> io::Result<()> {
        let mut inner = self.lock();
        inner.checkpoint(&self.key, now)?;
        let drain = inner.drain();
        drop(inner);
        drain.map_or(Ok(()), |drain| drain())?;
        self.tick(now)
    }

    /// Has the disk be full from now on, as far as the log can tell.
    #[cfg(test)]
    pub(crate) fn take_all_room(&self) -> io::Result<()> {
        match &mut self.lock().sink {
            Sink::Days(days) => days.take_all_room(),
            Sink::StandardOutput(_) => Ok(()),
        }
    }

    /// A log on this pipe, for whose reader somebody waits so long.
    #[cfg(test)]
    pub(crate) fn on_pipe(pipe: std::fs::File, patience: Duration) -> Self {
        let output = StandardOutput::to(pipe, patience).expect("a thread");
        let key = AuditKey::from_seed(&[7; 32]).expect("a key");
        Self::on_output(output, key, Timestamp::UNIX_EPOCH).expect("a first line")
    }

    /// Has more lines written than a pipe takes.
    #[cfg(test)]
    pub(crate) fn fill(&self) {
        let entry = Entry {
            time: Timestamp::UNIX_EPOCH,
            request_id: "filler",
            caller: Actor::System,
            action: "fill",
            resource: None,
            outcome: DONE,
            source: None,
        };
        for _ in 0..500 {
            let _ = self.record(&entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reserve(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Days(days) => days.reserve(),
            // Nothing is done as long as whoever collects the lines doesn't take one.
            Sink::StandardOutput(out) => out.reserve(),
        }
    }

    /// The chain goes on only behind a line that was written, or will be before any other.
    fn write(&mut self, mut line: Line, now: Timestamp) -> io::Result<()> {
        line.left_out = Some(self.refusals.left_out).filter(|count| *count > 0);
        let text = line.text();
        match &mut self.sink {
            Sink::Days(days) => days.append(&text, now)?,
            Sink::StandardOutput(out) => out.append(&text)?,
        }
        self.refusals.left_out = 0;
        self.chain.wrote(&text);
        Ok(())
    }

    /// A wait for lines that are on their way, which blocks; `None` where there are none.
    fn drain(&self) -> Option<impl FnOnce() -> io::Result<()> + use<>> {
        match &self.sink {
            Sink::Days(_) => None,
            Sink::StandardOutput(out) => Some(out.drain()),
        }
    }

    fn checkpoint_if_due(&mut self, key: &AuditKey, now: Timestamp) -> io::Result<()> {
        let waiting = self.lines_since_checkpoint > 0 || self.refusals.left_out > 0;
        let is_old = self.checkpoint_at.elapsed() >= CHECKPOINT_INTERVAL;
        if self.lines_since_checkpoint >= LINES_A_CHECKPOINT || waiting && is_old {
            return self.checkpoint(key, now);
        }
        Ok(())
    }

    fn checkpoint(&mut self, key: &AuditKey, now: Timestamp) -> io::Result<()> {
        let line = self.chain.checkpoint(key, now);
        self.write(line, now)?;
        self.lines_since_checkpoint = 0;
        self.checkpoint_at = Instant::now();
        self.unsaid = Some(self.chain.last());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
