//! What a request has to show to come from somebody.
//!
//! Invariant: whoever shows nothing, or something that doesn't hold, is [`Caller::Nobody`]. A service that
//! trusts whoever comes over loopback trusts nobody whom a proxy brings.
//!
//! Absent on purpose: HTTP. Where in a request a proof stands is the API's business.

mod at_issuer;
mod policy;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub use self::at_issuer::{BegunAtIssuer, NotSignedIn, SentToIssuer};
pub use self::policy::{Policy, SESSION_SECRET_FILE, SignInAt, SignInWith};
use super::api_token::{ApiTokens, Recalled as RecalledToken, TokenText};
use super::oidc::Issuer;
use super::pairing::Pairings;
use super::revocation::{Revocations, SecurityStamp};
use super::sessions::Recalled as RecalledSession;
use super::{Caller, LocalKey, Session, SessionId, SessionRef, Sessions, TokenCaller};
use crate::capability_token::{CapabilityKeys, CapabilityLabel};
use crate::client_address::ClientNetwork;
use crate::config::Groups;
use crate::domain::{FileId, Timestamp, UserId};
use crate::item_store::{ItemStore, StoreError};
use crate::rate_limits::{Rate, RateLimiter};

/// Says whom requests come from.
pub struct Gate {
    policy: Policy,
    /// The fingerprint of what sessions are begun with now: those of another key, issuer or order of roles are over.
    fingerprint: Option<String>,
    items: Arc<dyn ItemStore>,
    sessions: Sessions,
    tokens: ApiTokens,
    pairings: Pairings,
    revocations: Revocations,
    /// What the tokens of those are signed with who handed in files.
    submissions: Option<CapabilityKeys>,
    /// Of what is wrong, by what it would be and from where it comes.
    tries: Option<RateLimiter<(Secret, ClientNetwork)>>,
}

/// What somebody may be wrong about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Secret {
    Key,
    Token,
    Session,
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
    /// From where it comes; `None` if nobody knows.
    pub address: Option<IpAddr>,
}

/// Who a request comes from, if that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// From this caller.
    As(Caller),
    /// A proxy passes requests on to a service that trusts all of loopback: nothing is done for it.
    BehindUnknownProxy,
    /// Its address was wrong too often: nothing more is looked at for so long.
    TooManyTries(Duration),
}

impl Gate {
    /// The gate that asks for this proof; sessions are kept in `items`.
    pub fn new(policy: Policy, items: Arc<dyn ItemStore>) -> Self {
        let fingerprint = match &policy {
            Policy::Key(key) => Some(fingerprint_of(key)),
            Policy::Oidc(at) => Some(fingerprint_of_issuer(&at.issuer)),
            Policy::Open | Policy::Loopback => None,
        };
        let operator = fingerprint
            .as_deref()
            .filter(|_| matches!(policy, Policy::Key(_)));
        Self {
            tokens: ApiTokens::new(Arc::clone(&items), operator),
            pairings: Pairings::new(Arc::clone(&items), operator),
            sessions: Sessions::new(Arc::clone(&items)),
            revocations: Revocations::new(Arc::clone(&items)),
            items,
            fingerprint,
            policy,
            submissions: None,
            tries: None,
        }
    }

    /// The same that lets an address be wrong about keys and tokens no more often than this.
    #[must_use]
    pub fn limiting_tries(self, rate: Option<Rate>) -> Self {
        Self {
            tries: rate.map(RateLimiter::new),
            ..self
        }
    }

    /// The same that knows whoever handed in a file, by a token of these keys.
    #[must_use]
    pub fn knowing_submissions(self, keys: CapabilityKeys) -> Self {
        Self {
            submissions: Some(keys),
            ..self
        }
    }

