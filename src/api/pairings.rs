//! The calls under `/v1/pairings`: how a program without a browser comes by a token.
//!
//! Invariant: a program is let in from a session alone, by a person who typed the code that it shows: no token and
//! no key opens the way to another one. A code stands in the answer to whoever began, the token in the one answer
//! that redeems it, and none of them in any log or line of the audit log.
//!
//! Absent on purpose: an address that has a code in it.

mod shapes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, Tags};
use serde_json::Value;

use self::shapes::{
    ApproveSchema, BeginSchema, Fields, LookSchema, RedeemSchema, WireNewPairing, WirePending,
    WireWaiting,
};
use super::audited::{AuditOutcome, AuditedRequests};
use super::call_context::client_of;
use super::json::Json;
use super::json_body::JsonBody;
use super::middleware::caller_of;
use super::operation_errors::{self, ApiError};
use super::problem::{Code, FieldError, Problem};
use super::proof::SessionCookie;
use super::public_urls::ServiceUrl;
use super::tokens::{WireNewToken, not_made, scopes_of};
use crate::access::api_token::{CreateTokenError, TokenInfo, TokenLabel};
use crate::access::pairing::{ApproveError, BeginError, POLL_INTERVAL, Redemption, Source};
use crate::access::{
    Action, Caller, Denied, Gate, Resource, Scope, Scopes, TokenCaller, authorize,
};
use crate::clock::Clock;
use crate::domain::{Invalid, format_timestamp};
use crate::own_paths;
use crate::request_log;

/// The names of what nobody has to be signed in for, in the contract and the audit log.
const BEGIN: &str = "begin_pairing";
const REDEEM: &str = "redeem_pairing";
/// What a program may do if a person says nothing else: everything with their own files.
const USUAL_SCOPES: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Delete];

pub(super) struct PairingsApi {
    pub audited: AuditedRequests,
    pub gate: Arc<Gate>,
    pub cookie: SessionCookie,
    pub clock: Arc<dyn Clock>,
    pub service_url: ServiceUrl,
}

#[derive(Tags)]
enum Tag {
    /// Let a program in that shows a code.
    Pairings,
}

const WHAT_IS_TYPED: &str = "the code that the program shows";

#[derive(ApiResponse)]
enum Began {
    /// Show the code and the page, and redeem the other code until somebody has typed the first.
    #[oai(status = 201)]
    Pairing(Json<WireNewPairing>),
}

#[derive(ApiResponse)]
enum Redeemed {
    /// Somebody let the program in: the token, this once.
    #[oai(status = 200)]
    Token(Json<WireNewToken>),
    /// Nobody has typed the code yet: ask again after `interval` seconds.
    #[oai(status = 202)]
    Pending(Json<WirePending>),
}

#[derive(ApiResponse)]
enum Seen {
    /// What waits with this code.
    #[oai(status = 200)]
    Waiting(Json<WireWaiting>),
}

#[derive(ApiResponse)]
enum Approved {
    /// The program gets a token that acts for you, when it asks next.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Pairings")]
impl PairingsApi {
    /// Ask to be let in
    ///
    /// For a program without a browser. It shows `userCode` and `verifyAt`, and redeems `deviceCode` until a person
    /// has typed the first at the second.
    #[oai(path = "/pairings", method = "post", operation_id = "begin_pairing")]
    async fn begin_pairing(
        &self,
        request: &Request,
        body: JsonBody<BeginSchema>,
    ) -> Result<Began, ApiError<operation_errors::BeginPairing>> {
        self.check_somebody_is_asked()?;
        let mut fields = Fields::of(body.fields);
        let client = fields.text("client", "what the program is and where it runs");
        let client = fields.end(client, "client")?;
        let client = TokenLabel::parse(&client).map_err(|invalid| {
            let (field, message) = ("client", invalid.0);
            Problem::fields(Code::InvalidRequest, vec![FieldError { field, message }])
        })?;
        let service_url = self.service_url.for_request(request);
        let service_url = service_url.map_err(|Invalid(why)| Code::InvalidRequest.with(why))?;
        let verify_at = format!("{service_url}{}", own_paths::PAIR_PAGE);
        let audited = self.audited.begin(request, &Caller::Nobody, BEGIN)?;
        let (gate, now, source) = (
            Arc::clone(&self.gate),
            self.clock.now(),
            self.source(request),
        );
        let beginning = async move {
            let begun = gate.pairings().begin(&client, source, now).await;
            let outcome = match &begun {
                Ok(begun) => AuditOutcome::Done(Some(begun.id.to_string())),
                Err(BeginError::Store(_)) => AuditOutcome::Unknown,
                Err(_) => AuditOutcome::NotDone,
            };
            (begun, outcome)
        };
        let begun = audited.finish(beginning).await?.map_err(|error| {
            let problem = not_begun(error);
            self.refused(request, &Caller::Nobody, BEGIN, problem)
        })?;
        Ok(Began::Pairing(Json(WireNewPairing {
            device_code: begun.device_code.expose().to_owned(),
            user_code: begun.user_code.to_string(),
            verify_at,
            expires_at: format_timestamp(begun.expires_at),
            interval: POLL_INTERVAL.as_secs(),
        })))
    }

