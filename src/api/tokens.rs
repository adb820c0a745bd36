//! The calls under `/v1/tokens`: what programs show to act for somebody.
//!
//! Invariant: a token stands in the one answer that made it, and in no other, no log and no line of the audit log.
//! Whoever may not do something with tokens is refused by `authorize`, before any store is asked.

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use serde::Serialize;
use serde_json::{Map, Value};

use super::audited::{AuditOutcome, AuditedRequests};
use super::json::Json;
use super::json_body::{BodySchema, JsonBody};
use super::middleware::caller_of;
use super::operation_errors::{self, ApiError};
use super::problem::{Code, FieldError, Problem};
use super::proof::SessionCookie;
use crate::access::api_token::{CreateTokenError, NewToken, TokenInfo, TokenLabel, TokenText};
use crate::access::{Action, Caller, Denied, Gate, Resource, Scope, Scopes, TokenId, authorize};
use crate::clock::Clock;
use crate::domain::{Invalid, Timestamp, UserId, format_timestamp, parse_timestamp};
use crate::own_paths;
use crate::request_log;

pub(super) struct TokensApi {
    pub audited: AuditedRequests,
    pub gate: Arc<Gate>,
    pub cookie: SessionCookie,
    pub clock: Arc<dyn Clock>,
}

#[derive(Tags)]
enum Tag {
    /// Let programs act for you.
    Tokens,
}

/// What is known of a token.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Token", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireToken {
    /// What it is called where it is revoked; no secret.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// What it may do: `read`, `write`, `delete`, `admin`.
    pub scopes: Vec<String>,
    /// When it was made, in UTC.
    pub created_at: String,
    /// Until when it holds, in UTC.
    pub expires_at: String,
    /// When it was used last, in UTC, to the half minute; null if never.
    pub last_used_at: Option<String>,
}

impl WireNewToken {
    pub(super) fn of(text: &TokenText, token: &TokenInfo) -> Self {
        Self {
            known: WireToken::of(token),
            token: text.expose().to_owned(),
        }
    }
}

impl WireToken {
    fn of(token: &TokenInfo) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.as_str().to_owned(),
            scopes: token
                .scopes
                .names()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            created_at: format_timestamp(token.created_at),
            expires_at: format_timestamp(token.expires_at),
            last_used_at: token.last_used_at.map(format_timestamp),
        }
    }
}

/// A token that was just made.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "NewToken", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireNewToken {
    /// What is known of it.
    #[serde(flatten)]
    #[oai(flatten)]
    pub known: WireToken,
    /// The token itself: send it as `Authorization: Bearer fst_…`. It is shown this once.
    pub token: String,
}

/// The tokens of one owner.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Tokens", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTokens {
    /// Those that hold, the newest first.
    pub tokens: Vec<WireToken>,
}

/// What a token is to be for.
#[derive(Object)]
#[oai(rename = "TokenRequest", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct TokenSchema {
    /// What you call it, such as the program that it is for: 1 to 100 characters.
    label: String,
    /// What it may do: one or more of `read`, `write`, `delete` and, for administrators, `admin`.
    scopes: Vec<String>,
    /// Until when it holds, in RFC 3339: a year from now at most; 90 days, if it isn't given.
    expires_at: Option<String>,
}

impl BodySchema for TokenSchema {
    const DESCRIPTION: &'static str = "What the token is to be for";
}

/// What a body asks for.
#[derive(Debug)]
struct Wanted {
    label: TokenLabel,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
}

impl Wanted {
    /// Names everything that isn't right at once.
    fn read(mut fields: Map<String, Value>) -> Result<Self, Problem> {
        let label = match fields.remove("label") {
            Some(Value::String(text)) => TokenLabel::parse(&text),
            None | Some(Value::Null) => Err(Invalid("is required: what you call the token".into())),
            Some(_) => Err(Invalid("must be a string".into())),
        };
        let scopes = match fields.remove("scopes") {
            None | Some(Value::Null) => Err(Invalid("is required: what the token may do".into())),
            Some(value) => scopes_of(value),
        };
        let expires_at = match fields.remove("expiresAt") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => parse_timestamp(&text).map(Some),
            Some(_) => Err(Invalid("must be a string".into())),
        };
        match (label, scopes, expires_at) {
            (Ok(label), Ok(scopes), Ok(expires_at)) if fields.is_empty() => Ok(Self {
                label,
                scopes,
                expires_at,
            }),
            (label, scopes, expires_at) => {
                let unknown =
                    Invalid("there are fields besides label, scopes and expiresAt".into());
                let refused = [
                    ("label", label.err()),
                    ("scopes", scopes.err()),
                    ("expiresAt", expires_at.err()),
                    ("(unknown)", (!fields.is_empty()).then_some(unknown)),
                ];
                let errors = refused.into_iter().filter_map(|(field, invalid)| {
                    let message = invalid?.0;
                    Some(FieldError { field, message })
                });
                Err(Problem::fields(Code::InvalidRequest, errors.collect()))
            }
        }
    }
}

