//! What somebody does to a file again and again is one event for an hour, with a count.
//!
//! Invariant: pure, and bounded: so many events are open at a time, and so many callers of one file have one of their
//! own. What is counted here and not written yet is lost with the process.

use std::collections::HashMap;
use std::time::Duration;

use super::{EventActor, EventKind, Note};
use crate::domain::{FileId, Timestamp};
use crate::item_store::ItemKey;

/// How long what comes again is counted in the event that is there.
pub(super) const WINDOW: Duration = Duration::from_secs(60 * 60);
/// How long a count may be behind.
pub(super) const REFRESH: Duration = Duration::from_secs(10 * 60);
/// How far clocks may go back, and an event that was begun is still counted in.
const CLOCK_SLACK: Duration = Duration::from_secs(60);
/// The most events that are counted in at a time: some 3 MB. What comes on top is an event each time.
const MAX_WINDOWS: usize = 10_000;
/// So many callers of one file have an event of their own in an hour; all others share one.
pub(super) const MAX_CALLERS_OF_A_FILE: usize = 20;

/// An event that is counted in.
#[derive(Debug)]
struct Window {
    key: ItemKey,
    began_at: Timestamp,
    written_at: Timestamp,
    /// What came since it was written.
    more: u64,
    last_at: Timestamp,
}

/// What has to be added to an event that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingCount {
    pub(super) key: ItemKey,
    pub(super) count: u64,
    pub(super) last_at: Timestamp,
}

/// The events that are counted in.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: HashMap<(FileId, EventKind), HashMap<EventActor, Window>>,
    count: usize,
}

impl Windows {
    /// Counts what happened in the event that is there for it: `None`. Else the actor whom a new one names, for
    /// [`Self::begin`].
    pub(super) fn count(&mut self, note: &Note) -> Option<EventActor> {
        let of_file = self.open.get_mut(&(note.file, note.kind));
        let Some(of_file) = of_file else {
            return Some(note.by.clone());
        };
        let is_open = |window: &Window| window.is_open_at(note.at);
        let named = of_file.get(&note.by).is_some_and(is_open);
        let has_room = of_file.contains_key(&note.by) || of_file.len() < MAX_CALLERS_OF_A_FILE;
        let by = match named || has_room {
            true => note.by.clone(),
            false => EventActor::several(),
        };
        match of_file.get_mut(&by).filter(|window| is_open(window)) {
            Some(window) => {
                window.more += 1;
                window.last_at = window.last_at.max(note.at);
                None
            }
            None => Some(by),
        }
    }

    /// Counts in this event from now on, if there is room; gives what is left to add to the one before.
    pub(super) fn begin(
        &mut self,
        note: &Note,
        by: EventActor,
        key: ItemKey,
    ) -> Option<PendingCount> {
        let place = (note.file, note.kind);
        let replaces = self
            .open
            .get(&place)
            .is_some_and(|open| open.contains_key(&by));
        if self.count >= MAX_WINDOWS && !replaces {
            return None;
        }
        let window = Window {
            key,
            began_at: note.at,
            written_at: note.at,
            more: 0,
            last_at: note.at,
        };
        let before = self.open.entry(place).or_default().insert(by, window);
        self.count += usize::from(before.is_none());
        before.and_then(|mut window| window.take())
    }

    /// What is to be written at `now`; `all` of it, at the end of a program. What is over is counted in no more.
    pub(super) fn due(&mut self, now: Timestamp, all: bool) -> Vec<PendingCount> {
        let mut due = Vec::new();
        for of_file in self.open.values_mut() {
            of_file.retain(|_, window| {
                let is_over = !window.is_open_at(now);
                if all || is_over || window.written_at + REFRESH <= now {
                    due.extend(window.take());
                    window.written_at = now;
                }
                !is_over
            });
        }
        self.open.retain(|_, of_file| !of_file.is_empty());
        self.count = self.open.values().map(HashMap::len).sum();
        due
    }
}

impl Window {
    /// One that began in the future, by a clock that was wrong then, isn't.
    fn is_open_at(&self, now: Timestamp) -> bool {
        now < self.began_at + WINDOW && self.began_at <= now + CLOCK_SLACK
    }

    fn take(&mut self) -> Option<PendingCount> {
        let count = std::mem::take(&mut self.more);
        (count > 0).then(|| PendingCount {
            key: self.key.clone(),
            count,
            last_at: self.last_at,
        })
    }
}
