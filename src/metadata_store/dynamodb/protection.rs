//! What keeps a file from being deleted: a hold, and a time until which it is kept.
//!
//! Invariant: each is one update whose condition says that there is something to protect, and sent again it writes what
//! is there. A hold is ended by a write that names it, so a release that comes late takes no other one off; a hold that
//! comes late again keeps a file that nobody meant to keep, which somebody can release. Whether a file is protected is
//! asked in the very write that deletes (`Condition::LivingAndNotUnversioned`,
//! `Condition::Unversioned`).
//!
//! Absent on purpose: the end of a hold by a change of state. That takes the attributes away in its own write
//! (`change_state`).

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    item::{
        HOLD_ATTRIBUTES, HOLD_BY, HOLD_REASON, HOLD_SINCE, KEEP_UNTIL, RECONCILE_AT, STATUS,
        WITHDRAWN, from_item, millis, reconcile_attributes, string,
    },
};
use crate::{
    domain::{FileId, FileRecord, Hold, Status, Timestamp},
    metadata_store::{MetadataStore, StoreError},
};

/// Where the attribute isn't there, nothing stands against it.
fn absent_or(name: &str, condition: &str) -> String {
    format!("(attribute_not_exists({name}) OR {condition})")
}

impl Condition {
    /// That nothing protects the file as of this moment.
    pub(super) fn unprotected(as_of: Timestamp, placeholders: &mut Placeholders) -> String {
        let (reason, kept) = (
            placeholders.name(HOLD_REASON),
            placeholders.name(KEEP_UNTIL),
        );
        let status = placeholders.name(STATUS);
        let available = placeholders.value("keptStatus", string(Status::Available.as_str()));
        let as_of = placeholders.value("asOf", millis(as_of));
        let is_not_locking = Self::is_not_locking(placeholders);
        let mark = placeholders.name(WITHDRAWN);
        let is_over = format!(
            "{kept} <= {as_of} OR ({status} <> {available} AND {is_not_locking} AND attribute_not_exists({mark}))"
        );
        let is_not_kept = absent_or(&kept, &is_over);
        format!("attribute_not_exists({reason}) AND {is_not_kept}")
    }
}

impl DynamoDbMetadataStore {
    pub(super) async fn put_hold(
        &self,
        id: FileId,
        hold: &Hold,
    ) -> Result<Option<FileRecord>, StoreError> {
        let mut placeholders = Placeholders::default();
        let [reason, since, by] = HOLD_ATTRIBUTES.map(|it| placeholders.name(it));
        let given = placeholders.value(HOLD_REASON, string(&hold.reason));
        let now = placeholders.value(HOLD_SINCE, millis(hold.since));
        let by = match hold.by {
            Some(user) => format!(", {by} = {}", placeholders.value(HOLD_BY, string(user))),
            None => format!(" REMOVE {by}"),
        };
        let update = format!("SET {reason} = {given}, {since} = if_not_exists({since}, {now}){by}");
        let status = placeholders.name(STATUS);
        let of_status: Vec<String> = Status::ALL
            .into_iter()
            .filter(|status| status.may_have_bytes())
            .map(|it| placeholders.value(it.as_str(), string(it.as_str())))
            .collect();
        let condition = format!("{status} IN ({})", of_status.join(", "));
        self.protect(id, update, condition, placeholders).await
    }

    pub(super) async fn remove_hold(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        for is_withdrawn in [false, true] {
            let mut placeholders = Placeholders::default();
            let [reason, since, by] = HOLD_ATTRIBUTES.map(|it| placeholders.name(it));
            let mut update = format!("REMOVE {reason}, {since}, {by}");
            if is_withdrawn {
                let due = reconcile_attributes(id, due_at).map(|(attribute, value)| {
                    let name = placeholders.name(attribute);
                    format!("{name} = {}", placeholders.value(attribute, value))
                });
                update = format!("SET {} {update}", due.join(", "));
            }
            let mark = placeholders.name(WITHDRAWN);
            let exists = if is_withdrawn { "exists" } else { "not_exists" };
            let seen_reason = placeholders.value(HOLD_REASON, string(&hold.reason));
            let seen_since = placeholders.value(HOLD_SINCE, millis(hold.since));
            let is_by = match hold.by {
                Some(user) => format!("{by} = {}", placeholders.value(HOLD_BY, string(user))),
                None => format!("attribute_not_exists({by})"),
            };
            let status = placeholders.name(STATUS);
            let deleted = placeholders.value("refusedStatus", string(Status::Deleted.as_str()));
            let condition = format!(
                "attribute_{exists}({mark}) AND {status} <> {deleted} AND {reason} = {seen_reason} AND {since} = {seen_since} AND {is_by}"
            );
            let released = self.protect(id, update, condition, placeholders).await?;
            if released.is_some() {
                return Ok(released);
            }
        }
        // It isn't held so any more, or an answer was lost.
        let record = self.get(id).await?;
        Ok(record.filter(|it| it.status() != Status::Deleted))
    }

    pub(super) async fn move_keep_until(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let mut placeholders = Placeholders::default();
        let kept = placeholders.name(KEEP_UNTIL);
        let until = placeholders.value(KEEP_UNTIL, millis(keep_until));
        let is_available = Condition::StatusIs(Status::Available).expression(&mut placeholders);
        let is_later = absent_or(&kept, &format!("{kept} <= {until}"));
        let condition = format!("{is_available} AND {is_later}");
        let update = format!("SET {kept} = {until}");
        self.protect(id, update, condition, placeholders).await
    }

    pub(super) async fn move_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let assignments = reconcile_attributes(id, reconcile_at).map(|(attribute, value)| {
            let name = placeholders.name(attribute);
            let value: AttributeValue = value;
            let value = placeholders.value(attribute, value);
            format!("{name} = {value}")
        });
        let is_available = Condition::StatusIs(Status::Available).expression(&mut placeholders);
        let due = placeholders.name(RECONCILE_AT);
        let seen = placeholders.value("seen", millis(seen));
        let condition = format!("{is_available} AND {due} = {seen}");
        let update = format!("SET {}", assignments.join(", "));
        let moved = self.send_update(string(id), update, condition, placeholders);
        Ok(moved.await?.is_some())
    }

    async fn protect(
        &self,
        id: FileId,
        update: String,
        condition: String,
        placeholders: Placeholders,
    ) -> Result<Option<FileRecord>, StoreError> {
        let updating = self.send_update(string(id), update, condition, placeholders);
        updating.await?.as_ref().map(from_item).transpose()
    }
}
