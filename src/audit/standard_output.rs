//! Lines on standard output, which a thread of their own writes.
//!
//! Invariant: whoever collects the lines may stand still as long as they like, and hold up that thread alone. What
//! waits is bounded. A line is written once and whole, however often the system breaks a write off, so nothing that it
//! said has to be said again.
//!
//! Absent on purpose: lines that are dropped. What has no room isn't begun.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

/// The most lines that wait: some 2 MB.
const CAPACITY: usize = 4_096;
/// When so many wait, nothing more is begun: the rest is for the lines of calls that are under way.
const FULL: u64 = CAPACITY as u64 / 2;
/// How long one line may take before nothing more is begun, and how long the end of a call waits for its line.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause before a write that failed is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the lines go.
#[derive(Debug)]
pub(super) struct StandardOutput {
    lines: SyncSender<String>,
    sent: u64,
    progress: Arc<Progress>,
    patience: Duration,
}

#[derive(Debug)]
struct Progress {
    /// How many lines are out.
    written: watch::Sender<u64>,
    /// Since when one is being written.
    busy_since: Mutex<Option<Instant>>,
}

/// A line that is on its way.
#[derive(Debug)]
#[must_use = "nothing may be handed out before the line is written"]
pub struct Written(Option<Waiting>);

#[derive(Debug)]
struct Waiting {
    written: watch::Receiver<u64>,
    number: u64,
    patience: Duration,
}

impl Written {
    /// It is there already.
    pub(crate) fn already() -> Self {
        Self(None)
    }

    /// Waits until the line is written.
    ///
    /// # Errors
    /// It takes too long: then nothing may be handed out. The line is still written, once somebody reads.
    pub async fn wait(self) -> io::Result<()> {
        let Some(mut waiting) = self.0 else {
            return Ok(());
        };
        let number = waiting.number;
        let is_there = waiting.written.wait_for(|written| *written >= number);
        match timeout(waiting.patience, is_there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(stalled()),
        }
    }
}

fn stalled() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "nobody reads standard output")
}

impl StandardOutput {
    /// To the process's own.
    pub(super) fn open() -> io::Result<Self> {
        // Beside the buffer that `print!` uses: what a write broke off stays nowhere but here.
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Self::to(file, PATIENCE)
    }

    /// To this file.
    pub(super) fn to(file: File, patience: Duration) -> io::Result<Self> {
        let (lines, queue) = sync_channel(CAPACITY);
        let progress = Arc::new(Progress {
            written: watch::Sender::new(0),
            busy_since: Mutex::new(None),
        });
        let of_thread = Arc::clone(&progress);
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write_lines(&queue, file, &of_thread))?;
        Ok(Self {
            lines,
            sent: 0,
            progress,
            patience,
        })
    }

    /// Whether there is room for the line of what is done next, and somebody reads.
    pub(super) fn reserve(&self) -> io::Result<()> {
        match self.is_full() || self.progress.busy_for() >= self.patience {
            true => Err(stalled()),
            false => Ok(()),
        }
    }

    /// Whether what is left of the room is for calls that are under way.
    pub(super) fn is_full(&self) -> bool {
        self.sent - *self.progress.written.borrow() >= FULL
    }

    /// Has the line written.
    ///
    /// # Errors
    /// No room at all.
    pub(super) fn append(&mut self, text: &str) -> io::Result<()> {
        let sent = self.lines.try_send(format!("{text}\n"));
        sent.map_err(|error| match error {
            TrySendError::Full(_) => stalled(),
            TrySendError::Disconnected(_) => io::Error::other("the thread that writes has ended"),
        })?;
        self.sent += 1;
        Ok(())
    }

    /// The line that was appended last.
    pub(super) fn last(&self) -> Written {
        Written(Some(Waiting {
            written: self.progress.written.subscribe(),
            number: self.sent,
            patience: self.patience,
        }))
    }

    /// A wait for all that was appended, which blocks; for the start and the end of a program.
    pub(super) fn drain(&self) -> impl FnOnce() -> io::Result<()> + use<> {
        let (progress, sent) = (Arc::clone(&self.progress), self.sent);
        let deadline = Instant::now() + self.patience;
        move || {
            while *progress.written.borrow() < sent {
                if Instant::now() >= deadline {
                    return Err(stalled());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        }
    }
}

impl Progress {
    fn busy_for(&self) -> Duration {
        let since = self.busy_since.lock();
        let since = since.unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn set_busy(&self, since: Option<Instant>) {
        let busy = self.busy_since.lock();
        *busy.unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// Until the log is closed.
fn write_lines(queue: &Receiver<String>, mut file: File, progress: &Arc<Progress>) {
    for line in queue {
        progress.set_busy(Some(Instant::now()));
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => std::thread::sleep(PAUSE),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody is left to hear of it.
                Err(_) if Arc::strong_count(progress) == 1 => return,
                // A full disk behind it, or nobody at the other end. Nothing is done meanwhile.
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        progress.set_busy(None);
        progress.written.send_modify(|written| *written += 1);
    }
}
