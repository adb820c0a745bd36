//! The shapes that go over the wire: camelCase, times in RFC 3339 UTC with milliseconds, sizes in
//! bytes.
//!
//! Invariant: shapes only. What they mean is decided in the domain; what they look like, here.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::cursor;
use crate::access::{Action, Caller, Resource, authorize};
use crate::domain::{
    FileId, FileRecord, FileState, Hold, Invalid, Status, UserId, WithdrawnObject, format_timestamp,
};
use crate::operations::Whose;
use crate::presigned_url::{PresignedUpload, UploadMethod};

/// Where in its life a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
#[oai(rename = "Status", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum WireStatus {
    /// The bytes haven't been seen yet.
    Pending,
    /// The bytes are there, and are exactly those with this SHA-256.
    Available,
    /// Other bytes than the declared ones arrived; they were deleted.
    Rejected,
    /// It was available, until a later scan for viruses found something; nobody gets the bytes any more.
    Withdrawn,
    /// The upload URL ran out and nothing came.
    Expired,
}

impl From<WireStatus> for Status {
    fn from(status: WireStatus) -> Self {
        match status {
            WireStatus::Pending => Self::Pending,
            WireStatus::Available => Self::Available,
            WireStatus::Rejected => Self::Rejected,
            WireStatus::Withdrawn => Self::Withdrawn,
            WireStatus::Expired => Self::Expired,
        }
    }
}

/// What is known of a file.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "File", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireFile {
    /// A UUIDv7.
    pub id: String,
    /// Whose file it is: the `id` of a `principal`; null for the operator's.
    pub owner: Option<String>,
    /// The name in letters, marks, digits, `_`, `-` and `.`, which every system and header takes.
    pub filename: String,
    /// The name as it was given, for people to see.
    pub display_name: String,
    /// In bytes, as declared; of an available file also as measured.
    pub size: u64,
    /// The media type.
    pub content_type: String,
    /// The SHA-256 of the bytes as 64 hex digits; null until they were measured. Of a withdrawn file, what it was.
    pub sha256: Option<String>,
    pub status: WireStatus,
    /// What a pending file waits for, where that isn't its bytes: `scanning` while the virus scanner can't be asked or has
    /// no answer yet, `locking` while S3 is told to keep it. Only there then. There may be others some day: a file with a stage isn't final.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// When the file was created, in UTC.
    pub created_at: String,
    /// When the store had the bytes, in UTC; null until the file is available.
    pub uploaded_at: Option<String>,
    /// When the service deletes the file if it is available then, in UTC; null: it stays until somebody does.
    pub delete_after: Option<String>,
    /// Until when nobody can delete the file, in UTC; null: it needn't be kept. While the file is pending it can be
    /// deleted, and what it says counts from when the file was created: it moves forward to when the bytes came.
    pub keep_until: Option<String>,
    /// That nobody can delete the file, since those who run the service hold it; only there then.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<WireHold>,
    /// What whoever created the file keeps with it, by name; mostly nothing.
    pub metadata: BTreeMap<String, String>,
    /// What the bytes are, as a media type, by how they begin and end; null until they were looked at, and of files
    /// from before that was done. It needn't be `contentType`, which is what the client said.
    pub detected_type: Option<String>,
    /// Why the upload was rejected, or the file withdrawn; only there if it was.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same by a name that doesn't change: `size_mismatch`, `sha256_mismatch`, `content_mismatch` where the bytes
    /// are something else than the name says, `infected` where the virus scanner found something, or `unscannable` where
    /// it can't look into the file. There may be others some day.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
}

/// A hold, as far as the caller may know of it.
#[derive(Debug, Clone, PartialEq, Eq, Object, Serialize)]
#[oai(rename = "Hold", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireHold {
    /// Since when, in UTC.
    pub since: String,
    /// Why; for those alone who may hold files.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who gave that reason: somebody's ID, or `operator`; for those alone who may hold files.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl From<&Hold> for WireHold {
    fn from(hold: &Hold) -> Self {
        let by = hold.by.map(|by| by.to_string());
        Self {
            since: format_timestamp(hold.since),
            reason: Some(hold.reason.to_string()),
            by: Some(by.unwrap_or_else(|| "operator".to_owned())),
        }
    }
}