    /// The file that a submission token stands for.
    fn submitted(&self, bearer: Option<&str>) -> Option<FileId> {
        let (keys, token) = (self.submissions.as_ref()?, bearer?);
        let id = keys.verify(CapabilityLabel::Submission, token)?;
        FileId::from_bytes(*id.as_bytes())
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
        if let Some(file) = self.submitted(proof.bearer) {
            // Also where whoever shows it could be more: it was chosen for this request.
            return Ok(match (&self.policy, proof.is_forwarded) {
                (Policy::Loopback, true) => Admission::BehindUnknownProxy,
                _ => Admission::As(Caller::Submitter(file)),
            });
        }
        let caller = match (&self.policy, proof.bearer) {
            (Policy::Open, _) => Caller::Operator,
            (Policy::Loopback, _) if proof.is_forwarded => {
                return Ok(Admission::BehindUnknownProxy);
            }
            (Policy::Loopback, _) => Caller::Operator,
            (Policy::Key(key), Some(token)) if key.is(token) => Caller::Operator,
            (Policy::Oidc(at), Some(token)) if !TokenText::is_like(token) => {
                match at_issuer::recalled(&at.issuer, token, now) {
                    Some(caller) => caller,
                    // Rare, and large: every request would carry it through every layer.
                    None => Box::pin(at_issuer::caller_of(&at.issuer, token, now)).await?,
                }
            }
            (Policy::Key(_) | Policy::Oidc(_), Some(token)) => {
                return self.admit_token(token, proof.address, now).await;
            }
            (Policy::Key(_) | Policy::Oidc(_), None) => {
                return self.admit_session(proof, now).await;
            }
        };
        Ok(Admission::As(caller))
    }

    /// Who calls with what isn't the key, and so may be a token.
    async fn admit_token(
        &self,
        text: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        if !TokenText::is_like(text) {
            return Ok(match self.note_wrong(Secret::Key, address) {
                Ok(()) => Admission::As(Caller::Nobody),
                Err(again_in) => Admission::TooManyTries(again_in),
            });
        }
        // A program whose token held a moment ago goes on, whoever guesses beside it.
        let (digest, is_guess) = match self.tokens.recall(text, now) {
            RecalledToken::NoToken => return Ok(as_token(None)),
            RecalledToken::Fresh(caller) => return Ok(as_token(caller)),
            RecalledToken::HeldBefore(digest) => (digest, false),
            RecalledToken::Unknown(digest) => (digest, true),
        };
        if let Some(again_in) = self.wait(Secret::Token, address).filter(|_| is_guess) {
            return Ok(Admission::TooManyTries(again_in));
        }
        // Rare, and large: every request would carry it through every layer.
        let caller = Box::pin(self.tokens.look_up(&digest, now)).await?;
        if caller.is_none() && is_guess {
            // Those that are looked up at this moment aren't counted, so that programs which start together don't
            // keep each other out. They may go beyond the limit by as many as calls are in hand at a time.
            let _ = self.note_wrong(Secret::Token, address);
        }
        Ok(as_token(caller))
    }

