//! A file's record and its life.
//!
//! ```text
//! pending ──▶ available   bytes measured, hashed, and equal to what was declared
//!    │ └────▶ rejected    bytes arrived and are not what was declared; they are deleted
//!    └──────▶ expired     the URL ran out and nothing came; a later arrival is deleted
//! available ──▶ withdrawn a later scan found something in the bytes; they are deleted
//! any of these ──▶ deleted   a tombstone, never shown; it goes when no URL can bring bytes any more
//! ```
//!
//! Invariant: a record leaves `pending` once, by one conditional write, and what it says of its
//! bytes never changes afterwards. Whatever still needs attention has a `reconcile_at`, so that a crash
//! between any two steps leaves work that the reconciler finds. An available file that is to be deleted at some
//! time has that.

use std::time::Duration;

use super::{
    BoxId, ContentType, Declaration, FileId, FileState, HandIn, Hold, Lifecycle, ObjectKey, Stage,
    StateFields, Status, Timestamp, UserId, VersionId,
};

/// What is known of a file. Built by [`FileRecord::pending`] or read back from a store.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRecord {
    /// Which file this is, and when it was created. The object's key follows from it.
    pub id: FileId,
    /// Whose file it is. `None`: the operator's, as are all from before files had owners.
    pub owner: Option<UserId>,
    /// Who handed it in to its owner, and where it lies; `None`: its owner made it.
    pub hand_in: Option<HandIn>,
    /// What the client said it would send.
    pub declared: Declaration,
    /// From then on, by the store's clock, an available file is deleted; `None`: it stays until somebody does that.
    /// It never changes.
    pub delete_after: Option<Timestamp>,
    /// That it isn't deleted, and why; `None`: it isn't held.
    pub hold: Option<Hold>,
    /// Until then, by the store's clock, an available file isn't deleted, and neither are the bytes of one that is
    /// withdrawn; `None`: it needn't be kept. It only ever moves forward. Of a pending file, what it would be if its bytes had come when it was created: an answer of the store
    /// says when they came, and only then it counts.
    pub keep_until: Option<Timestamp>,
    /// When the newest upload URL runs out. It only ever moves forward.
    pub upload_expires_at: Timestamp,
    /// Where in its life the file is. It leaves `pending` once.
    pub state: FileState,
    /// When the reconciler has to look at the record; `None` once nothing is left to do.
    pub reconcile_at: Option<Timestamp>,
}

impl FileRecord {
    /// The record of a file that has an upload URL until `upload_expires_at` and no bytes yet.
    pub fn pending(
        id: FileId,
        declared: Declaration,
        upload_expires_at: Timestamp,
        lifecycle: &Lifecycle,
    ) -> Self {
        Self {
            id,
            owner: None,
            hand_in: None,
            declared,
            delete_after: None,
            hold: None,
            keep_until: None,
            upload_expires_at,
            state: FileState::PENDING,
            reconcile_at: Some(
                (id.created_at() + lifecycle.reconcile_after)
                    .min(upload_expires_at + lifecycle.upload_grace),
            ),
        }
    }

    /// The same as somebody's file.
    pub fn owned_by(self, owner: Option<UserId>) -> Self {
        Self { owner, ..self }
    }

    /// The same as a file that somebody handed in.
    pub fn handed_in(self, hand_in: Option<HandIn>) -> Self {
        Self { hand_in, ..self }
    }

    /// The box that it lies in, if it is in one.
    pub fn in_box(&self) -> Option<BoxId> {
        self.hand_in.as_ref().and_then(|hand_in| hand_in.in_box)
    }

    /// The same as a file that is deleted at some time.
    pub fn deleted_after(self, delete_after: Option<Timestamp>) -> Self {
        Self {
            delete_after,
            ..self
        }
    }

    /// The same as a file that is kept for so long from when its bytes came.
    pub fn kept_for(self, retention: Option<Duration>) -> Self {
        let keep_until = retention.map(|it| self.created_at() + it);
        Self { keep_until, ..self }
    }

    /// Until when the file is kept, if its bytes came at `uploaded_at`: as long from then as was said when it was
    /// created, whoever works it out, and however late.
    pub fn kept_from(&self, uploaded_at: Timestamp) -> Option<Timestamp> {
        if matches!(self.state, FileState::Pending(Stage::Locking(_))) {
            // Whoever measured it has worked that out.
            return self.keep_until;
        }
        let retention = self.keep_until? - self.created_at();
        uploaded_at
            .max(self.created_at())
            .checked_add_signed(retention)
    }

    /// Whether its bytes have to stay, as far as it says: it is held, or is to be kept beyond `as_of`.
    pub fn is_protected(&self, as_of: Timestamp) -> bool {
        self.hold.is_some() || self.is_retained(as_of)
    }

    /// Whether it is to be kept beyond `as_of`: it is available, is about to be, or was until something was found in it.
    pub fn is_retained(&self, as_of: Timestamp) -> bool {
        let is_there = matches!(
            self.state,
            FileState::Available(_)
                | FileState::Pending(Stage::Locking(_))
                | FileState::Withdrawn { .. }
        );
        is_there && self.keep_until.is_some_and(|at| as_of < at)
    }

    /// The version that the store is told to keep, of a file that is about to be available; `None` if it isn't told yet.
    pub fn locking_version(&self) -> Option<&VersionId> {
        match &self.state {
            FileState::Pending(Stage::Locking(version)) => version.as_ref(),
            _ => None,
        }
    }

    /// The version of its bytes, of a file that has some or had them until something was found; `None` where nobody knows.
    pub fn named_version(&self) -> Option<&VersionId> {
        match &self.state {
            FileState::Available(object) => object.version_id.as_ref(),
            FileState::Withdrawn { was, .. } => was.version_id.as_ref(),
            _ => None,
        }
    }

    /// The key under which the file's bytes lie, whether there are any or not.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.id)
    }

    /// When the file was created, to the millisecond, as its ID says.
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }

    /// The name of the record's state.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// A `reconcile_at` that makes the record due at once, also by a clock that is behind the one that
    /// says `now`: nothing happens to a file before it was created.
    pub fn due_at_once(&self, now: Timestamp) -> Timestamp {
        now.min(self.created_at())
    }

    /// The name of what a pending file waits for, where that isn't its bytes.
    pub fn stage(&self) -> Option<&'static str> {
        Some(StateFields::from(&self.state).stage?.as_str())
    }

    /// What the bytes are; `None` if they weren't looked at.
    pub fn detected_type(&self) -> Option<&ContentType> {
        StateFields::from(&self.state).detected_type
    }

    /// When the record may vanish; `None` for one that stays.
    pub fn purge_at(&self) -> Option<Timestamp> {
        StateFields::from(&self.state).purge_at
    }

    /// Whether clients may see the record: neither deleted nor past its time. Stores remove
    /// expired items late (DynamoDB's TTL by days), so every reader asks.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.status().is_listed() && self.purge_at().is_none_or(|at| now < at)
    }
}
