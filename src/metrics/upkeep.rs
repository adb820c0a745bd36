//! What a program does by itself: reconciling, sweeping, scanning, telling.
//!
//! Invariant: a time at which something last went well is at first the start of the program, so that what never went
//! well is as old as that.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Buckets, Counters, Histograms, Metrics, ScannedWith, Watches, now_in_seconds};

pub(super) type FloatGauge = Gauge<f64, AtomicU64>;

/// From a text to an archive of 20 MiB, in seconds.
const SCAN_BOUNDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A round of the reconciler that went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcilerPass {
    /// Records that it looked at.
    pub reviewed: usize,
    /// Those that failed, and stay due.
    pub failed: usize,
    /// Whether nothing is left that was due.
    pub is_complete: bool,
}

/// A sweep for orphans that went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepPass {
    /// Objects without a record.
    pub orphans: u64,
    /// Whether they were left where they are, since there are too many or they don't look like orphans.
    pub is_suspicious: bool,
}

/// What became of a try to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookTry {
    /// The receiver took it.
    Taken,
    /// It is sent again.
    NotTaken,
    /// It was sent often enough, and is forgotten.
    GivenUp,
}

impl WebhookTry {
    const ALL: [Self; 3] = [Self::Taken, Self::NotTaken, Self::GivenUp];

    fn label(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::NotTaken => "not_taken",
            Self::GivenUp => "given_up",
        }
    }
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Nothing was found.
    Clean,
    /// Something was.
    Infected,
    /// The scanner can't look into it.
    Unscannable,
    /// Nobody knows; it is tried again.
    Failed,
}

impl ScanEnd {
    const ALL: [Self; 4] = [Self::Clean, Self::Infected, Self::Unscannable, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Infected => "infected",
            Self::Unscannable => "unscannable",
            Self::Failed => "failed",
        }
    }
}

pub(super) struct Upkeep {
    reviewed: Counter,
    failed: Counter,
    reconciled: FloatGauge,
    swept: FloatGauge,
    orphans: Gauge,
    suspicious: Gauge,
    webhooks: [Counter; WebhookTry::ALL.len()],
    webhooks_due: Gauge,
    scans: [Histogram; ScanEnd::ALL.len()],
}

impl Upkeep {
    pub(super) fn registered(
        registry: Option<&mut Registry>,
        watches: &Watches,
        started: f64,
    ) -> Self {
        let webhooks = Counters::<1>::default();
        let scans = Histograms::<1>::new_with_constructor(Buckets(SCAN_BOUNDS));
        let upkeep = Self {
            reviewed: Counter::default(),
            failed: Counter::default(),
            reconciled: FloatGauge::default(),
            swept: FloatGauge::default(),
            orphans: Gauge::default(),
            suspicious: Gauge::default(),
            webhooks: WebhookTry::ALL
                .map(|it| webhooks.get_or_create_owned(&[("outcome", it.label())])),
            webhooks_due: Gauge::default(),
            scans: ScanEnd::ALL.map(|end| scans.get_or_create_owned(&[("verdict", end.label())])),
        };
        upkeep.reconciled.set(started);
        upkeep.swept.set(started);
        let Some(registry) = registry else {
            return upkeep;
        };
        registry.register(
            "file_share_reconciler_due_records",
            "Due records that the reconciler looked at",
            upkeep.reviewed.clone(),
        );
        registry.register(
            "file_share_reconciler_failed_records",
            "Due records of which a look failed; they stay due",
            upkeep.failed.clone(),
        );
        registry.register(
            "file_share_reconciler_last_pass_timestamp_seconds",
            "When the reconciler last had gone through all that was due; at first the start of the program",
            upkeep.reconciled.clone(),
        );
        registry.register(
            "file_share_webhook_tries",
            "Tries to tell the webhook's receiver, by what became of them",
            webhooks,
        );
        registry.register(
            "file_share_webhooks_due",
            "Webhooks that were due at the last look, which sees 32 at the most",
            upkeep.webhooks_due.clone(),
        );
        if watches.sweeps {
            registry.register(
                "file_share_sweep_last_pass_timestamp_seconds",
                "When a sweep for orphans last had gone through all objects; at first the start of the program",
                upkeep.swept.clone(),
            );
            registry.register(
                "file_share_sweep_orphans",
                "Objects without a record that the last sweep found",
                upkeep.orphans.clone(),
            );
            registry.register(
                "file_share_sweep_suspicious",
                "1 if the last sweep left them where they are, since something is wrong",
                upkeep.suspicious.clone(),
            );
        }
        if watches.scanner == ScannedWith::Clamd {
            registry.register(
                "file_share_scan_duration_seconds",
                "How long scans for viruses took, by what was found",
                scans,
            );
        }
        upkeep
    }
}

impl Metrics {
    /// The reconciler went through a round.
    pub fn reconciled(&self, pass: ReconcilerPass) {
        if let Some(instruments) = &self.0 {
            let of = &instruments.upkeep;
            of.reviewed.inc_by(pass.reviewed as u64);
            of.failed.inc_by(pass.failed as u64);
            if pass.is_complete && pass.failed == 0 {
                of.reconciled.set(now_in_seconds());
            }
        }
    }

    /// A sweep went through all objects.
    pub fn swept(&self, pass: SweepPass) {
        if let Some(instruments) = &self.0 {
            let of = &instruments.upkeep;
            of.swept.set(now_in_seconds());
            of.orphans
                .set(i64::try_from(pass.orphans).unwrap_or(i64::MAX));
            of.suspicious.set(i64::from(pass.is_suspicious));
        }
    }

    /// Somebody was told something, or not.
    pub fn webhook_tried(&self, outcome: WebhookTry) {
        if let Some(instruments) = &self.0 {
            instruments.upkeep.webhooks[outcome as usize].inc();
        }
    }

    /// So many spans were taken by the collector of traces.
    pub fn spans_sent(&self, spans: u64) {
        if let Some(instruments) = &self.0 {
            instruments.spans[0].inc_by(spans);
        }
    }

    /// So many spans will never be.
    pub fn spans_lost(&self, spans: u64) {
        if let Some(instruments) = &self.0 {
            instruments.spans[1].inc_by(spans);
        }
    }

    /// So many webhooks are due.
    pub fn webhooks_due(&self, count: usize) {
        if let Some(instruments) = &self.0 {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            instruments.upkeep.webhooks_due.set(count);
        }
    }

    /// A scan ended.
    pub fn scanned(&self, end: ScanEnd, took: Duration) {
        if let Some(instruments) = &self.0 {
            instruments.upkeep.scans[end as usize].observe(took.as_secs_f64());
        }
    }
}
