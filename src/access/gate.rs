//! What a request has to show to come from somebody.
//!
//! Invariant: whoever shows nothing, or something that doesn't hold, is [`Caller::Nobody`]. A service that
//! trusts whoever comes over loopback trusts nobody whom a proxy brings.
//!
//! Absent on purpose: HTTP. Where in a request a proof stands is the API's business.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::api_token::{ApiTokens, TokenText};
use super::oidc::{Issuer, ReturnTo, SignInFailed, SignInStart, SignedIn, TokenRefused};
use super::pairing::Pairings;
use super::{Caller, LocalKey, Person, Session, SessionId, Sessions};
use crate::config::Groups;
use crate::domain::{Timestamp, UserId};
use crate::item_store::{ItemStore, StoreError};
use crate::secret_file::{SecretError, SecretFile};

/// Which proof is asked for.
#[derive(Debug)]
pub enum Policy {
    /// None: everybody who reaches the service is its operator.
    Open,
    /// None, since only this machine reaches the service; but a request that a proxy passed on may be
    /// anybody's.
    Loopback,
    /// The local key, which makes its holder the operator, or a session that was begun with it.
    Key(LocalKey),
    /// An access token of the issuer that people sign in at, or a session that was begun there; what their groups
    /// may do is a role.
    Oidc(SignInAt),
}

/// The issuer that people sign in at.
pub struct SignInAt {
    /// The issuer.
    pub issuer: Issuer,
    /// Signs what a browser keeps meanwhile; the same in all processes of a service.
    pub secret: Vec<u8>,
}

/// Where the secret lies, where no operator gave one.
const SECRET_FILE: SecretFile = SecretFile {
    name: "session-secret",
    prefix: "",
    what: "a session secret",
    renewal: "ends the sign-ins that are under way",
};

impl SignInAt {
    /// The secret in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant for the start of
    /// a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn secret_in(data_dir: &Path) -> Result<String, SecretError> {
        SECRET_FILE.load_or_create(data_dir)
    }
}

impl fmt::Debug for SignInAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignInAt").field(&self.issuer).finish()
    }
}

/// How people sign in with a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInWith {
    /// With the local key.
    Key,
    /// At an issuer.
    Issuer,
}

/// Says whom requests come from.
pub struct Gate {
    policy: Policy,
    /// What sessions are begun with now: those of another key, issuer or order of roles are over.
    mark: Option<String>,
    sessions: Sessions,
    tokens: ApiTokens,
    pairings: Pairings,
}

/// What a request shows of who sends it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof<'a> {
    /// The token of an `Authorization: Bearer`.
    pub bearer: Option<&'a str>,
    /// The ID in a session's cookie.
    pub session: Option<&'a str>,
    /// Whether a proxy says that it passes the request on.
    pub is_forwarded: bool,
}

/// Who a request comes from, if that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// From this caller.
    As(Caller),
    /// A proxy passes requests on to a service that trusts all of loopback: nothing is done for it.
    BehindUnknownProxy,
}

impl Gate {
    /// The gate that asks for this proof; sessions are kept in `items`.
    pub fn new(policy: Policy, items: Arc<dyn ItemStore>) -> Self {
        let mark = match &policy {
            Policy::Key(key) => Some(mark_of(key)),
            Policy::Oidc(at) => Some(mark_of_issuer(&at.issuer)),
            Policy::Open | Policy::Loopback => None,
        };
        let operator = mark.as_deref().filter(|_| matches!(policy, Policy::Key(_)));
        Self {
            tokens: ApiTokens::new(Arc::clone(&items), operator),
            pairings: Pairings::new(Arc::clone(&items), operator),
            sessions: Sessions::new(items),
            mark,
            policy,
        }
    }

    /// The tokens that programs show.
    pub fn tokens(&self) -> &ApiTokens {
        &self.tokens
    }

    /// The programs that wait to be let in.
    pub fn pairings(&self) -> &Pairings {
        &self.pairings
    }

