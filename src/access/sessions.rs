//! Who has signed in with a browser, and for how long.
//!
//! Invariant: an ID is known to its browser alone; what is kept is its digest, so that whoever reads the store
//! signs in nowhere. A session that was ended is over at once in the process that ended it, and within
//! [`REMEMBERED_FOR`] in all others.
//!
//! Absent on purpose: more sessions for a longer time. Who is signed in for hours signs in again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Caller, Person, Role};
use crate::domain::{Timestamp, UserId, from_millis};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, ItemStore, StoreError};

/// After so long a session is over, however much it is used.
pub const WHOLE_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// After so long without a call a session is over.
const IDLE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// That a session was used is written this often at most.
const USE_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// How long a process takes a session's word for being there, without asking the store.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// How many sessions a process remembers. When there are more, it asks for all of them again.
const MAX_REMEMBERED: usize = 10_000;
/// How far clocks of several processes may lie apart, as for files.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(60);
/// Random bytes in an ID.
const ID_BYTES: usize = 32;
const STORE: &str = "the sessions";

/// What a browser holds. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// The ID itself, for the cookie.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

/// A session that isn't over.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    pub caller: Caller,
    /// When it is over, if it is used until then.
    pub expires_at: Timestamp,
    /// What an issuer wants to see at the end of the session, if one began it.
    pub id_token: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("caller", &self.caller)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A session as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    who: Who,
    /// What a session was begun with that may be replaced, such as the local key: its mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_with: Option<String>,
    began_at: i64,
    last_used_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
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
            Caller::Token(_) | Caller::Nobody => None,
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
    /// When the session is over. A clock that is set ahead ends it early; one that is set back would make it
    /// longer, so a session that was used in the future is over as well.
    fn is_over(&self, now: Timestamp) -> bool {
        let (Some(began), Some(used)) =
            (from_millis(self.began_at), from_millis(self.last_used_at))
        else {
            return true;
        };
        now >= began + WHOLE_LIFETIME
            || now >= used + IDLE_LIFETIME
            || now + CLOCKS_DIFFER_BY < used
    }

    fn session(&self) -> Option<Session> {
        Some(Session {
            caller: self.who.caller()?,
            expires_at: from_millis(self.began_at)? + WHOLE_LIFETIME,
            id_token: self.id_token.clone(),
        })
    }
}

#[derive(Clone)]
struct Remembered {
    session: Session,
    body: Body,
    until: Instant,
}

/// What a process knows of sessions without asking the store.
#[derive(Default)]
struct Known {
    /// By the key of their item.
    sessions: HashMap<String, Remembered>,
    /// How many this process has ended.
    ended: u64,
}

/// The sessions that there are.
pub struct Sessions {
    items: Arc<dyn ItemStore>,
    known: Mutex<Known>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// The sessions in this store.
    pub fn new(items: Arc<dyn ItemStore>) -> Self {
        Self {
            items,
            known: Mutex::default(),
        }
    }

    /// Begins a session, always with an ID of its own. `begun_with`: the mark of what may be replaced later.
    ///
    /// # Errors
    /// A store's fault; also if the operating system has no random numbers.
    pub async fn begin(
        &self,
        caller: &Caller,
        begun_with: Option<String>,
        id_token: Option<String>,
        now: Timestamp,
    ) -> Result<(SessionId, Session), StoreError> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::unavailable(STORE, error))?;
        let id = SessionId(hex::encode(bytes));
        let nobody = || StoreError::corrupt(STORE, "nobody can have a session");
        let mut body = Body {
            who: Who::of(caller).ok_or_else(nobody)?,
            begun_with,
            began_at: now.timestamp_millis(),
            last_used_at: now.timestamp_millis(),
            id_token,
        };
        let session = body.session().ok_or_else(nobody)?;
        let text = stored(&body).or_else(|_| {
            // Without it an issuer asks once more who signs out.
            body.id_token = None;
            stored(&body)
        });
        let item = Item::new(key(id.expose())?, None, now + WHOLE_LIFETIME, text?);
        match self.items.put_new(&item, now).await? {
            true => Ok((id, session)),
            false => Err(StoreError::AlreadyExists { store: STORE }),
        }
    }

    /// The session with this ID, which is used now; `None` if there is none, if it is over, or if what it was
    /// begun with has another mark now.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn get(
        &self,
        id: &str,
        begun_with: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        // Whoever shows something that was never an ID asks no store.
        if id.len() != 2 * ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let key = key(id)?;
        let (known, ended) = {
            let known = self.lock();
            (known.sessions.get(key.as_str()).cloned(), known.ended)
        };
        let read_at = Instant::now();
        if let Some(known) = known.filter(|known| Instant::now() < known.until) {
            let holds = !known.body.is_over(now) && known.body.begun_with.as_deref() == begun_with;
            return Ok(holds.then_some(known.session));
        }
        let Some(item) = self.items.get(&key, now).await? else {
            self.lock().sessions.remove(key.as_str());
            return Ok(None);
        };
        // What can't be read was written by another version: then one signs in again.
        let Ok(mut body) = item.body.read::<Body>() else {
            return Ok(None);
        };
        if body.is_over(now) || body.begun_with.as_deref() != begun_with {
            return Ok(None);
        }
        let Some(session) = body.session() else {
            return Ok(None);
        };
        let last_used = from_millis(body.last_used_at).unwrap_or_default();
        if now >= last_used + USE_WRITTEN_EVERY {
            body.last_used_at = now.timestamp_millis();
            let used = Item {
                body: stored(&body)?,
                ..item
            };
            // Somebody else may have written the same just now, and a store that can't take it is no reason to
            // sign anybody out: they are read as often as it can be read.
            if let Err(error) = self.items.replace(&used, now).await {
                tracing::debug!(error = %error.chain(), "that a session was used isn't written");
            }
        }
        let until = read_at + REMEMBERED_FOR;
        let remembered = Remembered {
            session: session.clone(),
            body,
            until,
        };
        self.remember(key.as_str(), remembered, ended);
        Ok(Some(session))
    }

    /// Ends a session, if there is one with this ID.
    ///
    /// # Errors
    /// A store's fault: then it may go on.
    pub async fn end(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let Ok(key) = key(id) else {
            return Ok(());
        };
        let removed = self.items.remove(&key, now).await;
        // Also where nobody said whether it was done.
        let mut known = self.lock();
        known.ended += 1;
        known.sessions.remove(key.as_str());
        removed.map(drop)
    }

    /// Unless one was ended since `ended` were: it may be this one, and the look that found it came before.
    fn remember(&self, key: &str, found: Remembered, ended: u64) {
        let mut known = self.lock();
        if known.ended != ended {
            return;
        }
        if known.sessions.len() >= MAX_REMEMBERED {
            known.sessions.clear();
        }
        known.sessions.insert(key.to_owned(), found);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(id: &str) -> Result<ItemKey, StoreError> {
    let digest = hex::encode(Sha256::digest(id.as_bytes()));
    ItemKey::new(ItemKind::Session, &digest).map_err(|error| StoreError::corrupt(STORE, error.0))
}

fn stored(body: &Body) -> Result<ItemBody, StoreError> {
    ItemBody::of(body).map_err(|error| StoreError::corrupt(STORE, error.0))
}

#[cfg(test)]
mod tests;
