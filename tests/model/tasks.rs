//! The operations, cut into the steps between which a process may die, stall, or be overtaken.
//!
//! One step is one call of a store, or one look at the clock where something may come in between.
//! Each names the function in `src/operations` that it mirrors, and goes by what that function knows
//! at that point: what it read before, not what is so now.
//!
//! Absent on purpose: faults of the stores. A call that failed, or whose answer was lost, ends the
//! operation and is tried again from the start: to the file that is a crash before or after the step.

use super::flaw::Flaw;
use super::life::Life;
use super::state::{Object, Record, State, Status, Tick, URL_LIFE, expires_at, uploads_end_at};

/// An operation under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    pub by: Actor,
    pub next: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// `finalize_upload` for a notification.
    Worker,
    /// `Reconciler::review`.
    Reconciler,
    /// `delete_file`.
    Deleter,
    /// `renew_upload`.
    Renewer,
    /// `OrphanSweeper` at an object of more than one version.
    Sweeper,
}

/// What an operation does next, and what it knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `reconcile::review`: a pending record was read; the clock, and into `finalize_upload`.
    Review { deadline: Tick },
    /// `finalize_upload`: a pending record was read; `ObjectStore::head`.
    Head(Finalizing),
    /// `finalize_upload`: `ObjectStore::read` of the version that the head named.
    Read(Finalizing, Option<u8>),
    /// `finalize_upload`: `MetadataStore::settle`.
    Settle(Finalizing, Verdict),
    /// `finalize_upload`: somebody settled first; `MetadataStore::get`.
    LookWhoWas(Finalizing),
    /// [`Flaw::ExpireByTimeAfterTheLook`].
    LookAtClock { deadline: Tick },
    /// `reconcile::expire`: `MetadataStore::settle`.
    Expire { deadline: Tick, now: Tick },
    /// `delete_file`: `MetadataStore::delete`.
    WriteTombstone { deadline: Tick, now: Tick },
    /// [`Flaw::DeleteBytesBeforeTombstone`].
    DeleteBytesFirst { deadline: Tick, now: Tick },
    /// `delete_file` and a rejection: `MetadataStore::get` of the record as it is now.
    ReadAgain,
    /// `finalize_upload` for a file that is available: `ObjectStore::head`.
    LookWhatCameLater(Object),
    /// The same, and the sweep: `ObjectStore::delete_other_versions`.
    DeleteOthers(Object),
    /// `clean_up`: the clock.
    CleanUp(Over),
    /// `clean_up`: `ObjectStore::delete_all_versions`.
    DeleteBytes(Over, Tick),
    /// `clean_up`: `MetadataStore::schedule_review` or `MetadataStore::remove`. Without the time only
    /// in [`Flaw::CleanUpByTimeAfterTheBytesWent`].
    AfterCleanUp(Over, Option<Tick>),
    /// `renew_upload`: `MetadataStore::renew_upload`.
    MoveDeadline { url_expires: Tick },
    /// `renew_upload`: the answer to the client.
    HandOut { url_expires: Tick },
}

/// What `finalize_upload` knows of the record that it read, and what `review` did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finalizing {
    pub deadline: Tick,
    /// Deadline and time as the review saw them.
    pub review: Option<(Tick, Tick)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Available(Object),
    Rejected,
}

/// The record of a file that isn't to have bytes, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Over {
    pub status: Status,
    pub deadline: Tick,
    pub expires_at: Tick,
}

impl From<&Record> for Over {
    fn from(record: &Record) -> Self {
        Self {
            status: record.status,
            deadline: record.deadline,
            expires_at: record.expires_at,
        }
    }
}

/// The first step of an operation, a read of the record. `None` if there is nothing to do.
pub fn begin(life: &Life, state: &State, actor: Actor) -> Option<Step> {
    let record = state.record.as_ref()?;
    let (deadline, now) = (record.deadline, state.time);
    match actor {
        Actor::Worker => look(
            record,
            Finalizing {
                deadline,
                review: None,
            },
        ),
        Actor::Sweeper => match record.status {
            Status::Available(object) => Some(Step::DeleteOthers(object)),
            _ => None,
        },
        Actor::Reconciler => match record.status {
            Status::Pending => Some(Step::Review { deadline }),
            _ => clean_up(record),
        },
        Actor::Deleter if !record.is_visible(now) => None,
        Actor::Deleter if life.has(Flaw::DeleteBytesBeforeTombstone) => {
            Some(Step::DeleteBytesFirst { deadline, now })
        }
        Actor::Deleter => Some(Step::WriteTombstone { deadline, now }),
        Actor::Renewer => (record.status == Status::Pending).then_some({
            let url_expires = now + URL_LIFE;
            if life.has(Flaw::UrlBeforeDeadline) {
                Step::HandOut { url_expires }
            } else {
                Step::MoveDeadline { url_expires }
            }
        }),
    }
}

