//! What a token names: 16 bytes, which may be an item that can be renewed and which generation of it is meant.
//!
//! Invariant: an item keeps its [`RenewableId`] for ever, and each generation of it has a [`CapabilityId`] of its
//! own. None of them is secret.

use std::fmt;
use std::time::Duration;

use crate::domain::{Invalid, Timestamp};

/// How many bytes a token has of what it names.
pub const ID_BYTES: usize = 16;
/// Those that don't say which generation.
pub const RENEWABLE_BYTES: usize = ID_BYTES - size_of::<u16>();
/// Those that say when an item was made, in milliseconds, counted down.
const TIME_BYTES: usize = 6;
const SECONDS_OF_HOUR: u64 = 60 * 60;
/// The highest generation that comes of an item's age: those above it are counted.
const HIGHEST_BY_AGE: u16 = 6 * 366 * 24;
const _: () = assert!(u16::MAX - HIGHEST_BY_AGE > 10_000);
/// How many characters the ID of an item has.
pub const RENEWABLE_ID_CHARACTERS: usize = 2 * RENEWABLE_BYTES;

/// What a token names, such as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CapabilityId([u8; ID_BYTES]);

impl CapabilityId {
    /// The ID of something that is never renewed, such as a file's UUID.
    pub fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// This generation of an item.
    pub fn of(item: RenewableId, generation: Generation) -> Self {
        let mut bytes = [0; ID_BYTES];
        bytes[..RENEWABLE_BYTES].copy_from_slice(&item.0);
        bytes[RENEWABLE_BYTES..].copy_from_slice(&generation.0.to_be_bytes());
        Self(bytes)
    }

    /// Which item, and which generation of it: what [`Self::of`] was given.
    pub fn item(self) -> (RenewableId, Generation) {
        let mut item = [0; RENEWABLE_BYTES];
        item.copy_from_slice(&self.0[..RENEWABLE_BYTES]);
        let generation = [self.0[RENEWABLE_BYTES], self.0[RENEWABLE_BYTES + 1]];
        let generation = Generation(u16::from_be_bytes(generation));
        (RenewableId(item), generation)
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

/// Which token of an item holds. Those of an earlier generation are over.
///
/// A number that grows with the item's age, and with each renewal: counted alone, the first renewal after an older
/// database was restored would bring back the token of a renewal that the database doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(u16);

impl Generation {
    /// That of an item that was never renewed.
    pub const FIRST: Self = Self(0);

    /// The one after it, of an item that was made so long ago: at least as high as its age in hours, as long as that
    /// leaves numbers to count on with (six years). `None`: there is no further one, and the item has to be made anew.
    pub fn next(self, age: Duration) -> Option<Self> {
        let hours = u16::try_from(age.as_secs() / SECONDS_OF_HOUR).unwrap_or(u16::MAX);
        let counted = self.0.checked_add(1)?;
        Some(Self(counted.max(hours.min(HIGHEST_BY_AGE))))
    }

    /// The number that stores keep.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Reads what [`Self::number`] gave.
    pub fn from_number(number: u16) -> Self {
        Self(number)
    }
}

/// The ID of an item that tokens are made for, and that can be renewed. Those that are younger come first in the
/// order of their texts, which is the one of a store's lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenewableId([u8; RENEWABLE_BYTES]);

impl RenewableId {
    /// One that nothing else has, for what is made at `now`. 64 of its bits are random.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn new(now: Timestamp) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RENEWABLE_BYTES];
        let (time, random) = bytes.split_at_mut(TIME_BYTES);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        time.copy_from_slice(&(!millis).to_be_bytes()[size_of::<u64>() - TIME_BYTES..]);
        getrandom::fill(random)?;
        Ok(Self(bytes))
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; RENEWABLE_BYTES];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_lower => Ok(Self(bytes)),
            _ => Err(Invalid(format!(
                "must be {RENEWABLE_ID_CHARACTERS} hex digits in lower case"
            ))),
        }
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8; RENEWABLE_BYTES] {
        &self.0
    }

    /// Reads what [`Self::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; RENEWABLE_BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RenewableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RenewableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
