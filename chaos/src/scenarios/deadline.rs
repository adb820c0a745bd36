//! Students who hand in around a deadline, while the API is killed: nothing that the store took is lost, each file is
//! late or isn't by the store's clock, each receipt verifies, and a collection brings exactly all.
//!
//! Invariant: what is expected follows from when a client began to send and when it was answered, and from nothing
//! that the service says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::client::{content, hex_sha256};
use crate::load;
use crate::measurement::Measurement;
use crate::process::{Supervised, free_address};
use crate::recounts::data_dir;
use crate::support::program::Program;

/// What each student hands in, one after the other.
const FILES_EACH: usize = 3;
const LENGTH: usize = 16 * 1024;
/// How long the box takes files after they are due.
const OPEN_AFTER: Duration = Duration::from_secs(300);
/// Some begin after the deadline, within a quarter of the time before it.
const LATEST_BEGIN: f64 = 1.25;
const KILL_EVERY: Duration = Duration::from_secs(4);
/// The pause before a repetition.
const PAUSE: Duration = Duration::from_millis(100);
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Until the last file is settled after the last kill.
const LIMIT: Duration = Duration::from_secs(120);
/// The longest pause that a client takes because it was told to, as a page does.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// 32 bytes for receipts, which local mode makes itself.
const RECEIPT_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
/// S3 shows times in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// A file, and when the store can have had it.
struct Sent {
    id: String,
    token: String,
    content: Bytes,
    /// When its first byte went out, and when the store had said yes.
    between: (SystemTime, SystemTime),
}

pub(super) async fn local(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let address = free_address();
    let api = {
        let (dir, address) = (dir.path().to_owned(), address);
        Supervised::new(move || {
            Program::local(&dir, &[("LISTEN", &address), ("RECONCILE_INTERVAL", "1s")])
        })
    };
    run(api, scale).await
}

pub(super) async fn aws(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("deadline", &[]).await;
    let address = free_address();
    let api = {
        let aws = std::sync::Arc::clone(&aws);
        Supervised::new(move || aws.api(&[("LISTEN", &address), ("RECEIPT_KEY", RECEIPT_KEY)]))
    };
    let _workers = [aws.worker(&[]), aws.worker(&[])];
    run(api, scale).await
}

async fn run(mut api: Supervised, scale: Scale) -> Vec<Measurement> {
    let before = scale.of(Duration::from_secs(10), Duration::from_secs(60));
    let students = scale.of(20, 200);
    let class = Class::new(&api.program().base);
    let due = SystemTime::now() + before;
    let file_box = class.open_box(due).await;
    let token = file_box["url"]
        .as_str()
        .and_then(|url| url.rsplit('/').next());
    let token = token.expect("a box has a URL");
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let handing_in = (0..students).map(|number| {
        let contents: Vec<Bytes> = (0..FILES_EACH)
            .map(|_| content(&mut random, LENGTH))
            .collect();
        let begin = before.mul_f64(LATEST_BEGIN * random.f64());
        class.hand_in_all(token, number, contents, begin)
    });
    let handing_in = join_all(handing_in.collect::<Vec<_>>());
    let sent = load::while_disturbed(handing_in, KILL_EVERY, async || api.kill_and_serve().await);
    let sent: Vec<Sent> = sent.await.into_iter().flatten().collect();
    let told_to_wait = class.told_to_wait.load(Ordering::Relaxed);
    let id = file_box["id"].as_str().expect("a box has an ID");
    let listed = class.await_settled(id).await;
    let (lost, wrong) = compare(&sent, &listed, due);
    let late = listed.iter().filter(|it| it["late"] == true).count();
    let folder = tempfile::tempdir().expect("a folder");
    let not_genuine = class.verify_all(&sent, folder.path()).await;
    let collected = class.collect(id, &folder.path().join("handed in")).await;
    vec![
        Measurement::at_least("kills", api.kills, 2),
        Measurement::none(
            "hand-ins of a class behind one address that had to wait",
            told_to_wait,
        ),
        Measurement::exactly(
            "files that the store accepted",
            sent.len(),
            students * FILES_EACH,
        ),
        Measurement::exactly("files in the box", listed.len(), students * FILES_EACH),
        Measurement::none("accepted, and not available with their bytes", lost),
        Measurement::at_least("late", late, 1),
        Measurement::at_least("on time", listed.len() - late, 1),
        Measurement::none("late or on time against the store's clock", wrong),
        Measurement::none("receipts that don't verify with their file", not_genuine),
        Measurement::none(
            "collected too often, not at all, or otherwise",
            difference(&sent, &collected),
        ),
    ]
}

