//! Who answers, and by which clock: what has to be right before anything is asked for.

use std::time::{Duration, Instant, SystemTime};

use http::header::{DATE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::remedies::{OTHER_SERVER, SEE_LOG, SET_CLOCKS};
use super::report::{CheckFailure, Passed};
use crate::answer::{Answer, expect};
use crate::api_client::ApiClient;
use crate::error::{CliError, TRUST_CERTIFICATE};
use crate::intermediary::PASS_HOST;

/// What `info.title` of the contract is.
const TITLE: &str = "File Share Service";
/// How far a clock may be off. S3 refuses a quarter of an hour; a minute is on its way there.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Who answers at the address, and that it is this service.
pub(super) async fn server(service: &ApiClient) -> Result<Passed<Answer>, CheckFailure> {
    let base = service.base();
    let began = Instant::now();
    let asked = service.call_once(Method::GET, "/openapi.json", None, None);
    let answer = asked.await.map_err(|failure| match &failure {
        CliError::Unreachable { cause, .. } => CheckFailure::Wrong {
            said: format!("{base} can't be reached: {cause}"),
            remedy: "start the service, or say its right address with --server or \
                       FILE_SHARE_URL; see that no firewall is between"
                .to_owned(),
            exit_code: failure.exit_code(),
        },
        CliError::Untrusted { cause, .. } => CheckFailure::Wrong {
            said: format!("{base} can't be trusted: {cause}"),
            remedy: TRUST_CERTIFICATE.to_owned(),
            exit_code: failure.exit_code(),
        },
        _ => CheckFailure::wrong(failure.to_string(), OTHER_SERVER),
    })?;
    let took = began.elapsed().as_millis();
    if let Some(elsewhere) = leads_to(&answer) {
        return Err(CheckFailure::wrong(
            format!("{base} sends everybody to another address"),
            format!(
                "say --server {}",
                elsewhere.trim_end_matches("/openapi.json")
            ),
        ));
    }
    let answer = expect(answer, StatusCode::OK).map_err(|failure| match &failure {
        CliError::Refused { code, .. } if code == "misdirected_request" => CheckFailure::wrong(
            failure.to_string(),
            format!(
                "say an address that the service answers to, or set its PUBLIC_URL to the one that people \
                 use, or add the name to its ALLOWED_HOSTS; if a proxy stands before it, have that pass on \
                 the host that it is asked for: {PASS_HOST}"
            ),
        ),
        CliError::Refused { .. } => CheckFailure::wrong(failure.to_string(), SEE_LOG),
        _ => CheckFailure::of(&failure, base, OTHER_SERVER),
    })?;
    if !is_ours(&answer) {
        let said = format!("what answers at {base} isn't a {TITLE}");
        return Err(CheckFailure::wrong(said, OTHER_SERVER));
    }
    Ok(Passed {
        said: format!("{base} answers in {took} ms and is a {TITLE}"),
        value: answer,
    })
}

/// Whether it is the contract of this service.
pub(super) fn is_ours(answer: &Answer) -> bool {
    let contract: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    contract["info"]["title"] == TITLE && contract["paths"]["/v1/files"].is_object()
}

/// How far the server's clock is from ours, which is right as far as anybody here knows.
pub(super) fn clocks(server_answer: &Answer, now: SystemTime) -> Result<Passed<()>, CheckFailure> {
    match clock(&server_answer.headers, now) {
        ClockCheck::Unknown => Err(CheckFailure::wrong(
            "the server's answers have no date",
            "a proxy before the service takes the Date header away: let it pass",
        )),
        ClockCheck::Off(how) => Err(CheckFailure::wrong(
            format!("the server's clock is {how} this machine's"),
            SET_CLOCKS,
        )),
        ClockCheck::Right { within } => Ok(Passed::that(format!(
            "the server's is within {within} s of this machine's"
        ))),
    }
}

pub(super) enum ClockCheck {
    Unknown,
    Right {
        within: u64,
    },
    /// Such as `70 s behind`.
    Off(String),
}

/// The clock of whoever sent an answer, against this machine's.
pub(super) fn clock(headers: &HeaderMap, now: SystemTime) -> ClockCheck {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return ClockCheck::Unknown;
    };
    let (apart, direction) = match theirs.duration_since(now) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    // The header has whole seconds.
    let seconds = apart.as_secs();
    if apart > MAX_CLOCK_SKEW {
        return ClockCheck::Off(format!("{seconds} s {direction}"));
    }
    ClockCheck::Right {
        within: seconds + 1,
    }
}

/// Where everybody is sent, if it is to the same under another address, as a proxy does from http to
/// https. Anything else may be a sign-in.
fn leads_to(answer: &Answer) -> Option<String> {
    let location = answer
        .headers
        .get(LOCATION)
        .filter(|_| answer.status.is_redirection())?;
    let to = location.to_str().ok()?;
    let is_the_same = to.ends_with("/openapi.json") && !to.contains('?');
    is_the_same.then(|| to.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_when_it_is_more_than_a_minute_away() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let seen = |date: SystemTime| {
            let date = httpdate::fmt_http_date(date).parse().unwrap();
            match clock(&HeaderMap::from_iter([(DATE, date)]), now) {
                ClockCheck::Off(how) => how,
                ClockCheck::Right { .. } => "right".to_owned(),
                ClockCheck::Unknown => "unknown".to_owned(),
            }
        };
        let seconds = Duration::from_secs;
        assert_eq!(seen(now), "right");
        assert_eq!(seen(now + seconds(60)), "right");
        assert_eq!(seen(now - seconds(60)), "right");
        assert_eq!(seen(now + seconds(61)), "61 s ahead of");
        assert_eq!(seen(now - seconds(61)), "61 s behind");
        assert!(matches!(clock(&HeaderMap::new(), now), ClockCheck::Unknown));
    }
}
