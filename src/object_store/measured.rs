//! Calls of the port, measured.
//!
//! Invariant: a call is the store's own in everything; where metrics are off there is nothing around it.
//!
//! Absent on purpose: how long the bytes of a read take to come, which is its reader's pace as well.

use std::sync::Arc;

use super::intercepted::{Call, Intercepted, Interceptor};
use super::{ObjectStore, StoreError};
use crate::metrics::{Metrics, StoreCalls, StoreKind};

/// Measures each call.
struct Measured(StoreCalls);

impl Interceptor for Measured {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.0.measure(call.name(), made, StoreError::fault).await
    }
}

/// The store, whose calls are measured if anything is.
pub fn measured(store: Arc<dyn ObjectStore>, metrics: &Metrics) -> Arc<dyn ObjectStore> {
    match StoreCalls::of(metrics, StoreKind::Objects, Call::NAMES) {
        None => store,
        Some(calls) => Arc::new(Intercepted {
            store,
            interceptor: Measured(calls),
        }),
    }
}
