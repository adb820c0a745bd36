//! The outermost layer of a request: its ID, its line in the log, its figures, its trace, and the prefix that a proxy left on its
//! path.
//!
//! Invariant: no query string is logged, since a presigned URL's secret is in its query, and no token of a path.

use std::pin::pin;
use std::time::Instant;

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use poem::{Endpoint, Request, Response, Result};
use tracing::Instrument;
use uuid::Uuid;

use crate::metrics::{HttpMetrics, Refused};
use crate::own_paths::{HEALTHZ, READYZ};
use crate::request_log::{self, Noted, cut, without_tokens};
use crate::traces::{self, Ended, Kind, Link, Value};

/// What a request is known by, in our log and to whoever sent it.
pub(super) const X_REQUEST_ID: &str = "x-request-id";
/// What a caller's own trace is known by, as the W3C has it.
const TRACEPARENT: &str = "traceparent";
/// What we take from a client as the ID of its request, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// The ID of a request, in its extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The outermost layer: gives every request an ID and a line in the log: at `debug` if the records tell
/// what it did, else at `info`.
///
/// A proxy may leave the prefix of the public URL on our paths, or take it off.
pub(super) struct Observed<E> {
    pub inner: E,
    /// Taken off if a path begins with it; empty for none.
    pub path_prefix: String,
    /// Where requests are measured, if they are.
    pub metrics: Option<HttpMetrics>,
}

impl<E: Endpoint> Endpoint for Observed<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = request_id(request.headers());
        request.extensions_mut().insert(RequestId(id.clone()));
        let started = Instant::now();
        let under_way = self.metrics.as_ref().map(HttpMetrics::begin);
        let method = request.method().clone();
        let path = cut(&without_tokens(request.uri().path())).into_owned();
        if let Some(uri) = without_prefix(request.uri(), &self.path_prefix) {
            *request.uri_mut() = uri;
        }
        let is_about_health = [HEALTHZ, READYZ].contains(&request.uri().path());
        let link = request.headers().get(TRACEPARENT);
        let link = link.and_then(|it| Link::of_traceparent(it.to_str().ok()?));
        let span = tracing::info_span!("request", request_id = %id);
        // Pinned, since some KiB would otherwise be moved from future to future.
        let answering = pin!(self.inner.get_response(request).instrument(span.clone()));
        let ended = |(response, noted): &(Response, Noted)| Ended {
            name: noted.operation.unwrap_or("request"),
            has_failed: response.status().is_server_error(),
            attributes: vec![
                ("http.request.method", Value::Word(word_of(&method))),
                (
                    "http.response.status_code",
                    Value::Number(i64::from(response.status().as_u16())),
                ),
            ],
        };
        let answering = request_log::with_notes(answering);
        let (mut response, noted) = match is_about_health {
            true => answering.await,
            false => traces::journey(Kind::Server, link, answering, ended).await,
        };
        let operation = noted.operation;
        drop(under_way);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let took = started.elapsed();
        if let Some(metrics) = &self.metrics {
            // What the API's own layer didn't see is a call of the store.
            let route = noted.route.unwrap_or_else(|| metrics.objects());
            metrics.answered(route, &method, response.status(), took);
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                metrics.refused(noted.refused.unwrap_or(Refused::Other));
            }
        }
        let millis = took.as_secs_f64() * 1000.0;
        let status = response.status().as_u16();
        span.in_scope(|| {
            let answered = || {
                let method = cut(method.as_str());
                tracing::info!(%method, path, operation, status, millis, "answered");
            };
            // What succeeds is the most by far and says the least, since its file has a record: a line for
            // each would be a sixth of a download's cost here, and an eighth of a create's. A deletion
            // leaves none for long.
            match status {
                500.. => request_log::FAILED.log(answered),
                400.. => request_log::REFUSED.log(answered),
                _ if method == Method::DELETE => answered(),
                _ => tracing::debug!(%method, path, operation, status, millis, "answered"),
            }
        });
        Ok(response)
    }
}

/// The method, if it is one that there is.
fn word_of(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}

/// The client's own ID, if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| {
            (1..=MAX_REQUEST_ID_BYTES).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        })
        // Only to be told apart from others in a log: nothing has to be unguessable here.
        .map_or_else(
            || Uuid::from_u128(fastrand::u128(..)).simple().to_string(),
            str::to_owned,
        )
}

/// The path that a proxy didn't take its prefix off; `None` if there is none on it.
fn without_prefix(uri: &Uri, prefix: &str) -> Option<Uri> {
    if prefix.is_empty() {
        return None;
    }
    let text = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    let text = match text.chars().next() {
        Some('/') => text.to_owned(),
        None | Some('?') => format!("/{text}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_off_only_as_a_whole() {
        for (path, expected) in [
            ("/course/v1/files?limit=1", Some("/v1/files?limit=1")),
            ("/course/", Some("/")),
            ("/course", Some("/")),
            ("/course?x=1", Some("/?x=1")),
            ("/courses/v1", None),
            ("/v1/files", None),
            ("/v1/course/files", None),
        ] {
            let uri = without_prefix(&path.parse().unwrap(), "/course");
            assert_eq!(uri.map(|u| u.to_string()).as_deref(), expected, "{path}");
        }
        let absolute = "http://h:1/course/v1/files".parse().unwrap();
        let uri = without_prefix(&absolute, "/course").unwrap();
        assert_eq!(uri.to_string(), "http://h:1/v1/files");
        assert_eq!(without_prefix(&"/v1/files".parse().unwrap(), ""), None);
    }

    #[test]
    fn a_clients_request_id_is_taken_over_only_if_it_is_harmless() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_static(value));
            request_id(&headers)
        };
        assert_eq!(with("order-7_a.b"), "order-7_a.b");
        for bad in ["", "a b", "\"><script>", "a\tb"] {
            assert_ne!(with(bad), bad);
        }
        let own = request_id(&HeaderMap::new());
        assert!(own.len() == 32 && own.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(own, request_id(&HeaderMap::new()));
    }
}