impl WireFile {
    /// As this caller may see it: whoever handed a file in learns nothing of whose it is and of what else is done with
    /// it, its owner that it is held, and those who may hold files why. `None` for a tombstone.
    pub(super) fn for_caller(record: &FileRecord, caller: &Caller) -> Option<Self> {
        if let Caller::Submitter(_) = caller {
            return Self::for_submitter(record);
        }
        let file = Self::of(record)?;
        let may_hold = authorize(caller, Action::HoldFile, Resource::Service).is_ok();
        Some(match may_hold {
            true => Self {
                hold: record.hold.as_ref().map(Into::into),
                ..file
            },
            false => file,
        })
    }

    /// As whoever handed it in may see it.
    pub(super) fn for_submitter(record: &FileRecord) -> Option<Self> {
        Some(Self {
            owner: None,
            hold: None,
            ..Self::of(record)?
        })
    }

    /// `None` for a tombstone, which nobody is shown.
    pub(super) fn of(record: &FileRecord) -> Option<Self> {
        let (status, object, reason) = match &record.state {
            FileState::Pending(_) => (WireStatus::Pending, None, None),
            FileState::Available(object) => {
                let object = WithdrawnObject::from(object);
                (WireStatus::Available, Some(object), None)
            }
            FileState::Rejected { reason, .. } => (WireStatus::Rejected, None, Some(reason)),
            FileState::Withdrawn { was, reason, .. } => {
                (WireStatus::Withdrawn, Some(was.clone()), Some(reason))
            }
            FileState::Expired { .. } => (WireStatus::Expired, None, None),
            FileState::Deleted { .. } => return None,
        };
        Some(Self {
            id: record.id.to_string(),
            owner: record.owner.map(|owner| owner.to_string()),
            filename: record.declared.filename.to_string(),
            display_name: record.declared.shown_name().to_owned(),
            size: record.declared.length.bytes(),
            content_type: record.declared.content_type.to_string(),
            sha256: object.as_ref().map(|object| object.sha256.to_hex()),
            status,
            stage: record.stage().map(str::to_owned),
            created_at: format_timestamp(record.created_at()),
            uploaded_at: object.map(|object| format_timestamp(object.uploaded_at)),
            delete_after: record.delete_after.map(format_timestamp),
            keep_until: record.keep_until.map(format_timestamp),
            hold: record.hold.as_ref().map(|hold| WireHold {
                reason: None,
                by: None,
                ..hold.into()
            }),
            metadata: record.declared.metadata.entries().clone(),
            detected_type: record.detected_type().map(ToString::to_string),
            reason: reason.map(|reason| reason.text.clone()),
            reason_code: reason
                .and_then(|reason| reason.code)
                .map(|code| code.as_str().to_owned()),
        })
    }
}

/// Whose files a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Whose", rename_all = "lowercase")]
pub enum WireWhose {
    /// Everybody's.
    All,
}

impl From<WireWhose> for Whose {
    fn from(whose: WireWhose) -> Self {
        match whose {
            WireWhose::All => Self::All,
        }
    }
}

/// How a client can send the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "UploadMethod")]
pub enum WireUploadMethod {
    /// The bytes alone, with the headers that are listed.
    #[oai(rename = "PUT")]
    Put,
    /// A form, for programs that can't send headers.
    #[oai(rename = "POST")]
    Post,
}

impl From<WireUploadMethod> for UploadMethod {
    fn from(method: WireUploadMethod) -> Self {
        match method {
            WireUploadMethod::Put => Self::Put,
            WireUploadMethod::Post => Self::Post,
        }
    }
}

/// How to send the bytes, straight to the object store.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Upload", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUpload {
    /// The method to use: `PUT`, or `POST` where that was asked for.
    pub method: String,
    /// Where to send the bytes. Whoever has this URL, or with `POST` the fields, can use it: treat them as
    /// secrets.
    pub url: String,
    /// The headers to send along, exactly as they are here. (`Host` and `Content-Length` every
    /// HTTP client sets by itself.)
    pub headers: BTreeMap<String, String>,
    /// With `POST`, the fields of the form, exactly as they are here, and all of them before `file`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, String>>,
    /// When URL or form stop working, in UTC.
    pub expires_at: String,
}

impl From<PresignedUpload> for WireUpload {
    fn from(upload: PresignedUpload) -> Self {
        let by_name = |pairs: &[(&str, String)]| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.clone()));
            pairs.collect()
        };
        Self {
            method: upload.kind.method().as_str().to_owned(),
            url: upload.url.expose().to_owned(),
            headers: by_name(upload.kind.headers()),
            fields: upload.kind.fields().map(by_name),
            expires_at: format_timestamp(upload.expires_at),
        }
    }
}

