//! A client as the contract wants it: it repeats what got no answer or a 5xx, and writes down what
//! it was told.
//!
//! Invariant: the history gets what an answer said and nothing that was only hoped for.
//!
//! Absent on purpose: connection pools that hide kills. A broken connection is a call without an
//! answer, which is what a client sees, and is counted.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::client_stats::{ClientStats, count};
use crate::history::{History, Observation};

/// The longest that one call may take, downloads and long polls included.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// The pause before a repetition, where the answer named none.
const PAUSE: Duration = Duration::from_millis(100);

/// A file that a client was told of, with a URL to send its bytes to.
#[derive(Debug, Clone)]
pub(crate) struct Created {
    pub id: String,
    pub content: Bytes,
    upload: Value,
}

impl Created {
    /// The head of the PUT, for a client that writes by hand.
    pub(crate) fn put_header(&self, address: &str) -> String {
        let url = self.upload["url"].as_str().unwrap_or_default();
        let path = url
            .trim_start_matches("http://")
            .trim_start_matches(address);
        let mut head = format!(
            "PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n",
            self.content.len()
        );
        for (name, value) in self.upload["headers"].as_object().into_iter().flatten() {
            head += &format!("{name}: {}\r\n", value.as_str().unwrap_or_default());
        }
        head + "\r\n"
    }
}

/// A whole record, as it was shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown(pub Value);

impl Shown {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.text("status") == "pending"
    }
}

pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    pub history: History,
    pub stats: ClientStats,
    /// How long an operation is repeated before the client gives up.
    patience: Cell<Duration>,
}

