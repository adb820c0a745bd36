//! Passwords of links and boxes: kept as Argon2id, and guessed slowly.
//!
//! Invariant: at most `AT_A_TIME` passwords are worked on at a time, each with `MEMORY_KIB`, also for clients
//! that went away meanwhile; few wait for that, and whoever finds no place is told to come again (`places`). A
//! password that was right lately is worked on no more (`known`). A password is in no store, and neither it nor what
//! is kept of it prints.

mod known;
mod places;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use unicode_normalization::UnicodeNormalization;

use self::known::Known;
use self::places::{Places, Share, shares};
use crate::capability_token::RenewableId;
use crate::client_address::ClientNetwork;
use crate::domain::Invalid;
use crate::operations::OperationError;
use crate::rate_limits::{Rate, RateLimiter};
use crate::store_error::StoreError;

/// How errors call what fails here.
const STORE: &str = "passwords";
/// How long a password may be, in characters.
pub const MAX_PASSWORD_CHARACTERS: usize = 128;
/// Memory and passes of Argon2id, as OWASP's Password Storage Cheat Sheet has them for one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Passwords that are worked on at a time: 38 MiB, and two cores for some 40 ms.
const AT_A_TIME: usize = 2;

/// A password as somebody gave it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// A password. The same characters typed on another system are the same password (NFC).
    ///
    /// # Errors
    /// If it is empty or longer than [`MAX_PASSWORD_CHARACTERS`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match (1..=MAX_PASSWORD_CHARACTERS).contains(&text.chars().count()) {
            true => Ok(Self(text.nfc().collect())),
            false => Err(Invalid(format!(
                "must be 1 to {MAX_PASSWORD_CHARACTERS} characters"
            ))),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Says with which parameters it was made, so that others can follow.
const STORED_PREFIX: &str = "1.";

impl PasswordHash {
    pub(crate) fn to_stored(&self) -> String {
        let bytes = [&self.salt[..], &self.hash].concat();
        format!("{STORED_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads what [`Self::to_stored`] gave.
    pub(crate) fn from_stored(text: &str) -> Result<Self, Invalid> {
        let damaged = || Invalid("what is kept of a password can't be read".into());
        let text = text.strip_prefix(STORED_PREFIX).ok_or_else(damaged)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged())?;
        let (salt, hash) = bytes
            .split_first_chunk::<SALT_BYTES>()
            .ok_or_else(damaged)?;
        let hash = hash.try_into().map_err(|_| damaged())?;
        Ok(Self { salt: *salt, hash })
    }

    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            salt: [1; SALT_BYTES],
            hash: [0xff; HASH_BYTES],
        }
    }
}