    /// Who sends a request that shows this. A session that it names is used now. Of several proofs the token
    /// counts: it was chosen for this request, and a cookie goes along by itself.
    ///
    /// # Errors
    /// A fault of the store that sessions are in.
    pub async fn admit(&self, proof: Proof<'_>, now: Timestamp) -> Result<Admission, StoreError> {
        let caller = match (&self.policy, proof.bearer) {
            (Policy::Open, _) => Caller::Operator,
            (Policy::Loopback, _) if proof.is_forwarded => {
                return Ok(Admission::BehindUnknownProxy);
            }
            (Policy::Loopback, _) => Caller::Operator,
            (Policy::Key(key), Some(token)) if key.is(token) => Caller::Operator,
            (Policy::Oidc(at), Some(token)) if !TokenText::is_like(token) => {
                // Asking an issuer takes much room, and every request would carry it through every layer.
                Box::pin(of_issuer(&at.issuer, token, now)).await?
            }
            (Policy::Key(_) | Policy::Oidc(_), Some(token)) => {
                let caller = self.tokens.verify(token, now).await?;
                caller.map_or(Caller::Nobody, Caller::Token)
            }
            (Policy::Key(_) | Policy::Oidc(_), None) => {
                let session = self.session(proof, now).await?;
                session.map_or(Caller::Nobody, |session| session.caller)
            }
        };
        Ok(Admission::As(caller))
    }

