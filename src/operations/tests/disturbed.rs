//! Stores that let others in between any two calls, and can break off at any of them.
//!
//! Invariant: what a call does in the store behind is whole or not at all; broken off is the caller.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::metadata_store::intercepted as metadata_calls;
use crate::object_store::intercepted as object_calls;

/// What happens at the calls, counted over both stores.
pub(super) struct Disturbance {
    calls: AtomicUsize,
    /// How many of them ask what is due.
    lists: AtomicUsize,
    /// How long each takes.
    takes: Duration,
    /// The number of the call that never answers; the store behind has done it, or not.
    breaks_off: Option<(usize, Done)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Before,
    After,
}

impl Disturbance {
    /// How many calls there were but for those that ask what is due.
    pub(super) fn without_lists(&self) -> usize {
        self.calls.load(SeqCst) - self.lists.load(SeqCst)
    }

    /// Others get a turn, and at the call that was named everything stands still.
    async fn disturb<T>(&self, call: impl Future<Output = T>) -> T {
        let number = self.calls.fetch_add(1, SeqCst);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        for _ in 0..fastrand::u8(..4) {
            tokio::task::yield_now().await;
        }
        match self.breaks_off {
            Some((at, Done::Before)) if at == number => std::future::pending().await,
            Some((at, Done::After)) if at == number => {
                call.await;
                std::future::pending().await
            }
            _ => call.await,
        }
    }
}

/// The fixture's stores, disturbed.
pub(super) fn disturbed(fixture: &OperationsFixture, breaks_off: Option<(usize, Done)>) -> Stores {
    with(fixture, breaks_off, Duration::ZERO).0
}

/// The fixture's stores, with a count of the calls.
pub(super) fn counted(fixture: &OperationsFixture) -> (Stores, Arc<Disturbance>) {
    with(fixture, None, Duration::ZERO)
}

/// The fixture's stores, where each call takes as long.
pub(super) fn slow(fixture: &OperationsFixture, takes: Duration) -> Stores {
    with(fixture, None, takes).0
}

fn with(
    fixture: &OperationsFixture,
    breaks_off: Option<(usize, Done)>,
    takes: Duration,
) -> (Stores, Arc<Disturbance>) {
    let disturbance = Arc::new(Disturbance {
        calls: AtomicUsize::new(0),
        lists: AtomicUsize::new(0),
        takes,
        breaks_off,
    });
    let stores = Stores {
        metadata: Arc::new(metadata_calls::Intercepted {
            store: fixture.metadata.clone(),
            interceptor: disturbance.clone(),
        }),
        objects: Arc::new(object_calls::Intercepted {
            store: fixture.objects.clone(),
            interceptor: disturbance.clone(),
        }),
        ..fixture.stores.clone()
    };
    (stores, disturbance)
}

/// Drives `work` until it is over or stands still; `false` if it stands still.
pub(super) async fn goes_to_its_end(work: impl Future) -> bool {
    // In paused time this passes when nothing else can go on.
    let limit = Duration::from_secs(3600);
    tokio::time::timeout(limit, work).await.is_ok()
}

impl metadata_calls::Interceptor for Arc<Disturbance> {
    async fn around<T: Send>(
        &self,
        call: metadata_calls::Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if matches!(call, metadata_calls::Call::DueRecords) {
            self.lists.fetch_add(1, SeqCst);
        }
        self.disturb(made).await
    }
}

impl object_calls::Interceptor for Arc<Disturbance> {
    async fn around<T: Send>(
        &self,
        _: object_calls::Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.disturb(made).await
    }
}
