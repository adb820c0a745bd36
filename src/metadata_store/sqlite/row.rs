//! A record as a row, and back: the one place that knows a table's columns.
//!
//! Invariant: a row that isn't exactly what some record makes is an error and never a guess, so a
//! damaged file can't turn one state into another.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Error, Row, params};

use crate::domain::{
    BOX_ID_BYTES, BoxId, ContentLength, ContentType, Declaration, DisplayName, FileId, FileName,
    FileRecord, FileState, HandIn, Hold, HoldReason, Invalid, MAX_CONTENT_LENGTH, Metadata,
    RejectionCode, Sha256Digest, StageName, StateFields, Status, Submitter, SubmitterName,
    Timestamp, UserId, from_millis,
};

/// What every statement that gives records selects, in the order of the indexes below. A macro,
/// because `concat!` takes no constants.
///
/// Files keep the first names of two columns: a record's `purge_at` is `expires_at`, and `reconcile_at` the last.
macro_rules! columns {
    () => {
        "id, filename, declared_length, content_type, declared_sha256, upload_expires_at, status, \
         sha256, version_id, uploaded_at, reason, expires_at, review_at, owner, display_name, delete_after, \
         box_id, submitter, submitter_id, metadata, reason_code, detected_type, type_has_to_fit, stage, \
         hold_reason, hold_since, hold_by, keep_until, withdrawn_sha256, withdrawn_uploaded_at, \
         named_version_id"
    };
}
pub(super) use columns;

/// By position, in the order of [`columns`]: looking up so many names was a sixth of an insert.
pub(super) const INSERT: &str = concat!(
    "INSERT INTO files (",
    columns!(),
    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO NOTHING"
);

pub(super) const ID: usize = 0;
const FILENAME: usize = 1;
const DECLARED_LENGTH: usize = 2;
const CONTENT_TYPE: usize = 3;
const DECLARED_SHA256: usize = 4;
const UPLOAD_EXPIRES_AT: usize = 5;
const STATUS: usize = 6;
const SHA256: usize = 7;
const VERSION_ID: usize = 8;
const UPLOADED_AT: usize = 9;
const REASON: usize = 10;
const PURGE_AT: usize = 11;
const RECONCILE_AT: usize = 12;
const OWNER: usize = 13;
const DISPLAY_NAME: usize = 14;
const DELETE_AFTER: usize = 15;
const BOX_ID: usize = 16;
const SUBMITTER: usize = 17;
const SUBMITTER_ID: usize = 18;
const METADATA: usize = 19;
const REASON_CODE: usize = 20;
const DETECTED_TYPE: usize = 21;
const TYPE_HAS_TO_FIT: usize = 22;
const STAGE: usize = 23;
const HOLD_REASON: usize = 24;
const HOLD_SINCE: usize = 25;
const HOLD_BY: usize = 26;
const KEEP_UNTIL: usize = 27;
const WITHDRAWN_SHA256: usize = 28;
const WITHDRAWN_UPLOADED_AT: usize = 29;
const NAMED_VERSION_ID: usize = 30;

/// Where digest, time and version of the bytes are: the table's checks allow none of them of a file that isn't available.
/// What was withdrawn is kept as rejected, and what is being locked is pending.
pub(super) struct StoredFacts<'a> {
    pub(super) sha256: Option<&'a [u8; 32]>,
    pub(super) version_id: Option<&'a str>,
    pub(super) named_version_id: Option<&'a str>,
    pub(super) uploaded_at: Option<i64>,
    pub(super) withdrawn_sha256: Option<&'a [u8; 32]>,
    pub(super) withdrawn_uploaded_at: Option<i64>,
}

impl<'a> StoredFacts<'a> {
    pub(super) fn of(state: &'a StateFields<'_>) -> Self {
        let sha256 = state.sha256.as_ref().map(Sha256Digest::as_bytes);
        let uploaded_at = state.uploaded_at.map(|at| at.timestamp_millis());
        let (of_available, of_withdrawn) = match state.status {
            Status::Withdrawn => ((None, None), (sha256, uploaded_at)),
            _ => ((sha256, uploaded_at), (None, None)),
        };
        let is_available = state.status == Status::Available;
        Self {
            version_id: state.version_id.filter(|_| is_available),
            named_version_id: state.version_id.filter(|_| !is_available),
            sha256: of_available.0,
            uploaded_at: of_available.1,
            withdrawn_sha256: of_withdrawn.0,
            withdrawn_uploaded_at: of_withdrawn.1,
        }
    }
}

