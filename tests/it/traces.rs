//! Traces of the real programs, as a collector gets them.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::collector;
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};

const LIMIT: Duration = Duration::from_secs(60);
/// What a supervisor waits before it kills, less a second.
const STOP_LIMIT: Duration = Duration::from_secs(9);
const CALLER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes what it gets, and keeps it.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        let url = collector::start(move |request| kept.lock().unwrap().push(request));
        Self { url, got }
    }

    /// The names of the spans of this trace.
    fn names(&self, id: &str) -> BTreeSet<String> {
        let id = id.replace('-', "");
        let got = self.got.lock().unwrap();
        let spans = got.iter().flat_map(|request| spans(request));
        let of_it = spans.filter(|(trace, _)| *trace == id);
        of_it.map(|(_, name)| name).collect()
    }

    fn await_names(&self, id: &str, expected: &[&str]) {
        let deadline = Instant::now() + LIMIT;
        while !expected.iter().all(|it| self.names(id).contains(*it)) {
            let names = self.names(id);
            assert!(
                Instant::now() < deadline,
                "{expected:?} aren't all in {names:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        let got = self.got.lock().unwrap();
        got.iter()
            .any(|request| request.windows(text.len()).any(|it| it == text))
    }
}

/// Each span's trace ID and name: what stands between the fields 1, 2, 4 and 5 of a span.
fn spans(request: &[u8]) -> Vec<(String, String)> {
    let fields = |at: &[u8]| {
        let rest = at.strip_prefix(&[0x0a, 16])?;
        let (trace, rest) = rest.split_at_checked(16)?;
        let (_, rest) = rest.strip_prefix(&[0x12, 8])?.split_at_checked(8)?;
        let rest = match rest.strip_prefix(&[0x22, 8]) {
            Some(rest) => rest.get(8..)?,
            None => rest,
        };
        let (length, rest) = rest.strip_prefix(&[0x2a])?.split_first()?;
        let name = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
        Some((hex::encode(trace), name.to_owned()))
    };
    let places = 0..request.len();
    places.filter_map(|at| fields(&request[at..])).collect()
}

/// Creates a file of five bytes with a name to look for, and sends them.
fn hello(base: &str, dir: &tempfile::TempDir) -> Value {
    let path = dir.path().join("hello");
    fs::write(&path, "hello").unwrap();
    let body = json!({"filename": "secret-name.txt", "size": 5}).to_string();
    let created = curl_json(&[
        "--header",
        &format!("traceparent: 00-{CALLER}-00f067aa0ba902b7-01"),
        "--json",
        &body,
        &format!("{base}/v1/files"),
    ]);
    assert_eq!(upload(&created, &path), "200");
    created
}

#[test]
fn the_trace_of_a_file_has_its_id_and_nothing_that_anybody_sent() {
    let (collector, dir) = (Collector::start(), data_dir());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("WEBHOOK_URL", "http://127.0.0.1:9/secret-hook"),
        (
            "WEBHOOK_SECRET",
            "whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=",
        ),
    ];
    let program = Program::local(dir.path(), &settings);
    let source = tempfile::tempdir().unwrap();
    let created = hello(&program.base, &source);
    let id = created["id"].as_str().unwrap();
    let url = format!("{}/v1/files/{id}", program.base);
    let record = curl_json(&[&format!("{url}/metadata?wait=20")]);
    assert_eq!(record["status"], "available", "{record}");
    let bytes = curl(&["--location", &format!("{}?token=secret-token", url)]);
    assert_eq!(bytes, b"hello");
    let expected = [
        "create_file",
        "metadata.insert",
        "request",
        "finalize_upload",
        "metadata.transition",
        "await_file",
        "download_file",
        "tell_webhook",
    ];
    collector.await_names(id, &expected);
    let caller = (0..32).step_by(2);
    let caller: Vec<u8> = caller
        .map(|at| u8::from_str_radix(&CALLER[at..at + 2], 16).unwrap())
        .collect();
    assert!(
        collector.holds(&caller),
        "no link leads to the caller's trace"
    );
    let upload_url = created["upload"]["url"].as_str().unwrap();
    let (_, signature) = upload_url.split_once("X-Amz-Signature=").unwrap();
    let signature = signature.split('&').next().unwrap();
    assert_eq!(signature.len(), 64);
    for secret in [signature, "X-Amz", "secret", "whsec", "http://", id] {
        assert!(
            !collector.holds(secret.as_bytes()),
            "{secret} is in a trace"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn api_and_worker_tell_one_trace_of_a_file_and_agree_which_are_told() {
    let deployment = Deployment::shared().await;
    tokio::task::spawn_blocking(|| {
        let collector = Collector::start();
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
        let api = Program::aws_api(deployment, &[on]);
        let worker = Program::worker(deployment, &[on]);
        let dir = tempfile::tempdir().unwrap();
        // Other tests' workers may be at the same queue, and take it from this one.
        let deadline = Instant::now() + LIMIT;
        loop {
            let created = hello(&api.base, &dir);
            let id = created["id"].as_str().unwrap();
            let record = curl_json(&[&format!("{}/v1/files/{id}/metadata?wait=20", api.base)]);
            assert_eq!(record["status"], "available", "{record}");
            collector.await_names(id, &["create_file", "metadata.insert"]);
            let told_by = Instant::now() + Duration::from_secs(3);
            let mut names = collector.names(id);
            while !names.contains("finalize_upload") && Instant::now() < told_by {
                std::thread::sleep(Duration::from_millis(50));
                names = collector.names(id);
            }
            if names.contains("finalize_upload") {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "the worker told nothing: {names:?}"
            );
        }
        assert!(collector.holds(b"file-share-worker"));
        assert!(!collector.holds(b"secret-name"));
        assert!(worker.terminate().success() && api.terminate().success());
    })
    .await
    .unwrap();
}

#[test]
fn a_collector_that_never_answers_costs_no_call_anything_and_no_stop_its_time() {
    // It takes connections, and nothing more.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let dir = data_dir();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let program = Program::local(dir.path(), &settings);
    let began = Instant::now();
    for _ in 0..5 {
        let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
        assert!(created["id"].is_string(), "{created}");
    }
    assert_eq!(curl_status(&[&format!("{}/readyz", program.base)]), "200");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let began = Instant::now();
    assert!(program.terminate().success());
    assert!(began.elapsed() < STOP_LIMIT, "{:?}", began.elapsed());
}

#[test]
fn a_collector_that_others_could_listen_to_stops_the_start() {
    let dir = data_dir();
    for (name, value) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://collector.example:4318",
        ),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ] {
        let said = Program::local_refuses_with(dir.path(), &[(name, value)]);
        assert!(said.contains(name), "{said}");
    }
}
