//! The virus scanner is there and no good: it answers nothing for a while, loads its signatures again and again, and calls
//! everything clean; and the program that asks it is killed in the middle of each.
//!
//! While it stalls, files wait. What a reload taught it is rejected. What it passed while it lied is withdrawn by a rescan
//! once it is right, and no program starts beside one that lies. All files are of one person with a quota.
//!
//! Invariant: what clamd called clean is known from what went by the proxy, and from nothing that the service says.

use std::cell::Cell;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::Client;
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::Supervised;
use crate::recounts::data_dir;
use crate::scanner_proxy::{Manner, ScannerProxy, ask};
use crate::support::clamd::{AS_IT_HAS_TO_BE, ClamdHome, ClamdProcess, virus};
use crate::support::issuer::Issuer;
use crate::support::program::{Program, rescan_aws, rescan_local};

const LIMIT: Duration = Duration::from_secs(120);
/// The clean files of each batch.
const CLEAN: usize = 10;
/// And those with a virus.
const INFECTED: usize = 3;
/// Those that it passes while it lies: fewer than a rescan withdraws in one run.
const LIED_ABOUT: usize = 4;
/// How long it holds up what nobody is killed over: whoever gave up sooner would have to say what came of the file.
const STALLS_FOR: Duration = Duration::from_secs(2);
/// Batches while it loads its signatures.
const BATCHES: usize = 3;
const RELOAD_EVERY: Duration = Duration::from_millis(200);
const LATER: &[u8] = b"what nobody takes for a virus before the reload";
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// What a program says that doesn't start beside a scanner that lies.
const NOT_BELIEVED: &str = "doesn't find the EICAR test file";

pub(super) async fn local(scale: Scale) -> Vec<Measurement> {
    let (dir, issuer) = (data_dir(), block_in_place(Issuer::start));
    let scanner = FaultyScanner::start();
    let setting = scanner.proxy.setting();
    let settings = [
        ("SCANNER", setting.as_str()),
        ("RECONCILE_INTERVAL", "500ms"),
    ];
    let settings = Arc::new(Settings::that_count(&issuer).and(&settings));
    let scanning = {
        let (path, settings) = (dir.path().to_owned(), Arc::clone(&settings));
        Supervised::new(move || Program::local(&path, &settings.as_str()))
    };
    let base = scanning.program().listening_at();
    let token = person::token(&base, &issuer).await;
    let campaign = Campaign::new("scanner-faults-local", (&base, &token), &scanner, scale);
    let refused = || Program::local_refuses_with(dir.path(), &settings.as_str());
    let rescan = || rescan_local(dir.path(), &setting, &[]);
    campaign
        .run(scanning, Inside::Local(dir.path()), refused, rescan)
        .await
}

pub(super) async fn aws(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("scanner-faults-aws", &[]).await;
    let issuer = block_in_place(Issuer::start);
    let scanner = FaultyScanner::start();
    let setting = scanner.proxy.setting();
    let of_api = Settings::that_count(&issuer).and(&[("SCANNER", setting.as_str())]);
    let api = aws.api(&of_api.as_str());
    let base = api.listening_at();
    let token = person::token(&base, &issuer).await;
    let scanning = {
        let (aws, setting) = (Arc::clone(&aws), setting.clone());
        Supervised::new(move || aws.worker(&of_worker(&setting)))
    };
    let campaign = Campaign::new("scanner-faults-aws", (&base, &token), &scanner, scale);
    let refused = || Program::worker_refuses(aws.deployment(), &of_worker(&setting));
    let rescan = || rescan_aws(aws.deployment(), &setting, &[]);
    let ended = campaign.run(scanning, Inside::Aws(&aws), refused, rescan);
    let mut measurements = ended.await;
    let (visible, hidden) = aws.queued(&aws.deployment().dead_letter_queue_url).await;
    measurements.push(Measurement::none("dead letters", visible + hidden));
    measurements
}

