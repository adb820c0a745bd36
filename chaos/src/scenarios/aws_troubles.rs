//! aws mode with a table that throttles everything, a bucket that is gone, and credentials that have
//! run out.
//!
//! What is asked is the same each time: the right status with advice, nothing lost, nothing expired
//! that may only be out of sight, and well again when the cause is gone, without a restart. Stores
//! that don't answer at all are the integration tests' (`tests/it/aws_faults.rs`).

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, content};
use crate::fault_proxy::{AwsService, Call, FaultAction, Refusal};
use crate::history::History;
use crate::measurement::Measurement;

const LIMIT: Duration = Duration::from_secs(120);
/// For the worker: a message that it can't even defer comes again after the visibility timeout of 60 s,
/// and one that it could after ten seconds at the first time, twenty at the second.
const WELL_AGAIN: Duration = Duration::from_secs(90);
/// Long enough for the worker to fail with what it has.
const TROUBLE: Duration = Duration::from_secs(5);

struct Trouble {
    name: &'static str,
    action: fn(&Call) -> FaultAction,
    creation: usize,
    is_ready: bool,
}

/// Presigned calls are a client's, which these troubles meet in the bucket only.
const TROUBLES: [Trouble; 3] = [
    Trouble {
        name: "table throttled",
        action: |call| match call.service {
            AwsService::DynamoDb => FaultAction::Refuse(Refusal::Throttled),
            _ => FaultAction::Pass,
        },
        creation: 503,
        is_ready: false,
    },
    Trouble {
        name: "bucket gone",
        action: |call| match call.service {
            AwsService::S3 => FaultAction::Refuse(Refusal::NoSuchBucket),
            _ => FaultAction::Pass,
        },
        // Only the record is made. The client's PUT then hears of the bucket.
        creation: 201,
        is_ready: false,
    },
    Trouble {
        name: "credentials expired",
        action: |call| match call.is_presigned {
            true => FaultAction::Pass,
            false => FaultAction::Refuse(Refusal::ExpiredCredentials),
        },
        creation: 503,
        is_ready: false,
    },
];

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("aws-troubles", &[]).await;
    let api = aws.api(&[]);
    // It looks all the time, so that it would also expire at once what it can't see.
    let worker = aws.worker(&[("RECONCILE_INTERVAL", "1s")]);
    let client = Client::new(&api.base, History::open("aws-troubles"), LIMIT);
    let mut measurements = Vec::new();
    for trouble in TROUBLES {
        measurements.extend(one(&aws, &client, scale, &trouble).await);
    }
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    measurements.extend(findings.measurements());
    drop(worker);
    measurements
}

async fn one(aws: &Aws, client: &Client, scale: Scale, trouble: &Trouble) -> Vec<Measurement> {
    let name = trouble.name;
    let advice = client.stats.without_advice.get();
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), 1024);
    let waiting = client.create(bytes.clone(), false).await.expect("a file");

    aws.proxy.set_plan(trouble.action);
    let (creation, _) = client.create_once(bytes.clone(), false).await;
    let ready = client.call(client.request(Method::GET, "/readyz")).await;
    let is_ready = ready.is_some_and(|answer| answer.status().is_success());
    // Straight into the bucket where the client can reach it: the worker hears of it, and fails.
    let put = client.put_once(&waiting).await;
    sleep(TROUBLE).await;

    aws.proxy.let_all_pass();
    let ended = Instant::now();
    while client.create_once(bytes.clone(), false).await.1.is_none() {
        assert!(ended.elapsed() < LIMIT, "{name}: it doesn't get well");
        sleep(Duration::from_millis(50)).await;
    }
    client.put(&waiting).await;
    let settled = client.await_settled(&waiting.id).await;
    let recovered = ended.elapsed();
    let is_available = settled.is_some_and(|it| it.text("status") == "available");
    let code = |status: Option<StatusCode>| usize::from(status.map_or(0, |it| it.as_u16()));
    vec![
        Measurement::exactly(
            format!("{name}: status of a creation"),
            code(creation),
            trouble.creation,
        ),
        Measurement::exactly(
            format!("{name}: /readyz says ready"),
            usize::from(is_ready),
            usize::from(trouble.is_ready),
        ),
        Measurement::done(format!("{name}: status of a PUT"), code(put)),
        Measurement::none(
            format!("{name}: 5xx without Retry-After"),
            client.stats.without_advice.get() - advice,
        ),
        Measurement::exactly(
            format!("{name}: available in the end"),
            usize::from(is_available),
            1,
        ),
        Measurement::within(format!("{name}: well again"), recovered, WELL_AGAIN),
    ]
}
