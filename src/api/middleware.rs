//! What every call of the API goes through: who calls, how often they may, the unversioned alias, HEAD, and problems
//! written in one form.
//!
//! Invariant: whatever goes wrong below is answered as a problem with a code. The line in the log is `observed`'s.

use std::sync::{Arc, Once};

use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use poem_openapi::error::ParseParamError;

use super::audited::AuditedRequests;
use super::browser_guard::{self, OwnHosts};
use super::call_context::{client_of, note_client};
use super::call_rates::{CallRates, Standing};
use super::document::Routes;
use super::file_page::{self, accepts_html};
use super::observed::RequestId;
use super::problem::{Code, FieldError, Problem};
use super::proof::SessionCookie;
use super::set_cookies::SetCookies;
use crate::access::{Admission, Caller, Gate, Proof};
use crate::capacity::Overloaded;
use crate::client_address::TrustedProxies;
use crate::clock::Clock;
use crate::cors::{CorsPolicy, CorsRules};
use crate::domain::Status;
use crate::metrics::{HttpMetrics, Refused};
use crate::own_paths;
use crate::request_log;
use crate::service::CallPermits;
use crate::web_page::{Busy, BusyPage, FailedSignIn, ForPeople, language_of};

/// What pages of allowed origins may do with the API.
const CORS: CorsRules = CorsRules {
    methods: "GET, HEAD, POST, PATCH, DELETE",
    // The last four are added to every request by what follows one through several services.
    request_headers: "authorization, content-type, idempotency-key, if-match, x-request-id, traceparent, tracestate, baggage, sentry-trace",
    exposed_headers: "ETag, Location, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id",
};

/// What is said to whoever showed too much that is wrong, or shares an address with them.
pub(super) const WRONG_TOO_OFTEN: &str =
    "too many keys or tokens that are none came from this address";

/// Who sends a call of the API, and to which host, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Identified {
    pub caller: Caller,
    pub host: Option<Authority>,
}

/// Who sends a request; nobody, where that isn't asked.
pub(super) fn caller_of(request: &Request) -> Caller {
    let identified = request.extensions().get::<Identified>();
    identified.map_or(Caller::Nobody, |identified| identified.caller.clone())
}

/// In the extensions of a request that was HEAD, and is answered as GET.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedForHead;

/// Around the API: `/files…` is `/v1/files…`, HEAD works wherever GET does, pages of allowed origins
/// may call and others change nothing, and whatever goes wrong is answered as a problem.
pub(super) struct ApiConventions<E> {
    pub inner: E,
    pub routes: Arc<Routes>,
    /// What a proxy puts before our paths, without a slash at its end.
    pub path_prefix: String,
    pub permits: CallPermits,
    pub cors: CorsPolicy,
    pub hosts: OwnHosts,
    pub gate: Arc<Gate>,
    pub rates: CallRates,
    pub trusted_proxies: TrustedProxies,
    /// Said once, to the operator.
    pub unknown_proxy: Once,
    pub cookie: SessionCookie,
    pub clock: Arc<dyn Clock>,
    pub audited: AuditedRequests,
    /// Where requests are measured, if they are.
    pub metrics: Option<HttpMetrics>,
    /// In place of a problem, for whoever signs in with a browser.
    pub failed_sign_in: FailedSignIn,
    /// The same where there is too much to do.
    pub busy_page: BusyPage,
}

