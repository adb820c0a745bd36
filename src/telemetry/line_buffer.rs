//! Where the lines of the log wait for a moment, so that under load one write carries many.
//!
//! Invariant: lines leave in the order in which they came, each whole; none waits longer than
//! [`GATHERED_FOR`], and a warning or an error, with all that came before it, doesn't wait at all.
//!
//! Absent on purpose: dropping lines. Whoever finds the buffer full writes it, and waits as long as the
//! reader of the log makes a writer wait.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others. A person who watches doesn't notice it.
const GATHERED_FOR: Duration = Duration::from_millis(5);
/// How much may wait, in bytes: some 300 lines.
const MOST_WAITING: usize = 64 * 1024;

struct Shared<W> {
    waiting: Mutex<Vec<u8>>,
    something_waits: Condvar,
    /// The sink, and the memory of the batch before; locked before `waiting` is emptied, which keeps
    /// the order.
    sink: Mutex<(W, Vec<u8>)>,
}

/// A panic while a lock was held leaves bytes behind, never a broken state.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write> Shared<W> {
    fn push(&self, line: &[u8]) -> io::Result<()> {
        let mut waiting = locked(&self.waiting);
        let was_empty = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_full = waiting.len() >= MOST_WAITING;
        drop(waiting);
        if is_full {
            return self.write_out();
        }
        if was_empty {
            self.something_waits.notify_one();
        }
        Ok(())
    }

    fn write_out(&self) -> io::Result<()> {
        let mut sink = locked(&self.sink);
        let (sink, batch) = &mut *sink;
        std::mem::swap(batch, &mut *locked(&self.waiting));
        let written = sink.write_all(batch).and_then(|()| sink.flush());
        batch.clear();
        written
    }

    /// Returns once something waits.
    fn wait(&self) {
        let waiting = locked(&self.waiting);
        let waited = self
            .something_waits
            .wait_while(waiting, |lines| lines.is_empty());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Writes what waits when it is dropped: held by `main` until the program ends.
#[must_use = "lines that still wait are written when this is dropped"]
pub struct LineBuffer<W: Write + Send + 'static>(Arc<Shared<W>>);

impl<W: Write + Send + 'static> LineBuffer<W> {
    /// Starts the thread that writes to `sink`, and that lives as long as the program.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(sink: W) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            something_waits: Condvar::new(),
            sink: Mutex::new((sink, Vec::new())),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    of_thread.wait();
                    thread::sleep(GATHERED_FOR);
                    // Nobody is left who could be told that the log can't be written.
                    let _ = of_thread.write_out();
                }
            })?;
        Ok(Self(shared))
    }

    /// What a subscriber writes its lines to.
    pub fn writer(&self) -> LineWriter<W> {
        LineWriter(Arc::clone(&self.0))
    }
}

impl<W: Write + Send + 'static> Drop for LineBuffer<W> {
    fn drop(&mut self) {
        let _ = self.0.write_out();
    }
}

/// Takes lines for a [`LineBuffer`].
pub struct LineWriter<W>(Arc<Shared<W>>);

impl<'a, W: Write + Send + 'static> MakeWriter<'a> for LineWriter<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            shared: &self.0,
            is_urgent: true,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Line {
            shared: &self.0,
            is_urgent: *event.level() <= Level::WARN,
        }
    }
}

/// Where one event's line goes; the subscriber hands it over in one piece.
pub struct Line<'a, W> {
    shared: &'a Shared<W>,
    is_urgent: bool,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.push(line)?;
        if self.is_urgent {
            self.shared.write_out()?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.write_out()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What a sink was given, a write at a time.
    struct Written(mpsc::Sender<String>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // Who listens no more was told what it wanted to know.
            let _ = self.0.send(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const SOON: Duration = Duration::from_secs(10);

    fn buffer() -> (LineBuffer<Written>, mpsc::Receiver<String>) {
        let (sender, written) = mpsc::channel();
        (LineBuffer::start(Written(sender)).unwrap(), written)
    }

    fn log(buffer: &LineBuffer<Written>, is_urgent: bool, line: &str) {
        let mut writer = Line {
            shared: &buffer.0,
            is_urgent,
        };
        writer.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn a_line_is_written_soon_also_if_no_other_follows() {
        let (buffer, written) = buffer();
        log(&buffer, false, "the only one\n");
        assert_eq!(written.recv_timeout(SOON).unwrap(), "the only one\n");
        log(&buffer, false, "and one later\n");
        assert_eq!(written.recv_timeout(SOON).unwrap(), "and one later\n");
    }

    #[test]
    fn a_warning_is_written_before_the_program_goes_on_with_all_that_came_before_it() {
        let (buffer, written) = buffer();
        log(&buffer, false, "first\n");
        log(&buffer, true, "warning\n");
        let so_far: String = written.try_iter().collect();
        assert_eq!(so_far, "first\nwarning\n");
    }

    #[test]
    fn what_still_waits_is_written_when_the_program_ends() {
        let (buffer, written) = buffer();
        log(&buffer, false, "last words\n");
        drop(buffer);
        let so_far: String = written.try_iter().collect();
        assert_eq!(so_far, "last words\n");
    }

    #[test]
    fn lines_of_many_threads_leave_whole_in_each_ones_order_and_few_writes_carry_them() {
        const THREADS: usize = 8;
        const LINES: usize = 2_000;
        let (buffer, written) = buffer();
        thread::scope(|scope| {
            for who in 0..THREADS {
                let buffer = &buffer;
                scope.spawn(move || {
                    for n in 0..LINES {
                        log(buffer, false, &format!("{who} {n}\n"));
                    }
                });
            }
        });
        drop(buffer);
        let writes: Vec<String> = written.try_iter().collect();
        let text = writes.concat();
        let mut next = [0; THREADS];
        for line in text.lines() {
            let (who, n) = line.split_once(' ').unwrap();
            let who: usize = who.parse().unwrap();
            assert_eq!(n.parse::<usize>().unwrap(), next[who], "of thread {who}");
            next[who] += 1;
        }
        assert_eq!(next, [LINES; THREADS]);
        assert!(
            writes.len() < THREADS * LINES / 10,
            "{} writes",
            writes.len()
        );
    }

    #[test]
    fn no_more_than_its_bound_waits() {
        let (buffer, written) = buffer();
        let line = "x".repeat(MOST_WAITING / 4);
        for _ in 0..16 {
            log(&buffer, false, &line);
            assert!(locked(&buffer.0.waiting).len() < MOST_WAITING);
        }
        drop(buffer);
        assert_eq!(
            written.try_iter().map(|w| w.len()).sum::<usize>(),
            4 * MOST_WAITING
        );
    }
}
