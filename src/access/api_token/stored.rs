//! What is kept of a token.
//!
//! Invariant: nothing that it could be made of. What a later version of the program adds stays, and a scope that
//! isn't known gives nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::text::TokenDigest;
use super::{NewToken, STORE, TokenInfo, TokenLabel, USE_STEP, corrupt};
use crate::access::revocation::SecurityStamp;
use crate::access::{Scopes, TokenCaller, TokenId};
use crate::domain::{Timestamp, UserId, from_millis, whole_millis};
use crate::item_store::Item;
use crate::store_error::StoreError;

/// The body of a token's item. Moments are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredToken {
    sha256: String,
    label: String,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// The owner's, when it was made.
    #[serde(default, skip_serializing_if = "SecurityStamp::is_none")]
    pub(super) stamp: SecurityStamp,
    /// What a later version of this program knows of.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl StoredToken {
    pub(super) fn new(digest: &TokenDigest, wanted: &NewToken, now: Timestamp) -> Self {
        Self {
            sha256: hex::encode(digest),
            label: wanted.label.as_str().to_owned(),
            scopes: wanted
                .scopes
                .iter()
                .map(|it| it.as_str().to_owned())
                .collect(),
            owner: wanted.owner.map(|owner| owner.to_string()),
            created_at: whole_millis(now).timestamp_millis(),
            last_used_at: None,
            stamp: wanted.stamp.clone(),
            more: Map::new(),
        }
    }

    pub(super) fn digest(&self) -> Result<TokenDigest, StoreError> {
        let mut digest = TokenDigest::default();
        hex::decode_to_slice(&self.sha256, &mut digest).map_err(|_| unreadable("digest"))?;
        Ok(digest)
    }

    fn owner(&self) -> Result<Option<UserId>, StoreError> {
        let owner = self.owner.as_deref().map(UserId::parse);
        owner.transpose().map_err(corrupt)
    }

    pub(super) fn caller(&self, id: TokenId, item: &Item) -> Result<TokenCaller, StoreError> {
        Ok(TokenCaller {
            id,
            owner: self.owner()?,
            scopes: Scopes::from_stored(&self.scopes),
            expires_at: item.expires_at,
        })
    }

    pub(super) fn info(&self, item: &Item) -> Result<TokenInfo, StoreError> {
        let moment = |millis| from_millis(millis).ok_or_else(|| unreadable("time"));
        Ok(TokenInfo {
            id: TokenId::parse(item.key.id()).map_err(corrupt)?,
            owner: self.owner()?,
            label: TokenLabel::from_stored(&self.label),
            scopes: Scopes::from_stored(&self.scopes),
            created_at: moment(self.created_at)?,
            expires_at: item.expires_at,
            last_used_at: self.last_used_at.map(moment).transpose()?,
        })
    }

    /// The same, used at this moment; `None` if that is known already. A clock that was set back changes nothing.
    pub(super) fn used_at(mut self, now: Timestamp) -> Option<Self> {
        let step = i64::try_from(Duration::as_millis(&USE_STEP)).unwrap_or(i64::MAX);
        let now = now.timestamp_millis();
        let used = now - now.rem_euclid(step);
        let is_known = self.last_used_at.is_some_and(|last| last >= used);
        self.last_used_at = Some(used);
        (!is_known).then_some(self)
    }
}

fn unreadable(what: &'static str) -> StoreError {
    StoreError::corrupt(STORE, format!("the {what} of a token"))
}