/// What was lost, and what is late and wasn't, or the other way round.
fn compare(sent: &[Sent], listed: &[Value], due: SystemTime) -> (usize, usize) {
    let by_id: BTreeMap<&str, &Value> = listed
        .iter()
        .filter_map(|it| Some((it["id"].as_str()?, it)))
        .collect();
    let (mut lost, mut wrong) = (0, 0);
    for file in sent {
        let shown = by_id.get(file.id.as_str());
        let shown = shown.filter(|it| it["status"] == "available");
        let Some(shown) = shown.filter(|it| it["sha256"] == hex_sha256(&file.content)) else {
            lost += 1;
            continue;
        };
        let (began, answered) = file.between;
        wrong += usize::from(match shown["late"] == true {
            true => answered <= due,
            false => began > due + SECOND,
        });
    }
    (lost, wrong)
}

/// How many contents are in one and not in the other, counted.
fn difference(sent: &[Sent], collected: &[String]) -> usize {
    let mut left: BTreeMap<String, isize> = BTreeMap::new();
    for file in sent {
        *left.entry(hex_sha256(&file.content)).or_default() += 1;
    }
    for digest in collected {
        *left.entry(digest.clone()).or_default() -= 1;
    }
    left.values().map(|count| count.unsigned_abs()).sum()
}

/// All who have to do with one box.
struct Class {
    http: reqwest::Client,
    base: String,
    /// How many answers said that there were too many calls or hand-ins from here.
    told_to_wait: AtomicUsize,
}

