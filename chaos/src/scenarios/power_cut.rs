//! Local mode, cut off from its power between any two system calls.
//!
//! The program is recorded while it takes, settles and deletes files, is killed between an object's name and
//! the sync of that name, and starts again. Then the disk is made as a cut leaves it, hundreds of times, and
//! the program starts on it: whatever it had said before the cut has to be true. All files are of one person with a
//! quota, and a recount of what is left finds no difference.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use super::Scale;
use crate::checker::files_below;
use crate::client::{Client, Created, content, hex_sha256};
use crate::history::History;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::power_cut::disk::{Disk, Unsynced};
use crate::power_cut::promises::Promises;
use crate::power_cut::recording::Recording;
use crate::recounts;
use crate::support::issuer::Issuer;
use crate::support::program::Program;

/// Cuts that are looked at at a time: one waits for its program while others compute.
const AT_A_TIME: usize = 3;
/// More than a page, so that not all of it need survive.
const LENGTH: usize = 10_000;
/// How long each sync of an interrupted run is held up, in microseconds: long enough to be seen and killed.
const HELD_UP: u32 = 100_000;
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let (recording, sent, interrupted) = record(scale).await;
    let said = Promises::of(&recording);
    let stored = said.stored.len();
    let all = Arc::new((recording, said, sent));
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let cuts = all.1.cuts(&all.0, scale.of(60, 1000), &mut random);
    let count = cuts.len();
    let found: Vec<Found> = futures_util::stream::iter(cuts)
        .map(|(at, unsynced)| {
            let all = Arc::clone(&all);
            async move {
                let (recording, said, sent) = &*all;
                after_a_cut(recording, said, sent, at, unsynced).await
            }
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    let sum = |part: fn(&Found) -> usize| found.iter().map(part).sum::<usize>();
    vec![
        Measurement::at_least("cuts", count, 60),
        Measurement::at_least(
            "system calls between which they came",
            all.0.events.len(),
            500,
        ),
        Measurement::at_least("uploads that were answered 200 or 412", stored, 10),
        Measurement::at_least(
            "kills between an object's name and its sync",
            interrupted,
            1,
        ),
        Measurement::at_least("promises that were looked at", sum(|it| it.promises), 1),
        Measurement::none("starts that failed", sum(|it| it.no_start)),
        Measurement::none("answered uploads that were lost", sum(|it| it.lost)),
        Measurement::none("files that were available and aren't", sum(|it| it.undone)),
        Measurement::none("available without the right bytes", sum(|it| it.hollow)),
    ]
}

/// Runs the program, recorded, and gives what it did, the digests of what was sent, by ID, and how many kills
/// came before a sync.
async fn record(scale: Scale) -> (Recording, BTreeMap<String, String>, usize) {
    let dir = in_memory();
    let mut recording = Recording::of(dir.path());
    let issuer = block_in_place(Issuer::start);
    let mut session = Session {
        settings: Settings::that_count(&issuer).and(&[("RECONCILE_INTERVAL", "1s")]),
        token: None,
        data_dir: dir.path().join("data"),
        trace: dir.path().join("trace"),
        random: fastrand::Rng::with_seed(scale.seed),
        sent: BTreeMap::new(),
    };
    let (mut interrupted, mut unsynced) = (None, 0);
    session.sign_in(&issuer).await;
    recording.add(&session.recorded());
    for round in 0..scale.of(4, 12) {
        session.undisturbed(interrupted.take()).await;
        recording.add(&session.recorded());
        let created = session.killed_before_the_sync().await;
        recording.add(&session.recorded());
        unsynced += usize::from(recording.is_unsynced(&created.id));
        if round % 2 == 1 {
            session.sent_again_at_once(&created).await;
            recording.add(&session.recorded());
        }
        interrupted = Some(created);
    }
    session.undisturbed(interrupted).await;
    recording.add(&session.recorded());
    (recording, session.sent, unsynced)
}

/// On a disk in memory where there is one: what survives is worked out anyway.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| crate::support::program::data_dir())
}

struct Session {
    settings: Settings,
    /// With which its person calls, from the first start on.
    token: Option<String>,
    data_dir: std::path::PathBuf,
    trace: std::path::PathBuf,
    random: fastrand::Rng,
    sent: BTreeMap<String, String>,
}

impl Session {
    fn start(&self, delay: u32) -> (Program, Client) {
        let settings = self.settings.as_str();
        let program = block_in_place(|| {
            Program::local_recorded(&self.data_dir, &self.trace, delay, &settings)
        });
        let client = Client::new(&program.base, History::open("power-cut"), LIMIT);
        let client = client.with_token(self.token.clone().unwrap_or_default());
        (program, client)
    }

    async fn sign_in(&mut self, issuer: &Issuer) {
        let (program, _) = self.start(0);
        self.token = Some(person::token(&program.base, issuer).await);
        end(program, "TERM");
    }

    fn recorded(&self) -> String {
        let text = std::fs::read(&self.trace).expect("strace wrote something");
        String::from_utf8(text).expect("strace writes ASCII with -xx")
    }

    async fn create(&mut self, client: &Client, declared: bool) -> Created {
        let bytes = content(&mut self.random, LENGTH);
        let sha256 = hex_sha256(&bytes);
        let created = client.create(bytes, declared).await.expect("a file");
        self.sent.insert(created.id.clone(), sha256);
        created
    }

