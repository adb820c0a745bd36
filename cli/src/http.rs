//! Requests and answers over HTTP/1.1 and TLS, each with a limit on silence.
//!
//! **Invariant:** whoever says nothing for [`SILENCE`] is given up; how long a transfer takes
//! altogether is limited by the caller.
//!
//! **Absent on purpose:** redirects: where to go next is a decision of the contract's.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};

use crate::error::CliError;
use crate::proxies::{Dial, Proxies};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long either side may do nothing. Longer than the longest `wait` of the contract, 20 s.
pub(crate) const SILENCE: Duration = Duration::from_secs(45);

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Why there is no answer that can be used.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub why: NoAnswerReason,
    pub cause: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswerReason {
    /// Nobody took the connection, so nothing was done.
    NeverConnected,
    /// Whoever took it has a certificate that this machine doesn't accept, so nothing was done.
    Untrusted,
    /// It broke off, or was silent for too long: whether something was done isn't known.
    Broken,
    /// It is longer than any that makes sense, and would be the next time.
    TooLong,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)
    }
}

/// Counts what of a body has been sent, so that slow and silent can be told apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(Arc<AtomicU64>);

impl Sent {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<Dial>, Body>,
    proxies: Proxies,
}

impl Http {
    /// A client that goes through the proxies that the environment names. It connects to nothing yet.
    ///
    /// # Errors
    /// The system's certificates can't be read, or the environment names something that is no proxy.
    pub(crate) fn new() -> Result<Self, CliError> {
        let proxies = Proxies::of_environment()?;
        let mut direct = HttpConnector::new();
        direct.set_connect_timeout(Some(CONNECT));
        direct.set_nodelay(true);
        direct.enforce_http(false);
        let to_proxy = match proxies.are_there {
            true => Some(with_tls(direct.clone())?),
            false => None,
        };
        let connector = with_tls(Dial {
            direct,
            to_proxy,
            proxies: proxies.clone(),
        })?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, proxies })
    }

    /// The head of the answer; `sent` moves while the body goes out.
    ///
    /// # Errors
    /// There is none. Whether something was done is not known, unless it never connected.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        sent: &Sent,
    ) -> Result<Response<Incoming>, NoAnswer> {
        if let Some(authorization) = self.proxies.authorization(request.uri()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization);
        }
        let mut answer = std::pin::pin!(self.client.request(request));
        let mut before = sent.now();
        loop {
            tokio::select! {
                answer = &mut answer => return answer.map_err(|error| no_answer(&error)),
                () = sleep(SILENCE) => {
                    let now = sent.now();
                    if now == before {
                        return Err(silent());
                    }
                    before = now;
                }
            }
        }
    }

    /// A whole answer of at most `limit` bytes.
    ///
    /// # Errors
    /// It broke off, or it is longer.
    pub(crate) async fn read(&self, mut body: Incoming, limit: usize) -> Result<Bytes, NoAnswer> {
        let mut whole = Vec::new();
        while let Some(piece) = next_piece(&mut body).await? {
            if whole.len() + piece.len() > limit {
                return Err(NoAnswer {
                    why: NoAnswerReason::TooLong,
                    cause: format!("the answer is longer than {limit} bytes"),
                });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

fn with_tls<C>(connector: C) -> Result<HttpsConnector<C>, CliError> {
    let builder = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| CliError::Here(format!("the system's certificates: {error}")))?;
    Ok(builder
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector))
}

/// The next bytes of an answer; `None` at its end.
///
/// # Errors
/// It broke off, or nothing came.
pub(crate) async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, NoAnswer> {
    loop {
        match timeout(SILENCE, body.frame()).await {
            Err(_) => return Err(silent()),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(NoAnswer {
                    why: NoAnswerReason::Broken,
                    cause: innermost(&error),
                });
            }
            // Trailers are of no use here.
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn silent() -> NoAnswer {
    NoAnswer {
        why: NoAnswerReason::Broken,
        cause: format!("nothing came for {} s", SILENCE.as_secs()),
    }
}

/// What rustls begins with whenever it is the certificate; its own type isn't among what we depend on.
const CERTIFICATE: &str = "invalid peer certificate: ";

/// Why there is no answer to a request that failed.
fn no_answer(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    let cause = innermost(error);
    let (why, cause) = match cause.strip_prefix(CERTIFICATE) {
        Some("UnknownIssuer") => {
            let cause = "its certificate is signed by nobody whom this machine knows".to_owned();
            (NoAnswerReason::Untrusted, cause)
        }
        Some(what) => (
            NoAnswerReason::Untrusted,
            format!("its certificate: {what}"),
        ),
        None if error.is_connect() => (NoAnswerReason::NeverConnected, cause),
        None => (NoAnswerReason::Broken, cause),
    };
    NoAnswer { why, cause }
}

/// The last of the causes says what happened; those before it say that something did.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
