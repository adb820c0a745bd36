//! Writes what was noted, beside the calls.
//!
//! Invariant: bounded in what waits and in what is under way. What can't be written is counted, and the count is
//! logged once a minute at most.
//!
//! Absent on purpose: attempts again. The audit log has what is missing here.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::event::{Body, EventPosition, item_body};
use super::windows::{PendingCount, Windows};
use super::{EVENT_LIFETIME, EventActor, EventKind, Note, STORE, list_of};
use crate::clock::Clock;
use crate::domain::{Invalid, Timestamp};
use crate::item_store::{Item, ItemStore};
use crate::store_error::StoreError;

/// Writes under way at a time.
const MAX_WRITES: u32 = 16;
/// What may wait for room among them before no more notes are taken. Meanwhile what comes again is still counted.
const MAX_IN_HAND: usize = 256;
/// How often counts that are due are written, and losses are logged.
const TICK: Duration = Duration::from_secs(60);
/// How long a write may take: a store that hangs holds nothing up for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a program waits for what was noted.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Writes events until the program ends.
pub struct EventWriter {
    items: Arc<dyn ItemStore>,
    notes: mpsc::Receiver<Note>,
    left_out: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    windows: Windows,
    writes: Arc<Semaphore>,
    in_hand: VecDeque<ToWrite>,
}

impl EventWriter {
    pub(super) fn new(
        items: Arc<dyn ItemStore>,
        notes: mpsc::Receiver<Note>,
        left_out: Arc<AtomicU64>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            items,
            notes,
            left_out,
            clock,
            windows: Windows::default(),
            writes: Arc::new(Semaphore::new(MAX_WRITES as usize)),
            in_hand: VecDeque::new(),
        }
    }

    /// Writes until `stop`, and then what was noted before, within a bound.
    pub async fn run(mut self, stop: CancellationToken) {
        self.write_beside(stop.cancelled()).await;
        self.write_out().await;
        self.give_up_the_rest();
        self.say_what_is_missing();
    }

    /// Writes while `work` is under way. What finds no room meanwhile stays in hand: a store that hangs keeps neither the
    /// program from its end, nor the work from going on.
    pub async fn write_beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = Arc::clone(&self.writes).acquire_owned();
            tokio::select! {
                Ok(permit) = room, if !self.in_hand.is_empty() => self.write_next(permit),
                note = self.notes.recv(), if self.in_hand.len() < MAX_IN_HAND => match note {
                    Some(note) => self.take(&note),
                    None => return work.await,
                },
                _ = ticks.tick() => {
                    self.take_due(false);
                    self.say_what_is_missing();
                }
                done = &mut work => return done,
            }
        }
    }

    /// Writes what was noted before, within a bound: the process may stand still or end after it. What finds no room stays
    /// in hand, since it may go on as well.
    pub async fn write_out(&mut self) {
        let ending = async {
            self.write_all_in_hand().await;
            while let Ok(note) = self.notes.try_recv() {
                self.take(&note);
                self.write_all_in_hand().await;
            }
            // What is added to has to be there.
            self.writes_are_over().await;
            self.take_due(true);
            self.write_all_in_hand().await;
            self.writes_are_over().await;
        };
        if timeout(STOP_LIMIT, ending).await.is_err() {
            tracing::warn!("some events of files aren't written yet");
        }
        self.say_what_is_missing();
    }

    /// Counts whatever wasn't written, at the end of a program.
    pub(super) fn give_up_the_rest(&mut self) {
        while let Ok(note) = self.notes.try_recv() {
            self.take(&note);
        }
        self.take_due(true);
        let given_up = self.in_hand.drain(..).map(|it| it.count()).sum();
        self.left_out(given_up);
    }

    /// Counts it with what came before, or has it in hand.
    fn take(&mut self, note: &Note) {
        let by = match note.kind.is_repeatable() {
            true => self.windows.count(note),
            false => Some(note.by.clone()),
        };
        let Some(by) = by else {
            return;
        };
        match new_item(note, &by) {
            Ok(item) => {
                let more = match note.kind.is_repeatable() {
                    true => self.windows.begin(note, by, item.key.clone()),
                    false => None,
                };
                self.in_hand.push_back(ToWrite::New {
                    item: Box::new(item),
                    now: note.at,
                });
                self.in_hand.extend(more.map(ToWrite::More));
            }
            Err(_) => self.left_out(1),
        }
    }

    /// Has in hand what came again; `all` of it, or what it is time for.
    fn take_due(&mut self, all: bool) {
        let due = self.windows.due(self.clock.now(), all);
        self.in_hand.extend(due.into_iter().map(ToWrite::More));
    }

    async fn write_all_in_hand(&mut self) {
        while !self.in_hand.is_empty() {
            let Ok(permit) = Arc::clone(&self.writes).acquire_owned().await else {
                return;
            };
            self.write_next(permit);
        }
    }

    /// Has what came first written.
    fn write_next(&mut self, permit: OwnedSemaphorePermit) {
        let Some(next) = self.in_hand.pop_front() else {
            return;
        };
        let (items, left_out) = (Arc::clone(&self.items), Arc::clone(&self.left_out));
        let (now, count) = (self.clock.now(), next.count());
        tokio::spawn(async move {
            let _permit = permit;
            match timeout(WRITE_TIMEOUT, next.write(&*items, now)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(error = %error.chain(), "an event of a file isn't written");
                    left_out.fetch_add(count, Ordering::Relaxed);
                }
                Err(_) => {
                    left_out.fetch_add(count, Ordering::Relaxed);
                }
            }
        });
    }

    /// Waits for those that are under way.
    async fn writes_are_over(&self) {
        let _ = self.writes.acquire_many(MAX_WRITES).await;
    }

    /// All the room there is, as a store takes it that hangs.
    #[cfg(test)]
    pub(super) fn all_room(&self) -> OwnedSemaphorePermit {
        let room = Arc::clone(&self.writes).try_acquire_many_owned(MAX_WRITES);
        room.expect("nothing is written")
    }

    fn left_out(&self, count: u64) {
        self.left_out.fetch_add(count, Ordering::Relaxed);
    }

    fn say_what_is_missing(&self) {
        let count = self.left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(
                count,
                "events of files weren't written and will not be shown"
            );
        }
    }
}

