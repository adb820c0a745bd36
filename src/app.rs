//! The API program put together: settings → stores → endpoint, and the tasks beside it.
//!
//! Invariant: the one place that knows which mode it is. Everything behind it works on ports.

mod pairing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::{EndpointExt, Response};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::pairing::{Allowed, Starts};
use crate::api::{self, ApiParts, Beside, BucketAddress, OwnHosts};
use crate::aws::{
    AwsSettings, dynamodb_client, judge_start, load_sdk_config, s3_client, s3_endpoint_url,
};
use crate::clock::{Clock, SystemClock};
use crate::config::{ApiSettings, Mode};
use crate::cors::CorsPolicy;
use crate::create_limits::{CreateLimit, CreateRate, PendingByAddress};
use crate::disk_space::{DiskSpace, ReservedSpace};
use crate::domain::ObjectKey;
use crate::local_mode::{self, LocalEndpoint, LocalStoreParts, SigningSecret};
use crate::metadata_store::dynamodb::{DynamoDbMetadataStore, TableUse};
use crate::metadata_store::sqlite::{LeftPending, SqliteMetadataStore, SqliteOptions};
use crate::object_store::disk::DiskObjectStore;
use crate::object_store::s3::S3ObjectStore;
use crate::operations::{OrphanSweeper, Reconciler, Stores};
use crate::presigned_url::{BucketUrl, Presigner, SigningCredentials};
use crate::service::{CallPermits, FileService};
use crate::store_marker::Pair;

/// The region that local mode signs for. Any text does; it is the same on both sides.
const LOCAL_REGION: &str = "local";
/// The stack's output with what the API may do.
const API_POLICY: &str = "ApiPolicy";
/// The records of local mode, below the data directory.
pub(crate) const LOCAL_METADATA_FILE: &str = "metadata.sqlite";

/// Connections that the kernel keeps until they are accepted. Those that find no room there come again
/// after a second, three, seven: too late to be told anything at once. The kernel may allow fewer
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 1024;

/// How long a stop may take: requests in hand first, and what is left of it for the files that they
/// left to be finalized. Supervisors kill after ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(9);
const _: () = assert!(api::server::DRAIN_TIMEOUT.as_secs() < STOP_LIMIT.as_secs());

/// Why the service can't start, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    pub fn new(what: &str, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// The service, ready to serve.
pub struct App {
    endpoint: poem::endpoint::BoxEndpoint<'static, Response>,
    stores: Stores,
    /// What runs beside the endpoint in local mode.
    local: Option<LocalTasks>,
    /// Tells the endpoint that the program stops.
    stop: CancellationToken,
}

struct LocalTasks {
    uploaded: mpsc::Receiver<ObjectKey>,
    reconciler: Reconciler,
    reconcile_interval: Duration,
    /// The stores that are marked as belonging together.
    marked: (Arc<SqliteMetadataStore>, DiskObjectStore),
    sweeper: OrphanSweeper,
    sweep_interval: Option<Duration>,
}

impl App {
    /// Opens the stores and puts the service together. Nothing is listened on yet.
    ///
    /// # Errors
    /// What can't be opened or found, and what to do.
    pub async fn build(settings: &ApiSettings) -> Result<Self, StartError> {
        match &settings.mode {
            Mode::Local { data_dir } => Self::build_local(settings, data_dir).await,
            Mode::Aws {
                s3_public_endpoint_url,
            } => Self::build_aws(settings, s3_public_endpoint_url.as_ref()).await,
        }
    }