impl<E: Endpoint> Endpoint for ApiConventions<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let id = request
            .extensions()
            .get::<RequestId>()
            .map_or_else(String::new, |id| id.0.clone());
        if let Some(uri) = versioned(request.uri()) {
            *request.uri_mut() = uri;
        }
        if let Some(metrics) = &self.metrics {
            request_log::note_route(metrics.route(request.uri().path()));
        }
        if request.method() == Method::HEAD {
            let allowed = self.routes.methods(request.uri().path());
            if !allowed.contains(&Method::HEAD) && allowed.contains(&Method::GET) {
                // The connection leaves the body out of an answer to HEAD.
                request.set_method(Method::GET);
                request.extensions_mut().insert(AskedForHead);
            }
        }
        // Cheap: a `Uri` shares its text. What it is for happens rarely.
        let uri = request.uri().clone();
        let wants_page = wants_page(&request);
        let prefix = &self.path_prefix;
        let asked = match self.cors.is_off() {
            true => HeaderMap::new(),
            false => request.headers().clone(),
        };
        note_client(&mut request, &self.trusted_proxies);
        let (refused, standing) = match browser_guard::judge(&request, &self.hosts, &self.cors) {
            Ok(host) => match self.identify(&mut request, host).await {
                Ok(()) => self.count(&request),
                Err(problem) => (Some(problem), None),
            },
            Err(problem) => (Some(problem), None),
        };
        if let Some(problem) = &refused {
            let (caller, code) = (caller_of(&request), problem.code);
            self.audited.refused(&request, &caller, "request", code);
        }
        let cookies = SetCookies::default();
        if uri.path().starts_with(own_paths::SESSION) {
            request.extensions_mut().insert(cookies.clone());
        }
        let preflight = (request.method() == Method::OPTIONS)
            .then(|| self.cors.preflight(&CORS, &asked))
            .flatten();
        let asks_for_methods = request.method() == Method::OPTIONS
            && !request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && !self.routes.methods(uri.path()).is_empty();
        let mut response = match (refused, preflight) {
            (Some(problem), _) => self.refusal(&problem, &request, &id),
            (None, Some(allowed)) => {
                let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
                response.headers_mut().extend(allowed);
                response
            }
            // What load balancers ask to see whether we are alive; the methods are added below.
            (None, None) if asks_for_methods => {
                Response::builder().status(StatusCode::NO_CONTENT).finish()
            }
            (None, None) if self.refuses(&request) => {
                self.refusal(&Code::Overloaded.plain(), &request, &id)
            }
            (None, None) => {
                // Some 5 KiB, which would be moved with the future of every layer above this one.
                let answering = Box::pin(self.inner.call(request));
                let response = match answering.await {
                    Ok(response) => response.into_response(),
                    Err(error) => refused_by_the_framework(error),
                };
                match problem_of(response) {
                    Ok(response) => response,
                    Err(problem) if wants_page => self.page_of(&problem, &id),
                    Err(problem) => problem.response(&id, prefix),
                }
            }
        };
        cookies.append_to(response.headers_mut());
        self.cors.decorate(&CORS, &asked, response.headers_mut());
        if response.status() == StatusCode::METHOD_NOT_ALLOWED || asks_for_methods {
            let allowed = self.routes.methods(uri.path());
            let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
            if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
                response.headers_mut().insert(header::ALLOW, value);
            }
        }
        let status = response.status();
        let headers = response.headers_mut();
        if let Some(standing) = standing {
            standing.say(status, headers);
        }
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers
            .entry(header::REFERRER_POLICY)
            .or_insert(HeaderValue::from_static("no-referrer"));
        Ok(response)
    }
}

