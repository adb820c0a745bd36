//! How a program without a browser comes by a token: it shows a code, and a person who is signed in types it.
//!
//! ```text
//! program: begin ──▶ device code (secret), user code (shown) ──▶ redeem, every 2 s ──▶ pending … token, once
//! person:                    reads the user code, types it ──▶ look, approve
//! ```
//!
//! Invariant: a token is handed out once, to whoever holds the device code, for the person who typed the user
//! code, only while whoever made them an operator still would, and not if everything of that person's was revoked
//! since. Of the device code its digest is kept. Everything is bounded: how long a pairing waits, how many begin, by
//! all and by one address, and how often somebody may type a code that is none.
//!
//! Absent on purpose: links that bring a code along. One click on such a link, sent by a stranger, would let the
//! stranger in.

mod codes;
mod rate_limit;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use self::codes::ReadDeviceCode;
use self::rate_limit::PairingRateLimit;
use super::Scopes;
use super::api_token::{ApiTokens, CreateTokenError, NewToken, TokenInfo, TokenLabel, TokenText};
use super::revocation::{Revocations, SecurityStamp};
use crate::domain::{Invalid, Timestamp, UserId, from_millis, whole_millis};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, ItemStore};
use crate::rate_limits::{Rate, RateLimiter};
use crate::store_error::StoreError;

pub use codes::{DeviceCode, UserCode};
pub use rate_limit::{MAX_PAIRINGS, MAX_PAIRINGS_OF_ADDRESS};

/// How long a pairing waits for a person, and then for its program.
pub const PAIRING_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long a program waits before it asks again.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Codes that are none: how many somebody may type at once, and within [`TRIES_PERIOD`].
const MAX_TRIES: u32 = 10;
const TRIES_PERIOD: Duration = Duration::from_secs(10 * 60);
/// Digits of a pairing's digest that it is called by: 128 bits.
const ID_DIGITS: usize = 32;
/// How often a code is drawn again that somebody else shows at this moment.
const MAX_DRAWS: usize = 4;

/// How errors call the store, where what it holds makes no sense.
const STORE: &str = "the store of pairings";

/// What a pairing is called in the audit log, from its beginning to its token; no secret, since nobody can tell the
/// device code from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingId(String);

impl PairingId {
    fn of(device_sha256: &str) -> Self {
        Self(device_sha256.chars().take(ID_DIGITS).collect())
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// From where a program asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    /// Whose connection it is; `None` if nobody knows. It counts against the share of this address.
    pub address: Option<IpAddr>,
    /// Whether a proxy says that it passes the request on. Then the address is the proxy's, and no person is told
    /// that the program is there.
    pub is_forwarded: bool,
}

/// A pairing that began. The program keeps the one code and shows the other.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPairing {
    /// What it is called.
    pub id: PairingId,
    /// What the program redeems.
    pub device_code: DeviceCode,
    /// What a person types.
    pub user_code: UserCode,
    /// From this moment on both are worth nothing.
    pub expires_at: Timestamp,
}

/// What waits for a person, as it says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingPairing {
    /// What the program calls itself; anybody can call theirs so.
    pub client: TokenLabel,
    /// From where it began; `None` if that isn't known, or a proxy's address is all that is.
    pub from: Option<IpAddr>,
    /// When it began.
    pub began_at: Timestamp,
    /// Until when it waits.
    pub expires_at: Timestamp,
}

/// What a program gets for its device code.
#[derive(Debug)]
pub enum Redemption {
    /// Nobody has typed the user code yet.
    Pending,
    /// There is no such pairing: its time is over, or it was redeemed.
    Gone,
    /// It was approved, and is used up now.
    Approved {
        /// What it was called.
        pairing: PairingId,
        /// The token, this once.
        text: TokenText,
        /// What is known of it.
        token: TokenInfo,
    },
}

