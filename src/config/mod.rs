//! Settings: flags, with environment variables of the same meaning.
//!
//! Invariant: a program starts with all its settings right, or not at all. What is wrong or missing
//! is named in one message, everything at once, so every value comes in as text and is judged here.

mod access;
mod adopt;
#[cfg(feature = "server")]
mod backup;
mod check;
mod downloads;
mod environment;
mod function;
mod limits;
mod link_secrets;
mod mode;
mod oidc;
mod quotas;
mod rates;
mod receipt;
mod recount;
mod rescan;
mod scanner;
mod scrub;
mod traces;
mod values;
mod webhooks;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use http::Uri;

pub use access::{AccessArgs, AccessSetting, AuditSetting};
pub use adopt::{AdoptArgs, AdoptSettings};
#[cfg(feature = "server")]
pub use backup::{BackupArgs, BackupSettings, RestoreArgs, RestoreSettings};
pub use check::{CheckArgs, CheckSettings};
pub use downloads::{DownloadArgs, DownloadKey, DownloadSettings};
pub use environment::parse;
pub use limits::{LimitArgs, LimitSettings};
pub use link_secrets::LinkSecrets;
pub use mode::{Mode, ModeArgs};
use mode::{directory, is_local};
use oidc::given;
pub use oidc::{Groups, OidcArgs, OidcSettings, SecretText, is_this_machine};
pub use quotas::{QuotaArgs, QuotaSettings};
pub use rates::{RateArgs, RateSettings};
pub use receipt::{ReceiptArgs, ReceiptSeed};
pub use recount::{RecountArgs, RecountSettings};
pub use rescan::{RescanArgs, RescanSettings};
pub use scanner::{ClamdAddress, ScannedBy, ScannerArgs, ScannerSettings, Unscannable};
pub use scrub::{ScrubArgs, ScrubSettings};
pub use traces::{TraceArgs, TraceSettings};
use values::{
    DEFAULT_LOG_FILTER, allowed_hosts, allowed_types, bucket_name, bytes, listen_address,
    log_filter, origins, table_name,
};
pub use values::{duration, url};
pub use webhooks::{WebhookArgs, WebhookSecret, WebhookSettings, WebhookUrl, needs_webhook_secret};

use crate::domain::{AllowedTypes, Lifecycle, LockMode, MAX_CONTENT_LENGTH};
use crate::own_paths;

/// The longest life of a SigV4 URL that S3 accepts.
const MAX_URL_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest pause between two sweeps for orphaned objects. One that is never to come is `off`.
const MAX_SWEEP_INTERVAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most objects that one sweep can be allowed to set aside; it holds their keys in memory.
const MAX_ORPHAN_LIMIT: usize = 100_000;
/// Bounds of what may be waited for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What `--help` says behind the flags.
pub const AFTER_HELP: &str = "\
The standard AWS variables keep their meaning, among them AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL.
Times have units: 500ms, 30s, 15m, 12h, 7d; without one they are seconds. So may sizes: 5MB, 512KiB, 10MiB,
and without one they are bytes.
A variable that is empty counts as one that isn't set.";

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

