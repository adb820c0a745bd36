//! Settings → opened stores, and what a start has to say about them.
//!
//! Where records, objects and events of uploads are kept are three choices; a mode is a preset for all of
//! them. Whoever adds a metadata store adds a variant of [`Records`] with its line in the preset, an arm in
//! [`open`], and, for what can be seen without a start, one in `check`.
//!
//! Invariant: the one place that opens stores, for the service, the worker, and the commands. A program that
//! only reads leaves no trace in them.
//!
//! Absent on purpose: the queue itself, which only the worker has; here is where the events go.

#[cfg(feature = "server")]
mod local_checks;
#[cfg(feature = "server")]
mod local_secrets;
mod marker_check;
mod opening;
mod watching;

#[cfg(feature = "server")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use crate::aws::{AwsSettings, count_calls, load_sdk_config};
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "server")]
use crate::config::Mode;
use crate::config::{CommonSettings, QuotaSettings, ScannedBy, ScannerSettings};
use crate::item_store::ItemStore;
#[cfg(feature = "server")]
use crate::local_mode::SigningSecret;
use crate::metadata_store::hand_ins::HandInStore;
use crate::metadata_store::measured::measured as measured_records;
#[cfg(feature = "conformance")]
use crate::metadata_store::memory::MemoryMetadataStore;
#[cfg(feature = "server")]
use crate::metadata_store::sqlite::LeftPending;
use crate::metadata_store::usage::UsageStore;
use crate::metrics::{Metrics, Role, ScannedWith, Watches};
#[cfg(feature = "server")]
use crate::object_store::disk::DiskObjectStore;
use crate::object_store::measured::measured as measured_objects;
use crate::operations::Stores;
use crate::quotas::Quotas;
use crate::scanner::{ScanMark, Scans};
use crate::start_check::{StartCheck, judge_start};
use crate::store_marker::{MarkedStore, StorePair};
use crate::traces::{self, Exporter};
use crate::webhooks::{ToldStore, Webhooks};
#[cfg(feature = "server")]
pub use local_checks::local_checks;
#[cfg(feature = "server")]
pub use local_secrets::{LOCAL_SECRETS, LocalSecret};
use marker_check::Starts;
pub use marker_check::{Allowed, MarkersCheck};
#[cfg(feature = "conformance")]
use opening::OpenedRecords;
pub use watching::serve_metrics;

/// The records of local mode, below the data directory.
#[cfg(feature = "server")]
pub const LOCAL_METADATA_FILE: &str = "metadata.sqlite";
/// How long the start of a program that only compares markers waits for stores that are away.
const MISMATCH_LIMIT: Duration = Duration::from_secs(5);

/// Why the service can't start, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// `what` says what couldn't be used, and `error` why.
    pub fn new(what: &str, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// Where records are kept.
#[derive(Clone)]
pub enum Records {
    /// In the data directory.
    #[cfg(feature = "server")]
    Sqlite {
        /// The directory that the database file is in.
        data_dir: PathBuf,
    },
    /// In a DynamoDB table.
    DynamoDb,
    /// In memory, for tests: no program is built with it.
    #[cfg(feature = "conformance")]
    Memory(Arc<MemoryMetadataStore>),
}

/// Where objects are kept.
#[derive(Clone)]
pub enum Objects {
    /// In files on this machine.
    #[cfg(feature = "server")]
    Disk {
        /// The directory that they are below.
        data_dir: PathBuf,
    },
    /// In an S3 bucket.
    S3,
}

/// How it is learnt that bytes have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// The endpoint for uploads tells the finalizer in the same process, which also reconciles and sweeps.
    InProcess,
    /// The bucket tells a queue, and workers look after it.
    Sqs,
}

/// Which stores a program opens. Nothing is opened yet.
#[derive(Clone)]
pub struct StoreChoices {
    /// Where records are kept.
    pub records: Records,
    /// Where objects are kept.
    pub objects: Objects,
    /// How it is learnt that bytes have arrived.
    pub queue: Queue,
}

