//! Who has signed in with a browser, and for how long.
//!
//! Invariant: an ID is known to its browser alone; what is kept is its digest, so that whoever reads the store
//! signs in nowhere. A session that was ended is over at once in the process that ended it, and within
//! [`REMEMBERED_FOR`] in all others; likewise all sessions of somebody of whom everything was revoked
//! ([`super::revocation`]).
//!
//! Absent on purpose: more sessions for a longer time. Who is signed in for hours signs in again.

mod stored;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::stored::{Body, read};
use super::Caller;
use super::revocation::{self, Revocations, SecurityStamp};
use crate::domain::{Timestamp, UserId, from_millis};
use crate::item_store::{
    Item, ItemBody, ItemKey, ItemKind, ItemList, ItemParent, ItemStore, MAX_ITEM_PAGE, StoreError,
};

/// After so long a session is over, however much it is used.
pub const WHOLE_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
const _: () = assert!(WHOLE_LIFETIME.as_secs() < revocation::KEPT_FOR.as_secs());
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
/// The longest ID token that is kept for the issuer's page of signing out, in bytes: it stands in that page's URL.
const MAX_ID_TOKEN_BYTES: usize = 3 * 1024;
/// Random bytes in an ID.
const ID_BYTES: usize = 32;
/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;
const STORE: &str = "the sessions";

/// What a browser holds. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// The ID itself, for the cookie.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What says which session it is, and is no proof of it.
    pub fn reference(&self) -> SessionRef {
        SessionRef::of(&self.0)
    }
}

/// Which session is meant: the digest of its ID. Whoever knows it can end the session and do nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionRef([u8; DIGEST_BYTES]);

impl SessionRef {
    /// That of the session with this ID.
    pub fn of(id: &str) -> Self {
        Self(Sha256::digest(id.as_bytes()).into())
    }

    /// Reads what [`fmt::Display`] writes; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut digest = [0; DIGEST_BYTES];
        hex::decode_to_slice(text, &mut digest).ok()?;
        Some(Self(digest))
    }

    fn key(&self) -> Result<ItemKey, StoreError> {
        ItemKey::new(ItemKind::Session, &self.to_string())
            .map_err(|error| StoreError::corrupt(STORE, error.0))
    }
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
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
    /// What is made from this session has it too.
    pub stamp: SecurityStamp,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("caller", &self.caller)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Remembered {
    session: Arc<Session>,
    body: Arc<Body>,
    until: Instant,
}

/// What a process knows of sessions without asking the store.
#[derive(Default)]
struct Known {
    sessions: HashMap<SessionRef, Remembered>,
    /// How many this process has ended.
    ended: u64,
}

/// What a process can say of an ID by itself.
pub(super) enum Recalled {
    /// It was never an ID.
    NoId,
    /// It was looked up a moment ago: its session, unless that is over.
    Fresh(Option<Arc<Session>>),
    /// It held when it was looked up last, too long ago to be believed.
    HeldBefore(SessionRef),
    /// Nothing: it may be a guess.
    Unknown(SessionRef),
}

