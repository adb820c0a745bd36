//! The calls that a sequence is made of.
//!
//! Invariant: few IDs and few moments, so that calls meet: the same file, the same deadline, the same
//! millisecond, another status than the one that was seen.

use std::time::Duration;

use file_share::domain::{
    FileId, FileRecord, Hold, HoldReason, Status, Timestamp, Transition, TransitionCondition,
    UserId, VersionId,
};
use file_share::metadata_store::conformance::{
    every_settlement, every_state, moment, object, pending, reviewed_at, withdrawn,
};
use file_share::metadata_store::{DueRecord, PageRequest};
use proptest::prelude::*;

/// How long after its deadline an upload may still arrive.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// How many files there are.
const FILES: u8 = 8;

#[derive(Debug, Clone)]
pub(super) enum Call {
    Insert(Box<FileRecord>),
    Get(FileId),
    Page(PageRequest),
    RenewUpload(FileId, Timestamp),
    Transition(FileId, Transition),
    /// With `now`, which is `as_of` too, and `purge_at`.
    Delete(FileId, Timestamp, Timestamp),
    Hold(FileId, Hold),
    /// With the hold that was seen, and `due_at`.
    Release(FileId, Hold, Timestamp),
    KeepLonger(FileId, Timestamp),
    /// With what was seen, and `reconcile_at`.
    PostponeDeletion(FileId, Timestamp, Timestamp),
    /// With `until`, `after` and `limit`.
    DueRecords(Timestamp, Option<DueRecord>, usize),
    /// With `reconcile_at`.
    PostponeReconcile(FileId, Timestamp),
    /// With `reconcile_at` and `purge_at`.
    ScheduleReconcile(FileId, Status, Timestamp, Timestamp),
    Remove(FileId, Status),
    /// The store is closed and opened again, where that means anything.
    Reopen,
}

impl Call {
    /// The file that the call is about.
    pub(super) fn file(&self) -> Option<FileId> {
        match self {
            Self::Insert(record) => Some(record.id),
            Self::Get(id)
            | Self::RenewUpload(id, _)
            | Self::Transition(id, _)
            | Self::Delete(id, _, _)
            | Self::Hold(id, _)
            | Self::Release(id, _, _)
            | Self::KeepLonger(id, _)
            | Self::PostponeDeletion(id, _, _)
            | Self::PostponeReconcile(id, _)
            | Self::ScheduleReconcile(id, _, _, _)
            | Self::Remove(id, _) => Some(*id),
            Self::Page(_) | Self::DueRecords(..) | Self::Reopen => None,
        }
    }
}

pub(super) fn every_file() -> Vec<FileId> {
    (0..FILES).map(file).collect()
}

/// Three files a millisecond, each in a shard of its own.
fn file(number: u8) -> FileId {
    let created_at = moment(0) + std::time::Duration::from_millis(u64::from(number / 3));
    let mut bytes = *FileId::new(created_at).as_bytes();
    bytes[6..].copy_from_slice(&[0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, number]);
    FileId::from_bytes(bytes).unwrap()
}

fn any_file() -> impl Strategy<Value = FileId> {
    (0..FILES).prop_map(file)
}

/// For reconciliations.
fn any_moment() -> impl Strategy<Value = Timestamp> {
    (0..6_i64).prop_map(moment)
}

/// For upload deadlines and expiries: in the future, because a store may remove what is past.
fn any_deadline() -> impl Strategy<Value = Timestamp> {
    (5_000..5_004_i64).prop_map(moment)
}

/// Before and after the end of uploads.
fn any_reconcile_at() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any_moment(), any_deadline().prop_map(|at| at + GRACE)]
}

fn any_hold() -> impl Strategy<Value = Hold> {
    (any_moment(), any::<bool>()).prop_map(|(since, is_operators)| Hold {
        reason: HoldReason::given(if is_operators { "a" } else { "b" }).unwrap(),
        since,
        by: (!is_operators).then(|| UserId::of("https://id.example.org", "alice")),
    })
}

fn any_status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn any_record() -> impl Strategy<Value = FileRecord> {
    let state = prop_oneof![4 => Just(0_usize), 1 => 1..every_state().len()];
    (any_file(), any_deadline(), any_moment(), state).prop_map(|(id, deadline, due, state)| {
        let state = every_state()[state].clone();
        FileRecord {
            id,
            upload_expires_at: deadline,
            reconcile_at: (state.status() != Status::Available).then_some(due),
            state,
            ..pending(0)
        }
    })
}

