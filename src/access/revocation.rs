//! That all what somebody was let in by is over: their sessions, their tokens, and what they let programs in with.
//!
//! Whatever is made for a person is made with their security stamp, and holds while that is theirs. A session takes the
//! stamp of its sign-in; a token, or a pairing that is approved, the one of the session that it comes from. Revoking
//! everything gives the person another stamp, so what is made from something older is worth nothing, however late,
//! at whatever process, and whatever its clock says.
//!
//! Invariant: once [`Revocations::revoke`] has returned, nothing holds that was made before it began, or from
//! something that was. Who was never revoked has nothing kept about them.
//!
//! Absent on purpose: the issuer's access tokens, which it alone ends. One from before makes nothing new here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Invalid, Timestamp, UserId, from_millis, whole_millis};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, ItemStore};
use crate::store_error::StoreError;

/// How long a stamp is kept: until whatever was made with another one is over by itself, with a day for clocks.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// How far this clock may lie behind the issuer's, which dates its tokens.
const LEEWAY: Duration = Duration::from_secs(60);
/// How often a stamp is written again where others write it at the same moment.
const MAX_TRIES: usize = 4;
/// Random bytes of a stamp. It tells one from another, and is no secret.
const STAMP_BYTES: usize = 8;
const STORE: &str = "the revocations";

/// Tells what was made for a person before everything of theirs was revoked from what was made since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecurityStamp(Option<String>);

impl SecurityStamp {
    /// Whether it says nothing: nothing was ever revoked.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

/// A stamp as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    stamp: String,
    /// In milliseconds since 1970.
    revoked_at: i64,
}

/// Whose sessions and tokens were all revoked.
pub struct Revocations {
    items: Arc<dyn ItemStore>,
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revocations")
    }
}

impl Revocations {
    /// Those that are kept in this store.
    pub fn new(items: Arc<dyn ItemStore>) -> Self {
        Self { items }
    }

    /// With which stamp something is made for this person now.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn stamp_of(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<SecurityStamp, StoreError> {
        let kept = self.kept(user, now).await?;
        Ok(SecurityStamp(kept.map(|(_, body)| body.stamp)))
    }

    /// Whether what was made for this owner with this stamp still holds. The operator's does.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn holds(
        &self,
        owner: Option<UserId>,
        stamp: &SecurityStamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(owner) = owner else {
            return Ok(true);
        };
        let kept = self.kept(owner, now).await?;
        Ok(kept.is_none_or(|(_, body)| stamp.0.as_deref() == Some(&body.stamp)))
    }

    /// With which stamp something is made for this person that an access token of the issuer's asks for, which says
    /// that it was made then; `None`: everything of theirs was revoked since, or that can't be told.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn stamp_for_token(
        &self,
        user: UserId,
        issued_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SecurityStamp>, StoreError> {
        let Some((_, body)) = self.kept(user, now).await? else {
            return Ok(Some(SecurityStamp::default()));
        };
        let revoked_at = from_millis(body.revoked_at)
            .ok_or_else(|| StoreError::corrupt(STORE, "the time of a revocation"))?;
        let is_younger = issued_at.is_some_and(|at| at > revoked_at + LEEWAY);
        Ok(is_younger.then_some(SecurityStamp(Some(body.stamp))))
    }

    /// Ends whatever was made for this person so far.
    ///
    /// # Errors
    /// A store's fault: then it may hold or not. The operating system has no random numbers.
    pub async fn revoke(&self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            let mut bytes = [0; STAMP_BYTES];
            getrandom::fill(&mut bytes).map_err(|error| StoreError::unavailable(STORE, error))?;
            let kept = self.kept(user, now).await?;
            // A clock that is set back makes no older token young.
            let before = kept.as_ref().map_or(i64::MIN, |(_, body)| body.revoked_at);
            let body = ItemBody::of(&Body {
                stamp: hex::encode(bytes),
                revoked_at: whole_millis(now).timestamp_millis().max(before),
            });
            let new = Item::new(key(user)?, None, now + KEPT_FOR, body.map_err(corrupt)?);
            let is_written = match kept {
                None => self.items.put_new(&new, now).await?,
                Some((item, _)) => {
                    let expires_at = new.expires_at.max(item.expires_at);
                    let body = new.body;
                    let item = Item {
                        body,
                        expires_at,
                        ..item
                    };
                    self.items.replace(&item, now).await?
                }
            };
            if is_written {
                return Ok(());
            }
        }
        Err(StoreError::unavailable(
            STORE,
            "others write it all the while",
        ))
    }

    async fn kept(&self, user: UserId, now: Timestamp) -> Result<Option<(Item, Body)>, StoreError> {
        let Some(item) = self.items.get(&key(user)?, now).await? else {
            return Ok(None);
        };
        let body = item.body.read().map_err(corrupt)?;
        Ok(Some((item, body)))
    }
}

fn key(user: UserId) -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Revocation, &user.to_string()).map_err(corrupt)
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}

#[cfg(test)]
mod tests;
