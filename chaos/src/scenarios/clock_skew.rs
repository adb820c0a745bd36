//! Workers whose clock is wrong beside one whose clock is right: nobody expires or deletes what the store
//! still takes.
//!
//! Twice: with times of some seconds, skews scaled with them and uploads in the last moments of their
//! URL's life; and with the real times, which leaves none of them but the right worker in the right.
//! The stand-in runs on this machine, so the store's time is the right one.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, Created, content};
use crate::fake_clock::FakeClock;
use crate::history::{History, Observation};
use crate::measurement::Measurement;

const FILES: usize = 12;
/// Files that nobody sends bytes for, and files that are deleted once they are there.
const FEW: usize = 3;
const LIMIT: Duration = Duration::from_secs(120);
/// What the programs say at their start where a clock is off by more than a minute.
const SAID: &str = "this machine's clock is";
/// A start may take a while where other scenarios run.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Clocks, in seconds, and the times of the service that they are put off against.
struct Plan {
    name: &'static str,
    offsets: &'static [i64],
    lifetime: Duration,
    grace: Duration,
    /// From the creation to the PUT.
    wait: Duration,
}

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let scaled = Plan {
        name: "skews of the URL's life",
        offsets: &[-50, 50, 5_000],
        lifetime: Duration::from_secs(20),
        grace: Duration::from_secs(15),
        // As late as a busy machine allows.
        wait: Duration::from_secs(14),
    };
    let real = Plan {
        name: "31 minutes and 3 days",
        offsets: &[-31 * 60, 31 * 60, 3 * 24 * 60 * 60],
        lifetime: Duration::from_secs(15 * 60),
        grace: Duration::from_secs(15 * 60),
        wait: scale.of(Duration::from_secs(10), Duration::from_secs(14 * 60)),
    };
    let mut measurements = beside_wrong_clocks(scale, &scaled).await;
    measurements.extend(beside_wrong_clocks(scale, &real).await);
    measurements
}

async fn beside_wrong_clocks(scale: Scale, plan: &Plan) -> Vec<Measurement> {
    let aws = Aws::start("clock-skew", &[]).await;
    let [lifetime, grace] = [plan.lifetime, plan.grace].map(|it| format!("{}s", it.as_secs()));
    let settings = [
        ("UPLOAD_URL_TTL", lifetime.as_str()),
        ("UPLOAD_GRACE", grace.as_str()),
        ("RECONCILE_INTERVAL", "1s"),
    ];
    let api = aws.api(&settings);
    let right = aws.worker(&settings);
    let client = Client::new(&api.base, History::open("clock-skew"), LIMIT);
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let mut files = Vec::new();
    for _ in 0..FILES + FEW {
        let bytes = content(&mut random, 1024);
        files.push(client.create(bytes, false).await.expect("a file"));
    }
    let created = Instant::now();
    let unsent = files.split_off(FILES);
    // Their first look is at everything that is pending.
    let wrong: Vec<_> = plan
        .offsets
        .iter()
        .map(|offset| {
            let clock = FakeClock::make();
            clock.set(*offset);
            let settings = [&settings[..], &clock.settings()[..]].concat();
            (*offset, aws.worker(&settings), clock)
        })
        .collect();
    for (_, worker, _) in &wrong {
        let began = Instant::now();
        while !worker.log().contains("consumes event notifications") {
            assert!(began.elapsed() < START_LIMIT, "{}", worker.log());
            sleep(Duration::from_millis(20)).await;
        }
    }
    sleep(plan.wait.saturating_sub(created.elapsed())).await;
    let (taken, available) = send(&client, &files).await;
    for file in &files[..FEW] {
        client.delete(&file.id).await;
    }
    // A tombstone that somebody removed too early would let these bytes in for good. Too late for the
    // URL is as well.
    sleep(Duration::from_secs(2)).await;
    for file in &files[..FEW] {
        client.put_once(file).await;
    }
    let expired = match plan.lifetime < LIMIT {
        true => Some(count_expired(&client, &unsent, plan).await),
        false => None,
    };
    // Rounds of everybody, over everything that there is now.
    sleep(Duration::from_secs(5)).await;
    let silent = wrong
        .iter()
        .filter(|(offset, worker, _)| offset.unsigned_abs() > 60 && !worker.log().contains(SAID));
    let mut measurements = vec![
        Measurement::at_least("uploads that the store took", taken, FILES),
        Measurement::exactly("of these available", available, taken),
        Measurement::none("wrong clocks that nothing is said of", silent.count()),
        Measurement::none(
            "words about the right clock",
            usize::from(right.log().contains(SAID)),
        ),
    ];
    if let Some(expired) = expired {
        measurements.push(Measurement::exactly(
            "expired for want of bytes",
            expired,
            FEW,
        ));
    }
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    drop((right, wrong));
    measurements.extend(findings.measurements());
    measurements
        .into_iter()
        .map(|it| it.named(plan.name))
        .collect()
}

/// How many PUTs were answered 200, and how many of those files became available.
async fn send(client: &Client, files: &[Created]) -> (usize, usize) {
    let (mut taken, mut available) = (0, 0);
    for file in files {
        if client
            .put_once(file)
            .await
            .is_some_and(|it| it.is_success())
        {
            client.history.append(&file.id, Observation::Stored);
            taken += 1;
        }
    }
    for file in files {
        let settled = client.await_settled(&file.id).await;
        available += usize::from(settled.is_some_and(|it| it.text("status") == "available"));
    }
    (taken, available)
}

/// Once their time is over by the right clock. Nobody expires them before.
async fn count_expired(client: &Client, unsent: &[Created], plan: &Plan) -> usize {
    let began = Instant::now();
    let limit = plan.lifetime + plan.grace + LIMIT;
    let mut expired = 0;
    for file in unsent {
        while began.elapsed() < limit {
            let shown = client.describe(&file.id, 5).await.flatten();
            if shown.is_some_and(|it| it.text("status") == "expired") {
                expired += 1;
                break;
            }
        }
    }
    expired
}
