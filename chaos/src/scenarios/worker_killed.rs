//! Uploads while both workers are killed every two seconds.
//!
//! Whatever a worker was at (a message in hand, a file half hashed, a record written and not yet
//! acknowledged) is cut off in the middle, again and again. All files are of one person with a quota.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::block_in_place;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::Supervised;
use crate::support::issuer::Issuer;

const PAUSE: Duration = Duration::from_secs(2);
/// From the last kill until all is finalized: the visibility timeout, the time until the reconciler
/// looks, and as much again.
const LIMIT: Duration = Duration::from_secs(240);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("worker-killed", &[]).await;
    let issuer = block_in_place(Issuer::start);
    let api = aws.api(&Settings::that_count(&issuer).as_str());
    let base = api.listening_at();
    let patience = scale.of(Duration::from_secs(60), Duration::from_secs(120));
    let client = Client::new(&base, History::open("worker-killed"), patience);
    let client = client.with_token(person::token(&base, &issuer).await);
    // The shortest one that the worker takes, so that what died comes back within the short form.
    let visibility_timeout = scale.of("5s", "60s");
    let worker = || {
        let aws = Arc::clone(&aws);
        Supervised::new(move || aws.worker(&[("VISIBILITY_TIMEOUT", visibility_timeout)]))
    };
    let mut workers = [worker(), worker()];
    let contents = load::contents(scale.seed, scale.of(300, 10_000));
    let count = contents.len();
    let uploading = load::upload_all(&client, contents);
    let stored = load::while_disturbed(uploading, PAUSE, async || {
        for worker in &mut workers {
            worker.kill_and_start().await;
        }
    })
    .await;
    // As often again while they catch up, so that messages are in their hands.
    for _ in 0..scale.of(2, 5) {
        tokio::time::sleep(PAUSE).await;
        for worker in &mut workers {
            worker.kill_and_start().await;
        }
    }
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let kills = workers.iter().map(|worker| worker.kills).sum();
    let mut measurements = vec![
        Measurement::at_least("kills", kills, 6),
        Measurement::exactly("uploads that the store accepted", stored.len(), count),
        Measurement::none("not finalized", left),
        Measurement::within("all finalized after the last kill", took, LIMIT),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
    ];
    measurements.extend(findings.measurements());
    measurements
}
