//! API tokens: what programs show to act for a person.
//!
//! Invariant: a token is known to its holder alone; here its digest is kept. A token that was revoked isn't taken
//! any more: at once by the process that revoked it, by others within [`REMEMBERED`]; the same goes for one that was
//! made from something of its owner's before everything of theirs was revoked ([`super::revocation`]). Everything is
//! bounded: how long a token lives, how many an owner has, how many are remembered, and what is written of their use.
//!
//! Absent on purpose: who may make and revoke whose tokens, and with which scopes, which is for `authorize` to say,
//! and how often somebody may try a token that isn't one, which is the gate's. A text that can't be a token costs no look into the store.

mod cache;
mod stored;
mod terms;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use self::cache::{Epoch, Verified, VerifiedTokens};
use self::stored::StoredToken;
use self::terms::expiry;
use self::text::{TokenDigest, digest_of};
use super::revocation::Revocations;
use super::{TokenCaller, TokenId};
use crate::domain::{Invalid, Timestamp, UserId};
use crate::item_store::{
    Item, ItemBody, ItemKey, ItemKind, ItemList, ItemParent, ItemStore, MAX_ITEM_PAGE,
};
use crate::store_error::StoreError;

pub use terms::{
    CreateTokenError, DEFAULT_LIFETIME, LONGEST_LIFETIME, MAX_LABEL_CHARACTERS, MAX_TOKENS,
    NewToken, TokenInfo, TokenLabel,
};
pub use text::TokenText;

/// How long a token that was looked up is taken without a look. So long one may be taken that another process
/// revoked.
pub const REMEMBERED: Duration = Duration::from_secs(30);
/// To what the last use of a token is kept, and how often it is written at most.
const USE_STEP: Duration = Duration::from_secs(30);
/// How many uses are being written at a time. Those beyond are left out, and written with a later use.
const MAX_USES_IN_HAND: usize = 8;
/// How many pages of the store's a list of tokens is read in. [`MAX_TOKENS`] fit into one; tokens that are over
/// may take places until the store removes them.
const MAX_PAGES: usize = 50;
/// How often the tokens of an owner are looked for to be revoked; a list may be behind.
const MAX_REVOKE_ROUNDS: usize = 3;
/// What the name of the operator's list begins with. No person's ID does.
const OPERATOR: &str = "operator";

/// How errors call the store, where what it holds makes no sense.
const STORE: &str = "the store of tokens";

/// What a process can say of a text by itself.
pub(super) enum Recalled {
    /// It is no token.
    NoToken,
    /// It was looked up a moment ago: who calls with it, unless it is over.
    Fresh(Option<Arc<TokenCaller>>),
    /// It held when it was looked up last, too long ago to be believed.
    HeldBefore(TokenDigest),
    /// Nothing: it may be a guess.
    Unknown(TokenDigest),
}

/// The tokens that there are.
pub struct ApiTokens {
    items: Arc<dyn ItemStore>,
    /// In whose list the operator's are.
    operator: Option<String>,
    revocations: Revocations,
    verified: VerifiedTokens,
    /// Held while one is counted and made, so that this process makes none too many.
    creating: Mutex<()>,
    uses: Arc<Semaphore>,
}

impl ApiTokens {
    /// Those that are kept in this store. `operator`: the fingerprint of what makes an operator now, such as of the
    /// local key. The operator's tokens hold while it stays; without one there are none. Else whoever reached a
    /// service that asked nobody, or had a key that was replaced, would keep the operator's rights.
    pub fn new(items: Arc<dyn ItemStore>, operator: Option<&str>) -> Self {
        Self {
            revocations: Revocations::new(Arc::clone(&items)),
            items,
            operator: operator.map(|fingerprint| format!("{OPERATOR}-{fingerprint}")),
            verified: VerifiedTokens::default(),
            creating: Mutex::default(),
            uses: Arc::new(Semaphore::new(MAX_USES_IN_HAND)),
        }
    }

