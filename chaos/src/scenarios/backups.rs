//! Backups of local mode while files come and go, and while the program is killed: each has what was available before it
//! began and wasn't deleted before it ended, and nothing that was deleted before.
//!
//! Each backup is restored and served by a program of its own, which is asked for all files. Beside that an honest
//! client creates files one after the other, with and without a backup under way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Scale;
use crate::client::{Client, content};
use crate::client_stats::p99;
use crate::history::{History, Observation};
use crate::load::CLIENTS;
use crate::measurement::Measurement;
use crate::process::{Supervised, free_address};
use crate::recounts::{self, data_dir};
use crate::support::program::{Program, backup_local, restore_local};

/// Who sends and deletes files meanwhile.
const SENDERS: usize = 4;
/// How long the honest client is measured without a backup.
const ALONE: Duration = Duration::from_secs(10);
/// How much slower the honest client may become. Below the floor nobody could tell a difference.
const FACTOR: f64 = 2.0;
const FLOOR: Duration = Duration::from_millis(25);
const LIMIT: Duration = Duration::from_secs(120);
/// At most how long after its beginning a kill comes.
const KILL_WITHIN: Duration = Duration::from_millis(400);
/// Between two backups.
const PAUSE: Duration = Duration::from_millis(500);

type Told = BTreeMap<String, Vec<Observation>>;

#[derive(Default)]
struct Counts {
    backups: usize,
    kills: usize,
    failed: usize,
    kept: usize,
    lost: usize,
    back: usize,
    wrong: usize,
    slowest: Duration,
    /// How long the honest client's creates took while a backup was made and nobody killed anything.
    beside: Vec<Duration>,
}

/// Backups of a service, and what they came to.
struct Campaign<'a> {
    client: &'a Client,
    dir: &'a Path,
    /// How long the honest client's creates take.
    took: &'a RefCell<Vec<Duration>>,
    counts: Counts,
}

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let place = tempfile::tempdir().expect("a temporary directory can be made");
    let address = free_address();
    let mut api = {
        let (dir, address) = (dir.path().to_owned(), address.clone());
        Supervised::new(move || Program::local(&dir, &[("LISTEN", &address)]))
    };
    let client = Client::new(&api.program().base, History::open("backups"), LIMIT);
    let length = scale.of(4 * 1024, 100_000);
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let first = send(&client, &mut random, scale.of(200, 10_000), length).await;

    let stop = Cell::new(false);
    let took = RefCell::new(Vec::new());
    let mut campaign = Campaign {
        client: &client,
        dir: dir.path(),
        took: &took,
        counts: Counts::default(),
    };
    let work = async {
        sleep(scale.of(PAUSE, ALONE)).await;
        let alone = took.take();
        for number in 0..scale.of(4, 20) {
            // A kill in every second one.
            let kill_after = (number % 2 == 1).then(|| KILL_WITHIN.mul_f64(random.f64()));
            let backup = place.path().join(format!("{number}"));
            campaign.back_up(&mut api, &backup, kill_after).await;
            sleep(PAUSE).await;
        }
        stop.set(true);
        alone
    };
    let sending = join_all((0..SENDERS as u64).map(|number| {
        let random = fastrand::Rng::with_seed(scale.seed ^ number);
        come_and_go(&client, random, length, &stop)
    }));
    let honest = async {
        while !stop.get() {
            let began = Instant::now();
            let created = client.create(vec![b'h'; 100].into(), false).await;
            took.borrow_mut().push(began.elapsed());
            if let Some(created) = created {
                client.put(&created).await;
            }
        }
    };
    let (alone, _, ()) = tokio::join!(work, sending, honest);
    let counts = campaign.counts;
    let mut measurements = vec![
        Measurement::done("files before the first backup", first),
        Measurement::at_least("backups", counts.backups, 4),
        Measurement::at_least("kills of the service meanwhile", counts.kills, 2),
        Measurement::none("backups that weren't whole or not sound", counts.failed),
        Measurement::at_least("files that had to be in them, together", counts.kept, first),
        Measurement::none("of them not there", counts.lost),
        Measurement::none("with another digest", counts.wrong),
        Measurement::none("deleted before and there again", counts.back),
        Measurement::within("slowest backup", counts.slowest, LIMIT),
    ];
    // In short other campaigns run beside.
    if scale.full {
        let of = |took: &[Duration]| p99(took).max(FLOOR).as_secs_f64();
        let slower = of(&counts.beside) / of(&alone);
        let what = "honest p99, by that without a backup";
        measurements.push(Measurement::at_most(what, slower, FACTOR, " ×"));
    }
    measurements
}

