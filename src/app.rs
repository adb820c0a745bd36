//! The API program put together: settings → stores → endpoint, and the tasks beside it.
//!
//! Invariant: which stores there are is decided in `stores`. Everything behind that works on ports.

mod audit;
mod function;
mod gate;
mod greeting;
mod receipts;
mod serving;

use std::sync::Arc;

use aws_config::SdkConfig;
use poem::{EndpointExt, Response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use gate::RequiredKey;
pub use greeting::Greeting;
pub use serving::listen;
use serving::{Counted, LocalTasks};

use crate::access::Gate;
use crate::api::{self, ApiParts, CallRates, OwnHosts, PrefixRoute, SessionCookie};
use crate::audit::AuditLog;
use crate::aws::s3_endpoint_url;
use crate::boxes::Boxes;
use crate::capability_token::CapabilityKeys;
use crate::config::{ApiSettings, Mode};
use crate::cors::CorsPolicy;
use crate::create_limits::{CreateLimit, PendingByAddress};
use crate::download_edge;
use crate::file_events::EventWriter;
use crate::item_store::ItemStore;
use crate::links::Links;
use crate::local_mode::{self, LocalEndpoint, LocalStoreParts, SigningSecret};
use crate::metadata_store::hand_ins::HandInStore;
use crate::metadata_store::sqlite::LeftPending;
use crate::metrics::{HttpMetrics, Metrics, Watched};
use crate::object_store::disk::DiskObjectStore;
use crate::operations::{OrphanSweeper, Reconciler, Stores};
use crate::passwords::Passwords;
use crate::presigned_url::{BucketAddress, BucketUrl, EdgeSigner, Presigner, SigningCredentials};
use crate::receipt::ReceiptKeys;
use crate::service::{CallPermits, FileService, ServiceParts};
use crate::store_marker::MarkedStore;
pub use crate::stores::StartError;
use crate::stores::{self, Access, OpenStores, ServeOptions, StoreChoices, UrlSource};
use crate::traces::Exporter;
use crate::webhooks::{Deliverer, Webhooks};

/// The region that local mode signs for. Any text does; it is the same on both sides.
const LOCAL_REGION: &str = "local";

/// The service, ready to serve.
pub struct App {
    endpoint: poem::endpoint::BoxEndpoint<'static, Response>,
    stores: Stores,
    /// Sessions, API tokens and the like.
    items: Arc<dyn ItemStore>,
    /// What runs beside the endpoint in local mode.
    local: Option<LocalTasks>,
    /// What callers have to show, if they have to.
    key: Option<RequiredKey>,
    /// Where it is written down who did what, if it is.
    audit: Option<Arc<AuditLog>>,
    /// Writes what happens to files, if that is kept.
    event_writer: Option<EventWriter>,
    /// What tells traces.
    traces: Exporter,
    /// Tells the endpoint that the program stops.
    stop: CancellationToken,
}

/// The records, what is kept beside them, boxes, and what is to be told.
type AllRecords = (Stores, Arc<dyn ItemStore>, Arc<dyn HandInStore>, Webhooks);

impl App {
    /// Opens the stores and puts the service together. Nothing is listened on yet.
    ///
    /// # Errors
    /// What can't be opened or found, and what to do.
    pub async fn build(settings: &ApiSettings) -> Result<Self, StartError> {
        Self::build_on(settings, &StoreChoices::of_mode(&settings.mode)).await
    }

    /// The same with other stores than the mode's.
    ///
    /// # Errors
    /// As there.
    pub async fn build_on(
        settings: &ApiSettings,
        choices: &StoreChoices,
    ) -> Result<Self, StartError> {
        let (create_limit, left_pending) = match &settings.mode {
            Mode::Local { .. } => pending_limit(settings),
            Mode::Aws { .. } => (CreateLimit::Off, None),
        };
        let access = Access::Serve(ServeOptions {
            // For as long as an upload may bring bytes that began while its URL worked.
            longest_upload: settings.upload_url_ttl + settings.common.lifecycle.upload_grace,
            max_pending: settings.limits.max_pending_files,
            left_pending,
            quotas: settings.quotas.clone(),
        });
        let opened = stores::open(choices, &settings.common, access).await?;
        opened.start().await?;
        let counted = opened.count_start();
        let OpenStores {
            stores,
            items,
            hand_ins,
            webhooks,
            traces,
            urls,
            sdk,
            ..
        } = opened;
        let app = match (urls, sdk) {
            (
                UrlSource::Local {
                    objects,
                    secret: Some(secret),
                },
                _,
            ) => {
                // Before this start marks them. Only a hint depends on it, so a fault is none.
                let marker = objects.marker().await;
                let is_known = marker.is_ok_and(|marker| marker.is_some());
                Self::beside_its_store(
                    settings,
                    (stores, items, hand_ins, webhooks),
                    (objects, is_known),
                    &secret,
                    create_limit,
                    Box::pin(counted),
                )
            }
            (_, Some(sdk)) => {
                let records = (stores, items, hand_ins, webhooks);
                Self::before_s3(settings, records, &sdk, create_limit)
            }
            (_, None) => Err(StartError::new("the stores", "nothing signs their URLs")),
        };
        app.map(|app| Self { traces, ..app })
    }

    /// The API, and the endpoint that takes and gives bytes. `is_known`: whether a start used the objects before.
    fn beside_its_store(
        settings: &ApiSettings,
        (stores, items, hand_ins, webhooks): AllRecords,
        (objects, is_known): (DiskObjectStore, bool),
        secret: &SigningSecret,
        create_limit: CreateLimit,
        counted: Counted,
    ) -> Result<Self, StartError> {
        let bucket = settings.common.bucket_name.clone();
        let address = match &settings.public_url {
            Some(url) => BucketUrl::path_style(&url.to_string(), &bucket)
                .map(BucketAddress::Fixed)
                .map_err(|e| StartError::new("PUBLIC_URL", e))?,
            None => BucketAddress::RequestHost {
                bucket: bucket.clone(),
            },
        };
        let (policy, key) = gate::policy(settings, objects.data_dir())?;
        let deliverer = Deliverer::new(&webhooks, settings.common.webhooks.as_ref(), &stores)
            .map_err(|e| StartError::new("the system's certificates, for WEBHOOK_URL", e))?;
        let audit = audit::open(settings, &policy, objects.data_dir(), &*stores.clock)?;
        let (stores, event_writer) = audit::events(audit.is_some(), stores, &items);
        let deletions = audit.clone();
        let deletions = deletions.map(|log| audit::deletions(log, Arc::clone(&stores.clock)));
        let data_dir = receipts::DataDir {
            path: objects.data_dir(),
            is_known,
        };
        let receipt_keys = receipts::keys(settings, Some(data_dir))?;
        let keys = gate::link_keys(settings, Some(objects.data_dir()))?;
        let (links, boxes) = links_and_boxes(settings, &items, hand_ins, &keys);
        let links = links.telling(webhooks.clone());
        let rates = gate::call_rates(settings, &policy);
        let gate = gate::gate(settings, policy, &items, keys);
        let (uploaded, receiver) = mpsc::channel(local_mode::FINALIZE_QUEUE_CAPACITY);
        let cors = CorsPolicy::new(settings.allowed_origins.clone());
        let endpoint = LocalEndpoint::new(LocalStoreParts {
            objects,
            credentials: secret.credentials(),
            region: LOCAL_REGION.into(),
            bucket_name: bucket.clone(),
            bucket: address.clone(),
            upload_lifetime: settings.upload_url_ttl,
            download_lifetime: settings.download_url_ttl,
            cors: cors.clone(),
            clock: Arc::clone(&stores.clock),
            gate: Arc::new(stores.clone()),
            uploaded,
        });
        let stop = CancellationToken::new();
        // Else addresses are those of clients.
        let no_proxy_is_known = settings.rates.trusted_proxies.is_empty();
        let service = FileService::new(ServiceParts {
            stores: stores.clone(),
            links,
            boxes,
            presigner: presigner(settings, secret.credentials(), LOCAL_REGION)
                .naming_every_version(),
            receipt_keys: Arc::clone(&receipt_keys),
            create_limit,
            allowed_types: settings.allowed_types.clone(),
            audit: audit.clone(),
            permits: CallPermits::new(settings.public_url.is_some() && no_proxy_is_known),
            stop: stop.clone(),
        });
        let public_url = settings.public_url.as_ref();
        let hosts = OwnHosts::of_this_machine(public_url, &settings.allowed_hosts);
        let whom = (hosts, gate, rates, audit.clone());
        let service = (service, receipt_keys);
        let metrics = HttpMetrics::of(&stores.metrics);
        count_audit_failures(&stores.metrics, audit.as_ref());
        let measured = (&stores, metrics.clone());
        let parts = api_parts(settings, service, address, cors, whom, measured);
        let routed = PrefixRoute {
            path: format!("/{bucket}"),
            // In a box, so that what an upload takes along isn't a part of every request's future.
            below: endpoint.map_to_response().boxed(),
            elsewhere: api::endpoint(parts),
        };
        Ok(Self {
            endpoint: api::observed(routed, own_prefix(settings), metrics).boxed(),
            local: Some(LocalTasks {
                uploaded: receiver,
                reconciler: Reconciler::new(stores.clone()).logging_to(deletions),
                reconcile_interval: settings.common.reconcile_interval,
                sweeper: OrphanSweeper::new(stores.clone(), settings.common.orphan_limit),
                counted,
                sweep_interval: settings.common.orphan_sweep_interval,
                deliverer,
            }),
            stores,
            items,
            key,
            audit,
            event_writer,
            traces: Exporter::off(),
            stop,
        })
    }

    /// The API alone; the bytes go to a bucket.
    fn before_s3(
        settings: &ApiSettings,
        (stores, items, hand_ins, webhooks): AllRecords,
        sdk: &SdkConfig,
        create_limit: CreateLimit,
    ) -> Result<Self, StartError> {
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let bucket = &settings.common.bucket_name;
        let public_endpoint = match &settings.mode {
            Mode::Aws {
                s3_public_endpoint_url: Some(url),
            } => Some(url.to_string()),
            _ => s3_endpoint_url(sdk),
        };
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
        let policy = gate::policy_beside_s3(settings)?;
        let audit = audit::open_on_standard_output(settings, &policy, &*stores.clock)?;
        let (stores, event_writer) = audit::events(audit.is_some(), stores, &items);
        let receipt_keys = receipts::keys(settings, None)?;
        let keys = gate::link_keys(settings, None)?;
        let (links, boxes) = links_and_boxes(settings, &items, hand_ins, &keys);
        let links = links.telling(webhooks);
        let stop = CancellationToken::new();
        let service = FileService::new(ServiceParts {
            stores: stores.clone(),
            links,
            boxes,
            presigner: presigner(settings, SigningCredentials::new(credentials), &region)
                .with_downloads_by(edge_signer(settings)?),
            receipt_keys: Arc::clone(&receipt_keys),
            create_limit,
            allowed_types: settings.allowed_types.clone(),
            audit: audit.clone(),
            // Clients come through a load balancer, and all have its address if it isn't believed.
            permits: CallPermits::new(settings.rates.trusted_proxies.is_empty()),
            stop: stop.clone(),
        });
        let cors = CorsPolicy::new(settings.allowed_origins.clone());
        let address = BucketAddress::Fixed(bucket_url);
        let rates = gate::call_rates(settings, &policy);
        let gate = gate::gate(settings, policy, &items, keys);
        let public_url = settings.public_url.clone();
        let whom = (OwnHosts::Any { public_url }, gate, rates, audit.clone());
        let service = (service, receipt_keys);
        let metrics = HttpMetrics::of(&stores.metrics);
        count_audit_failures(&stores.metrics, audit.as_ref());
        let measured = (&stores, metrics.clone());
        let parts = api_parts(settings, service, address, cors, whom, measured);
        Ok(Self {
            endpoint: api::observed(api::endpoint(parts), own_prefix(settings), metrics).boxed(),
            stores,
            items,
            local: None,
            key: None,
            audit,
            event_writer,
            traces: Exporter::off(),
            stop,
        })
    }

    /// The stores that the service works on.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Takes the address where metrics are scraped, if there is one, and answers there until `stop`.
    ///
    /// # Errors
    /// If it is taken or not this machine's.
    pub fn serve_metrics(
        &self,
        settings: &ApiSettings,
        stop: &CancellationToken,
    ) -> Result<(), StartError> {
        stores::serve_metrics(&self.stores, settings.common.metrics_listen, stop)
    }

    /// Where sessions, API tokens and the like are kept.
    pub fn items(&self) -> &Arc<dyn ItemStore> {
        &self.items
    }

    /// The key that callers have to show; `None` if they don't have to.
    pub fn key(&self) -> Option<&RequiredKey> {
        self.key.as_ref()
    }
}

/// What passes files on, and where others hand them in. Work on passwords has one bound for both.
fn links_and_boxes(
    settings: &ApiSettings,
    items: &Arc<dyn ItemStore>,
    hand_ins: Arc<dyn HandInStore>,
    keys: &CapabilityKeys,
) -> (Links, Boxes) {
    let passwords = Arc::new(Passwords::new(settings.rates.secret));
    let links = Links::new(Arc::clone(items), keys.clone(), Arc::clone(&passwords));
    let (items, largest) = (Arc::clone(items), settings.max_upload_bytes);
    let boxes = Boxes::new(items, hand_ins, keys.clone(), passwords, largest);
    let boxes = match settings.oidc {
        Some(_) => boxes,
        None => boxes.without_sign_in(),
    };
    (links, boxes)
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

/// What signs downloads where they lead to a distribution.
fn edge_signer(settings: &ApiSettings) -> Result<Option<EdgeSigner>, StartError> {
    let signer = settings.downloads.as_ref().map(download_edge::signer);
    let signer = signer.transpose();
    signer.map_err(|error| StartError::new(download_edge::KEY_SETTING, error))
}

fn api_parts(
    settings: &ApiSettings,
    (service, receipt_keys): (FileService, Arc<ReceiptKeys>),
    bucket: BucketAddress,
    cors: CorsPolicy,
    (hosts, gate, rates, audit): (OwnHosts, Gate, CallRates, Option<Arc<AuditLog>>),
    (stores, metrics): (&Stores, Option<HttpMetrics>),
) -> ApiParts {
    ApiParts {
        service: Arc::new(service),
        receipt_keys,
        bucket,
        public_url: settings.public_url.clone(),
        max_upload_bytes: settings.max_upload_bytes,
        cors,
        hosts,
        gate: Arc::new(gate),
        rates,
        trusted_proxies: settings.rates.trusted_proxies.clone(),
        cookie: session_cookie(settings),
        is_open_to_others: settings.is_open_to_others(),
        clock: Arc::clone(&stores.clock),
        audit,
        metrics,
    }
}

fn count_audit_failures(metrics: &Metrics, audit: Option<&Arc<AuditLog>>) {
    if let Some(log) = audit {
        let log = Arc::clone(log);
        metrics.watch(move || Watched::AuditFailures(log.failures()));
    }
}

/// Told apart from those of other services on this host by the path before it, or by its port.
fn session_cookie(settings: &ApiSettings) -> SessionCookie {
    match &settings.public_url {
        Some(url) => SessionCookie::new(url.scheme_str() == Some("https"), url.path()),
        None => SessionCookie::new(false, &settings.listen.port().to_string()),
    }
}
