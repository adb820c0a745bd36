//! The suite that every [`MetadataStore`] passes: each sentence of the port's contract as a
//! behaviour that is a test of its own.
//!
//! A store takes part with one line in its tests, [`metadata_store_conformance!`], and a function
//! that opens a store for one test.
//!
//! Invariant: a behaviour asserts what the port says and nothing about how a store does it. One
//! that looks through an index waits for it, because an index may be eventually consistent, and
//! asks for a store of its own; all others stand whatever else lies in the same table.
//!
//! Absent on purpose: faults. How a store behaves when its disk or network fails is tested beside
//! it.
//!
//! [`metadata_store_conformance!`]: crate::metadata_store_conformance

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails where it unwraps"
)]
#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

mod due;
mod keyed;
mod life;
mod locking;
mod owners;
mod pages;
mod protection;
pub(super) mod races;
mod records;
mod withdrawals;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{MetadataStore, TransitionOutcome};
use crate::clock::{Clock, SystemClock};
use crate::domain::{
    ContentType, Declaration, FileId, FileRecord, FileState, RejectionCode, RejectionReason,
    Sha256Digest, Status, StoredObject, Timestamp, Transition, VersionId, WithdrawnObject,
};

pub use due::*;
pub use keyed::*;
pub use life::*;
pub use locking::*;
pub use owners::*;
pub use pages::*;
pub use protection::*;
pub use races::*;
pub use records::*;
pub use withdrawals::*;

/// How long after its deadline an upload may still arrive.
pub(super) const GRACE: Duration = Duration::from_secs(900);

/// How long an index may take to show what was written.
const INDEX_DELAY_LIMIT: Duration = Duration::from_secs(20);
const INDEX_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a behaviour asks of the store that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Other records may lie in it, and other tests may run on it at the same time.
    Shared,
    /// It is empty, and nobody else uses it.
    Own,
}

/// A store for one test, with whatever must live as long as it does.
pub struct Fixture {
    /// The store that the behaviour is tried on.
    pub store: Arc<dyn MetadataStore>,
    /// A temporary directory, a server, a table that is deleted afterwards. Dropped last.
    pub keep: Box<dyn Any + Send>,
}

