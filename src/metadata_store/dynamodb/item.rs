//! A record as an item of the table, and back.
//!
//! Invariant: whatever depends on a file's state is in [`STATE_ATTRIBUTES`] and comes from
//! [`state_attributes`], for a new item as for a changed one. So no change of state leaves an
//! attribute of the former state behind. The list of its owner, or of
//! its box, is besides: an item is in it until it is in none.
//!
//! Absent on purpose: `s3Key` and `createdAt` are written for people and never read back. Both
//! follow from the ID, which is the truth.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::DateTime;

use super::items::PARENT;
use crate::{
    domain::{
        BoxId, ContentLength, ContentType, Declaration, DisplayName, FileId, FileName, FileRecord,
        FileState, HandIn, Hold, HoldReason, Invalid, MAX_CONTENT_LENGTH, Metadata, RejectionCode,
        Sha256Digest, StageName, StateFields, Status, Submitter, SubmitterName, Timestamp, UserId,
        format_timestamp, from_millis,
    },
    store_error::StoreError,
};

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) const STORE: &str = "the table";

/// How many partitions each index is spread over. One takes 1,000 writes a second
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>),
/// and an index that can't keep up throttles the table. Every reader asks all of them. Raising the
/// number is safe, as long as the old program is gone before the new one writes; lowering it isn't.
pub(super) const SHARDS: u8 = 8;

pub(super) const FILE_ID: &str = "fileId";
pub(super) const OWNER: &str = "owner";
/// Who handed the file in, as they call themselves or their sign-in does.
const SUBMITTER: &str = "submitter";
/// Who that is, of somebody who signed in.
const SUBMITTER_ID: &str = "submitterId";
/// The box that it lies in.
pub(super) const BOX_ID: &str = "boxId";
/// The box of which it holds a place: while it is pending or available.
pub(super) const PLACE_IN: &str = "placeIn";
const FILENAME: &str = "filename";
const DISPLAY_NAME: &str = "displayName";
pub(super) const SIZE_BYTES: &str = "sizeBytes";
const CONTENT_TYPE: &str = "contentType";
const DECLARED_SHA256: &str = "declaredSha256";
/// What a client keeps with the file: a map of texts; not there if it is empty.
const METADATA: &str = "metadata";
const S3_KEY: &str = "s3Key";
const CREATED_AT: &str = "createdAt";
const DELETE_AFTER: &str = "deleteAfter";
/// Why the file is held, since when, and who said so: if it is held.
pub(super) const HOLD_REASON: &str = "holdReason";
pub(super) const HOLD_SINCE: &str = "holdSince";
pub(super) const HOLD_BY: &str = "holdBy";
pub(super) const HOLD_ATTRIBUTES: [&str; 3] = [HOLD_REASON, HOLD_SINCE, HOLD_BY];
/// Until when it is to be kept.
pub(super) const KEEP_UNTIL: &str = "keepUntil";
pub(super) const UPLOAD_EXPIRES_AT: &str = "uploadExpiresAt";
pub(super) const STATUS: &str = "status";
/// There, and true, if a file that is kept as rejected was available before.
pub(super) const WITHDRAWN: &str = "withdrawn";
/// What a pending file waits for, if that isn't its bytes.
pub(super) const STAGE: &str = "stage";
pub(super) const SHA256: &str = "sha256";
pub(super) const VERSION_ID: &str = "versionId";
const UPLOADED_AT: &str = "uploadedAt";
const REASON: &str = "reason";
const REASON_CODE: &str = "reasonCode";
const DETECTED_TYPE: &str = "detectedType";
/// There, and true, if the bytes have to be of the type that the name says.
const TYPE_HAS_TO_FIT: &str = "typeHasToFit";
/// For DynamoDB's TTL, which wants seconds: rounded up, so that no item goes too early.
const EXPIRES_AT: &str = "expiresAt";
/// The same moment, exactly.
pub(super) const EXPIRES_AT_MILLIS: &str = "expiresAtMillis";
/// Which call made the item or gave it its state. No part of the record.
pub(super) const WRITE_TOKEN: &str = "writeToken";
pub(super) const TIME_SHARD: &str = "timeShard";
pub(super) const STATUS_SHARD: &str = "statusShard";
// `reconcile_at` and `purge_at` keep the names that tables have had since before they were called so: the
// indexes, the TTL and every item know them, and no code can rename them likewise.
pub(super) const RECONCILE_SHARD: &str = "reviewShard";
pub(super) const RECONCILE_AT: &str = "reviewAt";