impl<E> ApiConventions<E> {
    /// Leaves with a call of the API who sends it, for whoever builds its context.
    async fn identify(
        &self,
        request: &mut Request,
        host: Option<Authority>,
    ) -> Result<(), Problem> {
        let path = request.uri().path();
        if !is_for_callers(path) {
            return Ok(());
        }
        let is_page = own_paths::is_for_callers(path);
        let proof = Proof {
            address: client_of(request).map(|client| client.address),
            ..self.cookie.proof(request.headers())
        };
        match self.gate.admit(proof, self.clock.now()).await {
            Ok(Admission::As(caller)) => {
                request.extensions_mut().insert(Identified { caller, host });
                Ok(())
            }
            // A page tells nothing then, and what it asks the API for says why.
            _ if is_page && accepts_html(request.headers()) => Ok(()),
            Ok(Admission::BehindUnknownProxy) => Err(Code::UnknownProxy.plain()),
            // A browser brings what is left of an old session along, and sees to a new one now.
            Ok(Admission::TooManyTries(_)) if signs_in(request) => {
                let caller = Caller::Nobody;
                request.extensions_mut().insert(Identified { caller, host });
                Ok(())
            }
            Ok(Admission::TooManyTries(again_in)) => {
                request_log::note_refused(Refused::Tries);
                Err(Code::TooManyTries.with(WRONG_TOO_OFTEN).again_in(again_in))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Counts a call: why it is refused, if it is, and how its caller stands then.
    fn count(&self, request: &Request) -> (Option<Problem>, Option<Standing>) {
        if !is_for_callers(request.uri().path()) {
            return (None, None);
        }
        match self.rates.count(request, &self.routes) {
            Ok(standing) => (None, standing),
            Err((problem, standing)) => {
                request_log::note_refused(standing.counted_as());
                self.say_if_proxy_is_unknown(request);
                (Some(problem), Some(standing))
            }
        }
    }

    /// What a client could have written is no more than a hint, and once is enough.
    fn say_if_proxy_is_unknown(&self, request: &Request) {
        let is_told = client_of(request).is_none_or(|client| client.is_told_by_proxy);
        if !is_told && self.cookie.proof(request.headers()).is_forwarded {
            self.unknown_proxy.call_once(|| {
                tracing::warn!(
                    "a request that a proxy seems to bring was refused, since its address calls too often: if there is \
                     a proxy, name it in TRUSTED_PROXIES, or all its clients share one limit"
                );
            });
        }
    }

    /// A problem with a request that was answered by nobody yet. Whoever sits before a browser reads a page where they only
    /// have to wait, and the browser waits for them.
    fn refusal(&self, problem: &Problem, request: &Request, request_id: &str) -> Response {
        let is_busy = matches!(problem.code, Code::RateLimited | Code::Overloaded);
        match problem.retry_after_seconds {
            Some(again_in_seconds) if is_busy && is_read_by_people(request) => {
                let busy = Busy {
                    status: problem.code.status(),
                    code: problem.code.as_str(),
                    again_in_seconds,
                    request_id,
                };
                let language = language_of(request.headers());
                self.busy_page
                    .response(language, request.uri().path(), busy)
            }
            _ => problem.response(request_id, &self.path_prefix),
        }
    }

    /// A problem as a page for people.
    fn page_of(&self, problem: &Problem, request_id: &str) -> Response {
        let code = problem.code;
        // Whoever is signed in at the issuer would come back as the same person, again and again.
        let (start, again) = match code {
            Code::NoRole => ("start?prompt=login", "Sign in as somebody else"),
            _ => ("start", "Sign in again"),
        };
        let words = [
            ("product", "File Share"),
            ("start", start),
            ("again", again),
            ("title", code.title()),
            ("detail", &problem.detail),
            ("advice", code.advice()),
            ("code", code.as_str()),
            ("request_id", request_id),
        ];
        let mut response = self.failed_sign_in.response(code.status(), &words);
        problem.say_when_again(response.headers_mut());
        response
    }

    /// Whether there is no room for the request. Who asks whether the program is alive, or can work,
    /// gets the true answer also when it is full: a full program that is restarted for it does nobody
    /// good.
    fn refuses(&self, request: &Request) -> bool {
        let path = request.uri().path();
        let is_overloaded = request.extensions().get::<Overloaded>().is_some();
        let asks_for_health = matches!(path, own_paths::HEALTHZ | own_paths::READYZ);
        is_overloaded && !asks_for_health
            || self.permits.are_taken() && is_below(path, own_paths::API)
    }
}

/// Whether somebody is known to ask for this path: a call, or a page that isn't the same for all.
fn is_for_callers(path: &str) -> bool {
    own_paths::is_for_callers(path) || is_below(path, own_paths::API)
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The versioned form of an unversioned path of ours.
fn versioned(uri: &Uri) -> Option<Uri> {
    let text = uri.path_and_query()?.as_str();
    let rest = text.strip_prefix(own_paths::FILES)?;
    if !rest.is_empty() && !rest.starts_with(['/', '?']) {
        return None;
    }
    format!("{}{text}", own_paths::API).parse().ok()
}

/// An error that isn't one of ours: a parameter that the framework judged is named in our own words.
fn refused_by_the_framework(error: poem::Error) -> Response {
    let Some(parameter) = error.downcast_ref::<ParseParamError>() else {
        return error.into_response();
    };
    let message = match parameter.name {
        "limit" => "must be a whole number from 1 to 100".into(),
        "wait" => "must be a whole number of seconds from 0 to 20".into(),
        "status" => format!("must be {}", Status::choices()),
        "uploadMethod" => "must be PUT or POST".into(),
        "owner" => "must be all, or left out for your own files".into(),
        "prompt" => "must be login, or left out".into(),
        _ => "isn't right, or is there more than once".into(),
    };
    let error = FieldError {
        field: parameter.name,
        message,
    };
    Problem::fields(Code::InvalidRequest, vec![error]).into_response()
}

fn signs_in(request: &Request) -> bool {
    match request.uri().path() {
        own_paths::SESSION => request.method() == Method::POST,
        path => [own_paths::SIGN_IN_START, own_paths::SIGN_IN_CALLBACK].contains(&path),
    }
}

/// Whether a person sits before the browser that asks, and would read a problem's page: one that signs in at the
/// issuer.
fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    (path == own_paths::SIGN_IN_START || path == own_paths::SIGN_IN_CALLBACK)
        && accepts_html(request.headers())
}

/// Whether a browser asks for a page, and shows what it gets.
fn is_read_by_people(request: &Request) -> bool {
    wants_page(request)
        || own_paths::is_for_people(request.uri().path())
            && file_page::wants_page(request.headers())
}

/// The problem that a response stands for; an error of the framework's becomes one.
fn problem_of(mut response: Response) -> Result<Response, Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Err(problem);
    }
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<ForPeople>().is_some() {
        return Ok(response);
    }
    Err(match status {
        StatusCode::NOT_FOUND => Code::RouteNotFound.plain(),
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed.plain(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType.plain(),
        StatusCode::PAYLOAD_TOO_LARGE => Code::ContentTooLarge.with("the body is too large"),
        // What the framework says of itself would help nobody who doesn't know it.
        status if status.is_client_error() => Code::InvalidRequest.plain(),
        _ => {
            request_log::FAILED.log(|| tracing::error!("the framework failed"));
            Code::InternalError.plain()
        }
    })
}

/// A panic in a handler is a bug; it is answered as one, and the connection goes on.
pub(super) fn on_panic(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Code::InternalError.plain().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unversioned_paths_are_the_versioned_ones() {
        for (path, expected) in [
            ("/files", Some("/v1/files")),
            ("/files?limit=2", Some("/v1/files?limit=2")),
            (
                "/files/abc/metadata?wait=1",
                Some("/v1/files/abc/metadata?wait=1"),
            ),
            ("/filesystem", None),
            ("/v1/files", None),
            ("/", None),
        ] {
            let uri = versioned(&path.parse().unwrap());
            assert_eq!(uri.map(|u| u.to_string()).as_deref(), expected, "{path}");
        }
    }
}