/// Makes one test of every behaviour. `$open` is an `async fn(Isolation) -> Fixture`.
#[macro_export]
macro_rules! metadata_store_conformance {
    ($open:path) => {
        $crate::metadata_store_conformance! { @tests $open, Shared;
            the_store_answers_its_check
            a_record_reads_back_as_it_was_inserted_whatever_its_state
            a_name_that_was_cleaned_by_other_rules_reads_back_as_it_was_stored
            a_reason_that_was_taken_by_other_rules_reads_back_as_it_was_stored
            a_name_stays_as_it_was_given_through_a_files_life
            metadata_stays_as_it_was_given_through_a_files_life
            whatever_time_a_file_is_to_be_deleted_at_reads_back_and_is_when_it_is_due
            an_id_that_was_never_inserted_is_absent
            a_second_insert_of_an_id_is_refused_and_leaves_the_first
            an_id_stays_taken_by_its_tombstone
            a_renewal_moves_the_deadline_and_nothing_else
            a_renewal_never_moves_the_deadline_backwards
            only_a_pending_record_is_renewed
            each_settlement_ends_pending_and_sets_what_follows
            a_second_settlement_changes_nothing
            an_expiry_holds_only_for_the_deadline_that_was_seen
            a_renewal_does_not_stop_a_settlement_by_arrived_bytes
            a_record_that_is_deleted_or_absent_is_not_settled
            a_record_in_any_state_becomes_a_tombstone_once
            a_file_without_a_version_is_due_only_when_its_uploads_end
            a_pending_record_is_postponed_until_its_uploads_end_at_the_latest
            only_a_pending_record_is_postponed
            a_file_that_waits_to_be_scanned_is_pending_until_it_is_settled_or_deleted
            only_a_pending_record_waits_to_be_scanned
            an_available_record_is_withdrawn_once_and_keeps_what_its_bytes_were
            only_an_available_record_is_withdrawn
            a_step_from_rejected_or_withdrawn_is_made_of_that_status_alone
            what_is_absent_is_not_deleted
            a_held_file_is_deleted_by_nobody_before_it_is_released
            a_hold_that_is_there_gets_the_new_reason_and_keeps_when_it_began
            a_release_that_comes_late_takes_no_other_hold_off
            what_is_released_is_due_at_once_if_it_was_withdrawn_and_else_as_before
            what_was_withdrawn_is_kept_until_its_time_and_not_longer
            only_what_has_bytes_or_waits_for_them_is_held
            a_hold_stays_with_what_it_keeps_and_ends_where_nothing_is_to_be_kept
            of_a_hold_and_a_deletion_that_race_one_wins
            a_file_is_kept_until_its_time_and_not_longer
            what_is_being_locked_is_the_version_that_was_written_down_and_no_other
            a_settlement_says_until_when_a_file_is_kept
            the_time_until_which_a_file_is_kept_only_moves_forward
            of_many_who_keep_a_file_longer_the_furthest_stays_and_no_deletion_comes_before
            a_deletion_is_postponed_as_long_as_it_is_due_as_it_was_seen
            a_reconcile_is_scheduled_while_the_status_is_the_one_seen
            a_reconcile_is_not_scheduled_for_another_status
            a_record_keeps_its_owner_through_its_life
            a_record_is_removed_while_its_status_is_the_one_seen
            a_record_is_not_removed_with_another_status
            pending_and_available_records_are_neither_scheduled_nor_removed
            a_keyed_insert_adds_its_record
            a_key_that_is_taken_names_the_first_request_and_nothing_is_written
            a_key_outlives_the_file_that_it_names
            a_key_can_be_looked_at_without_an_insert_as_long_as_it_holds
            a_key_is_free_again_from_the_moment_on_at_which_its_time_is_over
            a_keyed_insert_of_a_taken_id_is_refused_and_leaves_the_key_free
            of_many_inserts_with_one_key_exactly_one_succeeds
            a_removed_id_can_be_written_to_by_nothing_but_an_insert
            of_many_inserts_of_one_id_exactly_one_succeeds
            of_many_settlements_exactly_one_succeeds
            of_many_deletions_exactly_one_succeeds_and_no_settlement_outlives_it
            of_many_renewals_the_furthest_stays
        }
        $crate::metadata_store_conformance! { @tests $open, Own;
            an_empty_store_has_one_empty_page
            pages_hold_the_newest_first_and_end_with_the_oldest
            a_page_that_ends_with_the_oldest_record_is_the_last
            a_page_may_begin_at_an_id_that_does_not_exist
            records_of_one_millisecond_are_each_on_one_page
            a_page_by_status_holds_that_status_and_no_other
            a_page_follows_a_record_from_status_to_status
            no_page_shows_a_tombstone
            pages_of_a_person_hold_their_records_and_no_others
            a_persons_page_follows_a_record_through_its_life
            each_earlier_record_is_on_exactly_one_page_while_others_come_and_go
            due_records_come_earliest_first_until_the_moment_itself
            an_available_record_is_due_only_to_be_deleted_at_its_time
            due_records_go_on_behind_the_cursor_even_at_one_moment
            reconcile_at_moves_with_every_write_that_sets_it
            what_was_removed_is_on_no_page_and_never_due
        }
    };
    (@tests $open:path, $isolation:ident; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                use $crate::metadata_store::conformance;
                let fixture = $open(conformance::Isolation::$isolation).await;
                conformance::$behaviour(&fixture.store).await;
                drop(fixture);
            }
        )*
    };
}

/// A moment near the present, moved by `seconds`. Near, because a store may remove by itself what
/// has expired, and may look for recent records first.
pub fn moment(seconds: i64) -> Timestamp {
    // One fixed base a process, so that two calls with the same argument agree.
    static BASE: std::sync::OnceLock<Timestamp> = std::sync::OnceLock::new();
    *BASE.get_or_init(|| SystemClock.now()) + chrono::TimeDelta::seconds(seconds)
}

/// When a record of this suite may vanish: late enough to stay during a test, and with
/// milliseconds, which have to survive.
pub fn far_expiry() -> Timestamp {
    moment(30 * 24 * 60 * 60) + chrono::TimeDelta::milliseconds(7)
}

/// A pending record that was created at `moment(seconds)`.
pub fn pending(seconds: i64) -> FileRecord {
    let declared = Declaration::sample().named("résumé_课程.pdf");
    let declared = declared.of_length(4_711).of_type("application/pdf");
    FileRecord::sample_of(moment(seconds), declared)
}

/// The record as it is in `state`, with a reconciliation due at `moment(5)` unless it is available.
pub fn in_state(mut record: FileRecord, state: FileState) -> FileRecord {
    record.reconcile_at = (!matches!(state, FileState::Available(_))).then(|| moment(5));
    record.state = state;
    record
}

/// Bytes of an available file, with a version ID and a time that isn't a whole second.
pub fn object() -> StoredObject {
    StoredObject {
        sha256: Sha256Digest::from_bytes(std::array::from_fn(|i| 255 - i as u8)),
        version_id: Some(VersionId("3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY".into())),
        uploaded_at: moment(3) + chrono::TimeDelta::milliseconds(456),
        detected_type: ContentType::parse("application/pdf").ok(),
    }
}

