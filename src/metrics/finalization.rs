//! Whether files become available: how long after their bytes were there, by what way, and as what.
//!
//! Invariant: each settlement counts once, where its conditional write was made.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Buckets, Counters, Histograms, Metrics};

/// With the bounds of both objectives, 10 s and 5 min, in seconds.
const LAG_BOUNDS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];
/// From a text to 20 MiB over a slow line, in seconds.
const UPLOAD_BOUNDS: &[f64] = &[
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Who brought it about that a file was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The store's event notification.
    Notification,
    /// A client that said that it is done.
    Hint,
    /// The reconciler: the notification was lost, is late, or what it led to was broken off.
    Reconciler,
}

impl Via {
    const ALL: [Self; 3] = [Self::Notification, Self::Hint, Self::Reconciler];

    fn label(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Hint => "hint",
            Self::Reconciler => "reconciler",
        }
    }
}

/// What a file was settled as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledAs {
    /// Its bytes are there, and what was declared.
    Available,
    /// Its bytes came, and are something else.
    Rejected,
}

impl SettledAs {
    const ALL: [Self; 2] = [Self::Available, Self::Rejected];

    fn label(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Rejected => "rejected",
        }
    }
}

/// A file that had bytes was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// By what way.
    pub via: Via,
    /// As what.
    pub as_what: SettledAs,
    /// How long after the store had the bytes.
    pub lag: Duration,
    /// How long after its record the store had the bytes.
    pub upload: Duration,
}

pub(super) struct Finalization {
    lag: [Histogram; Via::ALL.len()],
    settled: [[Counter; SettledAs::ALL.len()]; Via::ALL.len()],
    expired: Counter,
    upload: Histogram,
}

impl Finalization {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let lag = Histograms::<1>::new_with_constructor(Buckets(LAG_BOUNDS));
        let settled = Counters::<2>::default();
        let upload = Histogram::new(UPLOAD_BOUNDS.iter().copied());
        registry.register(
            "file_share_finalization_lag_seconds",
            "How long after the store had its bytes a file was settled; S3 tells whole seconds",
            lag.clone(),
        );
        registry.register(
            "file_share_settled",
            "Files that left pending, by what brought it about and as what",
            settled.clone(),
        );
        registry.register(
            "file_share_upload_duration_seconds",
            "How long after its record the store had a file's bytes: the client's upload",
            upload.clone(),
        );
        let counter = |via: Via, outcome| {
            settled.get_or_create_owned(&[("via", via.label()), ("outcome", outcome)])
        };
        Self {
            lag: Via::ALL.map(|via| lag.get_or_create_owned(&[("via", via.label())])),
            settled: Via::ALL
                .map(|via| SettledAs::ALL.map(|as_what| counter(via, as_what.label()))),
            expired: counter(Via::Reconciler, "expired"),
            upload,
        }
    }
}

impl Metrics {
    /// A file that had bytes was settled.
    pub fn settled(&self, settlement: Settlement) {
        if let Some(instruments) = &self.0 {
            let Settlement {
                via,
                as_what,
                lag,
                upload,
            } = settlement;
            let of = &instruments.finalization;
            of.settled[via as usize][as_what as usize].inc();
            of.lag[via as usize].observe(lag.as_secs_f64());
            of.upload.observe(upload.as_secs_f64());
        }
    }

    /// The reconciler found that nothing came for a file.
    pub fn expired(&self) {
        if let Some(instruments) = &self.0 {
            instruments.finalization.expired.inc();
        }
    }
}