/// Messages that a killed worker had come back soon.
fn of_worker(scanner: &str) -> [(&'static str, &str); 3] {
    [
        ("SCANNER", scanner),
        ("RECONCILE_INTERVAL", "500ms"),
        ("VISIBILITY_TIMEOUT", "5s"),
    ]
}

/// clamd, and what is between it and the service.
struct FaultyScanner {
    proxy: ScannerProxy,
    clamd: ClamdProcess,
    home: ClamdHome,
}

impl FaultyScanner {
    fn start() -> Self {
        let home = ClamdHome::new();
        Self {
            clamd: block_in_place(|| home.start(AS_IT_HAS_TO_BE)),
            proxy: ScannerProxy::to(home.socket()),
            home,
        }
    }

    /// Waits until a reload has taught it what it learned.
    async fn await_known(&self, bytes: &[u8]) {
        let began = Instant::now();
        loop {
            let answer = ask(&self.home.socket(), bytes).await.unwrap_or_default();
            if answer.ends_with(b"FOUND\0") {
                return;
            }
            assert!(began.elapsed() < LIMIT, "it doesn't learn");
            sleep(POLL).await;
        }
    }

    /// Waits until it holds up one more scan than before.
    async fn await_stalled(&self, before: usize) {
        let began = Instant::now();
        while self.proxy.stalled() <= before {
            assert!(began.elapsed() < LIMIT, "nothing is scanned");
            sleep(POLL).await;
        }
    }
}

struct Campaign<'a> {
    client: Client,
    /// Who sends what has a virus, with a history of its own: what comes of that is known beforehand.
    infected: Client,
    /// The same of what it lies about.
    lied: Client,
    scanner: &'a FaultyScanner,
    random: fastrand::Rng,
    rounds: usize,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    stored: Vec<String>,
    infected: Vec<String>,
    lied: Vec<String>,
    waited: usize,
    passed: usize,
    unscanned: usize,
    reloads: usize,
    refused: usize,
    withdrawn: usize,
}

impl<'a> Campaign<'a> {
    fn new(
        name: &str,
        (base, token): (&str, &str),
        scanner: &'a FaultyScanner,
        scale: Scale,
    ) -> Self {
        let client = |history: &str| {
            let client = Client::new(base, History::open(history), LIMIT);
            client.with_token(token.to_owned())
        };
        Self {
            client: client(name),
            infected: client(&format!("{name}-infected")),
            lied: client(&format!("{name}-lied-about")),
            scanner,
            random: fastrand::Rng::with_seed(scale.seed),
            rounds: scale.of(1, 10),
            counts: Counts::default(),
        }
    }

    /// `refused` is what the program says that doesn't start, and `rescan` is run while it is stopped.
    async fn run(
        mut self,
        mut scanning: Supervised,
        inside: Inside<'_>,
        refused: impl Fn() -> String,
        rescan: impl Fn() -> Output,
    ) -> Vec<Measurement> {
        for _ in 0..self.rounds {
            self.stall(&mut scanning).await;
            self.reload(&mut scanning).await;
            self.lie(&mut scanning, &refused, &rescan).await;
        }
        let (took, left) = self.settled().await;
        let counts = &self.counts;
        let not_rejected = otherwise(&self.infected, &counts.infected, "rejected").await;
        let not_withdrawn = otherwise(&self.lied, &counts.lied, "withdrawn").await;
        // The checker knows of one client.
        let untold = [&self.client, &self.infected, &self.lied].map(|it| it.stats.untold.get());
        self.client.stats.untold.set(untold.iter().sum());
        let findings = checker::check(&self.client, inside).await;
        let (rounds, told) = (self.rounds, counts.infected.len());
        let batches = rounds * (2 + BATCHES);
        let lied_about = rounds * LIED_ABOUT;
        let mut measurements = vec![
            Measurement::at_least("kills", scanning.kills, rounds * 3),
            Measurement::exactly("clean files stored", counts.stored.len(), batches * CLEAN),
            Measurement::at_least("files that waited while it stalled", counts.waited, 1),
            Measurement::none("settled while it stalled", counts.passed),
            Measurement::at_least("reloads", counts.reloads, rounds),
            Measurement::exactly(
                "files with a virus",
                told,
                batches * INFECTED + rounds * INFECTED,
            ),
            Measurement::none("of them not rejected for it", not_rejected),
            Measurement::exactly("starts refused while it lied", counts.refused, rounds),
            Measurement::exactly("passed while it lied", counts.lied.len(), lied_about),
            Measurement::exactly("lines of the rescans", counts.withdrawn, lied_about),
            Measurement::none("of them not withdrawn", not_withdrawn),
            Measurement::none(
                "available and never called clean by clamd",
                counts.unscanned,
            ),
            Measurement::none("still pending in the end", left),
            Measurement::within("settled once it was right", took, SETTLED_WITHIN),
        ];
        measurements.extend(findings.measurements());
        measurements
    }

    /// Files that come while it answers nothing, once with a kill and once without.
    async fn stall(&mut self, scanning: &mut Supervised) {
        for is_killed in [true, false] {
            let before = self.scanner.proxy.stalled();
            self.scanner.proxy.behave(Manner::Stalls);
            let (clean, virus) = self.upload().await;
            self.scanner.await_stalled(before).await;
            if !is_killed {
                sleep(STALLS_FOR).await;
            }
            for id in clean.iter().chain(&virus) {
                let shown = self.client.describe(id, 0).await.flatten();
                match shown.expect("it was stored").is_pending() {
                    true => self.counts.waited += 1,
                    false => self.counts.passed += 1,
                }
            }
            if is_killed {
                scanning.kill().await;
            }
            // The next program asks it at its start.
            self.scanner.proxy.behave(Manner::Honest);
            if is_killed {
                scanning.start().await;
            }
            self.count(clean, virus);
        }
    }