    /// Makes a token. Its text is given this once.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn create(
        &self,
        wanted: NewToken,
        now: Timestamp,
    ) -> Result<(TokenText, TokenInfo), CreateTokenError> {
        let expires_at = expiry(wanted.expires_at, now).map_err(CreateTokenError::Expiry)?;
        let text = TokenText::random()?;
        let digest = text.digest();
        let token = StoredToken::new(&digest, &wanted, now);
        let item = Item::new(
            key(TokenId::of_digest(&digest))?,
            Some(
                self.list_of(wanted.owner)?
                    .ok_or(CreateTokenError::NoOperator)?,
            ),
            expires_at,
            ItemBody::of(&token).map_err(corrupt)?,
        );
        let holds = self.revocations.holds(wanted.owner, &wanted.stamp, now);
        if !holds.await? {
            return Err(CreateTokenError::Revoked);
        }
        let one_at_a_time = self.creating.lock().await;
        let (there, is_all) = self.items_of(wanted.owner, now).await?;
        if there.len() >= MAX_TOKENS || !is_all {
            return Err(CreateTokenError::TooMany);
        }
        let epoch = self.verified.epoch();
        if !self.items.put_new(&item, now).await? {
            // The ID of 128 random bits is taken: that was another token's.
            return Err(StoreError::AlreadyExists { store: STORE }.into());
        }
        drop(one_at_a_time);
        // To be looked up all the same. But it is known to be no guess.
        let id = TokenId::of_digest(&digest);
        let caller = Arc::new(token.caller(id, &item)?);
        self.verified.add(epoch, &digest, caller, Instant::now());
        Ok((text, token.info(&item)?))
    }

    /// The tokens of an owner that hold, the newest first.
    ///
    /// # Errors
    /// If the store doesn't answer.
    pub async fn list(
        &self,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> Result<Vec<TokenInfo>, StoreError> {
        let (items, _) = self.items_of(owner, now).await?;
        let mut tokens: Vec<TokenInfo> = items
            .iter()
            .filter_map(|item| {
                let info = read(item).and_then(|token| token.info(item));
                info.inspect_err(|error| {
                    tracing::error!(
                        token = item.key.id(),
                        error = error.chain(),
                        "a token can't be read"
                    );
                })
                .ok()
            })
            .collect();
        tokens.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id.to_string())));
        Ok(tokens)
    }

    /// Ends a token of this owner's. Whether there was one.
    ///
    /// # Errors
    /// If the store doesn't answer; the token may be over or not.
    pub async fn revoke(
        &self,
        owner: Option<UserId>,
        id: TokenId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = key(id)?;
        let Some(item) = self.items.get(&key, now).await? else {
            self.verified.drop_one(id);
            return Ok(false);
        };
        if item.parent.is_none() || item.parent != self.list_of(owner)? {
            return Ok(false);
        }
        let removed = self.items.remove(&key, now).await;
        // Also where nobody said whether it was done.
        self.verified.forget(id);
        // It was there. Who removed it, if somebody else did meanwhile, makes no difference.
        removed.map(|_| true)
    }

    /// Removes all tokens of this owner's. How many there were. One that is being made at this moment, or isn't in a
    /// list yet, may stay: [`Revocations::revoke`] before ends it.
    ///
    /// # Errors
    /// If the store doesn't answer; some may be over.
    pub async fn revoke_all(
        &self,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let revoked = self.revoke_all_listed(owner, now).await;
        // Also where it broke off.
        self.verified.forget_all_of(owner);
        revoked
    }

    async fn revoke_all_listed(
        &self,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut revoked = 0;
        for _ in 0..MAX_REVOKE_ROUNDS {
            let found = self.revoke_listed(owner, now).await?;
            revoked += found;
            if found == 0 {
                break;
            }
        }
        Ok(revoked)
    }

    /// To the end of the list, however many places those take that are over: who left may have made many.
    async fn revoke_listed(
        &self,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let Some(parent) = self.list_of(owner)? else {
            return Ok(0);
        };
        let (mut revoked, mut after) = (0, None);
        loop {
            let page = self.items.list(&parent, after.as_ref(), MAX_ITEM_PAGE, now);
            let page = page.await?;
            for item in page.items {
                let removed = self.items.remove(&item.key, now).await;
                if let Ok(id) = TokenId::parse(item.key.id()) {
                    self.verified.forget(id);
                }
                revoked += usize::from(removed?);
            }
            after = page.next;
            if after.is_none() {
                return Ok(revoked);
            }
        }
    }

    /// What is known of this text without a look into the store. It is hashed once, here.
    pub(super) fn recall(&self, text: &str, now: Timestamp) -> Recalled {
        match digest_of(text) {
            None => Recalled::NoToken,
            Some(digest) => match self.verified.recall(&digest, Instant::now()) {
                Verified::Fresh(caller) => {
                    Recalled::Fresh(Some(caller).filter(|it| now < it.expires_at))
                }
                Verified::HeldBefore => Recalled::HeldBefore(digest),
                Verified::Unknown => Recalled::Unknown(digest),
            },
        }
    }

    /// Who calls with this text; `None` if it is no token that holds. Notes that it was used, in its own time.
    ///
    /// # Errors
    /// If the store doesn't answer, so that nobody can say.
    pub async fn verify(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<TokenCaller>>, StoreError> {
        match self.recall(text, now) {
            Recalled::NoToken => Ok(None),
            Recalled::Fresh(caller) => Ok(caller),
            Recalled::HeldBefore(digest) | Recalled::Unknown(digest) => {
                self.look_up(&digest, now).await
            }
        }
    }

    /// As [`Self::verify`], by what the store says now.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub(super) async fn look_up(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<Arc<TokenCaller>>, StoreError> {
        let epoch = self.verified.epoch();
        let (read_at, id) = (Instant::now(), TokenId::of_digest(digest));
        let Some(item) = self.items.get(&key(id)?, now).await? else {
            self.verified.drop_one(id);
            return Ok(None);
        };
        let token = read(&item)?;
        if !bool::from(token.digest()?.ct_eq(digest)) {
            return Ok(None);
        }
        let caller = Arc::new(token.caller(id, &item)?);
        if item.parent.is_none() || item.parent != self.list_of(caller.owner)? {
            return Ok(None);
        }
        let holds = self.revocations.holds(caller.owner, &token.stamp, now);
        if !holds.await? {
            return Ok(None);
        }
        self.remember(epoch, digest, &caller, read_at);
        self.note_use(item, token, now);
        Ok(Some(caller))
    }

    fn remember(
        &self,
        epoch: Epoch,
        digest: &TokenDigest,
        caller: &Arc<TokenCaller>,
        read_at: Instant,
    ) {
        // From the moment at which it was asked for: an answer that took long is older than it seems.
        self.verified
            .add(epoch, digest, Arc::clone(caller), read_at + REMEMBERED);
    }

    /// Writes when a token was used, unless it was written lately or too much is being written. Nobody waits for
    /// it, and where it fails, or somebody else wrote the token meanwhile, the next use is written.
    fn note_use(&self, item: Item, token: StoredToken, now: Timestamp) {
        let Some(used) = token.used_at(now) else {
            return;
        };
        let (Ok(body), Ok(permit)) = (
            ItemBody::of(&used),
            Arc::clone(&self.uses).try_acquire_owned(),
        ) else {
            return;
        };
        let items = Arc::clone(&self.items);
        tokio::spawn(async move {
            if let Err(error) = items.replace(&Item { body, ..item }, now).await {
                tracing::debug!(error = error.chain(), "the use of a token wasn't written");
            }
            drop(permit);
        });
    }

    /// The items of an owner, and whether these are all.
    async fn items_of(
        &self,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let Some(parent) = self.list_of(owner)? else {
            return Ok((Vec::new(), true));
        };
        let mut items = Vec::new();
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let page = self.items.list(&parent, after.as_ref(), MAX_ITEM_PAGE, now);
            let page = page.await?;
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok((items, true));
            }
        }
        Ok((items, false))
    }

    /// Where the tokens of an owner are listed; `None`: the operator has none here.
    fn list_of(&self, owner: Option<UserId>) -> Result<Option<ItemParent>, StoreError> {
        let of = match owner {
            Some(owner) => Some(owner.to_string()),
            None => self.operator.clone(),
        };
        let list = of.map(|of| ItemParent::new(ItemList::Tokens, &of));
        list.transpose().map_err(corrupt)
    }
}

fn key(id: TokenId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Token, &id.to_string()).map_err(corrupt)
}

fn read(item: &Item) -> Result<StoredToken, StoreError> {
    item.body.read().map_err(corrupt)
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}
