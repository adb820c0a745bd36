//! Workers restarted one after another, as a deployment does it, while files arrive: SIGTERM, and the
//! next one as soon as it is gone. What a stopped worker's last poll brings mustn't stay hidden.
//!
//! Files arrive one by one, so that workers wait in a poll most of the time. They speak to the stand-in
//! without the proxy, which would take a poll back whose caller went away; SQS doesn't.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, sleep_until};

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, content};
use crate::history::History;
use crate::measurement::Measurement;
use crate::process::Supervised;

const WORKERS: usize = 2;
const BETWEEN_FILES: Duration = Duration::from_millis(200);
/// What a restart may add to the time from an upload to `available`.
const ADDED_LIMIT: Duration = Duration::from_secs(5);
/// What supervisors wait before they kill.
const EXIT_LIMIT: Duration = Duration::from_secs(10);
const START_LIMIT: Duration = Duration::from_secs(30);
/// A file that takes longer than a visibility timeout is given up by its client.
const PATIENCE: Duration = Duration::from_secs(120);
/// No reconciler may do what the queue has to bring about.
const NEVER: &str = "24h";

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("rolling-restart", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("rolling-restart"), PATIENCE);
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let aws = Arc::clone(&aws);
            Supervised::new(move || aws.worker_without_proxy(&[("RECONCILE_INTERVAL", NEVER)]))
        })
        .collect();
    for worker in &workers {
        consumes(worker).await;
    }
    let seed = scale.seed;
    let undisturbed = sleep(Duration::from_secs(scale.of(5, 60)));
    let usual = upload_while(&client, seed, undisturbed).await;
    let slowest_exit = Cell::new(Duration::ZERO);
    let restarting = async {
        for _ in 0..scale.of(2, 15) {
            for worker in &mut workers {
                let took = worker.stop_and_start().await;
                slowest_exit.set(slowest_exit.get().max(took));
                consumes(worker).await;
                sleep(Duration::from_secs(1)).await;
            }
        }
    };
    let restarted = upload_while(&client, seed + 1, restarting).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let longest = |lags: &[Duration]| lags.iter().max().copied().unwrap_or_default();
    let added = longest(&restarted).saturating_sub(longest(&usual));
    let stops = workers.iter().map(|worker| worker.kills).sum();
    let mut measurements = vec![
        Measurement::at_least("restarts", stops, 2 * WORKERS),
        Measurement::done("files without restarts", usual.len()),
        Measurement::at_least("files during restarts", restarted.len(), 20),
        Measurement::within("longest lag without restarts", longest(&usual), PATIENCE),
        Measurement::within("lag that restarts add", added, ADDED_LIMIT),
        Measurement::within("slowest exit", slowest_exit.get(), EXIT_LIMIT),
    ];
    measurements.extend(findings.measurements());
    measurements
}

async fn consumes(worker: &Supervised) {
    let began = Instant::now();
    while !worker
        .program()
        .log()
        .contains("consumes event notifications")
    {
        assert!(began.elapsed() < START_LIMIT, "{}", worker.program().log());
        sleep(Duration::from_millis(20)).await;
    }
}

/// A file every little while until `disturbing` is over: from each accepted PUT to the settled record.
async fn upload_while(
    client: &Client,
    seed: u64,
    disturbing: impl Future<Output = ()>,
) -> Vec<Duration> {
    let lags = RefCell::new(Vec::new());
    let over = Cell::new(false);
    let uploading = async {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut running = FuturesUnordered::new();
        while !over.get() || !running.is_empty() {
            if !over.get() {
                running.push(one_file(client, content(&mut random, 1024)));
            }
            let next = tokio::time::Instant::now() + BETWEEN_FILES;
            loop {
                tokio::select! {
                    biased;
                    Some(lag) = running.next(), if !running.is_empty() => lags.borrow_mut().push(lag),
                    () = sleep_until(next) => break,
                }
            }
        }
    };
    let disturbing = async {
        disturbing.await;
        over.set(true);
    };
    tokio::join!(uploading, disturbing);
    lags.into_inner()
}

/// The client's patience where something went wrong, which breaks the bound.
async fn one_file(client: &Client, bytes: bytes::Bytes) -> Duration {
    let Some(created) = client.create(bytes, false).await else {
        return PATIENCE;
    };
    if client.put(&created).await.is_none() {
        return PATIENCE;
    }
    let stored = Instant::now();
    match client.await_settled(&created.id).await {
        Some(_) => stored.elapsed(),
        None => PATIENCE,
    }
}
