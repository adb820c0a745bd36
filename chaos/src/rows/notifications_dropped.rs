//! One in twenty notifications never arrives: the reconciler has to find those files.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::load;
use crate::relay::{Habits, Relay};

/// From the last upload: after a minute the reconciler looks for itself, every half minute.
const LIMIT: Duration = Duration::from_secs(120);
const DROPPED: f64 = 0.05;

pub async fn run(scale: Scale) -> Vec<Figure> {
    let aws = Arc::new(Aws::start("dropped", &[]).await);
    let habits = Habits {
        dropped: DROPPED,
        copies: 1,
    };
    let relay = Relay::start(&aws, habits, scale.seed).await;
    let api = aws.api(&[]);
    // Up before the uploads, so that it isn't the sweep of a start that finds them.
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    let client = Client::new(&api.base, Ledger::open("notifications-dropped"), LIMIT);
    let contents = load::contents(scale.seed, scale.of(150, 5_000));
    let count = contents.len();
    let stored = load::upload_all(&client, contents).await;
    let (took, left) = load::await_none_pending(&client, LIMIT).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let dropped = relay.counts.dropped.load(Ordering::Relaxed);
    let mut figures = vec![
        Figure::exactly("uploads that the store accepted", stored.len(), count),
        Figure::at_least("notifications lost", dropped, 1),
        Figure::none("not recovered", left),
        Figure::within("all recovered after the last upload", took, LIMIT),
        Figure::none("finalized twice", aws.proxy.witness().settled_twice()),
    ];
    figures.extend(findings.figures());
    figures
}
