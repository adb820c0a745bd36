//! More than the program can carry: the rest is told at once to come back, and afterwards all is as
//! before.
//!
//! Permits are filled by what doesn't end by itself: stores that don't answer, waits, connections that
//! say nothing. So nothing here depends on how fast the machine is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use file_share::access::{Gate, Policy};
use file_share::api::server::{Limits, serve, serve_within};
use file_share::api::{self, ApiParts, CallRates, OwnHosts, SessionCookie, observed};
use file_share::boxes::Boxes;
use file_share::capability_token::CapabilityKeys;
use file_share::capacity::raise_descriptor_limit;
use file_share::client_address::TrustedProxies;
use file_share::clock::SystemClock;
use file_share::cors::CorsPolicy;
use file_share::create_limits::CreateLimit;
use file_share::domain::Lifecycle;
use file_share::item_store::memory::MemoryItemStore;
use file_share::links::Links;
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::object_store::StoreError;
use file_share::object_store::intercepted::{Call, Intercepted, Interceptor};
use file_share::object_store::memory::MemoryObjectStore;
use file_share::operations::Stores;
use file_share::presigned_url::{BucketAddress, Presigner, SigningCredentials};
use file_share::service::{CallPermits, FileService, ServiceParts};
use poem::{Endpoint, Response, endpoint};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::curl::{create, curl_json, curl_status};
use crate::support::local_store::{LocalStore, new_key};
use crate::support::program::{Program, data_dir};

const PATIENCE: Duration = Duration::from_secs(40);
/// As many short calls as the API takes at a time.
const PLACES: usize = 512;
/// As many calls as may wait for a settlement at a time.
const WAITS: usize = 512;
/// As many of them as may come from one address.
const WAITS_OF_AN_ADDRESS: usize = 128;
/// How many more than that are sent.
const TOO_MANY: usize = 200;
/// "At once", on a machine that does much else.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What a call came back with, and after how long. `None` if it was broken off.
async fn answered(request: reqwest::RequestBuilder) -> (Answer, Duration) {
    let started = Instant::now();
    let answer = request.send().await.ok().map(|answer| {
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), retry_after)
    });
    (answer, started.elapsed())
}

type Answer = Option<(u16, Option<String>)>;

/// Sends [`TOO_MANY`] more calls than there are permits, each on a connection of its own, and gives
/// what they come back with, when all that have no permit were told to come back.
async fn fill(calls: Vec<reqwest::RequestBuilder>) -> JoinSet<(usize, Answer)> {
    let (told, mut telling) = tokio::sync::mpsc::unbounded_channel();
    let mut answers = JoinSet::new();
    for (i, call) in calls.into_iter().enumerate() {
        let told = told.clone();
        answers.spawn(async move {
            let (answer, took) = answered(call).await;
            if let Some((503, _)) = &answer {
                let _ = told.send((answer.clone(), took));
            }
            (i, answer)
        });
    }
    for _ in 0..TOO_MANY {
        let (answer, took) = tokio::time::timeout(PATIENCE, telling.recv())
            .await
            .expect("those without a place are told so")
            .unwrap();
        assert_eq!(answer, Some((503, Some("1".to_owned()))));
        assert!(took < AT_ONCE, "{took:?}");
    }
    answers
}

fn client() -> reqwest::Client {
    client_at([127, 0, 0, 1])
}

/// A client at this address of the machine.
fn client_at(address: [u8; 4]) -> reqwest::Client {
    reqwest::Client::builder()
        .local_address(std::net::IpAddr::from(address))
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// Has deletions in a bucket take until the test says so.
struct HangingDeletes(watch::Receiver<bool>);

impl Interceptor for HangingDeletes {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if matches!(call, Call::DeleteAllVersions(_)) {
            let answers = self.0.clone().wait_for(|it| *it).await.is_ok();
            assert!(answers, "the test is over");
        }
        made.await
    }
}

