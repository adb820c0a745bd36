//! Errors as clients see them: RFC 9457 problem details with a stable code.
//!
//! Invariant: the one place where an error of the inside becomes one of the codes in `problem_code`. No
//! text here comes from an SDK, names a path of this machine or shows a stack; a store's fault is
//! logged with its cause and answered without it.

use std::time::Duration;

use poem::http::{HeaderMap, HeaderValue, header};
use poem::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) use super::problem_code::Code;
use crate::domain::{Invalid, Quota, Timestamp, format_timestamp};
use crate::operations::{ErrorCode, OperationError};
use crate::request_log;
use crate::store_error::StoreError;

/// The media type of RFC 9457.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

impl Code {
    /// The problem in the words that fit every case of it.
    pub fn plain(self) -> Problem {
        self.with(self.detail())
    }

    /// The problem with a text of its own.
    pub fn with(self, detail: impl Into<String>) -> Problem {
        Problem {
            code: self,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: self.retry_after(),
        }
    }
}

/// A field that isn't right, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
}

/// One error, ready to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    /// After how many seconds the same request may succeed.
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// Several fields at once, so that a client needn't find them one by one.
    pub fn fields(code: Code, errors: Vec<FieldError>) -> Self {
        let sentences: Vec<String> = errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect();
        Self {
            code,
            detail: sentences.join("; "),
            errors,
            retry_after_seconds: code.retry_after(),
        }
    }

    /// The same where it is known when the request may succeed.
    pub fn again_in(self, pause: Duration) -> Self {
        // Rounded up: a moment too early would be refused again.
        let seconds = pause.as_nanos().div_ceil(1_000_000_000);
        Self {
            retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..self
        }
    }

    /// The body of the answer. `request_id` is the ID under which the log knows the request, and
    /// `path_prefix` what a proxy puts before our paths: a client resolves `type` against the address that
    /// it asked (RFC 9457, section 3.1.1).
    pub fn body(&self, request_id: &str, path_prefix: &str) -> Value {
        let mut body = json!({
            "type": format!("{path_prefix}{}", self.code.path()),
            "title": self.code.title(),
            "status": self.code.status().as_u16(),
            "detail": self.detail,
            "code": self.code.as_str(),
            "requestId": request_id,
        });
        if !self.errors.is_empty() {
            body["errors"] = self
                .errors
                .iter()
                .map(|e| json!({"field": e.field, "message": e.message}))
                .collect();
        }
        body
    }

    /// The answer, complete with the ID under which the log knows the request.
    pub fn response(&self, request_id: &str, path_prefix: &str) -> Response {
        let mut response = Response::builder()
            .status(self.code.status())
            .content_type(PROBLEM_JSON)
            .body(self.body(request_id, path_prefix).to_string());
        if self.code == Code::SignInRequired {
            // RFC 6750, section 3.
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        self.say_when_again(response.headers_mut());
        response
    }

    /// `Retry-After`, where the same request may succeed later.
    pub fn say_when_again(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// Leaves the problem in the response's extensions: the middleware that knows the request's ID
/// writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.code.status()).finish();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        // What an error carries becomes the extensions of its response, in place of the response's own.
        let mut error = Self::from_status(problem.code.status());
        error.set_data(problem);
        error
    }
}