/// Whether the record was added; `false` if its ID is taken.
pub(super) fn insert(connection: &Connection, record: &FileRecord) -> rusqlite::Result<bool> {
    let state = StateFields::from(&record.state);
    let submitter = record.hand_in.as_ref().map(|hand_in| &hand_in.submitter);
    let metadata = &record.declared.metadata;
    let facts = StoredFacts::of(&state);
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        record.id.as_bytes(),
        record.declared.filename.as_str(),
        i64::try_from(record.declared.length.bytes()).unwrap_or(i64::MAX),
        record.declared.content_type.as_str(),
        record.declared.sha256.as_ref().map(Sha256Digest::as_bytes),
        record.upload_expires_at.timestamp_millis(),
        state.status.kept_as().as_str(),
        facts.sha256,
        facts.version_id,
        facts.uploaded_at,
        state.reason,
        state.purge_at.map(|at| at.timestamp_millis()),
        record.reconcile_at.map(|at| at.timestamp_millis()),
        record.owner.map(|owner| owner.to_string()),
        record
            .declared
            .display_name
            .as_ref()
            .map(DisplayName::as_str),
        record.delete_after.map(|at| at.timestamp_millis()),
        record.in_box().as_ref().map(BoxId::as_bytes),
        submitter
            .and_then(Submitter::name)
            .map(SubmitterName::as_str),
        submitter
            .and_then(Submitter::user)
            .map(|user| user.to_string()),
        // What most have none of takes no room.
        (!metadata.is_empty()).then(|| metadata.to_json()),
        state.reason_code.map(RejectionCode::as_str),
        state.detected_type.map(ContentType::as_str),
        record.declared.type_has_to_fit.then_some(1),
        state.stage.map(StageName::as_str),
        record.hold.as_ref().map(|hold| hold.reason.as_str()),
        record
            .hold
            .as_ref()
            .map(|hold| hold.since.timestamp_millis()),
        record
            .hold
            .as_ref()
            .and_then(|hold| hold.by)
            .map(|by| by.to_string()),
        record.keep_until.map(|at| at.timestamp_millis()),
        facts.withdrawn_sha256,
        facts.withdrawn_uploaded_at,
        facts.named_version_id,
    ])?;
    Ok(inserted == 1)
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<FileRecord> {
    Ok(FileRecord {
        id: id(row, ID)?,
        owner: optional(row, OWNER, UserId::parse)?,
        hand_in: hand_in(row)?,
        declared: Declaration {
            filename: parsed(row, FILENAME, FileName::from_stored)?,
            display_name: optional(row, DISPLAY_NAME, DisplayName::from_stored)?,
            length: declared_length(row)?,
            content_type: parsed(row, CONTENT_TYPE, ContentType::parse)?,
            sha256: digest(row, DECLARED_SHA256)?,
            metadata: optional(row, METADATA, Metadata::from_json)?.unwrap_or_default(),
            type_has_to_fit: row.get::<_, Option<i64>>(TYPE_HAS_TO_FIT)?.is_some(),
        },
        delete_after: moment(row, DELETE_AFTER)?,
        hold: hold(row)?,
        keep_until: moment(row, KEEP_UNTIL)?,
        upload_expires_at: required(row, UPLOAD_EXPIRES_AT, moment)?,
        state: state(row)?,
        reconcile_at: moment(row, RECONCILE_AT)?,
    })
}

fn hold(row: &Row<'_>) -> rusqlite::Result<Option<Hold>> {
    let Some(reason) = optional(row, HOLD_REASON, |text| Ok(HoldReason::from_stored(text)))? else {
        return Ok(None);
    };
    Ok(Some(Hold {
        reason,
        since: moment_at(row, HOLD_SINCE)?,
        by: optional(row, HOLD_BY, UserId::parse)?,
    }))
}

