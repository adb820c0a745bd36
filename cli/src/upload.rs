//! `fshare upload`: measure → create → send → settle, several files at a time.
//!
//! **Invariant:** one file here makes at most one file there, however often answers are lost: the
//! create has a key of its own, and the store takes the bytes once.
//!
//! **Absent on purpose:** going on in the middle. A URL takes a file as a whole.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::arguments;
use crate::failure::{DONE, Failure};
use crate::http::{Body, Sent, empty};
use crate::output::{Output, printable};
use crate::retry::{Deadline, Retry, retry_after};
use crate::service::{AGENT, Record, Service, Upload, declaration, may_pass};
use crate::sources::{self, Measured, Source};

/// How much of a file is read at a time, and how many such pieces wait for the connection.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_AHEAD: usize = 4;
/// A store's error is a few hundred bytes of XML.
const MAX_STORE_ERROR_BYTES: usize = 64 * 1024;

/// What became of one file so far.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Nothing of it is there.
    Waiting,
    /// The store has its bytes, but it isn't certain yet that they are right.
    Sent(String),
    /// It is available under this link.
    Done(String),
    Failed(Failure),
}

/// What became of all of them, for whoever asks while it goes on.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Mutex<Vec<(String, Fate)>>>);

impl Ledger {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn begin(&self, sources: &[Source]) {
        let waiting = sources.iter().map(|s| (s.shown.clone(), Fate::Waiting));
        *self.lock() = waiting.collect();
    }

    fn set(&self, index: usize, fate: Fate) {
        if let Some(entry) = self.lock().get_mut(index) {
            entry.1 = fate;
        }
    }

    pub fn all(&self) -> Vec<(String, Fate)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, Fate)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exit codes of all files, in the order of the command line.
pub async fn run(
    service: &Service,
    arguments: &arguments::Upload,
    patience: Duration,
    output: &Output,
    ledger: &Ledger,
) -> Result<Vec<u8>, Failure> {
    let size = arguments.size;
    let sources = sources::find(&arguments.files, arguments.name.as_deref(), size)?;
    ledger.begin(&sources);
    let uploads = sources
        .iter()
        .enumerate()
        .map(|(index, source)| async move {
            let until = Deadline::after(patience);
            let outcome = upload_one(service, source, until, output, ledger, index).await;
            report(service, source, outcome, output, ledger, index)
        });
    let mut finished = stream::iter(uploads).buffer_unordered(arguments.jobs.into());
    while let Some(reported) = finished.next().await {
        reported?;
    }
    // Links last, in the order in which the files were named.
    let mut codes = Vec::new();
    for (_, fate) in ledger.all() {
        codes.push(match &fate {
            Fate::Done(link) => {
                if !output.json {
                    output.result(link)?;
                }
                DONE
            }
            Fate::Failed(failure) => failure.exit_code(),
            Fate::Waiting | Fate::Sent(_) => 1,
        });
    }
    Ok(codes)
}

fn report(
    service: &Service,
    source: &Source,
    outcome: Result<Record, Failure>,
    output: &Output,
    ledger: &Ledger,
    index: usize,
) -> Result<(), Failure> {
    match outcome {
        Ok(record) => {
            let link = service.link(record.id);
            ledger.set(index, Fate::Done(link.clone()));
            if output.json {
                return output.json_line(&done(&source.shown, &link, &record));
            }
            output.note_to_watcher(&format!("✓ {}", source.shown));
        }
        Err(failure) => {
            if output.json {
                output.json_line(&json!({ "path": source.shown, "error": failure.as_json() }))?;
            } else {
                output.note(&format!("✗ {}: {failure}", source.shown));
            }
            ledger.set(index, Fate::Failed(failure));
        }
    }
    Ok(())
}

fn done(path: &str, link: &str, record: &Record) -> Value {
    let mut line = json!({ "path": path, "link": link });
    if let (Some(line), Ok(Value::Object(record))) =
        (line.as_object_mut(), serde_json::to_value(record))
    {
        line.extend(record);
    }
    line
}

async fn upload_one(
    service: &Service,
    source: &Source,
    until: Deadline,
    output: &Output,
    ledger: &Ledger,
    index: usize,
) -> Result<Record, Failure> {
    let reading = source.clone();
    let measured = tokio::task::spawn_blocking(move || reading.measure())
        .await
        .map_err(|_| Failure::Here("it can't be read".to_owned()))??;
    let bar = output.bar(&source.name, measured.size);
    let declared = declaration(&source.name, measured.size, &measured.sha256);
    let created = service.create(&declared, Uuid::now_v7(), until).await?;
    let record = created.record;
    if let Some(upload) = created.upload {
        send(service, record.id, upload, &measured, until, &bar).await?;
    }
    let link = service.link(record.id);
    ledger.set(index, Fate::Sent(link.clone()));
    bar.set_message("checking");
    let record = settle(service, record.id, until).await;
    bar.finish_and_clear();
    let record = record.map_err(|failure| match failure {
        failure @ Failure::Refused { .. } => failure,
        other => Failure::TooSlow(format!(
            "it was sent, but its end isn't known yet ({other}); ask with: fshare info {link}"
        )),
    })?;
    if record.is_available() {
        return Ok(record);
    }
    if record.is_pending() {
        return Err(Failure::TooSlow(format!(
            "it was sent, but isn't available yet; ask with: fshare info {link}"
        )));
    }
    Err(Failure::Settled(record.obstacle()))
}

