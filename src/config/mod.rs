//! Settings: flags, with environment variables of the same meaning.
//!
//! Invariant: a program starts with all its settings right, or not at all. What is wrong or missing
//! is named in one message, everything at once, so every value comes in as text and is judged here.

mod access;
mod adopt;
#[cfg(feature = "server")]
mod backup;
mod check;
mod common;
mod downloads;
mod environment;
mod function;
mod limits;
mod link_secrets;
mod mode;
mod oidc;
mod problems;
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

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use http::Uri;

pub use access::{AccessArgs, AccessSetting, AuditSetting};
pub use adopt::{AdoptArgs, AdoptSettings};
#[cfg(feature = "server")]
pub use backup::{BackupArgs, BackupSettings, RestoreArgs, RestoreSettings};
pub use check::{CheckArgs, CheckSettings};
pub use common::{CommonArgs, CommonSettings, LogFormat};
pub use downloads::{DownloadArgs, DownloadKey, DownloadSettings};
pub use environment::parse;
pub use limits::{LimitArgs, LimitSettings};
pub use link_secrets::LinkSecrets;
pub use mode::{Mode, ModeArgs};
use mode::{directory, is_local};
pub use oidc::{Groups, OidcArgs, OidcSettings, SecretText, is_this_machine};
pub use problems::Problems;
pub use quotas::{QuotaArgs, QuotaSettings};
pub use rates::{RateArgs, RateSettings};
pub use receipt::{ReceiptArgs, ReceiptSeed};
pub use recount::{RecountArgs, RecountSettings};
pub use rescan::{RescanArgs, RescanSettings};
pub use scanner::{ClamdAddress, ScannedBy, ScannerArgs, ScannerSettings, Unscannable};
pub use scrub::{ScrubArgs, ScrubSettings};
pub use traces::{TraceArgs, TraceSettings};
use values::{allowed_hosts, allowed_types, bytes, listen_address, origins};
pub use values::{duration, url};
pub use webhooks::{WebhookArgs, WebhookSecret, WebhookSettings, WebhookUrl, needs_webhook_secret};

use crate::domain::{AllowedTypes, MAX_CONTENT_LENGTH};
use crate::own_paths;

/// The longest life of a SigV4 URL that S3 accepts.
const MAX_URL_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What `--help` says behind the flags.
pub const AFTER_HELP: &str = "\
The standard AWS variables keep their meaning, among them AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL.
Times have units: 500ms, 30s, 15m, 12h, 7d; without one they are seconds. So may sizes: 5MB, 512KiB, 10MiB,
and without one they are bytes.
A variable that is empty counts as one that isn't set.";

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
        let link_secrets = LinkSecrets::judge(self.link_secret.as_ref(), is_local, problems);
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
