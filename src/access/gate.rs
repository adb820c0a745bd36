//! What a request has to show to come from somebody.
//!
//! Invariant: whoever shows nothing, or something that doesn't hold, is [`Caller::Nobody`]. A service that
//! trusts whoever comes over loopback trusts nobody whom a proxy brings.
//!
//! Absent on purpose: HTTP. Where in a request a proof stands is the API's business.

use super::{Caller, LocalKey, Session, SessionId, Sessions};
use crate::domain::Timestamp;

/// Which proof is asked for.
#[derive(Debug)]
pub enum Gate {
    /// None: everybody who reaches the service is its operator.
    Open,
    /// None, since only this machine reaches the service; but a request that a proxy passed on may be
    /// anybody's.
    Loopback,
    /// The local key, or a session that was begun with it.
    Key {
        /// Makes its holder the operator.
        key: LocalKey,
        /// Those that were begun with the key.
        sessions: Sessions,
    },
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
    /// The gate that asks for `key`.
    pub fn with_key(key: LocalKey) -> Self {
        Self::Key {
            key,
            sessions: Sessions::default(),
        }
    }

    /// Who sends a request that shows this. A session that it names is used now. Of several proofs the token
    /// counts: it was chosen for this request, and a cookie goes along by itself.
    pub fn admit(&self, proof: Proof<'_>, now: Timestamp) -> Admission {
        let holds = match self {
            Self::Open => true,
            Self::Loopback if proof.is_forwarded => return Admission::BehindUnknownProxy,
            Self::Loopback => true,
            Self::Key { key, .. } if proof.bearer.is_some() => {
                proof.bearer.is_some_and(|token| key.is(token))
            }
            Self::Key { .. } => self.session(proof, now).is_some(),
        };
        Admission::As(match holds {
            true => Caller::Operator,
            false => Caller::Nobody,
        })
    }

    /// The session that a request names, if it isn't over; it is used now.
    pub fn session(&self, proof: Proof<'_>, now: Timestamp) -> Option<Session> {
        match self {
            Self::Key { sessions, .. } => sessions.get(proof.session?, now),
            Self::Open | Self::Loopback => None,
        }
    }

    /// Begins a session with the key; `None` where none is asked for.
    ///
    /// # Errors
    /// [`SignInError::WrongKey`], and if the operating system has no random numbers.
    pub fn sign_in(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Session)>, SignInError> {
        match self {
            Self::Open | Self::Loopback => Ok(None),
            Self::Key { key, .. } if !key.is(text) => Err(SignInError::WrongKey),
            Self::Key { sessions, .. } => Ok(Some(sessions.begin(now)?)),
        }
    }

    /// Ends the session that a request names, if there is one.
    pub fn sign_out(&self, proof: Proof<'_>) {
        if let (Self::Key { sessions, .. }, Some(id)) = (self, proof.session) {
            sessions.end(id);
        }
    }

    /// Whether people have to show the key.
    pub fn asks_for_key(&self) -> bool {
        matches!(self, Self::Key { .. })
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Another key was shown.
    #[error("this isn't the key of this service")]
    WrongKey,
    /// No ID could be made.
    #[error("the operating system has no random numbers: {0}")]
    NoRandomNumbers(#[from] getrandom::Error),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn with_key() -> (Gate, String) {
        let dir = tempfile::tempdir().unwrap();
        let key = LocalKey::load_or_create(dir.path()).unwrap();
        let text = key.expose().to_owned();
        (Gate::with_key(key), text)
    }

    const NOBODY: Admission = Admission::As(Caller::Nobody);
    const OPERATOR: Admission = Admission::As(Caller::Operator);

    fn bearer(token: &str) -> Proof<'_> {
        Proof {
            bearer: Some(token),
            ..Proof::default()
        }
    }

    #[test]
    fn who_asks_nobody_has_an_operator_whatever_is_shown() {
        for proof in [Proof::default(), bearer("x")] {
            assert_eq!(Gate::Open.admit(proof, now()), OPERATOR);
            assert_eq!(Gate::Loopback.admit(proof, now()), OPERATOR);
        }
        let forwarded = Proof {
            is_forwarded: true,
            ..Proof::default()
        };
        assert_eq!(Gate::Open.admit(forwarded, now()), OPERATOR);
        let refused = Gate::Loopback.admit(forwarded, now());
        assert_eq!(refused, Admission::BehindUnknownProxy);
        assert!(Gate::Loopback.sign_in("x", now()).unwrap().is_none());
    }

    #[test]
    fn the_key_makes_an_operator_and_nothing_else_does() {
        let (gate, key) = with_key();
        assert_eq!(gate.admit(Proof::default(), now()), NOBODY);
        assert_eq!(gate.admit(bearer(&key), now()), OPERATOR);
        let near = format!("{key}0");
        for wrong in ["", "fsk_", &key[1..], &near] {
            assert_eq!(gate.admit(bearer(wrong), now()), NOBODY, "{wrong}");
            assert!(matches!(
                gate.sign_in(wrong, now()),
                Err(SignInError::WrongKey)
            ));
        }
    }

    #[test]
    fn a_session_makes_an_operator_until_it_is_ended_and_a_wrong_token_beside_it_nobody() {
        let (gate, key) = with_key();
        let (id, session) = gate.sign_in(&key, now()).unwrap().unwrap();
        let (another, _) = gate.sign_in(&key, now()).unwrap().unwrap();
        assert_ne!(id, another);
        let proof = Proof {
            session: Some(id.expose()),
            ..Proof::default()
        };
        assert_eq!(gate.admit(proof, now()), OPERATOR);
        assert_eq!(gate.session(proof, now()), Some(session));
        let wrong = Proof {
            bearer: Some("fsk_wrong"),
            ..proof
        };
        assert_eq!(gate.admit(wrong, now()), NOBODY);
        let foreign = Proof {
            session: Some("0123"),
            ..proof
        };
        assert_eq!(gate.admit(foreign, now()), NOBODY);
        gate.sign_out(proof);
        assert_eq!(gate.admit(proof, now()), NOBODY);
    }
}
