//! Calls of the port, measured.
//!
//! Invariant: a call is the store's own in everything; where metrics are off there is nothing around it.

use std::sync::Arc;
use std::time::Instant;

use super::intercepted::{Call, Intercepted, Interceptor};
use super::{MetadataStore, StoreError};
use crate::metrics::{Metrics, StoreCalls, StoreKind};

/// The port's methods, by the names that [`Call::name`] has for them.
const OPERATIONS: [&str; 13] = [
    "insert",
    "insert_keyed",
    "earlier_request",
    "get",
    "page",
    "renew_upload",
    "transition",
    "delete",
    "due_records",
    "postpone_reconcile",
    "schedule_reconcile",
    "remove",
    "check",
];

/// Measures each call.
struct Measured(StoreCalls);

impl Interceptor for Measured {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
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
pub fn measured(store: Arc<dyn MetadataStore>, metrics: &Metrics) -> Arc<dyn MetadataStore> {
    match StoreCalls::of(metrics, StoreKind::Metadata, &OPERATIONS) {
        None => store,
        Some(calls) => Arc::new(Intercepted {
            store,
            interceptor: Measured(calls),
        }),
    }
}
