//! The writes that take a record from one state to another, or put off when it is looked at next.
//!
//! Invariant: each is one write whose condition says what the record has to be, and nothing of the former state stays.
//! The next look at a pending record is never put behind the end of its uploads as the item has it, also where another
//! process moves that end meanwhile: the condition compares with it, and DynamoDB computes what follows from it.
//!
//! Absent on purpose: which transition is made when, and what a file gives back as it ends (`ends`).

use std::time::Duration;

use super::DynamoDbMetadataStore;
use super::ends::Change;
use super::expression::{Condition, Placeholders, WriteToken, update_expression};
use super::item::{
    HOLD_ATTRIBUTES, KEEP_UNTIL, RECONCILE_AT, STATE_ATTRIBUTES, millis, reconcile_attributes,
    reconcile_shard, state_attributes, string,
};
use super::items::PARENT;
use crate::domain::{FileId, FileState, Timestamp, Transition, TransitionCondition};
use crate::metadata_store::outbox::Message;
use crate::metadata_store::{StoreError, TransitionOutcome};

/// When a record is looked at next.
#[derive(Debug, Clone, Copy)]
enum ReconcileAt {
    Never,
    At(Timestamp),
    /// So long after the upload deadline that the item has.
    UploadsEnd(Duration),
}

/// A pending record whose next look lies so far behind its creation is likelier to be at its end before.
/// Whichever is tried first, the other one follows if it doesn't hold.
const LIKELY_LIFE: Duration = Duration::from_secs(30 * 60);

impl DynamoDbMetadataStore {
    /// Gives the item another state, and nothing of the former one stays; adds the messages with it. `false` if the
    /// condition didn't hold.
    async fn change_state(
        &self,
        id: FileId,
        (state, keep_until): (&FileState, Option<Timestamp>),
        next: ReconcileAt,
        condition: Condition,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let token = WriteToken::new();
        let (reconcile_at, uploads_end) = match next {
            ReconcileAt::Never => (None, None),
            ReconcileAt::At(at) => (Some(at), None),
            ReconcileAt::UploadsEnd(grace) => (None, Some(grace)),
        };
        let mut set = state_attributes(id, state, reconcile_at);
        set.push(token.attribute());
        set.extend(keep_until.map(|at| (KEEP_UNTIL, millis(at))));
        if uploads_end.is_some() {
            set.push(reconcile_shard(id));
        }
        let left_lists = (!state.status().is_listed()).then_some(PARENT);
        let is_held_no_more = match state.status().keeps_its_hold() {
            true => &[][..],
            false => &HOLD_ATTRIBUTES,
        };
        let remove: Vec<_> = STATE_ATTRIBUTES
            .into_iter()
            .chain(left_lists)
            .chain(is_held_no_more.iter().copied())
            .filter(|name| set.iter().all(|(kept, _)| kept != name))
            .filter(|name| *name != RECONCILE_AT || uploads_end.is_none())
            .collect();
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, uploads_end, &remove, &mut placeholders);
        let condition = condition.expression(&mut placeholders);
        let condition = token.or_repeated(&condition, &mut placeholders);
        let change = Change {
            id,
            update,
            condition,
            placeholders,
        };
        if !state.status().may_have_bytes() {
            return self.end(change, messages).await;
        }
        if !messages.is_empty() {
            return self.change_told(change, messages).await;
        }
        let Change {
            update,
            condition,
            placeholders,
            ..
        } = change;
        let changed = self
            .send_update(string(id), update, condition, placeholders)
            .await?;
        Ok(changed.is_some())
    }

    pub(super) async fn make_transition(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        let from = transition.from;
        let condition = match &transition.condition {
            TransitionCondition::Always => Condition::StatusIs(from),
            TransitionCondition::UploadExpiresAt(seen) => Condition::StatusAndDeadline(from, *seen),
            TransitionCondition::NotLocking => Condition::NotLocking(from),
            TransitionCondition::LocksNoOther(version_id) => {
                Condition::LocksNoOther(from, version_id.clone())
            }
        };
        let next = match transition.reconcile_at {
            Some(at) => ReconcileAt::At(at),
            None => ReconcileAt::Never,
        };
        let changed = self
            .change_state(
                id,
                (&transition.to, transition.keep_until),
                next,
                condition,
                messages,
            )
            .await?;
        Ok(TransitionOutcome::of(changed))
    }

    pub(super) async fn make_tombstone(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        let tombstone = FileState::Deleted { purge_at };
        let at_once = ReconcileAt::At(now);
        let condition = Condition::LivingAndNotUnversioned(as_of);
        if self
            .change_state(id, (&tombstone, None), at_once, condition, messages)
            .await?
        {
            return Ok(true);
        }
        let at_the_end = ReconcileAt::UploadsEnd(upload_grace);
        let condition = Condition::Unversioned(as_of);
        self.change_state(id, (&tombstone, None), at_the_end, condition, messages)
            .await
    }

    /// Sets only when a pending record is looked at. `false` if the condition didn't hold.
    async fn set_reconcile_at(
        &self,
        id: FileId,
        next: ReconcileAt,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        let (set, uploads_end) = match next {
            ReconcileAt::At(at) => (reconcile_attributes(id, at).into(), None),
            ReconcileAt::UploadsEnd(grace) => (vec![reconcile_shard(id)], Some(grace)),
            ReconcileAt::Never => return Ok(false),
        };
        let mut placeholders = Placeholders::default();
        let update = update_expression(set, uploads_end, &[], &mut placeholders);
        let condition = condition.expression(&mut placeholders);
        let changed = self
            .send_update(string(id), update, condition, placeholders)
            .await?;
        Ok(changed.is_some())
    }

    /// A pending record is looked at then, or at the end of its uploads if that comes first. `false`: it isn't pending.
    pub(super) async fn move_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let earlier = reconcile_at - upload_grace;
        let mut ways = [
            (
                ReconcileAt::At(reconcile_at),
                Condition::PendingUntilNotBefore(earlier),
            ),
            (
                ReconcileAt::UploadsEnd(upload_grace),
                Condition::PendingUntilBefore(earlier),
            ),
        ];
        if reconcile_at >= id.created_at() + LIKELY_LIFE {
            ways.reverse();
        }
        for (next, condition) in ways {
            if self.set_reconcile_at(id, next, condition).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
