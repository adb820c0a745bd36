//! Messages that nobody of ours has sent, among good ones.
//!
//! What can't be understood has to end in the dead-letter queue, after as many deliveries as the
//! stack says and not one fewer; what is understood and isn't for us is taken and forgotten; and the
//! good ones mustn't notice.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use serde_json::json;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::client_stats::p99;
use crate::history::History;
use crate::load::{self, CLIENTS};
use crate::measurement::Measurement;

const LIMIT: Duration = Duration::from_secs(120);
/// What the good ones' wait for their finalization may grow by.
const FACTOR: f64 = 2.0;
/// As a message of this size is understood or not, it is never worth more than a look.
const LONG: usize = 64 * 1024;
const DEPTH: usize = 20_000;

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let max_receive_count = scale.of(3, 8);
    let setting = max_receive_count.to_string();
    let aws = Aws::start("poison", &[("MAX_RECEIVE_COUNT", &setting)]).await;
    let api = aws.api(&[]);
    // In full with the default, which then takes nine minutes.
    let worker_settings = [("VISIBILITY_TIMEOUT", scale.of("5s", "60s"))];
    let mut workers = [aws.worker(&worker_settings), aws.worker(&worker_settings)];
    let client = Client::new(&api.base, History::open("poison"), LIMIT);
    let (good, poison) = (scale.of(150, 9_000), scale.of(60, 1_000));

    let alone = waits(&client, scale.seed, good / 3).await;
    let (bad, foreign) = messages(aws.bucket(), poison);
    let (not_understood, ignored) = (bad.len(), foreign.len());
    let mut all = [bad, foreign].concat();
    fastrand::Rng::with_seed(scale.seed).shuffle(&mut all);
    let sending = async {
        for some in all.chunks(10) {
            aws.send(aws.queue_url(), some).await;
        }
    };
    let (beside_poison, ()) = tokio::join!(waits(&client, scale.seed + 1, good * 2 / 3), sending);

    let dead_letters = dead_letters(&aws, not_understood, max_receive_count).await;
    let (visible, hidden) = aws.queued(aws.queue_url()).await;
    let restarts = workers
        .iter_mut()
        .filter_map(|it| (!it.is_running()).then_some(()))
        .count();
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let factor = p99(&beside_poison).as_secs_f64() / p99(&alone).as_secs_f64();
    let mut measurements = vec![
        Measurement::done("messages not to be understood", not_understood),
        Measurement::done("messages for somebody else", ignored),
        Measurement::exactly("dead letters", dead_letters.len(), not_understood),
        Measurement::exactly(
            format!("of them delivered {max_receive_count} times"),
            dead_letters
                .iter()
                .filter(|it| **it == max_receive_count)
                .count(),
            not_understood,
        ),
        Measurement::none("messages left in the queue", visible + hidden),
        Measurement::at_most(
            "p99 of the good ones, by that without poison",
            factor,
            FACTOR,
            " ×",
        ),
        Measurement::none("workers that ended", restarts),
    ];
    measurements.extend(findings.measurements());
    measurements
}

/// Uploads `count` files; how long each waited from its last byte until it was available.
async fn waits(client: &Client, seed: u64, count: usize) -> Vec<Duration> {
    use futures_util::StreamExt;
    futures_util::stream::iter(load::contents(seed, count))
        .map(|content| async move {
            let created = client.create(content, true).await?;
            client.put(&created).await?;
            let began = Instant::now();
            client.await_settled(&created.id).await?;
            Some(began.elapsed())
        })
        .buffer_unordered(CLIENTS / 4)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Messages that can't be understood, and those that can be and aren't for us.
fn messages(bucket: &str, count: usize) -> (Vec<String>, Vec<String>) {
    let event = |bucket: &str, key: &str| {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
        }]})
        .to_string()
    };
    let nobodys = "uploads/019a8f6e-0000-7000-8000-000000000000";
    let kinds: [(bool, String); 6] = [
        (true, "[".repeat(DEPTH)),
        (true, "a".repeat(LONG)),
        (true, json!({"detail": {"Records": []}}).to_string()),
        (false, event("somebody-elses-bucket", nobodys)),
        (false, event(bucket, nobodys)),
        // Half of a character of two bytes.
        (false, event(bucket, "uploads/%C3")),
    ];
    let all = kinds.iter().cycle().take(count).cloned();
    let (bad, foreign): (Vec<_>, Vec<_>) = all.partition(|(is_bad, _)| *is_bad);
    let bodies = |kinds: Vec<(bool, String)>| kinds.into_iter().map(|(_, body)| body).collect();
    (bodies(bad), bodies(foreign))
}

/// How often each dead letter had been delivered, once there are `expected` or no more come.
async fn dead_letters(aws: &Aws, expected: usize, max_receive_count: usize) -> Vec<usize> {
    let url = &aws.deployment().dead_letter_queue_url;
    let began = Instant::now();
    let limit = LIMIT + Duration::from_secs(60) * u32::try_from(max_receive_count).unwrap_or(8);
    while aws.queued(url).await.0 < expected && began.elapsed() < limit {
        sleep(load::POLL).await;
    }
    // Whatever else is on its way there shows within a receive.
    sleep(Duration::from_secs(7)).await;
    let received = MessageSystemAttributeName::ApproximateReceiveCount;
    let count_of = |message: &aws_sdk_sqs::types::Message| {
        let count = message.attributes.as_ref()?.get(&received)?;
        // The one that has just been made isn't a worker's.
        Some(count.parse::<usize>().ok()?.saturating_sub(1))
    };
    let messages = aws.take_all(url, expected + 1).await;
    messages.iter().filter_map(count_of).collect()
}
