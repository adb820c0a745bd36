//! What a failed call to AWS says about a start.
//!
//! Invariant: the one place that tells what can't work from what merely doesn't answer now.
//! [`StartupProblem::Wrong`] is for what stays so until somebody changes a setting, a permission or the
//! stack. [`StartupProblem::NotNow`] is for everything else: a store on its way up, a
//! network that is away, throttling. [`StartupProblem::ClockOff`] doesn't end a start either, since a clock is put
//! right beneath a program that runs. The first sentence of each says what is wrong.
//!
//! Absent on purpose: what to ask. Each store knows that of itself.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use chrono::SecondsFormat;

use super::{Failure, Refusal};
use crate::domain::{MAX_CLOCK_DIFFERENCE, Timestamp};
use crate::start_check::{Finding, Flaw};

/// What stands in the way of a start, or may do so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupProblem {
    /// It can't work: what is wrong, and how to mend it.
    Wrong(String),
    /// Nobody can say right now.
    NotNow(Failure),
    /// It works badly until somebody sets this machine's clock, and by itself once that is right.
    ClockOff(ClockOff),
}

/// Two clocks that don't agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOff {
    /// What this machine's clock said when the answer came.
    pub here: Timestamp,
    /// What the service's answer said.
    pub there: Timestamp,
}

impl fmt::Display for ClockOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = (self.here - self.there).abs().num_minutes();
        let difference = match minutes {
            0..120 => format!("{minutes} min"),
            120..2_880 => format!("{} h", minutes / 60),
            _ => format!("{} days", minutes / (24 * 60)),
        };
        let direction = match self.here > self.there {
            true => "ahead",
            false => "behind",
        };
        let [here, there] =
            [self.here, self.there].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        write!(
            f,
            "this machine's clock is {difference} {direction}: it says {here}, and AWS says {there}. Set it, \
             and keep it right by NTP (chrony, systemd-timesyncd)"
        )
    }
}

/// What is asked for, in the words of the person who has to mend it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Such as `table FileMetadata`.
    pub resource: &'a str,
    /// The permission that the call needs, such as `dynamodb:GetItem`.
    pub action: &'a str,
    /// The setting that names the resource.
    pub setting: &'a str,
    /// The region that the resource is expected in.
    pub region: &'a str,
    /// The stack's output with the policy that allows it.
    pub policy: &'a str,
}

impl StartupProblem {
    /// What a service's time, and this machine's when the answer came, say about the start.
    pub fn of_clocks(there: Timestamp, here: Timestamp) -> Option<Self> {
        let difference = (here - there).abs().to_std().unwrap_or(Duration::MAX);
        (difference > MAX_CLOCK_DIFFERENCE).then_some(Self::ClockOff(ClockOff { here, there }))
    }

    /// What a failed call says about the start.
    pub fn of<E>(
        asked: Asked<'_>,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if lacks_credentials(error) {
            return Self::Wrong(
                "AWS credentials: there are none. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 AWS_PROFILE, or give the machine or task a role."
                    .into(),
            );
        }
        let failure = Failure::new(operation, error);
        let Asked {
            resource,
            action,
            setting,
            region,
            policy,
        } = asked;
        let Some(refusal) = Refusal::of(failure.code.as_deref()) else {
            return Self::NotNow(failure);
        };
        Self::Wrong(match refusal {
            Refusal::BadCredentials => {
                let code = failure.code.as_deref().unwrap_or_default();
                format!(
                    "AWS credentials: AWS doesn't accept them ({code}). Renew them, and see that the \
                     secret belongs to the key."
                )
            }
            Refusal::Forbidden => format!(
                "{resource}: these credentials lack {action}. Attach the stack's {policy} to what the \
                 program runs as, and see that {setting} names the stack's own."
            ),
            Refusal::Missing => format!(
                "{resource}: there is none in {region}. Deploy deploy/stack.yaml there, or correct \
                 {setting} or AWS_REGION."
            ),
            Refusal::Elsewhere => {
                let header = |answer: &HttpResponse| {
                    let value = answer.headers().get("x-amz-bucket-region");
                    value.map(str::to_owned)
                };
                let elsewhere = error.raw_response().and_then(header);
                let elsewhere = elsewhere.as_deref().unwrap_or("another region");
                format!(
                    "{resource}: it is in {elsewhere}, not in {region}. Set AWS_REGION to the bucket's, \
                     or {setting} to a bucket of {region}."
                )
            }
        })
    }
}

/// Whether there is nothing to sign with. That a provider failed is something else: it may not next
/// time.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return matches!(
                error,
                CredentialsError::CredentialsNotLoaded(_)
                    | CredentialsError::InvalidConfiguration(_)
            );
        }
        cause = error.source();
    }
    false
}