    /// Who calls by a session, if they do. A browser whose session held a moment ago goes on, as in
    /// [`Self::admit_token`].
    async fn admit_session(
        &self,
        proof: Proof<'_>,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (Some(fingerprint), Some(id)) = (self.fingerprint.as_deref(), proof.session) else {
            return Ok(Admission::As(Caller::Nobody));
        };
        let (session, is_guess) = match self.sessions.recall(id, Some(fingerprint), now) {
            RecalledSession::NoId => return Ok(as_session(None)),
            RecalledSession::Fresh(session) => return Ok(as_session(session)),
            RecalledSession::HeldBefore(session) => (session, false),
            RecalledSession::Unknown(session) => (session, true),
        };
        let (secret, address) = (Secret::Session, proof.address);
        if let Some(again_in) = self.wait(secret, address).filter(|_| is_guess) {
            return Ok(Admission::TooManyTries(again_in));
        }
        // Rare, and large: every request would carry it through every layer.
        let looking = Box::pin(self.sessions.look_up(session, Some(fingerprint), now));
        let session = looking.await?;
        if session.is_none() && is_guess {
            let _ = self.note_wrong(secret, address);
        }
        Ok(as_session(session))
    }

    /// How long this address has to wait before something is looked at that it shows as this.
    fn wait(&self, secret: Secret, address: Option<IpAddr>) -> Option<Duration> {
        let whose = (secret, ClientNetwork::of(address?));
        self.tries.as_ref()?.wait(&whose, Instant::now())
    }

    /// Counts something that was wrong.
    fn note_wrong(&self, secret: Secret, address: Option<IpAddr>) -> Result<(), Duration> {
        let (Some(tries), Some(address)) = (&self.tries, address) else {
            return Ok(());
        };
        let whose = (secret, ClientNetwork::of(address));
        tries.take(whose, Instant::now()).map(drop)
    }

    /// The session that a request names, if it isn't over; it is used now.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn session(
        &self,
        proof: Proof<'_>,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let (Some(fingerprint), Some(id)) = (&self.fingerprint, proof.session) else {
            return Ok(None);
        };
        self.sessions.get(id, Some(fingerprint), now).await
    }

    /// Begins a session with the key; `None` where none is asked for. `address`: from where it was shown.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        &self,
        text: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Session)>, SignInError> {
        match &self.policy {
            Policy::Open | Policy::Loopback => Ok(None),
            Policy::Oidc(_) => Err(SignInError::WrongKey),
            // The right one begins a session whoever guesses beside its holder: it has 256 bits, so what is bounded
            // is what guessing costs, and not whether it could succeed.
            Policy::Key(key) if !key.is(text) => {
                let noted = self.note_wrong(Secret::Key, address);
                Err(noted.map_or_else(SignInError::TooManyTries, |()| SignInError::WrongKey))
            }
            Policy::Key(_) => {
                let (sessions, fingerprint) = (&self.sessions, self.fingerprint.clone());
                let begun = sessions.begin(&Caller::Operator, fingerprint, None, now);
                Ok(Some(begun.await?))
            }
        }
    }

    /// The issuer that people sign in at, if they do.
    pub fn issuer(&self) -> Option<&Issuer> {
        match &self.policy {
            Policy::Oidc(at) => Some(&at.issuer),
            Policy::Open | Policy::Loopback | Policy::Key(_) => None,
        }
    }

    /// Whose session this is; `None` if it is over.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn caller_of(
        &self,
        session: &SessionRef,
        now: Timestamp,
    ) -> Result<Option<Caller>, StoreError> {
        let caller = self
            .sessions
            .caller_of(session, self.fingerprint.as_deref(), now);
        caller.await
    }

    /// Ends this session, if it isn't over.
    ///
    /// # Errors
    /// As [`Self::sign_out`].
    pub async fn end(&self, session: &SessionRef, now: Timestamp) -> Result<(), StoreError> {
        self.sessions.end_referred(session, now).await
    }

    /// The stamp of what a request shows, for what is to be made by it; `None`: everything of that person's was
    /// revoked since.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn stamp(
        &self,
        proof: Proof<'_>,
        now: Timestamp,
    ) -> Result<Option<SecurityStamp>, StoreError> {
        match (&self.policy, proof.bearer) {
            (Policy::Oidc(at), Some(token)) if !TokenText::is_like(token) => {
                let Some(identity) = at_issuer::identity_of(&at.issuer, token, now).await? else {
                    return Ok(None);
                };
                let (user, issued_at) = (identity.user_id, identity.issued_at);
                let stamp = self.revocations.stamp_for_token(user, issued_at, now);
                stamp.await
            }
            (_, Some(_)) => Ok(Some(SecurityStamp::default())),
            (_, None) => {
                let session = self.session(proof, now).await?;
                Ok(Some(session.map(|it| it.stamp.clone()).unwrap_or_default()))
            }
        }
    }

    /// Ends all sessions and tokens of this person, and what programs they let in: all that was made so far, and all
    /// that is still made from it.
    ///
    /// # Errors
    /// A fault of the store: then some of it may hold.
    pub async fn revoke_all_of(&self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        // What comes behind this would be enough, if lists and other processes were never late.
        self.revocations.revoke(user, now).await?;
        // The one although the other failed: both forget at once here what they remember.
        let sessions = self.sessions.end_all_of(user, now).await;
        let tokens = self.tokens.revoke_all(Some(user), now).await;
        sessions.and(tokens.map(drop))
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

fn as_token(caller: Option<Arc<TokenCaller>>) -> Admission {
    Admission::As(caller.map_or(Caller::Nobody, Caller::Token))
}

fn as_session(session: Option<Arc<Session>>) -> Admission {
    Admission::As(session.map_or(Caller::Nobody, |session| session.caller.clone()))
}

/// Tells what was begun or made with this key from that of the key before it. The key can't be told from it.
fn fingerprint_of(key: &LocalKey) -> String {
    let digest = Sha256::new()
        // What was signed in with is compared with it: another text would sign everybody out.
        .chain_update("file-share session mark 1\n")
        .chain_update(key.expose())
        .finalize();
    hex::encode(&digest[..8])
}

/// Tells what was begun at this issuer, under these roles, from what was begun otherwise.
fn fingerprint_of_issuer(issuer: &Issuer) -> String {
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
    /// Too many wrong ones came from this address; it says how long to wait.
    #[error("too many keys that are none came from this address")]
    TooManyTries(Duration),
    /// The session couldn't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests;
