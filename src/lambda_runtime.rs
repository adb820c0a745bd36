//! A program as an AWS Lambda function: it asks the Runtime API for one event after another, and answers each.
//!
//! ```text
//! GET next ──▶ Function::answer ──▶ POST response │ error ──▶ Function::settle ──▶ GET next
//! ```
//!
//! Whoever sent the event has its answer with the POST; the machine runs on until the next GET, and stands still after
//! that. So what a server would do beside its answers is done in between.
//!
//! Invariant: each event gets exactly one answer, in time: an answer that would be larger than Lambda takes is an error
//! in its place, and nothing is worked on beyond the deadline that came with the event. What an event's content makes of
//! its answer ends no process; what is wrong with the Runtime API does, and Lambda starts another one.
//!
//! Absent on purpose: several events at a time, which Lambda gives to several processes; what is in an event.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::store_error::chain;

/// Set by Lambda, and by nobody else: where the Runtime API is, as a host and a port.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The version of the Runtime API. There has been no other one.
const VERSION: &str = "2018-06-01";
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
const DEADLINE: &str = "lambda-runtime-deadline-ms";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// The largest answer that Lambda takes, in bytes: 6 MB.
pub const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// The largest event that is read, in bytes. Lambda sends none of more than 6 MB.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;
/// What is left of an event's time once its answer has to be there: for its way, and for what is settled after it.
pub const ROOM: Duration = Duration::from_secs(1);
/// What is left of it after that.
const LAST_ROOM: Duration = Duration::from_millis(200);
/// The time of an event that doesn't say how much it has: what a function has by default.
const DEFAULT_TIME: Duration = Duration::from_secs(3);
/// The longest that a function may run. What is beyond that comes from a clock that was set meanwhile.
const MAX_TIME: Duration = Duration::from_secs(15 * 60);
/// How long the Runtime API, which is on the same machine, may take to take something.
const POST_LIMIT: Duration = Duration::from_secs(10);
/// The longest text that is sent as an error, in characters.
const MAX_ERROR_CHARACTERS: usize = 4_000;

/// What the function is asked, and until when.
#[derive(Debug)]
pub struct Invocation {
    /// The ID by which Lambda's own log lines know it.
    pub request_id: String,
    /// When an answer has to be there: [`ROOM`] before the function's time is over.
    pub answer_by: Instant,
    /// The event, which is JSON if it comes from a service of AWS.
    pub event: Bytes,
}

/// Why an event has no answer. It is shown to whoever reads the function's log, and to a caller of the Lambda API.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EventError {
    /// A word for what is wrong, such as `UnknownEvent`.
    pub kind: &'static str,
    /// The sentence. It holds nothing of the event.
    pub message: String,
}

/// The Runtime API can't be used: there is nothing left to do but to end.
#[derive(Debug, thiserror::Error)]
#[error("the Runtime API of Lambda: {0}")]
pub struct RuntimeError(String);

impl RuntimeError {
    fn because(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(chain(&*error.into()))
    }
}

/// What answers events.
pub trait Function {
    /// The answer to this one, by [`Invocation::answer_by`].
    fn answer(
        &mut self,
        invocation: &Invocation,
    ) -> impl Future<Output = Result<Vec<u8>, EventError>> + Send;

    /// What is to be done behind an answer before the machine may stand still. It is broken off when the time is over.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;
}

/// Where events come from, and answers go.
#[derive(Debug)]
pub struct RuntimeApi {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl RuntimeApi {
    /// The one of this process, if it runs as a Lambda function.
    pub fn of_this_process() -> Option<Self> {
        let address = std::env::var(RUNTIME_API).ok()?;
        let address = address.trim();
        (!address.is_empty()).then(|| Self::at(address))
    }

    /// The one at this host and port.
    pub fn at(address: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: format!("http://{address}/{VERSION}/runtime"),
        }
    }

