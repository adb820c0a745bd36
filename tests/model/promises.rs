//! What must hold in every state, and what must hold once everything has come to rest.
//!
//! At rest means: nobody is in the middle of anything, no message is in the queue, the scanner is there, no URL works any
//! more, and another reconciliation would change nothing, nor would another daily sweep. Such a state can be reached from every other one,
//! because steps and time always go on. So what holds in all of them holds in the end, whatever has
//! happened before.

use stateright::Property;

use super::life::Life;
use super::state::{END, Record, State, Status, uploads_end_at};
use super::tasks::{Actor, Step};

/// More reconciliations than a file ever needs at one moment.
const MAX_RECONCILES: usize = 4;

/// Every promise, each with the name that a broken one is reported by.
pub fn all() -> Vec<Property<Life>> {
    vec![
        Property::always(
            "what an available file is never changes",
            |_: &Life, state: &State| match (state.seen.available, &state.record) {
                (None, _) => true,
                (Some(_), _) if state.seen.deleted || state.seen.restored => true,
                // From then on it is never available again, until its record goes.
                (Some(_), record) if state.seen.withdrawn => record
                    .as_ref()
                    .is_none_or(|record| record.status == Status::Withdrawn),
                (Some(object), Some(record)) => {
                    record.status == Status::Available(object) && state.has(object)
                }
                (Some(_), None) => false,
            },
        ),
        Property::always("deleted stays deleted", |_: &Life, state: &State| {
            let record = state.record.as_ref();
            !state.seen.deleted || record.is_none_or(|record| record.status == Status::Deleted)
        }),
        Property::always(
            "a download URL never brings other bytes than those that it was handed out for",
            |_: &Life, state: &State| match (state.seen.available, state.bytes.last()) {
                (Some(object), Some(bytes)) => {
                    object.version.is_some() || bytes.number == object.digest
                }
                _ => true,
            },
        ),
        Property::always(
            "what is available was scanned",
            |life: &Life, state: &State| match state.seen.available {
                Some(object) if life.scans => state.seen.clean & (1 << object.digest) != 0,
                _ => true,
            },
        ),
        Property::always("a held file is never deleted", |_: &Life, state: &State| {
            !state.seen.deleted_held
        }),
        Property::always(
            "what has to be kept isn't deleted before its time by the store's clock",
            |_: &Life, state: &State| !state.seen.deleted_kept,
        ),
        Property::always(
            "bytes that have to be kept are there until then",
            |life: &Life, state: &State| match (state.seen.available, &state.record) {
                (Some(object), Some(record)) => {
                    !record.is_kept(life.keep_until, state.time) || state.has(object)
                }
                _ => true,
            },
        ),
        Property::always(
            "what is locked is what will be available",
            |life: &Life, state: &State| {
                let mut locked = state.locked(life);
                locked.all(|version| state.names(version))
            },
        ),
        Property::always("nothing is settled twice", |_: &Life, state: &State| {
            state.seen.settlements <= 1
        }),
        Property::always(
            "reconciliations come to an end",
            |life: &Life, state: &State| !could_rest(state) || at_rest(life, state).is_some(),
        ),
        Property::always("nothing stays pending", |life: &Life, state: &State| {
            in_the_end(life, state, |end| end.status() != Some(Status::Pending))
        }),
        Property::always(
            "no accepted upload is lost",
            |life: &Life, state: &State| {
                in_the_end(life, state, |end| {
                    end.seen.deleted
                        || end.seen.restored
                        || end.seen.withdrawn
                        || end.seen.first_put_is_good != Some(true)
                        || matches!(end.status(), Some(Status::Available(_)))
                })
            },
        ),
        Property::always(
            "no bytes stay that no record names",
            |life: &Life, state: &State| {
                in_the_end(life, state, |end| {
                    let is_named = |record: &Record| {
                        let is_available = matches!(record.status, Status::Available(_));
                        is_available || record.is_kept(life.keep_until, end.time)
                    };
                    let named = usize::from(end.record.as_ref().is_some_and(is_named));
                    end.bytes.len() <= named || end.has_orphan() && end.time < END
                })
            },
        ),
        Property::always(
            "no record names bytes that aren't there",
            |life: &Life, state: &State| {
                in_the_end(life, state, |end| match end.status() {
                    Some(Status::Available(object)) => end.has(object),
                    _ => true,
                })
            },
        ),
        Property::always(
            "what is over vanishes when its time has come",
            |life: &Life, state: &State| {
                in_the_end(life, state, |end| match &end.record {
                    Some(record) if record.status == Status::Deleted => false,
                    Some(record) if record.is_over() => end.time < record.purge_at,
                    _ => true,
                })
            },
        ),
        Property::always(
            "what a restored table doesn't know is kept aside",
            |_: &Life, state: &State| {
                // After its time in quarantine it may be gone.
                let is_there = !state.bytes.is_empty() || state.aside.is_some();
                state.seen.deleted
                    || !state.seen.restored
                    || state.seen.put_at.is_none()
                    || is_there
            },
        ),
        Property::always(
            "nothing is set aside or destroyed before its time",
            |_: &Life, state: &State| !state.seen.swept_early,
        ),
        Property::always(
            "nothing is deleted before its time by the store's clock",
            |life: &Life, state: &State| match (life.delete_after, state.seen.over_at) {
                (Some(delete_after), Some(at)) => at >= delete_after,
                (None, at) => at.is_none(),
                (Some(_), None) => true,
            },
        ),
        Property::always(
            "what is to be deleted goes within a few reconciliations of its time",
            |life: &Life, state: &State| {
                let is_held = state.record.as_ref().is_some_and(|record| record.held);
                let is_over = life.delete_after.is_some_and(|at| state.time >= at) && !is_held;
                !is_over || in_the_end(life, state, |end| !end.is_available())
            },
        ),
        // That the search gets to where it could be wrong.
        Property::sometimes(
            "two workers have measured at a time",
            |_: &Life, state: &State| {
                let settling = |step: &Step| matches!(step, Step::Settle(..));
                let settling = state.tasks.iter().filter(|task| settling(&task.next));
                settling.filter(|task| task.by == Actor::Worker).count() == 2
            },
        ),
        Property::sometimes("somebody else was first", |_: &Life, state: &State| {
            let late = |step: &Step| matches!(step, Step::LookWhoWas(_));
            state.tasks.iter().any(|task| late(&task.next))
        }),
        Property::sometimes(
            "bytes arrive again after a rejection",
            |life: &Life, state: &State| {
                life.puts < 2
                    || life.forms
                    || life.power_cuts
                    || state.status() == Some(Status::Rejected)
                        && state.seen.puts == 2
                        && !state.bytes.is_empty()
            },
        ),
        Property::sometimes(
            "bytes arrive for a file that was deleted",
            |life: &Life, state: &State| {
                life.puts < 2
                    || state.status() == Some(Status::Deleted)
                        && state.seen.puts == 2
                        && !state.bytes.is_empty()
            },
        ),
        Property::sometimes(
            "a form comes again after the file is settled",
            |life: &Life, state: &State| {
                let named = match state.status() {
                    Some(Status::Available(object)) => Some(object.digest),
                    _ => None,
                };
                let current = state.bytes.last().map(|bytes| bytes.number);
                !life.forms || life.suspended || named.is_some() && named < current
            },
        ),
        Property::sometimes(
            "a file expires and is removed",
            |_: &Life, state: &State| {
                state.record.is_none() && !state.seen.deleted && state.seen.puts == 0
            },
        ),
        Property::sometimes(
            "a file goes because its time is over",
            |life: &Life, state: &State| {
                life.delete_after.is_none()
                    || state.seen.over_at.is_some() && state.status() == Some(Status::Deleted)
            },
        ),
        Property::sometimes(
            "a file waits for the scanner and becomes available",
            |life: &Life, state: &State| {
                !life.scans || state.seen.scanner_left && state.is_available()
            },
        ),
        Property::sometimes(
            "a file is deleted after its hold was ended",
            |life: &Life, state: &State| !life.holds || state.seen.held && state.seen.deleted,
        ),
        Property::sometimes(
            "a withdrawn file is removed when its time has come",
            |life: &Life, state: &State| {
                !life.rescans
                    || state.record.is_none() && state.seen.withdrawn && !state.seen.deleted
            },
        ),
        Property::sometimes(
            "a file is deleted between its scan and its withdrawal",
            |life: &Life, state: &State| {
                let is_late = |step: &Step| matches!(step, Step::Withdraw { .. });
                !life.rescans
                    || state.status() == Some(Status::Deleted)
                        && state.tasks.iter().any(|task| is_late(&task.next))
            },
        ),
        Property::sometimes(
            "a withdrawn file has to be kept when everything is at rest",
            |life: &Life, state: &State| {
                let is_there = |record: &Record| {
                    record.status == Status::Withdrawn
                        && record.is_kept(life.keep_until, state.time)
                };
                life.keep_until.is_none()
                    || !life.rescans
                    || state.tasks.is_empty()
                        && state.record.as_ref().is_some_and(is_there)
                        && !state.bytes.is_empty()
            },
        ),
        Property::sometimes(
            "whoever locks a version dies before the file is available",
            |life: &Life, state: &State| {
                !life.locks
                    || state.tasks.is_empty()
                        && state.status() == Some(Status::Pending)
                        && state.locked(life).next().is_some()
            },
        ),
        Property::sometimes("a tombstone is removed", |_: &Life, state: &State| {
            state.record.is_none() && state.seen.deleted
        }),
    ]
}

