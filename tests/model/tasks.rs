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
use super::state::{
    Bytes, EMPTY_RETENTION, MIN_AGE, Object, QUARANTINE, RETENTION, Record, State, Status, Tick,
    URL_LIFE, purge_at, uploads_end_at,
};

/// An operation under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// Who does it.
    pub by: Actor,
    /// The step that hasn't been made yet.
    pub next: Step,
}

/// Which operation it is, and so who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// `finalize_upload` for a notification.
    Worker,
    /// `Reconciler::reconcile`.
    Reconciler,
    /// `delete_file`.
    Deleter,
    /// `renew_upload`.
    Renewer,
    /// `rescan`, which finds something in whatever it scans.
    Rescanner,
    /// `OrphanSweeper` at an object of more than one version, at one that no record names, and at one in
    /// quarantine.
    Sweeper,
}

/// What an operation does next, and what it knows: `deadline` is the `upload_expires_at` that it read, `as_of` a
/// time of the store's, `now` the time that it goes by (the store's, or to a delete the API's own), and
/// `url_expires` the end of the URL that it signs.
#[allow(missing_docs, reason = "each field is named in the sentence above")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `finalize_upload` and `Reconciler::reconcile`: a pending record was read; `ObjectStore::head`, or `read`
    /// up to its head. To a reconciliation an absence comes with the store's time.
    Head(Finalizing),
    /// `finalize_upload`: `ObjectStore::read` of the version that the head named.
    Read(Finalizing, Option<u8>),
    /// `finalize_upload::await_scan`: `MetadataStore::transition` to a pending record that is due again.
    AwaitScan(Finalizing),
    /// `finalize_upload`: `ObjectStore::make_durable`.
    MakeDurable(Finalizing, Verdict),
    /// `finalize_upload`: `MetadataStore::transition` to a pending record that says which version is locked.
    Stage(Finalizing, Object),
    /// `finalize_upload`: `ObjectStore::lock` of that version.
    Lock(Finalizing, Object),
    /// `finalize_upload`: `MetadataStore::transition`.
    Settle(Finalizing, Verdict),
    /// `finalize_upload`: somebody settled first; `MetadataStore::get`.
    LookWhoWas(Finalizing),
    /// [`Flaw::ExpireByTimeAfterTheLook`].
    LookAtClock { deadline: Tick },
    /// `reconcile::look_before_reading` and `nothing_came`: `MetadataStore::postpone_reconcile`.
    Postpone { as_of: Tick },
    /// `reconcile::conclude` for an expired record: `ObjectStore::read`.
    LookForLateBytes(Over),
    /// The same, where there were none: `MetadataStore::schedule_reconcile` or `MetadataStore::remove`.
    EndOfExpired(Over, Tick),
    /// `reconcile::delete_if_over`: `Stores::compare_clocks`.
    CompareClocks { deadline: Tick },
    /// `reconcile::expire`: `MetadataStore::transition`.
    Expire { deadline: Tick, now: Tick },
    /// `rescan`: `ObjectStore::read` of the version that the record names, with a scan.
    ScanAgain { object: Object, deadline: Tick },
    /// `withdraw_file`: `MetadataStore::transition`.
    Withdraw { object: Object, deadline: Tick },
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
    /// `clean_up`: `ObjectStore::delete_all_versions` begins, which is the time that it gives.
    CleanUp(Over),
    /// `clean_up::keep_until`: `MetadataStore::schedule_reconcile`.
    LeaveUntil(Over, Tick),
    /// `clean_up`: the bytes go. Without a time the clocks don't agree.
    DeleteBytes(Over, Option<Tick>),
    /// `clean_up`: `MetadataStore::schedule_reconcile` or `MetadataStore::remove`.
    AfterCleanUp(Over, Tick),
    /// `sweep_orphans`: an orphan was found by a listing with the store's time; `ObjectStore::quarantine`.
    Quarantine,
    /// `sweep_orphans`: `ObjectStore::end_quarantine`.
    EndQuarantine,
    /// `renew_upload`: `MetadataStore::renew_upload`.
    MoveDeadline { url_expires: Tick },
    /// `renew_upload`: the answer to the client.
    HandOut { url_expires: Tick },
}