/// The hint that the bytes are there; where that doesn't settle it, waiting.
pub async fn settle(service: &Service, id: Uuid, until: Deadline) -> Result<Record, Failure> {
    match service.complete(id, until).await {
        Ok(record) if !record.is_pending() => Ok(record),
        _ => service.settled(id, until).await,
    }
}

/// What the store said, by what to do next.
enum Said {
    Taken,
    /// The URL is over, or will be before it can be used.
    Expired,
    Later(Option<Duration>),
    No(Failure),
}

/// Until the store has the bytes, or says that it won't take them.
pub async fn send(
    service: &Service,
    id: Uuid,
    mut upload: Upload,
    measured: &Measured,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut retry = Retry::until(until);
    loop {
        if measured.has_changed() {
            return Err(sources::changed());
        }
        let again = match attempt(service, &upload, measured, until, bar).await {
            Ok(Said::Taken) => return Ok(()),
            Ok(Said::No(failure)) => {
                return Err(if measured.has_changed() {
                    sources::changed()
                } else {
                    failure
                });
            }
            Ok(Said::Expired) => {
                // Settled meanwhile: nothing more to send.
                let Some(fresh) = service.renew(id, until).await? else {
                    return Ok(());
                };
                upload = fresh;
                retry.again(None).await
            }
            Ok(Said::Later(retry_after)) => retry.again(retry_after).await,
            Err(failure) => {
                if measured.has_changed() {
                    return Err(sources::changed());
                }
                // Its answer may be all that was lost.
                let record = service.describe(id, until).await?;
                if !record.is_pending() {
                    return Ok(());
                }
                if !retry.again(None).await {
                    return Err(failure);
                }
                continue;
            }
        };
        if !again {
            return Err(Failure::TooSlow(
                "the store didn't take it, however often it was tried".to_owned(),
            ));
        }
    }
}

async fn attempt(
    service: &Service,
    upload: &Upload,
    measured: &Measured,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<Said, Failure> {
    bar.set_position(0);
    let sent = Sent::default();
    let body = body_of(measured, &sent, bar);
    let mut request = Request::builder()
        .method(Method::PUT)
        .uri(&upload.url)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_LENGTH, measured.size);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(body)
        .map_err(|_| Failure::NoAnswer("the URL to send it to can't be read".to_owned()))?;
    let lost = |cause: &dyn std::fmt::Display| {
        Failure::NoAnswer(format!(
            "the store at {} doesn't answer: {cause}",
            host(&upload.url)
        ))
    };
    let answer = tokio::time::timeout(until.left(), service.http.send(request, &sent)).await;
    let answer = answer
        .map_err(|_| lost(&"time is over"))?
        .map_err(|cause| lost(&cause))?;
    let (head, body) = answer.into_parts();
    if head.status.is_success() {
        return Ok(Said::Taken);
    }
    // Write-once: an attempt before this one got through, and its answer didn't.
    if head.status == StatusCode::PRECONDITION_FAILED {
        return Ok(Said::Taken);
    }
    let text = service.http.read(body, MAX_STORE_ERROR_BYTES).await;
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let code = between(&text, "<Code>", "</Code>").unwrap_or("no code");
    let message = between(&text, "<Message>", "</Message>").unwrap_or("no message");
    let expired = code == "ExpiredToken" || message.contains("expired");
    Ok(
        if may_pass(head.status) || head.status == StatusCode::CONFLICT {
            Said::Later(retry_after(&head.headers))
        } else if head.status == StatusCode::FORBIDDEN && expired {
            Said::Expired
        } else if head.status.is_server_error() && code != "InsufficientStorage" {
            Said::Later(None)
        } else {
            Said::No(Failure::Refused {
                status: head.status.as_u16(),
                code: printable(code),
                detail: format!("the store refused the bytes: {}", printable(message)),
            })
        },
    )
}

/// The file in pieces, read by a thread that is never far ahead of the connection.
fn body_of(measured: &Measured, sent: &Sent, bar: &ProgressBar) -> Body {
    if measured.size == 0 {
        return empty();
    }
    let file = measured.file.clone();
    let (pieces, waiting) = mpsc::channel(PIECES_AHEAD);
    let size = measured.size;
    tokio::task::spawn_blocking(move || {
        let mut left = size;
        while left > 0 {
            let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES))];
            // By position: the thread of an attempt before may still be reading.
            let read = file.read_exact_at(&mut piece, size - left);
            left -= piece.len() as u64;
            let failed = read.is_err();
            let piece = read.map(|()| Bytes::from(piece));
            // Nobody waits for more: the attempt is over.
            if pieces.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    let (sent, bar) = (sent.clone(), bar.clone());
    let pieces = stream::unfold(waiting, |mut waiting| async move {
        waiting
            .recv()
            .await
            .map(|piece: io::Result<Bytes>| (piece, waiting))
    });
    let frames = pieces.map(move |piece| {
        piece.map(|bytes| {
            sent.add(bytes.len());
            bar.inc(bytes.len() as u64);
            Frame::data(bytes)
        })
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Who a URL leads to, without what makes it a credential.
pub fn host(url: &str) -> String {
    let uri: Result<http::Uri, _> = url.parse();
    let authority = uri
        .ok()
        .and_then(|uri| uri.authority().map(ToString::to_string));
    authority.unwrap_or_else(|| "an unknown place".to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}
