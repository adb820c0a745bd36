//! What is looked at when somebody scrapes: the disk, how many files are pending, the scanner, the audit log.
//!
//! Invariant: a look asks nobody who could be slow: it reads a counter, or asks the kernel for a file system's room.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::upkeep::FloatGauge;
use super::{Role, ScannedWith, Watches, now_in_seconds};

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watched {
    /// The data directory's file system, in bytes.
    Disk {
        /// What is free.
        free: u64,
        /// What has to be, or nothing is taken on.
        required: u64,
    },
    /// How many files are pending.
    PendingFiles(u64),
    /// How many messages wait to be told.
    WaitingWebhooks(u64),
    /// How often a line of the audit log couldn't be written, in all.
    AuditFailures(u64),
    /// What is known of the virus scanner.
    Scanner(ScannerSeen),
    /// Nothing could be found out.
    Nothing,
}

/// What is known of a virus scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannerSeen {
    /// Whether it found what it has to find, and didn't fail since.
    pub is_ready: bool,
    /// How long ago it was asked; `None`: never.
    pub asked: Option<Duration>,
}

pub(super) struct WatchedGauges {
    free: FloatGauge,
    required: FloatGauge,
    pending: Gauge,
    waiting: Gauge,
    audit: Counter,
    scanner: Gauge,
    scanner_asked: FloatGauge,
}

impl WatchedGauges {
    pub(super) fn registered(registry: &mut Registry, watches: &Watches) -> Self {
        let gauges = Self {
            free: FloatGauge::default(),
            required: FloatGauge::default(),
            pending: Gauge::default(),
            waiting: Gauge::default(),
            audit: Counter::default(),
            scanner: Gauge::default(),
            scanner_asked: FloatGauge::default(),
        };
        if watches.role == Role::Local {
            registry.register(
                "file_share_disk_free_bytes",
                "What is free on the data directory's file system",
                gauges.free.clone(),
            );
            registry.register(
                "file_share_disk_required_bytes",
                "What has to be free there: with less, creates and uploads are refused",
                gauges.required.clone(),
            );
            registry.register(
                "file_share_pending_files",
                "Files that wait for their bytes, or to be settled",
                gauges.pending.clone(),
            );
            registry.register(
                "file_share_webhooks_waiting",
                "Webhooks that nobody took yet",
                gauges.waiting.clone(),
            );
        }
        if watches.role.serves() {
            registry.register(
                "file_share_audit_write_failures",
                "Lines of the audit log that couldn't be written, or for which there was no room",
                gauges.audit.clone(),
            );
        }
        if watches.scanner == ScannedWith::Clamd && watches.role.looks_after_files() {
            registry.register(
                "file_share_scanner_ready",
                "1 if the virus scanner found the test files, and didn't fail since",
                gauges.scanner.clone(),
            );
            registry.register(
                "file_share_scanner_last_probe_timestamp_seconds",
                "When the scanner was last asked for the test files; 0: never",
                gauges.scanner_asked.clone(),
            );
        }
        gauges
    }

    pub(super) fn set(&self, seen: Watched) {
        match seen {
            Watched::Disk { free, required } => {
                self.free.set(free as f64);
                self.required.set(required as f64);
            }
            Watched::PendingFiles(count) => {
                self.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            Watched::WaitingWebhooks(count) => {
                self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            Watched::AuditFailures(count) => {
                let counter = self.audit.inner();
                counter.store(count, std::sync::atomic::Ordering::Relaxed);
            }
            Watched::Scanner(seen) => {
                self.scanner.set(i64::from(seen.is_ready));
                let at = |ago: Duration| now_in_seconds() - ago.as_secs_f64();
                self.scanner_asked.set(seen.asked.map_or(0.0, at));
            }
            Watched::Nothing => {}
        }
    }
}