fn hand_in(row: &Row<'_>) -> rusqlite::Result<Option<HandIn>> {
    let name = optional(row, SUBMITTER, SubmitterName::from_stored)?;
    let user = optional(row, SUBMITTER_ID, UserId::parse)?;
    let in_box: Option<[u8; BOX_ID_BYTES]> = row.get(BOX_ID)?;
    let in_box = in_box.map(BoxId::from_bytes);
    match Submitter::from_parts(name, user) {
        Some(submitter) => Ok(Some(HandIn { in_box, submitter })),
        None if in_box.is_some() => Err(refused(row, SUBMITTER, "missing")),
        None => Ok(None),
    }
}

/// Whether the row's status is the one that is wanted, if one is.
pub(super) fn has_status(row: &Row<'_>, wanted: Option<Status>) -> rusqlite::Result<bool> {
    let Some(wanted) = wanted else {
        return Ok(true);
    };
    let is_kept_so = text(row, STATUS)? == Some(wanted.kept_as().as_str());
    Ok(is_kept_so && is_withdrawn(row)? == (wanted == Status::Withdrawn))
}

fn is_withdrawn(row: &Row<'_>) -> rusqlite::Result<bool> {
    Ok(row.get_ref(WITHDRAWN_SHA256)? != ValueRef::Null)
}

fn state(row: &Row<'_>) -> rusqlite::Result<FileState> {
    let detected_type = optional(row, DETECTED_TYPE, ContentType::parse)?;
    let kept_as = parsed(row, STATUS, Status::parse)?;
    let (status, sha256, uploaded_at) = match kept_as {
        Status::Rejected if is_withdrawn(row)? => {
            (Status::Withdrawn, WITHDRAWN_SHA256, WITHDRAWN_UPLOADED_AT)
        }
        other => (other, SHA256, UPLOADED_AT),
    };
    let version_id = match status {
        Status::Available => VERSION_ID,
        _ => NAMED_VERSION_ID,
    };
    let fields = StateFields {
        status,
        stage: optional(row, STAGE, StageName::parse)?,
        sha256: digest(row, sha256)?,
        version_id: text(row, version_id)?,
        uploaded_at: moment(row, uploaded_at)?,
        reason: text(row, REASON)?,
        reason_code: optional(row, REASON_CODE, RejectionCode::parse)?,
        detected_type: detected_type.as_ref(),
        purge_at: moment(row, PURGE_AT)?,
    };
    fields
        .to_state()
        .map_err(|missing| refused(row, STATUS, &format!("{} is missing", missing.0)))
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<FileId> {
    FileId::from_bytes(row.get(column)?).ok_or_else(|| refused(row, column, "not a UUIDv7"))
}

/// A moment that must be there.
pub(super) fn moment_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    required(row, column, moment)
}

fn declared_length(row: &Row<'_>) -> rusqlite::Result<ContentLength> {
    let stored: i64 = row.get(DECLARED_LENGTH)?;
    u64::try_from(stored)
        .ok()
        .and_then(|length| ContentLength::new(length, MAX_CONTENT_LENGTH).ok())
        .ok_or_else(|| refused(row, DECLARED_LENGTH, "not a length that a file may have"))
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Sha256Digest>> {
    let bytes: Option<[u8; 32]> = row.get(column)?;
    Ok(bytes.map(Sha256Digest::from_bytes))
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = row.get(column)?;
    millis
        .map(|millis| from_millis(millis).ok_or_else(|| refused(row, column, "beyond all time")))
        .transpose()
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> rusqlite::Result<Option<&'row str>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        value => value
            .as_str()
            .map(Some)
            .map_err(|error| conversion(row, column, Box::new(error))),
    }
}

fn parsed<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> rusqlite::Result<T> {
    parse(required(row, column, text)?).map_err(|error| refused(row, column, &error.0))
}

fn optional<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> rusqlite::Result<Option<T>> {
    let found = text(row, column)?;
    found.map(|_| parsed(row, column, parse)).transpose()
}

fn required<'row, T>(
    row: &'row Row<'_>,
    column: usize,
    read: impl Fn(&'row Row<'_>, usize) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<T> {
    read(row, column)?.ok_or_else(|| refused(row, column, "missing"))
}

fn refused(row: &Row<'_>, column: usize, why: &str) -> Error {
    conversion(row, column, why.into())
}

fn conversion(
    row: &Row<'_>,
    column: usize,
    why: Box<dyn std::error::Error + Send + Sync>,
) -> Error {
    let kind = row
        .get_ref(column)
        .map_or(Type::Null, |value| value.data_type());
    Error::FromSqlConversionFailure(column, kind, why)
}
