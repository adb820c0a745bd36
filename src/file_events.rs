//! What happened to a file, for whom it belongs to: who did what when.
//!
//! ```text
//! note ──▶ bounded queue ──▶ EventWriter ──▶ items `event#…` in the list `events#<file>` ──▶ page, newest first
//! ```
//!
//! Invariant: a view. The audit log says what was done and can't miss any of it; an event is noted beside it, fails no
//! call and keeps none waiting. So a process that is killed, or a store that is away for long, may cost events, which
//! are counted in the log; so may a client that goes away in the middle of a call. What somebody does again and again to
//! a file within an hour is one event with a count, for 10,000 files and callers at a time; beyond those each is an
//! event. No event has a URL, a name, a token's text or
//! any content.
//!
//! Absent on purpose: addresses. They are the operator's, in the audit log.

mod event;
mod windows;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

pub use event::{EventActor, EventKind, EventPosition, FileEvent};
pub use writer::EventWriter;

use crate::access::Caller;
use crate::clock::Clock;
use crate::domain::{FileId, FileRecord, Timestamp, UserId};
use crate::item_store::{ItemList, ItemParent, ItemStore};
use crate::store_error::StoreError;
use event::Body;

/// How long an event is shown.
pub const EVENT_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The most events that wait to be written; what comes on top of them is counted and left out.
const QUEUE_CAPACITY: usize = 4_096;
/// So many of the newest events of a file are looked at for its deletion: behind that come only counts of what was
/// under way.
const LOOKED_AT: usize = 50;
/// How errors call the store, where what it holds makes no sense.
const STORE: &str = "the store of events";

/// Of which files events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptOf {
    /// Of all.
    AllFiles,
    /// Of those that belong to somebody: where callers are asked who they are, which a worker isn't told, all do.
    OwnedFiles,
}

/// Something that is to be known of a file.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    file: FileId,
    kind: EventKind,
    at: Timestamp,
    by: EventActor,
    request_id: Option<String>,
    /// Whose file it is, where that is known.
    owner: Option<UserId>,
}

/// What happened to files; a handle for whoever has to say or see it.
#[derive(Clone, Default)]
pub struct FileEvents(Option<Recorder>);

#[derive(Clone)]
struct Recorder {
    of: KeptOf,
    items: Arc<dyn ItemStore>,
    notes: mpsc::Sender<Note>,
    left_out: Arc<AtomicU64>,
}

/// A part of what happened to a file, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// What happened; fewer than were asked for, maybe, although more follows.
    pub events: Vec<FileEvent>,
    /// Behind which the next page begins; `None` if this was the last.
    pub next: Option<EventPosition>,
    /// Whether events are kept at all.
    pub are_kept: bool,
}

impl FileEvents {
    /// Events in `items`, and what writes them, which has to be run.
    pub fn kept_in(
        items: Arc<dyn ItemStore>,
        of: KeptOf,
        clock: Arc<dyn Clock>,
    ) -> (Self, EventWriter) {
        let (sender, notes) = mpsc::channel(QUEUE_CAPACITY);
        let left_out = Arc::new(AtomicU64::new(0));
        let writer = EventWriter::new(Arc::clone(&items), notes, Arc::clone(&left_out), clock);
        let recorder = Recorder {
            of,
            items,
            notes: sender,
            left_out,
        };
        (Self(Some(recorder)), writer)
    }

    /// None are kept: nothing is written, and there is nothing to see.
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether any are kept.
    pub fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Notes what `caller` did to a file; `owner` is whose it is, where that is known.
    pub fn done_by(
        &self,
        caller: &Caller,
        kind: EventKind,
        file: FileId,
        owner: Option<UserId>,
        request_id: &str,
        at: Timestamp,
    ) {
        if self.0.is_some() {
            self.note(Note {
                file,
                kind,
                at,
                by: EventActor::of(caller),
                request_id: (!request_id.is_empty()).then(|| request_id.to_owned()),
                owner,
            });
        }
    }

    /// Notes what the program did by itself to the file of `record`.
    pub fn done_by_the_program(&self, kind: EventKind, record: &FileRecord, at: Timestamp) {
        self.note(Note {
            file: record.id,
            kind,
            at,
            by: EventActor::system(),
            request_id: None,
            owner: record.owner,
        });
    }

    fn note(&self, note: Note) {
        let Some(recorder) = &self.0 else {
            return;
        };
        if recorder.of == KeptOf::OwnedFiles && note.owner.is_none() {
            return;
        }
        if recorder.notes.try_send(note).is_err() {
            recorder.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What happened to a file before `after`, or up to the present; `limit` at a time at the most.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn page(
        &self,
        file: FileId,
        after: Option<EventPosition>,
        limit: usize,
        now: Timestamp,
    ) -> Result<EventPage, StoreError> {
        let Some(recorder) = &self.0 else {
            return Ok(EventPage::default());
        };
        let after = after.map(|position| position.key(file)).transpose();
        let after = after.map_err(|invalid| StoreError::corrupt(STORE, invalid.0))?;
        let parent = list_of(file)?;
        let page = recorder
            .items
            .list(&parent, after.as_ref(), limit, now)
            .await?;
        let events = page.items.iter().filter_map(|item| {
            let read = FileEvent::read(file, item);
            read.inspect_err(|error| {
                tracing::error!(file_id = %file, %error, "an event can't be read and isn't shown");
            })
            .ok()
        });
        Ok(EventPage {
            events: events.collect(),
            next: page.next.and_then(|key| EventPosition::of_key(file, &key)),
            are_kept: true,
        })
    }

    /// Whose a file was of which no record is left, as its creation says, or its deletion where the creation is longer
    /// ago than events are kept; `None` if nothing is known of it.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn owner_of_gone(
        &self,
        file: FileId,
        now: Timestamp,
    ) -> Result<Option<Option<UserId>>, StoreError> {
        let Some(recorder) = &self.0 else {
            return Ok(None);
        };
        let corrupt = |invalid: crate::domain::Invalid| StoreError::corrupt(STORE, invalid.0);
        let key = EventPosition::of_creation(file)
            .key(file)
            .map_err(corrupt)?;
        let body = match recorder.items.get(&key, now).await? {
            Some(item) => item.body.read::<Body>().map_err(corrupt)?,
            None => {
                let list = list_of(file)?;
                let newest = recorder.items.list(&list, None, LOOKED_AT, now).await?;
                let mut bodies = newest.items.into_iter().map(|item| item.body.read());
                let deletion = bodies
                    .find_map(|body: Result<Body, _>| body.ok().filter(Body::is_of_a_deletion));
                let Some(deletion) = deletion else {
                    return Ok(None);
                };
                deletion
            }
        };
        let owner = body.owner.as_deref().map(UserId::parse).transpose();
        Ok(Some(owner.map_err(corrupt)?))
    }
}

/// Where the events of a file are.
fn list_of(file: FileId) -> Result<ItemParent, StoreError> {
    ItemParent::new(ItemList::Events, &file.to_string())
        .map_err(|invalid| StoreError::corrupt(STORE, invalid.0))
}

#[cfg(test)]
mod tests;
