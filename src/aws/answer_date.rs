//! The time at which a service answered, by its own clock: the `Date` header of its answer.
//!
//! Invariant: an answer without a readable `Date` is an error, and never this machine's time. A worker
//! whose clock is wrong would else conclude that an upload is over which the store still takes.
//!
//! Absent on purpose: the SDK's own correction of clock skew, which is about signatures and tells nobody.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};

use crate::domain::{Timestamp, from_millis};

/// An answer that can't be placed in time, so nothing may be concluded from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no Date header that can be read, so it doesn't say as of when it holds")]
pub struct NoDate;

/// Remembers the `Date` of the last answer to one operation, retries included. A clone is given to the
/// operation as an interceptor (`.customize().interceptor(…)`), since its output has no headers.
#[derive(Debug, Clone, Default)]
pub struct AnswerDate(Arc<Mutex<Option<Timestamp>>>);

impl AnswerDate {
    /// When the operation was answered.
    ///
    /// # Errors
    /// If it hasn't been answered, or the answer doesn't say.
    pub fn get(&self) -> Result<Timestamp, NoDate> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ok_or(NoDate)
    }
}

#[dyn_dispatch_hint]
impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = date_of(context.response());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// When a service answered with an error.
///
/// # Errors
/// If there was no answer, or it doesn't say.
pub fn refused_at<E>(error: &SdkError<E, HttpResponse>) -> Result<Timestamp, NoDate> {
    error.raw_response().and_then(date_of).ok_or(NoDate)
}

fn date_of(answer: &HttpResponse) -> Option<Timestamp> {
    let text = answer.headers().get("date")?;
    let date = DateTime::from_str(text, Format::HttpDate).ok()?;
    date.to_millis().ok().and_then(from_millis)
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(date: Option<&'static str>) -> HttpResponse {
        let mut answer = HttpResponse::new(StatusCode::try_from(404).unwrap(), SdkBody::empty());
        if let Some(date) = date {
            answer.headers_mut().insert("date", date);
        }
        answer
    }

    #[test]
    fn the_date_of_an_answer_is_read_as_http_writes_it_and_in_no_other_way() {
        let at = date_of(&answer(Some("Mon, 05 Jan 2026 10:00:00 GMT"))).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-01-05T10:00:00+00:00");
        for none in [
            None,
            Some(""),
            Some("2026-01-05T10:00:00Z"),
            Some("Mon, 05 Jan 2026 10:00:00"),
            Some("1767607200"),
        ] {
            assert_eq!(date_of(&answer(none)), None, "{none:?}");
        }
    }
}