impl Step {
    /// Whether the process compares its own clock with the store's time here.
    pub fn looks_at_clock(&self) -> bool {
        match self {
            Self::Head(finalizing) => finalizing.is_reconcile,
            Self::CleanUp(_)
            | Self::CompareClocks { .. }
            | Self::LookForLateBytes(_)
            | Self::Quarantine
            | Self::EndQuarantine => true,
            _ => false,
        }
    }
}

/// What `finalize_upload` knows of the record that it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finalizing {
    /// The record's `upload_expires_at`.
    pub deadline: Tick,
    /// Whether it is a reconciliation, which may expire the record; a notification can't.
    pub is_reconcile: bool,
    /// The version that the record said is being locked.
    pub locking: Option<u8>,
}

/// `StoreTime::agreed`: the store's time, unless the clocks differ; with the flaw, the process's own.
fn agreed(life: &Life, flaw: Flaw, now: Tick, ahead: i8) -> Option<Tick> {
    if life.has(flaw) {
        return Some(now.saturating_add_signed(ahead));
    }
    (ahead == 0).then_some(now)
}

/// What the bytes that arrived come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As declared.
    Available(Object),
    /// Not as declared.
    Rejected,
}

/// The record of a file that isn't to have bytes, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Over {
    /// Rejected, expired or deleted.
    pub status: Status,
    /// The record's `upload_expires_at`.
    pub deadline: Tick,
    /// Until when the record is kept.
    pub purge_at: Tick,
    /// A tombstone, or a withdrawn file, whose bytes nothing tells from others that come under the same key
    /// (`clean_up::is_left_for_download_urls`).
    pub is_left: bool,
}

impl From<&Record> for Over {
    fn from(record: &Record) -> Self {
        Self {
            status: record.status,
            deadline: record.deadline,
            purge_at: record.purge_at,
            is_left: match record.status {
                Status::Deleted => record.reconcile_at == Some(uploads_end_at(record.deadline)),
                Status::Withdrawn => true,
                _ => false,
            },
        }
    }
}

