//! The calls under `/v1/session`: who is signed in, signing in with the local key, and signing out.
//!
//! Invariant: anybody may make them, they show nothing of a file, and no answer and no log has the key or a session's
//! ID; the latter goes into a cookie that no script reads.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use serde::Serialize;
use serde_json::{Map, Value};

use super::audited::{AuditOutcome, AuditedRequests};
use super::call_context::client_of;
use super::json::Json;
use super::json_body::{BodySchema, JsonBody};
use super::middleware::{WRONG_TOO_OFTEN, caller_of};
use super::operation_errors::{self, ApiError};
use super::problem::{Code, FieldError, Problem};
use super::proof::SessionCookie;
use super::public_urls::ServiceUrl;
use super::set_cookies::SetCookies;
use crate::access::{Caller, Gate, Principal, SignInError, SignInWith, WHOLE_LIFETIME};
use crate::clock::Clock;
use crate::domain::{Quota, Usage, format_timestamp};
use crate::own_paths;
use crate::service::FileService;

pub(super) struct SessionApi {
    pub audited: AuditedRequests,
    pub gate: Arc<Gate>,
    pub cookie: SessionCookie,
    pub clock: Arc<dyn Clock>,
    pub service_url: ServiceUrl,
    pub service: Arc<FileService>,
    pub is_open_to_others: bool,
}

#[derive(Tags)]
enum Tag {
    /// Sign in, where the service asks who you are.
    Session,
}

/// Who is signed in, and how somebody could.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Session", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireSession {
    /// Who sends this request; null if that is nobody, who may do nothing but sign in.
    pub principal: Option<WirePrincipal>,
    /// When the session is over, in UTC, if it is used until then; null without one.
    pub expires_at: Option<String>,
    /// How much of the service whoever sends this request may take, and has taken; null where nothing bounds it. Files
    /// count while they are pending or available, and those that are handed in count for the owner of the box.
    pub quota: Option<WireQuota>,
    /// How somebody signs in: `key` with `POST /v1/session`; `oidc` at the service's issuer, to which
    /// `GET /v1/session/start` leads a browser. Null where nobody has to. There may be other ways one day.
    pub sign_in: Option<String>,
    /// What links begin with that are passed on to others, without a slash at the end, such as
    /// `http://192.168.1.7:8000`. Null: the URL by which this request came. It is the operator's public URL if there is
    /// one; else, for a request from the service's own computer to a name such as `localhost`, an address that
    /// others in the network reach, if there is any. Null for nobody where somebody has to sign in.
    pub share_base: Option<String>,
    /// Whether others than the service's own computer reach it and nobody is asked who they are: whoever reaches it may
    /// do everything.
    pub open_to_others: bool,
}

/// How much somebody may have here.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Quota", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireQuota {
    /// The length of all their files together, in bytes; null where nothing bounds it.
    pub bytes: Option<WireUsage>,
    /// How many files they have; null where nothing bounds it.
    pub files: Option<WireUsage>,
}

/// How much there is, and may be.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Usage", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUsage {
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub limit: u64,
}

/// Who somebody is.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Principal", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePrincipal {
    /// `operator`: whoever runs the service; `user`: somebody who signed in; `token`: a program that acts for one
    /// of the two. There may be others one day.
    pub kind: String,
    /// Stands as `owner` in the files of this person; null for the operator.
    pub id: Option<String>,
    /// A label for people; null if there is none.
    pub name: Option<String>,
    /// What this person may do: `guest`, `member` or `admin`; null for the operator, who may do everything.
    pub role: Option<String>,
}

impl WireQuota {
    fn of(usage: Usage, quota: Quota) -> Self {
        let part = |limit: Option<u64>, used| limit.map(|limit| WireUsage { used, limit });
        Self {
            bytes: part(quota.max_bytes, usage.bytes),
            files: part(quota.max_files, usage.files),
        }
    }
}

impl From<Principal<'_>> for WirePrincipal {
    fn from(principal: Principal<'_>) -> Self {
        Self {
            kind: principal.kind.to_owned(),
            id: principal.id.map(|id| id.to_string()),
            name: principal.name.map(str::to_owned),
            role: principal.role.map(|role| role.as_str().to_owned()),
        }
    }
}

/// What became of a session.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "SignedOut", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireSignedOut {
    /// The issuer's page, to be signed out there too; null if there is none, or if the issuer can't be asked for it. A
    /// secret of whoever signs out.
    pub sign_out_at: Option<String>,
}

/// What shows who somebody is.
#[derive(Object)]
#[oai(rename = "SignIn", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the field is read by hand"
)]
pub(super) struct SignInSchema {
    /// The key that the service printed when it was first started; it is in the file `access-key` of its data
    /// directory.
    key: String,
}

impl BodySchema for SignInSchema {
    const DESCRIPTION: &'static str = "What shows who you are";
}

/// The key in a body.
fn key_of(mut fields: Map<String, Value>) -> Result<String, Problem> {
    let refused = |field, message: &str| {
        let message = message.to_owned();
        let errors = vec![FieldError { field, message }];
        Err(Problem::fields(Code::InvalidRequest, errors))
    };
    match (fields.remove("key"), fields.is_empty()) {
        (_, false) => refused("(unknown)", "there are fields besides key"),
        (Some(Value::String(key)), true) => Ok(key),
        (None | Some(Value::Null), true) => refused("key", "is required: the key of this service"),
        (Some(_), true) => refused("key", "must be a string"),
    }
}

#[derive(ApiResponse)]
enum Shown {
    /// Who sends this request, also if that is nobody.
    #[oai(status = 200)]
    Session(Json<WireSession>),
}