/// Whether `holds` when everything has come to rest, if it has in `state`.
fn in_the_end(life: &Life, state: &State, holds: impl Fn(&State) -> bool) -> bool {
    !could_rest(state) || at_rest(life, state).is_none_or(|end| holds(&end))
}

impl State {
    fn status(&self) -> Option<Status> {
        self.record.as_ref().map(|record| record.status)
    }

    /// The versions that the store keeps now.
    fn locked(&self, life: &Life) -> impl Iterator<Item = u8> {
        let keeps = life.keep_until.is_some_and(|at| self.time < at);
        let locked = self.bytes.iter().filter(move |bytes| keeps && bytes.locked);
        locked.map(|bytes| bytes.number)
    }

    /// Whether the record says that this version is to be kept.
    fn names(&self, version: u8) -> bool {
        let object = self.seen.available;
        let was = object.and_then(|object| object.version);
        self.record
            .as_ref()
            .is_some_and(|record| match record.status {
                Status::Pending => record.locking == Some(version),
                Status::Available(_) | Status::Withdrawn => was == Some(version),
                _ => false,
            })
    }
}

/// Whether nothing is under way and no upload can be, by the client's URL and by the record.
fn could_rest(state: &State) -> bool {
    let deadline = state.record.as_ref().map(|record| record.deadline);
    let uploads_over = state
        .url_expires
        .max(deadline)
        .is_none_or(|at| state.time >= uploads_end_at(at));
    state.tasks.is_empty() && !state.notified && !state.scanner_is_away && uploads_over
}

/// The state when the reconciliations that are due have been made; `None` if they never end.
fn at_rest(life: &Life, state: &State) -> Option<State> {
    let mut state = state.clone();
    for _ in 0..MAX_RECONCILES {
        let before = state.clone();
        if state.is_due() {
            life.run_alone(&mut state, Actor::Reconciler);
        }
        if state.has_others() || state.has_orphan() {
            life.run_alone(&mut state, Actor::Sweeper);
        }
        if state == before {
            return Some(state);
        }
    }
    None
}