fn look(record: &Record, finalizing: Finalizing) -> Option<Step> {
    match record.status {
        Status::Pending => Some(Step::Head(finalizing)),
        _ => after_settlement(record),
    }
}

fn after_settlement(record: &Record) -> Option<Step> {
    match record.status {
        Status::Available(object) => Some(Step::LookWhatCameLater(object)),
        _ => clean_up(record),
    }
}

fn clean_up(record: &Record) -> Option<Step> {
    record.is_over().then(|| Step::CleanUp(record.into()))
}

/// Takes one step in `state` and gives the next one. `None` when the operation has answered.
pub fn advance(life: &Life, state: &mut State, step: Step) -> Option<Step> {
    let now = state.time;
    match step {
        Step::Review { deadline } => {
            let record = state.record.as_ref()?;
            let finalizing = Finalizing {
                deadline: record.deadline,
                review: Some((deadline, now)),
            };
            look(record, finalizing)
        }
        Step::Head(finalizing) => match state.bytes.last() {
            Some(bytes) => {
                let version = life.versioned.then_some(bytes.number);
                Some(Step::Read(finalizing, version))
            }
            None => not_arrived(life, finalizing),
        },
        Step::Read(finalizing, version) => {
            let read = match version {
                Some(version) => state.bytes.iter().find(|bytes| bytes.number == version),
                None => state.bytes.last(),
            };
            let Some(bytes) = read else {
                return not_arrived(life, finalizing);
            };
            let verdict = if bytes.good {
                Verdict::Available(Object {
                    version,
                    digest: bytes.number,
                })
            } else {
                Verdict::Rejected
            };
            Some(Step::Settle(finalizing, verdict))
        }
        Step::Settle(finalizing, verdict) => settle(life, state, finalizing, verdict),
        Step::LookWhoWas(finalizing) => {
            let record = state.record.as_ref()?;
            match record.status {
                Status::Pending => not_arrived(life, finalizing),
                _ => after_settlement(record),
            }
        }
        Step::LookWhatCameLater(object) => {
            let version = object.version?;
            let current = state.bytes.last();
            let is_named = current.is_some_and(|bytes| bytes.number == version);
            (!is_named).then_some(Step::DeleteOthers(object))
        }
        Step::DeleteOthers(object) => {
            let version = object.version?;
            let is_there = state.bytes.iter().any(|bytes| bytes.number == version);
            if is_there && !life.has(Flaw::LaterFormsStay) {
                let current = state.bytes.last().map(|bytes| bytes.number);
                let kept = match life.has(Flaw::KeepTheNewest) {
                    true => current,
                    false => Some(version),
                };
                state.bytes.retain(|bytes| Some(bytes.number) == kept);
            }
            None
        }
        Step::LookAtClock { deadline } => expire_if_over(deadline, now),
        Step::Expire { deadline, now } => expire(life, state, deadline, now),
        Step::WriteTombstone { deadline, now } => write_tombstone(life, state, deadline, now),
        Step::DeleteBytesFirst { deadline, now } => {
            state.bytes.clear();
            Some(Step::WriteTombstone { deadline, now })
        }
        Step::ReadAgain => clean_up(state.record.as_ref()?),
        Step::CleanUp(over) => Some(Step::DeleteBytes(over, now)),
        Step::DeleteBytes(over, before) => {
            state.bytes.clear();
            let after = life.has(Flaw::CleanUpByTimeAfterTheBytesWent);
            Some(Step::AfterCleanUp(over, (!after).then_some(before)))
        }
        Step::AfterCleanUp(over, before) => {
            after_clean_up(life, state, over, before.unwrap_or(now));
            None
        }
        Step::MoveDeadline { url_expires } => {
            let record = state.pending()?;
            record.deadline = record.deadline.max(url_expires);
            (!life.has(Flaw::UrlBeforeDeadline)).then_some(Step::HandOut { url_expires })
        }
        Step::HandOut { url_expires } => {
            state.url_expires = state.url_expires.max(Some(url_expires));
            life.has(Flaw::UrlBeforeDeadline)
                .then_some(Step::MoveDeadline { url_expires })
        }
    }
}

