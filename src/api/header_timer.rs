//! How long a connection may be idle, and how long a request's header may take once it has begun.
//!
//! Load balancers keep their connections to us open between requests, and use one again that we have
//! just closed if we wait for less time than they do, which their clients see as a 502. So we wait for
//! longer. A header that has begun has its own, shorter time, and so has the first one of a connection:
//! nobody opens a connection that has nothing to say.
//!
//! Invariant: hyper has one time-out for both, and it is never longer than [`IDLE_TIMEOUT`]; while
//! connections are scarce an idle one is kept no longer than a header may take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use hyper::rt::{Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep as TokioSleep, sleep_until};

/// The time for a request's header to be complete, from its first byte on; and for the first one of a
/// connection to come.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is kept between two requests. Load balancers (AWS's, Google's, nginx's pool)
/// wait for 60 s, and have to be the first to give up.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// What the timer and the stream of one connection tell each other.
#[derive(Debug, Default)]
struct Shared {
    /// Whether any byte came since the connection was idle.
    has_read: AtomicBool,
    /// Whether a header was awaited before.
    has_waited: AtomicBool,
}

/// For [`hyper::server::conn::http1::Builder::timer`], where the only time-out is that for a header.
pub(super) struct HeaderTimer<F> {
    shared: Arc<Shared>,
    is_crowded: F,
}

/// The connection's stream, which notices when bytes come.
pub(super) struct NoticedStream<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// Both for one connection. `is_crowded` says whether others need its place.
pub(super) fn header_timer<S, F>(stream: S, is_crowded: F) -> (NoticedStream<S>, HeaderTimer<F>)
where
    F: Fn() -> bool + Send + Sync + 'static,
{
    let shared = Arc::new(Shared::default());
    let stream = NoticedStream {
        inner: stream,
        shared: Arc::clone(&shared),
    };
    (stream, HeaderTimer { shared, is_crowded })
}

impl<F: Fn() -> bool + Send + Sync + 'static> Timer for HeaderTimer<F> {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// Called when a header is awaited.
    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn Sleep>> {
        let has_waited = self.shared.has_waited.swap(true, Ordering::Relaxed);
        self.shared.has_read.store(false, Ordering::Relaxed);
        let deadline = match has_waited && !(self.is_crowded)() {
            true => Instant::from_std(deadline),
            false => Instant::from_std(deadline).min(Instant::now() + HEADER_TIMEOUT),
        };
        Box::pin(HeaderSleep {
            shared: Arc::clone(&self.shared),
            has_begun: false,
            sleep: Box::pin(sleep_until(deadline)),
        })
    }

    fn now(&self) -> StdInstant {
        Instant::now().into_std()
    }
}

/// Until the header is late.
struct HeaderSleep {
    shared: Arc<Shared>,
    /// Whether the header's own time is running.
    has_begun: bool,
    sleep: Pin<Box<TokioSleep>>,
}

impl Sleep for HeaderSleep {}

impl Future for HeaderSleep {
    type Output = ();

    /// hyper asks whenever it has read something and the header isn't complete.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.has_begun && self.shared.has_read.load(Ordering::Relaxed) {
            self.has_begun = true;
            let deadline = self.sleep.deadline().min(Instant::now() + HEADER_TIMEOUT);
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NoticedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.shared.has_read.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NoticedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
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
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const SECOND: Duration = Duration::from_secs(1);

    /// The client's end of a connection that is served.
    fn connection(is_crowded: bool) -> DuplexStream {
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(async move {
            let (stream, timer) = header_timer(ours, move || is_crowded);
            let service = service_fn(async |_| {
                Ok::<_, std::convert::Infallible>(hyper::Response::new(String::new()))
            });
            let served = http1::Builder::new()
                .timer(timer)
                .header_read_timeout(IDLE_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let _ = served.await;
        });
        theirs
    }

    async fn ask(stream: &mut DuplexStream) {
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 1024];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    }

    /// How long it takes until the connection is closed.
    async fn time_until_closed(stream: &mut DuplexStream) -> Duration {
        let started = Instant::now();
        let mut rest = Vec::new();
        let closed = timeout(2 * IDLE_TIMEOUT, stream.read_to_end(&mut rest)).await;
        closed.expect("it is closed").unwrap();
        started.elapsed()
    }

    fn is_about(elapsed: Duration, expected: Duration) -> bool {
        (expected..expected + SECOND).contains(&elapsed)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_outlives_the_one_of_a_load_balancer() {
        let mut stream = connection(false);
        for _ in 0..3 {
            ask(&mut stream).await;
            sleep(Duration::from_secs(70)).await;
        }
        ask(&mut stream).await;
        let closed = time_until_closed(&mut stream).await;
        assert!(is_about(closed, IDLE_TIMEOUT), "{closed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_has_its_own_time_from_its_first_byte_on() {
        for has_asked in [false, true] {
            let mut stream = connection(false);
            if has_asked {
                ask(&mut stream).await;
                sleep(Duration::from_secs(40)).await;
            }
            stream.write_all(&REQUEST[..9]).await.unwrap();
            // More of it buys no more time.
            sleep(10 * SECOND).await;
            stream.write_all(&REQUEST[9..12]).await.unwrap();
            let closed = time_until_closed(&mut stream).await + 10 * SECOND;
            assert!(is_about(closed, HEADER_TIMEOUT), "{closed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_nothing_to_say_is_kept_no_longer_than_a_header() {
        let closed = time_until_closed(&mut connection(false)).await;
        assert!(is_about(closed, HEADER_TIMEOUT), "{closed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn while_permits_are_scarce_an_idle_connection_is_kept_no_longer_than_a_header() {
        let mut stream = connection(true);
        ask(&mut stream).await;
        let closed = time_until_closed(&mut stream).await;
        assert!(is_about(closed, HEADER_TIMEOUT), "{closed:?}");
    }
}
