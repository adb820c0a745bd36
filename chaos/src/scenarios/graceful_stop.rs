//! SIGTERM under load: what is in hand is finished, and the program is gone within ten seconds.
//!
//! In hand is what was sent a moment before the signal, so that it has been accepted: a request that
//! meets the signal on the way may be refused, and a client repeats it elsewhere.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, content};
use crate::history::{History, Observation};
use crate::load;
use crate::measurement::Measurement;
use crate::process::await_healthy;
use crate::recounts::data_dir;
use crate::support::program::Program;

const CLIENTS: usize = 16;
/// What is sent this long before the signal is in hand when it comes. Generous, for a busy machine.
const ON_THE_WAY: Duration = Duration::from_millis(500);
const LOAD: Duration = Duration::from_secs(3);
/// What supervisors wait before they kill.
const EXIT_LIMIT: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(60);
/// Not what is asked here; far more than the next worker needs.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(600);
const LENGTH: usize = 256 * 1024;

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let (mut failed, mut answered, mut waiting, mut bad_exits) = (0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    let mut findings = checker::Findings::default();
    for round in 0..scale.of(2, 20) {
        let dir = data_dir();
        let api = tokio::task::block_in_place(|| Program::local(dir.path(), &[]));
        let scenario = format!("graceful-stop-{round}");
        let client = Client::new(&api.base, History::open(&scenario), LIMIT);
        let stopped = stop_under_load(&client, api, scale.seed + round).await;
        failed += stopped.failed;
        answered += stopped.answered;
        waiting += stopped.waiting;
        bad_exits += usize::from(!stopped.was_success);
        slowest = slowest.max(stopped.took);
        // What it said is true for the next one.
        let api = tokio::task::block_in_place(|| Program::local(dir.path(), &[]));
        await_healthy(&api.base).await;
        let client = client.moved_to(&api.base);
        load::await_stored_available(&client, dir.path(), LIMIT).await;
        let found = checker::check(&client, Inside::Local(dir.path())).await;
        findings.add(found);
    }
    let worker = stop_the_worker(scale).await;
    let mut measurements = vec![
        Measurement::at_least("requests in hand, answered", answered, CLIENTS),
        Measurement::at_least("of them waiting for a settlement", waiting, 1),
        Measurement::none("requests in hand that failed", failed),
        Measurement::none("exits with a failure", bad_exits),
        Measurement::within("slowest exit of the API", slowest, EXIT_LIMIT),
    ];
    measurements.extend(worker);
    measurements.extend(findings.measurements());
    measurements
}

struct Stopped {
    failed: usize,
    answered: usize,
    waiting: usize,
    was_success: bool,
    took: Duration,
}

/// One request: when it was sent, and how it ended.
struct Sent {
    at: Instant,
    ended: Instant,
    was_answered: bool,
    was_waiting: bool,
}

async fn stop_under_load(client: &Client, api: Program, seed: u64) -> Stopped {
    let sent = RefCell::new(Vec::new());
    let over = Cell::new(false);
    let mut random = fastrand::Rng::with_seed(seed);
    let contents: Vec<_> = (0..CLIENTS).map(|_| content(&mut random, LENGTH)).collect();
    let loading = join_all(contents.iter().map(|content| async {
        while !over.get() {
            one_file(client, content.clone(), &sent).await;
        }
    }));
    // Their answer would come long after the signal.
    let waiting = join_all((0..CLIENTS / 4).map(|_| async {
        let Some(created) = client
            .create(content(&mut fastrand::Rng::new(), 1), false)
            .await
        else {
            return;
        };
        let path = format!("/v1/files/{}/metadata?wait=20", created.id);
        record(&sent, true, client.request(Method::GET, &path).send()).await;
    }));
    let stopping = async {
        sleep(LOAD).await;
        let told = Instant::now();
        let exit = tokio::task::spawn_blocking(move || api.terminate()).await;
        over.set(true);
        (told, exit.expect("it ends").success(), told.elapsed())
    };
    let (_, _, (told, was_success, took)) = tokio::join!(loading, waiting, stopping);
    let sent = sent.into_inner();
    let in_hand = || {
        sent.iter()
            .filter(|it| it.at + ON_THE_WAY < told && it.ended > told)
    };
    // Under a light load the next look may find that all quick requests are through: those that are
    // answered just before the signal count as well.
    Stopped {
        failed: sent
            .iter()
            .filter(|it| it.at + ON_THE_WAY < told && !it.was_answered)
            .count(),
        answered: sent
            .iter()
            .filter(|it| it.at < told && it.was_answered)
            .count(),
        waiting: in_hand()
            .filter(|it| it.was_waiting && it.was_answered)
            .count(),
        was_success,
        took,
    }
}

async fn record(
    sent: &RefCell<Vec<Sent>>,
    was_waiting: bool,
    request: impl Future<Output = reqwest::Result<reqwest::Response>>,
) {
    let at = Instant::now();
    let answer = request.await;
    let was_answered = match answer {
        // To its end.
        Ok(answer) => !answer.status().is_server_error() && answer.bytes().await.is_ok(),
        Err(_) => false,
    };
    sent.borrow_mut().push(Sent {
        at,
        ended: Instant::now(),
        was_answered,
        was_waiting,
    });
}

async fn one_file(client: &Client, content: bytes::Bytes, sent: &RefCell<Vec<Sent>>) {
    let at = Instant::now();
    let (_, created) = client.create_once(content, false).await;
    let was_answered = created.is_some();
    let ended = Instant::now();
    sent.borrow_mut().push(Sent {
        at,
        ended,
        was_answered,
        was_waiting: false,
    });
    let Some(created) = created else {
        // Nobody listens any more.
        return sleep(Duration::from_millis(20)).await;
    };
    let at = Instant::now();
    let status = client.put_once(&created).await;
    let was_answered = status.is_some_and(|it| it.is_success());
    if was_answered {
        client.history.append(&created.id, Observation::Stored);
    }
    sent.borrow_mut().push(Sent {
        at,
        ended: Instant::now(),
        was_answered,
        was_waiting: false,
    });
}

/// The worker, with messages in its hands.
async fn stop_the_worker(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("graceful-stop", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("graceful-stop-worker"), LIMIT);
    let contents = load::contents(scale.seed, scale.of(100, 1_000));
    let worker = aws.worker(&[]);
    let uploading = load::upload_all(&client, contents);
    let stopping = async {
        sleep(Duration::from_secs(2)).await;
        let told = Instant::now();
        let exit = tokio::task::spawn_blocking(move || worker.terminate()).await;
        (exit.expect("it ends").success(), told.elapsed())
    };
    let (_, (was_success, took)) = tokio::join!(uploading, stopping);
    // It gave back what it had: nothing is hidden from the next one for long.
    let _next = aws.worker(&[]);
    let (_, left) = load::await_none_pending(&client, CATCH_UP_LIMIT).await;
    vec![
        Measurement::within("exit of the worker", took, EXIT_LIMIT),
        Measurement::none("failures of the worker's exit", usize::from(!was_success)),
        Measurement::none("not finalized by the next worker", left),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
    ]
}