/// What a review makes of `FinalizeOutcome::NotArrived`; a notification makes nothing of it.
fn not_arrived(life: &Life, finalizing: Finalizing) -> Option<Step> {
    let (deadline, seen_at) = finalizing.review?;
    if life.has(Flaw::ExpireByTimeAfterTheLook) {
        return Some(Step::LookAtClock { deadline });
    }
    expire_if_over(deadline, seen_at)
}

fn expire_if_over(deadline: Tick, now: Tick) -> Option<Step> {
    (now >= uploads_end_at(deadline)).then_some(Step::Expire { deadline, now })
}

fn settle(
    life: &Life,
    state: &mut State,
    finalizing: Finalizing,
    verdict: Verdict,
) -> Option<Step> {
    let now = state.time;
    let record = if life.has(Flaw::SettleWithoutCondition) {
        state.record.as_mut()
    } else {
        state.pending()
    };
    let Some(record) = record else {
        return Some(Step::LookWhoWas(finalizing));
    };
    let next = match verdict {
        Verdict::Available(object) => {
            record.status = Status::Available(object);
            record.review_at = None;
            state.seen.available.get_or_insert(object);
            None
        }
        Verdict::Rejected => {
            record.status = Status::Rejected;
            record.expires_at = expires_at(finalizing.deadline, now);
            record.review_at = review_of_settled(life, now);
            if life.has(Flaw::RejectByRecordSeenBefore) {
                Some(Step::CleanUp(Over {
                    deadline: finalizing.deadline,
                    ..Over::from(&*record)
                }))
            } else {
                Some(Step::ReadAgain)
            }
        }
    };
    state.seen.settlements += 1;
    next
}

fn review_of_settled(life: &Life, now: Tick) -> Option<Tick> {
    (!life.has(Flaw::NoReviewAfterSettlement)).then_some(now)
}

fn expire(life: &Life, state: &mut State, deadline: Tick, now: Tick) -> Option<Step> {
    let record = state.pending()?;
    if record.deadline != deadline && !life.has(Flaw::ExpireInSpiteOfRenewal) {
        return None;
    }
    record.status = Status::Expired;
    record.expires_at = expires_at(deadline, now);
    record.review_at = review_of_settled(life, now);
    let over = Over {
        deadline,
        ..Over::from(&*record)
    };
    state.seen.settlements += 1;
    Some(Step::CleanUp(over))
}

fn write_tombstone(life: &Life, state: &mut State, deadline: Tick, now: Tick) -> Option<Step> {
    let record = state.record.as_mut()?;
    if record.status == Status::Deleted {
        return None;
    }
    state.seen.deleted = true;
    record.status = Status::Deleted;
    record.expires_at = expires_at(deadline, now);
    record.review_at = review_of_settled(life, now);
    let over = Over {
        deadline,
        ..Over::from(&*record)
    };
    if life.has(Flaw::DeleteWithoutTombstone) {
        state.record = None;
        return Some(Step::CleanUp(over));
    }
    Some(if life.has(Flaw::DeleteByRecordSeenBefore) {
        Step::CleanUp(over)
    } else {
        Step::ReadAgain
    })
}

/// `Lifecycle::after_clean_up` and what `clean_up` does with it.
fn after_clean_up(life: &Life, state: &mut State, over: Over, now: Tick) {
    let is_tombstone = over.status == Status::Deleted;
    let uploads_end_at = uploads_end_at(over.deadline);
    let in_a_hurry = is_tombstone && life.has(Flaw::RemoveTombstoneBeforeGraceIsOver);
    let review_at = if now < uploads_end_at && !in_a_hurry {
        Some(uploads_end_at)
    } else if !is_tombstone && now < over.expires_at {
        Some(over.expires_at)
    } else {
        None
    };
    if let Some(record) = state.still(over.status) {
        match review_at {
            Some(_) => record.review_at = review_at,
            None => state.record = None,
        }
    }
}