    /// Takes, settles and deletes files, among them one that a run before was killed over.
    async fn undisturbed(&mut self, interrupted: Option<Created>) {
        let (program, client) = self.start(0);
        if let Some(created) = &interrupted {
            client.await_settled(&created.id).await.expect("it settles");
            client.put_once(created).await;
        }
        for declared in [false, true] {
            let created = self.create(&client, declared).await;
            client.put_once(&created).await;
            client.put_once(&created).await;
            complete(&client, &created).await;
            client.await_settled(&created.id).await;
            client.download(&created.id).await;
            let deleted = self.create(&client, declared).await;
            tokio::join!(client.put_once(&deleted), complete(&client, &deleted));
            client.delete(&deleted.id).await;
            // Refused, since nobody waits for it any more.
            client.put_once(&deleted).await;
        }
        end(program, "TERM");
    }

    /// The client whose PUT was interrupted hears 412, while syncs take long.
    async fn sent_again_at_once(&mut self, created: &Created) {
        let (program, client) = self.start(HELD_UP);
        let again = client.put_once(created).await;
        assert_eq!(again, Some(StatusCode::PRECONDITION_FAILED));
        end(program, "TERM");
    }

    /// A PUT, and a kill as soon as its object has a name, which isn't synced.
    async fn killed_before_the_sync(&mut self) -> Created {
        let (program, client) = self.start(HELD_UP);
        let created = self.create(&client, false).await;
        let objects = self.data_dir.join("objects");
        let killing = async {
            let began = Instant::now();
            let there = |path: &Path| path.to_string_lossy().contains(&created.id);
            while !files_below(&objects).iter().any(|path| there(path)) {
                assert!(began.elapsed() < LIMIT, "the object doesn't come");
                sleep(Duration::from_millis(1)).await;
            }
            end(program, "KILL");
        };
        let (answer, ()) = tokio::join!(client.put_once(&created), killing);
        assert_eq!(answer, None, "it was killed before it answered");
        created
    }
}

/// Sends the watched program a signal, and waits until it is gone.
fn end(program: Program, signal: &str) {
    let id = program.watched_process_id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.is_ok_and(|it| it.success()), "SIG{signal} can be sent");
    block_in_place(|| program.wait());
}

async fn complete(client: &Client, created: &Created) {
    let path = format!("/v1/files/{}/complete", created.id);
    client
        .call(client.request(reqwest::Method::POST, &path))
        .await;
}

#[derive(Default)]
struct Found {
    promises: usize,
    no_start: usize,
    lost: usize,
    undone: usize,
    hollow: usize,
}

async fn after_a_cut(
    recording: &Recording,
    said: &Promises,
    sent: &BTreeMap<String, String>,
    at: usize,
    unsynced: Unsynced,
) -> Found {
    let dir = in_memory();
    Disk::after(recording, at, unsynced).build(recording, dir.path());
    let data_dir = dir.path().join("data");
    let started = {
        let data_dir = data_dir.clone();
        // Whom it doesn't know has no quota; what is kept of those who have one is kept on.
        let settings = [("QUOTA_FILES", "1000000")];
        spawn_blocking(move || Program::local(&data_dir, &settings)).await
    };
    let mut found = Found::default();
    let Ok(program) = started else {
        eprintln!("  no start after a cut at {at}, {unsynced:?}");
        found.no_start = 1;
        return found;
    };
    let before = |promises: &BTreeMap<String, usize>, id: &str| {
        promises.get(id).is_some_and(|promised| *promised < at)
    };
    for (id, sha256) in sent {
        let is_deleted = before(&said.deleted, id);
        let was_available = before(&said.available, id) && !is_deleted;
        let was_stored = before(&said.stored, id) && !is_deleted;
        let mut note = |what: &str, count: fn(&mut Found) -> &mut usize| {
            eprintln!("  {what}: {id} after a cut at {at}, {unsynced:?}");
            *count(&mut found) += 1;
        };
        let mut status = status_of(&program.base, id, "metadata").await;
        if was_available && status != "available" {
            note("no longer available", |found| &mut found.undone);
        }
        if was_stored && status == "pending" {
            status = status_of(&program.base, id, "complete").await;
        }
        if was_stored && status != "available" {
            note("lost", |found| &mut found.lost);
        }
        if status == "available" && downloaded(&program.base, id).await.as_ref() != Some(sha256) {
            note("without its bytes", |found| &mut found.hollow);
        }
        found.promises += usize::from(was_available) + usize::from(was_stored);
    }
    let killed = spawn_blocking(|| program.kill()).await;
    killed.expect("a program can be killed");
    recounts::now(data_dir).await;
    found
}

/// The status in the record that a call answers with, or that of the answer.
async fn status_of(base: &str, id: &str, call: &str) -> String {
    let url = format!("{base}/v1/files/{id}/{call}");
    let method = match call {
        "complete" => reqwest::Method::POST,
        _ => reqwest::Method::GET,
    };
    let answer = http().request(method, url).send().await.expect("an answer");
    let code = answer.status().to_string();
    let record: Option<Value> = answer.json().await.ok();
    let status = record.and_then(|it| it["status"].as_str().map(str::to_owned));
    status.unwrap_or(code)
}

/// The digest of what a download brings, by its redirect.
async fn downloaded(base: &str, id: &str) -> Option<String> {
    let url = format!("{base}/v1/files/{id}");
    let answer = http().get(url).send().await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    Some(hex_sha256(&answer.bytes().await.ok()?))
}

fn http() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy().timeout(LIMIT).build();
    http.expect("a plain client needs nothing that could fail")
}
