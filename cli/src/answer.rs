//! What the service answered, and what to make of it.
//!
//! **Invariant:** an answer that isn't the one that was waited for is an error with what to do about it, and no error
//! quotes an answer's body, which may hold a credential.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::error::CliError;
use crate::intermediary::{answered, is_page};
use crate::wire::Problem;

/// What a service answers that asks for its key.
const SIGN_IN_REQUIRED: &str = "sign_in_required";
/// What to do about a token that was good once.
const LOGIN_AGAIN: &str =
    "the token that fshare login got isn't taken any more: run fshare login again";
/// What to do about it.
pub(crate) const SHOW_KEY: &str = "run fshare login, or set FILE_SHARE_TOKEN to a token of yours, or to the key of the \
     service, which is in the file access-key of its data directory";

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How long the body of the request was.
    pub asked_bytes: u64,
    /// An answer to the same request may have been lost before.
    pub repeated: bool,
    /// What the request showed.
    pub proof: Proof,
}

/// Where the token is from that a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Nothing,
    Environment,
    Login,
}

/// Answers that say "later".
pub(crate) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// Lets an answer through that has the status that was waited for and isn't a page for people.
///
/// # Errors
/// It is another one: the service's own refusal, or an answer of somebody else.
pub(crate) fn expect(answer: Answer, status: StatusCode) -> Result<Answer, CliError> {
    let is_page = status.is_success() && is_page(&answer.headers);
    if answer.status == status && !is_page {
        return Ok(answer);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    if problem.code.is_empty() {
        let bytes = answer.asked_bytes;
        return Err(answered("the call", bytes, answer.status, &answer.headers));
    }
    let detail = if problem.detail.is_empty() {
        problem.title
    } else {
        problem.detail
    };
    let detail = match problem.code.as_str() {
        SIGN_IN_REQUIRED if answer.proof == Proof::Login => format!("{detail}: {LOGIN_AGAIN}"),
        SIGN_IN_REQUIRED => format!("{detail}: {SHOW_KEY}"),
        _ => detail,
    };
    Err(CliError::Refused {
        status: answer.status.as_u16(),
        code: problem.code,
        detail,
    })
}

pub(crate) fn parsed<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<T, CliError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        // Where, not what: an answer to a create holds a URL that is nobody's business.
        let at = (error.line(), error.column());
        CliError::Unusable(format!("the server's answer can't be read, at {at:?}"))
    })
}
