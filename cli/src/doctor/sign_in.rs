//! How callers sign in, whether this one is let in, and whether people can.

use http::{Method, StatusCode};
use serde_json::Value;

use super::remedies::{SEE_LOG, SIGN_IN_IS_OPEN};
use super::report::{CheckFailure, Passed};
use crate::address::is_for_this_machine;
use crate::answer::{SHOW_KEY, expect};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::sign_in_calls::{Principal, Session};

const ISSUER: &str = "oidc";

/// What comes of it for the checks after this one.
pub(super) enum Standing {
    /// Whoever asks may go on.
    In,
    /// Nobody is let in without a proof, and there is none at hand.
    Out,
}

/// Who this is to the service, and what is to be said of how people sign in.
pub(super) async fn sign_in(
    service: &ApiClient,
    standing: &mut Standing,
) -> Result<Passed<()>, CheckFailure> {
    let session = match service.session().await {
        Ok(session) => session,
        // One from before there were callers.
        Err(CliError::Refused { status: 404, .. }) => {
            return Err(CheckFailure::Hidden {
                because: "this service doesn't say how callers sign in".to_owned(),
                remedy: "it is an early one: update it".to_owned(),
            });
        }
        Err(failure) => {
            return Err(CheckFailure::of(
                &failure,
                "it isn't said who this is",
                SEE_LOG,
            ));
        }
    };
    let away = match session.sign_in.as_deref() {
        Some(ISSUER) => issuer_is_away(service).await,
        _ => false,
    };
    if session.principal.is_none() {
        *standing = Standing::Out;
    }
    judged(&session, is_for_this_machine(service.base()), away)
}

fn judged(
    session: &Session,
    is_for_this_machine: bool,
    is_issuer_away: bool,
) -> Result<Passed<()>, CheckFailure> {
    let asks = match session.sign_in.as_deref() {
        None => None,
        Some("key") => Some("asks for its key or a token"),
        Some(ISSUER) => Some("has people sign in at its issuer, and asks programs for a token"),
        Some(_) => Some("asks who one is in a way that this program doesn't know"),
    };
    let whom = session.principal.as_ref().map(called);
    match (asks, whom) {
        _ if is_issuer_away => Err(CheckFailure::wrong(ISSUER_AWAY, ISSUER_REMEDY)),
        (None, Some(_)) if session.open_to_others || !is_for_this_machine => {
            Err(CheckFailure::Warning {
                said: "whoever reaches this service may do everything with all files".to_owned(),
                remedy: SIGN_IN_IS_OPEN.to_owned(),
            })
        }
        (None, Some(_)) => Ok(Passed::that(
            "nobody is asked who they are, and by the service's settings only its own computer reaches it",
        )),
        (None, None) => Err(CheckFailure::wrong(
            "the service trusts its own computer alone, and something passes requests on to it",
            "set PUBLIC_URL of the service to the address that people use; then it asks for its key",
        )),
        (Some(asks), Some(whom)) => Ok(Passed::that(format!(
            "the service {asks}, and this is {whom}"
        ))),
        (Some(asks), None) => Err(CheckFailure::wrong(
            format!("the service {asks}, and what this program shows is none, or isn't taken"),
            SHOW_KEY,
        )),
    }
}

const ISSUER_AWAY: &str = "the service can't reach the issuer that people sign in at; whoever is signed in, and whoever \
     has an API token, goes on working";
const ISSUER_REMEDY: &str = "see that the issuer runs, that OIDC_ISSUER of the service names it, and that the way from the \
     service to it is open (DNS, firewall, certificates); the service's log says what fails, and it asks again by itself";

fn called(principal: &Principal) -> String {
    let kind = match principal.kind.as_str() {
        "operator" => "its operator",
        "user" => "a person",
        "token" => "whoever has this token",
        _ => "a caller of another kind",
    };
    let more = [&principal.name, &principal.role].into_iter().flatten();
    let more: Vec<_> = more.map(String::as_str).collect();
    match more.is_empty() {
        true => kind.to_owned(),
        false => format!("{kind} ({})", more.join(", ")),
    }
}

/// Whether the service says so. If it says nothing else about itself, another check tells.
async fn issuer_is_away(service: &ApiClient) -> bool {
    let asked = service.call_once(Method::GET, "/readyz", None, None).await;
    let said = asked.and_then(|answer| expect(answer, StatusCode::OK));
    let said = said.map(|answer| serde_json::from_slice::<Value>(&answer.body));
    matches!(said, Ok(Ok(said)) if said["issuer"] == "away")
}
