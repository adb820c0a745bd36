//! The loop that accepts connections and serves them.
//!
//! poem has no header time-out and spins when file descriptors run out, so its endpoint is driven
//! from here by hyper itself.
//!
//! Invariant: everything is bounded: connections, the time for a header, the pause after a failed
//! accept, and the time to finish when the program is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at a time. Those beyond wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;
/// The time for a request's header to be complete, counted from when the connection can read it; so
/// it is also how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a request is read, or of an answer written, ahead of who works on it, in bytes: what a
/// connection takes of memory. A header has to fit as well.
const MAX_BUFFER: usize = 64 * 1024;
/// The pause after a failed accept: at the descriptor limit the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long requests in hand may take to finish once the program is told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// Serves `endpoint` until `shutdown`, then finishes what is in hand.
pub async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    shutdown: CancellationToken,
) {
    let endpoint = Arc::new(endpoint);
    let local = LocalAddr(listener.local_addr().map(Into::into).unwrap_or_default());
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&connections).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
        };
        match accepted {
            Ok((stream, remote)) => {
                let connection = connection(stream, remote, local.clone(), Arc::clone(&endpoint));
                let watched = graceful.watcher();
                tokio::spawn(async move {
                    // A connection that breaks is the client's affair; its requests were logged.
                    let _ = watched.watch(connection).await;
                    drop(place);
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

fn connection<E: Endpoint<Output = Response> + 'static>(
    stream: TcpStream,
    remote: SocketAddr,
    local: LocalAddr,
    endpoint: Arc<E>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Without this, an answer in two parts waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let remote = RemoteAddr(remote.into());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let request: Request = (request, local.clone(), remote.clone(), Scheme::HTTP).into();
        let endpoint = Arc::clone(&endpoint);
        async move {
            let response: Response = endpoint.get_response(request).await;
            Ok::<_, std::convert::Infallible>(hyper::Response::from(response))
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
}