/// What the API program needs besides.
#[derive(Debug, Clone, Args)]
pub struct ApiArgs {
    /// Where bytes and records are kept: local (this machine) or aws (S3 and DynamoDB)
    #[arg(long, env = "MODE", default_value = "local", value_name = "local|aws")]
    pub mode: String,
    /// The address to listen on; without an address, such as :8000, on all of this machine's
    #[arg(
        long,
        env = "LISTEN",
        default_value = "127.0.0.1:8000",
        value_name = "ADDRESS:PORT"
    )]
    pub listen: String,
    /// The URL under which clients reach this service, if a proxy stands before it. Left out,
    /// presigned URLs of local mode name the host that each request came to. Aws mode needs it with
    /// OIDC_ISSUER, which sends people back there
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Further host names under which local mode answers, separated by commas; *.lan is every name below
    /// lan. Without them it answers to addresses, localhost, names without a dot, this machine's name and
    /// PUBLIC_URL's: any other name could be somebody else's, who makes it mean this machine
    #[arg(
        long,
        env = "ALLOWED_HOSTS",
        default_value = "",
        hide_default_value = true,
        value_name = "NAMES"
    )]
    pub allowed_hosts: String,
    /// Who may use the service, and what is kept of it.
    #[command(flatten)]
    pub access: AccessArgs,
    /// The URLs of links are signed with this: secrets of 32 characters or more, separated by commas, the same for
    /// all processes of a service. The first signs, and URLs that any of them signed work: to change it, put another
    /// one first. Needed in aws mode; local mode makes one. Others on this machine can see flags, so set the variable
    #[arg(
        long,
        env = "LINK_SECRET",
        hide_env_values = true,
        value_name = "SECRETS"
    )]
    pub link_secret: Option<SecretText>,
    /// Where local mode keeps files, records and its secrets
    #[arg(
        long,
        env = "DATA_DIR",
        default_value = "data",
        value_name = "DIRECTORY"
    )]
    pub data_dir: String,
    /// The store's endpoint as clients reach it, if that isn't the one the service itself uses
    /// (AWS_ENDPOINT_URL) (aws mode)
    #[arg(long, env = "S3_PUBLIC_ENDPOINT_URL", value_name = "URL")]
    pub s3_public_endpoint_url: Option<String>,
    /// Where downloads lead instead of the store.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// The largest file, in bytes or as 5MB or 512KiB; at most 20971520 (20MiB)
    #[arg(long, env = "MAX_UPLOAD_BYTES", default_value_t = MAX_CONTENT_LENGTH.to_string(), value_name = "SIZE")]
    pub max_upload_bytes: String,
    /// What names of files may end with, such as pdf,docx,png, separated by commas. What is in such a file then has to be
    /// of the type that its name says. Left out, any: refused is only what runs or opens something where it is opened
    /// and has a name that says something else
    #[arg(
        long,
        env = "ALLOWED_TYPES",
        default_value = "",
        hide_default_value = true,
        value_name = "ENDINGS"
    )]
    pub allowed_types: String,
    /// How long an upload URL works
    #[arg(
        long,
        env = "UPLOAD_URL_TTL",
        default_value = "15m",
        value_name = "TIME"
    )]
    pub upload_url_ttl: String,
    /// How long a download URL works
    #[arg(
        long,
        env = "DOWNLOAD_URL_TTL",
        default_value = "5m",
        value_name = "TIME"
    )]
    pub download_url_ttl: String,
    /// Pages of other origins that may call the API and local mode's store, separated by commas, or
    /// * for all of them
    #[arg(
        long,
        env = "ALLOWED_ORIGINS",
        default_value = "",
        hide_default_value = true,
        value_name = "ORIGINS"
    )]
    pub allowed_origins: String,
    /// Where people sign in.
    #[command(flatten)]
    pub oidc: OidcArgs,
    /// What signs receipts.
    #[command(flatten)]
    pub receipt: ReceiptArgs,
    /// What clients may leave waiting.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How often clients may call.
    #[command(flatten)]
    pub rates: RateArgs,
    /// How much everybody may have.
    #[command(flatten)]
    pub quotas: QuotaArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
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

/// The settings of the API program, judged.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Where bytes and records are kept.
    pub mode: Mode,
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// The URL under which clients reach the service; `None`: the host that each request came to.
    pub public_url: Option<Uri>,
    /// Names in lower case, or `*.` and one.
    pub allowed_hosts: Vec<String>,
    /// The largest file, in bytes: at most [`MAX_CONTENT_LENGTH`].
    pub max_upload_bytes: u64,
    /// What names of files may end with.
    pub allowed_types: AllowedTypes,
    /// How long an upload URL works, from when it is signed.
    pub upload_url_ttl: Duration,
    /// How long a download URL works, from when it is signed.
    pub download_url_ttl: Duration,
    /// The distribution that downloads lead to; `None`: to the store.
    pub downloads: Option<DownloadSettings>,
    /// Who may use the service.
    pub access: AccessSetting,
    /// Whether it is kept who did what.
    pub audit: AuditSetting,
    /// What the URLs of links are signed with; `None`: what local mode makes.
    pub link_secrets: Option<LinkSecrets>,
    /// Where people sign in; `None`: nowhere.
    pub oidc: Option<OidcSettings>,
    /// What signs receipts, the newest first; none: local mode has one of its own.
    pub receipt_keys: Vec<ReceiptSeed>,
    /// Exact origins, or `*` alone.
    pub allowed_origins: Vec<String>,
    /// What clients may leave waiting.
    pub limits: LimitSettings,
    /// How often clients may call.
    pub rates: RateSettings,
    /// How much everybody may have.
    pub quotas: QuotaSettings,
    /// What both programs know.
    pub common: CommonSettings,
}