impl StoreChoices {
    /// S3, DynamoDB, SQS.
    pub const AWS: Self = Self {
        records: Records::DynamoDb,
        objects: Objects::S3,
        queue: Queue::Sqs,
    };

    /// What each mode is made of.
    #[cfg(feature = "server")]
    pub fn of_mode(mode: &Mode) -> Self {
        match mode {
            Mode::Local { data_dir } => Self {
                records: Records::Sqlite {
                    data_dir: data_dir.clone(),
                },
                objects: Objects::Disk {
                    data_dir: data_dir.clone(),
                },
                queue: Queue::InProcess,
            },
            Mode::Aws { .. } => Self::AWS,
        }
    }

    fn are_in_aws(&self) -> bool {
        matches!(self.records, Records::DynamoDb) || matches!(self.objects, Objects::S3)
    }
}

/// What the stores are opened for.
pub enum Access {
    /// To serve.
    #[cfg(feature = "server")]
    Serve(ServeOptions),
    /// To finalize what arrives.
    Work,
    /// To write what a person decided, while no program runs.
    #[cfg(feature = "server")]
    Write,
    /// To write a copy of these records, with their objects, where nothing is yet. Until somebody marks both as
    /// belonging together no program starts on it.
    #[cfg(feature = "server")]
    Copy {
        /// The database that is copied, which another process may be writing to.
        of: PathBuf,
    },
    /// To look only, also while programs run.
    #[cfg(feature = "server")]
    Read,
}

impl Access {
    /// Only who serves creates anything.
    fn quotas(&self) -> QuotaSettings {
        match self {
            #[cfg(feature = "server")]
            Self::Serve(options) => options.quotas.clone(),
            _ => QuotaSettings::default(),
        }
    }

    /// Who scans: whoever finalizes files, and that is the worker beside an API in aws mode.
    fn scans(&self, queue: Queue, settings: &ScannerSettings) -> Scans {
        match (self, queue) {
            #[cfg(feature = "server")]
            (Self::Serve(_), Queue::Sqs) => Scans::elsewhere(settings),
            _ => Scans::new(settings),
        }
    }

    /// What is counted; nothing by commands.
    fn metrics(&self, queue: Queue, common: &CommonSettings) -> Metrics {
        let role = match (self, queue) {
            #[cfg(feature = "server")]
            (Self::Serve(_), Queue::Sqs) => Role::Api,
            #[cfg(feature = "server")]
            (Self::Serve(_), Queue::InProcess) => Role::Local,
            (Self::Work, _) => Role::Worker,
            #[cfg(feature = "server")]
            (Self::Write | Self::Copy { .. } | Self::Read, _) => return Metrics::off(),
        };
        match common.metrics_listen {
            None => Metrics::off(),
            Some(_) => Metrics::on(Watches {
                role,
                sweeps: common.orphan_sweep_interval.is_some(),
                scanner: match common.scanner.by {
                    ScannedBy::NotSaid | ScannedBy::Nothing => ScannedWith::Nothing,
                    ScannedBy::Clamd(_) => ScannedWith::Clamd,
                    ScannedBy::GuardDuty => ScannedWith::GuardDuty,
                },
            }),
        }
    }

    /// What tells traces: nothing by commands.
    fn traces(&self, common: &CommonSettings, metrics: &Metrics) -> Result<Exporter, StartError> {
        let program = match self {
            #[cfg(feature = "server")]
            Self::Serve(_) => "file-share",
            Self::Work => "file-share-worker",
            #[cfg(feature = "server")]
            Self::Write | Self::Copy { .. } | Self::Read => return Ok(Exporter::off()),
        };
        traces::start(common.traces.as_ref(), program, metrics).map_err(|error| {
            let whose = "the system's certificates, for OTEL_EXPORTER_OTLP_ENDPOINT";
            StartError::new(whose, error)
        })
    }

    fn is_to_finalize(&self) -> bool {
        match self {
            Self::Work => true,
            #[cfg(feature = "server")]
            Self::Serve(_) => true,
            #[cfg(feature = "server")]
            Self::Write | Self::Copy { .. } | Self::Read => false,
        }
    }
}