/// The first step of an operation, a read of the record. `None` if there is nothing to do.
pub fn begin(life: &Life, state: &State, actor: Actor) -> Option<Step> {
    if actor == Actor::Sweeper && state.has_orphan() {
        return Some(Step::Quarantine);
    }
    if actor == Actor::Sweeper && state.aside.is_some() {
        return Some(Step::EndQuarantine);
    }
    let record = state.record.as_ref()?;
    let deadline = record.deadline;
    // The API's own clock: it says when something was asked for.
    let now = state.time.saturating_add_signed(state.signer_ahead);
    let finalizing = |is_reconcile| Finalizing {
        deadline,
        is_reconcile,
        locking: record.locking,
    };
    match actor {
        Actor::Worker => look(record, finalizing(false)),
        Actor::Sweeper => match record.status {
            Status::Available(object) => Some(Step::DeleteOthers(object)),
            _ => None,
        },
        Actor::Reconciler => match record.status {
            Status::Pending => look(record, finalizing(true)),
            Status::Expired => Some(Step::LookForLateBytes(record.into())),
            Status::Available(_) if life.delete_after.is_some() => {
                Some(Step::CompareClocks { deadline })
            }
            _ => clean_up(record),
        },
        Actor::Deleter if !record.is_visible(now) => None,
        // Only with the flaw it is asked here, and not in the write.
        Actor::Deleter if record.held && life.has(Flaw::DeleteByHoldSeenBefore) => None,
        Actor::Deleter if life.has(Flaw::DeleteBytesBeforeTombstone) => {
            Some(Step::DeleteBytesFirst { deadline, now })
        }
        Actor::Deleter => Some(Step::WriteTombstone { deadline, now }),
        Actor::Rescanner => match record.status {
            Status::Available(object) => Some(Step::ScanAgain { object, deadline }),
            _ => None,
        },
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
    (record.is_over() && !record.held).then(|| Step::CleanUp(record.into()))
}

impl State {
    /// `measure::look`: the newest version, or the one that is being locked.
    fn looked_at(&self, life: &Life, finalizing: Finalizing) -> Option<&Bytes> {
        match finalizing.locking {
            Some(version) if !life.has(Flaw::LockTheNewest) => {
                self.bytes.iter().find(|bytes| bytes.number == version)
            }
            _ => self.bytes.last(),
        }
    }
}

/// Takes one step in `state` and gives the next one. `None` when the operation has answered.
pub fn advance(life: &Life, state: &mut State, step: Step, ahead: i8) -> Option<Step> {
    let now = state.time;
    match step {
        Step::Head(finalizing) => match state.looked_at(life, finalizing) {
            Some(_) if life.suspended => once_nothing_replaces_it(life, finalizing, now),
            Some(bytes) => {
                let version = life.versioned.then_some(bytes.number);
                Some(Step::Read(finalizing, version))
            }
            None => {
                let as_of = agreed(life, Flaw::ExpireByOwnClock, now, ahead);
                not_arrived(life, finalizing, as_of)
            }
        },
        Step::Read(finalizing, version) => {
            let read = match version {
                Some(version) => state.bytes.iter().find(|bytes| bytes.number == version),
                None => state.bytes.last(),
            };
            let bytes = *read?;
            // The scan goes with the read.
            if life.scans {
                if state.scanner_is_away && !life.has(Flaw::SettleUnscanned) {
                    return Some(Step::AwaitScan(finalizing));
                }
                let newest = state.bytes.last().map_or(bytes.number, |it| it.number);
                let scanned = match life.has(Flaw::ScanTheNewest) {
                    true => newest,
                    false => bytes.number,
                };
                if !state.scanner_is_away {
                    state.seen.clean |= 1 << scanned;
                }
            }
            let object = Object {
                version,
                digest: bytes.number,
            };
            let verdict = match bytes.good {
                true => Verdict::Available(object),
                false => Verdict::Rejected,
            };
            if life.locks && bytes.good {
                return Some(match life.has(Flaw::LockBeforeStage) {
                    true => Step::Lock(finalizing, object),
                    false => Step::Stage(finalizing, object),
                });
            }
            // Elsewhere that step changes nothing.
            if life.power_cuts
                && verdict != Verdict::Rejected
                && !life.has(Flaw::SettleBeforeDurable)
            {
                return Some(Step::MakeDurable(finalizing, verdict));
            }
            Some(Step::Settle(finalizing, verdict))
        }
        Step::AwaitScan(finalizing) => {
            let is_due = !life.has(Flaw::UnscannedIsNeverDue);
            let Some(record) = state.pending() else {
                return Some(Step::LookWhoWas(finalizing));
            };
            if life.has(Flaw::AwaitScanEndsLocking) {
                record.locking = None;
            }
            // At once is within a tick.
            record.reconcile_at = is_due.then_some(now);
            None
        }
        Step::MakeDurable(finalizing, verdict) => {
            for bytes in &mut state.bytes {
                bytes.durable = true;
            }
            Some(Step::Settle(finalizing, verdict))
        }
        Step::Stage(finalizing, object) => {
            let is_bound = !life.has(Flaw::LockTheNewest);
            let locks_other = |record: &Record| {
                is_bound && record.locking.is_some() && record.locking != object.version
            };
            let Some(record) = state.pending().filter(|it| !locks_other(it)) else {
                return Some(Step::LookWhoWas(finalizing));
            };
            record.locking = object.version;
            record.reconcile_at = Some(0);
            Some(match life.has(Flaw::LockBeforeStage) {
                true => Step::Settle(finalizing, Verdict::Available(object)),
                false => Step::Lock(finalizing, object),
            })
        }
        Step::Lock(finalizing, object) => {
            for bytes in &mut state.bytes {
                bytes.locked |= Some(bytes.number) == object.version;
            }
            Some(match life.has(Flaw::LockBeforeStage) {
                true => Step::Stage(finalizing, object),
                false => Step::Settle(finalizing, Verdict::Available(object)),
            })
        }
        Step::Settle(finalizing, verdict) => settle(life, state, finalizing, verdict),
        Step::LookWhoWas(_) => after_settlement(state.record.as_ref()?),
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
        Step::CompareClocks { deadline } => {
            let as_of = agreed(life, Flaw::DeleteByOwnClock, now, ahead)?;
            life.delete_after.filter(|at| as_of >= *at)?;
            state.seen.over_at.get_or_insert(now);
            if state.record.as_ref()?.held {
                // `reconcile::leave_until`: an hour is within a tick.
                return None;
            }
            let now = now.saturating_add_signed(ahead);
            Some(Step::WriteTombstone { deadline, now })
        }
        Step::ScanAgain { object, deadline } => {
            // Away, or not these bytes: then nothing is done.
            let is_scanned = !state.scanner_is_away && state.has(object);
            is_scanned.then_some(Step::Withdraw { object, deadline })
        }
        Step::Withdraw { object, deadline } => withdraw(life, state, object, deadline),
        Step::Expire { deadline, now } => expire(life, state, deadline, now),
        Step::WriteTombstone { deadline, now } => write_tombstone(life, state, deadline, now),
        Step::DeleteBytesFirst { deadline, now } => {
            state.bytes.clear();
            Some(Step::WriteTombstone { deadline, now })
        }
        Step::ReadAgain => clean_up(state.record.as_ref()?),
        Step::Postpone { as_of } => {
            let record = state.pending()?;
            record.reconcile_at = Some((as_of + 1).min(uploads_end_at(record.deadline)));
            None
        }
        Step::LookForLateBytes(over) => {
            if !state.bytes.is_empty() {
                return Some(Step::CleanUp(over));
            }
            let as_of = agreed(life, Flaw::RemoveByOwnClock, now, ahead)?;
            Some(Step::EndOfExpired(over, as_of))
        }
        Step::EndOfExpired(over, as_of) => {
            let record = state.still(Status::Expired)?;
            record.reconcile_at = Some(over.purge_at);
            if as_of >= over.purge_at {
                state.record = None;
            }
            None
        }
        Step::CleanUp(over) => {
            let as_of = agreed(life, Flaw::RemoveByOwnClock, now, ahead);
            if over.status == Status::Withdrawn
                && let Some(keep_until) = life.keep_until
                && !life.has(Flaw::WithdrawalEndsRetention)
                // `Stores::earlier_now`.
                && now.min(now.saturating_add_signed(ahead)) < keep_until
            {
                return Some(Step::LeaveUntil(over, keep_until));
            }
            // Bytes with a version are none of these.
            let is_left = over.is_left && !life.versioned && !state.bytes.is_empty();
            let at_once =
                over.status == Status::Withdrawn && life.has(Flaw::DeleteBytesOfWithdrawnAtOnce);
            let uploads_end_at = uploads_end_at(over.deadline);
            if is_left && !at_once && as_of.is_none_or(|now| now < uploads_end_at) {
                state.still(over.status)?.reconcile_at = Some(uploads_end_at);
                return None;
            }
            Some(Step::DeleteBytes(over, as_of))
        }
        Step::LeaveUntil(over, keep_until) => {
            let record = state.still(over.status)?;
            record.reconcile_at = Some(keep_until);
            record.purge_at = over.purge_at.max(keep_until + RETENTION);
            None
        }
        Step::DeleteBytes(over, as_of) => {
            let keeps = life.keep_until.filter(|at| now < *at);
            state.bytes.retain(|bytes| keeps.is_some() && bytes.locked);
            match keeps.filter(|_| !state.bytes.is_empty()) {
                // `StoreError::Locked`.
                Some(at) => Some(Step::LeaveUntil(over, at)),
                None => Some(Step::AfterCleanUp(over, as_of?)),
            }
        }
        Step::AfterCleanUp(over, as_of) => {
            let late = life.has(Flaw::CleanUpByTimeAfterTheBytesWent);
            after_clean_up(life, state, over, if late { now } else { as_of });
            None
        }
        Step::Quarantine => {
            sweep_orphan(life, state, ahead);
            None
        }
        Step::EndQuarantine => {
            end_quarantine(life, state, ahead);
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

/// `finalize_upload::once_nothing_replaces_it`: the store's time, and then another look.
fn once_nothing_replaces_it(life: &Life, finalizing: Finalizing, now: Tick) -> Option<Step> {
    let is_final = now >= uploads_end_at(finalizing.deadline);
    (is_final || life.has(Flaw::SettleReplaceable)).then_some(Step::Read(finalizing, None))
}

/// What a reconciliation makes of an absence as of `as_of`, where the clocks agree; a notification makes nothing
/// of it.
fn not_arrived(life: &Life, finalizing: Finalizing, as_of: Option<Tick>) -> Option<Step> {
    let deadline = finalizing.deadline;
    if !finalizing.is_reconcile {
        return None;
    }
    if life.has(Flaw::ExpireByTimeAfterTheLook) {
        return Some(Step::LookAtClock { deadline });
    }
    let now = as_of?;
    expire_if_over(deadline, now).or(Some(Step::Postpone { as_of: now }))
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
    let locks_other = |record: &Record| match verdict {
        // `TransitionCondition::LocksNoOther`.
        Verdict::Available(object) => record.locking.is_some() && record.locking != object.version,
        Verdict::Rejected => false,
    };
    let is_bound = !life.has(Flaw::LockTheNewest);
    let Some(record) = record.filter(|it| !is_bound || !locks_other(it)) else {
        return Some(Step::LookWhoWas(finalizing));
    };
    record.locking = None;
    let next = match verdict {
        Verdict::Available(object) => {
            record.status = Status::Available(object);
            let is_due = !life.has(Flaw::AvailableIsNeverDue);
            record.reconcile_at = life.delete_after.filter(|_| is_due);
            state.seen.available.get_or_insert(object);
            None
        }
        Verdict::Rejected => {
            record.status = Status::Rejected;
            record.held &= life.has(Flaw::HoldOutlivesRejection);
            record.purge_at = purge_at(finalizing.deadline, now);
            // `FileRecord::due_at_once`.
            record.reconcile_at = reconcile_at_of_settled(life, 0);
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

fn reconcile_at_of_settled(life: &Life, now: Tick) -> Option<Tick> {
    (!life.has(Flaw::NoReconcileAfterSettlement)).then_some(now)
}

fn expire(life: &Life, state: &mut State, deadline: Tick, now: Tick) -> Option<Step> {
    let record = state.pending()?;
    if record.deadline != deadline && !life.has(Flaw::ExpireInSpiteOfRenewal) {
        return None;
    }
    record.status = Status::Expired;
    record.held = false;
    record.locking = None;
    record.purge_at = now.max(uploads_end_at(deadline)) + EMPTY_RETENTION;
    record.reconcile_at = reconcile_at_of_settled(life, record.purge_at);
    state.seen.settlements += 1;
    None
}

/// `withdraw_file`, by the store's time.
fn withdraw(life: &Life, state: &mut State, object: Object, deadline: Tick) -> Option<Step> {
    if life.has(Flaw::WithdrawnBytesFirst) {
        state.bytes.clear();
    }
    let now = state.time;
    let is_bound = !life.has(Flaw::WithdrawInAnyState);
    let record = state.record.as_mut()?;
    if is_bound && record.status != Status::Available(object) {
        return None;
    }
    let waits = object.version.is_none() && !life.has(Flaw::DeleteBytesOfWithdrawnAtOnce);
    record.status = Status::Withdrawn;
    let kept_until = life.keep_until.filter(|at| now < *at);
    record.purge_at = purge_at(deadline, now.max(kept_until.unwrap_or(now)));
    record.reconcile_at = match life.has(Flaw::WithdrawnIsNeverDue) {
        true => None,
        false if waits => Some(uploads_end_at(deadline)),
        false => Some(0),
    };
    state.seen.withdrawn = true;
    Some(Step::ReadAgain)
}

fn write_tombstone(life: &Life, state: &mut State, deadline: Tick, now: Tick) -> Option<Step> {
    let record = state.record.as_mut()?;
    if record.status == Status::Deleted {
        return None;
    }
    if record.held && !life.has(Flaw::DeleteByHoldSeenBefore) {
        return None;
    }
    // `delete_file::deletable_as_of`.
    let as_of = match life.has(Flaw::RetentionByOwnClock) {
        true => now,
        false => now.min(state.time),
    };
    if record.is_kept(life.keep_until, as_of) && !life.has(Flaw::RetentionIsNotAsked) {
        return None;
    }
    state.seen.deleted_held |= record.held;
    state.seen.deleted_kept |= record.is_kept(life.keep_until, state.time);
    state.seen.deleted = true;
    let is_unversioned = match record.status {
        Status::Available(object) => object.version.is_none(),
        Status::Withdrawn => !life.versioned,
        _ => false,
    };
    let waits = is_unversioned && !life.has(Flaw::DeleteBytesOfUnversionedAtOnce);
    let reconcile_at = if waits {
        uploads_end_at(record.deadline)
    } else {
        0
    };
    record.status = Status::Deleted;
    record.locking = None;
    record.purge_at = purge_at(deadline, now);
    record.reconcile_at = reconcile_at_of_settled(life, reconcile_at);
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
    let kept_until = match over.status {
        // Its bytes came too late.
        Status::Expired => over.purge_at.max(purge_at(over.deadline, now)),
        _ => over.purge_at,
    };
    let in_a_hurry = is_tombstone && life.has(Flaw::RemoveTombstoneBeforeGraceIsOver);
    let reconcile_at = if now < uploads_end_at && !in_a_hurry {
        Some(uploads_end_at)
    } else if !is_tombstone && now < kept_until {
        Some(kept_until)
    } else {
        None
    };
    if let Some(record) = state.still(over.status) {
        match reconcile_at {
            Some(_) => {
                record.reconcile_at = reconcile_at;
                record.purge_at = kept_until;
            }
            None => state.record = None,
        }
    }
}

/// `OrphanSweeper`: an old object goes into quarantine if there is still no record.
fn sweep_orphan(life: &Life, state: &mut State, ahead: i8) {
    let as_of = agreed(life, Flaw::SweepByOwnClock, state.time, ahead);
    let (Some(now), Some(put_at)) = (as_of, state.seen.put_at) else {
        return;
    };
    if !state.has_orphan() || now < put_at + MIN_AGE {
        return;
    }
    state.seen.swept_early |= state.time < put_at + MIN_AGE;
    state.bytes.clear();
    state.aside = (!life.has(Flaw::SweepDestroys)).then_some(state.time);
}

fn end_quarantine(life: &Life, state: &mut State, ahead: i8) {
    let as_of = agreed(life, Flaw::SweepByOwnClock, state.time, ahead);
    let (Some(now), Some(since)) = (as_of, state.aside) else {
        return;
    };
    if now >= since + QUARANTINE {
        state.seen.swept_early |= state.time < since + QUARANTINE;
        state.aside = None;
        state.seen.put_at = None;
    }
}
