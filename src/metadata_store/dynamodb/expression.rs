//! The expressions of a conditional write.
//!
//! Invariant: every name and every value goes through a placeholder, so that no attribute can clash
//! with one of DynamoDB's reserved words (`status` is one).

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{
    FILE_ID, RECONCILE_AT, SHA256, STAGE, STATUS, UPLOAD_EXPIRES_AT, VERSION_ID, WITHDRAWN,
    WRITE_TOKEN, millis, string,
};
use crate::domain::{StageName, Status, Timestamp, VersionId};

/// Placeholders that one request uses, with what they stand for.
#[derive(Debug, Default, Clone)]
pub(super) struct Placeholders {
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    pub(super) fn name(&mut self, attribute: &'static str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// `role` is used once in a request.
    pub(super) fn value(&mut self, role: &str, value: AttributeValue) -> String {
        let placeholder = format!(":{role}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}

/// Tells one call's own writes from all others.
///
/// The client sends a request again when its answer was lost. If the first one was carried out, the
/// condition of the second no longer holds, although nobody else was there. With its token in the
/// item, the second one goes through: it writes what is there already.
#[derive(Debug, Clone)]
pub(super) struct WriteToken(String);

impl WriteToken {
    pub(super) fn new() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }

    pub(super) fn attribute(&self) -> (&'static str, AttributeValue) {
        (WRITE_TOKEN, string(&self.0))
    }

    /// `condition`, or else that this very call has written already.
    pub(super) fn or_repeated(&self, condition: &str, placeholders: &mut Placeholders) -> String {
        let name = placeholders.name(WRITE_TOKEN);
        let own = placeholders.value("ownToken", string(&self.0));
        format!("({condition}) OR {name} = {own}")
    }
}

/// What has to hold for a write to happen.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// There is no item.
    Absent,
    StatusIs(Status),
    /// This status, with this upload deadline.
    StatusAndDeadline(Status, Timestamp),
    /// This status, and nothing of it is being locked.
    NotLocking(Status),
    /// This status, and no other version of it is being locked.
    LocksNoOther(Status, VersionId),
    /// Pending, with an upload deadline before this one.
    PendingUntilBefore(Timestamp),
    /// Pending, with this upload deadline or a later one.
    PendingUntilNotBefore(Timestamp),
    /// It has bytes, of which the bucket kept no version, and nothing protects it as of this moment.
    Unversioned(Timestamp),
    /// The item exists, is no tombstone, has a version if it has bytes, and nothing protects it as of this moment.
    LivingAndNotUnversioned(Timestamp),
}

impl Condition {
    pub(super) fn expression(self, placeholders: &mut Placeholders) -> String {
        match self {
            Self::Absent => {
                let id = placeholders.name(FILE_ID);
                format!("attribute_not_exists({id})")
            }
            Self::StatusIs(status) => {
                let name = placeholders.name(STATUS);
                let kept_as = status.kept_as();
                let expected = placeholders.value("expectedStatus", string(kept_as.as_str()));
                match status {
                    Status::Rejected => {
                        let mark = placeholders.name(WITHDRAWN);
                        format!("{name} = {expected} AND attribute_not_exists({mark})")
                    }
                    Status::Withdrawn => {
                        let mark = placeholders.name(WITHDRAWN);
                        format!("{name} = {expected} AND attribute_exists({mark})")
                    }
                    _ => format!("{name} = {expected}"),
                }
            }
            Self::StatusAndDeadline(status, deadline) => {
                Self::status_and_deadline(status, "=", deadline, placeholders)
            }
            Self::NotLocking(status) => {
                let has_status = Self::StatusIs(status).expression(placeholders);
                let is_not_locking = Self::is_not_locking(placeholders);
                format!("{has_status} AND {is_not_locking}")
            }
            Self::LocksNoOther(status, VersionId(version)) => {
                let has_status = Self::StatusIs(status).expression(placeholders);
                let is_not_locking = Self::is_not_locking(placeholders);
                let name = placeholders.name(VERSION_ID);
                let seen = placeholders.value("versionSeen", string(version));
                format!(
                    "{has_status} AND ({is_not_locking} OR attribute_not_exists({name}) OR {name} = {seen})"
                )
            }
            Self::PendingUntilBefore(deadline) => {
                Self::status_and_deadline(Status::Pending, "<", deadline, placeholders)
            }
            Self::PendingUntilNotBefore(deadline) => {
                Self::status_and_deadline(Status::Pending, ">=", deadline, placeholders)
            }
            Self::Unversioned(as_of) => {
                let unversioned = Self::is_unversioned(placeholders);
                let unprotected = Self::unprotected(as_of, placeholders);
                format!("{unversioned} AND {unprotected}")
            }
            Self::LivingAndNotUnversioned(as_of) => {
                let id = placeholders.name(FILE_ID);
                let unversioned = Self::is_unversioned(placeholders);
                let unprotected = Self::unprotected(as_of, placeholders);
                let name = placeholders.name(STATUS);
                let deleted = placeholders.value("refusedStatus", string(Status::Deleted.as_str()));
                format!(
                    "attribute_exists({id}) AND {name} <> {deleted} AND NOT ({unversioned}) AND {unprotected}"
                )
            }
        }
    }

    pub(super) fn is_not_locking(placeholders: &mut Placeholders) -> String {
        let name = placeholders.name(STAGE);
        let locking = placeholders.value("lockingStage", string(StageName::Locking.as_str()));
        format!("(attribute_not_exists({name}) OR {name} <> {locking})")
    }

    fn is_unversioned(placeholders: &mut Placeholders) -> String {
        let (digest, version) = (placeholders.name(SHA256), placeholders.name(VERSION_ID));
        format!("attribute_exists({digest}) AND attribute_not_exists({version})")
    }

    fn status_and_deadline(
        status: Status,
        operator: &str,
        deadline: Timestamp,
        placeholders: &mut Placeholders,
    ) -> String {
        let has_status = Self::StatusIs(status).expression(placeholders);
        let name = placeholders.name(UPLOAD_EXPIRES_AT);
        let limit = placeholders.value("deadline", millis(deadline));
        format!("{has_status} AND {name} {operator} {limit}")
    }
}

/// `SET` for what has a value, `REMOVE` for what must not be there. With `uploads_end` the next reconciliation is
/// so long after the upload deadline that the item has.
pub(super) fn update_expression(
    set: Vec<(&'static str, AttributeValue)>,
    uploads_end: Option<Duration>,
    remove: &[&'static str],
    placeholders: &mut Placeholders,
) -> String {
    let mut assignments: Vec<String> = set
        .into_iter()
        .map(|(attribute, value)| {
            let name = placeholders.name(attribute);
            let value = placeholders.value(attribute, value);
            format!("{name} = {value}")
        })
        .collect();
    if let Some(grace) = uploads_end {
        let (reconcile_at, deadline) = (
            placeholders.name(RECONCILE_AT),
            placeholders.name(UPLOAD_EXPIRES_AT),
        );
        let grace = AttributeValue::N(grace.as_millis().to_string());
        let grace = placeholders.value("uploadGrace", grace);
        assignments.push(format!("{reconcile_at} = {deadline} + {grace}"));
    }
    let mut expression = format!("SET {}", assignments.join(", "));
    if !remove.is_empty() {
        let names: Vec<String> = remove.iter().map(|it| placeholders.name(it)).collect();
        expression.push_str(&format!(" REMOVE {}", names.join(", ")));
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_names_everything_through_placeholders() {
        let mut placeholders = Placeholders::default();
        let update = update_expression(
            vec![("status", string("expired")), ("reviewAt", string("1"))],
            None,
            &["reason", "sha256"],
            &mut placeholders,
        );
        assert_eq!(
            update,
            "SET #status = :status, #reviewAt = :reviewAt REMOVE #reason, #sha256"
        );
        let condition = Condition::StatusAndDeadline(Status::Pending, Timestamp::UNIX_EPOCH);
        assert_eq!(
            condition.expression(&mut placeholders),
            "#status = :expectedStatus AND #uploadExpiresAt = :deadline"
        );
        assert_eq!(placeholders.names.len(), 5);
        assert_eq!(placeholders.values.len(), 4);
    }
}