/// What stores are told of those who use them.
#[cfg(feature = "server")]
pub struct ServeOptions {
    /// For how long after its URL was made an upload may bring bytes.
    pub longest_upload: Duration,
    /// How many records may be pending at a time.
    pub max_pending: Option<u64>,
    /// Told the ID of each record that isn't pending any more; `None`: nobody is told.
    pub left_pending: Option<LeftPending>,
    /// How much everybody may have.
    pub quotas: QuotaSettings,
}

/// What URLs for bytes are made with.
pub enum UrlSource {
    /// The service is its own store, and has a secret of its own if it serves.
    #[cfg(feature = "server")]
    Local {
        /// The store that serves the URLs.
        objects: DiskObjectStore,
        /// What they are signed with; `None` for a program that doesn't serve.
        secret: Option<SigningSecret>,
    },
    /// URLs lead to S3, and are signed with the credentials of AWS.
    S3,
}

/// Stores that were opened, and not looked at yet.
pub struct OpenStores {
    /// What operations work on.
    pub stores: Stores,
    /// Sessions, API tokens and the like, where the records are.
    pub items: Arc<dyn ItemStore>,
    /// Where files are handed in to boxes.
    pub hand_ins: Arc<dyn HandInStore>,
    /// Where it is kept what is to be told, if anything is.
    pub webhooks: Webhooks,
    /// Where it is kept how much everybody has.
    pub usage: Arc<dyn UsageStore>,
    /// The store of the records, by its marker.
    pub records: Arc<dyn MarkedStore>,
    /// The store of the objects, by its marker.
    pub objects: Arc<dyn MarkedStore>,
    /// What URLs for bytes are made with.
    pub urls: UrlSource,
    /// Region, credentials and endpoints, where anything is in AWS.
    pub sdk: Option<SdkConfig>,
    /// What tells traces, if they are told.
    pub traces: Exporter,
    /// What a start looks at. A program may add its own.
    pub checks: Vec<Box<dyn StartCheck>>,
    queue: Queue,
}

/// Opens what was chosen. Stores in AWS aren't asked anything yet.
///
/// # Errors
/// What can't be opened or found, and what to do.
pub async fn open(
    choices: &StoreChoices,
    common: &CommonSettings,
    access: Access,
) -> Result<OpenStores, StartError> {
    let quotas = access.quotas();
    let is_to_finalize = access.is_to_finalize();
    let scans = access.scans(choices.queue, &common.scanner);
    let metrics = access.metrics(choices.queue, common);
    // Before the stores, whose calls are traced.
    let traces = access.traces(common, &metrics)?;
    let sdk = match choices.are_in_aws() {
        true => {
            count_calls(&metrics);
            Some(load_sdk().await?)
        }
        false => None,
    };
    let mut checks: Vec<Box<dyn StartCheck>> = Vec::new();
    let (objects, urls) = match &choices.objects {
        #[cfg(feature = "server")]
        Objects::Disk { data_dir } => opening::disk(data_dir, &access)?,
        Objects::S3 => opening::s3(needed(sdk.as_ref())?, common, &access, &mut checks),
    };
    #[cfg(feature = "server")]
    if let Access::Copy { of } = &access {
        opening::copy_records(of, &urls, &*objects.marked).await?;
    }
    let records = match &choices.records {
        #[cfg(feature = "server")]
        Records::Sqlite { data_dir } => opening::sqlite(data_dir, &urls, access)?,
        Records::DynamoDb => opening::dynamodb(needed(sdk.as_ref())?, common, &access, &mut checks),
        #[cfg(feature = "conformance")]
        Records::Memory(store) => OpenedRecords::in_memory(store),
    };
    #[cfg(feature = "server")]
    watching::watch_this_machine(&metrics, &urls, records.counts);
    watching::watch_scanner(&metrics, &scans);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scans = match choices.queue {
        Queue::InProcess => scans,
        // Others use the same records, each with settings of its own.
        Queue::Sqs => {
            let items = Arc::clone(&records.items);
            scans.with_mark(Arc::new(ScanMark::new(items, Arc::clone(&clock))))
        }
    };
    if is_to_finalize && let Some(check) = scans.check() {
        checks.push(check);
    }
    let webhooks = match &common.webhooks {
        Some(_) => Webhooks::kept_in(records.outbox, Arc::clone(&clock)),
        None => Webhooks::default(),
    };
    Ok(OpenStores {
        traces,
        stores: Stores {
            metadata: measured_records(ToldStore::over(records.metadata, &webhooks), &metrics),
            objects: measured_objects(objects.port, &metrics),
            clock,
            lifecycle: common.lifecycle,
            events: crate::file_events::FileEvents::off(),
            quotas: Quotas::new(quotas, &records.usage),
            scans,
            metrics,
        },
        items: records.items,
        hand_ins: records.hand_ins,
        webhooks,
        usage: records.usage,
        records: records.marked,
        objects: objects.marked,
        urls,
        sdk,
        checks,
        queue: choices.queue,
    })
}