fn hashed(password: &Password, salt: &[u8; SALT_BYTES]) -> Result<[u8; HASH_BYTES], StoreError> {
    let failed = |error: argon2::Error| StoreError::corrupt(STORE, error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(failed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0; HASH_BYTES];
    argon2
        .hash_password_into(password.0.as_bytes(), salt, &mut hash)
        .map_err(failed)?;
    Ok(hash)
}

/// Makes and checks hashes, a bounded number at a time.
pub struct Passwords {
    at_a_time: Arc<Semaphore>,
    waiting: Places,
    known: Known,
    /// Of wrong ones, by link or box and from where they come; `None` is an address that nobody knows.
    tries: Option<RateLimiter<(RenewableId, Option<ClientNetwork>)>>,
}

/// Ten guesses a minute.
impl Default for Passwords {
    fn default() -> Self {
        Self::new(Some(Rate::new(10, Duration::from_secs(60), 10)))
    }
}

impl Passwords {
    /// Passwords that may be guessed at this rate: for each link and box, by each address and at this process;
    /// `None`: as often as somebody likes.
    pub fn new(guesses: Option<Rate>) -> Self {
        Self {
            at_a_time: Arc::new(Semaphore::new(AT_A_TIME)),
            waiting: Places::default(),
            known: Known::default(),
            tries: guesses.map(RateLimiter::new),
        }
    }

    /// What is kept of a new password.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, OperationError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| {
            StoreError::unavailable("the operating system's random numbers", error)
        })?;
        let hash = work(self.permit(Vec::new()).await?, move || {
            hashed(&password, &salt)
        })
        .await?;
        Ok(PasswordHash { salt, hash })
    }

    /// Whether this is the password of a link or a box.
    ///
    /// # Errors
    /// It isn't, or was guessed too often from this address, or too many are being worked on.
    pub(crate) async fn verify(
        &self,
        of: RenewableId,
        address: Option<IpAddr>,
        expected: &PasswordHash,
        password: Option<Password>,
    ) -> Result<(), OperationError> {
        // Nothing was guessed.
        let Some(password) = password else {
            return Err(OperationError::WrongPassword);
        };
        let whose = (of, address.map(ClientNetwork::of));
        let may_try = || {
            let wait = |tries: &RateLimiter<_>| tries.wait(&whose, Instant::now());
            match self.tries.as_ref().and_then(wait) {
                Some(wait) => Err(OperationError::TooManyTries(wait)),
                None => Ok(()),
            }
        };
        // Also the right one: else a guesser would hear which one it is.
        may_try()?;
        let digest = self.known.digest(of, expected, &password)?;
        if self.known.is_known(&digest, Instant::now()) {
            return Ok(());
        }
        let turn = self.known.turn(digest);
        let _turn = turn.wait().await;
        if self.known.is_known(&digest, Instant::now()) {
            return Ok(());
        }
        may_try()?;
        let permit = self.permit(shares(of, address)).await?;
        // Counted before it is looked at, since many at once would all pass otherwise; and not before its turn: a
        // crowd behind one address that knows the password is no crowd of guesses.
        if let Some(tries) = &self.tries {
            let counted = tries.take(whose, Instant::now());
            counted.map_err(OperationError::TooManyTries)?;
        }
        let salt = expected.salt;
        let hash = work(permit, move || hashed(&password, &salt)).await;
        let is_right = hash.map(|hash| bool::from(hash.ct_eq(&expected.hash)));
        if let (Ok(true) | Err(_), Some(tries)) = (&is_right, &self.tries) {
            tries.give_back(&whose);
        }
        if !is_right? {
            return Err(OperationError::WrongPassword);
        }
        self.known.add(digest, Instant::now());
        Ok(())
    }

    async fn permit(&self, shares: Vec<Share>) -> Result<OwnedSemaphorePermit, OperationError> {
        let place = self.waiting.take(shares);
        let _waits = place.ok_or(OperationError::Overloaded)?;
        let permit = Arc::clone(&self.at_a_time).acquire_owned().await;
        permit.map_err(|_| OperationError::Overloaded)
    }
}

