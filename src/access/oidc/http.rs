//! Asks an issuer.
//!
//! Invariant: nothing waits longer than [`WHOLE`], nothing longer than [`MAX_BODY_BYTES`] is kept, and nothing is
//! sent where it could be read on its way.
//!
//! Absent on purpose: redirects, which would let an address that was judged lead to one that wasn't; proxies of the
//! environment; kept connections, since an issuer is asked some times an hour.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::config::is_this_machine;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take, all in all.
pub(super) const WHOLE: Duration = Duration::from_secs(10);
/// How long an answer may be, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;
/// How much of what went wrong is repeated, in characters.
const MAX_CAUSE_CHARACTERS: usize = 200;

/// An answer, whatever its status says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A client for one issuer.
#[derive(Debug)]
pub(super) enum Http {
    /// An issuer on this machine, by plain HTTP.
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Http {
    /// A client for an issuer of this URL. It connects to nothing yet.
    ///
    /// # Errors
    /// The system's certificates can't be read.
    pub(super) fn for_issuer(issuer: &str) -> Result<Self, std::io::Error> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        if issuer.starts_with("http://") {
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

    /// Whether this is an address that this client may ask, or send people to: no less protected than the issuer.
    pub(super) fn may_ask(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default();
        let named = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
        match self {
            Self::Plain(_) => named && uri.scheme_str() == Some("http") && is_this_machine(host),
            Self::Tls(_) => named && uri.scheme_str() == Some("https") && !host.is_empty(),
        }
    }

    pub(super) async fn get(&self, uri: &Uri) -> Result<Answer, String> {
        self.send(uri, Request::get(uri), Bytes::new()).await
    }

    /// Posts a form. The authorization, if there is one, is marked so that nothing prints it.
    pub(super) async fn post_form(
        &self,
        uri: &Uri,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, String> {
        let mut request =
            Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(mut value) = authorization {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        self.send(uri, request, form.into()).await
    }

    async fn send(
        &self,
        uri: &Uri,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, String> {
        if !self.may_ask(uri) {
            return Err("its address isn't one that may be asked".into());
        }
        let request = request
            .header(ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|_| "the request can't be written")?;
        let whole = tokio::time::timeout(WHOLE, self.exchange(request));
        match whole.await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", WHOLE.as_secs())),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        };
        let (head, body) = answer.map_err(|error| cause(&error))?.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                format!("the answer is longer than {MAX_BODY_BYTES} bytes")
            } else {
                cause(error.as_ref())
            }
        })?;
        Ok(Answer {
            status: head.status,
            body: body.to_bytes(),
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
