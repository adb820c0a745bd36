//! Where metrics are scraped, and where it is asked whether the program is alive and can work: an address of its own.
//!
//! Invariant: apart from the service's own listener in everything: its connections, its time and its place, so that a
//! flood of calls hides no metric, and a flood here takes nothing from a call. At most `MAX_CONNECTIONS` connections, each
//! for one request and `CONNECTION_LIMIT` long, whose body nobody reads.
//!
//! Absent on purpose: asking who scrapes, and TLS. Nothing here is secret, and who reaches this address is the operator's
//! to decide.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::{self, Metrics};
use crate::own_paths;

/// Connections at a time: some scrapers and checks of health. Others wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may last, from its beginning to its answer.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);
/// How long a request's header may take.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long a look whether the program can work may take: less than whoever asks waits.
const READY_LIMIT: Duration = Duration::from_secs(4);
/// The most of a header, in bytes.
const MAX_BUFFER_BYTES: usize = 16 * 1024;
/// The pause after a failed accept: at the limit on open files the next one fails at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Where metrics are.
const METRICS: &str = "/metrics";

/// The most that is said of why a program can't work, in bytes: a fault may quote what somebody answered.
const MAX_WHY_BYTES: usize = 1024;

type Look = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Says whether the program can do its work, or why it can't.
struct Readiness {
    look: Box<dyn Fn() -> Look + Send + Sync>,
    /// What came of the last look: the log has each change, and not each look.
    was_ready: Mutex<Option<bool>>,
}

impl Readiness {
    fn of<F>(look: impl Fn() -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Arc::new(Self {
            look: Box::new(move || Box::pin(look())),
            was_ready: Mutex::default(),
        })
    }

    async fn ask(&self) -> Result<(), String> {
        let looked = timeout(READY_LIMIT, (self.look)()).await;
        let mut ready = looked.unwrap_or_else(|_| Err("a store doesn't answer in time".into()));
        if let Err(why) = &mut ready {
            why.truncate(why.floor_char_boundary(MAX_WHY_BYTES));
        }
        let before = {
            let mut was_ready = self
                .was_ready
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            was_ready.replace(ready.is_ok())
        };
        match (&ready, before) {
            (Err(why), None | Some(true)) => tracing::warn!(why, "not ready"),
            (Ok(()), Some(false)) => tracing::info!("ready again"),
            (Err(_), Some(false)) | (Ok(()), None | Some(true)) => {}
        }
        ready
    }
}

/// Serves in a task of its own at this address, if it is one, with what says whether the program can do its work, or why it can't.
///
/// # Errors
/// It is taken, or not this machine's.
pub fn start<F>(
    address: Option<SocketAddr>,
    metrics: Metrics,
    stop: &CancellationToken,
    look: impl Fn() -> F + Send + Sync + 'static,
) -> io::Result<()>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let Some(address) = address else {
        return Ok(());
    };
    let listener = listen(address)?;
    let readiness = Readiness::of(look);
    tokio::spawn(serve(listener, metrics, readiness, stop.clone()));
    Ok(())
}