async fn work<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    what: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, OperationError> {
    let working = tokio::task::spawn_blocking(move || {
        // Goes with the memory, which nobody who hangs up frees.
        let _permit = permit;
        what()
    });
    let done = working.await;
    done.map_err(|error| StoreError::unavailable(STORE, error))?
        .map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::places::MAX_WAITING;
    use super::*;
    use crate::domain::from_millis;

    const MAX_TRIES: u32 = 10;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn link() -> RenewableId {
        RenewableId::new(from_millis(1_790_000_000_000).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash(password("cafe\u{301}")).await.unwrap();
        let hash = PasswordHash::from_stored(&hash.to_stored()).unwrap();
        let verify = |text| passwords.verify(link(), None, &hash, Some(password(text)));
        // The same, typed on another system.
        verify("caf\u{e9}").await.unwrap();
        for wrong in ["cafe", "Caf\u{e9}", "caf\u{e9} "] {
            let refused = verify(wrong).await;
            assert!(matches!(refused, Err(OperationError::WrongPassword)));
        }
        let again = passwords.hash(password("caf\u{e9}")).await.unwrap();
        assert_ne!(again.to_stored(), hash.to_stored(), "the salt is another");
        assert_eq!(
            format!("{:?} {hash:?}", password("hush")),
            "Password PasswordHash"
        );
    }

    /// As the reference implementation makes it of the same.
    #[test]
    fn a_hash_is_argon2id_with_19_mib_and_two_passes() {
        let hash = hashed(&password("password"), b"somesaltsomesalt").unwrap();
        assert_eq!(
            hex::encode(hash),
            "2b5dc4054886ec957ef59c73b661c54dd6fb274590b278f657c6d96aac8fa6d1"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_hundred_at_once_two_are_worked_on_and_what_is_too_much_is_refused() {
        let passwords = Arc::new(Passwords::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..100)
            .map(|_| {
                let (passwords, now, most) =
                    (Arc::clone(&passwords), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let permit = passwords.permit(Vec::new()).await?;
                    let what = move || {
                        let working = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(working, Ordering::SeqCst);
                        // Long enough that others would come in between.
                        (0..200).for_each(|_| std::thread::yield_now());
                        now.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    work(permit, what).await
                })
            })
            .collect();
        let mut done = 0;
        for one in all {
            match one.await.unwrap() {
                Ok(()) => done += 1,
                Err(OperationError::Overloaded) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(most.load(Ordering::SeqCst) <= AT_A_TIME);
        assert!(done >= MAX_WAITING, "{done}");
    }

    #[tokio::test]
    async fn whoever_hangs_up_frees_no_memory_that_is_in_use() {
        let passwords = Passwords::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let working = work(passwords.permit(Vec::new()).await.unwrap(), move || {
            let _ = wait.recv();
            Ok(())
        });
        // Begun, and nobody waits for it any more.
        let hung_up = tokio::time::timeout(Duration::from_millis(1), working).await;
        assert!(hung_up.is_err());
        assert_eq!(passwords.at_a_time.available_permits(), AT_A_TIME - 1);
        go.send(()).unwrap();
        let all = u32::try_from(AT_A_TIME).unwrap();
        let _all = passwords.at_a_time.acquire_many(all).await.unwrap();
    }

    /// With a clock that stands, however long hashing takes.
    #[tokio::test(start_paused = true)]
    async fn guessing_ends_after_ten_tries_from_one_address_and_whoever_knows_it_is_not_counted() {
        let passwords = Passwords::default();
        let hash = passwords.hash(password("right")).await.unwrap();
        let (link, address) = (link(), Some("192.0.2.7".parse().unwrap()));
        let verify = |address, text| passwords.verify(link, address, &hash, Some(password(text)));
        for _ in 0..2 * MAX_TRIES {
            verify(address, "right").await.unwrap();
            let none = passwords.verify(link, address, &hash, None).await;
            assert!(matches!(none, Err(OperationError::WrongPassword)));
        }
        for _ in 0..MAX_TRIES {
            let wrong = verify(address, "wrong").await;
            assert!(matches!(wrong, Err(OperationError::WrongPassword)));
        }
        // Also the right one: else a guesser would hear which one it is.
        let refused = verify(address, "right").await;
        assert!(matches!(refused, Err(OperationError::TooManyTries(_))));
        let other = Some("192.0.2.8".parse().unwrap());
        verify(other, "right").await.unwrap();
    }

    #[tokio::test]
    async fn a_crowd_behind_one_address_that_knows_the_password_is_no_crowd_of_guesses() {
        let passwords = Passwords::default();
        let hash = passwords.hash(password("right")).await.unwrap();
        let (link, address) = (link(), Some("192.0.2.7".parse().unwrap()));
        let all = (0..200).map(|_| passwords.verify(link, address, &hash, Some(password("right"))));
        for verified in futures_util::future::join_all(all).await {
            verified.unwrap();
        }
    }

    #[tokio::test]
    async fn whoever_floods_one_link_with_guesses_keeps_nobody_from_another() {
        let passwords = Passwords::default();
        let hash = passwords.hash(password("right")).await.unwrap();
        let (flooded, other) = (link(), link());
        let guesses: Vec<_> = (0..60)
            .map(|n| {
                let address = Some(format!("192.0.2.{n}").parse().unwrap());
                passwords.verify(flooded, address, &hash, Some(password(&n.to_string())))
            })
            .collect();
        let honest = (0..3).map(|n| {
            let address = Some(format!("198.51.100.{n}").parse().unwrap());
            passwords.verify(other, address, &hash, Some(password("right")))
        });
        let honest = futures_util::future::join_all(honest);
        let (guessed, honest) =
            futures_util::future::join(futures_util::future::join_all(guesses), honest).await;
        assert!(guessed.iter().all(Result::is_err));
        for verified in honest {
            verified.unwrap();
        }
    }
}
