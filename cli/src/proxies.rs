//! Proxies that the environment names, as curl reads it: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.
//!
//! **Invariant:** this machine itself is reached by none, since it would be another one for a proxy; what
//! a variable holds is never shown, since it may have a password.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tower_service::Service;

use crate::address::is_this_machine;
use crate::error::CliError;
use crate::http::innermost;

const VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

#[derive(Debug, Clone)]
pub(crate) struct Proxies {
    matcher: Arc<Matcher>,
    pub are_there: bool,
}

impl Proxies {
    /// The proxies that the environment names for each scheme, if any.
    ///
    /// # Errors
    /// A variable names something that is no proxy.
    pub(crate) fn of_environment() -> Result<Self, CliError> {
        let mut are_there = false;
        for name in VARIABLES {
            let value = std::env::var(name).unwrap_or_default();
            if !value.is_empty() {
                are_there = true;
                check(name, &value)?;
            }
        }
        Ok(Self {
            matcher: Arc::new(Matcher::from_env()),
            are_there,
        })
    }

    fn before(&self, to: &Uri) -> Option<Intercept> {
        if is_this_machine(to.host()?) {
            return None;
        }
        self.matcher.intercept(to)
    }

    /// What a request carries for the proxy, if it is handed to one as it is.
    pub(crate) fn authorization(&self, to: &Uri) -> Option<HeaderValue> {
        let proxy = self
            .before(to)
            .filter(|_| to.scheme_str() == Some("http"))?;
        proxy.basic_auth().cloned()
    }
}

fn check(name: &str, value: &str) -> Result<(), CliError> {
    let anywhere = Uri::from_static("https://anywhere.example");
    let proxy = Matcher::builder().all(value.to_owned()).build();
    let wrong = |why: &str| {
        CliError::Usage(format!(
            "{name} isn't the address of a proxy, such as http://proxy.example:3128: {why}"
        ))
    };
    let proxy = proxy
        .intercept(&anywhere)
        .ok_or_else(|| wrong("it can't be read"))?;
    let scheme = proxy.uri().scheme_str().unwrap_or_default();
    if scheme.starts_with("socks4") {
        return Err(wrong("of SOCKS, only socks5 and socks5h are spoken here"));
    }
    if is_socks(&proxy) && proxy.uri().port().is_none() {
        return Err(wrong("it has no port"));
    }
    Ok(())
}

fn is_socks(proxy: &Intercept) -> bool {
    proxy
        .uri()
        .scheme_str()
        .is_some_and(|scheme| scheme.starts_with("socks"))
}

/// Connections, by a proxy where there is one.
#[derive(Clone)]
pub(crate) struct Dial {
    pub direct: HttpConnector,
    /// To the proxy itself, which may speak TLS.
    pub to_proxy: Option<HttpsConnector<HttpConnector>>,
    pub proxies: Proxies,
}

type Dialled = Pin<Box<dyn Future<Output = Result<Stream, io::Error>> + Send>>;

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = io::Error;
    type Future = Dialled;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Dialled {
        let mut direct = self.direct.clone();
        let by = self.proxies.before(&to).zip(self.to_proxy.clone());
        Box::pin(async move {
            let Some((proxy, mut to_proxy)) = by else {
                let io = direct.call(to).await.map_err(|error| failed(&error))?;
                return Ok(Stream::new(io, false));
            };
            let address = proxy.uri().clone();
            let name = address
                .authority()
                .map(ToString::to_string)
                .unwrap_or_default();
            let through = |error: &dyn std::error::Error| {
                let cause = innermost(error);
                io::Error::other(format!(
                    "the proxy {name}, which the environment names: {cause}"
                ))
            };
            if is_socks(&proxy) {
                // The letter says who looks the name up.
                let here = address.scheme_str() == Some("socks5");
                let mut socks = SocksV5::new(address.clone(), direct).local_dns(here);
                if let Some((user, password)) = proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                let io = socks.call(to).await.map_err(|error| through(&error))?;
                return Ok(Stream::new(io, false));
            }
            if to.scheme_str() == Some("https") {
                let mut tunnel = Tunnel::new(address.clone(), to_proxy);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                let io = tunnel.call(to).await.map_err(|error| through(&error))?;
                return Ok(Stream::new(io, false));
            }
            let io = to_proxy.call(address.clone()).await;
            let io = io.map_err(|error| through(error.as_ref()))?;
            Ok(Stream::new(io, true))
        })
    }
}

fn failed(error: &dyn std::error::Error) -> io::Error {
    io::Error::other(innermost(error))
}

trait Io: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Io for T {}

/// A connection, to whomever.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    /// Whether requests are handed to a proxy as they are, with the whole address in their first line.
    is_proxied: bool,
}

impl Stream {
    fn new(io: impl Io + 'static, is_proxied: bool) -> Self {
        Self {
            io: Box::new(io),
            is_proxied,
        }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut dyn Io> {
        Pin::new(&mut *self.get_mut().io)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.io().poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(context, pieces)
    }
}
