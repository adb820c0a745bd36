//! A body that is given a chunk at a time, and no further than its reader may go.
//!
//! Invariant: who reads from it holds at most one chunk that wasn't used, and no more than the budget.
//!
//! Absent on purpose: a pace in bytes a second. That is held where the body comes from.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use crate::object_store::disk::BodyError;

/// How many bytes may still come before something has to be decided.
#[derive(Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    pub(super) fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum BudgetError {
    #[error(transparent)]
    Body(BodyError),
    #[error("more came than there is room for")]
    TooMuch,
}

/// Chunks one at a time: after each, a poll finds nothing more, so that a reader that takes all it can get
/// (as `multer` does) uses what it has before it gets more. That bounds what it holds.
pub(super) struct BudgetedStream<S> {
    chunks: Pin<Box<S>>,
    budget: Budget,
    gave_one: bool,
}

impl<S: Stream<Item = Result<Bytes, BodyError>>> BudgetedStream<S> {
    pub(super) fn new(chunks: S, budget: Budget) -> Self {
        Self {
            chunks: Box::pin(chunks),
            budget,
            gave_one: false,
        }
    }
}

impl<S: Stream<Item = Result<Bytes, BodyError>>> Stream for BudgetedStream<S> {
    type Item = Result<Bytes, BudgetError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.gave_one) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let left = self.budget.left();
        if left == 0 {
            return Poll::Ready(Some(Err(BudgetError::TooMuch)));
        }
        let next = std::task::ready!(self.chunks.as_mut().poll_next(context));
        if let Some(Ok(chunk)) = &next {
            self.budget.set(left.saturating_sub(chunk.len()));
        }
        self.gave_one = true;
        Poll::Ready(next.map(|chunk| chunk.map_err(BudgetError::Body)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_takes_all_it_can_get_gets_one_chunk_at_a_time() {
        let chunks = stream::repeat_with(|| Ok(Bytes::from_static(b"0123456789"))).take(3);
        let mut budgeted = BudgetedStream::new(chunks, Budget::new(usize::MAX));
        for _ in 0..3 {
            assert!(budgeted.next().now_or_never().is_some());
            assert!(budgeted.next().now_or_never().is_none());
        }
        assert!(budgeted.next().await.is_none());
    }
}
