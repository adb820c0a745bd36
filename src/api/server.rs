//! The loop that accepts connections and serves them.
//!
//! poem has no header time-out and spins when file descriptors run out, so its endpoint is driven
//! from here by hyper itself.
//!
//! Invariant: everything is bounded: connections, what each holds in memory, the time for a header, the
//! time for a client to read on, the pause after a failed accept, and the time to finish when the
//! program is told to stop. A connection for which there is no room is taken for one request and told so
//! at once; only when there are many of those too do others wait in the kernel's queue, for the moment
//! that a refusal takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::header_timer::{IDLE_TIMEOUT, header_timer};
use super::slow_client_timeout::SlowClientTimeout;
use super::unread_body::BodyWatch;
use crate::capacity::{Overloaded, raise_descriptor_limit};

/// Connections at a time, where the system's limit on open files allows it.
pub const MAX_CONNECTIONS: usize = 4096;
/// Connections at a time, beyond those, that are only told that there is no room.
const MAX_REFUSALS: usize = 256;
/// How long a connection for which there is no room may take to say what it wants, and to be answered.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Descriptors for what isn't a connection: the database, the log, the listener.
const OTHER_DESCRIPTORS: usize = 64;
/// What a connection takes: itself, and a file or a connection to a store behind it.
const DESCRIPTORS_A_CONNECTION: usize = 2;
/// What a connection reads ahead and has ready to be sent, in bytes, each at the most. It is also the
/// limit on a request's header.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// The pause after a failed accept: at the descriptor limit the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long requests in hand may take to finish once the program is told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// How many connections to serve, and how many to refuse, at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are served.
    pub connections: usize,
    /// Connections beyond those: each is taken for one request, and told that there is no room.
    pub refusals: usize,
}

impl Limits {
    /// As many as the system lets this process have. A process at its limit on open files can neither
    /// accept a connection nor refuse one, so it must not get there.
    pub fn of_this_process() -> Self {
        let limit = raise_descriptor_limit().and_then(|limit| usize::try_from(limit).ok());
        let limits = Self::within(limit.unwrap_or(usize::MAX));
        if limits.connections < MAX_CONNECTIONS {
            tracing::warn!(
                connections = limits.connections,
                "the limit on open files (ulimit -n) allows only so many connections"
            );
        }
        limits
    }

    fn within(descriptors: usize) -> Self {
        let refusals = (descriptors / 8).clamp(1, MAX_REFUSALS);
        let left = descriptors.saturating_sub(OTHER_DESCRIPTORS + refusals);
        Self {
            connections: (left / DESCRIPTORS_A_CONNECTION).clamp(1, MAX_CONNECTIONS),
            refusals,
        }
    }
}

/// [`serve_within`] what this process can carry.
pub async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    shutdown: CancellationToken,
) {
    serve_within(Limits::of_this_process(), listener, endpoint, shutdown).await;
}

/// Serves `endpoint` until `shutdown`, then finishes what is in hand.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    shutdown: CancellationToken,
) {
    let endpoint = Arc::new(endpoint);
    let local = LocalAddr(listener.local_addr().map(Into::into).unwrap_or_default());
    let permits = ConnectionPermits::new(limits);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            permits.one_is_free().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                let Some((admission, permit)) = permits.take() else {
                    continue;
                };
                let endpoint = Arc::clone(&endpoint);
                let crowded = permits.crowded();
                let connection =
                    connection(stream, remote, local.clone(), endpoint, admission, crowded);
                let watched = graceful.watcher();
                tokio::spawn(async move {
                    let watched = watched.watch(connection);
                    // A connection that breaks is the client's affair; its requests were logged.
                    match admission {
                        Admission::Serve => drop(watched.await),
                        Admission::Refuse => drop(timeout(REFUSAL_TIMEOUT, watched).await),
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests in hand were cut off, since they didn't finish in time");
    }
}

/// Whether a connection is served or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Serve,
    Refuse,
}

/// The permits for connections. Only the loop takes any, so one that was seen is there.
struct ConnectionPermits {
    limits: Limits,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl ConnectionPermits {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            connections: Arc::new(Semaphore::new(limits.connections)),
            refusals: Arc::new(Semaphore::new(limits.refusals)),
        }
    }

    /// Until there is a permit of either kind.
    async fn one_is_free(&self) {
        tokio::select! {
            biased;
            _ = self.connections.acquire() => {}
            _ = self.refusals.acquire() => {}
        }
    }

    /// Tells, whenever it is asked, whether more than half of the permits for connections are taken.
    fn crowded(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let (connections, half) = (Arc::clone(&self.connections), self.limits.connections / 2);
        move || connections.available_permits() < half
    }

    fn take(&self) -> Option<(Admission, OwnedSemaphorePermit)> {
        let take = |permits: &Arc<Semaphore>| Arc::clone(permits).try_acquire_owned().ok();
        match take(&self.connections) {
            Some(permit) => Some((Admission::Serve, permit)),
            None => take(&self.refusals).map(|permit| (Admission::Refuse, permit)),
        }
    }
}

fn connection<E: Endpoint<Output = Response> + 'static>(
    stream: TcpStream,
    remote: SocketAddr,
    local: LocalAddr,
    endpoint: Arc<E>,
    admission: Admission,
    is_crowded: impl Fn() -> bool + Send + Sync + 'static,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Without this, an answer in two parts waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let remote = RemoteAddr(remote.into());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = (request, local.clone(), remote.clone(), Scheme::HTTP).into();
        if admission == Admission::Refuse {
            request.extensions_mut().insert(Overloaded);
        }
        let endpoint = Arc::clone(&endpoint);
        let body = BodyWatch::over(&mut request);
        async move {
            let mut response: Response = endpoint.get_response(request).await;
            body.announce_end(&mut response);
            Ok::<_, std::convert::Infallible>(hyper::Response::from(response))
        }
    });
    let (stream, timer) = header_timer(SlowClientTimeout::new(stream), is_crowded);
    hyper::server::conn::http1::Builder::new()
        .timer(timer)
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .keep_alive(admission == Admission::Serve)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_and_refusals_together_stay_below_the_limit_on_open_files() {
        for descriptors in [256, 1024, 4096, 20_000, 1 << 20, usize::MAX] {
            let limits = Limits::within(descriptors);
            let used = limits.connections * DESCRIPTORS_A_CONNECTION + limits.refusals;
            assert!(used + OTHER_DESCRIPTORS <= descriptors, "{limits:?}");
        }
        let enough = Limits::within(20_000);
        assert_eq!(enough.connections, MAX_CONNECTIONS);
        assert_eq!(enough.refusals, MAX_REFUSALS);
        // Even then it serves somebody.
        assert_eq!(Limits::within(0).connections, 1);
    }
}