/// A file that was just created, and how to send its bytes.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "CreatedFile", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireCreatedFile {
    #[oai(flatten)]
    #[serde(flatten)]
    pub file: WireFile,
    /// Left out only where a request with an `Idempotency-Key` came again and the file isn't `pending`
    /// any more: then there is nothing left to send.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<WireUpload>,
}

/// A fresh upload URL.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "RenewedUpload", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRenewedUpload {
    pub upload: WireUpload,
}

/// A page of files, newest first.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "FilePage", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePage {
    pub files: Vec<WireFile>,
    /// Give this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A field that isn't right.
#[derive(Debug, Clone, Object)]
#[oai(rename = "FieldError")]
#[allow(
    dead_code,
    reason = "describes problems in the contract; problem.rs writes them"
)]
pub(super) struct WireFieldError {
    pub field: String,
    /// Why, and what would be right.
    pub message: String,
}

/// An error (RFC 9457).
#[derive(Debug, Clone, Object)]
#[oai(rename = "Problem", rename_all = "camelCase")]
#[allow(
    dead_code,
    reason = "describes problems in the contract; problem.rs writes them"
)]
pub(super) struct WireProblem {
    /// A page that says what to do.
    #[oai(rename = "type")]
    pub kind: String,
    /// What went wrong, the same for every problem with this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// A name that doesn't change, to decide by.
    pub code: String,
    /// The request, as the log knows it; also in `X-Request-Id`.
    pub request_id: String,
    /// The fields that aren't right, if that is the problem.
    #[oai(skip_serializing_if_is_none)]
    pub errors: Option<Vec<WireFieldError>>,
}

/// Which list a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ListFilter {
    /// Whose files; `None`: everybody's.
    pub(crate) owner: Option<UserId>,
    /// With which status; `None`: with any.
    pub(crate) status: Option<Status>,
}

/// Where a page of the list of files ends: the ID, for this filter.
pub(crate) fn write_cursor(before: FileId, filter: ListFilter) -> String {
    let id = before.as_bytes();
    cursor::write(id, cursor_check(id, filter))
}

/// The ID that a page goes on behind, as [`write_cursor`] wrote it for the same filter.
///
/// # Errors
/// A text that [`write_cursor`] didn't write for this filter.
pub(crate) fn read_cursor(text: &str, filter: ListFilter) -> Result<FileId, Invalid> {
    cursor::read(text, |id| cursor_check(id, filter))
        .and_then(FileId::from_bytes)
        .ok_or_else(|| {
            Invalid::new(
                "must be a nextCursor of this list, together with the same status as before",
            )
        })
}

fn cursor_check(id: &cursor::Position, filter: ListFilter) -> cursor::Check {
    let status = filter.status.map_or("", Status::as_str);
    // Behind a status, which has no such sign: a person's list is another one than everybody's.
    let owner = filter.owner.map(|owner| format!("/{owner}"));
    cursor::check([
        &b"file-share list cursor 1"[..],
        id,
        status.as_bytes(),
        owner.as_deref().unwrap_or_default().as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::from_millis;

    proptest! {
        #[test]
        fn a_cursor_reads_back_with_its_own_filter_only(millis in 0_i64..(1 << 47), index: proptest::sample::Index) {
            let id = FileId::new(from_millis(millis).unwrap());
            let owners = [None, Some(UserId::of("i", "alice")), Some(UserId::of("i", "bob"))];
            let statuses: Vec<_> = [None].into_iter().chain(Status::listed().map(Some)).collect();
            let filters: Vec<ListFilter> = owners
                .into_iter()
                .flat_map(|owner| statuses.iter().map(move |status| ListFilter { owner, status: *status }))
                .collect();
            let index = index.index(filters.len());
            let text = write_cursor(id, filters[index]);
            for filter in &filters {
                let read = read_cursor(&text, *filter);
                prop_assert_eq!(read == Ok(id), *filter == filters[index]);
            }
        }

        #[test]
        fn a_cursor_with_one_changed_character_is_refused(at in 0_usize..32, to in "[A-Za-z0-9_-]") {
            let id = FileId::new(from_millis(1_790_000_000_123).unwrap());
            let text = write_cursor(id, ListFilter::default());
            let mut forged = text.clone();
            forged.replace_range(at..=at, &to);
            prop_assert_eq!(read_cursor(&forged, ListFilter::default()).is_ok(), forged == text);
        }

        #[test]
        fn no_text_upsets_the_reader(text in "(?s:.{0,64})") {
            let _ = read_cursor(&text, ListFilter::default());
        }
    }
}