    /// Redeem a device code
    ///
    /// For the program that began: gives its token once somebody has let it in.
    #[oai(
        path = "/pairings/redeem",
        method = "post",
        operation_id = "redeem_pairing"
    )]
    async fn redeem_pairing(
        &self,
        request: &Request,
        body: JsonBody<RedeemSchema>,
    ) -> Result<Redeemed, ApiError<operation_errors::RedeemPairing>> {
        self.check_somebody_is_asked()?;
        let mut fields = Fields::of(body.fields);
        let code = fields.text("deviceCode", "from the answer to POST /v1/pairings");
        let code = fields.end(code, "deviceCode")?;
        let audited = self.audited.begin(request, &Caller::Nobody, REDEEM)?;
        let (gate, now) = (Arc::clone(&self.gate), self.clock.now());
        let redeeming = async move {
            let redemption = gate.pairings().redeem(&code, gate.tokens(), now).await;
            let outcome = match &redemption {
                Ok(Redemption::Approved { pairing, token, .. }) => {
                    AuditOutcome::DoneBy(acting_by(token), Some(pairing.to_string()))
                }
                Ok(Redemption::Pending | Redemption::Gone) => AuditOutcome::NotDone,
                Err(CreateTokenError::Store(_)) => AuditOutcome::Unknown,
                Err(_) => AuditOutcome::NotDone,
            };
            (redemption, outcome)
        };
        let redemption = audited.finish(redeeming).await?;
        match redemption.map_err(not_made)? {
            Redemption::Pending => Ok(Redeemed::Pending(Json(WirePending {
                interval: POLL_INTERVAL.as_secs(),
            }))),
            Redemption::Gone => Err(Code::PairingGone.plain().into()),
            Redemption::Approved { text, token, .. } => {
                Ok(Redeemed::Token(Json(WireNewToken::of(&text, &token))))
            }
        }
    }

    /// Look at what waits with a code
    ///
    /// From a browser's session, before somebody lets it in. Too many codes that are none have to wait.
    #[oai(
        path = "/pairings/look",
        method = "post",
        operation_id = "look_at_pairing"
    )]
    async fn look_at_pairing(
        &self,
        request: &Request,
        body: JsonBody<LookSchema>,
    ) -> Result<Seen, ApiError<operation_errors::LookAtPairing>> {
        let caller = self.in_session(request, Action::LookAtPairing)?;
        let mut fields = Fields::of(body.fields);
        let typed = fields.text("userCode", WHAT_IS_TYPED);
        let typed = fields.end(typed, "userCode")?;
        let looking = self.gate.pairings();
        let looking = looking.look(&typed, caller.owner(), self.clock.now());
        let seen = looking.await.map_err(|error| {
            let problem = not_approved(error);
            self.refused(request, &caller, Action::LookAtPairing.as_str(), problem)
        })?;
        Ok(Seen::Waiting(Json(WireWaiting {
            client: seen.client.as_str().to_owned(),
            from: seen.from.map(|address| address.to_canonical().to_string()),
            began_at: format_timestamp(seen.began_at),
            expires_at: format_timestamp(seen.expires_at),
        })))
    }

    /// Let a program in
    ///
    /// From a browser's session: the program that shows this code gets a token that acts for you. Doing it again
    /// changes nothing.
    #[oai(
        path = "/pairings/approve",
        method = "post",
        operation_id = "approve_pairing"
    )]
    async fn approve_pairing(
        &self,
        request: &Request,
        body: JsonBody<ApproveSchema>,
    ) -> Result<Approved, ApiError<operation_errors::ApprovePairing>> {
        let action = Action::ApprovePairing;
        let caller = self.in_session(request, action)?;
        let mut fields = Fields::of(body.fields);
        let typed = fields.text("userCode", WHAT_IS_TYPED);
        let scopes = match fields.left.remove("scopes") {
            None | Some(Value::Null) => Ok(Scopes::from_iter(USUAL_SCOPES)),
            Some(value) => scopes_of(value),
        };
        let scopes = scopes.unwrap_or_else(|invalid| {
            fields.refuse("scopes", invalid);
            Scopes::default()
        });
        let (typed, scopes) = fields.end((typed, scopes), "userCode and scopes")?;
        if scopes.contains(Scope::Admin) {
            // Who may not see everybody's files lets no program see them.
            self.allowed(request, Action::ListAllFiles)?;
        }
        let (gate, now, owner) = (Arc::clone(&self.gate), self.clock.now(), caller.owner());
        let stamp = gate
            .stamp(self.cookie.proof(request.headers()), now)
            .await?;
        let stamp = stamp.unwrap_or_default();
        let audited = self.audited.begin(request, &caller, action.as_str())?;
        let approving = async move {
            let pairings = gate.pairings();
            let pairing = pairings.approve(&typed, owner, scopes, stamp, now).await;
            let outcome = match &pairing {
                Ok(pairing) => AuditOutcome::Done(Some(pairing.to_string())),
                Err(ApproveError::Store(_)) => AuditOutcome::Unknown,
                Err(_) => AuditOutcome::NotDone,
            };
            (pairing, outcome)
        };
        audited.finish(approving).await?.map_err(|error| {
            let problem = not_approved(error);
            self.refused(request, &caller, action.as_str(), problem)
        })?;
        Ok(Approved::Done)
    }
}

