//! What an issuer says of itself.
//!
//! Invariant: it names itself exactly as it is configured, and no address that it names is less protected than its
//! own.

use http::Uri;
use serde_json::Value;

use super::http::{Answer, Http};

/// How long an address of an issuer may be, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// The scopes that are asked for, as far as the issuer knows them. The first is what makes it a sign-in.
const SCOPES: [&str; 4] = ["openid", "profile", "email", "groups"];
/// What is asked for if an issuer doesn't say which scopes it knows.
const USUAL_SCOPES: &str = "openid profile email";

#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) keys: Uri,
    pub(super) authorization: Option<Uri>,
    pub(super) token: Option<Uri>,
    pub(super) end_session: Option<Uri>,
    /// RFC 9207: what comes back from a sign-in names the issuer.
    pub(super) names_itself_in_callback: bool,
    pub(super) scopes: String,
}

/// Where an issuer says it.
pub(super) fn address(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
}

/// The body of an answer that says 200.
pub(super) fn ok(answer: Answer) -> Result<bytes::Bytes, String> {
    match answer.status {
        http::StatusCode::OK => Ok(answer.body),
        status if status.is_redirection() => Err(format!(
            "it answers {}, and redirects aren't followed",
            status.as_u16()
        )),
        status => Err(format!("it answers {}", status.as_u16())),
    }
}

impl Metadata {
    /// # Errors
    /// What isn't right about it.
    pub(super) fn parse(body: &[u8], issuer: &str, http: &Http) -> Result<Self, String> {
        let said: Value = serde_json::from_slice(body).map_err(|_| "it isn't JSON")?;
        if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(
                "it names another issuer than OIDC_ISSUER, which must be equal to it".into(),
            );
        }
        let address = |name: &str| match said.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => match text.parse::<Uri>() {
                Ok(uri) if text.len() <= MAX_URL_BYTES && http.may_ask(&uri) => Ok(Some(uri)),
                _ => Err(format!("its {name} isn't an address that may be asked")),
            },
            Some(_) => Err(format!("its {name} isn't text")),
        };
        let scopes = match said.get("scopes_supported") {
            Some(Value::Array(known)) => {
                let known = |name: &&str| *name == SCOPES[0] || known.iter().any(|it| it == *name);
                let asked: Vec<&str> = SCOPES.into_iter().filter(known).collect();
                asked.join(" ")
            }
            _ => USUAL_SCOPES.to_owned(),
        };
        Ok(Self {
            keys: address("jwks_uri")?.ok_or("it names no jwks_uri")?,
            authorization: address("authorization_endpoint")?,
            token: address("token_endpoint")?,
            end_session: address("end_session_endpoint")?,
            names_itself_in_callback: said.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            scopes,
        })
    }
}
