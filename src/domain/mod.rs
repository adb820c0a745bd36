//! The values and rules of file sharing.
//!
//! Everything that comes from outside becomes one of these types at the door, so that the code
//! behind it never meets an unchecked name, length or key.
//!
//! Invariant: nothing here does I/O, knows HTTP or an SDK, or reads a clock. The time is always
//! handed in.

mod attested_file;
mod audience;
mod content_length;
mod content_type;
mod declaration;
mod display_name;
mod file_ending;
mod file_id;
mod file_name;
mod file_record;
mod file_state;
mod hand_in;
mod hold;
mod idempotency_key;
mod lifecycle;
mod lock_mode;
mod metadata;
mod object_key;
mod quota;
mod rejection;
#[cfg(any(test, feature = "conformance"))]
pub(crate) mod samples;
mod sha256_digest;
mod status;
mod store_time;
mod timestamp;
mod transition;
mod user_id;

pub use attested_file::{AttestedBox, AttestedFile};
pub use audience::Audience;
pub use content_length::{ContentLength, MAX_CONTENT_LENGTH, TooLong};
pub use content_type::{CONTENT_TYPE_PATTERN, ContentType, MAX_CONTENT_TYPE_BYTES};
pub use declaration::Declaration;
pub use display_name::{DisplayName, MAX_DISPLAY_NAME_CHARS};
pub use file_ending::{AllowedTypes, FileEnding, MAX_ENDINGS};
pub use file_id::FileId;
pub(crate) use file_name::is_mark;
pub use file_name::{FileName, MAX_FILE_NAME_BYTES, MAX_FILE_NAME_CHARS, shortened};
pub use file_record::FileRecord;
pub use file_state::{
    FileState, MissingField, Stage, StageName, StateFields, StoredObject, VersionId,
    WithdrawnObject,
};
pub use hand_in::{
    BOX_ID_BYTES, BoxId, HandIn, MAX_SUBMITTER_CHARACTERS, Submitter, SubmitterName,
};
pub use hold::{Hold, HoldReason, MAX_HOLD_REASON_CHARACTERS};
pub use idempotency_key::{IdempotencyKey, KeyedRequest, MAX_IDEMPOTENCY_KEY_CHARACTERS};
pub use lifecycle::{LONGEST_RECONCILE_GAP, LONGEST_RETENTION, Lifecycle, NextReconcile};
pub use lock_mode::LockMode;
pub use metadata::{MAX_METADATA_BYTES, MAX_METADATA_KEYS, Metadata};
pub use object_key::{KEY_PREFIX, ObjectKey};
pub use quota::{Quota, Usage};
pub use rejection::{RejectionCode, RejectionReason};
pub use sha256_digest::Sha256Digest;
pub use status::{Status, StoredBytes};
pub use store_time::{ClocksDiffer, MAX_CLOCK_DIFFERENCE, StoreTime};
pub use timestamp::{Timestamp, format_timestamp, from_millis, parse_timestamp, whole_millis};
pub use transition::{Transition, TransitionCondition};
pub use user_id::UserId;

/// A value from outside that a domain type refuses, in words for the person who sent it.
///
/// The text says what would be right. It never repeats more of the input than is harmless to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
