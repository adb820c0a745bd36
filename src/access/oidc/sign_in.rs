//! A sign-in in a browser: the authorization code flow with PKCE.
//!
//! Invariant: whoever comes back is the browser that was sent (its cookie has the `state`), from the issuer that it
//! was sent to (`iss`), with a code that only whoever has the cookie can exchange (PKCE), for a token that was made
//! for this sign-in (`nonce`).
//!
//! Absent on purpose: sessions, where the cookie is kept, and that a sign-in is ended once, which is for whoever has a
//! store. An issuer refuses a code that is used twice.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::discovery::Metadata;
use super::jose::Unverified;
use super::state_cookie::{self, Pending, SignInTag};
use super::{
    Identity, Issuer, IssuerUnavailable, LEEWAY, ReturnTo, SIGN_IN_TIME, TokenRefused, claims,
};
use crate::domain::Timestamp;

/// How long the query of a callback may be, in bytes.
const MAX_QUERY_BYTES: usize = 8 * 1024;
/// How long an ID token may be, in bytes. It comes from the issuer and not from a caller.
const MAX_ID_TOKEN_BYTES: usize = 32 * 1024;
/// How long whoever signs out waits for the issuer to say where its page for it is.
const SIGN_OUT_WAIT: Duration = Duration::from_secs(3);
/// How much of the issuer's word for a failure is repeated, in characters.
const MAX_ERROR_CHARACTERS: usize = 40;
/// Random bytes of what nobody may guess.
const RANDOM_BYTES: usize = 32;
/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInAs {
    /// As whoever they are at the issuer, if they are signed in there.
    Anybody,
    /// As whom they say: the issuer asks them, whoever is signed in there.
    WhomTheySay,
}

/// Where a browser is sent, and what it keeps until it is back.
pub struct SignInStart {
    /// The issuer's page.
    pub url: String,
    /// Tells the cookie from those of other sign-ins.
    pub tag: SignInTag,
    /// The cookie's value, for ten minutes.
    pub cookie: String,
}

/// Somebody who is back.
pub struct SignedIn {
    /// Who it is.
    pub identity: Identity,
    /// Where they were going.
    pub return_to: ReturnTo,
    /// What the issuer wants to see at the sign-out. A secret.
    pub id_token: String,
    /// Which sign-in this was: the digest of its `state`. It must not be ended again for [`ENDED_ONCE_FOR`].
    pub state_digest: String,
}

/// So long a sign-in could be ended again: its cookie may be of a process whose clock is ahead.
pub const ENDED_ONCE_FOR: Duration =
    Duration::from_secs(SIGN_IN_TIME.as_secs() + 2 * LEEWAY.as_secs());

/// Why somebody isn't signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInFailed {
    /// What came back isn't what an issuer sends.
    #[error("the issuer's answer can't be read")]
    Callback,
    /// The browser didn't begin this, or too long ago.
    #[error("this browser didn't begin the sign-in, or more than ten minutes ago")]
    NotBegun,
    /// It was ended before: the cookie and the address were copied, or shown twice.
    #[error("this sign-in was ended before")]
    EndedBefore,
    /// It comes from another issuer, or doesn't say from which.
    #[error("the answer isn't from the issuer that was asked")]
    OtherIssuer,
    /// The issuer, or the person, said no. The word is the issuer's.
    #[error("the issuer refuses the sign-in: {0}")]
    Refused(String),
    /// The issuer doesn't take the code, or this client. The word is the issuer's.
    #[error("the issuer doesn't take the code: {0}")]
    Code(String),
    /// The ID token isn't right.
    #[error("the issuer's ID token isn't taken: {0}")]
    IdToken(TokenRefused),
    /// The issuer can't be asked.
    #[error(transparent)]
    IssuerUnavailable(#[from] IssuerUnavailable),
    /// The operating system has no random numbers.
    #[error("the operating system has no random numbers")]
    NoRandomNumbers,
}

impl From<TokenRefused> for SignInFailed {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::IssuerUnavailable(why) => Self::IssuerUnavailable(why),
            refused => Self::IdToken(refused),
        }
    }
}