/// Of three versions one, or none: so that what is locked and what somebody measured are the same now and then.
fn any_version() -> impl Strategy<Value = Option<VersionId>> {
    let others = [None, Some("a"), Some("b")].map(|it| it.map(|id| VersionId(id.to_owned())));
    prop::sample::select([others.as_slice(), &[object().version_id]].concat())
}

/// A step of a file whose bytes are there and that isn't settled yet.
fn any_stage() -> impl Strategy<Value = Transition> {
    (any::<bool>(), any_version(), any_moment(), any_moment()).prop_map(
        |(locks, version, keep_until, reconcile_at)| match locks {
            true => Transition::locks(version, keep_until, reconcile_at),
            false => Transition::awaits_scan(reconcile_at),
        },
    )
}

fn any_settlement() -> impl Strategy<Value = Transition> {
    let settlements = (0..4_usize, any_deadline(), any_moment(), any_version());
    let settlement = settlements.prop_map(|(kind, upload_expires_at, reconcile_at, version)| {
        let seen = FileRecord {
            upload_expires_at,
            ..pending(0)
        };
        let kept = (kind == 0 && reconcile_at > moment(3)).then_some(reconcile_at);
        let [available, rejected, expired] = every_settlement(&seen);
        let withdrawn = withdrawn();
        let kinds = [available, rejected, expired, withdrawn];
        let transition = reviewed_at(&kinds[kind], reconcile_at).kept_until(kept);
        match transition.condition {
            TransitionCondition::Always => transition.of_version(version),
            _ => transition,
        }
    });
    prop_oneof![2 => settlement, 1 => any_stage()]
}

/// Where a batch of due records may begin: mostly behind one that there is.
fn any_cursor(known: Vec<DueRecord>) -> BoxedStrategy<Option<DueRecord>> {
    let any = (any_moment(), any_file())
        .prop_map(|(reconcile_at, id)| Some(DueRecord { reconcile_at, id }));
    if known.is_empty() {
        return prop_oneof![Just(None), any].boxed();
    }
    let one_of_them = prop::sample::select(known).prop_map(Some);
    prop_oneof![1 => Just(None), 1 => any, 3 => one_of_them].boxed()
}

/// A call to a store that holds these reconciliations.
pub(super) fn any_call(known: Vec<DueRecord>) -> BoxedStrategy<Call> {
    let page = (
        prop::option::of(any_status()),
        prop::option::of(any_file()),
        1..5_usize,
    )
        .prop_map(|(status, before, limit)| {
            Call::Page(PageRequest {
                owner: None,
                status,
                before,
                limit,
            })
        });
    let due = (any_moment(), any_cursor(known), 1..5_usize)
        .prop_map(|(until, after, limit)| Call::DueRecords(until, after, limit));
    prop_oneof![
        6 => any_record().prop_map(|record| Call::Insert(Box::new(record))),
        1 => any_file().prop_map(Call::Get),
        3 => page,
        3 => (any_file(), any_deadline()).prop_map(|(id, at)| Call::RenewUpload(id, at)),
        4 => (any_file(), any_settlement())
            .prop_map(|(id, settlement)| Call::Transition(id, settlement)),
        2 => (any_file(), any_moment(), any_deadline())
            .prop_map(|(id, now, purge_at)| Call::Delete(id, now, purge_at)),
        2 => (any_file(), any_hold()).prop_map(|(id, hold)| Call::Hold(id, hold)),
        2 => (any_file(), any_hold(), any_moment())
            .prop_map(|(id, hold, due_at)| Call::Release(id, hold, due_at)),
        2 => (any_file(), any_moment()).prop_map(|(id, at)| Call::KeepLonger(id, at)),
        2 => (any_file(), any_moment(), any_moment())
            .prop_map(|(id, seen, at)| Call::PostponeDeletion(id, seen, at)),
        3 => due,
        2 => (any_file(), any_reconcile_at())
            .prop_map(|(id, at)| Call::PostponeReconcile(id, at)),
        2 => (any_file(), any_status(), any_moment(), any_deadline())
            .prop_map(|(id, status, at, until)| Call::ScheduleReconcile(id, status, at, until)),
        2 => (any_file(), any_status()).prop_map(|(id, status)| Call::Remove(id, status)),
        1 => Just(Call::Reopen),
    ]
    .boxed()
}
