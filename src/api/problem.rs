//! Errors as clients see them: RFC 9457 problem details with a stable code.
//!
//! Invariant: the one place where an error of the inside becomes a status, a code and a text. No
//! text here comes from an SDK, names a path of this machine or shows a stack; a store's fault is
//! logged with its cause and answered without it.

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::operations::OperationError;
use crate::own_paths;
use crate::request_log;
use crate::store_error::StoreError;

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, by a name that doesn't change. Clients decide by it, not by the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    RouteNotFound,
    FileNotFound,
    MethodNotAllowed,
    OriginNotAllowed,
    MisdirectedRequest,
    UploadPending,
    UploadSettled,
    FileRejected,
    UploadExpired,
    ContentTooLarge,
    UnsupportedMediaType,
    IdempotencyKeyReused,
    FormUploadUnavailable,
    InternalError,
    StoreUnavailable,
    Overloaded,
    InsufficientStorage,
    TooManyPending,
    TooManyCreates,
}

impl Code {
    pub const ALL: [Self; 20] = [
        Self::InvalidRequest,
        Self::RouteNotFound,
        Self::FileNotFound,
        Self::MethodNotAllowed,
        Self::OriginNotAllowed,
        Self::MisdirectedRequest,
        Self::UploadPending,
        Self::UploadSettled,
        Self::FileRejected,
        Self::UploadExpired,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::FormUploadUnavailable,
        Self::InternalError,
        Self::StoreUnavailable,
        Self::Overloaded,
        Self::InsufficientStorage,
        Self::TooManyPending,
        Self::TooManyCreates,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::RouteNotFound => "route_not_found",
            Self::FileNotFound => "file_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::MisdirectedRequest => "misdirected_request",
            Self::UploadPending => "upload_pending",
            Self::UploadSettled => "upload_settled",
            Self::FileRejected => "file_rejected",
            Self::UploadExpired => "upload_expired",
            Self::ContentTooLarge => "content_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::FormUploadUnavailable => "form_upload_unavailable",
            Self::InternalError => "internal_error",
            Self::StoreUnavailable => "store_unavailable",
            Self::Overloaded => "overloaded",
            Self::InsufficientStorage => "insufficient_storage",
            Self::TooManyPending => "too_many_pending",
            Self::TooManyCreates => "too_many_creates",
        }
    }

    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::RouteNotFound | Self::FileNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
            Self::UploadPending | Self::UploadSettled => StatusCode::CONFLICT,
            Self::FileRejected | Self::UploadExpired => StatusCode::GONE,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused | Self::FormUploadUnavailable => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable | Self::Overloaded | Self::TooManyPending => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::TooManyCreates => StatusCode::TOO_MANY_REQUESTS,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request isn't right",
            Self::RouteNotFound => "There is nothing at this path",
            Self::FileNotFound => "There is no such file",
            Self::MethodNotAllowed => "This path doesn't take that method",
            Self::OriginNotAllowed => "Pages of that origin may change nothing here",
            Self::MisdirectedRequest => "The service doesn't answer to that host name",
            Self::UploadPending => "The upload isn't finished",
            Self::UploadSettled => "There is nothing more to upload",
            Self::FileRejected => "The upload was rejected",
            Self::UploadExpired => "The upload URL ran out before anything arrived",
            Self::ContentTooLarge => "Too many bytes",
            Self::UnsupportedMediaType => "The body must be JSON",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Self::FormUploadUnavailable => "The store can't take forms safely",
            Self::InternalError => "Something went wrong here",
            Self::StoreUnavailable => "The store can't be reached",
            Self::Overloaded => "Too much at a time",
            Self::InsufficientStorage => "The disk is full",
            Self::TooManyPending => "Too many files wait for their bytes",
            Self::TooManyCreates => "Your address has created too many files",
        }
    }

    /// What to do about it, for the page that a problem's `type` leads to.
    pub fn advice(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "Correct what `detail` and `errors` name, and send the request again."
            }
            Self::RouteNotFound => "Look the path up in /docs.",
            Self::FileNotFound => {
                "The ID is wrong, or the file was deleted, or it was rejected or expired long ago."
            }
            Self::MethodNotAllowed => "Use one of the methods in the `Allow` header.",
            Self::OriginNotAllowed => {
                "The request came from a page of another origin. If that page may use this service, the \
                 operator has to name its origin in ALLOWED_ORIGINS. If it is the service's own page, a proxy \
                 hides the host that it was asked for: in nginx `proxy_set_header Host $http_host;` passes it \
                 on, and PUBLIC_URL says it once and for all."
            }
            Self::MisdirectedRequest => {
                "Use the service's IP address or `localhost`. For another name the operator has to add it to \
                 ALLOWED_HOSTS or set PUBLIC_URL: else any name on the internet could be made to mean this \
                 machine."
            }
            Self::UploadPending => {
                "Send the bytes if you haven't. If you have, ask again after `Retry-After` seconds, \
                 or let `GET /v1/files/{id}/metadata?wait=20` tell you when the file is settled."
            }
            Self::UploadSettled => {
                "The bytes of this file have been judged, or its time is over: see its `status`. \
                 For other bytes create another file."
            }
            Self::FileRejected => {
                "The bytes that arrived weren't the ones that were declared; `detail` says how they \
                 differ. Create another file and send it again."
            }
            Self::UploadExpired => "Create another file and send the bytes before `expiresAt`.",
            Self::ContentTooLarge => "Send less: the limit is in `detail`.",
            Self::UnsupportedMediaType => {
                "Send JSON, with the header `Content-Type: application/json`."
            }
            Self::IdempotencyKeyReused => {
                "Use a fresh key, such as a UUID, for each file; repeat a key only with the request that \
                 it came with first."
            }
            Self::FormUploadUnavailable => {
                "Leave `uploadMethod` out and send the bytes by PUT. For forms the operator has to turn the \
                 bucket's versioning on: without it, a form that is sent again would overwrite the file."
            }
            Self::InternalError => {
                "Tell the operator the `requestId`; the log has the cause under it."
            }
            Self::StoreUnavailable => {
                "Send the same request again after `Retry-After` seconds. Nothing was lost."
            }
            Self::Overloaded => {
                "Send the same request again after `Retry-After` seconds, and let each further pause \
                 be longer. Nothing was done."
            }
            Self::InsufficientStorage => {
                "The operator has to make room; nothing that was stored is affected."
            }
            Self::TooManyPending => {
                "Send the same request again after `Retry-After` seconds: places come back as uploads end \
                 or run out. The operator can raise MAX_PENDING_FILES."
            }
            Self::TooManyCreates => {
                "Send the bytes of the files that you created, or delete those; or send the same request \
                 again after `Retry-After` seconds. Behind a proxy all clients have one address: then the \
                 operator has to raise MAX_PENDING_PER_ADDRESS or MAX_CREATES_PER_ADDRESS, or turn it off."
            }
        }
    }

    /// After how many seconds the same request may succeed.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            Self::UploadPending | Self::Overloaded => Some(1),
            Self::StoreUnavailable => Some(2),
            Self::TooManyPending | Self::TooManyCreates => Some(30),
            _ => None,
        }
    }

    /// Where a problem's `type` points.
    pub fn path(self) -> String {
        own_paths::PROBLEM.replace("{code}", self.as_str())
    }

    /// The problem in the words that fit every case of it.
    pub fn plain(self) -> Problem {
        self.with(match self {
            Self::FileNotFound => "no file has this ID",
            Self::RouteNotFound => "see /docs for the paths that there are",
            Self::MethodNotAllowed => "the Allow header has the methods that this path takes",
            Self::OriginNotAllowed => "ALLOWED_ORIGINS doesn't name the origin of the page",
            Self::MisdirectedRequest => {
                "the Host header has a name that isn't this machine's, nor in ALLOWED_HOSTS or PUBLIC_URL"
            }
            Self::UploadPending => "the bytes haven't been seen yet",
            Self::UploadSettled => "this file is no longer pending",
            Self::UploadExpired => "no bytes came in time",
            Self::UnsupportedMediaType => {
                "send JSON, with the header Content-Type: application/json"
            }
            Self::IdempotencyKeyReused => {
                "another name, size, type, digest or upload method came with this key within the last day"
            }
            Self::FormUploadUnavailable => {
                "the bucket keeps no versions, so a form could overwrite the file: leave uploadMethod out \
                 and send the bytes by PUT"
            }
            Self::InternalError => "the log says more under this request's ID",
            Self::StoreUnavailable => "please send the same request again",
            Self::Overloaded => "the service has as much in hand as it can carry",
            Self::InsufficientStorage => "no room is left for more files",
            Self::TooManyPending => "as many files wait for their bytes as may at a time",
            Self::TooManyCreates => {
                "this address has as many files on their way as one address may have, or created as many \
                 in the last minute"
            }
            Self::InvalidRequest | Self::FileRejected | Self::ContentTooLarge => self.title(),
        })
    }

    /// The problem with a text of its own.
    pub fn with(self, detail: impl Into<String>) -> Problem {
        Problem {
            code: self,
            detail: detail.into(),
            errors: Vec::new(),
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
        if let Some(seconds) = self.code.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
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

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::FileNotFound => Code::FileNotFound.plain(),
            OperationError::UploadPending => Code::UploadPending.plain(),
            OperationError::FileRejected(reason) => Code::FileRejected.with(reason.0),
            OperationError::UploadExpired => Code::UploadExpired.plain(),
            OperationError::UploadSettled => Code::UploadSettled.plain(),
            OperationError::IdempotencyKeyReused => Code::IdempotencyKeyReused.plain(),
            OperationError::FormNotSafe => Code::FormUploadUnavailable.plain(),
            OperationError::FileOfKeyDeleted => Code::FileNotFound
                .with("the file that this Idempotency-Key made was deleted: use a new key"),
            OperationError::BucketAddressUnknown(invalid) => Code::InvalidRequest.with(invalid.0),
            OperationError::Overloaded => Code::Overloaded.plain(),
            OperationError::TooManyCreates => Code::TooManyCreates.plain(),
            OperationError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // Handled here and nowhere else, so it is logged here.
        request_log::FAILED.log(|| tracing::error!(error = %error.chain(), "a store failed"));
        match error {
            StoreError::Unavailable { .. } => Code::StoreUnavailable.plain(),
            StoreError::OutOfSpace { .. } => Code::InsufficientStorage.plain(),
            StoreError::TooManyPending { .. } => Code::TooManyPending.plain(),
            StoreError::Corrupt { .. } | StoreError::AlreadyExists { .. } => {
                Code::InternalError.plain()
            }
        }
    }
}
