//! The gate of a service whose people sign in at an issuer.
//!
//! Invariant: whoever comes back from the issuer gets a session of their own, once for each time they were sent there.
//! An issuer that can't be asked makes nobody out of somebody.
//!
//! Absent on purpose: the flow itself, and what a token has to claim ([`crate::access::oidc`]).

use std::sync::Arc;

use super::{Gate, Policy};
use crate::access::oidc::{
    self, ENDED_ONCE_FOR, Identity, Issuer, ReturnTo, SignInAs, SignInFailed, SignInStart,
    SignInTag, SignedIn, TokenRefused,
};
use crate::access::{Caller, Session, SessionId};
use crate::domain::{Invalid, Timestamp, UserId};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, StoreError};

/// How errors call where it is kept which sign-ins were ended.
const SIGN_INS: &str = "the sign-ins that were ended";

/// A browser that is sent to the issuer.
pub struct SentToIssuer {
    /// Where it goes, and the cookie that it keeps.
    pub start: SignInStart,
    /// Whose cookies it has to forget: it has too many.
    pub superfluous: Vec<SignInTag>,
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

impl Gate {
    /// Sends a browser to the issuer, which sends it back to `redirect_uri`; `None` where people don't sign in at
    /// one. `kept`: the cookies of its earlier sign-ins.
    ///
    /// # Errors
    /// The issuer can't be asked.
    pub async fn begin_at_issuer(
        &self,
        to: (ReturnTo, SignInAs),
        redirect_uri: &str,
        kept: &[(SignInTag, &str)],
        now: Timestamp,
    ) -> Result<Option<SentToIssuer>, SignInFailed> {
        let Policy::Oidc(at) = &self.policy else {
            return Ok(None);
        };
        let start = at.issuer.begin(to, redirect_uri, &at.secret, now).await?;
        let superfluous = oidc::superfluous(&start, kept, &at.secret, now);
        Ok(Some(SentToIssuer { start, superfluous }))
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
            state_digest,
        } = finished.await?;
        let Some(person) = identity.person else {
            return Err(NotSignedIn::NoRole {
                user: identity.user_id,
            });
        };
        let caller = Caller::User(person);
        if !self.note_ended(&state_digest, now).await? {
            return Err(SignInFailed::EndedBefore.into());
        }
        let (sessions, fingerprint) = (&self.sessions, self.fingerprint.clone());
        let begun = sessions.begin(&caller, fingerprint, Some(id_token), now);
        let (id, session) = begun.await?;
        Ok(Some(BegunAtIssuer {
            id,
            session,
            return_to,
        }))
    }

    /// Notes that this sign-in was ended, so that it is ended once, whatever its issuer thinks of a second time. Only
    /// what the issuer vouched for is written, so nobody fills the store with what they made up. `false`: it was.
    async fn note_ended(&self, state_digest: &str, now: Timestamp) -> Result<bool, StoreError> {
        let corrupt = |invalid: Invalid| StoreError::corrupt(SIGN_INS, invalid.0);
        let key = ItemKey::new(ItemKind::SignIn, state_digest).map_err(corrupt)?;
        let body = ItemBody::of(&()).map_err(corrupt)?;
        let ended = Item::new(key, None, now + ENDED_ONCE_FOR, body);
        self.items.put_new(&ended, now).await
    }

    /// Where a browser goes to be signed out at the issuer as well, which sends it back to `return_to`. Asks the
    /// issuer, for a bounded time, if it never said.
    pub async fn sign_out_at(&self, session: &Session, return_to: &str) -> Option<String> {
        let Policy::Oidc(at) = &self.policy else {
            return None;
        };
        let url = at
            .issuer
            .end_session_url(session.id_token.as_deref(), return_to);
        url.await
    }
}

/// Whom an access token of the issuer's is about. Nobody, if it isn't right or its groups have no role; why is for
/// the log alone.
pub(super) async fn caller_of(
    issuer: &Issuer,
    token: &str,
    now: Timestamp,
) -> Result<Caller, StoreError> {
    let identity = identity_of(issuer, token, now).await?;
    Ok(identity.map_or(Caller::Nobody, |identity| caller_by(&identity)))
}

/// The same, if the token was verified a moment ago.
pub(super) fn recalled(issuer: &Issuer, token: &str, now: Timestamp) -> Option<Caller> {
    let identity = issuer.recall(token, now)?;
    Some(caller_by(&identity))
}

fn caller_by(identity: &Identity) -> Caller {
    match &identity.person {
        Some(person) => Caller::User(Arc::clone(person)),
        None => {
            tracing::debug!(user = %identity.user_id, "none of a person's groups has a role");
            Caller::Nobody
        }
    }
}

/// Whom an access token of the issuer's is about; `None` if it isn't right.
pub(super) async fn identity_of(
    issuer: &Issuer,
    token: &str,
    now: Timestamp,
) -> Result<Option<Arc<Identity>>, StoreError> {
    match issuer.verify_bearer(token, now).await {
        Ok(identity) => Ok(Some(identity)),
        Err(unavailable @ TokenRefused::IssuerUnavailable(_)) => {
            Err(StoreError::unavailable("the issuer", unavailable))
        }
        Err(refused) => {
            tracing::debug!(%refused, "an access token isn't taken");
            Ok(None)
        }
    }
}
