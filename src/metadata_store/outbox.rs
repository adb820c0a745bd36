//! The port to what is still to be told others: messages that are kept until somebody has them.
//!
//! Invariant: a message is added in the very write that changes the record, so whatever dies, either both are there or
//! neither is, but for what there is no room for. It stays until it is removed; to move it is conditional, so of many who
//! take one up exactly one does.
//!
//! Absent on purpose: what a message says, and to whom. A store that nobody is told of is written as if this port
//! weren't there.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

use std::time::Duration;

use async_trait::async_trait;

use super::{StoreError, TransitionOutcome};
use crate::domain::{FileId, Invalid, Timestamp, Transition, whole_millis};

/// The longest ID of a message, in bytes.
pub const MAX_MESSAGE_ID_BYTES: usize = 80;
/// The longest text of a message, in bytes: a record with the longest names and all its metadata, each character
/// escaped, and what stands around it.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// The most messages that are given at a time.
pub const MAX_DUE_MESSAGES: usize = 100;
/// The most messages that wait where the records share a disk with everything else: about 250 MB of usual ones.
pub const MAX_WAITING_MESSAGES: u64 = 250_000;

/// What a message is called. It stays the same however often it is sent, and two writes of the same change give the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// The ID that is this text.
    ///
    /// # Errors
    /// What isn't 1 to [`MAX_MESSAGE_ID_BYTES`] ASCII letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match (1..=MAX_MESSAGE_ID_BYTES).contains(&text.len()) && text.bytes().all(is_known) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new("not the ID of a message")),
        }
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message that is still to be told.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is called.
    pub id: MessageId,
    /// From then on it is to be sent.
    pub due_at: Timestamp,
    /// How often it was sent, and not taken.
    pub attempts: u32,
    /// When that was so first.
    pub tried_since: Option<Timestamp>,
    /// What is sent: at most [`MAX_MESSAGE_BYTES`].
    pub body: String,
}

impl Message {
    /// One that nobody has tried to send, due at once.
    ///
    /// # Errors
    /// A text that is too long.
    pub fn new(id: MessageId, body: String, now: Timestamp) -> Result<Self, Invalid> {
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(Invalid::new("a message is too long"));
        }
        Ok(Self {
            id,
            due_at: whole_millis(now),
            attempts: 0,
            tried_since: None,
            body,
        })
    }

    /// The same after a try more that ended at `now`, due again at `due_at`.
    pub fn not_taken(&self, now: Timestamp, due_at: Timestamp) -> Self {
        Self {
            due_at: whole_millis(due_at),
            attempts: self.attempts.saturating_add(1),
            tried_since: self.tried_since.or(Some(whole_millis(now))),
            ..self.clone()
        }
    }

    /// The same, due at another time.
    pub fn due_at(&self, due_at: Timestamp) -> Self {
        Self {
            due_at: whole_millis(due_at),
            ..self.clone()
        }
    }
}

/// What it says belongs to whom it is sent to.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id,
            due_at,
            attempts,
            tried_since,
            body: _,
        } = self;
        f.debug_struct("Message")
            .field("id", id)
            .field("due_at", due_at)
            .field("attempts", attempts)
            .field("tried_since", tried_since)
            .finish_non_exhaustive()
    }
}

/// Where messages are kept, beside the records of the [`MetadataStore`](super::MetadataStore). A message whose ID is
/// there already is left as it is. Where only so many may wait, those that wait stay and what comes beyond is left out:
/// the change that it tells of is made all the same.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// As [`transition`](super::MetadataStore::transition), and adds the messages if it was made.
    async fn transition_told(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError>;

    /// As [`delete`](super::MetadataStore::delete), and adds the messages if it made a tombstone.
    async fn delete_told(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError>;

    /// Adds a message of something that changes no record.
    async fn add_message(&self, message: &Message) -> Result<(), StoreError>;

    /// Messages that are due at `now`, those that are due the longest first, at most `limit` (1 to
    /// [`MAX_DUE_MESSAGES`]). What was written a moment ago may be missing.
    async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, StoreError>;

    /// Messages that are due later than `moment`, the latest first, at most `limit` as above. What was written a moment
    /// ago may be missing.
    async fn messages_after(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError>;

    /// Writes the message in the place of the one that was seen. `false`: it isn't as it was seen any more, so
    /// somebody else took it up, or it is gone.
    async fn replace_message(&self, seen: &Message, message: &Message) -> Result<bool, StoreError>;

    /// Removes a message. Doing it again changes nothing.
    async fn remove_message(&self, id: &MessageId) -> Result<(), StoreError>;
}
