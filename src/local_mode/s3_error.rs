//! Errors as S3 writes them.
//!
//! Codes and statuses: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>. The
//! messages are our own where S3's don't say what to do.
//!
//! Invariant: an error shows nothing that the request didn't say itself, and never its query.

use std::borrow::Cow;

use aws_smithy_xml::encode::XmlWriter;
use base64::prelude::{BASE64_STANDARD, Engine};
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Response};

use super::header_value;
use crate::domain::{Timestamp, format_timestamp};
use crate::object_store::StoreError;
use crate::object_store::disk::CreateError;
use crate::presigned_url::{FormRefusal, Refusal};

/// How long a client should wait when the store is unavailable, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

#[derive(Debug)]
pub(super) struct S3Error {
    pub status: StatusCode,
    pub code: &'static str,
    message: Cow<'static, str>,
    /// Further elements, which S3 has for some codes.
    details: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl S3Error {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn detail(mut self, element: &'static str, text: impl Into<String>) -> Self {
        self.details.push((element, text.into()));
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn access_denied(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub(super) fn no_such_key() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchKey",
            "The specified key does not exist.",
        )
    }

    pub(super) fn no_such_version() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchVersion",
            "The specified version does not exist.",
        )
    }

    pub(super) fn precondition_failed(condition: &'static str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .detail("Condition", condition)
    }

    pub(super) fn invalid_range(range: &str, length: u64) -> Self {
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .detail("RangeRequested", range)
        .detail("ActualObjectSize", length.to_string())
        .header(
            header::CONTENT_RANGE,
            header_value(&format!("bytes */{length}")),
        )
    }

    pub(super) fn missing_content_length() -> Self {
        Self::new(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header. Chunked transfer isn't possible, \
             since the URL is signed for an exact length.",
        )
    }

    pub(super) fn two_signatures() -> Self {
        Self::bad_request(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
             string parameter or the Authorization header should be specified. Send the URL without an \
             Authorization header.",
        )
        .detail("ArgumentName", "Authorization")
    }

    pub(super) fn invalid_md5() -> Self {
        Self::bad_request(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )
    }

    pub(super) fn invalid_checksum() -> Self {
        Self::bad_request(
            "InvalidRequest",
            "Value for x-amz-checksum-sha256 header is invalid.",
        )
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "We encountered an internal error. Please try again.",
        )
    }

    pub(super) fn from_refusal(refusal: Refusal, now: Timestamp) -> Self {
        match refusal {
            Refusal::NotSigned => {
                Self::access_denied("Access Denied: use a presigned URL of the service's API.")
            }
            Refusal::Malformed(what) => Self::malformed_query(what),
            Refusal::LivesTooLong => {
                Self::malformed_query("X-Amz-Expires is longer than a URL may live here")
            }
            Refusal::UnknownAccessKey => Self::new(
                StatusCode::FORBIDDEN,
                "InvalidAccessKeyId",
                "The access key ID isn't one that signs URLs here.",
            ),
            Refusal::HeadersNotSigned(names) => Self::access_denied(
                "There were headers present in the request which were not signed, or headers \
                 that the URL has to sign were not signed",
            )
            .detail("HeadersNotSigned", names.join(", ")),
            Refusal::SignatureMismatch => Self::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The URL isn't signed for this request. Use the method and the URL exactly as they \
                 were handed out, send exactly the headers that came with them, and exactly as \
                 many bytes as were declared.",
            ),
            Refusal::NotYetValid => Self::access_denied("Request is not valid yet")
                .detail("ServerTime", format_timestamp(now)),
            Refusal::Expired(at) => {
                Self::access_denied("Request has expired. Ask the service's API for a new URL.")
                    .detail("Expires", format_timestamp(at))
                    .detail("ServerTime", format_timestamp(now))
            }
            Refusal::NoCredentials => unavailable(),
        }
    }

    pub(super) fn from_form_refusal(refusal: FormRefusal, now: Timestamp) -> Self {
        match refusal {
            FormRefusal::NotSigned => {
                Self::access_denied("Access Denied: use the fields that the service's API gave you.")
            }
            FormRefusal::Missing(field) => Self::missing_field(field),
            FormRefusal::Malformed(what) => Self::bad_request("InvalidArgument", what),
            FormRefusal::UnknownAccessKey => Self::from_refusal(Refusal::UnknownAccessKey, now),
            FormRefusal::SignatureMismatch => Self::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The policy isn't signed here. Send the fields exactly as they were handed out.",
            ),
            FormRefusal::InvalidPolicy(what) => Self::bad_request("InvalidPolicyDocument", what),
            FormRefusal::NotYetValid => Self::from_refusal(Refusal::NotYetValid, now),
            FormRefusal::Expired(at) => Self::access_denied(
                "Invalid according to Policy: Policy expired. Ask the service's API for a new form.",
            )
            .detail("Expires", format_timestamp(at))
            .detail("ServerTime", format_timestamp(now)),
            FormRefusal::ConditionFailed(condition) => Self::against_the_policy(format!(
                "Policy Condition failed: {condition}"
            )),
            FormRefusal::ExtraFields(names) => Self::against_the_policy(format!(
                "Extra input fields: {}",
                names.join(", ")
            )),
            FormRefusal::UnknownKey => Self::no_such_key(),
            FormRefusal::InvalidChecksum => Self::invalid_checksum(),
            FormRefusal::TooLong(too_long) => Self::form_too_large(too_long.limit),
            FormRefusal::NoCredentials => unavailable(),
        }
    }

    pub(super) fn form_too_large(limit: u64) -> Self {
        Self::bad_request(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )
        .detail("MaxSizeAllowed", limit.to_string())
    }

    pub(super) fn missing_field(field: &'static str) -> Self {
        Self::bad_request(
            "InvalidArgument",
            format!(
                "Bucket POST must contain a field named '{field}'. If it is specified, please check \
                 the order of the fields: the file comes last."
            ),
        )
        .detail("ArgumentName", field)
    }

    fn against_the_policy(what: String) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            format!("Invalid according to Policy: {what}"),
        )
    }

    /// What S3 says when there are too many requests at a time.
    pub(super) fn slow_down() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Please reduce your request rate. Send the same request again later.",
        )
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn malformed_query(what: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "AuthorizationQueryParametersError",
            what,
        )
    }

    pub(super) fn from_create(error: &CreateError) -> Self {
        match error {
            CreateError::AlreadyExists => Self::precondition_failed("If-None-Match"),
            CreateError::TooShort { .. } | CreateError::TooLong => Self::new(
                StatusCode::BAD_REQUEST,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP \
                 header. Send the whole file again.",
            ),
            CreateError::TooSlow => Self::new(
                StatusCode::BAD_REQUEST,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the \
                 timeout period. Send the whole file again.",
            ),
            CreateError::Unwanted => Self::access_denied(
                "Nothing is expected for this URL any more: its file expired or was deleted. Ask the \
                 service's API for a new one.",
            ),
            CreateError::DigestMismatch { observed } => Self::new(
                StatusCode::BAD_REQUEST,
                "BadDigest",
                "The SHA-256 you specified did not match the calculated checksum.",
            )
            .detail("CalculatedDigest", observed.to_base64()),
            CreateError::OtherMd5 { observed } => Self::bad_request(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            )
            .detail("CalculatedDigest", BASE64_STANDARD.encode(observed)),
            CreateError::Store(error) => Self::from_store(error),
        }
    }

    pub(super) fn from_store(error: &StoreError) -> Self {
        match error {
            // S3 has no such case; WebDAV's status (RFC 4918, section 11.5) is the one that says it.
            StoreError::OutOfSpace { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "InsufficientStorage",
                "The server's disk is full. Nothing was stored; tell its operator.",
            ),
            StoreError::Corrupt { .. } | StoreError::AlreadyExists { .. } => Self::internal(),
            StoreError::Unavailable { .. }
            | StoreError::TooManyPending { .. }
            | StoreError::Locked { .. } => unavailable(),
        }
    }

    /// `with_body` is false in an answer to HEAD.
    pub(super) fn into_response(
        self,
        resource: &str,
        request_id: &str,
        with_body: bool,
    ) -> Response {
        let mut response = Response::builder()
            .status(self.status)
            .content_type("application/xml");
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body(if with_body {
            Body::from_string(self.xml(resource, request_id))
        } else {
            Body::empty()
        })
    }

    fn xml(&self, resource: &str, request_id: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut writer = XmlWriter::new(&mut text);
        let mut error = writer.start_el("Error").finish();
        let mut element = |name: &str, content: &str| {
            let mut scope = error.start_el(name).finish();
            scope.data(content);
            scope.finish();
        };
        element("Code", self.code);
        element("Message", &self.message);
        for (name, content) in &self.details {
            element(name, content);
        }
        element("Resource", resource);
        element("RequestId", request_id);
        error.finish();
        text
    }
}

fn unavailable() -> S3Error {
    S3Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        "The store can't be reached. Please try again.",
    )
    .header(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_xml_whatever_stood_in_the_path() {
        let error = S3Error::no_such_key().detail("Extra", "a<b");
        assert_eq!(
            error.xml("/b/<&>\"'", "0A"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
             <Message>The specified key does not exist.</Message><Extra>a&lt;b</Extra>\
             <Resource>/b/&lt;&amp;&gt;&quot;&apos;</Resource><RequestId>0A</RequestId></Error>"
        );
    }

    #[test]
    fn a_full_disk_is_told_apart_from_a_disk_that_fails() {
        let of = |kind| {
            let error = StoreError::from_io("x", std::io::Error::from(kind));
            S3Error::from_create(&CreateError::Store(error))
                .status
                .as_u16()
        };
        assert_eq!(of(std::io::ErrorKind::StorageFull), 507);
        assert_eq!(of(std::io::ErrorKind::QuotaExceeded), 507);
        assert_eq!(of(std::io::ErrorKind::FileTooLarge), 507);
        assert_eq!(of(std::io::ErrorKind::PermissionDenied), 503);
    }
}