/// Sends so many files and waits until they are available; how many are.
async fn send(client: &Client, random: &mut fastrand::Rng, count: usize, length: usize) -> usize {
    // Made one after the other: all of them at a time would be a gigabyte.
    let contents = (0..count).map(|_| content(random, length));
    let sending = futures_util::stream::iter(contents).map(async |content| {
        let created = client.create(content, false).await?;
        client.put(&created).await?;
        client.await_settled(&created.id).await
    });
    let sent = sending.buffer_unordered(CLIENTS);
    sent.filter_map(std::future::ready).count().await
}

/// Sends files, and deletes every third, until it is enough.
async fn come_and_go(client: &Client, mut random: fastrand::Rng, length: usize, stop: &Cell<bool>) {
    let mut own = Vec::new();
    while !stop.get() {
        let Some(created) = client.create(content(&mut random, length), true).await else {
            return;
        };
        client.put(&created).await;
        client.await_settled(&created.id).await;
        own.push(created.id);
        if own.len() % 3 == 0 {
            let id = own.swap_remove(random.usize(..own.len()));
            client.delete(&id).await;
        }
    }
}

impl Campaign<'_> {
    /// Makes a backup, perhaps with a kill of the service, and looks what is in it.
    async fn back_up(&mut self, api: &mut Supervised, backup: &Path, kill_after: Option<Duration>) {
        let counts = &mut self.counts;
        let before = self.client.history.read();
        let began = Instant::now();
        self.took.take();
        let making = {
            let (dir, backup) = (self.dir.to_owned(), backup.to_owned());
            spawn_blocking(move || backup_local(&dir, &[&backup.to_string_lossy()]))
        };
        if let Some(after) = kill_after {
            sleep(after).await;
            api.kill_and_serve().await;
            counts.kills += 1;
        }
        let made = making.await.expect("a backup can be begun");
        if kill_after.is_none() {
            counts.beside.append(&mut self.took.take());
        }
        counts.slowest = counts.slowest.max(began.elapsed());
        let after = self.client.history.read();
        counts.backups += 1;
        let restored = backup.with_extension("restored");
        let (from, to) = (backup.to_owned(), restored.clone());
        let outputs = spawn_blocking(move || {
            let from = from.to_string_lossy();
            [&[&*from, "--check"][..], &[&*from]].map(|arguments| restore_local(&to, arguments))
        });
        let outputs = outputs.await.expect("a restore can be begun");
        for output in std::iter::once(&made).chain(&outputs) {
            if !output.status.success() {
                counts.failed += 1;
                eprintln!("  found: {}", String::from_utf8_lossy(&output.stderr));
                return;
            }
        }
        compare(&restored, (&before, &after), counts).await;
        recounts::now(restored.clone()).await;
        for used in [backup, &restored] {
            std::fs::remove_dir_all(used).expect("what was made can be removed");
        }
    }
}

/// Serves what was restored, and compares it with what clients were told.
async fn compare(restored: &Path, (before, after): (&Told, &Told), counts: &mut Counts) {
    let dir = restored.to_owned();
    let program = spawn_blocking(move || Program::local(&dir, &[])).await;
    let program = program.expect("a program can be started");
    let client = Client::new(&program.base, History::open("backups-restored"), LIMIT);
    let was = |told: &[Observation], wanted: fn(&Observation) -> bool| told.iter().any(wanted);
    let settled = |it: &Observation| matches!(it, Observation::Settled { .. });
    for (id, told) in before {
        let now = after.get(id).map_or(&told[..], |now| now);
        let is_kept = was(told, settled) && !was(now, |it| *it == Observation::DeleteSent);
        let is_gone = was(told, |it| *it == Observation::Deleted);
        if !is_kept && !is_gone {
            continue;
        }
        let shown = client.describe(id, 0).await.flatten();
        let sent = told.iter().find_map(|it| match it {
            Observation::Created { sha256, .. } => Some(sha256.as_str()),
            _ => None,
        });
        match (is_kept, shown) {
            (true, Some(shown)) if shown.text("status") == "available" => {
                counts.kept += 1;
                counts.wrong += usize::from(Some(shown.text("sha256")) != sent);
            }
            (true, _) => {
                counts.lost += 1;
                eprintln!("  found: lost: {id}");
            }
            (false, Some(_)) => {
                counts.back += 1;
                eprintln!("  found: back: {id}");
            }
            (false, None) => {}
        }
    }
    let discarded = spawn_blocking(|| program.discard()).await;
    discarded.expect("a program can be stopped");
}
