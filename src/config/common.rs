//! The settings that every program takes: names of the stores, times of what looks after files, the log.
//!
//! Invariant: API and worker judge each of these alike, so a setting that one starts with is none that the other
//! refuses. What depends on the mode isn't judged here, since the worker has none.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::values::{DEFAULT_LOG_FILTER, bucket_name, listen_address, log_filter, table_name};
use super::{
    Problems, ScannerArgs, ScannerSettings, TraceArgs, TraceSettings, WebhookArgs, WebhookSettings,
    duration,
};
use crate::domain::{Lifecycle, LockMode};

/// The longest pause between two sweeps for orphaned objects. One that is never to come is `off`.
const MAX_SWEEP_INTERVAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most objects that one sweep can be allowed to set aside; it holds their keys in memory.
const MAX_ORPHAN_LIMIT: usize = 100_000;
/// Bounds of what may be waited for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What both programs need.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// The bucket that holds the bytes. In local mode it is the first part of the path of a
    /// presigned URL
    #[arg(
        long,
        env = "BUCKET_NAME",
        default_value = "file-share-bucket",
        value_name = "NAME"
    )]
    pub bucket_name: String,
    /// The DynamoDB table that holds the records (aws mode)
    #[arg(
        long,
        env = "TABLE_NAME",
        default_value = "FileMetadata",
        value_name = "NAME"
    )]
    pub table_name: String,
    /// How often to look for what notifications and crashes left behind
    #[arg(
        long,
        env = "RECONCILE_INTERVAL",
        default_value = "30s",
        value_name = "TIME"
    )]
    pub reconcile_interval: String,
    /// How often to look for objects that no record names; off: never
    #[arg(
        long,
        env = "ORPHAN_SWEEP_INTERVAL",
        default_value = "24h",
        value_name = "TIME|off"
    )]
    pub orphan_sweep_interval: String,
    /// How many objects that no record names one sweep may set aside. If it finds more, it touches none
    /// and says so, since more are a sign that bucket and table don't belong together
    #[arg(
        long,
        env = "ORPHAN_LIMIT",
        default_value = "100",
        value_name = "OBJECTS"
    )]
    pub orphan_limit: String,
    /// How long after its URL ran out an upload that began in time may still arrive. Local mode waits for
    /// those that are under way in any case
    #[arg(long, env = "UPLOAD_GRACE", default_value = "15m", value_name = "TIME")]
    pub upload_grace: String,
    /// What is logged, such as debug or file_share=debug
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = DEFAULT_LOG_FILTER,
        value_name = "FILTER"
    )]
    pub rust_log: String,
    /// How the log is written: text for people, json for programs
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_name = "text|json"
    )]
    pub log_format: String,
    /// The address at which metrics can be scraped (/metrics), beside /healthz and /readyz; off: nowhere. It isn't
    /// LISTEN, and asks nobody who they are
    #[arg(
        long,
        env = "METRICS_LISTEN",
        default_value = "off",
        value_name = "ADDRESS:PORT|off"
    )]
    pub metrics_listen: String,
    /// Where traces are told.
    #[command(flatten)]
    pub traces: TraceArgs,
    /// Where it is told what happens.
    #[command(flatten)]
    pub webhooks: WebhookArgs,
    /// What scans files for viruses.
    #[command(flatten)]
    pub scanner: ScannerArgs,
    /// Whether S3 itself is to refuse to delete what has to be kept (RETENTION), by an Object Lock on the version: in its
    /// governance or its compliance mode, of which nobody can undo the second. The bucket needs Object Lock, without a
    /// default rule. Set it for API and worker (aws mode)
    #[arg(
        long,
        env = "OBJECT_LOCK",
        default_value = "off",
        value_name = "off|governance|compliance"
    )]
    pub object_lock: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What both programs know once their settings are right.
