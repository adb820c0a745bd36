//! Uploads while the API is killed every two seconds and comes back at the same address.

use std::sync::Arc;
use std::time::Duration;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::process::{Supervised, free_address};

const PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(240);
/// From the start of a program to its first answer.
const SERVING_LIMIT: Duration = Duration::from_secs(1);
/// In short, on a machine that may have other work to do.
const SERVING_LIMIT_SHORT: Duration = Duration::from_secs(5);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("api-killed", &[]).await;
    let address = free_address();
    let mut api = {
        let aws = Arc::clone(&aws);
        Supervised::new(move || aws.api(&[("LISTEN", &address)]))
    };
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    let patience = Duration::from_secs(60);
    let base = api.program().base.clone();
    let client = Client::new(&base, History::open("api-killed"), patience);
    let contents = load::contents(scale.seed, scale.of(400, 10_000));
    let count = contents.len();
    let uploading = load::upload_all(&client, contents);
    let stored = load::while_disturbed(uploading, PAUSE, async || api.kill_and_serve().await).await;
    // Once with everything there.
    api.kill_and_serve().await;
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let mut measurements = vec![
        Measurement::at_least("kills", api.kills, 2),
        Measurement::done("calls that broke off", client.stats.broken.get()),
        Measurement::within(
            "slowest start until it served",
            api.slowest_start,
            scale.of(SERVING_LIMIT_SHORT, SERVING_LIMIT),
        ),
        Measurement::exactly("uploads that the store accepted", stored.len(), count),
        Measurement::none("not finalized", left),
        Measurement::within("all finalized after the last kill", took, LIMIT),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
    ];
    measurements.extend(findings.measurements());
    measurements
}