/// The sessions that there are.
pub struct Sessions {
    items: Arc<dyn ItemStore>,
    revocations: Revocations,
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
            revocations: Revocations::new(Arc::clone(&items)),
            items,
            known: Mutex::default(),
        }
    }

    /// Begins a session, always with an ID of its own. `begun_with`: the fingerprint of what may be replaced later.
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
        let owner = caller.owner();
        let stamp = match owner {
            Some(owner) => self.revocations.stamp_of(owner, now).await?,
            None => SecurityStamp::default(),
        };
        let mut body = Body::begun(caller, begun_with, now).ok_or_else(nobody)?;
        // Without it an issuer asks once more who signs out.
        body.id_token = id_token.filter(|token| token.len() <= MAX_ID_TOKEN_BYTES);
        body.stamp = stamp;
        let session = body.session().ok_or_else(nobody)?;
        let list = owner.map(list_of).transpose()?;
        let reference = id.reference();
        let item = Item::new(reference.key()?, list, now + WHOLE_LIFETIME, stored(&body)?);
        let ended = self.lock().ended;
        if !self.items.put_new(&item, now).await? {
            return Err(StoreError::AlreadyExists { store: STORE });
        }
        // To be looked up all the same. But it is known to be no guess.
        let known = Remembered {
            session: Arc::new(session.clone()),
            body: Arc::new(body),
            until: Instant::now(),
        };
        self.remember(reference, known, ended);
        Ok((id, session))
    }

    /// What is known of this ID without a look into the store. It is hashed once, here.
    pub(super) fn recall(&self, id: &str, begun_with: Option<&str>, now: Timestamp) -> Recalled {
        if !is_like_id(id) {
            return Recalled::NoId;
        }
        let session = SessionRef::of(id);
        let known = self.lock();
        match known.sessions.get(&session) {
            None => Recalled::Unknown(session),
            Some(known) if Instant::now() < known.until => {
                let begun_so = known.body.begun_with.as_deref() == begun_with;
                let holds = begun_so && !known.body.is_over(now);
                Recalled::Fresh(holds.then(|| Arc::clone(&known.session)))
            }
            Some(_) => Recalled::HeldBefore(session),
        }
    }

    /// The session with this ID, which is used now; `None` if there is none, if it is over, or if what it was
    /// begun with has another fingerprint now.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn get(
        &self,
        id: &str,
        begun_with: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        match self.recall(id, begun_with, now) {
            // Whoever shows something that was never an ID asks no store.
            Recalled::NoId => Ok(None),
            Recalled::Fresh(session) => Ok(session),
            Recalled::HeldBefore(session) | Recalled::Unknown(session) => {
                self.look_up(session, begun_with, now).await
            }
        }
    }

    /// As [`Self::get`], by what the store says now.
    ///
    /// # Errors
    /// A store's fault.
    pub(super) async fn look_up(
        &self,
        reference: SessionRef,
        begun_with: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let key = reference.key()?;
        let (read_at, ended) = (Instant::now(), self.lock().ended);
        let Some(item) = self.items.get(&key, now).await? else {
            self.lock().sessions.remove(&reference);
            return Ok(None);
        };
        let Some((mut body, session)) = read(&item, begun_with, now) else {
            return Ok(None);
        };
        let owner = session.caller.owner();
        if !self.revocations.holds(owner, &session.stamp, now).await? {
            return Ok(None);
        }
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
        let session = Arc::new(session);
        let remembered = Remembered {
            session: Arc::clone(&session),
            body: Arc::new(body),
            until,
        };
        self.remember(reference, remembered, ended);
        Ok(Some(session))
    }

    /// Ends a session, if there is one with this ID.
    ///
    /// # Errors
    /// A store's fault: then it may go on.
    pub async fn end(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.end_referred(&SessionRef::of(id), now).await
    }

    /// Whose session this is; `None` if it is over. It isn't used by that.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn caller_of(
        &self,
        session: &SessionRef,
        begun_with: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Caller>, StoreError> {
        let item = self.items.get(&session.key()?, now).await?;
        let read = item.and_then(|item| read(&item, begun_with, now));
        Ok(read.map(|(_, session)| session.caller))
    }

    /// Ends this session, if it isn't over.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub async fn end_referred(
        &self,
        session: &SessionRef,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = session.key()?;
        let removed = self.items.remove(&key, now).await;
        // Also where nobody said whether it was done.
        let mut known = self.lock();
        known.ended += 1;
        known.sessions.remove(session);
        removed.map(drop)
    }

    /// Removes all sessions of this person. One that is being begun at this moment, or isn't in the list yet, may
    /// stay: [`Revocations::revoke`] before ends it.
    ///
    /// # Errors
    /// As [`Self::end`]; some may be over.
    pub async fn end_all_of(&self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        let list = list_of(user)?;
        let mut after = None;
        let ended = loop {
            let page = self.items.list(&list, after.as_ref(), MAX_ITEM_PAGE, now);
            let page = match page.await {
                Ok(page) => page,
                Err(error) => break Err(error),
            };
            let removing = page.items.iter().map(|it| self.items.remove(&it.key, now));
            if let Err(error) = futures_util::future::try_join_all(removing).await {
                break Err(error);
            }
            after = page.next;
            if after.is_none() {
                break Ok(());
            }
        };
        // Also where nobody said whether it was done.
        let mut known = self.lock();
        known.ended += 1;
        let is_theirs = |it: &Remembered| it.session.caller.owner() == Some(user);
        known.sessions.retain(|_, it| !is_theirs(it));
        ended
    }

    /// Unless one was ended since `ended` were: it may be this one, and the look that found it came before.
    fn remember(&self, session: SessionRef, found: Remembered, ended: u64) {
        let mut known = self.lock();
        if known.ended != ended {
            return;
        }
        if known.sessions.len() >= MAX_REMEMBERED {
            known.sessions.clear();
        }
        known.sessions.insert(session, found);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_like_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn list_of(user: UserId) -> Result<ItemParent, StoreError> {
    ItemParent::new(ItemList::Sessions, &user.to_string())
        .map_err(|error| StoreError::corrupt(STORE, error.0))
}

fn stored(body: &Body) -> Result<ItemBody, StoreError> {
    ItemBody::of(body).map_err(|error| StoreError::corrupt(STORE, error.0))
}

#[cfg(test)]
mod tests;
