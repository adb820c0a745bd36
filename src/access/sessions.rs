//! Who has signed in with a browser, and for how long.
//!
//! Invariant: at most [`MAX_SESSIONS`] are kept; the one that was idle the longest makes room. An ID is known
//! to its browser alone: here its digest is kept, so that a dump of the memory signs nobody in.
//!
//! Absent on purpose: keeping them across a restart of the program. Whoever has the key signs in again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::domain::Timestamp;

/// After so long a session is over, however much it is used.
pub const WHOLE_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// After so long without a call a session is over.
const IDLE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Sessions at a time.
const MAX_SESSIONS: usize = 1_000;
/// Random bytes in an ID.
const ID_BYTES: usize = 32;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// When it is over, if it is used until then.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// By a clock that nobody sets.
    began: Instant,
    expires_at: Timestamp,
    last_used: Timestamp,
}

impl Entry {
    /// A clock that is set ahead ends a session early, and one that is set back makes none longer.
    fn is_over(&self, now: Timestamp) -> bool {
        self.began.elapsed() >= WHOLE_LIFETIME
            || now >= self.expires_at
            || now >= self.last_used + IDLE_LIFETIME
    }
}

type IdDigest = [u8; 32];

/// The sessions that there are.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<IdDigest, Entry>>);

impl Sessions {
    /// Begins a session, always with an ID of its own.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn begin(&self, now: Timestamp) -> Result<(SessionId, Session), getrandom::Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)?;
        let id = SessionId(hex::encode(bytes));
        let expires_at = now + WHOLE_LIFETIME;
        let mut entries = self.lock();
        if entries.len() >= MAX_SESSIONS {
            entries.retain(|_, entry| !entry.is_over(now));
        }
        if entries.len() >= MAX_SESSIONS {
            let idlest = entries.iter().min_by_key(|(_, entry)| entry.last_used);
            if let Some(idlest) = idlest.map(|(id, _)| *id) {
                entries.remove(&idlest);
            }
        }
        let entry = Entry {
            began: Instant::now(),
            expires_at,
            last_used: now,
        };
        entries.insert(digest(id.expose()), entry);
        Ok((id, Session { expires_at }))
    }

    /// The session with this ID, which is used now; `None` if there is none, or it is over.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<Session> {
        let id = digest(id);
        let mut entries = self.lock();
        let entry = entries.get_mut(&id)?;
        if entry.is_over(now) {
            entries.remove(&id);
            return None;
        }
        entry.last_used = entry.last_used.max(now);
        Some(Session {
            expires_at: entry.expires_at,
        })
    }

    /// Ends a session, if there is one with this ID.
    pub fn end(&self, id: &str) {
        self.lock().remove(&digest(id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IdDigest, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(id: &str) -> IdDigest {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_eight_hours_at_most() {
        let sessions = Sessions::default();
        let (id, session) = sessions.begin(at(0)).unwrap();
        assert_eq!(session.expires_at, at(8 * 3600));
        for minute in (0..8 * 60).step_by(59) {
            let used = sessions.get(id.expose(), at(minute * 60));
            assert_eq!(used, Some(session), "{minute}");
        }
        assert_eq!(sessions.get(id.expose(), at(8 * 3600)), None);
        assert_eq!(sessions.get(id.expose(), at(0)), None);

        let (idle, _) = sessions.begin(at(0)).unwrap();
        assert!(sessions.get(idle.expose(), at(3599)).is_some());
        assert_eq!(sessions.get(idle.expose(), at(3599 + 3600)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_makes_no_session_longer() {
        let sessions = Sessions::default();
        let (id, _) = sessions.begin(at(0)).unwrap();
        tokio::time::advance(WHOLE_LIFETIME - Duration::from_secs(1)).await;
        assert!(sessions.get(id.expose(), at(0)).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sessions.get(id.expose(), at(0)), None);
    }

    #[test]
    fn a_session_that_was_ended_is_over_and_no_other_is() {
        let sessions = Sessions::default();
        let (one, _) = sessions.begin(at(0)).unwrap();
        let (other, _) = sessions.begin(at(0)).unwrap();
        sessions.end(one.expose());
        sessions.end("nobody's");
        assert_eq!(sessions.get(one.expose(), at(1)), None);
        assert!(sessions.get(other.expose(), at(1)).is_some());
        assert_eq!(sessions.get("", at(1)), None);
    }

    #[test]
    fn the_idlest_of_too_many_makes_room() {
        let sessions = Sessions::default();
        let (first, _) = sessions.begin(at(0)).unwrap();
        let (second, _) = sessions.begin(at(1)).unwrap();
        for second in 2..MAX_SESSIONS as u64 {
            sessions.begin(at(second)).unwrap();
        }
        assert!(sessions.get(first.expose(), at(1500)).is_some());
        sessions.begin(at(1501)).unwrap();
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
        assert!(sessions.get(first.expose(), at(1502)).is_some());
        assert_eq!(sessions.get(second.expose(), at(1502)), None);
    }

    #[test]
    fn an_id_is_in_no_print_and_not_kept() {
        let sessions = Sessions::default();
        let (id, _) = sessions.begin(at(0)).unwrap();
        assert_eq!(id.expose().len(), 64);
        assert!(!format!("{sessions:?} {id:?}").contains(id.expose()));
    }
}