    /// The session that a request names, if it isn't over; it is used now.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn session(
        &self,
        proof: Proof<'_>,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let (Some(mark), Some(id)) = (&self.mark, proof.session) else {
            return Ok(None);
        };
        self.sessions.get(id, Some(mark), now).await
    }

    /// Begins a session with the key; `None` where none is asked for.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Session)>, SignInError> {
        match &self.policy {
            Policy::Open | Policy::Loopback => Ok(None),
            Policy::Oidc(_) => Err(SignInError::WrongKey),
            Policy::Key(key) if !key.is(text) => Err(SignInError::WrongKey),
            Policy::Key(_) => {
                let (sessions, mark) = (&self.sessions, self.mark.clone());
                let begun = sessions.begin(&Caller::Operator, mark, None, now);
                Ok(Some(begun.await?))
            }
        }
    }

    /// Sends a browser to the issuer, which sends it back to `redirect_uri`; `None` where people don't sign in at
    /// one.
    ///
    /// # Errors
    /// The issuer can't be asked.
    pub async fn begin_at_issuer(
        &self,
        return_to: ReturnTo,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<Option<SignInStart>, SignInFailed> {
        let Policy::Oidc(at) = &self.policy else {
            return Ok(None);
        };
        let started = at.issuer.begin(return_to, redirect_uri, &at.secret, now);
        started.await.map(Some)
    }

    /// Begins a session for whom the issuer sent back with `query` to a browser that kept `cookie`; `None` where
    /// people don't sign in at one.
    ///
    /// # Errors
    /// [`NotSignedIn`].
    pub async fn finish_at_issuer(
        &self,
        query: &str,
        cookie: Option<&str>,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<Option<BegunAtIssuer>, NotSignedIn> {
        let Policy::Oidc(at) = &self.policy else {
            return Ok(None);
        };
        let (issuer, secret) = (&at.issuer, &at.secret);
        let finished = issuer.finish(query, cookie, redirect_uri, secret, now);
        let SignedIn {
            identity,
            return_to,
            id_token,
        } = finished.await?;
        let Some(role) = identity.role(issuer.settings()) else {
            return Err(NotSignedIn::NoRole {
                user: identity.user_id,
            });
        };
        let caller = Caller::User(Arc::new(Person {
            id: identity.user_id,
            role,
            name: identity.name,
        }));
        let (sessions, mark) = (&self.sessions, self.mark.clone());
        let begun = sessions.begin(&caller, mark, Some(id_token), now);
        let (id, session) = begun.await?;
        Ok(Some(BegunAtIssuer {
            id,
            session,
            return_to,
        }))
    }

    /// Where a browser goes to be signed out at the issuer as well, which sends it back to `return_to`.
    pub fn sign_out_at(&self, session: &Session, return_to: &str) -> Option<String> {
        let Policy::Oidc(at) = &self.policy else {
            return None;
        };
        let id_token = session.id_token.as_deref()?;
        at.issuer.end_session_url(id_token, return_to)
    }

    /// The issuer that people sign in at, if they do.
    pub fn issuer(&self) -> Option<&Issuer> {
        match &self.policy {
            Policy::Oidc(at) => Some(&at.issuer),
            Policy::Open | Policy::Loopback | Policy::Key(_) => None,
        }
    }

    /// Ends the session with this ID that a request names, if there is one.
    ///
    /// # Errors
    /// A fault of the store: then the session may go on.
    pub async fn sign_out(&self, id: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        match id {
            Some(id) => self.sessions.end(id, now).await,
            None => Ok(()),
        }
    }

    /// Whether anybody is asked who they are.
    pub fn asks(&self) -> bool {
        self.sign_in_with().is_some()
    }

    /// How people sign in with a browser; `None` where nobody is asked.
    pub fn sign_in_with(&self) -> Option<SignInWith> {
        match &self.policy {
            Policy::Open | Policy::Loopback => None,
            Policy::Key(_) => Some(SignInWith::Key),
            Policy::Oidc(_) => Some(SignInWith::Issuer),
        }
    }
}

/// A session that began at the issuer.
#[derive(Debug)]
pub struct BegunAtIssuer {
    /// What the browser keeps.
    pub id: SessionId,
    /// Whose it is.
    pub session: Session,
    /// Where they were going.
    pub return_to: ReturnTo,
}

/// Why somebody who was at the issuer isn't signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// What came back isn't a sign-in, or can't be checked.
    #[error(transparent)]
    Failed(#[from] SignInFailed),
    /// The issuer knows them, and none of their groups has a role.
    #[error("none of this person's groups may use the service")]
    NoRole {
        /// Who it is.
        user: UserId,
    },
    /// The session couldn't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whom an access token of the issuer's is about. Nobody, if it isn't right or its groups have no role; why is for
/// the log alone.
async fn of_issuer(issuer: &Issuer, token: &str, now: Timestamp) -> Result<Caller, StoreError> {
    const ISSUER: &str = "the issuer";
    let identity = match issuer.verify_bearer(token, now).await {
        Ok(identity) => identity,
        Err(unavailable @ TokenRefused::IssuerUnavailable(_)) => {
            return Err(StoreError::unavailable(ISSUER, unavailable));
        }
        Err(refused) => {
            tracing::debug!(%refused, "an access token isn't taken");
            return Ok(Caller::Nobody);
        }
    };
    let Some(role) = identity.role(issuer.settings()) else {
        tracing::debug!(user = %identity.user_id, "none of a person's groups has a role");
        return Ok(Caller::Nobody);
    };
    Ok(Caller::User(Arc::new(Person {
        id: identity.user_id,
        role,
        name: identity.name.clone(),
    })))
}

/// Tells what was begun or made with this key from that of the key before it. The key can't be told from it.
fn mark_of(key: &LocalKey) -> String {
    let digest = Sha256::new()
        .chain_update("file-share session mark 1\n")
        .chain_update(key.expose())
        .finalize();
    hex::encode(&digest[..8])
}

/// Tells what was begun at this issuer, under these roles, from what was begun otherwise.
fn mark_of_issuer(issuer: &Issuer) -> String {
    let settings = issuer.settings();
    let groups = [&settings.admins, &settings.members, &settings.guests].map(Groups::names);
    let meant = serde_json::json!([
        settings.issuer,
        settings.client_id,
        settings.roles_claim,
        groups,
    ]);
    let digest = Sha256::new()
        .chain_update("file-share session mark 2\n")
        .chain_update(meant.to_string())
        .finalize();
    hex::encode(&digest[..8])
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Another key was shown.
    #[error("this isn't the key of this service")]
    WrongKey,
    /// The session couldn't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests;
