//! A fifth of all calls of S3, DynamoDB and SQS fail in one of four ways, for programs and clients
//! alike.
//!
//! Half of the faults are refusals (500, 503), the others are throttling, calls that hang, and calls
//! that are carried out and whose answer is lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::fault_proxy::{Fate, Refusal};
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::load;

const FAULTY: f64 = 0.2;
/// The share of a service's API calls that may end in a 5xx.
const SERVER_ERRORS: f64 = 0.01;
const LIMIT: Duration = Duration::from_secs(120);
/// How long a client goes on. A call that hangs takes a minute from it, and of thousands of clients some
/// meet a few in a row.
const PATIENCE: Duration = Duration::from_secs(600);

pub async fn run(scale: Scale) -> Vec<Figure> {
    let aws = Arc::new(Aws::start("faulty-calls", &[]).await);
    let api = aws.api(&[]);
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    let client = Client::new(&api.base, Ledger::open("faulty-calls"), PATIENCE);
    let random = Mutex::new(fastrand::Rng::with_seed(scale.seed));
    aws.proxy
        .set_plan(move |_| fate(&mut random.lock().expect("it doesn't panic")));

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
    let faults = aws.proxy.witness().share_of_faults();
    let (calls, server_errors) = (client.tally.calls.get(), client.tally.server_errors.get());
    let share = client.tally.share_of_server_errors();
    aws.proxy.let_all_pass();
    await_no_bytes_of_deleted(&aws).await;
    let findings = checker::check(client, Inside::Aws(&aws)).await;
    let mut figures = vec![
        Figure::share_between(
            "share of calls that failed",
            faults,
            FAULTY - 0.05,
            FAULTY + 0.05,
        ),
        Figure::exactly("uploads that the store accepted", stored.len(), count),
        Figure::none("not finalized", left),
        Figure::within("all finalized after the last upload", took, LIMIT),
        Figure::done("calls of clients", calls),
        Figure::done("of them answered 5xx", server_errors),
        Figure::at_most("share of 5xx", share, SERVER_ERRORS, ""),
        Figure::none("5xx without Retry-After", client.tally.without_advice.get()),
        Figure::none("operations given up", client.tally.gave_up.borrow().len()),
        Figure::none("finalized twice", aws.proxy.witness().settled_twice()),
    ];
    figures.extend(findings.figures());
    figures
}

fn fate(random: &mut fastrand::Rng) -> Fate {
    if random.f64() >= FAULTY {
        return Fate::Pass;
    }
    match random.u8(0..10) {
        0..=2 => Fate::Refuse(Refusal::Internal),
        3..=4 => Fate::Refuse(Refusal::Unavailable),
        5..=6 => Fate::Refuse(Refusal::Throttled),
        7 => Fate::Hang,
        _ => Fate::LoseAnswer,
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
