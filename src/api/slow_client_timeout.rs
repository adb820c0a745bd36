//! A connection whose client reads what it is sent, or loses it.
//!
//! Invariant: a connection waits no longer than [`STALL_LIMIT`] for its client to read on, and in all
//! no longer than what was written takes at [`MIN_BYTES_A_SECOND`], with one stall on top. So the
//! largest answer there is (20 MiB) holds a connection for less than three hours, whatever a client
//! does.
//!
//! Absent on purpose: the same for reading. How long a header or a body may take depends on what it is,
//! and is decided where it is read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The longest that nothing can be written. The kernel reports room again when a third of its buffer is
/// free, which may hold megabytes on a fast way: a slow reader needs its time for that.
pub(super) const STALL_LIMIT: Duration = Duration::from_secs(60);

/// An average that any phone manages: 16 kbit/s.
pub(super) const MIN_BYTES_A_SECOND: u64 = 2_000;

/// Between hyper and the socket.
pub(super) struct SlowClientTimeout<S> {
    inner: S,
    /// While nothing can be written: since when, and until when.
    stalled: Option<(Instant, Pin<Box<Sleep>>)>,
    /// How long nothing could be written, in all stalls that are over.
    waited: Duration,
    /// In bytes.
    written: u64,
}

impl<S> SlowClientTimeout<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            stalled: None,
            waited: Duration::ZERO,
            written: 0,
        }
    }

    /// What is left of the client's time.
    fn patience(&self) -> Duration {
        let earned = Duration::from_millis(self.written.saturating_mul(1000) / MIN_BYTES_A_SECOND);
        (earned + STALL_LIMIT)
            .saturating_sub(self.waited)
            .min(STALL_LIMIT)
    }

    /// The outcome of a write, or the end of patience.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = outcome {
            if let Some((since, _)) = self.stalled.take() {
                self.waited += since.elapsed();
            }
            self.written += *result.as_ref().unwrap_or(&0) as u64;
            return Poll::Ready(result);
        }
        let patience = self.patience();
        let (_, end) = self
            .stalled
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(patience))));
        match end.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client doesn't read its answer",
            ))),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SlowClientTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SlowClientTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.judge(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const BUFFER: usize = 1_000;

    fn pair() -> (SlowClientTimeout<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(BUFFER);
        (SlowClientTimeout::new(ours), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_its_connection() {
        let (mut ours, _theirs) = pair();
        let started = Instant::now();
        let error = ours.write_all(&[0; 2 * BUFFER]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), STALL_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_reads_on_gets_its_answer() {
        let (mut ours, mut theirs) = pair();
        let length = 100 * BUFFER;
        let reading = async {
            let mut received = 0;
            let mut buffer = [0; BUFFER];
            while received < length {
                // Above the average that is asked for, and with pauses.
                tokio::time::sleep(Duration::from_millis(400)).await;
                received += theirs.read(&mut buffer).await.unwrap();
            }
        };
        let answer = vec![0; length];
        let (written, ()) = tokio::join!(ours.write_all(&answer), reading);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_little_now_and_then_loses_its_connection_too() {
        let (mut ours, mut theirs) = pair();
        tokio::spawn(async move {
            let mut buffer = [0; BUFFER / 10];
            loop {
                tokio::time::sleep(STALL_LIMIT / 2).await;
                let _ = theirs.read_exact(&mut buffer).await;
            }
        });
        let started = Instant::now();
        let error = ours.write_all(&[0; 100 * BUFFER]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            started.elapsed() < 2 * STALL_LIMIT,
            "{:?}",
            started.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_has_to_be_written_does_not_count() {
        let (mut ours, mut theirs) = pair();
        for _ in 0..10 {
            ours.write_all(&[0; BUFFER]).await.unwrap();
            theirs.read_exact(&mut [0; BUFFER]).await.unwrap();
            tokio::time::sleep(10 * STALL_LIMIT).await;
        }
    }
}
