//! Stored bytes that changed behind the service's back: `file-share scrub` has to name exactly those.
//!
//! In aws mode a flipped byte is one that the store hands out. Beside it there are objects that
//! somebody wrote over, which is no damage, since the version that was measured is still there; and
//! objects whose measured version is gone, which is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::Scale;
use crate::aws::{Aws, text};
use crate::checker::{object_of, objects_below};
use crate::client::Client;
use crate::fault_proxy::{AwsService, FaultAction};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::recounts::data_dir;
use crate::support::program::{Program, scrub_aws, scrub_local};

const LIMIT: Duration = Duration::from_secs(600);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = local_mode(scale).await;
    measurements.extend(aws_mode(scale).await);
    measurements
}

/// Files that aren't empty: those have no byte to flip.
async fn available(client: &Client, seed: u64, count: usize) -> Vec<String> {
    let contents = load::contents(seed, count + 1).split_off(1);
    let contents = contents.into_iter().filter(|it| !it.is_empty()).collect();
    let stored = load::upload_all(client, contents).await;
    load::await_none_pending(client, LIMIT).await;
    stored
}

async fn local_mode(scale: Scale) -> Vec<Measurement> {
    let (count, flipped) = (scale.of(300, 10_000), scale.of(10, 100));
    let dir = data_dir();
    let api = block_in_place(|| Program::local(dir.path(), &[]));
    let client = Client::new(&api.base, History::open("scrub-local"), LIMIT);
    let mut stored = available(&client, scale.seed, count).await;
    let sound = block_in_place(|| scrub_local(dir.path(), &[]));
    let mut random = fastrand::Rng::with_seed(scale.seed);
    random.shuffle(&mut stored);
    let damaged: BTreeSet<String> = stored.iter().take(flipped).cloned().collect();
    for path in objects_below(dir.path()) {
        if object_of(&path).is_some_and(|id| damaged.contains(&id)) {
            flip(&path, &mut random);
        }
    }
    // Beside the running service, as an operator does it.
    let began = Instant::now();
    let output = block_in_place(|| scrub_local(dir.path(), &[]));
    judged(
        "local mode",
        stored.len(),
        &sound,
        &output,
        &damaged,
        began.elapsed(),
    )
}

fn flip(path: &Path, random: &mut fastrand::Rng) {
    let mut bytes = std::fs::read(path).expect("an object can be read");
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(0..8);
    std::fs::write(path, bytes).expect("an object can be written by its owner");
}

async fn aws_mode(scale: Scale) -> Vec<Measurement> {
    let (count, each) = (scale.of(60, 1_000), scale.of(5, 30));
    let aws = Aws::start("scrub", &[]).await;
    let api = aws.api(&[]);
    let worker = aws.worker(&[]);
    let client = Client::new(&api.base, History::open("scrub-aws"), LIMIT);
    let mut stored = available(&client, scale.seed, count).await;
    // Whatever changes from here on, no worker may look at it.
    drop(worker);
    let sound = block_in_place(|| scrub_aws(aws.deployment(), &[]));
    fastrand::Rng::with_seed(scale.seed).shuffle(&mut stored);
    let (flipped, rest) = stored.split_at(each);
    let (gone, written_over) = (&rest[..each], &rest[each..2 * each]);
    let items = aws.items().await;
    for id in gone {
        let delete = aws.s3.delete_object().bucket(aws.bucket());
        let delete = delete
            .key(format!("uploads/{id}"))
            .version_id(text(&items[id], "versionId"));
        delete
            .send()
            .await
            .expect("an operator can delete a version");
    }
    for id in written_over {
        let put = aws.s3.put_object().bucket(aws.bucket());
        let put = put
            .key(format!("uploads/{id}"))
            .body(b"other bytes".to_vec().into());
        put.send().await.expect("an operator can write");
    }
    let wrong: BTreeSet<String> = flipped.iter().cloned().collect();
    aws.proxy.set_plan(move |call| {
        let is_wrong = call.file_id.as_ref().is_some_and(|id| wrong.contains(id));
        match is_wrong && call.is(AwsService::S3, "GET") {
            true => FaultAction::FlipByte,
            false => FaultAction::Pass,
        }
    });
    let began = Instant::now();
    let output = block_in_place(|| scrub_aws(aws.deployment(), &[]));
    let damaged = flipped.iter().chain(gone).cloned().collect();
    judged(
        "aws mode",
        stored.len(),
        &sound,
        &output,
        &damaged,
        began.elapsed(),
    )
}

fn judged(
    name: &str,
    count: usize,
    sound: &Output,
    output: &Output,
    damaged: &BTreeSet<String>,
    took: Duration,
) -> Vec<Measurement> {
    let lines = String::from_utf8_lossy(&output.stdout);
    let named: BTreeSet<String> = lines
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let code = |output: &Output| usize::try_from(output.status.code().unwrap_or(99)).unwrap_or(99);
    vec![
        Measurement::done("files", count),
        Measurement::exactly("exit code while all is sound", code(sound), 0),
        Measurement::exactly(
            "damaged files named",
            named.intersection(damaged).count(),
            damaged.len(),
        ),
        Measurement::none("sound files named", named.difference(damaged).count()),
        Measurement::exactly("exit code with damage", code(output), 1),
        Measurement::within("scrubbed in", took, LIMIT),
    ]
    .into_iter()
    .map(|measurement| measurement.named(name))
    .collect()
}