/// The API in this process, on stores in memory.
fn api_on(interceptor: HangingDeletes) -> impl Endpoint<Output = Response> {
    let credentials = SigningCredentials::fixed("a", "secret");
    let lifetime = Duration::from_secs(900);
    let metadata = Arc::new(MemoryMetadataStore::default());
    let endpoint = api::endpoint(ApiParts {
        service: Arc::new(FileService::new(ServiceParts {
            boxes: Boxes::new(
                Arc::new(MemoryItemStore::default()),
                Arc::clone(&metadata) as _,
                CapabilityKeys::of_secrets("a secret of a test that is long enough", []),
                Arc::default(),
                1_000,
            ),
            stores: Stores {
                metadata,
                objects: Arc::new(Intercepted {
                    store: Arc::new(MemoryObjectStore::new(Arc::new(SystemClock), true)),
                    interceptor,
                }),
                clock: Arc::new(SystemClock),
                lifecycle: Lifecycle::default(),
                events: file_share::file_events::FileEvents::off(),
                quotas: file_share::quotas::Quotas::off(),
                scans: file_share::scanner::Scans::off(),
                metrics: file_share::metrics::Metrics::off(),
            },
            links: Links::new(
                Arc::new(MemoryItemStore::default()),
                CapabilityKeys::of_secrets("0123456789abcdef0123456789abcdef", []),
                Arc::default(),
            ),
            presigner: Presigner::new(credentials, "local".into(), lifetime, lifetime),
            receipt_keys: Arc::default(),
            allowed_types: file_share::domain::AllowedTypes::default(),
            create_limit: CreateLimit::Off,
            audit: None,
            permits: CallPermits::new(false),
            stop: CancellationToken::new(),
        })),
        receipt_keys: Arc::default(),
        bucket: BucketAddress::RequestHost {
            bucket: "a-bucket".into(),
        },
        public_url: None,
        max_upload_bytes: 1_000,
        cors: CorsPolicy::default(),
        hosts: OwnHosts::Any { public_url: None },
        is_open_to_others: true,
        gate: Arc::new(Gate::new(
            Policy::Open,
            Arc::new(MemoryItemStore::default()),
        )),
        rates: CallRates::default(),
        trusted_proxies: TrustedProxies::default(),
        cookie: SessionCookie::new(false, ""),
        clock: Arc::new(SystemClock),
        audit: None,
        metrics: None,
    });
    observed(endpoint, String::new(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_store_hangs_the_rest_gets_503_at_once_and_then_all_is_as_before() {
    raise_descriptor_limit();
    let (answer, answers) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let endpoint = api_on(HangingDeletes(answers));
    let server = tokio::spawn(serve(listener, endpoint, stop.clone()));
    let client = client();
    let mut urls = Vec::new();
    for _ in 0..PLACES + TOO_MANY {
        let create = client.post(format!("{base}/v1/files"));
        let create = create.json(&json!({"filename": "a.txt", "size": 5}));
        let created: Value = create.send().await.unwrap().json().await.unwrap();
        urls.push(format!(
            "{base}/v1/files/{}",
            created["id"].as_str().unwrap()
        ));
    }

    let mut deletions = fill(urls.iter().map(|url| client.delete(url)).collect()).await;
    // Nobody gets in while all permits are taken, whatever is asked, unless it is whether it lives.
    for (path, expected) in [
        ("/v1/files", 503),
        ("/files/none/metadata?wait=20", 503),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/openapi.json", 200),
    ] {
        let answer = client.get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
    }

    answer.send(true).unwrap();
    let mut again = Vec::new();
    while let Some(deleted) = deletions.join_next().await {
        match deleted.unwrap() {
            (_, Some((204, _))) => {}
            (i, Some((503, _))) => again.push(i),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(again.len(), TOO_MANY);
    // What was refused was not done, and is done now.
    for i in again {
        let deleted = client.delete(&urls[i]).send().await.unwrap();
        assert_eq!(deleted.status(), 204);
    }
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_take_no_permit_from_other_calls_and_are_bounded_themselves() {
    raise_descriptor_limit();
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = program.base.as_str();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let url = format!("{base}/v1/files/{}", created["id"].as_str().unwrap());
    let wait = format!("{url}/metadata?wait=20");
    // From four addresses, each of which may have a quarter of the permits.
    let clients: Vec<_> = (2..6).map(|last| client_at([127, 0, 0, last])).collect();
    let from = clients.iter().cycle().take(WAITS + TOO_MANY);
    let mut waits = fill(from.map(|client| client.get(&wait)).collect()).await;

    // All other calls go on.
    assert_eq!(
        curl_json(&[&format!("{url}/metadata")])["status"],
        "pending"
    );
    assert_eq!(curl_json(&[&wait])["code"], "overloaded");
    let other = create(base, &json!({"filename": "b.txt", "size": 5}));
    assert_eq!(other["status"], "pending", "{other}");
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");

    // The deletion ends the waits, and their permits are free again.
    let mut ended = 0;
    while let Some(answer) = waits.join_next().await {
        // On a busy machine the first may have waited to their own end by then.
        ended += usize::from(matches!(answer.unwrap(), (_, Some((404 | 200, _)))));
    }
    assert_eq!(ended, WAITS);
    let other = format!(
        "{base}/v1/files/{}/metadata?wait=1",
        other["id"].as_str().unwrap()
    );
    assert_eq!(curl_json(&[&other])["status"], "pending");
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_can_not_take_all_the_permits_for_waits() {
    raise_descriptor_limit();
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = program.base.as_str();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let url = format!("{base}/v1/files/{}", created["id"].as_str().unwrap());
    let wait = format!("{url}/metadata?wait=20");
    let greedy = client_at([127, 0, 0, 2]);
    let calls = (0..WAITS_OF_AN_ADDRESS + TOO_MANY).map(|_| greedy.get(&wait));
    let mut waits = fill(calls.collect()).await;
    // Everybody else waits as if there were nobody.
    let others = client_at([127, 0, 0, 3]);
    let other = others
        .get(format!("{url}/metadata?wait=1"))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 200);
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    let mut ended = 0;
    while let Some(answer) = waits.join_next().await {
        ended += usize::from(matches!(answer.unwrap(), (_, Some((404 | 200, _)))));
    }
    assert_eq!(ended, WAITS_OF_AN_ADDRESS);
    assert!(program.terminate().success());
}

/// A connection that is there and says nothing.
fn silent(address: std::net::SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(address: std::net::SocketAddr, path: &str) -> String {
    ask_with(address, path, "")
}

/// With these lines in its head; the answer in lower case.
fn ask_with(address: std::net::SocketAddr, path: &str, more: &str) -> String {
    let mut stream = silent(address);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{more}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}

#[test]
fn a_connection_beyond_the_limit_is_told_so_at_once_and_not_kept_waiting() {
    let dir = data_dir();
    // 256 files and sockets leave room for 80 connections.
    let program = Program::local_with_descriptors(dir.path(), 256);
    let address = program.base.trim_start_matches("http://").parse().unwrap();
    let mut silent: Vec<TcpStream> = (0..80).map(|_| silent(address)).collect();
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        let started = Instant::now();
        let answer = ask(address, "/v1/files");
        assert!(started.elapsed() < AT_ONCE);
        // The silent ones may not have been accepted yet.
        if answer.starts_with("http/1.1 503") {
            break answer;
        }
        assert!(Instant::now() < deadline, "{answer}");
    };
    for part in [
        "retry-after: 1",
        "connection: close",
        "overloaded",
        "x-request-id: ",
    ] {
        assert!(refused.contains(part), "no {part} in {refused}");
    }
    assert!(ask(address, "/healthz").starts_with("http/1.1 200"));
    assert!(ask(address, "/readyz").starts_with("http/1.1 200"));
    // Whoever opens a page reads why it isn't there, and the browser comes again.
    let browser = "accept: text/html,*/*;q=0.8\r\naccept-language: de\r\n";
    for path in ["/", "/boxes", "/b/nothing"] {
        let page = ask_with(address, path, browser);
        for part in [
            "http/1.1 503",
            "\r\nretry-after: 1\r\n",
            "\r\nrefresh: 1\r\n",
            "<h1>der dienst ist ausgelastet</h1>",
        ] {
            assert!(page.contains(part), "{path}: no {part} in {page}");
        }
    }
    // A permit that is given back is there for the next one.
    drop(silent.pop());
    let served = || ask(address, "/v1/files").starts_with("http/1.1 200");
    while !served() {
        assert!(Instant::now() < deadline);
    }
    assert!(!program.log().contains("could not be accepted"));
    drop(silent);
    assert!(program.terminate().success());
}

#[tokio::test]
async fn an_upload_beyond_the_limit_on_connections_is_told_to_slow_down() {
    let store = LocalStore::within(Limits {
        connections: 1,
        refusals: 8,
    })
    .await;
    let request = store.put(new_key(), b"hello").await;
    let _first = crate::support::local_store::Connection::open(store.address).await;
    let answer = request.send().await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(
        answer.text().contains("<Code>SlowDown</Code>"),
        "{}",
        answer.text()
    );
    assert!(store.files().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_refused_does_not_stay() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let limits = Limits {
        connections: 1,
        refusals: 1,
    };
    let endpoint = endpoint::make_sync(|_| Response::default());
    let server = tokio::spawn(serve_within(limits, listener, endpoint, stop.clone()));
    let asked = tokio::task::spawn_blocking(move || {
        let _served = silent(address);
        // It takes the only permit for those that are refused, and says nothing.
        let mut refused = silent(address);
        let started = Instant::now();
        assert_eq!(refused.read(&mut [0; 1]).unwrap(), 0, "it is closed");
        assert!(started.elapsed() < Duration::from_secs(10));
        ask(address, "/")
    });
    assert!(asked.await.unwrap().contains("connection: close"));
    stop.cancel();
    server.await.unwrap();
}

/// Slow senders, over real sockets: half a header, and a body of which nothing comes.
#[test]
fn whoever_sends_nothing_more_is_dropped_within_30_s_and_holds_up_nobody() {
    const DROPPED_WITHIN: Duration = Duration::from_secs(30);
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = program.base.as_str();
    let address = base.trim_start_matches("http://").parse().unwrap();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let url = created["upload"]["url"].as_str().unwrap();
    let target = url.strip_prefix(base).unwrap();
    let begun = [
        "GET /v1/files HT".to_owned(),
        format!("GET /v1/files HTTP/1.1\r\nhost: {address}\r\nx-slow: "),
        format!(
            "POST /v1/files HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: 30\r\n\r\n{{"
        ),
        format!(
            "PUT {target} HTTP/1.1\r\nhost: {address}\r\ncontent-type: text/plain\r\n\
             if-none-match: *\r\ncontent-length: 5\r\n\r\nh"
        ),
    ];
    let mut slow: Vec<(TcpStream, Instant)> = begun
        .iter()
        .map(|beginning| {
            let mut stream = silent(address);
            stream.write_all(beginning.as_bytes()).unwrap();
            (stream, Instant::now())
        })
        .collect();
    assert_eq!(curl_status(&[&format!("{base}/v1/files")]), "200");
    for (stream, begun) in &mut slow {
        let mut answer = String::new();
        // Closed, with or without an answer before.
        let _ = stream.read_to_string(&mut answer);
        assert!(begun.elapsed() < DROPPED_WITHIN, "{answer}");
        assert!(begun.elapsed() > Duration::from_secs(10), "{answer}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    let file: Value = curl_json(&[&format!(
        "{base}/v1/files/{}/metadata",
        created["id"].as_str().unwrap()
    )]);
    assert_eq!(file["status"], "pending");
    assert!(program.terminate().success());
}
