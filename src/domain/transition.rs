//! The steps of a file's life.
//!
//! Invariant: a transition is one conditional write of the metadata store: if the record still has the
//! status `from` and the condition holds, it has the state `to` and the reconciliation `reconcile_at` afterwards, and
//! otherwise nothing changed. What must not be repeated is a condition, and never a look beforehand.
//!
//! Absent on purpose: deletion, which may come from any state and depends on what is under the key
//! (`MetadataStore::delete`).

use super::{
    FileRecord, FileState, RejectionReason, Stage, Status, StoredObject, Timestamp, VersionId,
    WithdrawnObject,
};

/// One step of a file's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The status that the record must have for the step to be made.
    pub from: Status,
    /// The state that the record has afterwards.
    pub to: FileState,
    /// What must hold besides `from`, checked by the same write.
    pub condition: TransitionCondition,
    /// When the reconciler has to look at the record afterwards; `None` once nothing is left to do.
    pub reconcile_at: Option<Timestamp>,
    /// Until when the file is kept from then on; `None`: that stays as it is.
    pub keep_until: Option<Timestamp>,
}

/// What must hold for a transition, besides the status that it begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransitionCondition {
    /// Nothing else.
    Always,
    /// The upload deadline is still this one: a client that renewed its URL in the meantime is not cut
    /// off.
    UploadExpiresAt(Timestamp),
    /// The store isn't told yet that the bytes stay: what somebody read before that takes nothing back.
    NotLocking,
    /// The same, or it is told of this very version: what is locked is what will be available, whichever version somebody
    /// else has measured.
    LocksNoOther(VersionId),
}

impl Transition {
    /// The bytes are there, measured and as declared. Nothing is left to do, unless the record has a
    /// `delete_after`.
    pub fn available(object: StoredObject, delete_after: Option<Timestamp>) -> Self {
        let version_id = object.version_id.clone();
        Self {
            from: Status::Pending,
            to: FileState::Available(object),
            condition: TransitionCondition::Always,
            reconcile_at: delete_after,
            keep_until: None,
        }
        .of_version(version_id)
    }

    /// The same, which says something of this version of the bytes, if it is one.
    pub fn of_version(self, version_id: Option<VersionId>) -> Self {
        match version_id {
            None => self,
            Some(version_id) => Self {
                condition: TransitionCondition::LocksNoOther(version_id),
                ..self
            },
        }
    }

    /// The same with a time until which the file is kept. It is deleted then, if its time is over before.
    pub fn kept_until(self, keep_until: Option<Timestamp>) -> Self {
        let reconcile_at = self.reconcile_at;
        Self {
            keep_until,
            reconcile_at: reconcile_at.map(|at| keep_until.map_or(at, |kept| at.max(kept))),
            ..self
        }
    }

    /// Other bytes came than were declared. They have to go: the record is due at `reconcile_at`.
    pub fn rejected(reason: RejectionReason, purge_at: Timestamp, reconcile_at: Timestamp) -> Self {
        Self {
            from: Status::Pending,
            to: FileState::Rejected { reason, purge_at },
            condition: TransitionCondition::Always,
            reconcile_at: Some(reconcile_at),
            keep_until: None,
        }
    }

    /// A later scan found something in the bytes of an available file. They have to go: the record is due at
    /// `reconcile_at`.
    pub fn withdrawn(
        object: &StoredObject,
        reason: RejectionReason,
        purge_at: Timestamp,
        reconcile_at: Timestamp,
    ) -> Self {
        Self {
            from: Status::Available,
            to: FileState::Withdrawn {
                was: WithdrawnObject::from(object),
                reason,
                purge_at,
            },
            condition: TransitionCondition::Always,
            reconcile_at: Some(reconcile_at),
            keep_until: None,
        }
    }

    /// The bytes are there, and couldn't be scanned for viruses. It stays pending, and is tried again at
    /// `reconcile_at`.
    pub fn awaits_scan(reconcile_at: Timestamp) -> Self {
        Self {
            from: Status::Pending,
            to: FileState::Pending(Stage::Scanning),
            condition: TransitionCondition::NotLocking,
            reconcile_at: Some(reconcile_at),
            keep_until: None,
        }
    }

    /// The bytes are there and as declared, and the store is told next that this version stays until `keep_until`. It
    /// stays pending, and if nobody goes on it is tried again from `reconcile_at`.
    pub fn locks(
        version_id: Option<VersionId>,
        keep_until: Timestamp,
        reconcile_at: Timestamp,
    ) -> Self {
        Self {
            from: Status::Pending,
            to: FileState::Pending(Stage::Locking(version_id.clone())),
            condition: TransitionCondition::Always,
            reconcile_at: Some(reconcile_at),
            keep_until: Some(keep_until),
        }
        .of_version(version_id)
    }

    /// No bytes came as long as a URL worked that `record` knows of.
    pub fn expired(record: &FileRecord, purge_at: Timestamp, reconcile_at: Timestamp) -> Self {
        Self {
            from: Status::Pending,
            to: FileState::Expired { purge_at },
            condition: TransitionCondition::UploadExpiresAt(record.upload_expires_at),
            reconcile_at: Some(reconcile_at),
            keep_until: None,
        }
    }

    /// Whether it may be made of this record.
    pub fn applies_to(&self, record: &FileRecord) -> bool {
        let holds = match &self.condition {
            TransitionCondition::Always => true,
            TransitionCondition::UploadExpiresAt(seen) => record.upload_expires_at == *seen,
            TransitionCondition::NotLocking => {
                !matches!(record.state, FileState::Pending(Stage::Locking(_)))
            }
            TransitionCondition::LocksNoOther(version_id) => record
                .locking_version()
                .is_none_or(|locking| locking == version_id),
        };
        holds && record.status() == self.from
    }

    /// The record as it is afterwards.
    pub fn apply_to(&self, record: FileRecord) -> FileRecord {
        FileRecord {
            state: self.to.clone(),
            reconcile_at: self.reconcile_at,
            // Where there are no bytes to keep, and none can come, a hold is over.
            hold: record.hold.filter(|_| self.to.status().keeps_its_hold()),
            keep_until: self.keep_until.or(record.keep_until),
            ..record
        }
    }
}
