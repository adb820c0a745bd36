//! What is counted and measured, for whoever watches the service: whether files become available, since when not.
//!
//! Instruments are made once, at the start, with every label that they can have; whoever counts has the handle. So a
//! count is an atomic operation, and an observation a lock that nobody holds for longer than an addition.
//!
//! Invariant: no label has a value that comes from outside, so the number of series is bounded by this code: no ID, URL,
//! name, address or secret. Where metrics are off nothing is made, counted or measured. `tests/metrics.txt` is the
//! reviewed list of all names, types, labels and helps.
//!
//! Absent on purpose: ports, operations and HTTP, whose modules call this one; and how the exposition is served, which
//! is `metrics_endpoint`'s.

mod aws_calls;
mod finalization;
mod http;
mod queue;
mod stores;
mod upkeep;
mod watched;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use aws_calls::AwsCall;
pub use finalization::{SettledAs, Settlement, Via};
pub use http::{HttpMetrics, InFlight, Refused};
pub use queue::DeliveryEnd;
pub(crate) use stores::named_calls;
pub use stores::{CallError, StoreCalls, StoreKind};
pub use upkeep::{ReconcilerPass, ScanEnd, SweepPass, WebhookTry};
pub use watched::{ScannerSeen, Watched};

use aws_calls::AwsInstruments;
use finalization::Finalization;
use http::HttpInstruments;
use queue::QueueInstruments;
use stores::StoreInstruments;
use upkeep::Upkeep;
use watched::WatchedGauges;

/// What the exposition is: the text format of Prometheus.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A label set whose values are words of this program's.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, Buckets>;

/// Upper bounds of a histogram, in seconds.
#[derive(Clone, Copy)]
struct Buckets(&'static [f64]);

impl prometheus_client::metrics::family::MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Which program counts, since each has instruments for what it does alone: a gauge of something that a program never
/// does would look as if it stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The service in local mode, which does everything.
    Local,
    /// The API in aws mode.
    Api,
    /// The worker.
    Worker,
}

impl Role {
    fn program(self) -> &'static str {
        match self {
            Self::Local | Self::Api => "file-share",
            Self::Worker => "file-share-worker",
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Api | Self::Worker => "aws",
        }
    }

    fn serves(self) -> bool {
        self != Self::Worker
    }

    /// Whether it reconciles, sweeps, scans and tells.
    fn looks_after_files(self) -> bool {
        self != Self::Api
    }
}

/// What a program is set to do beside its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watches {
    /// Which program it is.
    pub role: Role,
    /// Whether it looks for orphans.
    pub sweeps: bool,
    /// What says of files whether they have a virus.
    pub scanner: ScannedWith,
}

/// What scans files for viruses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScannedWith {
    /// Nothing.
    Nothing,
    /// A clamd, which the program asks.
    Clamd,
    /// GuardDuty, which takes minutes for a file.
    GuardDuty,
}

impl ScannedWith {
    fn label(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Clamd => "clamd",
            Self::GuardDuty => "guardduty",
        }
    }
}

/// The instruments of a program, or nothing where metrics are off. Clone by clone the same.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Instruments>>);

struct Instruments {
    registry: Registry,
    aws: AwsInstruments,
    http: HttpInstruments,
    stores: StoreInstruments,
    finalization: Finalization,
    queue: QueueInstruments,
    upkeep: Upkeep,
    /// Of traces: those that were sent, and those that were lost.
    spans: [Counter; 2],
    watched: WatchedGauges,
    /// What is looked at when somebody scrapes.
    watches: Mutex<Vec<Box<dyn Fn() -> Watched + Send + Sync>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() {
            "Metrics(on)"
        } else {
            "Metrics(off)"
        })
    }
}

impl Metrics {
    /// Nothing is counted.
    pub fn off() -> Self {
        Self::default()
    }

    /// What a program that does this counts, from nothing on.
    pub fn on(watches: Watches) -> Self {
        let mut registry = Registry::default();
        let role = watches.role;
        let build: Labels<4> = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("program", role.program()),
            ("mode", role.mode()),
            ("scanner", watches.scanner.label()),
        ];
        let info = Family::<Labels<4>, Gauge>::default();
        info.get_or_create(&build).set(1);
        registry.register(
            "file_share_build_info",
            "Which program this is, of which version; always 1",
            info,
        );
        let started = now_in_seconds();
        let start = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        start.set(started);
        registry.register(
            "process_start_time_seconds",
            "When the program was started, in seconds since 1970",
            start,
        );
        let spans = Counters::<1>::default();
        let spans_of = |outcome| spans.get_or_create_owned(&[("outcome", outcome)]);
        let of_traces = ["sent", "lost"].map(spans_of);
        registry.register(
            "file_share_trace_spans",
            "Spans of traces, by whether the collector took them; 0 where traces are off",
            spans,
        );
        let instruments = Instruments {
            spans: of_traces,
            aws: AwsInstruments::registered((role != Role::Local).then_some(&mut registry)),
            http: HttpInstruments::registered(role.serves().then_some(&mut registry)),
            stores: StoreInstruments::registered(&mut registry),
            finalization: Finalization::registered(&mut registry),
            queue: QueueInstruments::registered(
                (role == Role::Worker).then_some(&mut registry),
                started,
            ),
            upkeep: Upkeep::registered(
                role.looks_after_files().then_some(&mut registry),
                &watches,
                started,
            ),
            watched: WatchedGauges::registered(&mut registry, &watches),
            watches: Mutex::default(),
            registry,
        };
        Self(Some(Arc::new(instruments)))
    }

    /// Whether anything is counted.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Has something looked at whenever somebody scrapes.
    pub fn watch(&self, look: impl Fn() -> Watched + Send + Sync + 'static) {
        if let Some(instruments) = &self.0 {
            let watches = instruments.watches.lock();
            let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
            watches.push(Box::new(look));
        }
    }

    /// All that was counted so far, as [`CONTENT_TYPE`]; nothing where metrics are off. It may look at the disk.
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        let Some(instruments) = &self.0 else {
            return text;
        };
        {
            let watches = instruments.watches.lock();
            let watches = watches.unwrap_or_else(PoisonError::into_inner);
            for look in watches.iter() {
                instruments.watched.set(look());
            }
        }
        // Writing to a text doesn't fail.
        let _ = prometheus_text::encode(&mut text, &instruments.registry);
        text
    }
}

/// The process's own time, as gauges have it.
fn now_in_seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
