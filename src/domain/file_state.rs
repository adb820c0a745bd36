//! Where in its life a file is.
//!
//! Invariant: [`StateFields`] is the one table of what is known in which state. Stores write the fields
//! that it gives and read a state through it, so a state is added here and in no store.
//!
//! Absent on purpose: what follows from a state's name alone (`status`), and why bytes aren't taken (`rejection`).

use super::{
    ContentType, Invalid, RejectionCode, RejectionReason, Sha256Digest, Status, Timestamp,
};

/// Where in its life a file is, with what is known only there.
#[derive(Debug, Clone, PartialEq)]
pub enum FileState {
    /// It waits for bytes, or those that arrived haven't been settled yet.
    Pending(Stage),
    /// The bytes arrived, were measured, and are as declared.
    Available(StoredObject),
    /// Other bytes arrived than were declared, or such as the name may not have. They are deleted, and so is whatever
    /// comes later.
    Rejected {
        /// What differed, for the person who uploaded the bytes.
        reason: RejectionReason,
        /// From then on no client sees the record, and it may be removed.
        purge_at: Timestamp,
    },
    /// It was available, until a later scan found something. The bytes are deleted, unless something keeps them, and so is
    /// whatever comes later.
    Withdrawn {
        /// What they were.
        was: WithdrawnObject,
        /// Why, for people who have had the file.
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

/// How far a pending file has come, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stage {
    /// It waits for bytes, or nobody has looked at those that arrived.
    #[default]
    Uploading,
    /// The bytes are there, and wait for the virus scanner.
    Scanning,
    /// The bytes are there and as declared, and the store is told that this version stays: it is what will be available,
    /// whatever comes under the same key, and the file can't be deleted any more before its `keep_until`. `None` where
    /// nothing tells one version from another, or nobody wrote down which it is.
    Locking(Option<VersionId>),
}

/// The name of a stage, in stores and over the wire. The first stage has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageName {
    /// Of [`Stage::Scanning`].
    Scanning,
    /// Of [`Stage::Locking`].
    Locking,
}

impl Stage {
    /// Its name; `None` for the first, which needs none.
    pub const fn name(&self) -> Option<StageName> {
        match self {
            Self::Uploading => None,
            Self::Scanning => Some(StageName::Scanning),
            Self::Locking(_) => Some(StageName::Locking),
        }
    }
}

impl StageName {
    /// The word that stores keep and clients see; it never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scanning => "scanning",
            Self::Locking => "locking",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut all = [Self::Scanning, Self::Locking].into_iter();
        all.find(|it| it.as_str() == text)
            .ok_or_else(|| Invalid::new("no stage of a pending file"))
    }
}

impl FileState {
    /// A file that waits for its bytes.
    pub const PENDING: Self = Self::Pending(Stage::Uploading);

    /// The state's name, without what is known only in it.
    pub fn status(&self) -> Status {
        match self {
            Self::Pending(_) => Status::Pending,
            Self::Available(_) => Status::Available,
            Self::Rejected { .. } => Status::Rejected,
            Self::Withdrawn { .. } => Status::Withdrawn,
            Self::Expired { .. } => Status::Expired,
            Self::Deleted { .. } => Status::Deleted,
        }
    }

