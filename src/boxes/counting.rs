//! Which of the files of a box count.
//!
//! Invariant: of each submitter exactly one available file counts where the latest is kept, and each where all are.
//!
//! Absent on purpose: what becomes of the others. They stay.

use std::collections::HashMap;

use super::file_box::{FileBox, Keep};
use crate::domain::{FileId, FileRecord, FileState, Timestamp};

/// What there is of a submitter's best file: whether it is on time, when it came, and which it is. The largest counts.
type Rank = (bool, Timestamp, FileId);

/// Finds out which files count, once it has seen all.
pub struct Counting<'a> {
    file_box: &'a FileBox,
    best: HashMap<String, Rank>,
    seen: HashMap<FileId, bool>,
}

impl<'a> Counting<'a> {
    /// Of this box, by its times as they are now.
    pub fn of(file_box: &'a FileBox) -> Self {
        Self {
            file_box,
            best: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Takes a file into account, if it is available.
    pub fn see(&mut self, record: &FileRecord) {
        let (FileState::Available(object), Some(hand_in)) = (&record.state, &record.hand_in) else {
            return;
        };
        let keeps_all = self.file_box.keep == Keep::All;
        self.seen.insert(record.id, keeps_all);
        if keeps_all {
            return;
        }
        let times = self.file_box.times_for(&hand_in.submitter);
        let is_on_time = !times.is_late(object.uploaded_at);
        let rank = (is_on_time, object.uploaded_at, record.id);
        let best = self.best.entry(hand_in.submitter.key()).or_insert(rank);
        *best = (*best).max(rank);
    }

    /// Each available file that was seen, and whether it counts.
    pub fn counted(mut self) -> HashMap<FileId, bool> {
        for (_, _, id) in self.best.into_values() {
            self.seen.insert(id, true);
        }
        self.seen
    }
}