async fn load_sdk() -> Result<SdkConfig, StartError> {
    let loaded = load_sdk_config(AwsSettings::default()).await;
    loaded.map_err(|error| StartError::new("the AWS settings", error))
}

fn needed(sdk: Option<&SdkConfig>) -> Result<&SdkConfig, StartError> {
    sdk.ok_or_else(|| StartError("the AWS settings weren't loaded".into()))
}

fn region_of(sdk: &SdkConfig) -> String {
    sdk.region().map(ToString::to_string).unwrap_or_default()
}

impl OpenStores {
    /// Both stores, by their markers.
    pub fn store_pair(&self) -> StorePair<'_> {
        StorePair {
            records: self.records.as_ref(),
            objects: self.objects.as_ref(),
        }
    }

    /// The region that requests to AWS are signed for.
    pub fn region(&self) -> String {
        self.sdk.as_ref().map(region_of).unwrap_or_default()
    }

    /// Makes all checks. Where starts aren't counted, it also marks records and objects as belonging
    /// together if nobody has yet; else [`Self::count_start`] does, while the program serves.
    ///
    /// # Errors
    /// What somebody has to change before this can work.
    pub async fn start(&self) -> Result<(), StartError> {
        self.judge().await?;
        match self.queue {
            Queue::InProcess => {
                marker_check::refuse_mismatch(self.store_pair(), &self.stores).await
            }
            Queue::Sqs => marker_check::check_markers_in_time(self.store_pair(), &self.stores)
                .await
                .map(drop),
        }
    }

    /// Marks the stores and counts the start. One that dies before it was counted counts as none, which hides
    /// only a copy of itself.
    ///
    /// # Errors
    /// Why the stores can't be used together.
    pub fn count_start(&self) -> impl Future<Output = Result<Allowed, StartError>> + Send + use<> {
        let (records, objects) = (Arc::clone(&self.records), Arc::clone(&self.objects));
        let stores = self.stores.clone();
        async move {
            let pair = StorePair {
                records: records.as_ref(),
                objects: objects.as_ref(),
            };
            marker_check::check_markers(pair, &stores, Starts::Counted).await
        }
    }

    /// The same for a program that marks nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn start_unmarked(&self) -> Result<(), StartError> {
        self.judge().await?;
        // Stores that are away in time are asked nothing more: every operation finds out by itself.
        match tokio::time::timeout(MISMATCH_LIMIT, self.store_pair().refuse_mismatch()).await {
            Ok(Err(mismatch)) => Err(StartError(mismatch.to_string())),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    async fn judge(&self) -> Result<(), StartError> {
        let judged = judge_start(&self.checks).await;
        judged.map_err(|error| StartError(error.to_string()))
    }

    /// Whether records and objects belong together, as a check that marks nothing.
    pub fn markers_check(&self) -> MarkersCheck {
        MarkersCheck {
            stores: self.stores.clone(),
            records: Arc::clone(&self.records),
            objects: Arc::clone(&self.objects),
        }
    }
}
