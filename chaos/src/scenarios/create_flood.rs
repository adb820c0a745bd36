//! One client that creates files without end, beside an honest one.
//!
//! The first comes from 127.0.0.2 and never sends a byte; the other, from 127.0.0.3, uploads one file
//! after the other. What the first can take is bounded: its share of the files that may wait for their
//! bytes, and the room that their records need.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Scale;
use crate::client_stats::p99;
use crate::measurement::Measurement;
use crate::recounts::data_dir;
use crate::support::program::Program;

const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Calls that the flooding client has in hand.
const CALLS: usize = 8;
/// What a record takes at most, its entries in the indexes included, in bytes.
const BYTES_A_RECORD: u64 = 1024;
/// What is there whatever the records are: the database's log, the reserved space, and what is free.
const BYTES_BESIDES: u64 = 48 * 1024 * 1024;
/// How much slower the honest client may become. Below the floor nobody could tell a difference.
const FACTOR: f64 = 2.0;
const FLOOR: Duration = Duration::from_millis(250);
/// Of a processor, while the flood's files wait.
const IDLE: f64 = 0.05;
/// In full for a minute: the first reviews of so many files fall due within a few seconds of it, and the next
/// ones four minutes later.
const LOOK: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// How long until what the flood took is given back, once its files are over.
const GIVEN_BACK: Duration = Duration::from_secs(60);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let share: u64 = scale.of(2_000, 10_000);
    let settings = [
        ("RUST_LOG", "warn".to_owned()),
        ("RECONCILE_INTERVAL", "1s".to_owned()),
        ("MAX_PENDING_PER_ADDRESS", share.to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, it)| (*name, it.as_str()))
        .collect();
    let start = || tokio::task::block_in_place(|| Program::local(dir.path(), &settings));
    let api = start();
    let honest = Uploader::new(&api.base, HONEST);
    let alone = honest.upload_for(scale.of(2, 10)).await;
    let took = scale.of(6, 60);
    let (flood, beside) = tokio::join!(flood(&api.base, took), honest.upload_for(took));
    let largest = bytes_below(dir.path());

    let before = api.processor_time();
    let look = scale.of(LOOK[0], LOOK[1]);
    sleep(look).await;
    let idle = (api.processor_time() - before) / look.as_secs_f64();
    let given_back = give_back(dir.path(), api, start).await;
    let bound = share * BYTES_A_RECORD + BYTES_BESIDES;
    let slower =
        p99(&beside.took).max(FLOOR).as_secs_f64() / p99(&alone.took).max(FLOOR).as_secs_f64();
    vec![
        Measurement::done("files of the flood", flood.created.get()),
        Measurement::exactly(
            "of them beyond its share",
            flood.created.get().saturating_sub(share as usize),
            0,
        ),
        Measurement::at_least(
            "calls of the flood refused with 429",
            flood.refused.get(),
            1,
        ),
        Measurement::none("answers to it of another kind", flood.other.get()),
        Measurement::at_least("honest uploads meanwhile", beside.took.len(), 1),
        Measurement::none("honest uploads that failed", alone.failed + beside.failed),
        Measurement::at_most("honest p99, by that without a flood", slower, FACTOR, " ×"),
        Measurement::at_most(
            "disk, by its bound",
            largest as f64 / bound as f64,
            1.0,
            " ×",
        ),
        Measurement::at_most("processor while the files wait", idle, IDLE, ""),
        Measurement::within("the database is small again after", given_back, GIVEN_BACK),
    ]
}

#[derive(Default)]
struct Flood {
    created: Cell<usize>,
    refused: Cell<usize>,
    other: Cell<usize>,
}

fn http(address: Ipv4Addr) -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .local_address(Some(address.into()));
    client
        .build()
        .expect("a plain client needs nothing that could fail")
}

async fn flood(base: &str, seconds: u64) -> Flood {
    let (http, url) = (http(FLOODER), format!("{base}/v1/files"));
    let flood = Flood::default();
    let until = Instant::now() + Duration::from_secs(seconds);
    let one = async || {
        while Instant::now() < until {
            let body = json!({"filename": "a", "size": 1});
            let answer = http.post(&url).json(&body).send().await;
            let counter = match &answer {
                Ok(answer) if answer.status() == StatusCode::CREATED => &flood.created,
                Ok(answer)
                    if answer.status() == StatusCode::TOO_MANY_REQUESTS
                        && answer.headers().contains_key(RETRY_AFTER) =>
                {
                    &flood.refused
                }
                _ => &flood.other,
            };
            counter.set(counter.get() + 1);
        }
    };
    join_all((0..CALLS).map(|_| one())).await;
    flood
}

/// An honest client: one file after the other, until it is available.
struct Uploader {
    http: reqwest::Client,
    base: String,
}

struct Uploads {
    took: Vec<Duration>,
    failed: usize,
}

impl Uploader {
    fn new(base: &str, address: Ipv4Addr) -> Self {
        Self {
            http: http(address),
            base: base.to_owned(),
        }
    }

    async fn upload_for(&self, seconds: u64) -> Uploads {
        let until = Instant::now() + Duration::from_secs(seconds);
        let took = RefCell::new(Vec::new());
        let mut failed = 0;
        while Instant::now() < until {
            let began = Instant::now();
            match self.upload().await {
                Some(()) => took.borrow_mut().push(began.elapsed()),
                None => failed += 1,
            }
        }
        Uploads {
            took: took.into_inner(),
            failed,
        }
    }

    async fn upload(&self) -> Option<()> {
        let url = format!("{}/v1/files", self.base);
        let body = json!({"filename": "a.txt", "size": 5});
        let created = self.http.post(&url).json(&body).send().await.ok()?;
        let created: Value = created.json().await.ok()?;
        let mut put = self
            .http
            .put(created["upload"]["url"].as_str()?)
            .body("hello");
        for (name, value) in created["upload"]["headers"].as_object()? {
            put = put.header(name, value.as_str()?);
        }
        put.send().await.ok()?.error_for_status().ok()?;
        let metadata = format!("{url}/{}/metadata?wait=20", created["id"].as_str()?);
        let record = self.http.get(metadata).send().await.ok()?;
        let record: Value = record.json().await.ok()?;
        (record["status"] == "available").then_some(())
    }
}

/// The flood's files are over, as if their time had passed while the program was away; how long it takes
/// until the database is small again.
async fn give_back(dir: &Path, api: Program, start: impl Fn() -> Program) -> Duration {
    let stopped = tokio::task::block_in_place(|| api.terminate());
    assert!(stopped.success(), "the program stops");
    let database = dir.join("metadata.sqlite");
    let records = rusqlite::Connection::open(&database).expect("the records can be opened");
    let over = "UPDATE files SET status = 'expired', upload_expires_at = 1, expires_at = 1, review_at = 1 WHERE status = 'pending'";
    records
        .execute(over, [])
        .expect("the records can be changed");
    drop(records);
    let length = || std::fs::metadata(&database).map_or(u64::MAX, |it| it.len());
    let full = length();
    let (began, _api) = (Instant::now(), start());
    while length() > full / 2 && began.elapsed() < 2 * GIVEN_BACK {
        sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

/// What all files below the directory take on the disk.
fn bytes_below(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok().filter(|it| it.is_file()))
        .map(|file| file.blocks() * 512)
        .sum()
}
