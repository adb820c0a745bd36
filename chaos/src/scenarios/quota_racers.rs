//! Programs of one person that create, send and delete within a quota, while the API is killed: nobody ever has more than
//! the quota, what is kept of it is what there is, and all of its places can be taken in the end.
//!
//! Invariant: in the end what is there is counted from the list of files, and held against what the service keeps of the
//! quota. While they race that alone is asked for, since a list is read in parts.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::load;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::Supervised;
use crate::recounts::data_dir;
use crate::support::issuer::Issuer;
use crate::support::program::Program;

const PLACES: usize = 6;
const RACERS: usize = 16;
const CONTENT: &[u8] = b"five!";
const KILL_EVERY: Duration = Duration::from_secs(2);
/// The pause before a repetition.
const PAUSE: Duration = Duration::from_millis(50);
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Until a call is answered, with all the kills in between.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn local(scale: Scale) -> Vec<Measurement> {
    let issuer = block_in_place(Issuer::start);
    let dir = data_dir();
    let api = {
        let settings = Settings::with_quota(&issuer, PLACES);
        let path = dir.path().to_owned();
        Supervised::new(move || Program::local(&path, &settings.as_str()))
    };
    run(api, &issuer, scale).await
}

pub(super) async fn aws(scale: Scale) -> Vec<Measurement> {
    let issuer = block_in_place(Issuer::start);
    let aws = Aws::start("quota-racers", &[]).await;
    let api = {
        let aws = Arc::clone(&aws);
        let settings = Settings::with_quota(&issuer, PLACES);
        Supervised::new(move || aws.api(&settings.as_str()))
    };
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    run(api, &issuer, scale).await
}

async fn run(mut api: Supervised, issuer: &Issuer, scale: Scale) -> Vec<Measurement> {
    let program = OneProgram::of_person(&api.program().listening_at(), issuer).await;
    let over_at = Instant::now() + scale.of(Duration::from_secs(9), Duration::from_secs(60));
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let racing = (0..RACERS).map(|_| program.race(random.fork(), over_at));
    let racing = join_all(racing.collect::<Vec<_>>());
    let watching = async { tokio::join!(racing, program.watch(over_at)).1 };
    let beyond = load::while_disturbed(watching, KILL_EVERY, async || api.kill_and_serve().await);
    let beyond = beyond.await;

    // Whatever a kill left behind, so many places are free as aren't taken.
    let before = program.places_taken().await;
    let last = (0..RACERS).map(|_| program.create(random.u128(..)));
    let last = join_all(last.collect::<Vec<_>>()).await;
    let taken = last.into_iter().flatten().count();
    vec![
        Measurement::at_least("kills", api.kills, 2),
        Measurement::at_least("files created", program.created.get(), PLACES),
        Measurement::at_least(
            "creates beyond the quota, refused",
            program.refused.get(),
            1,
        ),
        Measurement::none("looks that found more than the quota", beyond),
        Measurement::exactly(
            "creates that had a place in the end",
            taken,
            PLACES - before,
        ),
        Measurement::exactly("places taken then", program.places_taken().await, PLACES),
        Measurement::exactly("used, as it is kept", program.used().await, PLACES),
    ]
}

/// A program that acts for one person, by a token that outlives what it does.
struct OneProgram {
    http: reqwest::Client,
    base: String,
    token: String,
    created: Cell<usize>,
    refused: Cell<usize>,
}

impl OneProgram {
    async fn of_person(base: &str, issuer: &Issuer) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL_LIMIT)
            .build();
        Self {
            http: http.expect("a plain client needs nothing that could fail"),
            base: base.to_owned(),
            token: person::token(base, issuer).await,
            created: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    /// Repeats a call until somebody answers it who is alive.
    async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let began = Instant::now();
        loop {
            let url = format!("{}{path}", self.base);
            let mut request = self
                .http
                .request(method.clone(), url)
                .bearer_auth(&self.token);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Ok(answer) = request.send().await {
                let status = answer.status();
                let is_over_quota = status == StatusCode::INSUFFICIENT_STORAGE;
                if let Ok(text) = answer.bytes().await
                    && (is_over_quota || !status.is_server_error())
                {
                    return (status, serde_json::from_slice(&text).unwrap_or_default());
                }
            }
            assert!(began.elapsed() < PATIENCE, "nobody answers {method} {path}");
            sleep(PAUSE).await;
        }
    }

    /// A new file, unless there is no place for it.
    async fn create(&self, key: u128) -> Option<Value> {
        let key = format!("{key:032x}");
        let wanted = json!({"filename": "a.txt", "size": CONTENT.len()});
        let creating = self.call(Method::POST, "/v1/files", Some(&key), Some(&wanted));
        match creating.await {
            (StatusCode::CREATED, created) => {
                self.created.set(self.created.get() + 1);
                Some(created)
            }
            (StatusCode::INSUFFICIENT_STORAGE, said) => {
                assert_eq!(said["code"], "quota_exceeded", "{said}");
                self.refused.set(self.refused.get() + 1);
                None
            }
            (status, said) => panic!("{status}: {said}"),
        }
    }

    /// Creates, sends the bytes or doesn't, and deletes, again and again.
    async fn race(&self, mut random: fastrand::Rng, over_at: Instant) {
        while Instant::now() < over_at {
            let Some(created) = self.create(random.u128(..)).await else {
                sleep(PAUSE).await;
                continue;
            };
            if random.bool() {
                self.send(&created["upload"]).await;
            }
            sleep(PAUSE * random.u32(0..10)).await;
            let path = format!("/v1/files/{}", created["id"].as_str().unwrap_or_default());
            let (status, said) = self.call(Method::DELETE, &path, None, None).await;
            // The answer to an attempt may have been lost.
            let is_gone = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_FOUND);
            assert!(is_gone, "{status}: {said}");
        }
    }

    /// Whether it arrives is nothing to a quota.
    async fn send(&self, upload: &Value) {
        let url = upload["url"].as_str().unwrap_or_default();
        let mut request = self.http.put(url).body(CONTENT);
        for (name, value) in upload["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let _ = request.send().await;
    }

    /// How often there was more than the quota.
    async fn watch(&self, over_at: Instant) -> usize {
        let mut beyond = 0;
        while Instant::now() < over_at {
            let used = self.used().await;
            beyond += usize::from(used > PLACES);
            sleep(PAUSE).await;
        }
        beyond
    }

    /// How many files are pending or available, as the list says.
    async fn places_taken(&self) -> usize {
        let (status, page) = self
            .call(Method::GET, "/v1/files?limit=100", None, None)
            .await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let files = page["files"].as_array().into_iter().flatten();
        let taken = files.filter(|it| it["status"] == "pending" || it["status"] == "available");
        taken.count()
    }

    /// How many are, as it is kept.
    async fn used(&self) -> usize {
        let (status, session) = self.call(Method::GET, "/v1/session", None, None).await;
        assert_eq!(status, StatusCode::OK, "{session}");
        let used = session["quota"]["files"]["used"].as_u64();
        used.and_then(|it| usize::try_from(it).ok())
            .expect("the quota is told")
    }
}
