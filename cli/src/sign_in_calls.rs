//! The calls of the contract for signing in: pairings and tokens.
//!
//! **Invariant:** what is secret in an answer doesn't print, and what a server chose is taken only if it can be what
//! it says.

use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::{Answer, expect, may_pass, parsed};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::retry::{Deadline, retry_after};
use crate::stored_tokens::StoredToken;

/// No code that people type is longer, with what stands between its letters.
const MAX_USER_CODE_CHARS: usize = 32;
/// How often a program asks at the most, and at the least, whatever the server says.
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=30;
/// What becomes a part of paths is no longer.
const MAX_ID_CHARS: usize = 128;

/// A pairing that began.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPairing {
    device_code: String,
    pub user_code: String,
    pub verify_at: String,
    pub expires_at: String,
    interval: u64,
}

impl NewPairing {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.clamp(*INTERVALS.start(), *INTERVALS.end()))
    }
}

/// What came of asking for the token.
pub(crate) enum Redemption {
    /// Nobody has typed the code yet, or the server is busy: ask again, after this pause if it says one.
    Pending(Option<Duration>),
    Token(StoredToken),
}

/// What is known of a token. Fields that this program doesn't know are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenInfo {
    pub id: String,
    pub label: String,
    pub scopes: Vec<String>,
    pub created_at: String,
    pub expires_at: String,
    pub last_used_at: Option<String>,
}

/// Who asks, and how the service is reached by others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Session {
    /// Nobody, if it is missing.
    pub principal: Option<Principal>,
    /// How somebody signs in; missing where nobody has to.
    pub sign_in: Option<String>,
    /// What links begin with that are passed on to others, if it isn't the address of the service as it was asked.
    pub share_base: Option<String>,
    /// Whether nobody is asked who they are, and others than the service's machine reach it.
    pub open_to_others: bool,
    /// How much whoever asks may have, and has; missing where nothing bounds it.
    pub quota: Option<Quota>,
}

/// How much somebody may have.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Quota {
    pub bytes: Option<Used>,
    pub files: Option<Used>,
}

/// How much there is, and may be.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Used {
    pub used: u64,
    pub limit: u64,
}

/// Who somebody is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Principal {
    pub kind: String,
    pub name: Option<String>,
    pub role: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<TokenInfo>,
}

impl ApiClient {
    /// Asks to be let in; `client` is what the person sees.
    pub(crate) async fn begin_pairing(
        &self,
        client: &str,
        until: Deadline,
    ) -> Result<NewPairing, CliError> {
        let body = json!({ "client": client });
        let call = self.call(Method::POST, "/v1/pairings", Some(&body), None, until);
        let pairing: NewPairing = parsed(&expect(call.await?, StatusCode::CREATED)?)?;
        let unusable = |what: &str| Err(CliError::Unusable(format!("the server's {what}")));
        if pairing.user_code.chars().count() > MAX_USER_CODE_CHARS {
            return unusable("code is longer than anybody types");
        }
        let page: Option<Uri> = pairing.verify_at.parse().ok();
        let is_page = |uri: &Uri| {
            let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
            let has_user = uri.authority().is_none_or(|it| it.as_str().contains('@'));
            // A code in it would spare the typing that keeps strangers out.
            is_web && !has_user && uri.query().is_none()
        };
        match page.is_some_and(|uri| is_page(&uri)) {
            true => Ok(pairing),
            false => unusable("page to type the code at has no address that can be opened"),
        }
    }

    /// Asks once for the token of a pairing.
    pub(crate) async fn redeem_pairing(
        &self,
        pairing: &NewPairing,
    ) -> Result<Redemption, CliError> {
        let body = json!({ "deviceCode": pairing.device_code });
        let path = "/v1/pairings/redeem";
        let answer = self
            .call_once(Method::POST, path, Some(&body), None)
            .await?;
        if answer.status == StatusCode::ACCEPTED || may_pass(answer.status) {
            return Ok(Redemption::Pending(retry_after(&answer.headers)));
        }
        let token: StoredToken = parsed(&expect(answer, StatusCode::OK)?)?;
        let is_shown_whole = HeaderValue::from_str(&token.token).is_ok() && !token.token.is_empty();
        match is_shown_whole && is_id(&token.id) {
            true => Ok(Redemption::Token(token)),
            false => Err(CliError::Unusable("the server's token is none".to_owned())),
        }
    }

    /// Who this is to the service, asked once.
    pub(crate) async fn session(&self) -> Result<Session, CliError> {
        let call = self.call_once(Method::GET, "/v1/session", None, None);
        parsed(&expect(call.await?, StatusCode::OK)?)
    }

    /// The tokens of whoever asks.
    pub(crate) async fn tokens(&self, until: Deadline) -> Result<Vec<TokenInfo>, CliError> {
        let call = self.call(Method::GET, "/v1/tokens", None, None, until);
        let tokens: Tokens = parsed(&expect(call.await?, StatusCode::OK)?)?;
        Ok(tokens.tokens)
    }

    /// Ends a token.
    pub(crate) async fn revoke_token(&self, id: &str, until: Deadline) -> Result<(), CliError> {
        if !is_id(id) {
            let said = format!("{id} is no ID of a token: fshare tokens lists them");
            return Err(CliError::Usage(said));
        }
        let path = format!("/v1/tokens/{id}");
        let call = self.call(Method::DELETE, &path, None, None, until);
        let answer: Answer = call.await?;
        // The answer to the first attempt was lost, and it had been revoked.
        if answer.repeated && answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        expect(answer, StatusCode::NO_CONTENT).map(|_| ())
    }
}

/// Whether it can stand in a path as it is.
fn is_id(text: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