/// Random bytes that nobody can guess from their length.
pub(crate) fn content(random: &mut fastrand::Rng, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes.into()
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Client {
    pub(crate) fn new(base: &str, history: History, patience: Duration) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_LIMIT)
            .build()
            .expect("a plain client needs nothing that could fail");
        Self {
            http,
            base: base.to_owned(),
            token: None,
            history,
            stats: ClientStats::default(),
            patience: Cell::new(patience),
        }
    }

    pub(crate) fn be_patient(&self, patience: Duration) {
        self.patience.set(patience);
    }

    /// One call of the API. `None` if it broke off.
    pub(crate) async fn call(&self, request: RequestBuilder) -> Option<Response> {
        count(&self.stats.calls);
        let began = Instant::now();
        match request.send().await {
            Ok(answer) => {
                self.stats.latencies.borrow_mut().push(began.elapsed());
                if answer.status().is_server_error() {
                    count(&self.stats.server_errors);
                    if !answer.headers().contains_key(RETRY_AFTER) {
                        count(&self.stats.without_advice);
                    }
                }
                Some(answer)
            }
            Err(_) => {
                count(&self.stats.broken);
                None
            }
        }
    }

    /// A call of the API; never of the store, whose URLs are proof enough.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The same client with a token of somebody's.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// Repeats `attempt` until it has a result; `None` if the client's patience ends first.
    async fn until<T>(
        &self,
        what: &str,
        attempt: impl AsyncFn(&mut String) -> Option<T>,
    ) -> Option<T> {
        let began = Instant::now();
        let mut seen = String::new();
        while began.elapsed() < self.patience.get() {
            if let Some(result) = attempt(&mut seen).await {
                return Some(result);
            }
            sleep(PAUSE).await;
        }
        let mut gave_up = self.stats.gave_up.borrow_mut();
        eprintln!("  a client gave up: {what}: {seen}");
        gave_up.push(format!("{what}: {seen}"));
        None
    }

    /// The same client after the service has moved.
    pub(crate) fn moved_to(self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self
        }
    }

    /// Creates a file for `content`, with its digest declared if `declared`.
    pub(crate) async fn create(&self, content: Bytes, declared: bool) -> Option<Created> {
        self.until("create", async |seen| {
            let (status, created) = self.create_once(content.clone(), declared).await;
            *seen = format!("{status:?}");
            created
        })
        .await
    }

    /// One attempt to create a file: the status, if there was an answer, and the file.
    pub(crate) async fn create_once(
        &self,
        content: Bytes,
        declared: bool,
    ) -> (Option<StatusCode>, Option<Created>) {
        let sha256 = hex_sha256(&content);
        let mut body = json!({"filename": "campaign.bin", "size": content.len()});
        if declared {
            body["sha256"] = json!(sha256);
        }
        let request = self.request(Method::POST, "/v1/files").json(&body);
        let answer = self.call(request).await;
        let status = answer.as_ref().map(Response::status);
        let record: Option<Value> = match answer {
            Some(answer) if status == Some(StatusCode::CREATED) => answer.json().await.ok(),
            _ => None,
        };
        let Some((id, mut record)) =
            record.and_then(|it| Some((it["id"].as_str()?.to_owned(), it)))
        else {
            // A record may have been made all the same.
            count(&self.stats.untold);
            return (status, None);
        };
        let size = content.len();
        self.history
            .append(&id, Observation::Created { size, sha256 });
        let upload = record["upload"].take();
        let created = Created {
            id,
            content,
            upload,
        };
        (status, Some(created))
    }

    /// One PUT of the bytes; `None` if it broke off.
    pub(crate) async fn put_once(&self, created: &Created) -> Option<StatusCode> {
        let url = created.upload["url"].as_str()?;
        // Said even of an empty body, which the client library would leave out.
        let mut request = self
            .http
            .put(url)
            .header(CONTENT_LENGTH, created.content.len())
            .body(created.content.clone());
        for (name, value) in created.upload["headers"].as_object()? {
            request = request.header(name, value.as_str()?);
        }
        let answer = request.send().await.ok()?;
        Some(answer.status())
    }

    /// Sends the bytes until the store has them. A URL that ran out is renewed. `None` also where
    /// the file is over: deleted, expired or settled by what was sent before.
    pub(crate) async fn put(&self, created: &Created) -> Option<()> {
        let current = RefCell::new(created.clone());
        let stored = self
            .until("put", async |seen| {
                let upload = current.borrow().clone();
                match self.put_once(&upload).await {
                    // Nobody else has this key: what is there already came from here.
                    Some(StatusCode::OK | StatusCode::PRECONDITION_FAILED) => {
                        self.history.append(&created.id, Observation::Stored);
                        Some(true)
                    }
                    Some(StatusCode::FORBIDDEN) => match self.renew(&created.id).await? {
                        Some(upload) => {
                            current.borrow_mut().upload = upload;
                            None
                        }
                        None => Some(false),
                    },
                    other => {
                        *seen = format!("{other:?}");
                        None
                    }
                }
            })
            .await?;
        stored.then_some(())
    }

    /// A fresh upload; `Some(None)` if the file takes none any more.
    async fn renew(&self, id: &str) -> Option<Option<Value>> {
        let request = self.request(Method::POST, &format!("/v1/files/{id}/upload"));
        let answer = self.call(request).await?;
        match answer.status() {
            StatusCode::OK => {
                let mut body: Value = answer.json().await.ok()?;
                Some(Some(body["upload"].take()))
            }
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Some(None),
            _ => None,
        }
    }

    /// The record as the service shows it now; `Some(None)` for a 404.
    pub(crate) async fn describe(&self, id: &str, wait: u32) -> Option<Option<Shown>> {
        self.until("describe", async |seen| {
            let path = format!("/v1/files/{id}/metadata?wait={wait}");
            let answer = self.call(self.request(Method::GET, &path)).await?;
            *seen = answer.status().to_string();
            match answer.status() {
                StatusCode::OK => Some(Some(Shown(answer.json().await.ok()?))),
                StatusCode::NOT_FOUND => Some(None),
                _ => None,
            }
        })
        .await
    }

    /// Waits until the file is no longer pending, at most for the client's patience.
    pub(crate) async fn await_settled(&self, id: &str) -> Option<Shown> {
        self.until("await_settled", async |seen| {
            let shown = self.describe(id, 5).await??;
            *seen = shown.text("status").to_owned();
            if shown.is_pending() {
                return None;
            }
            self.history.append(
                id,
                Observation::Settled {
                    status: shown.text("status").to_owned(),
                    sha256: shown.0["sha256"].as_str().map(str::to_owned),
                },
            );
            Some(shown)
        })
        .await
    }

    /// Downloads the whole file, by the redirect, and gives the digest of what came; `Some(None)`
    /// where the service says that there is nothing to fetch.
    pub(crate) async fn download(&self, id: &str) -> Option<Option<String>> {
        self.until("download", async |seen| {
            let path = format!("/v1/files/{id}");
            let answer = self.call(self.request(Method::GET, &path)).await?;
            *seen = answer.status().to_string();
            if answer.status().is_client_error() {
                return Some(None);
            }
            self.follow(id, answer).await.map(Some)
        })
        .await
    }

    /// One attempt to download the file.
    pub(crate) async fn download_once(&self, id: &str) -> Option<String> {
        let path = format!("/v1/files/{id}");
        let answer = self.call(self.request(Method::GET, &path)).await?;
        self.follow(id, answer).await
    }

    /// The digest of what lies behind a redirect.
    async fn follow(&self, id: &str, redirect: Response) -> Option<String> {
        let url = redirect.headers().get(LOCATION)?.to_str().ok()?;
        let answer = self.http.get(url).send().await.ok()?;
        // It may be deleted by now: the service knows better than the URL.
        if answer.status() != StatusCode::OK {
            return None;
        }
        let sha256 = hex_sha256(&answer.bytes().await.ok()?);
        let told = Observation::Downloaded {
            sha256: sha256.clone(),
        };
        self.history.append(id, told);
        Some(sha256)
    }

    /// Deletes the file. A 404 says that an earlier attempt, of whomever, was carried out.
    pub(crate) async fn delete(&self, id: &str) -> Option<()> {
        self.history.append(id, Observation::DeleteSent);
        self.until("delete", async |seen| {
            let path = format!("/v1/files/{id}");
            let answer = self.call(self.request(Method::DELETE, &path)).await?;
            *seen = answer.status().to_string();
            match answer.status() {
                StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => {
                    self.history.append(id, Observation::Deleted);
                    Some(())
                }
                _ => None,
            }
        })
        .await
    }

    /// The IDs of all files that the service lists; with `status`, those of one status.
    pub(crate) async fn list(&self, status: Option<&str>) -> Vec<String> {
        let filter = status.map_or_else(String::new, |status| format!("&status={status}"));
        let mut ids = Vec::new();
        let mut cursor = String::new();
        loop {
            let page: Option<Value> = self
                .until("list", async |seen| {
                    let path = format!("/v1/files?limit=100{filter}{cursor}");
                    let answer = self.call(self.request(Method::GET, &path)).await?;
                    *seen = answer.status().to_string();
                    if answer.status() != StatusCode::OK {
                        return None;
                    }
                    answer.json().await.ok()
                })
                .await;
            let Some(page) = page else { return ids };
            let files = page["files"].as_array().into_iter().flatten();
            ids.extend(
                files
                    .filter_map(|file| file["id"].as_str())
                    .map(str::to_owned),
            );
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    }
}