/// What waits for room among the writes.
enum ToWrite {
    /// An event, as of when it was noted.
    New { item: Box<Item>, now: Timestamp },
    /// What came again since.
    More(PendingCount),
}

impl ToWrite {
    /// How many events are missing without it.
    fn count(&self) -> u64 {
        match self {
            Self::New { .. } => 1,
            Self::More(more) => more.count,
        }
    }

    async fn write(&self, items: &dyn ItemStore, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::New { item, now } => items.put_new(item, *now).await.map(drop),
            Self::More(more) => add(items, more, now).await,
        }
    }
}

fn new_item(note: &Note, by: &EventActor) -> Result<Item, Invalid> {
    let position = match note.kind {
        EventKind::Created => EventPosition::of_creation(note.file),
        _ => EventPosition::of_now(note.at),
    };
    let mut body = Body::from(note);
    body.caller.clone_from(&by.caller);
    body.token.clone_from(&by.token);
    let parent = list_of(note.file).map_err(|error| Invalid(error.to_string()))?;
    Ok(Item::new(
        position.key(note.file)?,
        Some(parent),
        note.at + EVENT_LIFETIME,
        item_body(&body)?,
    ))
}

/// Adds to an event that this process wrote, so nobody else writes it.
///
/// # Errors
/// The store's fault; also if the event was never written, or has changed all the same.
async fn add(items: &dyn ItemStore, more: &PendingCount, now: Timestamp) -> Result<(), StoreError> {
    let corrupt = |invalid: Invalid| StoreError::corrupt(STORE, invalid.0);
    let missing = || StoreError::unavailable(STORE, "the event to count in isn't there");
    let item = items.get(&more.key, now).await?.ok_or_else(missing)?;
    let mut body: Body = item.body.read().map_err(corrupt)?;
    body.count += more.count;
    body.last_at = body.last_at.max(more.last_at.timestamp_millis());
    let body = item_body(&body).map_err(corrupt)?;
    match items.replace(&Item { body, ..item }, now).await? {
        true => Ok(()),
        false => Err(missing()),
    }
}