#[derive(ApiResponse)]
enum SignedIn {
    /// You are signed in: the cookie shows it from now on.
    #[oai(status = 204)]
    WithCookie(
        /// The session's cookie; left out where nobody has to sign in.
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum SignedOut {
    /// The session is over, if there was one.
    #[oai(status = 200)]
    Ended(
        Json<WireSignedOut>,
        /// Has the browser forget the session's cookie.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Session")]
impl SessionApi {
    /// Who is signed in
    ///
    /// Says who sends this request and how somebody signs in. Never 401: it is what a page asks first.
    #[oai(path = "/session", method = "get", operation_id = "describe_session")]
    async fn describe_session(
        &self,
        request: &Request,
    ) -> Result<Shown, ApiError<operation_errors::DescribeSession>> {
        let proof = self.cookie.proof(request.headers());
        let now = self.clock.now();
        let caller = caller_of(request);
        let principal = caller.principal().map(Into::into);
        let session = self.gate.session(proof, now).await?;
        let quota = self.service.quota(&caller).await?;
        let share_base = principal
            .is_some()
            .then(|| self.service_url.for_others(request, proof.is_forwarded))
            .flatten();
        Ok(Shown::Session(Json(WireSession {
            principal,
            expires_at: session.map(|session| format_timestamp(session.expires_at)),
            quota: quota.map(|(usage, quota)| WireQuota::of(usage, quota)),
            sign_in: self.gate.sign_in_with().map(|way| match way {
                SignInWith::Key => "key".to_owned(),
                SignInWith::Issuer => "oidc".to_owned(),
            }),
            share_base,
            open_to_others: self.is_open_to_others,
        })))
    }

    /// Sign in with the key
    ///
    /// Begins a session for a browser: 8 hours at most, and an hour without a call. Programs send the key with
    /// each request instead, as `Authorization: Bearer fsk_…`.
    #[oai(path = "/session", method = "post", operation_id = "begin_session")]
    async fn begin_session(
        &self,
        request: &Request,
        body: JsonBody<SignInSchema>,
    ) -> Result<SignedIn, ApiError<operation_errors::BeginSession>> {
        let key = key_of(body.fields)?;
        let now = self.clock.now();
        let action = "begin_session";
        let audited = self.audited.begin(request, &Caller::Operator, action)?;
        // The browser forgets the one before, so nobody could end it any more.
        let before = self
            .cookie
            .proof(request.headers())
            .session
            .map(str::to_owned);
        let address = client_of(request).map(|client| client.address);
        let gate = Arc::clone(&self.gate);
        let signing_in = async move {
            let signed_in = gate.sign_in(&key, address, now).await;
            let outcome = match &signed_in {
                Ok(_) => AuditOutcome::Done(None),
                Err(SignInError::WrongKey | SignInError::TooManyTries(_)) => AuditOutcome::NotDone,
                Err(SignInError::Store(_)) => AuditOutcome::Unknown,
            };
            let ended = match &signed_in {
                Ok(_) => gate.sign_out(before.as_deref(), now).await,
                Err(_) => Ok(()),
            };
            ((signed_in, ended), outcome)
        };
        let (signed_in, ended) = audited.finish(signing_in).await?;
        match signed_in {
            Ok(begun) => {
                ended?;
                let cookie = begun.map(|(id, _)| self.cookie.set(&id, WHOLE_LIFETIME));
                Ok(SignedIn::WithCookie(cookie))
            }
            Err(wrong @ SignInError::WrongKey) => {
                let code = Code::SignInRequired;
                self.audited.refused(request, &Caller::Nobody, action, code);
                Err(code.with(wrong.to_string()).into())
            }
            Err(SignInError::TooManyTries(again_in)) => {
                let code = Code::TooManyTries;
                self.audited.refused(request, &Caller::Nobody, action, code);
                Err(code.with(WRONG_TOO_OFTEN).again_in(again_in).into())
            }
            Err(SignInError::Store(error)) => Err(error.into()),
        }
    }

    /// Sign out
    ///
    /// Ends the session of this browser, here and now.
    #[oai(path = "/session/end", method = "post", operation_id = "end_session")]
    async fn end_session(
        &self,
        request: &Request,
    ) -> Result<SignedOut, ApiError<operation_errors::EndSession>> {
        let (proof, now) = (self.cookie.proof(request.headers()), self.clock.now());
        let mut sign_out_at = None;
        if let Some(session) = self.gate.session(proof, now).await? {
            let audited = self
                .audited
                .begin(request, &session.caller, "end_session")?;
            let (gate, id) = (Arc::clone(&self.gate), proof.session.map(str::to_owned));
            let signing_out = async move {
                let ended = gate.sign_out(id.as_deref(), now).await;
                let outcome = AuditOutcome::of(&ended, None);
                (ended, outcome)
            };
            audited.finish(signing_out).await??;
            // Behind the end, since it may take a while. Without a host to come back to nobody is led there.
            if let Ok(base) = self.service_url.for_request(request) {
                sign_out_at = self.gate.sign_out_at(&session, &format!("{base}/")).await;
            }
        }
        if self.cookie.has_reference(request.headers()) {
            SetCookies::of(request).add(self.cookie.clear_reference());
        }
        let signed_out = WireSignedOut { sign_out_at };
        Ok(SignedOut::Ended(Json(signed_out), self.cookie.clear()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_the_same_as_left_out() {
        let problem = |body: Value| {
            key_of(body.as_object().unwrap().clone())
                .unwrap_err()
                .detail
        };
        let missing = problem(json!({}));
        assert!(missing.contains("is required"), "{missing}");
        assert_eq!(problem(json!({"key": null})), missing);
    }
}
