//! What clients were told, what the stores really did, and whether the two agree with the promises.
//!
//! Invariant: a broken promise is written down at the moment when it breaks, with the file's number
//! in the trace, and the run goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use file_share::domain::{
    FileId, FileState, Sha256Digest, Status, StoredObject, Timestamp, Transition,
};

use super::chaos::Chaos;

/// All that is known about one file.
#[derive(Default, Clone)]
pub(crate) struct FileHistory {
    pub number: usize,
    pub declared_sha256: Option<Sha256Digest>,
    /// When it is to be deleted, by the store's clock.
    pub delete_after: Option<Timestamp>,
    /// Digests of what the store took, in order.
    pub accepted: Vec<Sha256Digest>,
    /// Whether there is a virus in the first of them.
    pub infected: bool,
    /// A client was told that the file exists.
    pub created: bool,
    /// A client was told that the file is gone for good.
    pub deleted: bool,
    /// Somebody tried to delete it, whatever the answer was.
    pub delete_tried: bool,
    /// The record became a withdrawn one in the store itself.
    pub withdrawn: bool,
    /// What clients were told that the file is.
    pub told: Option<StoredObject>,
    /// How often the record left `pending`.
    pub settlements: usize,
    /// It was deleted because its time was over.
    pub ended: bool,
    /// It was available once, since then, so a download URL may be under way.
    pub available_since: Option<Timestamp>,
}

impl FileHistory {
    /// The store took bytes.
    pub(crate) fn accept(&mut self, sha256: Sha256Digest, infected: bool) {
        self.infected |= infected && self.accepted.is_empty();
        self.accepted.push(sha256);
    }

    /// Whether its time is over by the store's clock.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.delete_after.is_some_and(|at| at <= now)
    }

    /// Whether it should have been deleted by `now`, given so long for it.
    pub(crate) fn should_be_gone(&self, now: Timestamp, given: Duration) -> bool {
        let since = self.delete_after.zip(self.available_since);
        since.is_some_and(|(over_at, available_since)| over_at.max(available_since) + given <= now)
    }

    /// The digest that the file has to have as long as its time isn't over: that of what the store accepted first,
    /// if it is what was declared and nobody wanted the file gone.
    pub(crate) fn owed(&self, now: Timestamp) -> Option<Sha256Digest> {
        if self.is_over(now) {
            return None;
        }
        let first = *self.accepted.first()?;
        let is_as_declared = self
            .declared_sha256
            .is_none_or(|declared| declared == first);
        (is_as_declared && !self.infected && !self.delete_tried).then_some(first)
    }
}

pub(crate) struct FileHistories {
    chaos: Arc<Chaos>,
    histories: Mutex<BTreeMap<FileId, FileHistory>>,
    broken: Mutex<Vec<String>>,
}

impl FileHistories {
    pub(crate) fn new(chaos: Arc<Chaos>) -> Self {
        Self {
            chaos,
            histories: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    fn histories(&self) -> MutexGuard<'_, BTreeMap<FileId, FileHistory>> {
        self.histories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and gives it a place if nothing was.
    pub(crate) fn update<T>(&self, id: FileId, change: impl FnOnce(&mut FileHistory) -> T) -> T {
        let mut histories = self.histories();
        let number = histories.len();
        let history = histories.entry(id).or_insert_with(|| FileHistory {
            number,
            ..FileHistory::default()
        });
        change(history)
    }

    pub(crate) fn history(&self, id: FileId) -> FileHistory {
        self.update(id, |history| history.clone())
    }

    /// The file's name in the trace.
    pub(crate) fn name(&self, id: FileId) -> String {
        format!("file {}", self.update(id, |history| history.number))
    }

    pub(crate) fn all(&self) -> Vec<(FileId, FileHistory)> {
        let histories = self.histories();
        histories.iter().map(|(id, it)| (*id, it.clone())).collect()
    }

    pub(crate) fn broken(&self) -> Vec<String> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.clone()
    }

    pub(crate) fn breaks(&self, id: FileId, promise: &str) {
        let line = format!("{}: BROKEN: {promise}", self.name(id));
        self.chaos.note(&line);
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.push(line);
    }

    /// The record left `pending` in the store itself, or was withdrawn later.
    pub(crate) fn record_settlement(&self, id: FileId, settlement: &Transition) {
        if settlement.to.status() == Status::Withdrawn {
            if !self.history(id).infected {
                self.breaks(id, "withdrawn, and there is nothing in it");
            }
            self.update(id, |history| history.withdrawn = true);
            return;
        }
        let now = self.chaos.now();
        let settlements = self.update(id, |history| {
            if settlement.to.status() == Status::Available {
                history.available_since = Some(now);
            }
            history.settlements += 1;
            history.settlements
        });
        if settlements > 1 {
            self.breaks(id, "settled twice");
        }
    }

    /// Bytes go. `state` is what the record says at that moment.
    pub(crate) fn record_deletion_of_bytes(&self, id: FileId, state: Option<&FileState>) {
        if let Some(FileState::Pending(_) | FileState::Available(_)) = state {
            self.breaks(id, "bytes are deleted that a living record names");
        }
    }

    /// A client was told this, having asked when `before` was known.
    pub(crate) fn told(&self, id: FileId, before: &FileHistory, state: &FileState) {
        if before.deleted {
            self.breaks(id, "a deleted file is shown");
        }
        match (state, &before.told) {
            (FileState::Available(_), _) if before.withdrawn => {
                self.breaks(id, "a withdrawn file is available");
            }
            (FileState::Withdrawn { .. }, _) if self.history(id).withdrawn => {}
            (FileState::Available(object), None) => {
                self.update(id, |history| history.told = Some(object.clone()));
            }
            (FileState::Available(object), Some(told)) if object == told => {}
            (_, None) => {}
            (_, Some(_)) => self.breaks(id, "an available file became something else"),
        }
        if state.status() == Status::Deleted {
            self.breaks(id, "a tombstone is shown");
        }
    }

    /// A client was told that there is no such file.
    pub(crate) fn told_absent(&self, id: FileId) {
        let history = self.history(id);
        if history.owed(self.chaos.now()).is_some() {
            self.breaks(id, "an accepted upload is not found");
        }
    }

    /// The record becomes a tombstone in the store itself. `state` is what it said just before.
    pub(crate) fn record_deletion(&self, id: FileId, state: Option<&FileState>) {
        let history = self.history(id);
        if history.delete_tried || !matches!(state, Some(FileState::Available(_))) {
            return;
        }
        if !history.is_over(self.chaos.now()) {
            self.breaks(id, "deleted before its time, and nobody asked for it");
        }
        self.update(id, |history| history.ended = true);
    }
}