/// Why no pairing began.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// As many wait as may.
    #[error("as many programs wait to be let in as may at a time")]
    TooMany {
        /// When one of them waits no more.
        again_in: Duration,
    },
    /// As many wait as may of one address.
    #[error("as many programs of this address wait to be let in as may at a time")]
    TooManyOfAddress {
        /// When one of them waits no more.
        again_in: Duration,
    },
    /// No code could be drawn.
    #[error("the operating system has no random numbers: {0}")]
    NoRandomNumbers(#[from] getrandom::Error),
    /// The store didn't do it, or didn't say whether it did.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a person let no program in.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// No program waits with this code: it is mistyped, over, or was used.
    #[error(
        "no program waits with this code: compare it with what the program shows, or begin again there"
    )]
    Unknown,
    /// The person has typed too many codes that were none.
    #[error("you typed too many codes that no program waits with")]
    TooManyTries {
        /// When the next try is taken.
        again_in: Duration,
    },
    /// The store didn't do it, or didn't say whether it did.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPairing {
    device_sha256: String,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    began_at: i64,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Waiting,
    Approved {
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Where the owner is the operator: the fingerprint of what made them one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<String>,
        scopes: Vec<String>,
        /// The owner's, as of the session that it was approved from.
        #[serde(default, skip_serializing_if = "SecurityStamp::is_none")]
        stamp: SecurityStamp,
    },
    Redeemed,
}

/// Programs that wait to be let in.
pub struct Pairings {
    items: Arc<dyn ItemStore>,
    /// The fingerprint of what makes an operator now.
    operator: Option<String>,
    revocations: Revocations,
    /// Of codes that are none, by who typed them; `None`: the operator.
    tries: RateLimiter<Option<UserId>>,
    rate_limit: PairingRateLimit,
}

impl Pairings {
    /// Those that are kept in this store. `operator`: the fingerprint of what makes an operator now, as for
    /// [`ApiTokens`].
    /// What an operator approved is worth nothing once that is another one, such as after the key was replaced.
    pub fn new(items: Arc<dyn ItemStore>, operator: Option<&str>) -> Self {
        Self {
            revocations: Revocations::new(Arc::clone(&items)),
            items,
            operator: operator.map(str::to_owned),
            tries: RateLimiter::new(Rate::new(MAX_TRIES, TRIES_PERIOD, MAX_TRIES)),
            rate_limit: PairingRateLimit::default(),
        }
    }