impl From<StartupProblem> for Finding {
    fn from(problem: StartupProblem) -> Self {
        match problem {
            StartupProblem::Wrong(what) => Self::Wrong(Flaw::of_sentences(&what)),
            StartupProblem::NotNow(failure) => Self::Away(failure.to_string()),
            StartupProblem::ClockOff(clocks) => {
                Self::WrongForNow(Flaw::of_sentences(&clocks.to_string()))
            }
        }
    }
}

/// What a check of a store comes to: what stands in the way, or else that all is well.
pub fn findings(problems: Vec<StartupProblem>, fine: impl FnOnce() -> String) -> Vec<Finding> {
    match problems.is_empty() {
        true => vec![Finding::Fine(fine())],
        false => problems.into_iter().map(Finding::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    const ASKED: Asked<'_> = Asked {
        resource: "bucket b",
        action: "s3:GetObject",
        setting: "BUCKET_NAME",
        region: "eu-central-1",
        policy: "ApiPolicy",
    };

    fn refused(status: u16, code: &str) -> StartupProblem {
        let error = GetObjectError::generic(ErrorMetadata::builder().code(code).build());
        let status = StatusCode::try_from(status).unwrap();
        let mut answer = HttpResponse::new(status, SdkBody::empty());
        answer
            .headers_mut()
            .insert("x-amz-bucket-region", "us-west-2");
        StartupProblem::of(ASKED, "GetObject", &SdkError::service_error(error, answer))
    }

    fn unanswered(error: ConnectorError) -> StartupProblem {
        let error = SdkError::<GetObjectError, HttpResponse>::dispatch_failure(error);
        StartupProblem::of(ASKED, "GetObject", &error)
    }

    #[test]
    fn what_somebody_has_to_change_is_wrong_and_says_what() {
        for (status, code, advice) in [
            (404, "NoSuchBucket", "correct BUCKET_NAME"),
            (400, "ResourceNotFoundException", "deploy/stack.yaml"),
            (403, "AccessDenied", "lack s3:GetObject"),
            (400, "AccessDeniedException", "ApiPolicy"),
            (
                301,
                "PermanentRedirect",
                "it is in us-west-2, not in eu-central-1",
            ),
            (403, "InvalidAccessKeyId", "AWS credentials"),
            (400, "ExpiredTokenException", "Renew"),
        ] {
            let StartupProblem::Wrong(what) = refused(status, code) else {
                panic!("{code} may pass by itself");
            };
            assert!(what.contains(advice), "{code}: {what}");
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_not() {
        for (status, code) in [
            (400, "ThrottlingException"),
            (400, "ProvisionedThroughputExceededException"),
            (503, "SlowDown"),
            (500, "InternalError"),
            (403, "RequestTimeTooSkewed"),
            (502, ""),
        ] {
            let problem = refused(status, code);
            assert!(matches!(problem, StartupProblem::NotNow(_)), "{code}");
        }
        for error in [
            ConnectorError::timeout("slow".into()),
            ConnectorError::io("refused".into()),
            ConnectorError::other(CredentialsError::provider_error("away").into(), None),
            ConnectorError::other(
                CredentialsError::provider_timed_out(Duration::from_secs(1)).into(),
                None,
            ),
        ] {
            assert!(matches!(unanswered(error), StartupProblem::NotNow(_)));
        }
        let error = ConnectorError::other(CredentialsError::not_loaded("none").into(), None);
        assert!(matches!(unanswered(error), StartupProblem::Wrong(what) if what.contains("none")));
    }

    #[test]
    fn clocks_that_differ_by_more_than_a_minute_are_told_with_both_times_and_what_to_do() {
        let there = crate::domain::from_millis(1_767_607_200_000).unwrap();
        let told = |seconds: i64| {
            let here = there + chrono::TimeDelta::seconds(seconds);
            StartupProblem::of_clocks(there, here).map(|problem| match problem {
                StartupProblem::ClockOff(clocks) => clocks.to_string(),
                other => panic!("{other:?}"),
            })
        };
        for near in [0, 60, -60] {
            assert_eq!(told(near), None, "{near} s");
        }
        for (seconds, parts) in [
            (61, ["1 min ahead", "says 2026-01-05T10:01:01Z"]),
            (-31 * 60, ["31 min behind", "says 2026-01-05T09:29:00Z"]),
            (3 * 60 * 60, ["3 h ahead", "says 2026-01-05T13:00:00Z"]),
            (3 * 86_400, ["3 days ahead", "says 2026-01-08T10:00:00Z"]),
        ] {
            let told = told(seconds).unwrap();
            for part in parts
                .into_iter()
                .chain(["AWS says 2026-01-05T10:00:00Z", "NTP"])
            {
                assert!(told.contains(part), "no {part:?} in {told}");
            }
        }
    }
}