/// Takes the address, so that a start fails where that is taken.
///
/// # Errors
/// It is taken, or not this machine's.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Answers until `stop`.
async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    stop: CancellationToken,
) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "metrics can be scraped");
    }
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (metrics, readiness) = (metrics.clone(), Arc::clone(&readiness));
                tokio::spawn(async move {
                    // One that breaks off, or takes too long, is the scraper's affair.
                    let _ = timeout(CONNECTION_LIMIT, answer_one(stream, metrics, readiness)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer_one(
    stream: TcpStream,
    metrics: Metrics,
    readiness: Arc<Readiness>,
) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (metrics, readiness) = (metrics.clone(), Arc::clone(&readiness));
        async move {
            let (method, path) = (request.method(), request.uri().path());
            Ok::<_, Infallible>(answer(method, path, &metrics, &readiness).await)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(
    method: &Method,
    path: &str,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Response<Full<Bytes>> {
    let json = |status, text: String| response(status, "application/json", text.into());
    if ![METRICS, own_paths::HEALTHZ, own_paths::READYZ].contains(&path) {
        let text = "metrics are at /metrics, health at /healthz and /readyz\n";
        return response(StatusCode::NOT_FOUND, "text/plain", text.into());
    }
    if method != Method::GET && method != Method::HEAD {
        let text = "only GET and HEAD\n";
        let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", text.into());
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    match path {
        METRICS => {
            let metrics = metrics.clone();
            // It may look at the disk.
            let text = tokio::task::spawn_blocking(move || metrics.exposition()).await;
            match text {
                Ok(text) => response(StatusCode::OK, metrics::CONTENT_TYPE, text.into()),
                Err(_) => response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "text/plain",
                    Bytes::new(),
                ),
            }
        }
        own_paths::HEALTHZ => json(StatusCode::OK, json!({"status": "ok"}).to_string()),
        _ => match readiness.ask().await {
            Ok(()) => json(StatusCode::OK, json!({"status": "ready"}).to_string()),
            Err(why) => {
                let said = json!({"status": "not ready", "why": why});
                json(StatusCode::SERVICE_UNAVAILABLE, said.to_string())
            }
        },
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::metrics::{Role, ScannedWith, Watches};

    struct Served {
        address: SocketAddr,
        is_ready: Arc<AtomicBool>,
        stop: CancellationToken,
    }

    fn served() -> Served {
        let metrics = Metrics::on(Watches {
            role: Role::Worker,
            sweeps: false,
            scanner: ScannedWith::Nothing,
        });
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let is_ready = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_ready);
        let readiness = Readiness::of(move || {
            let ready = asked.load(Ordering::Relaxed);
            let why = || "the store of \"objects\" is away".repeat(100);
            async move { ready.then_some(()).ok_or_else(why) }
        });
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, metrics, readiness, stop.clone()));
        Served {
            address,
            is_ready,
            stop,
        }
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    }

    #[tokio::test]
    async fn metrics_and_health_are_there_and_nothing_else() {
        let served = served();
        let metrics = get(served.address, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
        assert!(metrics.contains("\nfile_share_build_info{"), "{metrics}");
        for (request, status) in [
            ("GET /healthz HTTP/1.1", "200"),
            ("HEAD /metrics HTTP/1.1", "200"),
            ("GET /readyz HTTP/1.1", "200"),
            ("GET / HTTP/1.1", "404"),
            ("GET /v1/files HTTP/1.1", "404"),
            ("POST /metrics HTTP/1.1", "405"),
        ] {
            let answer = ask(served.address, &format!("{request}\r\nHost: x\r\n\r\n")).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
        served.is_ready.store(false, Ordering::Relaxed);
        let not_ready = get(served.address, "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503"), "{not_ready}");
        let (_, body) = not_ready.split_once("\r\n\r\n").unwrap();
        let said: serde_json::Value = serde_json::from_str(body).unwrap();
        let why = said["why"].as_str().unwrap();
        assert!(
            why.starts_with("the store of \"objects\" is away"),
            "{said}"
        );
        assert_eq!(why.len(), MAX_WHY_BYTES, "{said}");
        let alive = get(served.address, "/healthz").await;
        assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    }

    #[tokio::test]
    async fn the_log_says_why_it_is_not_ready_once_and_when_it_is_over() {
        let is_ready = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_ready);
        let readiness = Readiness::of(move || {
            let ready = asked.load(Ordering::Relaxed);
            async move {
                ready
                    .then_some(())
                    .ok_or_else(|| "the store is away".into())
            }
        });
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Lines(Arc::clone(&kept)))
            .with_ansi(false)
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        for ready in [true, false, false, true, true] {
            is_ready.store(ready, Ordering::Relaxed);
            assert_eq!(readiness.ask().await.is_ok(), ready);
        }
        let log = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert_eq!(
            log.matches("not ready why=\"the store is away\"").count(),
            1,
            "{log}"
        );
        assert_eq!(log.matches("ready again").count(), 1, "{log}");
    }

    /// What was logged.
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn who_holds_all_places_has_them_no_longer_than_the_limit() {
        let served = served();
        let mut silent = Vec::new();
        for _ in 0..2 * MAX_CONNECTIONS {
            silent.push(TcpStream::connect(served.address).await.unwrap());
        }
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let answer = get(served.address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // Two rounds of them had to go first.
        assert!(
            began.elapsed() <= Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        served.stop.cancel();
    }
}
