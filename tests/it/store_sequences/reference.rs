//! What a metadata store is, said once more: a list of records, and for each call of the port the
//! answer and the change.
//!
//! Written from the port's contract and not from any store, the one in memory included, because that
//! one carries the tests of the operations and is on trial here too. So it takes the shortest way that
//! shows the rule, and searches the whole list every time.

use file_share::domain::{
    FileId, FileRecord, FileState, Stage, Status, Timestamp, Transition, TransitionCondition,
};
use file_share::metadata_store::{DueRecord, Page, PageRequest, TransitionOutcome};
use proptest::strategy::{BoxedStrategy, Just, Strategy};
use proptest_state_machine::ReferenceStateMachine;

use super::call::{Call, GRACE, any_call};

/// What a call answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Nothing,
    AlreadyExists,
    Record(Option<Box<FileRecord>>),
    Page(Page),
    Transition(TransitionOutcome),
    Deleted(bool),
    Due(Vec<DueRecord>),
}

#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub records: Vec<FileRecord>,
    /// To the last call.
    pub answer: Answer,
}

impl Reference {
    pub(super) fn get(&self, id: FileId) -> Option<FileRecord> {
        self.records.iter().find(|it| it.id == id).cloned()
    }

    /// The record with this ID, if `condition` holds for it.
    fn find(
        &mut self,
        id: FileId,
        condition: impl Fn(&FileRecord) -> bool,
    ) -> Option<&mut FileRecord> {
        self.records
            .iter_mut()
            .find(|it| it.id == id && condition(it))
    }

    fn answer(&mut self, call: &Call) -> Answer {
        match call {
            Call::Insert(record) if self.get(record.id).is_some() => Answer::AlreadyExists,
            Call::Insert(record) => {
                self.records.push(FileRecord::clone(record));
                Answer::Nothing
            }
            Call::Get(id) => Answer::Record(self.get(*id).map(Box::new)),
            Call::Page(request) => Answer::Page(self.page(*request)),
            Call::RenewUpload(id, until) => {
                Answer::Record(self.renew_upload(*id, *until).map(Box::new))
            }
            Call::Transition(id, transition) => {
                Answer::Transition(self.transition(*id, transition))
            }
            Call::Delete(id, now, purge_at) => {
                let tombstone = FileState::Deleted {
                    purge_at: *purge_at,
                };
                let living = self.find(*id, |it| {
                    let is_there = match &it.state {
                        FileState::Available(_) | FileState::Withdrawn { .. } => true,
                        FileState::Pending(stage) => matches!(stage, Stage::Locking(_)),
                        _ => false,
                    };
                    let is_kept = is_there && it.keep_until.is_some_and(|until| until > *now);
                    it.status() != Status::Deleted && it.hold.is_none() && !is_kept
                });
                Answer::Deleted(living.is_some_and(|record| {
                    record.reconcile_at = match &record.state {
                        FileState::Available(object) if object.version_id.is_none() => {
                            Some(record.upload_expires_at + GRACE)
                        }
                        FileState::Withdrawn { was, .. } if was.version_id.is_none() => {
                            Some(record.upload_expires_at + GRACE)
                        }
                        _ => Some(*now),
                    };
                    record.state = tombstone;
                    true
                }))
            }
            Call::Hold(id, hold) => {
                let holdable = [Status::Pending, Status::Available];
                let found = self.find(*id, |it| holdable.contains(&it.status()));
                Answer::Record(found.map(|record| {
                    let mut hold = hold.clone();
                    if let Some(before) = &record.hold {
                        hold.since = before.since;
                    }
                    record.hold = Some(hold);
                    Box::new(record.clone())
                }))
            }
            Call::Release(id, hold, due_at) => {
                let found = self.find(*id, |it| it.status() != Status::Deleted);
                Answer::Record(found.map(|record| {
                    if record.hold == Some(hold.clone()) {
                        record.hold = None;
                        if record.status() == Status::Withdrawn {
                            record.reconcile_at = Some(*due_at);
                        }
                    }
                    Box::new(record.clone())
                }))
            }
            Call::KeepLonger(id, until) => {
                let found = self.find(*id, |it| it.status() == Status::Available);
                let moved = found.filter(|it| it.keep_until.is_none_or(|at| at <= *until));
                Answer::Record(moved.map(|record| {
                    record.keep_until = Some(*until);
                    Box::new(record.clone())
                }))
            }
            Call::PostponeDeletion(id, seen, at) => {
                let found = self.find(*id, |it| it.status() == Status::Available);
                let due = found.filter(|it| it.reconcile_at == Some(*seen));
                Answer::Deleted(due.map(|it| it.reconcile_at = Some(*at)).is_some())
            }
            Call::DueRecords(until, after, limit) => Answer::Due(self.due(*until, *after, *limit)),
            Call::PostponeReconcile(id, at) => {
                let pending = self.find(*id, |it| it.status() == Status::Pending);
                Answer::Deleted(pending.is_some_and(|record| {
                    let end = record.upload_expires_at + GRACE;
                    record.reconcile_at = Some(if end < *at { end } else { *at });
                    true
                }))
            }
            Call::ScheduleReconcile(id, status, at, until) => {
                if let Some(record) = self.find(*id, |it| is_over(it, *status)) {
                    record.reconcile_at = Some(*at);
                    match &mut record.state {
                        FileState::Rejected { purge_at, .. }
                        | FileState::Withdrawn { purge_at, .. }
                        | FileState::Expired { purge_at }
                        | FileState::Deleted { purge_at } => *purge_at = *until,
                        FileState::Pending(_) | FileState::Available(_) => {}
                    }
                }
                Answer::Nothing
            }
            Call::Remove(id, status) => {
                self.records
                    .retain(|it| it.id != *id || !is_over(it, *status));
                Answer::Nothing
            }
            Call::Reopen => Answer::Nothing,
        }
    }

