//! Tokens that were verified a moment ago.
//!
//! Invariant: only tokens that were taken are remembered, for at most [`REMEMBERED`] and never beyond their end, and at
//! most [`MAX_REMEMBERED`] of them with [`MAX_REMEMBERED_BYTES`] of text. Those beyond are verified each time.
//!
//! A token is known by all of its text. To hash a kilobyte with each request would cost more than everything else that
//! is done for it here, so it is looked for by its end, which belongs to its signature and is as good as random.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cached::Clock;
use super::claims::Identity;
use crate::domain::Timestamp;

/// How long a token is taken without a look at its signature. So long a key that the issuer took back may go on.
pub(super) const REMEMBERED: Duration = Duration::from_secs(60);
/// How many tokens are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// How many bytes their text may have together.
const MAX_REMEMBERED_BYTES: usize = 16 * 1024 * 1024;
/// How often old ones are looked for at most.
const CLEANED_EVERY: Duration = Duration::from_secs(1);
/// How many bytes of a token's end it is looked for by: 144 bits of its signature.
const END_BYTES: usize = 24;

type End = [u8; END_BYTES];

pub(super) struct Remembered {
    tokens: Mutex<Tokens>,
    clock: Clock,
}

#[derive(Default)]
struct Tokens {
    by_end: HashMap<End, Kept>,
    /// Of all texts together.
    bytes: usize,
    cleaned_at: Option<Instant>,
}

struct Kept {
    text: Box<str>,
    identity: Arc<Identity>,
    until: Instant,
}

impl Remembered {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            tokens: Mutex::default(),
            clock,
        }
    }

    pub(super) fn get(&self, token: &str, now: Timestamp) -> Option<Arc<Identity>> {
        let end = end_of(token)?;
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tokens.by_end.get(&end)?;
        let holds = are_equal(&kept.text, token)
            && (self.clock)() < kept.until
            && now < kept.identity.expires_at;
        holds.then(|| Arc::clone(&kept.identity))
    }

    pub(super) fn put(&self, token: &str, identity: &Arc<Identity>) {
        let Some(end) = end_of(token) else {
            return;
        };
        let now = (self.clock)();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.forget(&end);
        if !tokens.have_room(token) && tokens.may_be_cleaned(now) {
            tokens.cleaned_at = Some(now);
            tokens.by_end.retain(|_, kept| now < kept.until);
            tokens.bytes = tokens.by_end.values().map(|kept| kept.text.len()).sum();
        }
        if tokens.have_room(token) {
            let kept = Kept {
                text: token.into(),
                identity: Arc::clone(identity),
                until: now + REMEMBERED,
            };
            tokens.bytes += token.len();
            tokens.by_end.insert(end, kept);
        }
    }
}

impl Tokens {
    fn forget(&mut self, end: &End) {
        if let Some(kept) = self.by_end.remove(end) {
            self.bytes -= kept.text.len();
        }
    }

    fn have_room(&self, token: &str) -> bool {
        self.by_end.len() < MAX_REMEMBERED && self.bytes + token.len() <= MAX_REMEMBERED_BYTES
    }

    fn may_be_cleaned(&self, now: Instant) -> bool {
        self.cleaned_at
            .is_none_or(|at| now.saturating_duration_since(at) >= CLEANED_EVERY)
    }
}

/// `None`: too short to be signed.
fn end_of(token: &str) -> Option<End> {
    token.as_bytes().last_chunk().copied()
}

/// In a time that doesn't tell how far the two are alike.
fn are_equal(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{UserId, from_millis};

    fn identity(expires_at: Timestamp) -> Arc<Identity> {
        Arc::new(Identity {
            issuer: "i".into(),
            subject: "s".into(),
            user_id: UserId::of("i", "s"),
            person: None,
            groups: Vec::new(),
            issued_at: None,
            expires_at,
        })
    }

    #[test]
    fn a_flood_of_tokens_takes_bounded_memory_and_old_ones_make_place() {
        let begin = Instant::now();
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let of_clock = Arc::clone(&passed);
        let remembered = Remembered::new(Arc::new(move || begin + *of_clock.lock().unwrap()));
        let at = |seconds: i64| from_millis(seconds * 1000).unwrap();
        let identity = identity(at(1_000));
        let token = |number: usize| format!("{number:0>30}");
        (0..MAX_REMEMBERED + 5).for_each(|number| remembered.put(&token(number), &identity));
        let count = || remembered.tokens.lock().unwrap().by_end.len();
        assert_eq!(count(), MAX_REMEMBERED);
        assert!(remembered.get(&token(0), at(0)).is_some());
        assert!(remembered.get(&token(MAX_REMEMBERED), at(0)).is_none());
        assert!(remembered.get(&token(0), at(1_000)).is_none());

        *passed.lock().unwrap() = REMEMBERED;
        assert!(remembered.get(&token(0), at(0)).is_none());
        remembered.put(&token(MAX_REMEMBERED), &identity);
        assert_eq!(count(), 1);
        assert!(remembered.get(&token(MAX_REMEMBERED), at(0)).is_some());

        let long = |number: usize| format!("{:.>8192}", token(number));
        (0..MAX_REMEMBERED).for_each(|number| remembered.put(&long(number), &identity));
        let tokens = remembered.tokens.lock().unwrap();
        let texts = tokens.by_end.values().map(|kept| kept.text.len());
        assert_eq!(tokens.bytes, texts.sum::<usize>());
        let room = MAX_REMEMBERED_BYTES - tokens.bytes;
        assert!(room < 8192, "{room} bytes are left");
    }

    #[test]
    fn a_token_is_known_by_all_of_its_text() {
        let remembered = Remembered::new(Arc::new(Instant::now));
        let now = from_millis(0).unwrap();
        let identity = identity(from_millis(1_000).unwrap());
        let token = format!("{}.{}", "h".repeat(40), "s".repeat(END_BYTES));
        remembered.put(&token, &identity);
        assert!(remembered.get(&token, now).is_some());
        for changed in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[changed] ^= 1;
            let other = String::from_utf8(other).unwrap();
            assert!(remembered.get(&other, now).is_none(), "{other}");
        }
        for other in [&token[1..], &format!("h{token}"), &token[60..], ""] {
            assert!(remembered.get(other, now).is_none(), "{other}");
        }
    }
}
