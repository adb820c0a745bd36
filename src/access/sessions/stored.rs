//! What is kept of a session.
//!
//! Invariant: what can't be read, or lets in whom this version doesn't know, is no session.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CLOCKS_DIFFER_BY, IDLE_LIFETIME, Session, WHOLE_LIFETIME};
use crate::access::revocation::SecurityStamp;
use crate::access::{Caller, Person, Role};
use crate::domain::{Timestamp, UserId, from_millis};
use crate::item_store::Item;

/// A session as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    who: Who,
    /// What a session was begun with that may be replaced, such as the local key: its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begun_with: Option<String>,
    began_at: i64,
    pub(super) last_used_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_token: Option<String>,
    /// That of whoever signed in, then.
    #[serde(default, skip_serializing_if = "SecurityStamp::is_none")]
    pub(super) stamp: SecurityStamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum Who {
    Operator,
    User {
        id: String,
        role: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl Who {
    fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::Operator => Some(Self::Operator),
            Caller::User(person) => Some(Self::User {
                id: person.id.to_string(),
                role: person.role.as_str().to_owned(),
                name: person.name.clone(),
            }),
            // A token is shown with each request.
            Caller::Token(_) | Caller::Submitter(_) | Caller::Nobody => None,
        }
    }

    /// `None` for whom a later version of this program let in: nobody knows here what they may do.
    fn caller(&self) -> Option<Caller> {
        match self {
            Self::Operator => Some(Caller::Operator),
            Self::User { id, role, name } => Some(Caller::User(Arc::new(Person {
                id: UserId::parse(id).ok()?,
                role: Role::parse(role)?,
                name: name.clone(),
            }))),
        }
    }
}

impl Body {
    /// Of a session that begins now; `None` for whom none can begin.
    pub(super) fn begun(
        caller: &Caller,
        begun_with: Option<String>,
        now: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            who: Who::of(caller)?,
            begun_with,
            began_at: now.timestamp_millis(),
            last_used_at: now.timestamp_millis(),
            id_token: None,
            stamp: SecurityStamp::default(),
        })
    }

    /// When the session is over. A clock that is set ahead ends it early; one that is set back would make it
    /// longer, so a session that was used in the future is over as well.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let (Some(began), Some(used)) =
            (from_millis(self.began_at), from_millis(self.last_used_at))
        else {
            return true;
        };
        now >= began + WHOLE_LIFETIME
            || now >= used + IDLE_LIFETIME
            || now + CLOCKS_DIFFER_BY < used
    }

    pub(super) fn session(&self) -> Option<Session> {
        Some(Session {
            caller: self.who.caller()?,
            expires_at: from_millis(self.began_at)? + WHOLE_LIFETIME,
            id_token: self.id_token.clone(),
            stamp: self.stamp.clone(),
        })
    }
}

/// What an item holds, if it is a session that isn't over. What can't be read was written by another version: then
/// one signs in again.
pub(super) fn read(
    item: &Item,
    begun_with: Option<&str>,
    now: Timestamp,
) -> Option<(Body, Session)> {
    let body = item.body.read::<Body>().ok()?;
    if body.is_over(now) || body.begun_with.as_deref() != begun_with {
        return None;
    }
    let session = body.session()?;
    Some((body, session))
}
