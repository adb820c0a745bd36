//! Who answers, and by which clock: what has to be right before anything is asked for.

use std::time::{Duration, Instant, SystemTime};

use http::header::{DATE, LOCATION};
use http::{Method, StatusCode};
use serde_json::Value;

use super::mend::{OTHER_SERVER, SEE_LOG};
use super::report::{Flaw, Seen};
use crate::failure::Failure;
use crate::service::{Answer, Service, expect};

/// What `info.title` of the contract is.
const TITLE: &str = "File Share Service";
/// How far a clock may be off. S3 refuses a quarter of an hour; a minute is on its way there.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Who answers at the address, and that it is this service.
pub async fn server(service: &Service) -> Result<Seen<Answer>, Flaw> {
    let base = service.base();
    let began = Instant::now();
    let asked = service.call_once(Method::GET, "/openapi.json", None, None);
    let answer = asked.await.map_err(|failure| match &failure {
        Failure::Unreachable { cause, .. } => Flaw::Wrong {
            said: format!("{base} can't be reached: {cause}"),
            mend: "start the service, or say its right address with --server or \
                       FILE_SHARE_URL; see that no firewall is between"
                .to_owned(),
            exit_code: failure.exit_code(),
        },
        _ => Flaw::wrong(failure.to_string(), OTHER_SERVER),
    })?;
    let took = began.elapsed().as_millis();
    if let Some(elsewhere) = leads_to(&answer) {
        return Err(Flaw::wrong(
            format!("{base} sends everybody to another address"),
            format!(
                "say --server {}",
                elsewhere.trim_end_matches("/openapi.json")
            ),
        ));
    }
    let not_ours = |said: String| Flaw::wrong(said, OTHER_SERVER);
    let answer = expect(answer, StatusCode::OK).map_err(|failure| match &failure {
        Failure::Refused { code, .. } if code == "misdirected_request" => Flaw::wrong(
            failure.to_string(),
            "set PUBLIC_URL of the service to the address that people use, or say an address \
                 that it answers to",
        ),
        Failure::Refused { .. } => Flaw::wrong(failure.to_string(), SEE_LOG),
        _ => not_ours(failure.to_string()),
    })?;
    let contract: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_ours = contract["info"]["title"] == TITLE && contract["paths"]["/v1/files"].is_object();
    if !is_ours {
        return Err(not_ours(format!("what answers at {base} isn't a {TITLE}")));
    }
    Ok(Seen {
        said: format!("{base} answers in {took} ms and is a {TITLE}"),
        value: answer,
    })
}

/// How far the server's clock is from ours, which is right as far as anybody here knows.
pub fn clocks(greeting: &Answer, now: SystemTime) -> Result<Seen<()>, Flaw> {
    let date = greeting
        .headers
        .get(DATE)
        .and_then(|date| date.to_str().ok());
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return Err(Flaw::wrong(
            "the server's answers have no date",
            "a proxy before the service takes the Date header away: let it pass",
        ));
    };
    let (apart, direction) = match theirs.duration_since(now) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    // The header has whole seconds.
    let seconds = apart.as_secs();
    if apart > MAX_CLOCK_SKEW {
        return Err(Flaw::wrong(
            format!("the server's clock is {seconds} s {direction} this machine's"),
            "presigned URLs live by the clock: let the one that is off be set by NTP \
             (`timedatectl` shows and switches it)",
        ));
    }
    Ok(Seen::that(format!(
        "the server's is within {} s of this machine's",
        seconds + 1
    )))
}

fn leads_to(answer: &Answer) -> Option<String> {
    let location = answer
        .headers
        .get(LOCATION)
        .filter(|_| answer.status.is_redirection())?;
    location.to_str().ok().map(ToOwned::to_owned)
}
