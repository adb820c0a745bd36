//! The API as an AWS Lambda function behind an HTTP API of API Gateway: an event is a request, and an answer is written as
//! the gateway reads it (payload format 2.0).
//!
//! Invariant: from where a request comes is what the gateway saw, and nothing that a client wrote. A request is answered
//! within its event's time, and in a form that the gateway can pass on: an answer that would be too large is a problem
//! in its place, and a line in the log.
//!
//! Absent on purpose: other formats of events (REST APIs, load balancers). What isn't of this one is an error of the
//! function's, which whoever set it up that way sees at once.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use poem::error::ReadBodyError;
use poem::http::uri::Scheme;
use poem::http::{HeaderName, HeaderValue, Method, Uri, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, RequestParts, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout_at;

use super::call_context::X_FORWARDED_FOR;
use super::observed::X_REQUEST_ID;
use super::problem::{Code, Problem};
use crate::capacity::AnswerBy;
use crate::lambda_runtime::{EventError, Invocation, MAX_ANSWER_BYTES};

/// The stage that has no name in paths.
const DEFAULT_STAGE: &str = "$default";
/// What the gateway adds to each request; it says nothing that isn't known here.
const OF_THE_GATEWAY: [HeaderName; 2] = [
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
];
/// Of one connection, which the gateway's to a client isn't.
const OF_A_CONNECTION: [HeaderName; 4] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// What can't stand in a path or a query as it is. The gateway hands over paths decoded.
const NOT_IN_A_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const NOT_IN_A_QUERY: &AsciiSet = &NOT_IN_A_URI.remove(b'?');

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayEvent {
    version: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
    request_context: RequestContext,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct RequestContext {
    http: HttpOfContext,
    #[serde(default)]
    stage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpOfContext {
    method: String,
    #[serde(default)]
    source_ip: String,
}

/// Each header once: the gateway knows no more than one value of any, so those of one are a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayAnswer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// An endpoint behind the gateway.
pub struct GatewayFunction<E> {
    /// What answers requests.
    pub endpoint: E,
    /// What stands before our paths, for the address of a problem's description.
    pub path_prefix: String,
    /// Whether proxies before the gateway are known, and `X-Forwarded-For` is read as far as they are.
    pub knows_proxies: bool,
}

impl<E: Endpoint<Output = Response>> GatewayFunction<E> {
    /// The answer to a request that came as an event.
    ///
    /// # Errors
    /// If the event is no request.
    pub async fn answer(&self, invocation: &Invocation) -> Result<Vec<u8>, EventError> {
        let event: GatewayEvent = serde_json::from_slice(&invocation.event).map_err(|error| {
            unknown_event(format!(
                "a field is missing or isn't as it should be, {}",
                place_of(&error)
            ))
        })?;
        if event.version != "2.0" {
            return Err(unknown_event("its version isn't 2.0".into()));
        }
        let method = Method::from_bytes(event.request_context.http.method.as_bytes())
            .map_err(|_| unknown_event("its method is none".into()))?;
        let is_head = method == Method::HEAD;
        let id = &invocation.request_id;
        let Some(request) = self.request(event, method, invocation) else {
            let problem =
                Code::InvalidRequest.with("the path, the query or the body can't be read");
            return Ok(self.write_problem(&problem, id).await);
        };
        let answering = async {
            let response = self.endpoint.get_response(request).await;
            // Its body may be one that is read from the stores as it goes out.
            write(response, is_head).await
        };
        let code = match timeout_at(invocation.answer_by, answering).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(NotWritten::BrokenOff)) => {
                tracing::warn!(request_id = %id, "an answer was broken off");
                Code::StoreUnavailable
            }
            Ok(Err(why)) => {
                tracing::error!(request_id = %id, %why, "an answer can't be handed to the gateway");
                Code::InternalError
            }
            Err(_) => {
                tracing::warn!(request_id = %id, "a request was given up: the time of its event is over");
                Code::StoreUnavailable
            }
        };
        Ok(self.write_problem(&code.plain(), id).await)
    }

    /// `None` if it can't be one.
    fn request(
        &self,
        event: GatewayEvent,
        method: Method,
        invocation: &Invocation,
    ) -> Option<Request> {
        let uri = uri_of(&event)?;
        let body = match (event.body, event.is_base64_encoded) {
            (None, _) => Bytes::new(),
            (Some(text), false) => text.into(),
            (Some(text), true) => STANDARD.decode(text).ok()?.into(),
        };
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = method;
        parts.uri = uri;
        for (name, value) in &event.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                parts.headers.append(name, value);
            }
        }
        if let Ok(cookies) = HeaderValue::from_str(&event.cookies.join("; "))
            && !cookies.is_empty()
        {
            parts.headers.insert(header::COOKIE, cookies);
        }
        for name in OF_THE_GATEWAY {
            parts.headers.remove(name);
        }
        if !self.knows_proxies {
            parts.headers.remove(X_FORWARDED_FOR);
        }
        // As it is: the body has come whole.
        parts.headers.remove(header::TRANSFER_ENCODING);
        parts.headers.remove(header::CONTENT_LENGTH);
        if !body.is_empty() {
            parts
                .headers
                .insert(header::CONTENT_LENGTH, body.len().into());
        }
        // So that our lines in the log and those of Lambda are found by one ID.
        if !parts.headers.contains_key(X_REQUEST_ID)
            && let Ok(id) = HeaderValue::from_str(&invocation.request_id)
        {
            parts.headers.insert(X_REQUEST_ID, id);
        }
        parts.extensions.insert(AnswerBy(invocation.answer_by));
        let address = event.request_context.http.source_ip.parse();
        // Nobody's address, for all who have none.
        let address: IpAddr = address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let remote = RemoteAddr(SocketAddr::new(address, 0).into());
        let parts = RequestParts::from((parts, LocalAddr::default(), remote, Scheme::HTTPS));
        Some(Request::from_parts(parts, body.into()))
    }

    async fn write_problem(&self, problem: &Problem, request_id: &str) -> Vec<u8> {
        let response = problem.response(request_id, &self.path_prefix);
        write(response, false).await.unwrap_or_default()
    }
}

