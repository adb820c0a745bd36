//! Calls of the port, measured and traced.
//!
//! Invariant: a call is the store's own in everything; where metrics and traces are off there is nothing around it.
//!
//! Absent on purpose: how long the bytes of a read take to come, which is its reader's pace as well.

use std::sync::Arc;

use super::intercepted::{Call, Intercepted, Interceptor};
use super::{ObjectStore, StoreError};
use crate::metrics::{Metrics, StoreCalls, StoreKind};
use crate::traces;

/// Measures each call, where anything is counted.
struct Measured(Option<StoreCalls>);

impl Interceptor for Measured {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let name = ["objects", call.name()];
        let measured = async {
            match &self.0 {
                Some(calls) => calls.measure(call.name(), made, StoreError::fault).await,
                None => made.await,
            }
        };
        traces::step(name, measured, |error| StoreError::fault(error).is_some()).await
    }
}

/// The store, whose calls are measured and traced if anything is.
pub fn measured(store: Arc<dyn ObjectStore>, metrics: &Metrics) -> Arc<dyn ObjectStore> {
    match StoreCalls::of(metrics, StoreKind::Objects, Call::NAMES) {
        None if !traces::are_on() => store,
        calls => Arc::new(Intercepted {
            store,
            interceptor: Measured(calls),
        }),
    }
}
