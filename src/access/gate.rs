//! What a request has to show to come from somebody.
//!
//! Invariant: whoever shows nothing, or something that doesn't hold, is [`Caller::Nobody`]. A service that
//! trusts whoever comes over loopback trusts nobody whom a proxy brings.
//!
//! Absent on purpose: HTTP. Where in a request a proof stands is the API's business.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::api_token::{ApiTokens, TokenText};
use super::oidc::{Issuer, TokenRefused};
use super::{Caller, LocalKey, Person, Session, SessionId, Sessions};
use crate::domain::Timestamp;
use crate::item_store::{ItemStore, StoreError};

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
    /// An access token of the issuer that people sign in at; what its groups may do is a role.
    Oidc(Issuer),
}

/// Says whom requests come from.
pub struct Gate {
    policy: Policy,
    sessions: Sessions,
    tokens: ApiTokens,
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
        let operator = match &policy {
            Policy::Key(key) => Some(mark_of(key)),
            Policy::Open | Policy::Loopback | Policy::Oidc(_) => None,
        };
        Self {
            policy,
            sessions: Sessions::new(Arc::clone(&items)),
            tokens: ApiTokens::new(items, operator.as_deref()),
        }
    }

    /// The tokens that programs show.
    pub fn tokens(&self) -> &ApiTokens {
        &self.tokens
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
            (Policy::Oidc(issuer), Some(token)) if !TokenText::is_like(token) => {
                of_issuer(issuer, token, now).await?
            }
            (Policy::Key(_) | Policy::Oidc(_), Some(token)) => {
                let caller = self.tokens.verify(token, now).await?;
                caller.map_or(Caller::Nobody, Caller::Token)
            }
            (Policy::Oidc(_), None) => Caller::Nobody,
            (Policy::Key(_), None) => {
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
        let (Policy::Key(key), Some(id)) = (&self.policy, proof.session) else {
            return Ok(None);
        };
        self.sessions.get(id, Some(&mark_of(key)), now).await
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
            Policy::Key(key) => {
                let begun_with = Some(mark_of(key));
                let sessions = &self.sessions;
                let begun = sessions.begin(&Caller::Operator, begun_with, None, now);
                Ok(Some(begun.await?))
            }
        }
    }

    /// Ends the session that a request names, if there is one.
    ///
    /// # Errors
    /// A fault of the store: then the session may go on.
    pub async fn sign_out(&self, proof: Proof<'_>, now: Timestamp) -> Result<(), StoreError> {
        match proof.session {
            Some(id) => self.sessions.end(id, now).await,
            None => Ok(()),
        }
    }

    /// Whether anybody is asked who they are.
    pub fn asks(&self) -> bool {
        matches!(self.policy, Policy::Key(_) | Policy::Oidc(_))
    }

    /// Whether people have to show the key.
    pub fn asks_for_key(&self) -> bool {
        matches!(self.policy, Policy::Key(_))
    }
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::item_store::memory::MemoryItemStore;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn gate(policy: Policy) -> Gate {
        Gate::new(policy, Arc::new(MemoryItemStore::default()))
    }

    fn new_key() -> LocalKey {
        let dir = tempfile::tempdir().unwrap();
        LocalKey::load_or_create(dir.path()).unwrap()
    }

    const NOBODY: Admission = Admission::As(Caller::Nobody);
    const OPERATOR: Admission = Admission::As(Caller::Operator);

    fn bearer(token: &str) -> Proof<'_> {
        Proof {
            bearer: Some(token),
            ..Proof::default()
        }
    }

    fn of_session(id: &SessionId) -> Proof<'_> {
        Proof {
            session: Some(id.expose()),
            ..Proof::default()
        }
    }

    #[tokio::test]
    async fn who_asks_nobody_has_an_operator_whatever_is_shown() {
        let (open, loopback) = (gate(Policy::Open), gate(Policy::Loopback));
        for proof in [Proof::default(), bearer("x")] {
            assert_eq!(open.admit(proof, now()).await.unwrap(), OPERATOR);
            assert_eq!(loopback.admit(proof, now()).await.unwrap(), OPERATOR);
        }
        let forwarded = Proof {
            is_forwarded: true,
            ..Proof::default()
        };
        assert_eq!(open.admit(forwarded, now()).await.unwrap(), OPERATOR);
        let refused = loopback.admit(forwarded, now()).await.unwrap();
        assert_eq!(refused, Admission::BehindUnknownProxy);
        assert!(loopback.sign_in("x", now()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_key_makes_an_operator_and_nothing_else_does() {
        let key = new_key();
        let gate = gate(Policy::Key(key.clone()));
        let key = key.expose();
        assert_eq!(gate.admit(Proof::default(), now()).await.unwrap(), NOBODY);
        assert_eq!(gate.admit(bearer(key), now()).await.unwrap(), OPERATOR);
        let near = format!("{key}0");
        for wrong in ["", "fsk_", &key[1..], &near] {
            let admitted = gate.admit(bearer(wrong), now()).await.unwrap();
            assert_eq!(admitted, NOBODY, "{wrong}");
            assert!(matches!(
                gate.sign_in(wrong, now()).await,
                Err(SignInError::WrongKey)
            ));
        }
    }

    #[tokio::test]
    async fn a_session_makes_an_operator_until_it_is_ended_and_a_wrong_token_beside_it_nobody() {
        let key = new_key();
        let gate = gate(Policy::Key(key.clone()));
        let (id, session) = gate.sign_in(key.expose(), now()).await.unwrap().unwrap();
        let (another, _) = gate.sign_in(key.expose(), now()).await.unwrap().unwrap();
        assert_ne!(id, another);
        let proof = of_session(&id);
        assert_eq!(gate.admit(proof, now()).await.unwrap(), OPERATOR);
        assert_eq!(gate.session(proof, now()).await.unwrap(), Some(session));
        let wrong = Proof {
            bearer: Some("fsk_wrong"),
            ..proof
        };
        assert_eq!(gate.admit(wrong, now()).await.unwrap(), NOBODY);
        let foreign = Proof {
            session: Some("0123"),
            ..proof
        };
        assert_eq!(gate.admit(foreign, now()).await.unwrap(), NOBODY);
        gate.sign_out(proof, now()).await.unwrap();
        assert_eq!(gate.admit(proof, now()).await.unwrap(), NOBODY);
        let other = gate.admit(of_session(&another), now()).await.unwrap();
        assert_eq!(other, OPERATOR);
    }

    #[tokio::test]
    async fn a_session_outlives_the_program_and_ends_with_the_key_that_began_it() {
        let items = Arc::new(MemoryItemStore::default());
        let key = new_key();
        let before = Gate::new(Policy::Key(key.clone()), items.clone());
        let (id, _) = before.sign_in(key.expose(), now()).await.unwrap().unwrap();
        let again = Gate::new(Policy::Key(key), items.clone());
        assert_eq!(again.admit(of_session(&id), now()).await.unwrap(), OPERATOR);
        let replaced = Gate::new(Policy::Key(new_key()), items);
        assert_eq!(
            replaced.admit(of_session(&id), now()).await.unwrap(),
            NOBODY
        );
    }
}
