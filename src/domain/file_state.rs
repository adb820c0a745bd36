//! Where in its life a file is.
//!
//! Invariant: [`StateFields`] is the one table of what is known in which state. Stores write the fields
//! that it gives and read a state through it, so a state is added here and in no store.
//!
//! Absent on purpose: what follows from a state's name alone (`status`).

use super::{ContentLength, Sha256Digest, Status, Timestamp};

/// Where in its life a file is, with what is known only there.
#[derive(Debug, Clone, PartialEq)]
pub enum FileState {
    /// It waits for bytes, or those that arrived haven't been settled yet.
    Pending,
    /// The bytes arrived, were measured, and are as declared.
    Available(StoredObject),
    /// Other bytes arrived than were declared. They are deleted, and so is whatever comes later.
    Rejected {
        /// What differed, for the person who uploaded the bytes.
        reason: RejectionReason,
        /// From then on no client sees the record, and it may be removed.
        purge_at: Timestamp,
    },
    /// Every upload URL ran out and nothing came. What arrives later is deleted.
    Expired {
        /// From then on no client sees the record, and it may be removed.
        purge_at: Timestamp,
    },
    /// A tombstone: no client sees it. It stays so that bytes which a URL still brings are deleted.
    Deleted {
        /// From then on the record may be removed: no URL can bring bytes any more.
        purge_at: Timestamp,
    },
}

impl FileState {
    /// The state's name, without what is known only in it.
    pub fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Available(_) => Status::Available,
            Self::Rejected { .. } => Status::Rejected,
            Self::Expired { .. } => Status::Expired,
            Self::Deleted { .. } => Status::Deleted,
        }
    }

    /// Keeps a rejected, expired or deleted record until then.
    pub fn keep_until(&mut self, until: Timestamp) {
        match self {
            Self::Pending | Self::Available(_) => {}
            Self::Rejected { purge_at, .. }
            | Self::Expired { purge_at }
            | Self::Deleted { purge_at } => *purge_at = until,
        }
    }
}

/// What a store keeps of a [`FileState`]: its status, and the fields that a state with this status has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateFields<'a> {
    /// Which of the fields below are there follows from it.
    pub status: Status,
    /// What the bytes hash to; of an available file.
    pub sha256: Option<Sha256Digest>,
    /// The version of the object that was measured; of an available file, in a bucket with versions.
    pub version_id: Option<&'a str>,
    /// When the store had the bytes, by the store's clock; of an available file.
    pub uploaded_at: Option<Timestamp>,
    /// What differed from the declaration; of a rejected file.
    pub reason: Option<&'a str>,
    /// When the record may be removed; of a rejected, expired or deleted file.
    pub purge_at: Option<Timestamp>,
}

impl<'a> From<&'a FileState> for StateFields<'a> {
    fn from(state: &'a FileState) -> Self {
        let none = Self {
            status: state.status(),
            sha256: None,
            version_id: None,
            uploaded_at: None,
            reason: None,
            purge_at: None,
        };
        match state {
            FileState::Pending => none,
            FileState::Available(object) => Self {
                sha256: Some(object.sha256),
                version_id: object.version_id.as_ref().map(|id| id.0.as_str()),
                uploaded_at: Some(object.uploaded_at),
                ..none
            },
            FileState::Rejected { reason, purge_at } => Self {
                reason: Some(&reason.0),
                purge_at: Some(*purge_at),
                ..none
            },
            FileState::Expired { purge_at } | FileState::Deleted { purge_at } => Self {
                purge_at: Some(*purge_at),
                ..none
            },
        }
    }
}

/// The name of a field that a state needs and that isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingField(pub &'static str);

impl StateFields<'_> {
    /// The state that has these fields.
    ///
    /// # Errors
    /// The name of a field that its status needs and that isn't there.
    pub fn to_state(self) -> Result<FileState, MissingField> {
        let purge_at = self.purge_at.ok_or(MissingField("purge_at"));
        Ok(match self.status {
            Status::Pending => FileState::Pending,
            Status::Available => FileState::Available(StoredObject {
                sha256: self.sha256.ok_or(MissingField("sha256"))?,
                version_id: self.version_id.map(|id| VersionId(id.to_owned())),
                uploaded_at: self.uploaded_at.ok_or(MissingField("uploaded_at"))?,
            }),
            Status::Rejected => FileState::Rejected {
                reason: RejectionReason(self.reason.ok_or(MissingField("reason"))?.to_owned()),
                purge_at: purge_at?,
            },
            Status::Expired => FileState::Expired {
                purge_at: purge_at?,
            },
            Status::Deleted => FileState::Deleted {
                purge_at: purge_at?,
            },
        })
    }
}

/// The bytes that make a file available: all of it from one read of one version of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// What the bytes hash to, computed here or by the store when it took them; no client's word.
    pub sha256: Sha256Digest,
    /// `None` where the bucket has no versions.
    pub version_id: Option<VersionId>,
    /// When the store had the bytes, by the store's clock; never before the file was created.
    pub uploaded_at: Timestamp,
}

/// One version of an object, as the store names it. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionId(pub String);

/// Why bytes were rejected, in words for the person who uploaded them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionReason(pub String);

impl RejectionReason {
    /// Another number of bytes arrived than was declared.
    pub fn length_mismatch(declared: ContentLength, observed: u64) -> Self {
        Self(format!(
            "{declared} bytes were declared and {observed} bytes arrived"
        ))
    }

    /// As many bytes arrived as were declared, and they hash to something else.
    pub fn digest_mismatch(declared: Sha256Digest, observed: Sha256Digest) -> Self {
        Self(format!(
            "SHA-256 {declared} was declared and the bytes that arrived have {observed}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    fn states() -> Vec<FileState> {
        let at = from_millis(1_790_000_000_000).unwrap();
        let object = |version: Option<&str>| StoredObject {
            sha256: Sha256Digest::from_bytes([7; 32]),
            version_id: version.map(|id| VersionId(id.to_owned())),
            uploaded_at: at,
        };
        vec![
            FileState::Pending,
            FileState::Available(object(None)),
            FileState::Available(object(Some("v"))),
            FileState::Rejected {
                reason: RejectionReason("no".into()),
                purge_at: at,
            },
            FileState::Expired { purge_at: at },
            FileState::Deleted { purge_at: at },
        ]
    }

    #[test]
    fn every_state_reads_back_from_its_fields_and_not_without_one_that_it_needs() {
        for state in states() {
            let fields = StateFields::from(&state);
            assert_eq!(fields.to_state(), Ok(state.clone()));
            let without = [
                StateFields {
                    sha256: None,
                    ..fields
                },
                StateFields {
                    uploaded_at: None,
                    ..fields
                },
                StateFields {
                    reason: None,
                    ..fields
                },
                StateFields {
                    purge_at: None,
                    ..fields
                },
            ];
            for less in without.into_iter().filter(|less| *less != fields) {
                assert!(less.to_state().is_err(), "{less:?}");
            }
        }
    }
}