pub(super) fn scopes_of(value: Value) -> Result<Scopes, Invalid> {
    let refused = || Invalid("must be a list of strings".into());
    let Value::Array(names) = value else {
        return Err(refused());
    };
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    Scopes::parse(&names.ok_or_else(refused)?)
}

#[derive(ApiResponse)]
enum Created {
    /// The token, this once.
    #[oai(status = 201)]
    Token(Json<WireNewToken>),
}

#[derive(ApiResponse)]
enum Listed {
    /// Your tokens.
    #[oai(status = 200)]
    Tokens(Json<WireTokens>),
}

#[derive(ApiResponse)]
enum Revoked {
    /// Nobody can use it any more; other processes of the service notice within half a minute.
    #[oai(status = 204)]
    Gone,
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Tokens")]
impl TokensApi {
    /// Make a token
    ///
    /// For a program that acts for you. It can do what its scopes say with your files, and can't make tokens.
    /// Keep what comes back: it is shown this once.
    #[oai(path = "/tokens", method = "post", operation_id = "create_token")]
    async fn create_token(
        &self,
        request: &Request,
        body: JsonBody<TokenSchema>,
    ) -> Result<Created, ApiError<operation_errors::CreateToken>> {
        let caller = self.allowed(request, Action::CreateToken, Resource::Service)?;
        let wanted = Wanted::read(body.fields)?;
        if wanted.scopes.contains(Scope::Admin) {
            // Who may not see everybody's files lets no program see them.
            self.allowed(request, Action::ListAllFiles, Resource::Service)?;
        }
        let action = Action::CreateToken.as_str();
        let (gate, now) = (Arc::clone(&self.gate), self.clock.now());
        let proof = self.cookie.proof(request.headers());
        let refused = |error| {
            let problem = not_made(error);
            self.audited.refused(request, &caller, action, problem.code);
            problem
        };
        let stamp = gate.stamp(proof, now).await?;
        let stamp = stamp.ok_or_else(|| refused(CreateTokenError::Revoked))?;
        let audited = self.audited.begin(request, &caller, action)?;
        let new = NewToken {
            owner: caller.owner(),
            label: wanted.label,
            scopes: wanted.scopes,
            expires_at: wanted.expires_at,
            stamp,
        };
        let making = async move {
            let made = gate.tokens().create(new, now).await;
            let outcome = match &made {
                Ok((_, token)) => AuditOutcome::Done(Some(token.id.to_string())),
                Err(CreateTokenError::Store(_)) => AuditOutcome::Unknown,
                Err(_) => AuditOutcome::NotDone,
            };
            (made, outcome)
        };
        let (text, token) = audited.finish(making).await?.map_err(refused)?;
        Ok(Created::Token(Json(WireNewToken::of(&text, &token))))
    }

    /// List your tokens
    ///
    /// Those that hold, the newest first; at most a hundred. None of them shows its text.
    #[oai(path = "/tokens", method = "get", operation_id = "list_tokens")]
    async fn list_tokens(
        &self,
        request: &Request,
    ) -> Result<Listed, ApiError<operation_errors::ListTokens>> {
        let caller = self.allowed(request, Action::ListTokens, Resource::Service)?;
        let tokens = self.gate.tokens();
        let tokens = tokens.list(caller.owner(), self.clock.now()).await?;
        let tokens = tokens.iter().map(WireToken::of).collect();
        Ok(Listed::Tokens(Json(WireTokens { tokens })))
    }