#[derive(Debug, Clone)]
pub struct CommonSettings {
    /// The bucket; in local mode the first part of a presigned URL's path.
    pub bucket_name: String,
    /// The DynamoDB table; unused in local mode.
    pub table_name: String,
    /// The pause between two sweeps of the reconciler, before jitter.
    pub reconcile_interval: Duration,
    /// `None`: never.
    pub orphan_sweep_interval: Option<Duration>,
    /// How many orphaned objects one sweep may set aside; if it finds more, it touches none.
    pub orphan_limit: usize,
    /// How long a file's steps may take: the grace of uploads is set, and by the API how long a file is kept; the
    /// rest is as by default.
    pub lifecycle: Lifecycle,
    /// What is logged, as `RUST_LOG` says it.
    pub log_filter: String,
    /// How the log is written.
    pub log_format: LogFormat,
    /// Where metrics can be scraped; `None`: nowhere, and nothing is counted.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces are told; `None`: nowhere.
    pub traces: Option<TraceSettings>,
    /// Where it is told what happens; `None`: nowhere.
    pub webhooks: Option<WebhookSettings>,
    /// What scans files for viruses.
    pub scanner: ScannerSettings,
    /// How S3 locks what has to be kept; `None`: not at all.
    pub object_lock: Option<LockMode>,
}

impl CommonArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub fn judge(&self, problems: &mut Problems) -> Option<CommonSettings> {
        let bucket_name = problems.judge("BUCKET_NAME", &self.bucket_name, bucket_name);
        let table_name = problems.judge("TABLE_NAME", &self.table_name, table_name);
        let interval = problems.judge("RECONCILE_INTERVAL", &self.reconcile_interval, |text| {
            duration(text, Duration::from_millis(100), MAX_WAIT)
        });
        let sweep_interval = problems.judge(
            "ORPHAN_SWEEP_INTERVAL",
            &self.orphan_sweep_interval,
            |text| match text {
                "off" => Ok(None),
                text => duration(text, Duration::from_secs(1), MAX_SWEEP_INTERVAL).map(Some),
            },
        );
        let orphan_limit = problems.judge("ORPHAN_LIMIT", &self.orphan_limit, |text| {
            text.parse()
                .ok()
                .filter(|limit| *limit <= MAX_ORPHAN_LIMIT)
                .ok_or_else(|| format!("must be a number of objects from 0 to {MAX_ORPHAN_LIMIT}"))
        });
        let upload_grace = problems.judge("UPLOAD_GRACE", &self.upload_grace, |text| {
            duration(text, Duration::ZERO, MAX_WAIT)
        });
        let log_filter = problems.judge("RUST_LOG", &self.rust_log, log_filter);
        let log_format = problems.judge("LOG_FORMAT", &self.log_format, |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be text or json".into()),
        });
        let metrics_listen =
            problems.judge("METRICS_LISTEN", &self.metrics_listen, |text| match text {
                "off" => Ok(None),
                text => listen_address(text).map(Some),
            });
        let traces = self.traces.judge(problems);
        let webhooks = self.webhooks.judge(problems);
        let scanner = self.scanner.judge(problems);
        let object_lock = problems.judge("OBJECT_LOCK", &self.object_lock, |text| match text {
            "off" => Ok(None),
            text if text == LockMode::Governance.as_str() => Ok(Some(LockMode::Governance)),
            text if text == LockMode::Compliance.as_str() => Ok(Some(LockMode::Compliance)),
            _ => Err("must be off, governance or compliance".into()),
        });
        Some(CommonSettings {
            webhooks: webhooks?,
            scanner: scanner?,
            object_lock: object_lock?,
            bucket_name: bucket_name?,
            table_name: table_name?,
            reconcile_interval: interval?,
            orphan_sweep_interval: sweep_interval?,
            orphan_limit: orphan_limit?,
            lifecycle: Lifecycle {
                upload_grace: upload_grace?,
                ..Lifecycle::default()
            },
            log_filter: log_filter?,
            log_format: log_format?,
            metrics_listen: metrics_listen?,
            traces: traces?,
        })
    }
}
