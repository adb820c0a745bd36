//! The HTTP API: wire shapes, problems, the contract, and the loop that serves them.
//!
//! Invariant: nothing of the inside shows. An error leaves here as a problem with a stable code, and
//! a record as the shape in `wire`.
//!
//! Absent on purpose: file content. No byte of a file goes through this module.

mod audited;
mod box_page;
mod boxes;
mod browser_guard;
mod call_context;
mod call_rates;
mod create_file_body;
mod cursor;
mod docs_pages;
mod document;
mod events;
mod examples;
mod file_page;
mod files;
pub mod gateway_event;
mod guide_page;
mod header_timer;
mod health;
mod holds;
mod idempotency_key;
mod json;
mod json_body;
mod json_text;
mod links;
mod middleware;
mod observed;
mod operation_errors;
mod pairings;
mod prefix_route;
mod problem;
mod problem_code;
mod proof;
mod public_urls;
mod receipts;
mod retention;
pub mod server;
mod session;
mod set_cookies;
mod shared_page;
mod sign_in;
mod slow_client_timeout;
mod tokens;
mod unread_body;
mod wire;

use std::sync::{Arc, Once};

use poem::http::Uri;
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};

use audited::AuditedRequests;
use box_page::BoxPageEndpoint;
use boxes::BoxesApi;
pub use browser_guard::OwnHosts;
pub use call_rates::CallRates;
use events::EventsApi;
use file_page::FilePage;
use files::FilesApi;
use guide_page::GuidePage;
use holds::HoldsApi;
use links::LinksApi;
pub use observed::RequestId;
use pairings::PairingsApi;
pub use prefix_route::PrefixRoute;
pub use proof::SessionCookie;
use public_urls::ServiceUrl;
pub use public_urls::{own_prefix, path_prefix};
use receipts::ReceiptsApi;
use retention::RetentionApi;
use session::SessionApi;
use shared_page::SharedPageEndpoint;
use sign_in::SignInApi;
use tokens::TokensApi;
#[cfg(feature = "fuzzing")]
pub(crate) use wire::{ListFilter, read_cursor, write_cursor};

use crate::access::Gate;
use crate::audit::AuditLog;
use crate::client_address::TrustedProxies;
use crate::clock::Clock;
use crate::cors::CorsPolicy;
use crate::metrics::HttpMetrics;
use crate::network_addresses::NetworkAddresses;
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::receipt::ReceiptKeys;
use crate::service::FileService;
use crate::web_page::{BusyPage, WebPage};

/// What the API needs to answer.
pub struct ApiParts {
    /// The operations.
    pub service: Arc<FileService>,
    /// What verifies receipts.
    pub receipt_keys: Arc<ReceiptKeys>,
    /// Where clients reach the bucket.
    pub bucket: BucketAddress,
    /// The URL under which clients reach the service; `None`: the host that each request came to.
    pub public_url: Option<Uri>,
    /// The largest file, in bytes.
    pub max_upload_bytes: u64,
    /// Which pages of other origins may call.
    pub cors: CorsPolicy,
    /// The host names that are answered to.
    pub hosts: OwnHosts,
    /// Whom requests come from.
    pub gate: Arc<Gate>,
    /// How often they may call.
    pub rates: CallRates,
    /// Whose word counts on where requests come from.
    pub trusted_proxies: TrustedProxies,
    /// How a browser keeps its session.
    pub cookie: SessionCookie,
    /// Whether others than this machine reach the service and may do everything.
    pub is_open_to_others: bool,
    /// By which sessions end.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down who did what, if it is.
    pub audit: Option<Arc<AuditLog>>,
    /// Where requests are measured, if they are.
    pub metrics: Option<HttpMetrics>,
}