/// A reason that isn't ASCII, as a store has to keep it.
pub fn reason() -> RejectionReason {
    RejectionReason {
        code: Some(RejectionCode::ContentMismatch),
        detected_type: Some(ContentType::unknown()),
        ..RejectionReason::sample("5 bytes were declared and 6 bytes arrived – “zu viele”")
    }
}

/// A state with this status.
pub fn state_of(status: Status) -> FileState {
    let purge_at = far_expiry();
    match status {
        Status::Pending => FileState::PENDING,
        Status::Available => FileState::Available(object()),
        Status::Rejected => FileState::Rejected {
            reason: reason(),
            purge_at,
        },
        Status::Withdrawn => FileState::Withdrawn {
            was: WithdrawnObject::from(&object()),
            reason: reason(),
            purge_at,
        },
        Status::Expired => FileState::Expired { purge_at },
        Status::Deleted => FileState::Deleted { purge_at },
    }
}

/// One state for each status.
pub fn every_state() -> [FileState; Status::ALL.len()] {
    Status::ALL.map(state_of)
}

/// The three ways in which a pending record ends, with the deadline that `record` has now and, if
/// anything is left to do, a reconciliation at `moment(5)`.
pub fn every_settlement(record: &FileRecord) -> [Transition; 3] {
    let purge_at = far_expiry();
    [
        Transition::available(object(), None),
        Transition::rejected(reason(), purge_at, moment(5)),
        Transition::expired(record, purge_at, moment(5)),
    ]
}

/// The way in which an available record with [`object`] becomes a withdrawn one, with a reconciliation at `moment(5)`.
pub fn withdrawn() -> Transition {
    Transition::withdrawn(&object(), reason(), far_expiry(), moment(5))
}

/// The same transition with its reconciliation, if it has one, at another moment.
pub fn reviewed_at(transition: &Transition, at: Timestamp) -> Transition {
    Transition {
        reconcile_at: transition.reconcile_at.map(|_| at),
        ..transition.clone()
    }
}

/// The statuses whose records may be scheduled and removed.
fn removable() -> impl Iterator<Item = Status> {
    let all = Status::ALL.into_iter();
    all.filter(|status| !status.may_have_bytes())
}

pub(super) async fn insert(store: &Arc<dyn MetadataStore>, record: FileRecord) -> FileRecord {
    store.insert(&record).await.expect("an insert of a new ID");
    record
}

pub(super) async fn stored(store: &Arc<dyn MetadataStore>, id: FileId) -> FileRecord {
    store
        .get(id)
        .await
        .expect("a read")
        .expect("a record that exists")
}

async fn settle(
    store: &Arc<dyn MetadataStore>,
    id: FileId,
    settlement: &Transition,
    reconcile_at: Timestamp,
) -> TransitionOutcome {
    store
        .transition(id, &reviewed_at(settlement, reconcile_at))
        .await
        .expect("a transition is answered")
}

/// Asks until the answer is the expected one, because an index may lag behind; fails with the last
/// answer when the limit is over.
pub(super) async fn eventually<T, F, A>(expected: T, mut ask: A)
where
    T: PartialEq + std::fmt::Debug,
    F: Future<Output = T>,
    A: FnMut() -> F,
{
    let deadline = tokio::time::Instant::now() + INDEX_DELAY_LIMIT;
    loop {
        let answer = ask().await;
        if answer == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "expected {expected:?}, and it is still {answer:?}"
        );
        tokio::time::sleep(INDEX_POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_behaviour_is_in_the_list_that_makes_tests() {
        let (_, list) = include_str!("conformance.rs")
            .split_once("@tests $open, Shared;")
            .unwrap();
        let listed: Vec<&str> = list
            .lines()
            .take_while(|line| !line.starts_with("    };"))
            .map(str::trim)
            .collect();
        let behaviours: Vec<&str> = [
            include_str!("conformance/keyed.rs"),
            include_str!("conformance/life.rs"),
            include_str!("conformance/locking.rs"),
            include_str!("conformance/owners.rs"),
            include_str!("conformance/pages.rs"),
            include_str!("conformance/protection.rs"),
            include_str!("conformance/races.rs"),
            include_str!("conformance/records.rs"),
            include_str!("conformance/due.rs"),
        ]
        .into_iter()
        .flat_map(|file| file.split("\npub async fn ").skip(1))
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .collect();
        assert!(behaviours.len() > 30, "the sources were not understood");
        for behaviour in behaviours {
            assert!(listed.contains(&behaviour), "{behaviour} is never run");
        }
    }
}
