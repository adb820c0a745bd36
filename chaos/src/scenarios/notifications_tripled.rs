//! Every notification three times, in another order, to eight consumers; and then all of them once
//! more, for files that are settled long since.

use std::time::{Duration, Instant};

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;

const CONSUMERS: usize = 8;
const COPIES: usize = 3;
/// Not what is asked here; far more than it takes.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("tripled", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("notifications-tripled"), LIMIT);
    let contents = load::contents(scale.seed, scale.of(100, 2_000));
    let count = contents.len();
    load::upload_all(&client, contents).await;

    // Nobody has seen them yet.
    let queue_url = aws.queue_url().to_owned();
    // Theirs and S3's test event.
    let taken = aws.take_all(&queue_url, count + 1).await;
    let bodies: Vec<String> = taken
        .into_iter()
        .filter_map(|message| message.body)
        .filter(|body| body.contains("uploads"))
        .collect();
    let notified = bodies.len();
    let mut random = fastrand::Rng::with_seed(scale.seed);
    send_shuffled(&aws, &bodies, COPIES, &mut random).await;
    let workers: Vec<_> = (0..CONSUMERS).map(|_| aws.worker(&[])).collect();
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    await_empty(&aws).await;
    let before = aws.items().await;

    send_shuffled(&aws, &bodies, COPIES, &mut random).await;
    await_empty(&aws).await;
    let after = aws.items().await;
    let changed = after
        .iter()
        .filter(|(id, item)| before.get(*id) != Some(item))
        .count();
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let (visible, hidden) = aws.queued(&aws.deployment().dead_letter_queue_url).await;
    drop(workers);
    let mut measurements = vec![
        Measurement::exactly("notifications, each sent 6 times", notified, count),
        Measurement::none("not finalized", left),
        Measurement::within("all finalized", took, LIMIT),
        Measurement::none("second transitions", aws.proxy.recorder().settled_twice()),
        Measurement::done(
            "settlements that came too late",
            aws.proxy.recorder().too_late(),
        ),
        Measurement::none("records that a repetition changed", changed),
        Measurement::none("dead letters", visible + hidden),
    ];
    measurements.extend(findings.measurements());
    measurements
}

async fn send_shuffled(aws: &Aws, bodies: &[String], copies: usize, random: &mut fastrand::Rng) {
    let mut all: Vec<String> = std::iter::repeat_n(bodies, copies)
        .flatten()
        .cloned()
        .collect();
    random.shuffle(&mut all);
    aws.send(aws.queue_url(), &all).await;
}

async fn await_empty(aws: &Aws) {
    let began = Instant::now();
    while aws.queued(aws.queue_url()).await != (0, 0) {
        assert!(began.elapsed() < LIMIT, "the queue doesn't get empty");
        tokio::time::sleep(load::POLL).await;
    }
}