    fn page(&self, request: PageRequest) -> Page {
        let mut records: Vec<_> = self.records.clone();
        records.retain(|it| match request.status {
            Some(status) => it.status() == status,
            None => true,
        });
        records.retain(|it| it.status() != Status::Deleted);
        records.retain(|it| request.before.is_none_or(|before| it.id < before));
        records.sort_by_key(|it| std::cmp::Reverse(it.id));
        let more = records.len() > request.limit;
        records.truncate(request.limit);
        let last = records.last().map(|it| it.id);
        Page {
            next: if more { last } else { None },
            records,
        }
    }

    fn renew_upload(&mut self, id: FileId, until: Timestamp) -> Option<FileRecord> {
        let record = self.find(id, |it| it.status() == Status::Pending)?;
        if until > record.upload_expires_at {
            record.upload_expires_at = until;
        }
        Some(record.clone())
    }

    fn transition(&mut self, id: FileId, transition: &Transition) -> TransitionOutcome {
        let found = self.find(id, |it| {
            let locking = match &it.state {
                FileState::Pending(Stage::Locking(version)) => Some(version),
                _ => None,
            };
            let holds = match &transition.condition {
                TransitionCondition::UploadExpiresAt(seen) => it.upload_expires_at == *seen,
                TransitionCondition::NotLocking => locking.is_none(),
                TransitionCondition::LocksNoOther(own) => match locking {
                    Some(Some(version)) => version == own,
                    Some(None) | None => true,
                },
                TransitionCondition::Always => true,
            };
            it.status() == transition.from && holds
        });
        let Some(record) = found else {
            return TransitionOutcome::Unchanged;
        };
        (record.state, record.reconcile_at) = (transition.to.clone(), transition.reconcile_at);
        let ended = [Status::Rejected, Status::Expired];
        if ended.contains(&record.status()) {
            record.hold = None;
        }
        if transition.keep_until.is_some() {
            record.keep_until = transition.keep_until;
        }
        TransitionOutcome::Applied
    }

    fn due(&self, until: Timestamp, after: Option<DueRecord>, limit: usize) -> Vec<DueRecord> {
        let mut due: Vec<DueRecord> = Vec::new();
        for record in &self.records {
            if let Some(reconcile_at) = record.reconcile_at
                && reconcile_at <= until
            {
                let id = record.id;
                due.push(DueRecord { reconcile_at, id });
            }
        }
        due.sort_by_key(|it| (it.reconcile_at, it.id));
        due.retain(|it| {
            after.is_none_or(|after| (it.reconcile_at, it.id) > (after.reconcile_at, after.id))
        });
        due.truncate(limit);
        due
    }
}

/// Only what isn't to have bytes may be scheduled and removed.
fn is_over(record: &FileRecord, status: Status) -> bool {
    record.status() == status && !status.may_have_bytes()
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            records: Vec::new(),
            answer: Answer::Nothing,
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Call> {
        let every_due_record = state.due(Timestamp::MAX_UTC, None, usize::MAX);
        any_call(every_due_record)
    }

    fn apply(mut state: Self, call: &Call) -> Self {
        state.answer = state.answer(call);
        state
    }
}
