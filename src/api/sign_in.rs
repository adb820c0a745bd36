//! The two calls by which a browser signs in at the issuer: it is sent there, and comes back.
//!
//! Invariant: whoever comes back gets a session of their own with an ID that nobody knew before, and the one that the
//! browser had is over; or a page that says why not and leads nowhere by itself. No answer leads to another site than
//! the issuer's. The cookie of a sign-in goes when it comes back, unless the issuer couldn't be asked: then the same
//! address may be tried again.
//!
//! Absent on purpose: the flow itself, which is in `access::oidc`.

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, Enum, OpenApi, Tags};

use super::audited::{AuditOutcome, AuditedRequests};
use super::operation_errors::{self, ApiError};
use super::problem::{Code, Problem};
use super::proof::SessionCookie;
use super::public_urls::ServiceUrl;
use super::set_cookies::SetCookies;
use crate::access::oidc::{
    self, IssuerUnavailable, ReturnTo, SIGN_IN_TIME, SignInAs, SignInFailed, SignInTag,
};
use crate::access::{BegunAtIssuer, Caller, Gate, NotSignedIn, WHOLE_LIFETIME};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::domain::Invalid;
use crate::own_paths;
use crate::request_log;

/// What a sign-in is called in the audit log, as one with the key.
const ACTION: &str = "begin_session";
/// What the end of a session is called there, however it is ended.
const END: &str = "end_session";

pub(super) struct SignInApi {
    pub audited: AuditedRequests,
    pub gate: Arc<Gate>,
    pub cookie: SessionCookie,
    pub clock: Arc<dyn Clock>,
    pub service_url: ServiceUrl,
}

#[derive(Tags)]
enum Tag {
    /// Sign in, where the service asks who you are.
    Session,
}

/// What the issuer is to ask a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum Prompt {
    /// Who they are, also if they are signed in there.
    #[oai(rename = "login")]
    Login,
}

#[derive(ApiResponse)]
enum Sent {
    /// Go to the issuer, which asks who you are.
    #[oai(status = 302)]
    ToIssuer(
        /// The issuer's page.
        #[oai(header = "Location")]
        String,
        /// What the browser shows when it is back, for ten minutes.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Returned {
    /// You are signed in: the cookie shows it from now on.
    #[oai(status = 302)]
    SignedIn(
        /// Where you were going.
        #[oai(header = "Location")]
        String,
        /// The session's cookie.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Session")]
impl SignInApi {
    /// Sign in at the issuer
    ///
    /// For a browser that a person sits before, where `signIn` of `GET /v1/session` is `oidc`. The issuer asks who they
    /// are and sends them back. Whoever accepts HTML gets a page if that fails.
    #[oai(
        path = "/session/start",
        method = "get",
        operation_id = "start_sign_in"
    )]
    async fn start_sign_in(
        &self,
        request: &Request,
        /// Where to go afterwards: a path of this service, below the path that it is shown under. The first page, if
        /// it isn't given, or isn't one.
        #[oai(name = "returnTo")]
        return_to: Query<Option<String>>,
        /// `login` has the issuer ask who they are also if they are signed in there: to sign in as somebody else.
        #[oai(name = "prompt")]
        prompt: Query<Option<Prompt>>,
    ) -> Result<Sent, ApiError<operation_errors::StartSignIn>> {
        let return_to = ReturnTo::or_first_page(return_to.as_deref());
        let sign_in_as = match *prompt {
            Some(Prompt::Login) => SignInAs::WhomTheySay,
            None => SignInAs::Anybody,
        };
        let callback = self.callback(request)?;
        let (kept, now) = (self.cookie.sign_ins(request.headers()), self.clock.now());
        let to = (return_to, sign_in_as);
        let sent = self.gate.begin_at_issuer(to, &callback, &kept, now).await;
        let sent = sent.map_err(failed)?;
        let sent = sent.ok_or_else(|| Code::SignInUnavailable.plain())?;
        for tag in &sent.superfluous {
            let cleared = self.cookie.clear_sign_in(tag);
            SetCookies::of(request).add(cleared);
        }
        let start = sent.start;
        let cookie = self
            .cookie
            .set_sign_in(&start.tag, &start.cookie, SIGN_IN_TIME);
        Ok(Sent::ToIssuer(start.url, cookie))
    }

    /// Come back from the issuer
    ///
    /// Begins a session: 8 hours at most, and an hour without a call. Where the issuer sends a browser, and nobody goes
    /// otherwise. Whoever accepts HTML gets a page if that fails.
    #[oai(
        path = "/session/callback",
        method = "get",
        operation_id = "finish_sign_in"
    )]
    async fn finish_sign_in(
        &self,
        request: &Request,
        /// What the service exchanges for the issuer's word; used once.
        #[oai(name = "code")]
        _code: Query<Option<String>>,
        /// Tells this sign-in from all others.
        #[oai(name = "state")]
        _state: Query<Option<String>>,
        /// The issuer.
        #[oai(name = "iss")]
        _issuer: Query<Option<String>>,
        /// Why nobody is signed in.
        #[oai(name = "error")]
        _error: Query<Option<String>>,
    ) -> Result<Returned, ApiError<operation_errors::FinishSignIn>> {
        let callback = self.callback(request)?;
        let audited = self.audited.begin(request, &Caller::Nobody, ACTION)?;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let tag = oidc::tag_of_callback(&query);
        let kept = tag
            .as_ref()
            .and_then(|tag| self.cookie.sign_in(request.headers(), tag))
            .map(str::to_owned);
        let under_way = tag.filter(|_| kept.is_some());
        let (gate, now) = (Arc::clone(&self.gate), self.clock.now());
        let signing_in = async move {
            let finished = gate.finish_at_issuer(&query, kept.as_deref(), &callback, now);
            let finished = finished.await;
            let outcome = match &finished {
                Ok(Some(begun)) => AuditOutcome::DoneBy(begun.session.caller.clone(), None),
                Ok(None) | Err(NotSignedIn::Failed(_) | NotSignedIn::NoRole { .. }) => {
                    AuditOutcome::NotDone
                }
                Err(NotSignedIn::Store(_)) => AuditOutcome::Unknown,
            };
            (finished, outcome)
        };
        let begun = match audited.finish(signing_in).await? {
            Ok(begun) => begun.ok_or_else(|| Code::SignInUnavailable.plain())?,
            Err(why) => {
                let who = match &why {
                    NotSignedIn::NoRole { user } => Actor::WithoutRole(*user),
                    NotSignedIn::Failed(_) | NotSignedIn::Store(_) => {
                        Actor::Caller(&Caller::Nobody)
                    }
                };
                let problem = not_signed_in(why);
                if problem.code != Code::IssuerUnavailable {
                    self.forget(request, under_way);
                }
                self.audited.refused(request, who, ACTION, problem.code);
                return Err(problem.into());
            }
        };
        if let Err(problem) = self.end_the_one_before(request).await {
            // The new one has begun, and its code can't be used again: it counts, and the old one ends by itself.
            tracing::warn!(
                code = problem.code.as_str(),
                "the session before a sign-in couldn't be ended"
            );
        }
        self.forget(request, under_way);
        Ok(self.signed_in(request, &begun))
    }
}

