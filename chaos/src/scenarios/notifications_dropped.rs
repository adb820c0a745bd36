//! One in twenty notifications never arrives: the reconciler has to find those files.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::relay::{Relay, RelayOptions};

/// From the last upload: after a minute the reconciler looks for itself, every half minute.
const LIMIT: Duration = Duration::from_secs(120);
const DROPPED: f64 = 0.05;

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("dropped", &[]).await;
    let options = RelayOptions {
        dropped: DROPPED,
        copies: 1,
    };
    let relay = Relay::start(&aws, options, scale.seed).await;
    let api = aws.api(&[]);
    // Up before the uploads, so that it isn't the sweep of a start that finds them.
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    let client = Client::new(&api.base, History::open("notifications-dropped"), LIMIT);
    let contents = load::contents(scale.seed, scale.of(150, 5_000));
    let count = contents.len();
    let stored = load::upload_all(&client, contents).await;
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let dropped = relay.counts.dropped.load(Ordering::Relaxed);
    let mut measurements = vec![
        Measurement::exactly("uploads that the store accepted", stored.len(), count),
        Measurement::at_least("notifications lost", dropped, 1),
        Measurement::none("not recovered", left),
        Measurement::within("all recovered after the last upload", took, LIMIT),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
    ];
    measurements.extend(findings.measurements());
    measurements
}