    async fn build_local(
        settings: &ApiSettings,
        data_dir: &std::path::Path,
    ) -> Result<Self, StartError> {
        let what = format!("the data directory {}", data_dir.display());
        let objects = DiskObjectStore::open(data_dir).map_err(|e| StartError::new(&what, e))?;
        let space = DiskSpace::of(objects.data_dir()).map_err(|e| StartError::new(&what, e))?;
        let objects = objects.within(space.clone());
        // For as long as an upload may bring bytes that began while its URL worked.
        let lifecycle = settings.common.lifecycle;
        let longest = settings.upload_url_ttl + lifecycle.upload_grace;
        let objects = objects.with_uploads_lasting(longest);
        let data_dir = objects.data_dir();
        let secret =
            SigningSecret::load_or_create(data_dir).map_err(|e| StartError::new(&what, e))?;
        let reserved = ReservedSpace::in_directory(data_dir, space.clone())
            .map_err(|e| StartError::new(&what, e))?;
        let (create_limit, left_pending) = pending_limit(settings);
        let options = SqliteOptions {
            space,
            reserved: Some(reserved),
            max_pending: settings.limits.max_pending_files,
            left_pending,
        };
        let metadata = SqliteMetadataStore::open_with(&data_dir.join(LOCAL_METADATA_FILE), options)
            .map_err(|e| StartError::new(&what, e.chain()))?;
        let metadata = Arc::new(metadata);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stores = Stores {
            metadata: Arc::clone(&metadata) as _,
            objects: Arc::new(objects.clone()),
            clock: Arc::clone(&clock),
            lifecycle,
        };
        let pair = Pair {
            records: metadata.as_ref(),
            objects: &objects,
        };
        pairing::refuse_mismatch(pair, &stores).await?;
        let bucket = settings.common.bucket_name.clone();
        let public_bucket = match &settings.public_url {
            Some(url) => Some(
                BucketUrl::path_style(&url.to_string(), &bucket)
                    .map_err(|e| StartError::new("PUBLIC_URL", e))?,
            ),
            None => None,
        };
        let (uploaded, receiver) = mpsc::channel(local_mode::HAND_OFF_CAPACITY);
        let cors = CorsPolicy::new(settings.allowed_origins.clone());
        let marked = (Arc::clone(&metadata), objects.clone());
        let endpoint = LocalEndpoint::new(LocalStoreParts {
            objects,
            credentials: secret.credentials(),
            region: LOCAL_REGION.into(),
            bucket_name: bucket.clone(),
            public_bucket: public_bucket.clone(),
            upload_lifetime: settings.upload_url_ttl,
            download_lifetime: settings.download_url_ttl,
            cors: cors.clone(),
            clock,
            gate: Arc::new(stores.clone()),
            uploaded,
        });
        let address = public_bucket.map_or_else(
            || BucketAddress::RequestHost {
                bucket: bucket.clone(),
            },
            BucketAddress::Fixed,
        );
        let stop = CancellationToken::new();
        let service = FileService {
            stores: stores.clone(),
            presigner: presigner(settings, secret.credentials(), LOCAL_REGION)
                .naming_every_version(),
            create_limit,
            permits: CallPermits::new(settings.public_url.is_some()),
            stop: stop.clone(),
        };
        let public_url = settings.public_url.as_ref();
        let hosts = OwnHosts::of_this_machine(public_url, &settings.allowed_hosts);
        let parts = api_parts(settings, service, address, cors, hosts);
        let beside = Beside {
            path: format!("/{bucket}"),
            // In a box, so that what an upload takes along isn't a part of every request's future.
            below: endpoint.map_to_response().boxed(),
            elsewhere: api::endpoint(parts),
        };
        Ok(Self {
            endpoint: api::observed(beside, own_prefix(settings)).boxed(),
            local: Some(LocalTasks {
                uploaded: receiver,
                reconciler: Reconciler::new(stores.clone()),
                reconcile_interval: settings.common.reconcile_interval,
                marked,
                sweeper: OrphanSweeper::new(stores.clone(), settings.common.orphan_limit),
                sweep_interval: settings.common.orphan_sweep_interval,
            }),
            stores,
            stop,
        })
    }

    async fn build_aws(
        settings: &ApiSettings,
        s3_public_endpoint_url: Option<&http::Uri>,
    ) -> Result<Self, StartError> {
        let sdk = load_sdk_config(AwsSettings::default())
            .await
            .map_err(|e| StartError::new("the AWS settings", e))?;
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let bucket = &settings.common.bucket_name;
        let public_endpoint = s3_public_endpoint_url
            .map(ToString::to_string)
            .or_else(|| s3_endpoint_url(&sdk));
        let bucket_url = match public_endpoint {
            Some(endpoint) => BucketUrl::path_style(&endpoint, bucket),
            None => BucketUrl::virtual_hosted(bucket, &region),
        }
        .map_err(|e| StartError::new("the address of the bucket", e))?;
        let credentials = sdk.credentials_provider().ok_or_else(|| {
            StartError::new(
                "AWS credentials",
                "none are set: see the AWS_ variables or the AWS profile",
            )
        })?;
        let table_name = &settings.common.table_name;
        let metadata = DynamoDbMetadataStore::new(dynamodb_client(&sdk), table_name);
        let objects = S3ObjectStore::new(s3_client(&sdk), bucket.clone());
        let checks = async {
            let (table, bucket) = tokio::join!(
                metadata.check_start(TableUse::API, &region),
                objects.check_start(&region, API_POLICY)
            );
            [table, bucket].concat()
        };
        judge_start(checks)
            .await
            .map_err(|error| StartError(error.to_string()))?;
        let (metadata, objects) = (Arc::new(metadata), Arc::new(objects));
        let stores = Stores {
            metadata: Arc::clone(&metadata) as _,
            objects: Arc::clone(&objects) as _,
            clock: Arc::new(SystemClock),
            lifecycle: settings.common.lifecycle,
        };
        let pair = Pair {
            records: metadata.as_ref(),
            objects: objects.as_ref(),
        };
        pairing::pair_in_time(pair, &stores).await?;
        let stop = CancellationToken::new();
        let service = FileService {
            stores: stores.clone(),
            presigner: presigner(settings, SigningCredentials::new(credentials), &region),
            create_limit: create_rate(settings),
            // Clients come through a load balancer, and all have its address.
            permits: CallPermits::new(true),
            stop: stop.clone(),
        };
        let cors = CorsPolicy::new(settings.allowed_origins.clone());
        let address = BucketAddress::Fixed(bucket_url);
        let parts = api_parts(settings, service, address, cors, OwnHosts::Any);
        Ok(Self {
            endpoint: api::observed(api::endpoint(parts), own_prefix(settings)).boxed(),
            stores,
            local: None,
            stop,
        })
    }

