//! Calls of the port, measured.
//!
//! Invariant: a call is the store's own in everything; where metrics are off there is nothing around it.
//!
//! Absent on purpose: how long the bytes of a read take to come, which is its reader's pace as well.

use std::sync::Arc;
use std::time::Instant;

use super::intercepted::{Call, Intercepted, Interceptor};
use super::{ObjectStore, StoreError};
use crate::metrics::{Metrics, StoreCalls, StoreKind};

/// The port's methods, by the names that [`Call::name`] has for them.
const OPERATIONS: [&str; 12] = [
    "head",
    "read",
    "read_range",
    "tag",
    "make_durable",
    "keeps_what_it_has",
    "delete_all_versions",
    "quarantine",
    "end_quarantine",
    "delete_other_versions",
    "list",
    "check",
];

/// Measures each call.
struct Measured(StoreCalls);

impl Interceptor for Measured {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = made.await;
        let error = answer.as_ref().err().and_then(StoreError::fault);
        self.0.ended(call.name(), began.elapsed(), error);
        answer
    }
}

/// The store, whose calls are measured if anything is.
pub fn measured(store: Arc<dyn ObjectStore>, metrics: &Metrics) -> Arc<dyn ObjectStore> {
    match StoreCalls::of(metrics, StoreKind::Objects, &OPERATIONS) {
        None => store,
        Some(calls) => Arc::new(Intercepted {
            store,
            interceptor: Measured(calls),
        }),
    }
}
