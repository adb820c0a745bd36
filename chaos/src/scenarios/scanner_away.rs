//! The virus scanner is killed and started again, while files are uploaded, some of them with a virus.
//!
//! What comes while it is away waits for it and is seen to wait; what it was killed at is scanned again. In the end
//! every file is available, or rejected for what is in it. It is Debian's clamd, with one signature. In aws mode it learns
//! another one at the end, and a rescan beside all programs withdraws the files that have it. All files are of one person
//! with a quota.

use std::time::Duration;

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
use crate::recounts::data_dir;
use crate::support::clamd::{AS_IT_HAS_TO_BE, ClamdHome, virus};
use crate::support::issuer::Issuer;
use crate::support::program::{Program, rescan_aws};

const LIMIT: Duration = Duration::from_secs(240);
/// The clean files that are uploaded in each part of a round.
const CLEAN: usize = 20;
/// And those with a virus.
const INFECTED: usize = 4;
/// And those with what it learns only later.
const KNOWN_LATER: usize = 8;
const LATER: &[u8] = b"what nobody takes for a virus yet";
/// When the scanner is killed at the latest, after uploads began, in milliseconds.
const KILLED_WITHIN: u64 = 800;
/// After an outage a file waits for a quarter of the time that it waited, and the scanner shows what it finds first.
/// Then they come all at once.
const SETTLED_WITHIN: [Duration; 2] = [Duration::from_secs(90), Duration::from_secs(200)];

pub(super) async fn local(scale: Scale) -> Vec<Measurement> {
    let (dir, home) = (data_dir(), ClamdHome::new());
    let setting = home.setting();
    let settings = [
        ("SCANNER", setting.as_str()),
        ("RECONCILE_INTERVAL", "500ms"),
    ];
    let issuer = block_in_place(Issuer::start);
    let settings = Settings::that_count(&issuer).and(&settings);
    let api = block_in_place(|| Program::local(dir.path(), &settings.as_str()));
    let token = person::token(&api.base, &issuer).await;
    let campaign = Campaign::new("scanner-away-local", (&api.base, &token), &home, scale);
    campaign.run(Inside::Local(dir.path())).await
}

pub(super) async fn aws(scale: Scale) -> Vec<Measurement> {
    let home = ClamdHome::new();
    let setting = home.setting();
    let settings = [
        ("SCANNER", setting.as_str()),
        ("RECONCILE_INTERVAL", "500ms"),
    ];
    let aws = Aws::start("scanner-away-aws", &[]).await;
    let issuer = block_in_place(Issuer::start);
    let api = aws.api(&Settings::that_count(&issuer).and(&settings[..1]).as_str());
    let base = api.listening_at();
    let token = person::token(&base, &issuer).await;
    let workers = [aws.worker(&settings), aws.worker(&settings)];
    let campaign = Campaign::new("scanner-away-aws", (&base, &token), &home, scale);
    let mut measurements = campaign.run(Inside::Aws(&aws)).await;
    let dead_letters = &aws.deployment().dead_letter_queue_url;
    let (visible, hidden) = aws.queued(dead_letters).await;
    drop(workers);
    measurements.push(Measurement::none("dead letters", visible + hidden));
    measurements
}

struct Campaign<'a> {
    client: Client,
    /// Who sends what has a virus, with a history of its own: what comes of that is known beforehand.
    infected: Client,
    /// The same of what is found later.
    later: Client,
    home: &'a ClamdHome,
    scale: Scale,
}

impl<'a> Campaign<'a> {
    fn new(name: &str, (base, token): (&str, &str), home: &'a ClamdHome, scale: Scale) -> Self {
        let client = |history: &str| {
            let client = Client::new(base, History::open(history), LIMIT);
            client.with_token(token.to_owned())
        };
        Self {
            later: client(&format!("{name}-later")),
            client: client(name),
            infected: client(&format!("{name}-infected")),
            home,
            scale,
        }
    }