    /// The stores that the service works on.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Serves until `shutdown`, then finishes what is in hand: requests first, then the files that
    /// they left to be finalized.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let beside = self.local.map(|local| {
            let stop = shutdown.clone();
            tokio::spawn(local.reconciler.run(local.reconcile_interval, stop.clone()));
            let sweeping = mark_and_sweep(
                self.stores.clone(),
                local.marked,
                local.sweeper,
                local.sweep_interval,
                stop,
            );
            tokio::spawn(sweeping);
            tokio::spawn(local_mode::finalize_uploads(self.stores, local.uploaded))
        });
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
        let (told, stop) = (shutdown.clone(), self.stop);
        let time_is_up = tokio::spawn(async move {
            told.cancelled().await;
            stop.cancel();
            tokio::time::sleep(STOP_LIMIT).await;
        });
        // When this returns the endpoint is gone, and with it the sender of the hand-off.
        api::server::serve(listener, self.endpoint, shutdown).await;
        if let Some(finalizing) = beside {
            tokio::select! {
                _ = finalizing => {}
                _ = time_is_up => {
                    tracing::warn!("some uploads are left to be finalized at the next start");
                }
            }
        }
    }
}

/// Marks the stores and counts the start, and from then on looks for orphans, unless the records are a copy
/// from before. A start that dies before it was counted counts as none, which hides only a copy of itself.
async fn mark_and_sweep(
    stores: Stores,
    (records, objects): (Arc<SqliteMetadataStore>, DiskObjectStore),
    sweeper: OrphanSweeper,
    interval: Option<Duration>,
    stop: CancellationToken,
) {
    let pair = Pair {
        records: records.as_ref(),
        objects: &objects,
    };
    match pairing::pair(pair, &stores, Starts::Counted).await {
        Ok(Allowed::Everything) => {
            if let Some(interval) = interval {
                sweeper.run(interval, stop).await;
            }
        }
        Ok(Allowed::NoSweep) => {}
        Err(error) => tracing::error!(%error, "no sweep runs"),
    }
}

/// What local mode lets an address create, and who has to be told what leaves `pending`.
fn pending_limit(settings: &ApiSettings) -> (CreateLimit, Option<LeftPending>) {
    let Some(limit) = settings.limits.max_pending_per_address else {
        return (CreateLimit::Off, None);
    };
    let pending = PendingByAddress::new(usize::try_from(limit).unwrap_or(usize::MAX));
    let told = pending.clone();
    let left_pending: LeftPending = Arc::new(move |id| told.forget(id));
    (CreateLimit::Pending(pending), Some(left_pending))
}

/// What aws mode lets an address create.
fn create_rate(settings: &ApiSettings) -> CreateLimit {
    let limit = settings.limits.max_creates_per_address;
    limit.map_or(CreateLimit::Off, |share| {
        CreateLimit::Rate(CreateRate::new(u32::try_from(share).unwrap_or(u32::MAX)))
    })
}

fn own_prefix(settings: &ApiSettings) -> String {
    api::own_prefix(settings.public_url.as_ref(), &settings.common.bucket_name)
}

fn presigner(settings: &ApiSettings, credentials: SigningCredentials, region: &str) -> Presigner {
    Presigner::new(
        credentials,
        region.to_owned(),
        settings.upload_url_ttl,
        settings.download_url_ttl,
    )
}

fn api_parts(
    settings: &ApiSettings,
    service: FileService,
    bucket: BucketAddress,
    cors: CorsPolicy,
    hosts: OwnHosts,
) -> ApiParts {
    ApiParts {
        service,
        bucket,
        path_prefix: api::path_prefix(settings.public_url.as_ref()),
        max_upload_bytes: settings.max_upload_bytes,
        cors,
        hosts,
    }
}

/// Binds the address that the service listens on.
///
/// # Errors
/// If it is taken or not this machine's.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|error| {
        StartError::new(
            &format!("can't listen on {address} (choose another with --listen)"),
            error,
        )
    })
}

/// As [`TcpListener::bind`], which lets no more than 128 connections wait.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Else nobody could listen here for a minute after a stop.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
