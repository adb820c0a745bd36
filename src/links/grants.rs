//! How often each file of a link was taken.
//!
//! Invariant: of a link with a limit each file is taken at most so often, whoever races: one conditional write
//! counts, and with it keeps the idempotency key that it was counted for. So a client that got no answer, also since
//! a process died between count and answer, gets one without being counted again, for [`REPLAY_WINDOW`].
//!
//! Absent on purpose: counts of links without a limit.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use super::link::Link;
use super::{Links, STORE, kept};
use crate::capability_token::RenewableId;
use crate::domain::{FileId, IdempotencyKey, Invalid, Timestamp, UserId, from_millis};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, StoreError};
use crate::operations::OperationError;

/// How long a request that comes again with its idempotency key isn't counted again.
pub const REPLAY_WINDOW: Duration = Duration::from_secs(15 * 60);
/// How many digits a grant's name has: 96 bits.
const GRANT_DIGITS: usize = 24;
/// How many grants of late are kept with the count. Each takes 43 bytes of an item; those before them are items
/// of their own.
const MAX_RECENT: usize = 80;
/// How often a count is tried while others count too: processes, since those of one take turns.
const MAX_ROUNDS: usize = 100;
/// Those who count the same file in this process wait for each other and not for all: so many turns there are.
const TURNS: usize = 64;
/// Tells these digests from digests of anything else.
const CONTEXT: &str = "file-share grant 1\n";

/// What one URL that was handed out is called, in the audit log and in the log of the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantId(String);

impl GrantId {
    /// The name. No secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The idempotency key of whoever takes a file. A key of somebody else's is another one.
#[derive(Debug, Clone, Copy)]
pub struct GrantKey(IdempotencyKey);

impl GrantKey {
    /// The key that this caller sent along; `None`: somebody who isn't signed in.
    pub fn of(key: IdempotencyKey, caller: Option<UserId>) -> Self {
        Self(key.of_owner(caller))
    }
}

/// The name of the grant for a key, or one of its own.
pub(super) fn grant_id(
    link: RenewableId,
    file: FileId,
    key: Option<GrantKey>,
) -> Result<GrantId, StoreError> {
    let mut bytes = [0; GRANT_DIGITS / 2];
    match key {
        None => getrandom::fill(&mut bytes).map_err(|error| {
            StoreError::unavailable("the operating system's random numbers", error)
        })?,
        Some(GrantKey(key)) => {
            let digest = Sha256::new()
                .chain_update(CONTEXT)
                .chain_update(link.as_bytes())
                .chain_update(file.as_bytes())
                .chain_update(key.digest().as_bytes())
                .finalize();
            bytes.copy_from_slice(&digest[..GRANT_DIGITS / 2]);
        }
    }
    Ok(GrantId(hex::encode(bytes)))
}

/// What is kept of a file of a link.
#[derive(Serialize, Deserialize, Default)]
struct Count {
    /// How often it was taken.
    #[serde(rename = "n")]
    taken: u32,
    /// Grants of the last [`REPLAY_WINDOW`] for a key, and when, in milliseconds since 1970; the oldest first.
    #[serde(rename = "r", default)]
    recent: Vec<(GrantId, i64)>,
    /// Until when some of them are items of their own, likewise.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    spilled_until: Option<i64>,
}

/// Of those who count the same file in this process one goes after the other.
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Turns {
    async fn take(&self, link: RenewableId, file: FileId) -> MutexGuard<'_, ()> {
        // The last bytes of both are random.
        let byte = |bytes: &[u8]| usize::from(bytes.last().copied().unwrap_or_default());
        let at = byte(link.as_bytes()) ^ byte(file.as_bytes());
        self.0[at % TURNS].lock().await
    }
}

