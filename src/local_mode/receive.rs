//! The body of a request: received with time limits, and drained when it isn't wanted.
//!
//! Invariant: no client holds an upload open for longer than [`RECEIVE_LIMIT`], or for longer than
//! [`IDLE_LIMIT`] without sending anything.

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
/// How much of a body is read that was refused, in bytes, and for how long.
const DRAIN_BYTES: u64 = MAX_CONTENT_LENGTH;
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct UploadBody {
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
    deadline: Instant,
    begun: bool,
    failed: bool,
}

impl UploadBody {
    pub(super) fn new(body: Body) -> Self {
        Self {
            chunks: body.into_bytes_stream().boxed(),
            deadline: Instant::now() + RECEIVE_LIMIT,
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
        let chunk = match timeout_at(until, self.chunks.next()).await {
            Ok(chunk) => chunk?.map_err(|_| BodyError::BrokenOff),
            Err(_) => Err(BodyError::TooSlow),
        };
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
        assert_eq!(started.elapsed(), IDLE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_a_byte_now_and_then_is_too_slow_in_the_end() {
        let dribble = stream::unfold((), |()| async {
            tokio::time::sleep(IDLE_LIMIT / 2).await;
            Some((Ok(Bytes::from_static(b"a")), ()))
        });
        let mut body = upload(dribble);
        let started = Instant::now();
        let mut chunks = std::pin::pin!(body.chunks());
        while let Some(Ok(_)) = chunks.next().await {}
        assert_eq!(started.elapsed(), RECEIVE_LIMIT);
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
        let dribble = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"a")), ()))
        });
        upload(dribble).drain().await;
        assert_eq!(started.elapsed(), DRAIN_LIMIT);
    }
}