pub(super) const STATE_ATTRIBUTES: [&str; 15] = [
    STATUS,
    WITHDRAWN,
    STAGE,
    SHA256,
    VERSION_ID,
    UPLOADED_AT,
    REASON,
    REASON_CODE,
    DETECTED_TYPE,
    EXPIRES_AT,
    EXPIRES_AT_MILLIS,
    TIME_SHARD,
    STATUS_SHARD,
    RECONCILE_SHARD,
    RECONCILE_AT,
];

/// All that a record says, in the table's terms.
pub(super) fn to_item(record: &FileRecord) -> Item {
    let mut item = HashMap::from([
        (FILE_ID, string(record.id)),
        (FILENAME, string(&record.declared.filename)),
        (SIZE_BYTES, number(record.declared.length)),
        (CONTENT_TYPE, string(&record.declared.content_type)),
        (S3_KEY, string(record.key())),
        (CREATED_AT, string(format_timestamp(record.created_at()))),
        (UPLOAD_EXPIRES_AT, millis(record.upload_expires_at)),
    ]);
    if let Some(name) = &record.declared.display_name {
        item.insert(DISPLAY_NAME, string(name));
    }
    if let Some(at) = record.delete_after {
        item.insert(DELETE_AFTER, millis(at));
    }
    if let Some(hold) = &record.hold {
        item.insert(HOLD_REASON, string(&hold.reason));
        item.insert(HOLD_SINCE, millis(hold.since));
        item.extend(hold.by.map(|by| (HOLD_BY, string(by))));
    }
    if let Some(at) = record.keep_until {
        item.insert(KEEP_UNTIL, millis(at));
    }
    if let Some(sha256) = record.declared.sha256 {
        item.insert(DECLARED_SHA256, string(sha256));
    }
    if !record.declared.metadata.is_empty() {
        item.insert(METADATA, texts(&record.declared.metadata));
    }
    if record.declared.type_has_to_fit {
        item.insert(TYPE_HAS_TO_FIT, AttributeValue::Bool(true));
    }
    if let Some(owner) = record.owner {
        item.insert(OWNER, string(owner));
        // What is in no list is in none of its owner's either; a change of state knows no owner, and only ever
        // takes this away.
        if record.status().is_listed() {
            item.insert(PARENT, string(owner));
        }
    }
    if let Some(hand_in) = &record.hand_in {
        put_hand_in(&mut item, record.status(), hand_in);
    }
    item.extend(state_attributes(
        record.id,
        &record.state,
        record.reconcile_at,
    ));
    item.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn put_hand_in(item: &mut HashMap<&'static str, AttributeValue>, status: Status, hand_in: &HandIn) {
    let submitter = &hand_in.submitter;
    item.extend(submitter.name().map(|name| (SUBMITTER, string(name))));
    item.extend(submitter.user().map(|user| (SUBMITTER_ID, string(user))));
    let Some(in_box) = hand_in.in_box else {
        return;
    };
    item.insert(BOX_ID, string(in_box));
    if status.may_have_bytes() {
        item.insert(PLACE_IN, string(in_box));
    }
    if status.is_listed() {
        // Instead of its owner's list.
        item.insert(PARENT, string(box_list(in_box)));
    }
}

/// The list of what lies in a box.
pub(super) fn box_list(id: BoxId) -> String {
    format!("box#{id}")
}

/// Those of [`STATE_ATTRIBUTES`] that an item has in this state; it has none of the others. A
/// tombstone is in neither of the indexes that pages are read from.
pub(super) fn state_attributes(
    id: FileId,
    state: &FileState,
    reconcile_at: Option<Timestamp>,
) -> Vec<(&'static str, AttributeValue)> {
    let fields = StateFields::from(state);
    let shard = shard_of(id);
    let mut attributes = vec![(STATUS, string(fields.status.kept_as().as_str()))];
    if fields.status == Status::Withdrawn {
        attributes.push((WITHDRAWN, AttributeValue::Bool(true)));
    }
    if fields.status.is_listed() {
        attributes.push((TIME_SHARD, string(shard)));
        attributes.push((STATUS_SHARD, string(status_shard(fields.status, shard))));
    }
    let texts = [
        (STAGE, fields.stage.map(|stage| string(stage.as_str()))),
        (SHA256, fields.sha256.map(string)),
        (VERSION_ID, fields.version_id.map(string)),
        (
            UPLOADED_AT,
            fields.uploaded_at.map(|at| string(format_timestamp(at))),
        ),
        (REASON, fields.reason.map(string)),
        (
            REASON_CODE,
            fields.reason_code.map(|code| string(code.as_str())),
        ),
        (
            DETECTED_TYPE,
            fields.detected_type.map(|it| string(it.as_str())),
        ),
    ];
    attributes.extend(
        texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?))),
    );
    let expiry = |at| expiry_of(fields.status, at);
    attributes.extend(fields.purge_at.into_iter().flat_map(expiry));
    if let Some(at) = reconcile_at {
        attributes.extend(reconcile_attributes(id, at));
    }
    attributes
}

