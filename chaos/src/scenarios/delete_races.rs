//! Deletions at any moment of a file's life (before, while and after its bytes come, while it is
//! finalized, reconciled and downloaded), while workers and API are killed.
//!
//! URLs live for seconds here, so that the time in which a late upload can come is over soon, and the
//! last look at a tombstone is within the run. All are of one person with a quota, who gets back what goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Scale;
use crate::aws::{Aws, text};
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::{History, Observation};
use crate::load::{self, CLIENTS};
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::Supervised;
use crate::support::issuer::Issuer;

const PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(180);
/// How long after its creation a file is deleted, at the latest.
const LATEST_DELETION: Duration = Duration::from_secs(3);
/// Downloads of one file while it is being deleted.
const DOWNLOADS: usize = 3;

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("delete-races", &[]).await;
    let issuer = block_in_place(Issuer::start);
    let settings = [("UPLOAD_URL_TTL", "10s"), ("UPLOAD_GRACE", "2s")];
    let mut api = {
        let aws = Arc::clone(&aws);
        let settings = Settings::that_count(&issuer).and(&settings);
        Supervised::new(move || aws.api(&settings.as_str()))
    };
    let worker = || {
        let aws = Arc::clone(&aws);
        Supervised::new(move || {
            aws.worker(&[
                settings[1],
                ("VISIBILITY_TIMEOUT", "5s"),
                ("RECONCILE_INTERVAL", "1s"),
            ])
        })
    };
    let mut workers = [worker(), worker()];
    let base = api.program().listening_at();
    let client = Client::new(&base, History::open("delete-races"), LIMIT);
    let client = client.with_token(person::token(&base, &issuer).await);
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let contents = load::contents(scale.seed, scale.of(150, 3_000));
    let count = contents.len();
    let lives: Vec<_> = contents
        .into_iter()
        .map(|content| (content, LATEST_DELETION.mul_f64(random.f64())))
        .collect();
    let racing = futures_util::stream::iter((0_usize..).zip(lives))
        .map(|(number, (content, delete_after))| {
            // A fifth is kept: the others' deletion must not touch them.
            let delete_after = (number % 5 > 0).then_some(delete_after);
            live(&client, content, delete_after)
        })
        .buffer_unordered(CLIENTS)
        .collect::<Vec<_>>();
    let mut turn = 0;
    let downloads = load::while_disturbed(racing, PAUSE, async || {
        turn += 1;
        match turn % 3 {
            0 => api.kill_and_serve().await,
            one => workers[one - 1].kill_and_start().await,
        }
    })
    .await;
    let (_, left) = load::await_none_pending(&client, LIMIT).await;
    let took = await_tombstones_gone(&aws).await;
    let findings = checker::check(&client, Inside::Aws(&aws)).await;
    let kills = api.kills + workers.iter().map(|it| it.kills).sum::<usize>();
    let mut measurements = vec![
        Measurement::at_least("kills", kills, 3),
        Measurement::at_least("deleted, of the files told of", findings.deleted, count / 2),
        // Those that are kept, and whatever became available before it was deleted.
        Measurement::at_least("settled", aws.proxy.recorder().settled(), count / 5),
        Measurement::done("downloads beside deletions", downloads.iter().sum()),
        Measurement::none("not settled", left),
        Measurement::within("all tombstones gone", took, LIMIT),
        Measurement::none("finalized twice", aws.proxy.recorder().settled_twice()),
        Measurement::none("operations given up", client.stats.gave_up.borrow().len()),
    ];
    measurements.extend(findings.measurements());
    measurements
}

/// A file's life, with a deletion in the middle; how often it was downloaded.
async fn live(client: &Client, content: bytes::Bytes, delete_after: Option<Duration>) -> usize {
    let Some(created) = client.create(content, false).await else {
        return 0;
    };
    let Some(delete_after) = delete_after else {
        client.put(&created).await;
        return 0;
    };
    // As often as it is asked for, whatever the service says: a deleted file isn't to be had.
    let uploading = async {
        let status = client.put_once(&created).await;
        if status.is_some_and(|it| it.is_success()) {
            client.history.append(&created.id, Observation::Stored);
        }
        // And once more, with a URL that may outlive the file.
        sleep(delete_after / 2).await;
        client.put_once(&created).await;
    };
    let downloading = async {
        let mut came = 0;
        for _ in 0..DOWNLOADS {
            sleep(delete_after / 2).await;
            came += usize::from(client.download_once(&created.id).await.is_some());
        }
        came
    };
    let deleting = async {
        sleep(delete_after).await;
        client.delete(&created.id).await;
    };
    let ((), came, ()) = tokio::join!(uploading, downloading, deleting);
    came
}

/// Waits until no deleted file has a record or bytes left: the service has finished with all.
async fn await_tombstones_gone(aws: &Aws) -> Duration {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let items = aws.items().await;
        let is_tombstone = |item| text(item, "status") == "deleted";
        if !items.values().any(is_tombstone) {
            break;
        }
        sleep(load::POLL).await;
    }
    began.elapsed()
}