    /// Has `function` answer events until `stop`. What is under way then is answered.
    ///
    /// # Errors
    /// The Runtime API can't be used.
    pub async fn serve(
        &self,
        function: &mut impl Function,
        stop: &CancellationToken,
    ) -> Result<(), RuntimeError> {
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                next = self.next() => next?,
            };
            let invocation = match next {
                Ok(invocation) => invocation,
                Err((request_id, error)) => {
                    self.refuse(&request_id, &error).await?;
                    continue;
                }
            };
            let answer = function.answer(&invocation).await;
            match answer.and_then(not_too_large) {
                Ok(answer) => self.respond(&invocation.request_id, answer).await?,
                Err(error) => self.refuse(&invocation.request_id, &error).await?,
            }
            let over = invocation.answer_by + ROOM - LAST_ROOM;
            if timeout_at(over, function.settle()).await.is_err() {
                tracing::warn!(
                    "the time of an event was over before all behind its answer was done"
                );
            }
        }
    }

    /// The next event, however long it takes, or the ID of one that can't be read, and why.
    async fn next(&self) -> Result<Result<Invocation, (String, EventError)>, RuntimeError> {
        let request = self.request(Method::GET, "invocation/next");
        let request = request
            .body(Full::default())
            .map_err(RuntimeError::because)?;
        let answer = self.client.request(request).await;
        let (head, body) = answer.map_err(RuntimeError::because)?.into_parts();
        if head.status != StatusCode::OK {
            return Err(RuntimeError(format!("no event but {}", head.status)));
        }
        let request_id = head.headers.get(REQUEST_ID).and_then(|it| it.to_str().ok());
        let request_id = request_id.ok_or_else(|| RuntimeError("an event has no ID".into()))?;
        let request_id = request_id.to_owned();
        let answer_by = answer_by(&head.headers);
        Ok(match Limited::new(body, MAX_EVENT_BYTES).collect().await {
            Ok(event) => Ok(Invocation {
                request_id,
                answer_by,
                event: event.to_bytes(),
            }),
            Err(_) => Err((
                request_id,
                EventError {
                    kind: "UnreadableEvent",
                    message: format!(
                        "the event broke off, or has more than {MAX_EVENT_BYTES} bytes"
                    ),
                },
            )),
        })
    }

    async fn respond(&self, request_id: &str, answer: Vec<u8>) -> Result<(), RuntimeError> {
        let path = format!("invocation/{request_id}/response");
        self.post(&path, answer.into(), "").await
    }

    async fn refuse(&self, request_id: &str, error: &EventError) -> Result<(), RuntimeError> {
        tracing::error!(request_id, kind = error.kind, %error, "an event has no answer");
        let path = format!("invocation/{request_id}/error");
        self.post(&path, body_of(error), error.kind).await
    }

    /// A status that refuses what was sent is no reason to end: the event is over, one way or another.
    async fn post(&self, path: &str, body: Bytes, kind: &str) -> Result<(), RuntimeError> {
        let mut request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json");
        if !kind.is_empty() {
            request = request.header(ERROR_TYPE, format!("Function.{kind}"));
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(RuntimeError::because)?;
        let answer = timeout(POST_LIMIT, self.client.request(request)).await;
        let answer = answer.map_err(|_| RuntimeError("it takes no answer".into()))?;
        let status = answer.map_err(RuntimeError::because)?.status();
        if !status.is_success() {
            tracing::error!(%status, "Lambda refused an answer");
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("{}/{path}", self.base);
        Request::builder().method(method).uri(uri)
    }
}

/// Tells Lambda, if that started this process, that nothing here could answer events: so it is seen beside the log, and
/// nobody waits. Not to be called from within a runtime.
pub fn refuse_start(message: &str) {
    let Some(runtime_api) = RuntimeApi::of_this_process() else {
        return;
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let Ok(runtime) = runtime.enable_all().build() else {
        return;
    };
    let error = EventError {
        kind: "StartError",
        message: message.to_owned(),
    };
    // Nobody else could be told.
    let _ = runtime.block_on(runtime_api.post("init/error", body_of(&error), error.kind));
}

/// By this process's monotonic clock. A deadline that is over when its event comes is one of a clock that is wrong.
fn answer_by(headers: &HeaderMap) -> Instant {
    let deadline = headers.get(DEADLINE).and_then(|it| it.to_str().ok());
    let deadline = deadline.and_then(|it| it.trim().parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left = match (deadline.map(Duration::from_millis), now) {
        (Some(deadline), Ok(now)) if deadline > now => deadline - now,
        _ => DEFAULT_TIME,
    };
    Instant::now() + left.min(MAX_TIME).saturating_sub(ROOM)
}

fn not_too_large(answer: Vec<u8>) -> Result<Vec<u8>, EventError> {
    match answer.len() {
        ..=MAX_ANSWER_BYTES => Ok(answer),
        length => Err(EventError {
            kind: "AnswerTooLarge",
            message: format!(
                "the answer has {length} bytes, and Lambda takes {MAX_ANSWER_BYTES} at most"
            ),
        }),
    }
}

fn body_of(error: &EventError) -> Bytes {
    let message: String = error.message.chars().take(MAX_ERROR_CHARACTERS).collect();
    let body = json!({
        "errorType": error.kind,
        "errorMessage": message,
        "stackTrace": [],
    });
    body.to_string().into()
}

#[cfg(test)]
mod tests;
