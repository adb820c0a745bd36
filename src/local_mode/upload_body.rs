//! The body of a request: received with time limits, and drained when it isn't wanted.
//!
//! Invariant: no client holds an upload open for longer than [`RECEIVE_LIMIT`], or makes us wait for
//! longer than [`BATCH_LIMIT`] for the next [`BATCH_BYTES`]. A fixed limit on the whole would cut off an
//! honest phone on a bad line, and a limit on pauses alone would let a byte a second hold a connection
//! for months.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use poem::Body;
use tokio::time::{Instant, timeout_at};

use crate::domain::MAX_CONTENT_LENGTH;
use crate::object_store::disk::BodyError;

/// How long we wait for [`BATCH_BYTES`] to come. So a pause may last as long: a phone that changes its
/// cell, or TCP after four losses in a row (1, 2, 4 and 8 s), goes on in time.
pub(super) const BATCH_LIMIT: Duration = Duration::from_secs(25);
/// Together an average of 1.3 kbit/s, which GPRS has many times over.
const BATCH_BYTES: u64 = 4 * 1024;
/// The longest time for a whole body: 20 MiB at 200 kbit/s. Below the grace that an upload has by
/// default once its URL ran out, so that what began in time doesn't end as a late arrival.
pub(super) const RECEIVE_LIMIT: Duration = Duration::from_secs(14 * 60);
/// How much of a body is read that was refused, in bytes, and for how long.
const DRAIN_BYTES: u64 = MAX_CONTENT_LENGTH;
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct UploadBody {
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
    deadline: Instant,
    /// What has come of the batch, in bytes, and how long we waited for it.
    batch: u64,
    waited: Duration,
    begun: bool,
    failed: bool,
}

impl UploadBody {
    pub(super) fn new(body: Body) -> Self {
        Self {
            chunks: body.into_bytes_stream().boxed(),
            deadline: Instant::now() + RECEIVE_LIMIT,
            batch: 0,
            waited: Duration::ZERO,
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
        // Only the time that we wait counts, not the time that our disk takes.
        let asked = Instant::now();
        let until = self.deadline.min(asked + (BATCH_LIMIT - self.waited));
        let chunk = match timeout_at(until, self.chunks.next()).await {
            Ok(chunk) => chunk?.map_err(|_| BodyError::BrokenOff),
            Err(_) => Err(BodyError::TooSlow),
        };
        self.waited = (self.waited + asked.elapsed()).min(BATCH_LIMIT);
        self.batch += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.batch >= BATCH_BYTES {
            self.batch = 0;
            self.waited = Duration::ZERO;
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
        assert_eq!(started.elapsed(), BATCH_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_a_byte_a_second_is_too_slow() {
        let mut body = upload(dribble(1, Duration::from_secs(1)));
        assert_eq!(time_until_too_slow(&mut body).await, BATCH_LIMIT);
        assert!(body.has_failed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_phone_with_pauses_gets_through() {
        // 3 kB every 12 s: 2 kbit/s.
        let mut body = upload(dribble(3_000, BATCH_LIMIT / 2).take(40));
        let received: Vec<_> = body.chunks().collect().await;
        assert_eq!(received.len(), 40);
        assert!(received.iter().all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_allowed_client_is_cut_off_in_the_end() {
        let mut body = upload(dribble(4_096, BATCH_LIMIT - Duration::from_secs(1)));
        assert_eq!(time_until_too_slow(&mut body).await, RECEIVE_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_the_disk_takes_is_not_the_clients() {
        let mut body = upload(stream::repeat_with(|| Ok(Bytes::from_static(b"a"))).take(20));
        let mut chunks = std::pin::pin!(body.chunks());
        while let Some(chunk) = chunks.next().await {
            chunk.unwrap();
            tokio::time::sleep(BATCH_LIMIT / 10).await;
        }
    }

    fn dribble(bytes: usize, pause: Duration) -> impl Stream<Item = Chunk> + Send + 'static {
        stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Bytes::from(vec![b'a'; bytes])), ()))
        })
    }

    async fn time_until_too_slow(body: &mut UploadBody) -> Duration {
        let started = Instant::now();
        let mut chunks = std::pin::pin!(body.chunks());
        loop {
            match chunks.next().await {
                Some(Ok(_)) => {}
                ended => {
                    assert_eq!(ended, Some(Err(BodyError::TooSlow)));
                    return started.elapsed();
                }
            }
        }
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
        upload(dribble(1_000, Duration::from_secs(1))).drain().await;
        assert_eq!(started.elapsed(), DRAIN_LIMIT);
    }
}