    /// Revoke a token
    ///
    /// Of your own. A program that shows a token may revoke that one, and no other.
    #[oai(path = "/tokens/:id", method = "delete", operation_id = "revoke_token")]
    async fn revoke_token(
        &self,
        request: &Request,
        /// The token's `id`: from the answer that made it, or from the list.
        id: Path<String>,
    ) -> Result<Revoked, ApiError<operation_errors::RevokeToken>> {
        // A text that is no ID is refused as an unknown one is, by whoever may ask at all.
        let Ok(id) = TokenId::parse(&id) else {
            self.allowed(request, Action::RevokeToken, Resource::Service)?;
            return Err(Code::TokenNotFound.plain().into());
        };
        let caller = self.allowed(request, Action::RevokeToken, Resource::Token(id))?;
        let audited = self
            .audited
            .begin(request, &caller, Action::RevokeToken.as_str())?;
        let (gate, now) = (Arc::clone(&self.gate), self.clock.now());
        let revoking = async move {
            let revoked = gate.tokens().revoke(caller.owner(), id, now).await;
            let outcome = match &revoked {
                Ok(false) => AuditOutcome::NotDone,
                other => AuditOutcome::of(other, Some(id.to_string())),
            };
            (revoked, outcome)
        };
        if !audited.finish(revoking).await?? {
            return Err(Code::TokenNotFound.plain().into());
        }
        Ok(Revoked::Gone)
    }

    /// Revoke all tokens of a person
    ///
    /// For administrators: of somebody who left. Their sessions end as well, and programs that they let in and that
    /// have no token yet get none. Nothing is wrong if there are none. Have the issuer refuse that person first: whom
    /// it still vouches for may sign in anew.
    #[oai(
        path = "/users/:user_id/tokens",
        method = "delete",
        operation_id = "revoke_user_tokens"
    )]
    async fn revoke_user_tokens(
        &self,
        request: &Request,
        /// The person's `id`, as it stands as `owner` in their files.
        user_id: Path<String>,
    ) -> Result<Revoked, ApiError<operation_errors::RevokeUserTokens>> {
        let caller = self.allowed(request, Action::RevokeUserTokens, Resource::Service)?;
        let user = UserId::parse(&user_id)
            .map_err(|invalid| Code::InvalidRequest.with(format!("user_id: {invalid}")))?;
        let action = Action::RevokeUserTokens.as_str();
        let audited = self.audited.begin(request, &caller, action)?;
        let (gate, now) = (Arc::clone(&self.gate), self.clock.now());
        let revoking = async move {
            let revoked = gate.revoke_all_of(user, now).await;
            let outcome = AuditOutcome::of(&revoked, Some(user.to_string()));
            (revoked, outcome)
        };
        audited.finish(revoking).await??;
        Ok(Revoked::Gone)
    }
}

impl TokensApi {
    /// Who asks, if they may.
    fn allowed(
        &self,
        request: &Request,
        action: Action,
        resource: Resource,
    ) -> Result<Caller, Problem> {
        let caller = caller_of(request);
        let code = match authorize(&caller, action, resource) {
            Ok(()) => return Ok(caller),
            Err(Denied::SignInRequired) => Code::SignInRequired,
            Err(Denied::NotAllowed) => Code::NotAllowed,
            Err(Denied::NotFound) => Code::TokenNotFound,
        };
        self.audited
            .refused(request, &caller, action.as_str(), code);
        Err(code.plain())
    }
}

pub(super) fn not_made(error: CreateTokenError) -> Problem {
    match error {
        CreateTokenError::Expiry(invalid) => {
            let (field, message) = ("expiresAt", invalid.0);
            Problem::fields(Code::InvalidRequest, vec![FieldError { field, message }])
        }
        CreateTokenError::TooMany => Code::TooManyTokens.plain(),
        CreateTokenError::NoOperator => Code::TokensUnavailable.plain(),
        CreateTokenError::Revoked => Code::SignInRequired.with(error.to_string()),
        CreateTokenError::NoRandomNumbers(error) => {
            request_log::FAILED.log(|| tracing::error!(%error, "no token can be made"));
            Code::InternalError.plain()
        }
        CreateTokenError::Store(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Wanted, Problem> {
        Wanted::read(body.as_object().unwrap().clone())
    }

    #[test]
    fn null_is_the_same_as_left_out() {
        let wanted = read(json!({"label": "a", "scopes": ["read"], "expiresAt": null}));
        assert_eq!(wanted.unwrap().expires_at, None);
        let problem = |body| read(body).unwrap_err().detail;
        let missing = problem(json!({}));
        assert!(missing.contains("is required"), "{missing}");
        assert_eq!(problem(json!({"label": null, "scopes": null})), missing);
    }
}
