//! How the stores do: how long their calls take, and which fail.
//!
//! Invariant: a call is known by the name of the port's method, and an error by its meaning.

use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Buckets, Counters, Histograms, Metrics};

/// From a look into SQLite to a store that times out, in seconds.
const BOUNDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Which store is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// That of the records.
    Metadata,
    /// That of the bytes.
    Objects,
}

impl StoreKind {
    fn label(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Objects => "objects",
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The store didn't answer, or refused.
    Unavailable,
    /// It is full.
    OutOfSpace,
    /// What was read can't have been written by this program.
    Corrupt,
}

impl CallError {
    const ALL: [Self; 3] = [Self::Unavailable, Self::OutOfSpace, Self::Corrupt];

    fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::OutOfSpace => "out_of_space",
            Self::Corrupt => "corrupt",
        }
    }
}

pub(super) struct StoreInstruments {
    durations: Histograms<2>,
    errors: Counters<3>,
}

impl StoreInstruments {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let durations = Histograms::<2>::new_with_constructor(Buckets(BOUNDS));
        let errors = Counters::<3>::default();
        registry.register(
            "file_share_store_call_duration_seconds",
            "How long calls of a store took, with the retries of its client, by store and operation",
            durations.clone(),
        );
        registry.register(
            "file_share_store_call_errors",
            "Calls of a store that failed, by store, operation and error",
            errors.clone(),
        );
        Self { durations, errors }
    }
}

/// The instruments of one store.
pub struct StoreCalls(Vec<Instrumented>);

struct Instrumented {
    operation: &'static str,
    duration: Histogram,
    errors: [Counter; CallError::ALL.len()],
}

impl StoreCalls {
    /// Of a store with these operations; `None` where metrics are off.
    pub fn of(metrics: &Metrics, store: StoreKind, operations: &[&'static str]) -> Option<Self> {
        let instruments = &metrics.0.as_ref()?.stores;
        let store = ("store", store.label());
        let instrumented = operations.iter().map(|&operation| Instrumented {
            operation,
            duration: instruments
                .durations
                .get_or_create_owned(&[store, ("operation", operation)]),
            errors: CallError::ALL.map(|error| {
                let labels = [store, ("operation", operation), ("error", error.label())];
                instruments.errors.get_or_create_owned(&labels)
            }),
        });
        Some(Self(instrumented.collect()))
    }

    /// Makes a call of this operation. `fault`: what an error says of the store, if anything.
    pub async fn measure<T, E>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>>,
        fault: impl Fn(&E) -> Option<CallError>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let answer = call.await;
        if let Some(of) = self.0.iter().find(|it| it.operation == operation) {
            of.duration.observe(began.elapsed().as_secs_f64());
            if let Some(error) = answer.as_ref().err().and_then(fault) {
                of.errors[error as usize].inc();
            }
        }
        answer
    }
}

/// The names of a port's calls: that of each, and all of them, which the compiler sees to.
macro_rules! named_calls {
    ($call:ty: $($pattern:pat => $name:literal,)+) => {
        impl $call {
            /// The port's methods.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The port's method.
            pub fn name(&self) -> &'static str {
                match self {
                    $($pattern => $name,)+
                }
            }
        }
    };
}
pub(crate) use named_calls;
