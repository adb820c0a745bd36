//! As many large files at a time as there may be: the most memory that each program had.
//!
//! In local mode the API carries the bytes itself; in aws mode only the worker reads them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;

use super::Scale;
use crate::aws::Aws;
use crate::client::{Client, content};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::process::peak_memory_mib;
use crate::recounts::data_dir;
use crate::support::program::Program;

/// 20 MiB, the largest file that there is.
const LENGTH: usize = 20 * 1024 * 1024;
const FINALIZATIONS: usize = 16;
const MOST_MIB: f64 = 128.0;
/// How long the slowest disk may take for all of it.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = local_mode(scale).await;
    measurements.extend(worker(scale).await);
    measurements
}

/// PUTs, GETs and the finalizations that follow, all at once.
async fn local_mode(scale: Scale) -> Vec<Measurement> {
    let (puts, gets) = (scale.of(16, 64), scale.of(16, 64));
    let dir = data_dir();
    let api = tokio::task::block_in_place(|| Program::local(dir.path(), &[]));
    let client = Client::new(&api.base, History::open("memory"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), LENGTH);
    // What the GETs read is there before.
    let shared = put(&client, &bytes)
        .await
        .expect("the first file is stored");
    client.await_settled(&shared).await;
    let putting = join_all((0..puts).map(|_| put(&client, &bytes)));
    let getting = join_all((0..gets).map(|_| client.download(&shared)));
    let (stored, fetched) = tokio::join!(putting, getting);
    let stored: Vec<String> = stored.into_iter().flatten().collect();
    join_all(stored.iter().map(|id| client.await_settled(id))).await;
    let available = client.list(Some("available")).await.len();
    vec![
        Measurement::exactly("PUTs of 20 MiB at a time", stored.len(), puts),
        Measurement::exactly(
            "GETs of 20 MiB beside them",
            fetched.iter().flatten().flatten().count(),
            gets,
        ),
        Measurement::exactly(
            "of them finalized, with the one before",
            available,
            puts + 1,
        ),
        Measurement::at_most(
            "peak memory of the API",
            peak_memory_mib(&api),
            MOST_MIB,
            " MiB",
        ),
    ]
}

async fn put(client: &Client, bytes: &bytes::Bytes) -> Option<String> {
    let created = client.create(bytes.clone(), false).await?;
    client.put(&created).await?;
    Some(created.id)
}

async fn worker(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("memory", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("memory-worker"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), LENGTH);
    // A few at a time: the stand-in keeps objects in memory, and what is asked about is the worker.
    let stored: Vec<Option<String>> = futures_util::stream::iter(0..FINALIZATIONS)
        .map(|_| put(&client, &bytes))
        .buffer_unordered(2)
        .collect()
        .await;
    // Started only now, so that it finds all of them.
    let worker = aws.worker(&[]);
    let (_, left) = load::await_none_pending(&client, LIMIT).await;
    vec![
        Measurement::exactly(
            "files of 20 MiB for the worker",
            stored.iter().flatten().count(),
            FINALIZATIONS,
        ),
        Measurement::none("not finalized", left),
        Measurement::at_most(
            "peak memory of the worker",
            peak_memory_mib(&worker),
            MOST_MIB,
            " MiB",
        ),
        Measurement::at_most(
            "peak memory of the API in aws mode",
            peak_memory_mib(&api),
            MOST_MIB,
            " MiB",
        ),
    ]
}