/// All calls of the contract.
pub fn endpoint(parts: ApiParts) -> impl Endpoint<Output = Response> + 'static {
    let permits = parts.service.permits().clone();
    let readiness = Arc::clone(&parts.service);
    let web_page = WebPage {
        store_origin: parts.bucket.fixed_origin(),
        download_origin: parts.service.download_origin(),
        max_upload_bytes: parts.max_upload_bytes,
        sign_in: parts.gate.sign_in_with(),
    };
    let path_prefix = path_prefix(parts.public_url.as_ref());
    let bucket = parts.bucket.clone();
    let service_url = ServiceUrl {
        public_url: parts.public_url,
        path_prefix: path_prefix.clone(),
        addresses: NetworkAddresses::default(),
    };
    let events = EventsApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
        path_prefix: path_prefix.clone(),
    };
    let holds = HoldsApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
    };
    let retention = RetentionApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
    };
    let receipts = ReceiptsApi {
        service: Arc::clone(&parts.service),
        keys: parts.receipt_keys,
        service_url: service_url.clone(),
        bucket: parts.bucket.clone(),
    };
    let links = LinksApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
        service_url: service_url.clone(),
    };
    let shared_page = Arc::new(SharedPageEndpoint {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
        service_url: service_url.clone(),
        gate: Arc::clone(&parts.gate),
        page: web_page.shared(),
    });
    let boxes = BoxesApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
        service_url: service_url.clone(),
        max_upload_bytes: parts.max_upload_bytes,
    };
    let box_page = BoxPageEndpoint {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket.clone(),
        service_url: service_url.clone(),
        page: web_page.clone(),
    };
    let files = FilesApi {
        service: Arc::clone(&parts.service),
        bucket: parts.bucket,
        path_prefix: path_prefix.clone(),
        max_upload_bytes: parts.max_upload_bytes,
    };
    let audited = AuditedRequests {
        log: parts.audit,
        clock: Arc::clone(&parts.clock),
    };
    let session = SessionApi {
        audited: audited.clone(),
        gate: Arc::clone(&parts.gate),
        cookie: parts.cookie.clone(),
        clock: Arc::clone(&parts.clock),
        service_url: service_url.clone(),
        service: parts.service,
        is_open_to_others: parts.is_open_to_others,
    };
    let sign_in = SignInApi {
        audited: audited.clone(),
        gate: Arc::clone(&parts.gate),
        cookie: parts.cookie.clone(),
        clock: Arc::clone(&parts.clock),
        service_url: service_url.clone(),
    };
    let tokens = TokensApi {
        audited: audited.clone(),
        gate: Arc::clone(&parts.gate),
        cookie: parts.cookie.clone(),
        clock: Arc::clone(&parts.clock),
    };
    let pairings = PairingsApi {
        audited: audited.clone(),
        gate: Arc::clone(&parts.gate),
        cookie: parts.cookie.clone(),
        clock: Arc::clone(&parts.clock),
        service_url: service_url.clone(),
    };
    let service = document::service((
        files, events, holds, retention, links, receipts, boxes, session, sign_in, tokens, pairings,
    ));
    let (pages, routes) = docs_pages::docs_pages(&service, web_page.store_sources().as_deref());
    if let Some(metrics) = &parts.metrics {
        metrics.route_by(routes.templates());
    }
    let failed_sign_in = web_page.failed_sign_in();
    let pages = web_page.mount(pages);
    let guide = GuidePage {
        service_url: service_url.clone(),
        page: web_page.clone(),
    };
    let file_page = Arc::new(FilePage {
        service: Arc::clone(&readiness),
        bucket,
        service_url,
        page: web_page,
        asks: parts.gate.asks(),
    });
    let pages = pages
        .at(own_paths::SHARED_PAGES, shared_page)
        .at(own_paths::GUIDE, poem::get(guide))
        .at(own_paths::BOX_PAGES, poem::get(box_page))
        .at(
            own_paths::route(own_paths::FILE_PAGE),
            poem::get(Arc::clone(&file_page)),
        )
        .at(
            own_paths::route(own_paths::FILE_PAGE_WITH_SLASH),
            poem::get(file_page),
        )
        .at(own_paths::HEALTHZ, poem::get(health::healthz))
        .at(
            own_paths::READYZ,
            poem::get(health::readyz)
                .data(readiness)
                .data(Arc::clone(&parts.gate)),
        );
    let routed = PrefixRoute {
        path: own_paths::API.into(),
        below: service.into_endpoint(),
        elsewhere: pages.map_to_response(),
    }
    .with(CatchPanic::new().with_handler(middleware::on_panic));
    middleware::ApiConventions {
        inner: routed,
        routes: Arc::new(routes),
        path_prefix,
        permits,
        cors: parts.cors,
        hosts: parts.hosts,
        gate: parts.gate,
        rates: parts.rates,
        trusted_proxies: parts.trusted_proxies,
        unknown_proxy: Once::new(),
        cookie: parts.cookie,
        clock: parts.clock,
        audited,
        metrics: parts.metrics,
        failed_sign_in,
        busy_page: BusyPage::default(),
    }
}

/// The whole program's endpoint: the API, and what else is mounted beside it, under one observer, which
/// takes `path_prefix` off the paths that have it, and measures requests if that is wanted.
pub fn observed<E: Endpoint + 'static>(
    inner: E,
    path_prefix: String,
    metrics: Option<HttpMetrics>,
) -> impl Endpoint<Output = Response> + 'static {
    observed::Observed {
        inner,
        path_prefix,
        metrics,
    }
}
