//! Asks other services.
//!
//! Invariant: nothing waits longer than it was told to, nothing longer than was allowed is kept of an answer, and nothing
//! is sent where it could be read on its way.
//!
//! Absent on purpose: redirects, which would let an address that was judged lead to one that wasn't; proxies of the
//! environment; kept connections, since those that are asked here are asked now and then.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::config::is_this_machine;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How much of what went wrong is repeated, in characters.
const MAX_CAUSE_CHARACTERS: usize = 200;

/// An answer, whatever its status says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    #[cfg_attr(
        not(feature = "server"),
        expect(dead_code, reason = "who tells a URL something reads no answer")
    )]
    pub(crate) body: Bytes,
}

/// What an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long, all in all.
    pub(crate) whole: Duration,
    /// How long its body may be, in bytes; `None`: nobody wants to know what is in it, and nothing of it is read.
    pub(crate) max_body_bytes: Option<usize>,
}

/// A client for one service.
#[derive(Debug)]
pub(crate) enum HttpsClient {
    /// A service on this machine, by plain HTTP.
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl HttpsClient {
    /// A client for a service at this URL. It connects to nothing yet.
    ///
    /// # Errors
    /// The system's certificates can't be read.
    pub(crate) fn of(url: &str) -> Result<Self, std::io::Error> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        if url.starts_with("http://") {
            return Ok(Self::Plain(builder.build(connector)));
        }
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self::Tls(builder.build(connector)))
    }

    /// Whether this is an address that this client may ask, or send people to: no less protected than the service's.
    pub(crate) fn may_ask(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default();
        let named = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
        match self {
            Self::Plain(_) => named && uri.scheme_str() == Some("http") && is_this_machine(host),
            Self::Tls(_) => named && uri.scheme_str() == Some("https") && !host.is_empty(),
        }
    }

    /// What is answered to this request, within these bounds.
    ///
    /// # Errors
    /// In words that repeat nothing of the request.
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
        bounds: Bounds,
    ) -> Result<Answer, String> {
        let request = request
            .body(Full::new(body))
            .map_err(|_| "the request can't be written")?;
        if !self.may_ask(request.uri()) {
            return Err("its address isn't one that may be asked".into());
        }
        let whole = tokio::time::timeout(bounds.whole, self.exchange(request, bounds));
        match whole.await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", bounds.whole.as_secs())),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<Answer, String> {
        let answer = match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        };
        let (head, body) = answer.map_err(|error| cause(&error))?.into_parts();
        let body = match bounds.max_body_bytes {
            None => Bytes::new(),
            Some(limit) => {
                let body = Limited::new(body, limit).collect().await;
                let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                    true => format!("the answer is longer than {limit} bytes"),
                    false => cause(error.as_ref()),
                });
                body?.to_bytes()
            }
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

/// The last of the causes says what happened; those before it say that something did.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let shown = text.chars().filter(|it| !it.is_control());
    shown.take(MAX_CAUSE_CHARACTERS).collect()
}