impl Issuer {
    /// Begins a sign-in. The issuer sends the browser back to `redirect_uri`; `secret` signs the cookie.
    ///
    /// # Errors
    /// The issuer can't be asked, or has no page for it.
    pub async fn begin(
        &self,
        (return_to, sign_in_as): (ReturnTo, SignInAs),
        redirect_uri: &str,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<SignInStart, SignInFailed> {
        let metadata = self.0.metadata().await?;
        let page = metadata.authorization.as_ref();
        let page = page.ok_or_else(|| IssuerUnavailable("it names no page to sign in".into()))?;
        let pending = Pending {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            return_to,
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&pending.verifier));
        let mut query = form(&[
            ("response_type", "code"),
            ("client_id", &self.settings().client_id),
            ("redirect_uri", redirect_uri),
            ("scope", &metadata.scopes),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if sign_in_as == SignInAs::WhomTheySay {
            // Of OpenID Connect's words the one that every issuer has to know.
            query.push_str("&prompt=login");
        }
        Ok(SignInStart {
            url: with_query(page, &query),
            tag: SignInTag::of(&pending.state),
            cookie: state_cookie::seal(&pending, secret, now),
        })
    }

    /// Ends a sign-in: `query` is that of the callback, without its `?`, and `cookie` what the browser kept.
    ///
    /// # Errors
    /// Why nobody is signed in.
    pub async fn finish(
        &self,
        query: &str,
        cookie: Option<&str>,
        redirect_uri: &str,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<SignedIn, SignInFailed> {
        let callback = Callback::parse(query)?;
        let pending = cookie.and_then(|cookie| state_cookie::open(cookie, secret, now));
        let pending = pending.ok_or(SignInFailed::NotBegun)?;
        let state = callback.state.ok_or(SignInFailed::NotBegun)?;
        if !bool::from(state.as_bytes().ct_eq(pending.state.as_bytes())) {
            return Err(SignInFailed::NotBegun);
        }
        let metadata = self.0.metadata().await?;
        match callback.issuer {
            Some(issuer) if issuer == self.settings().issuer => {}
            None if !metadata.names_itself_in_callback => {}
            _ => return Err(SignInFailed::OtherIssuer),
        }
        if let Some(error) = callback.error {
            return Err(SignInFailed::Refused(word(&error)));
        }
        let code = callback.code.ok_or(SignInFailed::Callback)?;
        let id_token = self
            .exchange(&metadata, &code, &pending.verifier, redirect_uri)
            .await?;
        let token = Unverified::parse(&id_token).map_err(TokenRefused::from)?;
        let claims = self.verified(&token).await?;
        let kind = token.kind.as_deref();
        let identity = claims::of_id_token(&claims, kind, self.settings(), &pending.nonce, now)?;
        Ok(SignedIn {
            identity,
            return_to: pending.return_to,
            id_token,
            state_digest: hex::encode(Sha256::digest(&pending.state)),
        })
    }

    /// The ID token for a code.
    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> Result<String, SignInFailed> {
        let settings = self.settings();
        let unavailable = |why: &str| IssuerUnavailable(format!("its token endpoint: {why}"));
        let endpoint = metadata.token.as_ref();
        let endpoint = endpoint.ok_or_else(|| unavailable("it names none"))?;
        let permit = self.0.exchanges.try_acquire();
        let _permit = permit.map_err(|_| unavailable("too many sign in at a time"))?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let authorization = match &settings.client_secret {
            Some(secret) => {
                let [id, secret] = [&settings.client_id, secret.expose()].map(encoded);
                let basic = STANDARD.encode(format!("{id}:{secret}"));
                HeaderValue::try_from(format!("Basic {basic}")).ok()
            }
            None => {
                fields.push(("client_id", &settings.client_id));
                None
            }
        };
        let answer = self
            .0
            .http
            .post_form(endpoint, form(&fields), authorization);
        let answer = answer.await.map_err(|why| unavailable(&why))?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        match (answer.status, text("error")) {
            (StatusCode::OK, _) => {}
            (status, Some(error)) if status.is_client_error() => {
                return Err(SignInFailed::Code(word(error)));
            }
            (status, _) => {
                let why = format!("it answers {}", status.as_u16());
                return Err(unavailable(&why).into());
            }
        }
        let id_token = text("id_token").filter(|it| it.len() <= MAX_ID_TOKEN_BYTES);
        let id_token = id_token.ok_or(SignInFailed::IdToken(TokenRefused::NotAToken))?;
        Ok(id_token.to_owned())
    }

    /// Where a browser goes to end the session at the issuer as well; `None`: it has no page for that, or it never
    /// said so and can't be asked within `SIGN_OUT_WAIT`. Without a hint the issuer may ask who signs out.
    pub async fn end_session_url(
        &self,
        id_token_hint: Option<&str>,
        post_logout_uri: &str,
    ) -> Option<String> {
        let asked = tokio::time::timeout(SIGN_OUT_WAIT, self.0.metadata()).await;
        let known = asked.ok().and_then(Result::ok);
        let metadata = known.or_else(|| self.0.metadata.value())?;
        let hint = id_token_hint.map(|token| ("id_token_hint", token));
        let fields = [
            ("client_id", self.settings().client_id.as_str()),
            ("post_logout_redirect_uri", post_logout_uri),
            // Cognito's name for it, without which it answers 400 and ends nothing. Other issuers have to ignore it.
            ("logout_uri", post_logout_uri),
        ];
        let fields: Vec<(&str, &str)> = hint.into_iter().chain(fields).collect();
        Some(with_query(metadata.end_session.as_ref()?, &form(&fields)))
    }
}

/// Which sign-in a callback's query says that it ends; `None` if it can't be read, or doesn't say.
pub fn tag_of_callback(query: &str) -> Option<SignInTag> {
    let state = Callback::parse(query).ok()?.state?;
    Some(SignInTag::of(&state))
}

/// Which of the cookies of earlier sign-ins a browser has to forget that is given this one.
pub fn superfluous(
    start: &SignInStart,
    kept: &[(SignInTag, &str)],
    secret: &[u8],
    now: Timestamp,
) -> Vec<SignInTag> {
    state_cookie::superfluous(kept, start.cookie.len(), secret, now)
}

/// What the issuer sends with the browser.
#[derive(Default)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
}

impl Callback {
    fn parse(query: &str) -> Result<Self, SignInFailed> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(SignInFailed::Callback);
        }
        let mut callback = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "state" => &mut callback.state,
                "code" => &mut callback.code,
                "iss" => &mut callback.issuer,
                "error" => &mut callback.error,
                _ => continue,
            };
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8();
            let value = value.map_err(|_| SignInFailed::Callback)?.into_owned();
            // Which of two counts is what attacks are made of.
            if place.replace(value).is_some() {
                return Err(SignInFailed::Callback);
            }
        }
        Ok(callback)
    }
}

/// What an issuer calls a failure, if it is a word at all.
fn word(error: &str) -> String {
    let is_plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    let word = error.chars().filter(is_plain);
    word.take(MAX_ERROR_CHARACTERS).collect()
}

fn random() -> Result<String, SignInFailed> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| SignInFailed::NoRandomNumbers)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn with_query(page: &http::Uri, query: &str) -> String {
    let separator = if page.query().is_some() { '&' } else { '?' };
    format!("{page}{separator}{query}")
}
