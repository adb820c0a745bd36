//! The programs' clock jumps, forwards and backwards, by twenty minutes and by a day, and is put right
//! again.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, content};
use crate::fake_clock::FakeClock;
use crate::history::{History, Observation};
use crate::measurement::Measurement;
use crate::recounts::data_dir;
use crate::support::program::Program;

/// How far, in seconds: within the life of a URL and its grace, and far beyond.
const JUMPS: [(&str, i64); 2] = [("20 minutes", 20 * 60), ("a day", 24 * 60 * 60)];
const LIMIT: Duration = Duration::from_secs(120);
/// The reconciler looks often, so that it does so while the clock is off, and for so long.
const RECONCILE: (&str, &str) = ("RECONCILE_INTERVAL", "500ms");
const ROUNDS: Duration = Duration::from_secs(3);
/// The SDK goes by what it learnt of the time for a call or two; a file that fails with that is tried
/// again with the reconciler's next round.
const WELL_AGAIN: Duration = Duration::from_secs(100);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = local_mode(scale).await;
    measurements.extend(aws_mode(scale).await);
    measurements
}

/// Store and service have the same clock, so files come and go as ever; what was handed out before
/// a jump forwards has run out, and can be had anew.
async fn local_mode(scale: Scale) -> Vec<Measurement> {
    let clock = FakeClock::make();
    let dir = data_dir();
    let [preload, offset_file] = clock.settings();
    let settings = [preload, offset_file, RECONCILE];
    let api = tokio::task::block_in_place(|| Program::local(dir.path(), &settings));
    let client = Client::new(&api.base, History::open("clock-off-local"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), 1024);
    let mut measurements = Vec::new();
    for (name, jump) in JUMPS {
        let before = client.create(bytes.clone(), false).await.expect("a file");
        clock.set(jump);
        let refused = client.put_once(&before).await;
        sleep(ROUNDS).await;
        let mut available = 0;
        for offset in [jump, -jump, 0] {
            clock.set(offset);
            available += usize::from(goes_through(&client, &bytes).await);
        }
        let stored = client.put(&before).await.is_some();
        let settled = client.await_settled(&before.id).await;
        let is_available = settled.is_some_and(|it| it.text("status") == "available");
        measurements.extend([
            Measurement::exactly(
                format!("local mode, {name}: an upload URL from before the jump"),
                code(refused),
                403,
            ),
            Measurement::exactly(
                format!("local mode, {name}: files that went through ahead, behind and right"),
                available,
                3,
            ),
            Measurement::none(
                format!("local mode, {name}: accepted afterwards and lost"),
                usize::from(stored && !is_available),
            ),
        ]);
    }
    let findings = checker::check(&client, Inside::Local(dir.path())).await;
    let left = findings
        .measurements()
        .into_iter()
        .filter(|it| !it.is_only_told());
    measurements.extend(left.map(|it| it.named("local mode")));
    measurements
}

/// The stores have the right time and refuse what was signed at another.
async fn aws_mode(scale: Scale) -> Vec<Measurement> {
    let clock = FakeClock::make();
    let aws = Aws::start("clock-off", &[]).await;
    let api = aws.api(&clock.settings());
    let [preload, offset_file] = clock.settings();
    let hidden = ("VISIBILITY_TIMEOUT", "5s");
    let worker = aws.worker(&[preload, offset_file, hidden, RECONCILE]);
    let client = Client::new(&api.base, History::open("clock-off-aws"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), 1024);
    let waiting = client.create(bytes.clone(), false).await.expect("a file");
    let mut measurements = Vec::new();
    let jumps = JUMPS.iter().flat_map(|(name, jump)| {
        [
            (format!("{name} ahead"), *jump),
            (format!("{name} behind"), -jump),
        ]
    });
    for (name, offset) in jumps {
        clock.set(offset);
        // The SDK learns the store's time from the refusal, so the record may be made. The URL has
        // the program's own time.
        let (status, created) = client.create_once(bytes.clone(), false).await;
        let is_right = [201, 503].contains(&code(status));
        measurements.push(Measurement::exactly(
            format!("aws mode, {name}: a creation is answered 201 or 503"),
            usize::from(is_right),
            1,
        ));
        if let Some(created) = created {
            let put = client.put_once(&created).await;
            if put == Some(StatusCode::OK) {
                client.history.append(&created.id, Observation::Stored);
            }
            let name = format!("aws mode, {name}: status of a PUT to its URL");
            measurements.push(Measurement::exactly(name, code(put), 403));
        }
        sleep(ROUNDS).await;
    }
    // Its bytes come while nobody can look.
    client.put(&waiting).await;
    sleep(Duration::from_secs(2)).await;
    clock.set(0);
    let ended = Instant::now();
    let well = goes_through(&client, &bytes).await;
    client.await_settled(&waiting.id).await;
    let recovered = ended.elapsed();
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    drop(worker);
    measurements.extend([
        Measurement::none(
            "aws mode: 5xx without Retry-After",
            client.stats.without_advice.get(),
        ),
        Measurement::exactly(
            "aws mode: a file goes through once it is right",
            usize::from(well),
            1,
        ),
        Measurement::within("aws mode: well again", recovered, WELL_AGAIN),
    ]);
    let left = findings
        .measurements()
        .into_iter()
        .filter(|it| !it.is_only_told());
    measurements.extend(left.map(|it| it.named("aws mode")));
    measurements
}

fn code(status: Option<StatusCode>) -> usize {
    usize::from(status.map_or(0, |it| it.as_u16()))
}

/// A whole life, to the download.
async fn goes_through(client: &Client, bytes: &bytes::Bytes) -> bool {
    let Some(created) = client.create(bytes.clone(), false).await else {
        return false;
    };
    client.put(&created).await;
    client.await_settled(&created.id).await;
    client.download(&created.id).await.flatten().is_some()
}