    /// Keeps a record that is over until then.
    pub fn keep_until(&mut self, until: Timestamp) {
        match self {
            Self::Pending(_) | Self::Available(_) => {}
            Self::Rejected { purge_at, .. }
            | Self::Withdrawn { purge_at, .. }
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
    /// How far it has come; of a pending file that waits for something else than its bytes.
    pub stage: Option<StageName>,
    /// What the bytes hash to; of an available file, or one that was.
    pub sha256: Option<Sha256Digest>,
    /// The version of the object that was measured, in a bucket with versions; of an available file, one that was, or
    /// one whose version is being locked.
    pub version_id: Option<&'a str>,
    /// When the store had the bytes, by the store's clock; of an available file, or one that was.
    pub uploaded_at: Option<Timestamp>,
    /// What differed from the declaration, or was found later; of a rejected or withdrawn file.
    pub reason: Option<&'a str>,
    /// The same for programs; of a file that was rejected since there are codes, or withdrawn.
    pub reason_code: Option<RejectionCode>,
    /// What the bytes are; of a file whose bytes were looked at.
    pub detected_type: Option<&'a ContentType>,
    /// When the record may be removed; of a file that is over.
    pub purge_at: Option<Timestamp>,
}

impl<'a> From<&'a FileState> for StateFields<'a> {
    fn from(state: &'a FileState) -> Self {
        let none = Self {
            status: state.status(),
            stage: None,
            sha256: None,
            version_id: None,
            uploaded_at: None,
            reason: None,
            reason_code: None,
            detected_type: None,
            purge_at: None,
        };
        match state {
            FileState::Pending(stage) => Self {
                stage: stage.name(),
                version_id: match stage {
                    Stage::Uploading | Stage::Scanning => None,
                    Stage::Locking(version) => version.as_ref().map(VersionId::as_str),
                },
                ..none
            },
            FileState::Available(object) => Self {
                sha256: Some(object.sha256),
                version_id: object.version_id.as_ref().map(VersionId::as_str),
                uploaded_at: Some(object.uploaded_at),
                detected_type: object.detected_type.as_ref(),
                ..none
            },
            FileState::Rejected { reason, purge_at } => Self {
                reason: Some(&reason.text),
                reason_code: reason.code,
                detected_type: reason.detected_type.as_ref(),
                purge_at: Some(*purge_at),
                ..none
            },
            FileState::Withdrawn {
                was,
                reason,
                purge_at,
            } => Self {
                sha256: Some(was.sha256),
                version_id: was.version_id.as_ref().map(VersionId::as_str),
                uploaded_at: Some(was.uploaded_at),
                reason: Some(&reason.text),
                reason_code: reason.code,
                detected_type: reason.detected_type.as_ref(),
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
        let sha256 = self.sha256.ok_or(MissingField("sha256"));
        let uploaded_at = self.uploaded_at.ok_or(MissingField("uploaded_at"));
        let version_id = self.version_id.map(|id| VersionId(id.to_owned()));
        let reason = match self.reason {
            Some(text) => Ok(RejectionReason {
                text: text.to_owned(),
                code: self.reason_code,
                detected_type: self.detected_type.cloned(),
            }),
            None => Err(MissingField("reason")),
        };
        Ok(match self.status {
            Status::Pending => FileState::Pending(match self.stage {
                None => Stage::Uploading,
                Some(StageName::Scanning) => Stage::Scanning,
                Some(StageName::Locking) => Stage::Locking(version_id),
            }),
            Status::Available => FileState::Available(StoredObject {
                sha256: sha256?,
                version_id,
                uploaded_at: uploaded_at?,
                detected_type: self.detected_type.cloned(),
            }),
            Status::Rejected => FileState::Rejected {
                reason: reason?,
                purge_at: purge_at?,
            },
            Status::Withdrawn => FileState::Withdrawn {
                was: WithdrawnObject {
                    sha256: sha256?,
                    version_id,
                    uploaded_at: uploaded_at?,
                },
                reason: reason?,
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
    /// What the bytes are; `None` of files from before that was looked at.
    pub detected_type: Option<ContentType>,
}

/// What the bytes of a withdrawn file were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawnObject {
    /// What they hashed to.
    pub sha256: Sha256Digest,
    /// Which version they are, as long as something keeps them; `None` where the bucket has no versions, and of files
    /// that were withdrawn before that was written down.
    pub version_id: Option<VersionId>,
    /// When the store had them, by the store's clock.
    pub uploaded_at: Timestamp,
}

impl From<&StoredObject> for WithdrawnObject {
    fn from(object: &StoredObject) -> Self {
        Self {
            sha256: object.sha256,
            version_id: object.version_id.clone(),
            uploaded_at: object.uploaded_at,
        }
    }
}

/// One version of an object, as the store names it. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionId(pub String);

impl VersionId {
    /// As the store wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FileEnding, from_millis};

    fn states() -> Vec<FileState> {
        let at = from_millis(1_790_000_000_000).unwrap();
        let object = |version: Option<&str>| StoredObject {
            sha256: Sha256Digest::from_bytes([7; 32]),
            version_id: version.map(|id| VersionId(id.to_owned())),
            uploaded_at: at,
            detected_type: version.map(|_| ContentType::unknown()),
        };
        vec![
            FileState::PENDING,
            FileState::Pending(Stage::Scanning),
            FileState::Pending(Stage::Locking(None)),
            FileState::Pending(Stage::Locking(object(Some("v")).version_id)),
            FileState::Available(object(None)),
            FileState::Available(object(Some("v"))),
            FileState::Rejected {
                reason: RejectionReason::content_mismatch(
                    &FileEnding::parse("pdf").unwrap(),
                    ContentType::unknown(),
                ),
                purge_at: at,
            },
            FileState::Rejected {
                reason: RejectionReason {
                    text: "from before there were codes".into(),
                    code: None,
                    detected_type: None,
                },
                purge_at: at,
            },
            FileState::Withdrawn {
                was: WithdrawnObject::from(&object(None)),
                reason: RejectionReason::infected("x", ContentType::unknown()),
                purge_at: at,
            },
            FileState::Withdrawn {
                was: WithdrawnObject::from(&object(Some("v"))),
                reason: RejectionReason::infected("x", ContentType::unknown()),
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