    /// Files that come while it loads its signatures again and again, one of them new, with a kill.
    async fn reload(&mut self, scanning: &mut Supervised) {
        self.scanner.home.learn(LATER);
        for number in 0..BATCHES {
            let seed = self.random.u64(..);
            let reloads = Cell::new(0);
            let reload = || {
                self.scanner.clamd.reload();
                reloads.set(reloads.get() + 1);
            };
            let at_once = async {
                reload();
                if number % 2 == 1 {
                    scanning.kill_and_start().await;
                }
            };
            let uploading = async { tokio::join!(self.upload_of(seed), at_once).0 };
            let uploading = load::while_disturbed(uploading, RELOAD_EVERY, async || reload());
            let (clean, virus) = uploading.await;
            self.counts.reloads += reloads.get();
            self.count(clean, virus);
        }
        self.scanner.await_known(LATER).await;
        let later = vec![Bytes::from_static(LATER); INFECTED];
        let later = load::upload_all(&self.infected, later).await;
        self.counts.infected.extend(later);
    }

    /// Files with a virus that it passes, a program that doesn't start beside it, and a rescan once it is right.
    async fn lie(
        &mut self,
        scanning: &mut Supervised,
        refused: &impl Fn() -> String,
        rescan: &impl Fn() -> Output,
    ) {
        // It lies only about what comes from here on.
        self.settled().await;
        // A rescan asks of all.
        self.counts.unscanned += self.unscanned().await;
        self.scanner.proxy.behave(Manner::Lies);
        let virus = vec![Bytes::from(virus()); LIED_ABOUT];
        let lied = load::upload_all(&self.lied, virus).await;
        for id in &lied {
            let settled = self.lied.await_settled(id).await;
            let status = settled.map(|it| it.text("status").to_owned());
            assert_eq!(status.as_deref(), Some("available"), "it believes the lie");
        }
        self.counts.lied.extend(lied);
        scanning.kill().await;
        let said = block_in_place(refused);
        self.counts.refused += usize::from(said.contains(NOT_BELIEVED));
        self.scanner.proxy.behave(Manner::Honest);
        let output = block_in_place(rescan);
        let withdrawn = String::from_utf8_lossy(&output.stdout).lines().count();
        if withdrawn != LIED_ABOUT {
            eprintln!("  found: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.counts.withdrawn += withdrawn;
        scanning.start().await;
    }

    async fn upload(&mut self) -> (Vec<String>, Vec<String>) {
        let seed = self.random.u64(..);
        self.upload_of(seed).await
    }

    /// The IDs of clean files and of infected ones, which the store has.
    async fn upload_of(&self, seed: u64) -> (Vec<String>, Vec<String>) {
        // The first has nothing in it, as those of each batch.
        let contents = load::contents(seed, CLEAN + 1).split_off(1);
        let virus = vec![Bytes::from(virus()); INFECTED];
        tokio::join!(
            load::upload_all(&self.client, contents),
            load::upload_all(&self.infected, virus)
        )
    }

    fn count(&mut self, clean: Vec<String>, virus: Vec<String>) {
        self.counts.stored.extend(clean);
        self.counts.infected.extend(virus);
    }

    /// How long it takes until all that the store has is settled, and of how many that isn't seen.
    async fn settled(&self) -> (Duration, usize) {
        let (began, mut left) = (Instant::now(), 0);
        for (client, ids) in [
            (&self.client, &self.counts.stored),
            (&self.infected, &self.counts.infected),
        ] {
            for id in ids {
                left += usize::from(client.await_settled(id).await.is_none());
            }
        }
        (began.elapsed(), left)
    }

    /// Files that can be had, and of whose bytes clamd never said that they are clean.
    async fn unscanned(&self) -> usize {
        let mut unscanned = 0;
        for id in self.client.list(Some("available")).await {
            let shown = self.client.describe(&id, 0).await.flatten();
            let shown = shown.expect("it is listed");
            if !self.scanner.proxy.called_clean(shown.text("sha256")) {
                eprintln!("  found: unscanned: {id}");
                unscanned += 1;
            }
        }
        unscanned
    }
}

/// How many of these files aren't what they have to be for their virus. All are deleted: the checker knows nothing of them.
async fn otherwise(client: &Client, ids: &[String], status: &str) -> usize {
    let mut otherwise = 0;
    for id in ids {
        let shown = client.describe(id, 0).await.flatten();
        let is_right = shown
            .is_some_and(|it| it.text("status") == status && it.text("reasonCode") == "infected");
        otherwise += usize::from(!is_right);
        client.delete(id).await;
    }
    otherwise
}