impl PairingsApi {
    /// Where everybody may do everything, no token is needed, and none is made.
    fn check_somebody_is_asked(&self) -> Result<(), Problem> {
        match self.gate.asks() {
            true => Ok(()),
            false => Err(Code::TokensUnavailable.plain()),
        }
    }

    /// Who asks by a session, if they may.
    fn in_session(&self, request: &Request, action: Action) -> Result<Caller, Problem> {
        let caller = self.allowed(request, action)?;
        self.check_somebody_is_asked()?;
        if self.cookie.proof(request.headers()).bearer.is_some() {
            let problem = Code::NotAllowed
                .with("a person who is signed in in a browser lets programs in, at /pair");
            return Err(self.refused(request, &caller, action.as_str(), problem));
        }
        Ok(caller)
    }

    /// Who asks, if they may.
    fn allowed(&self, request: &Request, action: Action) -> Result<Caller, Problem> {
        let caller = caller_of(request);
        let code = match authorize(&caller, action, Resource::Service) {
            Ok(()) => return Ok(caller),
            Err(Denied::SignInRequired) => Code::SignInRequired,
            Err(Denied::NotAllowed) => Code::NotAllowed,
            Err(Denied::NotFound) => Code::PairingNotFound,
        };
        Err(self.refused(request, &caller, action.as_str(), code.plain()))
    }

    /// The problem, after its line in the audit log if it needs one.
    fn refused(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        problem: Problem,
    ) -> Problem {
        self.audited.refused(request, caller, action, problem.code);
        problem
    }

    fn source(&self, request: &Request) -> Source {
        let client = client_of(request);
        let is_told = client.is_some_and(|client| client.is_told_by_proxy);
        Source {
            address: client.map(|client| client.address),
            is_forwarded: !is_told && self.cookie.proof(request.headers()).is_forwarded,
        }
    }
}

/// The program that was let in, as it calls from now on.
fn acting_by(token: &TokenInfo) -> Caller {
    Caller::Token(Arc::new(TokenCaller {
        id: token.id,
        owner: token.owner,
        scopes: token.scopes,
        expires_at: token.expires_at,
    }))
}

fn not_begun(error: BeginError) -> Problem {
    match error {
        BeginError::TooMany { again_in } => Code::TooManyPairings.plain().again_in(again_in),
        BeginError::TooManyOfAddress { again_in } => Code::TooManyTries
            .with(error.to_string())
            .again_in(again_in),
        BeginError::NoRandomNumbers(error) => {
            request_log::FAILED.log(|| tracing::error!(%error, "no pairing can begin"));
            Code::InternalError.plain()
        }
        BeginError::Store(error) => error.into(),
    }
}

fn not_approved(error: ApproveError) -> Problem {
    match error {
        ApproveError::Unknown => Code::PairingNotFound.plain(),
        ApproveError::TooManyTries { again_in } => Code::TooManyTries
            .with(error.to_string())
            .again_in(again_in),
        ApproveError::Store(error) => error.into(),
    }
}