impl Class {
    fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL_LIMIT)
            .build();
        Self {
            http: http.expect("a plain client needs nothing that could fail"),
            base: base.to_owned(),
            told_to_wait: AtomicUsize::new(0),
        }
    }

    /// Repeats a call until it is answered as expected. Kills break it off, answers of 5xx are none, and who is told to
    /// wait waits, as pages and `fshare` do.
    async fn call(
        &self,
        expected: StatusCode,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Value {
        let began = Instant::now();
        loop {
            match request(&self.http).send().await {
                Ok(answer) if answer.status() == expected => {
                    if let Ok(body) = answer.json().await {
                        return body;
                    }
                }
                Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
                    self.told_to_wait.fetch_add(1, Ordering::Relaxed);
                    let after = answer.headers().get(RETRY_AFTER);
                    let after = after.and_then(|it| it.to_str().ok()?.parse().ok());
                    sleep(after.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE)).await;
                }
                Ok(answer) if !answer.status().is_server_error() => {
                    let status = answer.status();
                    let body = answer.text().await.unwrap_or_default();
                    panic!("{status} instead of {expected}: {body}");
                }
                Ok(_) | Err(_) => {}
            }
            assert!(began.elapsed() < LIMIT, "nobody answers");
            sleep(PAUSE).await;
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
    ) -> impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + use<> {
        let url = format!("{}{path}", self.base);
        move |http| http.request(method.clone(), &url)
    }

    async fn open_box(&self, due: SystemTime) -> Value {
        let body = json!({
            "title": "Sheet 3", "dueAt": moment(due), "closesAt": moment(due + OPEN_AFTER), "keep": "all",
        });
        let create = self.request(Method::POST, "/v1/boxes");
        self.call(StatusCode::CREATED, |http| create(http).json(&body))
            .await
    }

    async fn hand_in_all(
        &self,
        token: &str,
        number: usize,
        contents: Vec<Bytes>,
        begin: Duration,
    ) -> Vec<Sent> {
        sleep(begin).await;
        let mut sent = Vec::new();
        for (at, content) in contents.into_iter().enumerate() {
            let key = format!("student-{number}-{at}");
            sent.push(self.hand_in(token, number, &key, content).await);
        }
        sent
    }

    async fn hand_in(&self, token: &str, number: usize, key: &str, content: Bytes) -> Sent {
        let body = json!({
            "filename": "sheet.pdf", "size": content.len(), "submitter": format!("Student {number}"),
        });
        let create = self.request(Method::POST, &format!("/v1/drop/{token}/files"));
        let began = Instant::now();
        let mut first_byte = None;
        loop {
            // The same key again is the same file again, with a URL that works.
            let created = self.call(StatusCode::CREATED, |http| {
                create(http).header("idempotency-key", key).json(&body)
            });
            let created = created.await;
            let before = *first_byte.get_or_insert_with(SystemTime::now);
            let is_over = created["upload"].is_null();
            if is_over || self.put(&created["upload"], &content).await {
                let text = |field: &str| created[field].as_str().unwrap_or_default().to_owned();
                return Sent {
                    id: text("id"),
                    token: text("submissionToken"),
                    content,
                    between: (before, SystemTime::now()),
                };
            }
            assert!(began.elapsed() < LIMIT, "the store takes nothing");
            sleep(PAUSE).await;
        }
    }

    /// Whether the store has the bytes: nobody else has this key, so what is there already came from here.
    async fn put(&self, upload: &Value, content: &Bytes) -> bool {
        let url = upload["url"].as_str().expect("an upload has a URL");
        let mut request = self.http.put(url).body(content.clone());
        for (name, value) in upload["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let answer = request.send().await;
        answer.is_ok_and(|it| {
            it.status().is_success() || it.status() == StatusCode::PRECONDITION_FAILED
        })
    }

    /// All that lies in the box, once nothing is pending or the time is over.
    async fn await_settled(&self, id: &str) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let all = self.list(id).await;
            let pending = all.iter().filter(|it| it["status"] == "pending").count();
            if pending == 0 || began.elapsed() > LIMIT {
                return all;
            }
            sleep(load::POLL).await;
        }
    }

    async fn list(&self, id: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/boxes/{id}/files?limit=100&cursor={cursor}");
            let list = self.request(Method::GET, &path);
            let page = self.call(StatusCode::OK, list).await;
            all.extend(page["files"].as_array().into_iter().flatten().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return all,
            }
        }
    }

    /// How many receipts don't verify, each with its file, as whoever handed it in gets it.
    async fn verify_all(&self, sent: &[Sent], folder: &Path) -> usize {
        let mut not_genuine = 0;
        for file in sent {
            let (receipt, bytes) = (folder.join("receipt.jws"), folder.join("bytes"));
            let path = format!("/v1/files/{}/receipt", file.id);
            let request = self.request(Method::GET, &path)(&self.http).bearer_auth(&file.token);
            let text = match request.send().await {
                Ok(answer) if answer.status().is_success() => answer.text().await,
                _ => {
                    not_genuine += 1;
                    continue;
                }
            };
            std::fs::write(&receipt, text.unwrap_or_default()).expect("a receipt is kept");
            std::fs::write(&bytes, &file.content).expect("bytes are kept");
            let arguments = [PathBuf::from("verify"), receipt, bytes];
            not_genuine += usize::from(!self.fshare(arguments.to_vec()).await);
        }
        not_genuine
    }

    /// Collects twice; the digests of what is there then, but for the table.
    async fn collect(&self, id: &str, folder: &Path) -> Vec<String> {
        for _ in 0..2 {
            let arguments = [PathBuf::from("collect"), id.into(), folder.to_owned()];
            if !self.fshare(arguments.to_vec()).await {
                return Vec::new();
            }
        }
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        let files = entries.map(|entry| entry.expect("a file").path());
        let files = files.filter(|path| path.extension().is_none_or(|it| it != "csv"));
        let read = files.map(|path| hex_sha256(&std::fs::read(path).expect("a file")));
        read.collect()
    }

    /// Whether the command line ends well.
    async fn fshare(&self, arguments: Vec<PathBuf>) -> bool {
        let program = std::env::current_exe().expect("it has a path");
        let program = program.with_file_name("fshare");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("FILE_SHARE_URL", &self.base)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let ended = spawn_blocking(move || command.status()).await;
        let ended = ended.expect("it isn't cancelled");
        ended.is_ok_and(|status| status.success())
    }
}

/// A moment as JSON has it, to the millisecond.
fn moment(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.expect("after 1970").as_millis();
    let at = DateTime::from_millis(i64::try_from(millis).expect("before the end"));
    at.fmt(DateTimeFormat::DateTime)
        .expect("within the calendar")
}