/// What puts an item into the index of due records.
pub(super) fn reconcile_attributes(
    id: FileId,
    at: Timestamp,
) -> [(&'static str, AttributeValue); 2] {
    [reconcile_shard(id), (RECONCILE_AT, millis(at))]
}

pub(super) fn reconcile_shard(id: FileId) -> (&'static str, AttributeValue) {
    (RECONCILE_SHARD, string(shard_of(id)))
}

pub(super) fn expiry(at: Timestamp) -> [(&'static str, AttributeValue); 2] {
    let seconds = at.timestamp() + i64::from(at.timestamp_subsec_millis() > 0);
    [
        (EXPIRES_AT, number(seconds)),
        (EXPIRES_AT_MILLIS, millis(at)),
    ]
}

/// The same of a file. What may be held isn't for the TTL, which asks for no hold: the reconciler alone removes it.
pub(super) fn expiry_of(
    status: Status,
    at: Timestamp,
) -> impl Iterator<Item = (&'static str, AttributeValue)> {
    let attributes = expiry(at).into_iter();
    attributes.filter(move |(name, _)| *name != EXPIRES_AT || !status.keeps_its_hold())
}

/// What an item of this status may have of a program from before that.
pub(super) fn removed_expiry(status: Status) -> &'static [&'static str] {
    match status.keeps_its_hold() {
        true => &[EXPIRES_AT],
        false => &[],
    }
}

/// Reads what [`to_item`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] names the attribute that is missing or makes no sense.
pub(super) fn from_item(item: &Item) -> Result<FileRecord, StoreError> {
    let attributes = Attributes(item);
    Ok(FileRecord {
        id: attributes.text_as(FILE_ID, FileId::parse)?,
        owner: attributes.optional(OWNER, |of, name| of.text_as(name, UserId::parse))?,
        hand_in: attributes.hand_in()?,
        declared: Declaration {
            filename: attributes.text_as(FILENAME, FileName::from_stored)?,
            display_name: attributes.optional(DISPLAY_NAME, |of, name| {
                of.text_as(name, DisplayName::from_stored)
            })?,
            length: attributes.content_length()?,
            content_type: attributes.text_as(CONTENT_TYPE, ContentType::parse)?,
            sha256: attributes.digest(DECLARED_SHA256)?,
            metadata: attributes.metadata()?,
            type_has_to_fit: attributes.flag(TYPE_HAS_TO_FIT)?,
        },
        delete_after: attributes.optional(DELETE_AFTER, Attributes::millis)?,
        hold: attributes.hold()?,
        keep_until: attributes.optional(KEEP_UNTIL, Attributes::millis)?,
        upload_expires_at: attributes.millis(UPLOAD_EXPIRES_AT)?,
        state: attributes.state()?,
        reconcile_at: attributes.optional(RECONCILE_AT, Attributes::millis)?,
    })
}

/// The shard that a file belongs to, in every index. The last byte of a UUIDv7 is random.
pub(super) fn shard_of(id: FileId) -> u8 {
    let [.., last] = *id.as_bytes();
    last % SHARDS
}

/// One shard of all records with one status.
pub(super) fn status_shard(status: Status, shard: u8) -> String {
    format!("{}#{shard}", status.as_str())
}

pub(super) fn string(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn texts(metadata: &Metadata) -> AttributeValue {
    let entries = metadata.entries().iter();
    AttributeValue::M(
        entries
            .map(|(key, value)| (key.clone(), string(value)))
            .collect(),
    )
}

/// Milliseconds since the Unix epoch.
pub(super) fn millis(at: Timestamp) -> AttributeValue {
    number(at.timestamp_millis())
}

/// An item, read attribute by attribute.
pub(super) struct Attributes<'a>(pub(super) &'a Item);

impl<'a> Attributes<'a> {
    pub(super) fn text_as<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, StoreError> {
        parse(self.text(name)?).map_err(|_| unreadable(name))
    }

    pub(super) fn millis(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        from_millis(self.number(name)?).ok_or_else(|| unreadable(name))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, StoreError> {
        match self.0.get(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(unreadable(name)),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<i64, StoreError> {
        match self.0.get(name) {
            Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| unreadable(name)),
            _ => Err(unreadable(name)),
        }
    }

    pub(super) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.0
            .contains_key(name)
            .then(|| read(self, name))
            .transpose()
    }

    fn content_length(&self) -> Result<ContentLength, StoreError> {
        u64::try_from(self.number(SIZE_BYTES)?)
            .ok()
            .and_then(|bytes| ContentLength::new(bytes, MAX_CONTENT_LENGTH).ok())
            .ok_or_else(|| unreadable(SIZE_BYTES))
    }

    fn digest(&self, name: &'static str) -> Result<Option<Sha256Digest>, StoreError> {
        self.optional(name, |of, name| of.text_as(name, Sha256Digest::parse_hex))
    }

    fn metadata(&self) -> Result<Metadata, StoreError> {
        let entries = match self.0.get(METADATA) {
            None => return Ok(Metadata::default()),
            Some(AttributeValue::M(entries)) => entries,
            Some(_) => return Err(unreadable(METADATA)),
        };
        let texts: Option<Vec<(String, String)>> = entries
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_s().ok()?.clone())))
            .collect();
        let texts = texts.ok_or_else(|| unreadable(METADATA))?;
        Metadata::new(texts).map_err(|_| unreadable(METADATA))
    }

    fn hold(&self) -> Result<Option<Hold>, StoreError> {
        self.optional(HOLD_REASON, |of, name| {
            Ok(Hold {
                reason: of.text_as(name, |text| Ok(HoldReason::from_stored(text)))?,
                since: of.millis(HOLD_SINCE)?,
                by: of.optional(HOLD_BY, |of, name| of.text_as(name, UserId::parse))?,
            })
        })
    }

    fn hand_in(&self) -> Result<Option<HandIn>, StoreError> {
        let name = self.optional(SUBMITTER, |of, name| {
            of.text_as(name, SubmitterName::from_stored)
        })?;
        let user = self.optional(SUBMITTER_ID, |of, name| of.text_as(name, UserId::parse))?;
        let in_box = self.optional(BOX_ID, |of, name| of.text_as(name, BoxId::parse))?;
        match Submitter::from_parts(name, user) {
            Some(submitter) => Ok(Some(HandIn { in_box, submitter })),
            None if in_box.is_some() => Err(unreadable(SUBMITTER)),
            None => Ok(None),
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, StoreError> {
        match self.0.get(name) {
            None => Ok(false),
            Some(AttributeValue::Bool(value)) => Ok(*value),
            Some(_) => Err(unreadable(name)),
        }
    }

    fn state(&self) -> Result<FileState, StoreError> {
        let detected_type = self.optional(DETECTED_TYPE, |of, name| {
            of.text_as(name, ContentType::parse)
        })?;
        let status = match self.text_as(STATUS, Status::parse)? {
            Status::Rejected if self.flag(WITHDRAWN)? => Status::Withdrawn,
            other => other,
        };
        let fields = StateFields {
            status,
            stage: self.optional(STAGE, |of, name| of.text_as(name, StageName::parse))?,
            sha256: self.digest(SHA256)?,
            version_id: self.optional(VERSION_ID, Self::text)?,
            uploaded_at: self.optional(UPLOADED_AT, |of, name| {
                let parsed = DateTime::parse_from_rfc3339(of.text(name)?);
                Ok(parsed.map_err(|_| unreadable(name))?.to_utc())
            })?,
            reason: self.optional(REASON, Self::text)?,
            reason_code: self.optional(REASON_CODE, |of, name| {
                of.text_as(name, RejectionCode::parse)
            })?,
            detected_type: detected_type.as_ref(),
            purge_at: self.optional(EXPIRES_AT_MILLIS, Self::millis)?,
        };
        fields
            .to_state()
            .map_err(|missing| StoreError::corrupt(STORE, format!("attribute of {}", missing.0)))
    }
}

fn unreadable(name: &'static str) -> StoreError {
    StoreError::corrupt(STORE, format!("attribute {name}"))
}

#[cfg(test)]
mod tests;