impl ApiSettings {
    /// Whether nobody but this machine reaches the service, as far as the settings can tell.
    pub fn is_for_this_machine(&self) -> bool {
        let is_loopback = self.listen.ip().to_canonical().is_loopback();
        self.public_url.is_none() && is_loopback && matches!(self.mode, Mode::Local { .. })
    }

    /// Whether others reach the service and may do everything.
    pub fn is_open_to_others(&self) -> bool {
        self.access == AccessSetting::Open && !self.is_for_this_machine()
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Judges one value; `None` if it isn't right, which is then remembered.
    pub fn judge<T>(
        &mut self,
        name: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(text.trim())
            .map_err(|why| self.0.push(format!("{name}: {why} (it is {text:?})")))
            .ok()
    }

    /// What `judge` makes of the settings, or everything that isn't right, at once.
    ///
    /// # Errors
    /// As said.
    pub fn collected<T>(judge: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Self> {
        let mut problems = Self::default();
        let settings = judge(&mut problems);
        settings.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// Remembers what is wrong with a setting.
    pub fn refuse(&mut self, name: &str, why: &str) {
        self.0.push(format!("{name}: {why}"));
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the settings aren't right; --help explains each:")?;
        for problem in &self.0 {
            writeln!(f, "  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

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

impl ApiArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<ApiSettings, Problems> {
        Problems::collected(|problems| self.judge_all(problems))
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<ApiSettings> {
        let mut common = self.common.judge(problems);
        let data_dir = problems.judge("DATA_DIR", &self.data_dir, directory);
        let s3_public_endpoint_url = judge_url(
            problems,
            "S3_PUBLIC_ENDPOINT_URL",
            self.s3_public_endpoint_url.as_deref(),
        );
        let public_url = judge_url(problems, "PUBLIC_URL", self.public_url.as_deref());
        let is_local = problems.judge("MODE", &self.mode, is_local);
        if is_local == Some(true) {
            let webhooks = common.as_ref().and_then(|it| it.webhooks.as_ref());
            needs_webhook_secret(webhooks, problems);
        }
        if is_local == Some(true) && own_paths::begins_one(&self.common.bucket_name) {
            problems.refuse(
                "BUCKET_NAME",
                "this name is a path of the service itself; choose another one",
            );
        }
        let listen = problems.judge("LISTEN", &self.listen, listen_address);
        let metrics_listen = common.as_ref().and_then(|it| it.metrics_listen);
        if let (Some(listen), Some(metrics)) = (listen, metrics_listen)
            && are_one(listen, metrics)
        {
            problems.refuse(
                "METRICS_LISTEN",
                "is where LISTEN is: metrics need an address of their own, such as 127.0.0.1:9464",
            );
        }
        let allowed_hosts = problems.judge("ALLOWED_HOSTS", &self.allowed_hosts, allowed_hosts);
        let max_upload_bytes = problems.judge("MAX_UPLOAD_BYTES", &self.max_upload_bytes, |text| {
            bytes(text, 0, MAX_CONTENT_LENGTH)
        });
        let allowed_types = problems.judge("ALLOWED_TYPES", &self.allowed_types, allowed_types);
        let ttl = |text: &str| duration(text, Duration::from_secs(1), MAX_URL_TTL);
        let upload_url_ttl = problems.judge("UPLOAD_URL_TTL", &self.upload_url_ttl, ttl);
        let download_url_ttl = problems.judge("DOWNLOAD_URL_TTL", &self.download_url_ttl, ttl);
        let allowed_origins = problems.judge("ALLOWED_ORIGINS", &self.allowed_origins, origins);
        let limits = self.limits.judge(problems);
        let rates = self.rates.judge(problems);
        let quotas = self.quotas.judge(problems);
        if let (Some(common), Some(limits)) = (&mut common, &limits) {
            common.lifecycle.max_keep = limits.max_keep;
            common.lifecycle.min_keep = limits.retention;
            if common.object_lock.is_some() && limits.retention.is_none() {
                problems.refuse(
                    "OBJECT_LOCK",
                    "needs RETENTION: it says until when files are locked",
                );
            }
            if common.object_lock.is_some() && is_local == Some(true) {
                problems.refuse(
                    "OBJECT_LOCK",
                    "is for aws mode: on a disk RETENTION is the record's alone",
                );
            }
            scanner::scans_in_its_mode(&common.scanner, is_local == Some(true), problems);
        }
        let oidc = self.oidc.judge(problems);
        let receipt_keys = self.receipt.judge(problems);
        let access = self
            .access
            .judge(is_local, matches!(oidc, Some(Some(_))), problems);
        let (access, audit) = access.unzip();
        let signs_in_beside_s3 = is_local == Some(false) && access == Some(AccessSetting::Oidc);
        let needs_secret = matches!(&oidc, Some(Some(it)) if it.session_secret.is_none());
        if signs_in_beside_s3 && needs_secret {
            problems.refuse(
                "SESSION_SECRET",
                "is needed with OIDC_ISSUER and MODE=aws: 32 characters or more, the same for all processes, such \
                 as those of: openssl rand -hex 32",
            );
        }
        // Else people would come back to whatever host a request named: local mode knows which are its own.
        if signs_in_beside_s3 && matches!(public_url, Some(None)) {
            problems.refuse(
                "PUBLIC_URL",
                "is needed with OIDC_ISSUER and MODE=aws: where people reach the service, such as \
                 https://files.example.org. The issuer sends them back to /v1/session/callback below it",
            );
        }
        let link_secrets = self.judge_link_secret(is_local, problems);
        let downloads = self.downloads.judge(is_local, problems);
        let mode = if is_local? {
            Mode::Local {
                data_dir: data_dir?,
            }
        } else {
            Mode::Aws {
                s3_public_endpoint_url: s3_public_endpoint_url?,
            }
        };
        Some(ApiSettings {
            mode,
            listen: listen?,
            public_url: public_url?,
            allowed_hosts: allowed_hosts?,
            max_upload_bytes: max_upload_bytes?,
            allowed_types: allowed_types?,
            upload_url_ttl: upload_url_ttl?,
            download_url_ttl: download_url_ttl?,
            allowed_origins: allowed_origins?,
            downloads: downloads?,
            access: access?,
            audit: audit?,
            link_secrets: link_secrets?,
            oidc: oidc?,
            receipt_keys: receipt_keys?,
            limits: limits?,
            rates: rates?,
            quotas: quotas?,
            common: common?,
        })
    }
}

impl ApiArgs {
    /// The outer `None`: it isn't right. Without [`Problems::judge`], which repeats what it refuses.
    fn judge_link_secret(
        &self,
        is_local: Option<bool>,
        problems: &mut Problems,
    ) -> Option<Option<LinkSecrets>> {
        const NAME: &str = "LINK_SECRET";
        let list = self.link_secret.as_ref();
        let Some(list) = list.filter(|list| given(Some(list.expose())).is_some()) else {
            if is_local == Some(false) {
                problems.refuse(
                    NAME,
                    "is needed with MODE=aws: 32 characters or more, the same for all processes, such as those of: \
                     openssl rand -hex 32",
                );
            }
            return Some(None);
        };
        match LinkSecrets::parse(list) {
            Ok(secrets) => Some(Some(secrets)),
            Err(why) => {
                problems.refuse(NAME, why);
                None
            }
        }
    }
}

/// Whether no two listeners can be at these addresses. Port 0 is another one each time.
fn are_one(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip().to_canonical(), other.ip().to_canonical());
    let overlap = first == second || first.is_unspecified() || second.is_unspecified();
    overlap && one.port() == other.port() && one.port() != 0
}

/// A URL that may be left out. The outer `None` says that it isn't right.
fn judge_url(problems: &mut Problems, name: &str, text: Option<&str>) -> Option<Option<Uri>> {
    match text.filter(|text| !text.trim().is_empty()) {
        None => Some(None),
        Some(text) => problems.judge(name, text, url).map(Some),
    }
}

#[cfg(test)]
mod tests;
