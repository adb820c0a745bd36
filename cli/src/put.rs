//! The bytes of one file to the store, until it has them or says that it won't take them.
//!
//! **Invariant:** the store takes a file's bytes once: a second PUT is told that some are there. That they
//! are these isn't known from here.
//!
//! **Absent on purpose:** going on in the middle. A URL takes a file as a whole.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use indicatif::ProgressBar;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::answer::may_pass;
use crate::api_client::{AGENT, ApiClient};
use crate::error::CliError;
use crate::http::{Body, Http, Sent, empty};
use crate::inputs::{self, Measured};
use crate::intermediary::{answered, is_page};
use crate::output::printable;
use crate::platform::read_exact_at;
use crate::retry::{Deadline, Retry, retry_after};
use crate::wire::Upload;

/// How much of a file is read at a time, and how many such pieces wait for the connection.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_AHEAD: usize = 4;
/// A store's error is a few hundred bytes of XML.
const MAX_STORE_ERROR_BYTES: usize = 64 * 1024;

/// What the store said, by what to do next.
enum PutOutcome {
    Taken,
    /// The URL is over, or will be before it can be used.
    Expired,
    Later(Option<Duration>, CliError),
    No(CliError),
}

/// Until the store has the bytes, or says that it won't take them.
pub(crate) async fn send(
    service: &ApiClient,
    id: Uuid,
    mut upload: Upload,
    measured: &Measured,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    let mut retry = Retry::until(until);
    loop {
        if measured.has_changed() {
            return Err(inputs::changed());
        }
        let (again, why) = match attempt(service, &upload, measured, until, bar).await {
            Ok(PutOutcome::Taken) => return Ok(()),
            Ok(PutOutcome::No(failure)) => {
                return Err(if measured.has_changed() {
                    inputs::changed()
                } else {
                    failure
                });
            }
            Ok(PutOutcome::Expired) => {
                // Settled meanwhile: nothing more to send.
                let Some(fresh) = service.renew(id, until).await? else {
                    return Ok(());
                };
                upload = fresh;
                let why = CliError::NoAnswer("its URLs are over at once".to_owned());
                (retry.again(None).await, why)
            }
            Ok(PutOutcome::Later(retry_after, why)) => (retry.again(retry_after).await, why),
            Err(failure @ CliError::Unusable(_)) => return Err(failure),
            Err(failure) => {
                if measured.has_changed() {
                    return Err(inputs::changed());
                }
                // Its answer may be all that was lost.
                let record = service.describe(id, until).await?;
                if record.is_final() {
                    return Ok(());
                }
                if !retry.again(None).await {
                    return Err(failure);
                }
                continue;
            }
        };
        if !again {
            return Err(CliError::TooSlow(format!(
                "the store didn't take it, however often it was tried; the last time: {why}"
            )));
        }
    }
}

async fn attempt(
    service: &ApiClient,
    upload: &Upload,
    measured: &Measured,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<PutOutcome, CliError> {
    bar.set_position(0);
    let sent = Sent::default();
    let body = body_of(measured, &sent, bar);
    let answer = put(&service.http, upload, measured.size, body, &sent, until).await?;
    // Write-once: most likely an attempt before this one got through, and its answer didn't. Whose bytes
    // they are the record tells once it is available.
    if answer.is_taken() || answer.status == StatusCode::PRECONDITION_FAILED {
        return Ok(PutOutcome::Taken);
    }
    let is_expired = answer.is_expired();
    let may_pass = may_pass(answer.status)
        || answer.status == StatusCode::CONFLICT
        || (answer.status.is_server_error() && answer.code() != "InsufficientStorage");
    let pause = retry_after(&answer.headers);
    let failure = answer.into_error("the upload", measured.size);
    Ok(match (is_expired, may_pass) {
        (true, _) => PutOutcome::Expired,
        (_, true) => PutOutcome::Later(pause, failure),
        _ => PutOutcome::No(failure),
    })
}

/// What was answered to a PUT, or to a GET of the bytes.
#[derive(Debug)]
pub(crate) struct StoreAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// S3's name for the error, and its words. A store always has the name.
    error: Option<(String, String)>,
}

impl StoreAnswer {
    /// Reads what was said if it isn't a success.
    pub(crate) async fn read(http: &Http, answer: Response<Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        let mut error = None;
        if !head.status.is_success() {
            let text = http.read(body, MAX_STORE_ERROR_BYTES).await;
            let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
            let message = between(&text, "<Message>", "</Message>").unwrap_or_default();
            error = between(&text, "<Code>", "</Code>")
                .map(|code| (printable(code), printable(message)));
        }
        Self {
            status: head.status,
            headers: head.headers,
            error,
        }
    }

    /// A store has nothing to say when it takes bytes, and a page least of all.
    pub(crate) fn is_taken(&self) -> bool {
        self.status.is_success() && !is_page(&self.headers)
    }

    /// Nothing if it wasn't a store that answered.
    pub(crate) fn code(&self) -> &str {
        self.error.as_ref().map_or("", |(code, _)| code)
    }

    /// The URL is over, or its credentials are.
    pub(crate) fn is_expired(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
            && self.error.as_ref().is_some_and(|(code, message)| {
                code == "ExpiredToken" || message.contains("expired")
            })
    }

    /// `asked` says what for, and `size` how many bytes were sent.
    pub(crate) fn into_error(self, asked: &str, size: u64) -> CliError {
        match self.error {
            Some((code, message)) => CliError::Refused {
                status: self.status.as_u16(),
                detail: format!("the store refused: {message}"),
                code,
            },
            None => answered(asked, size, self.status, &self.headers),
        }
    }
}

/// One PUT, whatever comes of it.
///
/// # Errors
/// There is no answer.
pub(crate) async fn put(
    http: &Http,
    upload: &Upload,
    size: u64,
    body: Body,
    sent: &Sent,
    until: Deadline,
) -> Result<StoreAnswer, CliError> {
    let mut request = Request::builder()
        .method(Method::PUT)
        .uri(&upload.url)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_LENGTH, size);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(body)
        .map_err(|_| CliError::Unusable("what the server says to send can't be sent".to_owned()))?;
    let lost = |cause: &dyn std::fmt::Display| {
        CliError::NoAnswer(format!(
            "the store at {} doesn't answer: {cause}",
            host(&upload.url)
        ))
    };
    let answer = tokio::time::timeout(until.left(), http.send(request, sent)).await;
    let answer = answer
        .map_err(|_| lost(&"time is over"))?
        .map_err(|cause| lost(&cause))?;
    Ok(StoreAnswer::read(http, answer).await)
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
            let read = read_exact_at(&file, &mut piece, size - left);
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
pub(crate) fn host(url: &str) -> String {
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