fn unknown_event(why: String) -> EventError {
    EventError {
        kind: "UnknownEvent",
        message: format!(
            "the event isn't one of an HTTP API of API Gateway with payload format 2.0: {why}"
        ),
    }
}

/// The words of the parser may hold a part of the event.
fn place_of(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}

/// As the client sent it, without the stage.
fn uri_of(event: &GatewayEvent) -> Option<Uri> {
    let stage = event.request_context.stage.as_str();
    let path = event.raw_path.as_str();
    let path = match stage {
        "" | DEFAULT_STAGE => path,
        stage => {
            let below = path.strip_prefix('/').and_then(|it| it.strip_prefix(stage));
            below
                .filter(|it| it.is_empty() || it.starts_with('/'))
                .unwrap_or(path)
        }
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut text = format!("/{}", encoded(path, NOT_IN_A_URI));
    if !event.raw_query_string.is_empty() {
        text.push('?');
        text += &encoded(&event.raw_query_string, NOT_IN_A_QUERY);
    }
    text.parse().ok()
}

/// What is encoded stays as it is, also a `%` that encodes nothing, as in any request.
fn encoded(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

/// Why there is no answer in the gateway's form.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NotWritten {
    #[error("it is larger than Lambda takes")]
    TooLarge,
    /// By a store, while it was read.
    #[error("its body was broken off")]
    BrokenOff,
    #[error("something in its head is no text")]
    Header,
}

/// The answer in the gateway's form.
async fn write(mut response: Response, is_head: bool) -> Result<Vec<u8>, NotWritten> {
    let status = response.status();
    let body = response.take_body();
    let body = match is_head {
        true => Bytes::new(),
        false => body
            .into_bytes_limit(MAX_ANSWER_BYTES)
            .await
            .map_err(|error| match error {
                ReadBodyError::PayloadTooLarge => NotWritten::TooLarge,
                _ => NotWritten::BrokenOff,
            })?,
    };
    let mut headers = BTreeMap::<String, String>::new();
    let mut cookies = Vec::new();
    for (name, value) in response.headers() {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            return Err(NotWritten::Header);
        };
        if name == header::SET_COOKIE {
            cookies.push(value.to_owned());
        } else if !OF_A_CONNECTION.contains(name) {
            let values = headers.entry(name.as_str().to_owned());
            values
                .and_modify(|values| *values += &format!(", {value}"))
                .or_insert_with(|| value.to_owned());
        }
    }
    // Text is handed over as it is, byte by byte the same, whatever its type says.
    let (body, is_base64_encoded) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&body), true),
    };
    let answer = GatewayAnswer {
        status_code: status.as_u16(),
        headers,
        cookies,
        body,
        is_base64_encoded,
    };
    let answer = serde_json::to_vec(&answer).map_err(|_| NotWritten::Header)?;
    match answer.len() {
        ..=MAX_ANSWER_BYTES => Ok(answer),
        _ => Err(NotWritten::TooLarge),
    }
}

#[cfg(test)]
mod tests;