impl SignInApi {
    /// What a browser is told that has this session now.
    fn signed_in(&self, request: &Request, begun: &BegunAtIssuer) -> Returned {
        let reference = self.cookie.set_reference(&begun.id, WHOLE_LIFETIME);
        SetCookies::of(request).add(reference);
        let location = self.service_url.path_of(begun.return_to.as_str());
        Returned::SignedIn(location, self.cookie.set(&begun.id, WHOLE_LIFETIME))
    }

    /// Has the browser forget this sign-in.
    fn forget(&self, request: &Request, sign_in: Option<SignInTag>) {
        if let Some(tag) = sign_in {
            SetCookies::of(request).add(self.cookie.clear_sign_in(&tag));
        }
    }

    /// Ends the session that the browser had: it forgets that one now, so nobody could end it any more.
    async fn end_the_one_before(&self, request: &Request) -> Result<(), Problem> {
        let now = self.clock.now();
        let Some(before) = self.cookie.reference(request.headers()) else {
            return Ok(());
        };
        let Some(caller) = self.gate.caller_of(&before, now).await? else {
            return Ok(());
        };
        let audited = self.audited.begin(request, &caller, END)?;
        let gate = Arc::clone(&self.gate);
        let ending = async move {
            let ended = gate.end(&before, now).await;
            let outcome = AuditOutcome::of(&ended, None);
            (ended, outcome)
        };
        Ok(audited.finish(ending).await??)
    }

    /// Where the issuer sends browsers back to. It knows this address, and refuses another one.
    fn callback(&self, request: &Request) -> Result<String, Problem> {
        let base = self.service_url.for_request(request);
        let base = base.map_err(|Invalid(why)| Code::InvalidRequest.with(why))?;
        Ok(format!("{base}{}", own_paths::SIGN_IN_CALLBACK))
    }
}

fn not_signed_in(why: NotSignedIn) -> Problem {
    match why {
        NotSignedIn::Failed(why) => failed(why),
        NotSignedIn::NoRole { user } => {
            request_log::REFUSED
                .log(|| tracing::info!(%user, "somebody signed in whose groups have no role"));
            Code::NoRole.plain()
        }
        NotSignedIn::Store(error) => error.into(),
    }
}

/// What somebody reads whose sign-in failed. What only the operator can mend is in the log too.
fn failed(why: SignInFailed) -> Problem {
    match &why {
        SignInFailed::IssuerUnavailable(IssuerUnavailable(cause)) => {
            request_log::FAILED
                .log(|| tracing::warn!(cause, "nobody can sign in: the issuer can't be asked"));
            Code::IssuerUnavailable.plain()
        }
        SignInFailed::NoRandomNumbers => {
            request_log::FAILED.log(|| tracing::error!(%why, "nobody can sign in"));
            Code::InternalError.plain()
        }
        SignInFailed::Code(_) | SignInFailed::IdToken(_) => {
            request_log::FAILED.log(|| tracing::warn!(%why, "a sign-in failed"));
            Code::SignInFailed.with(why.to_string())
        }
        SignInFailed::Callback
        | SignInFailed::NotBegun
        | SignInFailed::EndedBefore
        | SignInFailed::OtherIssuer
        | SignInFailed::Refused(_) => Code::SignInFailed.with(why.to_string()),
    }
}
