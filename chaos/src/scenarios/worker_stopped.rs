//! A worker that stands still in the middle of its work (SIGSTOP: a paused machine, a long swap) for
//! twice the visibility timeout, while another one does the work, and then goes on.
//!
//! When it is stopped its settlements have left it and haven't arrived. They do so when the files have
//! long been settled, and then it goes on, with messages in hand and records that were pending when it
//! read them. The table must refuse all of that.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::fault_proxy::{AwsService, FaultAction, FaultProxy};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;

/// What a worker has in its hands at a time.
const FILES: usize = 16;
const LIMIT: Duration = Duration::from_secs(240);
const GOES_ON: Duration = Duration::from_secs(5);
/// No reconciler may do what the queue has to bring about.
const NEVER: &str = "24h";

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let visibility_timeout = Duration::from_secs(scale.of(5, 60));
    let setting = format!("{}s", visibility_timeout.as_secs());
    let settings = [
        ("VISIBILITY_TIMEOUT", setting.as_str()),
        ("RECONCILE_INTERVAL", NEVER),
    ];
    let aws = Aws::start("worker-stopped", &[]).await;
    let api = aws.api(&[]);
    let client = Client::new(&api.base, History::open("worker-stopped"), LIMIT);
    // Both have swept at their start before there is anything to find.
    let slow_proxy = FaultProxy::to(&aws.deployment().endpoint).await;
    let slow = aws.worker_behind(&slow_proxy, &settings);
    let other_proxy = FaultProxy::to(&aws.deployment().endpoint).await;
    // The other one gets nothing from the queue until the slow one has its hands full.
    other_proxy.set_plan(|call| match call.is(AwsService::Sqs, "ReceiveMessage") {
        true => FaultAction::Hold,
        false => FaultAction::Pass,
    });
    let other = aws.worker_behind(&other_proxy, &settings);
    // What it has found out of the files is on its way to the table, and stays there.
    slow_proxy.set_plan(|call| match call.is(AwsService::DynamoDb, "UpdateItem") {
        true => FaultAction::Hold,
        false => FaultAction::Pass,
    });
    sleep(Duration::from_secs(2)).await;

    let stored = load::upload_all(&client, load::contents(scale.seed, FILES)).await;
    wait_for("it holds them all", || {
        slow_proxy.recorder().held() >= FILES
    })
    .await;
    slow.signal("STOP");
    let stopped = Instant::now();
    other_proxy.let_all_pass();
    other_proxy.release();
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let by_the_other = other_proxy.recorder();
    let stop_for = visibility_timeout * 2;
    sleep(stop_for.saturating_sub(stopped.elapsed())).await;
    let before = aws.items().await;

    let late = || slow_proxy.recorder().too_late();
    let written = || late() + slow_proxy.recorder().settled();
    slow_proxy.let_all_pass();
    slow_proxy.release();
    wait_for("its writes arrive", || written() >= FILES).await;
    slow.signal("CONT");
    // Time for whatever it still believes to be its own.
    sleep(GOES_ON).await;
    let after = aws.items().await;
    let changed = after
        .iter()
        .filter(|(id, item)| before.get(*id) != Some(item))
        .count();
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    drop((slow, other));
    let mut measurements = vec![
        Measurement::exactly(
            "files in the hands of the stopped worker",
            stored.len(),
            FILES,
        ),
        Measurement::none("not finalized by the other one", left),
        Measurement::within(
            "finalized by the other one",
            took,
            visibility_timeout * 2 + Duration::from_secs(30),
        ),
        Measurement::done("settlements by the other one", by_the_other.settled()),
        Measurement::at_least("late settlements that were refused", late(), FILES),
        Measurement::none(
            "settlements by the stopped one",
            slow_proxy.recorder().settled(),
        ),
        Measurement::none("records that a late write changed", changed),
    ];
    measurements.extend(findings.measurements());
    measurements
}

async fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "in vain: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}