impl From<ErrorCode> for Code {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::SignInRequired => Self::SignInRequired,
            ErrorCode::NotAllowed => Self::NotAllowed,
            ErrorCode::TooManyCreates => Self::TooManyCreates,
            ErrorCode::InvalidRequest => Self::InvalidRequest,
            ErrorCode::FileNotFound => Self::FileNotFound,
            ErrorCode::UploadPending => Self::UploadPending,
            ErrorCode::UploadSettled => Self::UploadSettled,
            ErrorCode::Held => Self::Held,
            ErrorCode::Retained => Self::Retained,
            ErrorCode::FileRejected => Self::FileRejected,
            ErrorCode::FileWithdrawn => Self::FileWithdrawn,
            ErrorCode::UploadExpired => Self::UploadExpired,
            ErrorCode::LinkNotFound => Self::LinkNotFound,
            ErrorCode::LinkGone => Self::LinkGone,
            ErrorCode::DownloadLimitReached => Self::DownloadLimitReached,
            ErrorCode::WrongPassword => Self::WrongPassword,
            ErrorCode::TooManyTries => Self::TooManyTries,
            ErrorCode::TooManyLinks => Self::TooManyLinks,
            ErrorCode::BoxNotFound => Self::BoxNotFound,
            ErrorCode::BoxChanged => Self::BoxChanged,
            ErrorCode::BoxClosed => Self::BoxClosed,
            ErrorCode::QuotaExceeded => Self::QuotaExceeded,
            ErrorCode::TypeNotAllowed => Self::TypeNotAllowed,
            ErrorCode::ContentTooLarge => Self::ContentTooLarge,
            ErrorCode::IdempotencyKeyReused => Self::IdempotencyKeyReused,
            ErrorCode::FormUploadUnavailable => Self::FormUploadUnavailable,
            ErrorCode::ReceiptsUnavailable => Self::ReceiptsUnavailable,
            ErrorCode::StoreUnavailable => Self::StoreUnavailable,
            ErrorCode::Overloaded => Self::Overloaded,
            ErrorCode::InsufficientStorage => Self::InsufficientStorage,
            ErrorCode::TooManyPending => Self::TooManyPending,
            ErrorCode::InternalError => Self::InternalError,
        }
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let code = Code::from(error.code());
        match error {
            OperationError::FileRejected(reason) | OperationError::FileWithdrawn(reason) => {
                code.with(reason.text)
            }
            OperationError::FileOfKeyDeleted => {
                code.with("the file that this Idempotency-Key made was deleted: use a new key")
            }
            OperationError::DeleteAfter(invalid) => {
                let (field, message) = ("deleteAfter", invalid.0);
                Self::fields(code, vec![FieldError { field, message }])
            }
            OperationError::KeepUntil(Invalid(message)) => {
                let field = "keepUntil";
                Self::fields(code, vec![FieldError { field, message }])
            }
            OperationError::Retained(until) => code.with(format!(
                "the file is kept until {}: nobody can delete it before, and that time only moves forward",
                format_timestamp(until)
            )),
            OperationError::LinkField(field, Invalid(message)) => {
                Self::fields(code, vec![FieldError { field, message }])
            }
            OperationError::TooManyTries(pause) => code.plain().again_in(pause),
            OperationError::BoxField(field, Invalid(message)) => {
                Self::fields(code, vec![FieldError { field, message }])
            }
            OperationError::BoxClosed {
                opens_at,
                closes_at,
            } => code.with(box_times(opens_at, closes_at)),
            OperationError::TypeNotAllowed(types) => code.with(format!(
                "only files whose names end in one of these are taken: {}",
                types.join(", ")
            )),
            OperationError::BoxFull => code.with("the box has no room for more files"),
            OperationError::QuotaExceeded(quota) => code.with(quota_in_words(quota)),
            OperationError::TooLargeForBox(bytes) => {
                code.with(format!("this box takes files of at most {bytes} bytes"))
            }
            OperationError::BucketAddressUnknown(invalid) => code.with(invalid.0),
            OperationError::Store(error) => {
                // Handled here and nowhere else, so it is logged here.
                request_log::FAILED
                    .log(|| tracing::error!(error = %error.chain(), "a store failed"));
                code.plain()
            }
            _ => code.plain(),
        }
    }
}

/// Whoever reads it has to know by whose clock, and to the second.
fn box_times(opens_at: Option<Timestamp>, closes_at: Option<Timestamp>) -> String {
    let time = |word: &str, at: Option<Timestamp>| {
        at.map(|at| {
            format!(
                "it {word} at {} by the service's clock",
                format_timestamp(at)
            )
        })
    };
    let times = [time("opens", opens_at), time("closes", closes_at)];
    let times: Vec<String> = times.into_iter().flatten().collect();
    format!("the box takes nothing now: {}", times.join(", and "))
}

/// The caller's own.
fn quota_in_words(quota: Quota) -> String {
    let limits = [
        quota.max_bytes.map(|bytes| format!("{bytes} bytes")),
        quota.max_files.map(|files| format!("{files} files")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    format!(
        "you may have {} here, and this file doesn't fit in",
        limits.join(" and ")
    )
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        OperationError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_to_wait_for_a_moment_is_told_to_wait_for_a_second() {
        for (pause, said) in [
            (1, 1),
            (999_999_999, 1),
            (1_000_000_000, 1),
            (1_000_000_001, 2),
        ] {
            let problem = Code::RateLimited
                .plain()
                .again_in(Duration::from_nanos(pause));
            assert_eq!(problem.retry_after_seconds, Some(said), "{pause} ns");
        }
    }

    #[test]
    fn a_problem_has_the_name_that_logs_have_for_the_error() {
        for code in ErrorCode::ALL {
            assert_eq!(Code::from(code).as_str(), code.as_str());
        }
    }
}
