//! The body of a request: received with time limits, and drained when it isn't wanted.
//!
//! Invariant: no client holds an upload open for longer than [`RECEIVE_LIMIT`], for longer than
//! [`IDLE_LIMIT`] without sending anything, or with fewer than [`PACE_BYTES`] in [`PACE_WINDOW`].

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use poem::Body;
use tokio::time::{Instant, timeout_at};

use crate::domain::MAX_CONTENT_LENGTH;
use crate::object_store::disk::BodyError;

/// The longest pause between two chunks.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// The longest time for a whole body: 20 MiB at 200 kbit/s. Below the grace that an upload has by
/// default once its URL ran out, so that what began in time doesn't end as a late arrival.
pub(super) const RECEIVE_LIMIT: Duration = Duration::from_secs(14 * 60);
/// What has to come in this time until the body's end, in bytes: 1 KiB a second, a fiftieth of a bad
/// mobile connection. Less is somebody who wants to hold the connection and not to send a file.
const PACE_WINDOW: Duration = Duration::from_secs(25);
const PACE_BYTES: u64 = 25 * 1024;
/// How much of a body is read that was refused, in bytes, and for how long.
const DRAIN_BYTES: u64 = MAX_CONTENT_LENGTH;
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct UploadBody {
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
    deadline: Instant,
    /// When the current [`PACE_WINDOW`] ends, and what came in it.
    window_ends: Instant,
    window_bytes: u64,
    begun: bool,
    failed: bool,
}

impl UploadBody {
    pub(super) fn new(body: Body) -> Self {
        Self {
            chunks: body.into_bytes_stream().boxed(),
            deadline: Instant::now() + RECEIVE_LIMIT,
            window_ends: Instant::now() + PACE_WINDOW,
            window_bytes: 0,
            begun: false,
            failed: false,
        }
    }

    /// Whether anything was read. A client that waits for `100 Continue` gets it with the first
    /// read, and sends nothing before that.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether it broke off or was too slow, so that nothing more is to be had.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn chunks(&mut self) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
        stream::unfold(self, |body| async {
            let chunk = body.next().await?;
            Some((chunk, body))
        })
    }

    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.begun = true;
        let until = self.deadline.min(Instant::now() + IDLE_LIMIT);
        let chunk = loop {
            match timeout_at(until.min(self.window_ends), self.chunks.next()).await {
                Ok(chunk) => break chunk?.map_err(|_| BodyError::BrokenOff),
                Err(_) if Instant::now() < until && self.window_bytes >= PACE_BYTES => {
                    self.window_ends = Instant::now() + PACE_WINDOW;
                    self.window_bytes = 0;
                }
                Err(_) => break Err(BodyError::TooSlow),
            }
        };
        if let Ok(bytes) = &chunk {
            self.window_bytes += bytes.len() as u64;
        }
        self.failed |= chunk.is_err();
        Some(chunk)
    }

    /// Reads what still comes and throws it away, within bounds. A connection that is closed while
    /// the client is still sending is reset, and then the client may never see the answer.
    pub(super) async fn drain(mut self) {
        self.deadline = self.deadline.min(Instant::now() + DRAIN_LIMIT);
        let mut drained = 0;
        while let Some(Ok(chunk)) = self.next().await {
            drained += chunk.len() as u64;
            if drained > DRAIN_BYTES {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chunk = std::io::Result<Bytes>;

    fn upload(chunks: impl Stream<Item = Chunk> + Send + 'static) -> UploadBody {
        UploadBody::new(Body::from_bytes_stream(chunks))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_sending_is_too_slow() {
        let first = stream::iter([Ok(Bytes::from_static(b"a"))]);
        let mut body = upload(first.chain(stream::pending()));
        let started = Instant::now();
        let received: Vec<_> = body.chunks().take(2).collect().await;
        assert_eq!(received[1], Err(BodyError::TooSlow));
        assert!(body.has_failed());
        assert!(started.elapsed() <= IDLE_LIMIT, "{:?}", started.elapsed());
    }

    /// So many bytes every second, for ever.
    fn dribble(bytes_a_second: u64) -> UploadBody {
        let chunk = Bytes::from(vec![0; usize::try_from(bytes_a_second).unwrap()]);
        upload(stream::unfold(chunk, |chunk| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(chunk.clone()), chunk))
        }))
    }

    async fn held_for(mut body: UploadBody) -> Duration {
        let started = Instant::now();
        let mut chunks = std::pin::pin!(body.chunks());
        while let Some(Ok(_)) = chunks.next().await {}
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_a_byte_a_second_is_too_slow_soon() {
        assert_eq!(held_for(dribble(1)).await, PACE_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_keeps_the_least_pace_is_too_slow_in_the_end() {
        let pace = 2 * PACE_BYTES / PACE_WINDOW.as_secs();
        assert_eq!(held_for(dribble(pace)).await, RECEIVE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_behind_later_is_too_slow_then() {
        let fast = stream::iter([Ok(Bytes::from(vec![0; 1 << 20]))]);
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"a")), ()))
        });
        assert_eq!(held_for(upload(fast.chain(trickle))).await, 2 * PACE_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn draining_ends_with_the_body_or_at_its_bound() {
        let started = Instant::now();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        upload(stream::repeat_with(move || Ok(megabyte.clone())))
            .drain()
            .await;
        upload(stream::empty()).drain().await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        dribble(2 * PACE_BYTES / PACE_WINDOW.as_secs())
            .drain()
            .await;
        assert_eq!(started.elapsed(), DRAIN_LIMIT);
    }
}
