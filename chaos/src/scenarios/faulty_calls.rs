//! A fifth of all calls of S3, DynamoDB and SQS fail in one of four ways, for programs and clients
//! alike.
//!
//! Half of the faults are refusals (500, 503), the others are throttling, calls that hang, and calls
//! that are carried out and whose answer is lost.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::fault_proxy::{FaultAction, Refusal};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;

const FAULTY: f64 = 0.2;
/// The share of a service's API calls that may end in a 5xx.
const SERVER_ERRORS: f64 = 0.01;
const LIMIT: Duration = Duration::from_secs(120);
/// How long a client goes on. A call that hangs takes a minute from it, and of thousands of clients some
/// meet a few in a row.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("faulty-calls", &[]).await;
    let api = aws.api(&[]);
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    let client = Client::new(&api.base, History::open("faulty-calls"), PATIENCE);
    let random = Mutex::new(fastrand::Rng::with_seed(scale.seed));
    aws.proxy
        .set_plan(move |_| action(&mut random.lock().expect("it doesn't panic")));

    let contents = load::contents(scale.seed, scale.of(100, 3_000));
    let count = contents.len();
    let stored = load::upload_all(&client, contents).await;
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    // Some of everything else that a client does, with the same faults.
    let client = &client;
    let of_file = |(number, id): (usize, &String)| {
        let id = id.clone();
        async move {
            if number % 5 == 0 {
                client.await_settled(&id).await;
                client.download(&id).await;
            }
            if number % 4 == 0 {
                client.delete(&id).await;
            }
        }
    };
    futures_util::stream::iter(stored.iter().enumerate())
        .map(of_file)
        .buffer_unordered(load::CLIENTS)
        .collect::<Vec<()>>()
        .await;
    let faults = aws.proxy.recorder().share_of_faults();
    let (calls, server_errors) = (client.stats.calls.get(), client.stats.server_errors.get());
    let share = client.stats.share_of_server_errors();
    aws.proxy.let_all_pass();
    await_no_bytes_of_deleted(&aws).await;
    let findings = checker::check(client, Inside::Aws(&aws)).await;
    let mut measurements = vec![
        Measurement::share_between(
            "share of calls that failed",
            faults,
            FAULTY - 0.05,
            FAULTY + 0.05,
        ),
        Measurement::exactly("uploads that the store accepted", stored.len(), count),
        Measurement::none("not finalized", left),
        Measurement::within("all finalized after the last upload", took, LIMIT),
        Measurement::done("calls of clients", calls),
        Measurement::done("of them answered 5xx", server_errors),
        Measurement::at_most("share of 5xx", share, SERVER_ERRORS, ""),
        Measurement::none("5xx without Retry-After", client.stats.without_advice.get()),
        Measurement::none("operations given up", client.stats.gave_up.borrow().len()),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
    ];
    measurements.extend(findings.measurements());
    measurements
}

fn action(random: &mut fastrand::Rng) -> FaultAction {
    if random.f64() >= FAULTY {
        return FaultAction::Pass;
    }
    match random.u8(0..10) {
        0..=2 => FaultAction::Refuse(Refusal::Internal),
        3..=4 => FaultAction::Refuse(Refusal::Unavailable),
        5..=6 => FaultAction::Refuse(Refusal::Throttled),
        7 => FaultAction::Hang,
        _ => FaultAction::LoseAnswer,
    }
}

/// Deleted files whose bytes couldn't be deleted at once are the reconciler's.
async fn await_no_bytes_of_deleted(aws: &Aws) {
    let began = std::time::Instant::now();
    while began.elapsed() < LIMIT {
        let items = aws.items().await;
        let versions = aws.versions().await;
        let is_deleted = |id: &String| {
            let item = items.get(id);
            item.is_none_or(|item| crate::aws::text(item, "status") == "deleted")
        };
        if !versions.keys().any(is_deleted) {
            return;
        }
        tokio::time::sleep(load::POLL).await;
    }
}
