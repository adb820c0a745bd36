//! Ten messages in one batch, of which three can't be worked off because the bucket fails for them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Scale;
use crate::aws::{Aws, BATCH};
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::fault_proxy::{AwsService, FaultAction, Refusal};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;

const FAILING: usize = 3;
const LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = Vec::new();
    for round in 0..scale.of(1, 10) {
        measurements = one_batch(scale.seed + round).await;
        if !measurements.iter().all(Measurement::holds) {
            break;
        }
    }
    measurements
}

async fn one_batch(seed: u64) -> Vec<Measurement> {
    let aws = Aws::start("batch-of-ten", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("batch-of-ten"), LIMIT);
    let stored = load::upload_all(&client, load::contents(seed, BATCH)).await;
    // In the queue there are now S3's test event and the ten.
    let queue_url = aws.queue_url().to_owned();
    let taken = aws.take_all(&queue_url, BATCH + 1).await;
    let bodies = taken.into_iter().filter_map(|message| message.body);
    let bodies: Vec<String> = bodies.filter(|body| body.contains("uploads")).collect();
    aws.send(&queue_url, &bodies).await;
    let failing: HashSet<String> = stored.iter().take(FAILING).cloned().collect();
    let fails = failing.clone();
    aws.proxy.set_plan(move |call| {
        let of_these = call.file_id.as_ref().is_some_and(|id| fails.contains(id));
        match call.service == AwsService::S3 && of_these {
            true => FaultAction::Refuse(Refusal::Internal),
            false => FaultAction::Pass,
        }
    });
    let worker = aws.worker(&[]);
    let began = Instant::now();
    while aws.proxy.recorder().acknowledged() < BATCH - FAILING && began.elapsed() < LIMIT {
        sleep(load::POLL).await;
    }
    // Time enough for an eighth one.
    sleep(Duration::from_secs(5)).await;
    let acknowledged = aws.proxy.recorder().acknowledged();
    let (visible, hidden) = aws.queued(&queue_url).await;
    let pending: HashSet<String> = client.list(Some("pending")).await.into_iter().collect();

    aws.proxy.let_all_pass();
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    drop(worker);
    let mut measurements = vec![
        Measurement::exactly("messages", bodies.len(), BATCH),
        Measurement::exactly("acknowledged", acknowledged, BATCH - FAILING),
        Measurement::exactly("left in the queue", visible + hidden, FAILING),
        Measurement::exactly(
            "of the failing files pending",
            pending.intersection(&failing).count(),
            FAILING,
        ),
        Measurement::none("not finalized once the bucket is well", left),
        Measurement::within("finalized once the bucket is well", took, LIMIT),
    ];
    measurements.extend(findings.measurements());
    measurements
}
