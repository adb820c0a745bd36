//! An item: a key, a moment at which it is over, and a short text of JSON.
//!
//! Invariant: a body is JSON of at most [`MAX_ITEM_BODY_BYTES`], wherever it comes from. Moments are whole
//! milliseconds, so an item reads back as it was written.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{ItemKey, ItemParent};
use crate::domain::{Invalid, Timestamp, whole_millis};

/// The longest body of an item, in bytes: that of a box in which a hundred people have times of their own.
pub const MAX_ITEM_BODY_BYTES: usize = 64 * 1024;

/// What a kind keeps in its items, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemBody(String);

impl ItemBody {
    /// A body of this text.
    ///
    /// # Errors
    /// If it is too long, or no JSON.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        if text.len() > MAX_ITEM_BODY_BYTES {
            return Err(Invalid(format!(
                "an item's body has at most {MAX_ITEM_BODY_BYTES} bytes, and this one {}",
                text.len()
            )));
        }
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(Invalid("an item's body is JSON".into())),
        }
    }

    /// A body that holds this value.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(value: &impl Serialize) -> Result<Self, Invalid> {
        let text = serde_json::to_string(value);
        Self::new(text.map_err(|_| Invalid("an item's body can't be written as JSON".into()))?)
    }

    /// Reads what [`Self::of`] wrote.
    ///
    /// # Errors
    /// If it holds something else; the text says nothing of what it holds.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        serde_json::from_str(&self.0).map_err(|_| Invalid("an item's body can't be read".into()))
    }

    /// The JSON itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells each write of an item from all others. Only whether two are equal says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemVersion(i64);

impl ItemVersion {
    /// One that no other write has. No secret.
    pub fn fresh() -> Self {
        Self(fastrand::i64(0..i64::MAX))
    }

    /// The number that stores keep.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Reads what [`Self::number`] gave.
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }
}

/// A small item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is called.
    pub key: ItemKey,
    /// The list that it is in, if it is in one.
    pub parent: Option<ItemParent>,
    /// From this moment on it isn't there any more.
    pub expires_at: Timestamp,
    /// What its kind keeps in it.
    pub body: ItemBody,
    /// Which write made it what it is.
    pub version: ItemVersion,
}

impl Item {
    /// An item that isn't in a store yet.
    pub fn new(
        key: ItemKey,
        parent: Option<ItemParent>,
        expires_at: Timestamp,
        body: ItemBody,
    ) -> Self {
        Self {
            key,
            parent,
            expires_at: whole_millis(expires_at),
            body,
            version: ItemVersion::fresh(),
        }
    }

    /// Whether it is over at this moment.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// The same as another write of it.
    pub fn with_fresh_version(&self) -> Self {
        Self {
            version: ItemVersion::fresh(),
            expires_at: whole_millis(self.expires_at),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_long_or_no_json_is_refused() {
        let of_length = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(ItemBody::new(of_length(MAX_ITEM_BODY_BYTES)).is_ok());
        let refused = [
            of_length(MAX_ITEM_BODY_BYTES + 1),
            String::new(),
            "{".into(),
        ];
        for text in refused {
            assert!(ItemBody::new(text).is_err());
        }
        assert!(ItemBody::of(&"x".repeat(MAX_ITEM_BODY_BYTES)).is_err());
    }

    #[test]
    fn a_body_reads_back_and_says_nothing_of_itself_where_it_does_not() {
        let body = ItemBody::of(&("a", 1)).unwrap();
        assert_eq!(body.read(), Ok(("a".to_owned(), 1)));
        let secret = ItemBody::of(&"hunter2").unwrap();
        let error = secret.read::<u64>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