    /// Begins a pairing for a program that calls itself so.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn begin(
        &self,
        client: &TokenLabel,
        source: Source,
        now: Timestamp,
    ) -> Result<NewPairing, BeginError> {
        self.rate_limit.count(source.address, Instant::now())?;
        for _ in 0..MAX_DRAWS {
            let user_code = UserCode::random()?;
            let device_code = DeviceCode::random(&user_code)?;
            let device_sha256 = hex::encode(device_code.digest());
            let id = PairingId::of(&device_sha256);
            let pairing = StoredPairing {
                device_sha256,
                client: client.as_str().to_owned(),
                from: source.address.filter(|_| !source.is_forwarded),
                began_at: whole_millis(now).timestamp_millis(),
                state: State::Waiting,
            };
            let body = ItemBody::of(&pairing).map_err(corrupt)?;
            let item = Item::new(key(&user_code)?, None, now + PAIRING_LIFETIME, body);
            if self.items.put_new(&item, now).await? {
                return Ok(NewPairing {
                    id,
                    device_code,
                    user_code,
                    expires_at: item.expires_at,
                });
            }
        }
        // Of 34 bits that doesn't happen while there are so few.
        Err(BeginError::TooMany {
            again_in: POLL_INTERVAL,
        })
    }

    /// What waits with the code that `by` typed, so that they see what they let in.
    ///
    /// # Errors
    /// If nothing does, or they typed too many.
    pub async fn look(
        &self,
        typed: &str,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<WaitingPairing, ApproveError> {
        let (item, pairing) = self.find(typed, by, now).await?;
        if pairing.state != State::Waiting {
            return Err(self.wrong(by));
        }
        Ok(WaitingPairing {
            client: TokenLabel::from_stored(&pairing.client),
            from: pairing.from,
            began_at: from_millis(pairing.began_at)
                .ok_or_else(|| StoreError::corrupt(STORE, "the time of a pairing"))?,
            expires_at: item.expires_at,
        })
    }

    /// Lets the program in that waits with the code that `by` typed: with a token of theirs that may do this.
    /// `None` is the operator. `stamp`: that of the session it is done from. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub async fn approve(
        &self,
        typed: &str,
        by: Option<UserId>,
        scopes: Scopes,
        stamp: SecurityStamp,
        now: Timestamp,
    ) -> Result<PairingId, ApproveError> {
        let approved = State::Approved {
            owner: by.map(|by| by.to_string()),
            operator: match by {
                Some(_) => None,
                None => self.operator.clone(),
            },
            scopes: scopes.iter().map(|it| it.as_str().to_owned()).collect(),
            stamp,
        };
        let (item, mut pairing) = self.find(typed, by, now).await?;
        let id = PairingId::of(&pairing.device_sha256);
        if pairing.state == State::Waiting {
            let change = pairing.in_state(approved.clone());
            if self.items.replace(&change.item(&item)?, now).await? {
                return Ok(id);
            }
            // Somebody was faster, maybe the same person in another tab.
            (_, pairing) = self.find(typed, by, now).await?;
        }
        match pairing.state == approved {
            true => Ok(id),
            false => Err(self.wrong(by)),
        }
    }

    /// What the program gets for its device code at this moment. The pairing is used up before the token is
    /// made: whoever loses the answer, or finds that there are too many tokens, begins again.
    ///
    /// # Errors
    /// If the store doesn't answer, or makes no token.
    pub async fn redeem(
        &self,
        device_code: &str,
        tokens: &ApiTokens,
        now: Timestamp,
    ) -> Result<Redemption, CreateTokenError> {
        let Some(code) = ReadDeviceCode::parse(device_code) else {
            return Ok(Redemption::Gone);
        };
        let Some(item) = self.items.get(&key(&code.user_code)?, now).await? else {
            return Ok(Redemption::Gone);
        };
        let pairing: StoredPairing = item.body.read().map_err(corrupt)?;
        let shown = hex::encode(code.digest);
        if !bool::from(pairing.device_sha256.as_bytes().ct_eq(shown.as_bytes())) {
            return Ok(Redemption::Gone);
        }
        let (owner, scopes, stamp) = match &pairing.state {
            State::Waiting => return Ok(Redemption::Pending),
            State::Redeemed => return Ok(Redemption::Gone),
            State::Approved {
                owner: None,
                operator,
                ..
            } if *operator != self.operator => return Ok(Redemption::Gone),
            State::Approved {
                owner,
                scopes,
                stamp,
                ..
            } => (owner.as_deref(), Scopes::from_stored(scopes), stamp.clone()),
        };
        let owner = owner.map(UserId::parse).transpose().map_err(corrupt)?;
        if !self.revocations.holds(owner, &stamp, now).await? {
            return Ok(Redemption::Gone);
        }
        let wanted = NewToken {
            owner,
            label: TokenLabel::from_stored(&pairing.client),
            scopes,
            expires_at: None,
            stamp,
        };
        let id = PairingId::of(&pairing.device_sha256);
        let change = pairing.in_state(State::Redeemed);
        if !self.items.replace(&change.item(&item)?, now).await? {
            return Ok(Redemption::Gone);
        }
        match tokens.create(wanted, now).await {
            Ok((text, token)) => Ok(Redemption::Approved {
                pairing: id,
                text,
                token,
            }),
            // A moment ago.
            Err(CreateTokenError::Revoked) => Ok(Redemption::Gone),
            Err(error) => Err(error),
        }
    }

    async fn find(
        &self,
        typed: &str,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(Item, StoredPairing), ApproveError> {
        if let Some(again_in) = self.tries.wait(&by, Instant::now()) {
            return Err(ApproveError::TooManyTries { again_in });
        }
        // What can't be a code guesses none.
        let code = UserCode::parse(typed).map_err(|_| ApproveError::Unknown)?;
        // Counted before it is looked up, since many at once would all pass otherwise.
        let counted = self.tries.take(by, Instant::now());
        counted.map_err(|again_in| ApproveError::TooManyTries { again_in })?;
        let found = self.items.get(&key(&code)?, now).await;
        if !matches!(found, Ok(None)) {
            self.tries.give_back(&by);
        }
        let item = found?.ok_or(ApproveError::Unknown)?;
        let pairing = item.body.read().map_err(corrupt)?;
        Ok((item, pairing))
    }

    /// There is such a code, and it is none for `by`.
    fn wrong(&self, by: Option<UserId>) -> ApproveError {
        // Where nothing is left, it can't count for more.
        let _ = self.tries.take(by, Instant::now());
        ApproveError::Unknown
    }
}

impl StoredPairing {
    fn in_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// As a change of the item that was read.
    fn item(&self, read: &Item) -> Result<Item, StoreError> {
        Ok(Item {
            body: ItemBody::of(self).map_err(corrupt)?,
            ..read.clone()
        })
    }
}

fn key(code: &UserCode) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Pairing, code.digits()).map_err(corrupt)
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}