    async fn run(self, inside: Inside<'_>) -> Vec<Measurement> {
        let mut random = fastrand::Rng::with_seed(self.scale.seed);
        let (mut stored, mut infected) = (0, Vec::new());
        let (mut waiting, mut passed) = (0, 0);
        let rounds = self.scale.of(2, 20);
        let known_later = match inside {
            Inside::Aws(_) => self.take_what_is_known_later().await,
            Inside::Local(_) => Vec::new(),
        };
        for _ in 0..rounds {
            let clamd = block_in_place(|| self.home.start(AS_IT_HAS_TO_BE));
            let killed_after = Duration::from_millis(random.u64(0..KILLED_WITHIN));
            let (seeds, kill) = ((random.u64(..), random.u64(..)), async {
                sleep(killed_after).await;
                clamd.kill();
            });
            let ((clean, virus), ()) = tokio::join!(self.upload(seeds.0), kill);
            stored += clean.len();
            infected.extend(virus);
            // All of this comes while it is away.
            let (clean, virus) = self.upload(seeds.1).await;
            stored += clean.len();
            for id in clean.iter().chain(&virus) {
                let shown = self.client.describe(id, 0).await.flatten();
                let shown = shown.expect("it was stored");
                match shown.is_pending() {
                    true => waiting += 1,
                    false => passed += 1,
                }
            }
            infected.extend(virus);
        }
        let clamd = block_in_place(|| self.home.start(AS_IT_HAS_TO_BE));
        let (took, left) = load::await_none_pending(&self.client, LIMIT).await;
        let mut otherwise = 0;
        for id in &infected {
            let shown = self.infected.describe(id, 0).await.flatten();
            let is_right = shown.is_some_and(|it| {
                it.text("status") == "rejected" && it.text("reasonCode") == "infected"
            });
            otherwise += usize::from(!is_right);
            // The checker knows nothing of it.
            self.infected.delete(id).await;
        }
        drop(clamd);
        let mut measurements = Vec::new();
        if let Inside::Aws(aws) = inside {
            measurements = self.rescan(aws, &known_later).await;
        }
        let findings = checker::check(&self.client, inside).await;
        let expected = rounds * 2 * CLEAN;
        let [short, full] = SETTLED_WITHIN;
        measurements.extend([
            Measurement::exactly("clean files stored", stored, expected),
            Measurement::done("files that waited for the scanner", waiting),
            Measurement::none("settled while the scanner was away", passed),
            Measurement::none("still pending in the end", left),
            Measurement::within("settled once it was back", took, self.scale.of(short, full)),
            Measurement::done("files with a virus", infected.len()),
            Measurement::none("of them not rejected for it", otherwise),
        ]);
        measurements.extend(findings.measurements());
        measurements
    }

    /// Files that nothing is found in yet.
    async fn take_what_is_known_later(&self) -> Vec<String> {
        let clamd = block_in_place(|| self.home.start(AS_IT_HAS_TO_BE));
        let contents = vec![Bytes::from_static(LATER); KNOWN_LATER];
        let taken = load::upload_all(&self.later, contents).await;
        load::await_none_pending(&self.later, LIMIT).await;
        clamd.kill();
        taken
    }

    /// The scanner learns more, and all files are scanned again while everything runs.
    async fn rescan(&self, aws: &Aws, known_later: &[String]) -> Vec<Measurement> {
        self.home.learn(LATER);
        let clamd = block_in_place(|| self.home.start(AS_IT_HAS_TO_BE));
        let setting = self.home.setting();
        let output = block_in_place(|| rescan_aws(aws.deployment(), &setting, &[]));
        let said = String::from_utf8_lossy(&output.stdout).lines().count();
        let (mut taken, mut otherwise) = (0, 0);
        for id in known_later {
            let shown = self.later.describe(id, 0).await.flatten();
            let is_right = shown.is_some_and(|it| {
                it.text("status") == "withdrawn" && it.text("reasonCode") == "infected"
            });
            taken += 1;
            otherwise += usize::from(!is_right);
            // The checker knows nothing of it.
            self.later.delete(id).await;
        }
        drop(clamd);
        vec![
            Measurement::exactly("files with a virus that is known later", taken, KNOWN_LATER),
            Measurement::exactly("lines of the rescan", said, KNOWN_LATER),
            Measurement::none("of them not withdrawn for it", otherwise),
        ]
    }

    /// The IDs of clean files and of infected ones, which the store has.
    async fn upload(&self, seed: u64) -> (Vec<String>, Vec<String>) {
        let virus = (0..INFECTED).map(|_| Bytes::from(virus())).collect();
        tokio::join!(
            load::upload_all(&self.client, load::contents(seed, CLEAN)),
            load::upload_all(&self.infected, virus)
        )
    }
}