impl Links {
    /// Takes a file of a link that has a limit, once for a key. How often it can still be taken.
    pub(super) async fn count(
        &self,
        link: &Link,
        limit: u32,
        file: FileId,
        (grant, is_keyed): (&GrantId, bool),
        now: Timestamp,
    ) -> Result<u32, OperationError> {
        let key = key(link.id, file)?;
        let _turn = self.turns.take(link.id, file).await;
        for _ in 0..MAX_ROUNDS {
            // Nothing may be handed out that can't be counted.
            let Some(item) = self.items.get(&key, now).await? else {
                return Err(OperationError::LinkGone);
            };
            let mut count = read(&item)?;
            if is_keyed && self.was_counted(&count, grant, now).await? {
                return Ok(limit.saturating_sub(count.taken));
            }
            if count.taken >= limit {
                return Err(OperationError::DownloadLimitReached);
            }
            count.taken += 1;
            if is_keyed {
                self.remember(&mut count, grant, now).await?;
            }
            let body = ItemBody::of(&count).map_err(corrupt)?;
            if self.items.replace(&Item { body, ..item }, now).await? {
                return Ok(limit - count.taken);
            }
        }
        Err(kept::contended().into())
    }

    /// How often a file of a link can still be taken.
    pub(super) async fn left(
        &self,
        link: RenewableId,
        limit: u32,
        file: FileId,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let item = self.items.get(&key(link, file)?, now).await?;
        let taken = item.as_ref().map(read).transpose()?;
        Ok(taken.map_or(0, |count| limit.saturating_sub(count.taken)))
    }

    async fn was_counted(
        &self,
        count: &Count,
        grant: &GrantId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_it = |(known, at): &(GrantId, i64)| known == grant && is_recent(*at, now);
        if count.recent.iter().any(is_it) {
            return Ok(true);
        }
        match count.spilled_until {
            Some(until) if now.timestamp_millis() < until => {
                Ok(self.items.get(&spilled_key(grant)?, now).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Keeps a grant with the count. If there is no room, an older one becomes an item of its own first: it must
    /// not be forgotten before its time.
    async fn remember(
        &self,
        count: &mut Count,
        grant: &GrantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        count.recent.retain(|(_, at)| is_recent(*at, now));
        while count.recent.len() >= MAX_RECENT {
            let (oldest, at) = count.recent.remove(0);
            let until = from_millis(at).unwrap_or(now) + REPLAY_WINDOW;
            let body = ItemBody::of(&()).map_err(corrupt)?;
            let item = Item::new(spilled_key(&oldest)?, None, until, body);
            // `false`: somebody who counted at the same time was there first.
            self.items.put_new(&item, now).await?;
            let until = until.timestamp_millis();
            count.spilled_until = Some(count.spilled_until.map_or(until, |it| it.max(until)));
        }
        count.recent.push((grant.clone(), now.timestamp_millis()));
        Ok(())
    }
}

fn is_recent(at: i64, now: Timestamp) -> bool {
    from_millis(at).is_some_and(|at| now < at + REPLAY_WINDOW)
}

/// What is kept of a file that nobody has taken yet.
pub(super) fn new_item(link: &Link, file: FileId) -> Result<Item, StoreError> {
    Ok(Item::new(
        key(link.id, file)?,
        Some(kept::list_of_file(file)?),
        link.expires_at,
        ItemBody::of(&Count::default()).map_err(corrupt)?,
    ))
}

/// Under which that is kept. In the list of a file the youngest link comes first.
pub(super) fn key(link: RenewableId, file: FileId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::LinkedFile, &format!("{link}_{file}")).map_err(corrupt)
}

/// Of which link such an item is.
pub(super) fn link_of(key: &ItemKey) -> Option<RenewableId> {
    let (link, _) = key.id().split_once('_')?;
    RenewableId::parse(link).ok()
}

fn spilled_key(grant: &GrantId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Grant, grant.as_str()).map_err(corrupt)
}

fn read(item: &Item) -> Result<Count, StoreError> {
    item.body.read().map_err(corrupt)
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}
