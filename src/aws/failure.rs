//! A failed AWS call in words for the log.
//!
//! Invariant: nothing of a request and no body of an answer is kept. S3 repeats the signed request,
//! session token included, in the body of some refusals, so even `Debug` must not reach it.

use std::{error::Error, fmt};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::store_error::StoreError;

/// What an AWS call ended with, apart from success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{operation} failed{}{}: {reason}",
    Shown(" with status ", status),
    Shown(" and code ", code)
)]
pub struct Failure {
    /// The name of the API call, such as `GetObject`.
    pub operation: &'static str,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The service's name for the error, if it gave one. A HEAD request gets none.
    pub code: Option<String>,
    reason: String,
}

struct Shown<'a, T>(&'static str, &'a Option<T>);

impl<T: fmt::Display> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(value) => write!(f, "{}{value}", self.0),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// Takes what is worth logging from an SDK error: the service's name for it, and the causes of all
    /// levels.
    pub fn new<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        Self {
            operation,
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            code: error.code().map(str::to_owned),
            reason,
        }
    }

    /// Whether the service called its error so; an answer without a name has none.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// The error of a port for a call that failed and means nothing in particular to it. Throttling is
/// one of these, after the client has tried again as often as it may.
pub fn unavailable<E>(
    store: &'static str,
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    StoreError::unavailable(store, Failure::new(operation, error))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    #[test]
    fn a_refusal_is_told_with_status_code_and_message_and_without_its_body() {
        let refusal = GetObjectError::generic(
            ErrorMetadata::builder()
                .code("SignatureDoesNotMatch")
                .message("The signature does not match")
                .build(),
        );
        let answer = HttpResponse::new(
            StatusCode::try_from(403).unwrap(),
            SdkBody::from("<CanonicalRequest>x-amz-security-token:SECRET</CanonicalRequest>"),
        );
        let error = unavailable(
            "the bucket",
            "GetObject",
            &SdkError::service_error(refusal, answer),
        );
        let told = error.chain();
        for part in [
            "GetObject",
            "403",
            "SignatureDoesNotMatch",
            "does not match",
        ] {
            assert!(told.contains(part), "{part} is missing in {told}");
        }
        assert!(!format!("{told} {error:?}").contains("SECRET"));
    }
}
