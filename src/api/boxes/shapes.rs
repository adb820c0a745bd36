//! Boxes as they go over the wire.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::Object;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::wire::{WireCreatedFile, WireFile, WireStatus};
use crate::boxes::{BoxTimes, FileBox, HandedIn};
use crate::domain::{
    BOX_ID_BYTES, BoxId, FileId, FileRecord, FileState, Invalid, Timestamp, UserId,
    format_timestamp,
};

/// Somebody has other times than all others.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "BoxOverride", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireOverride {
    /// Who: a name as it is typed, in whatever capitals, or the ID of somebody who signs in.
    pub submitter: String,
    /// When their files are due, in UTC; null: as for everybody.
    pub due_at: Option<String>,
    /// Until when they are taken, in UTC; null: as for everybody.
    pub closes_at: Option<String>,
}

/// Where others hand in files.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Box", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireBox {
    /// What it is called where it is changed or ended; no secret.
    pub id: String,
    /// What to pass on. Whoever has it may hand in files.
    pub url: String,
    /// What people see above it.
    pub title: String,
    /// From when on it takes files, in UTC; null: from the beginning.
    pub opens_at: Option<String>,
    /// What comes later is late, in UTC; null: nothing is.
    pub due_at: Option<String>,
    /// Until when it takes files, in UTC; null: until it is ended.
    pub closes_at: Option<String>,
    /// How many files it may hold.
    pub max_files: u32,
    /// How large each may be, in bytes; null: as large as the service takes.
    pub max_file_bytes: Option<u64>,
    /// What their names may end with; empty: with anything.
    pub types: Vec<String>,
    /// Who may hand in: `named` is whoever has the URL, under a name that they type; `signed_in` is whoever signed in.
    pub submitter: String,
    /// Whether whoever hands in has to know a password.
    pub has_password: bool,
    /// Which of somebody's files count: the `latest` that isn't late, or `all`. None is ever overwritten.
    pub keep: String,
    /// Whoever has times of their own.
    pub overrides: Vec<WireOverride>,
    /// When it was made, in UTC.
    pub created_at: String,
    /// Whether it is being ended: its files are on their way to your list of files.
    pub ended: bool,
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(format_timestamp)
}

impl WireBox {
    pub(super) fn of(file_box: &FileBox, url: String) -> Self {
        let overrides = file_box.overrides.iter().map(|it| WireOverride {
            submitter: it.submitter.to_string(),
            due_at: time(it.due_at),
            closes_at: time(it.closes_at),
        });
        Self {
            id: file_box.id.to_string(),
            url,
            title: file_box.title.as_str().to_owned(),
            opens_at: time(file_box.times.opens_at),
            due_at: time(file_box.times.due_at),
            closes_at: time(file_box.times.closes_at),
            max_files: file_box.max_files,
            max_file_bytes: file_box.max_file_bytes,
            types: file_box.types.to_texts(),
            submitter: file_box.submitter.as_str().to_owned(),
            has_password: file_box.password.is_some(),
            keep: file_box.keep.as_str().to_owned(),
            overrides: overrides.collect(),
            created_at: format_timestamp(file_box.created_at),
            ended: file_box.is_ended,
        }
    }
}

/// A page of boxes, newest first.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "BoxPage", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireBoxPage {
    pub boxes: Vec<WireBox>,
    /// Give this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A file that was handed in.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "BoxFile", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireBoxFile {
    /// A UUIDv7. The calls on files take it.
    pub id: String,
    /// The name as it was given, for people to see.
    pub display_name: String,
    /// In bytes.
    pub size: u64,
    /// The SHA-256 of the bytes as 64 hex digits; null until they were measured.
    pub sha256: Option<String>,
    /// Where in its life it is.
    pub status: WireStatus,
    /// Who handed it in: the name that they typed, or that they signed in with.
    pub submitter: String,
    /// Who that is, of somebody who signed in; null: anybody who typed the name.
    pub submitter_id: Option<String>,
    /// When it was begun, in UTC.
    pub created_at: String,
    /// When the store had the bytes, in UTC; null until the file is available.
    pub uploaded_at: Option<String>,
    /// Whether that was after it was due.
    pub late: bool,
}

impl WireBoxFile {
    /// `None` for a tombstone, and for what nobody handed in.
    pub(super) fn of(record: &FileRecord, file_box: &FileBox) -> Option<Self> {
        let file = WireFile::of(record)?;
        let submitter = &record.hand_in.as_ref()?.submitter;
        let late = match &record.state {
            FileState::Available(object) => {
                file_box.times_for(submitter).is_late(object.uploaded_at)
            }
            _ => false,
        };
        Some(Self {
            id: file.id,
            display_name: file.display_name,
            size: file.size,
            sha256: file.sha256,
            status: file.status,
            submitter: submitter.shown(),
            submitter_id: submitter.user().map(|user| user.to_string()),
            created_at: file.created_at,
            uploaded_at: file.uploaded_at,
            late,
        })
    }
}

/// A page of what was handed in, newest first.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "BoxFiles", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireBoxFiles {
    pub files: Vec<WireBoxFile>,
    /// Give this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A box, as whoever has its URL sees it.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Drop", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireDrop {
    /// What its owner calls it.
    pub title: String,
    /// What time it is for the service, in UTC. The times below are by this clock.
    pub now: String,
    /// From when on files are taken, in UTC; null: from the beginning.
    pub opens_at: Option<String>,
    /// What comes later is late, in UTC; null: nothing is.
    pub due_at: Option<String>,
    /// Until when files are taken, in UTC; null: no end is set.
    pub closes_at: Option<String>,
    /// Where somebody has more time than all others: until when files are taken from the last of them, in UTC; null: from
    /// nobody longer than `closesAt`, or `submitter` is `signed_in`, where the times are those of whoever asks.
    pub last_closes_at: Option<String>,
    /// What names may end with; empty: with anything.
    pub types: Vec<String>,
    /// How large a file may be, in bytes.
    pub max_file_bytes: u64,
    /// `named`: say who you are. `signed_in`: the name comes from the sign-in.
    pub submitter: String,
    /// Whether a file is taken from those alone who know the password.
    pub needs_password: bool,
    /// Which of somebody's files count: the `latest` that isn't late, or `all`. None is ever overwritten.
    pub keep: String,
}

impl WireDrop {
    pub(super) fn of(
        file_box: &FileBox,
        times: &BoxTimes,
        now: Timestamp,
        max_upload_bytes: u64,
    ) -> Self {
        Self {
            title: file_box.title.as_str().to_owned(),
            now: format_timestamp(now),
            opens_at: time(times.opens_at),
            due_at: time(times.due_at),
            closes_at: time(times.closes_at),
            last_closes_at: time(file_box.last_closes_at()),
            types: file_box.types.to_texts(),
            max_file_bytes: file_box.max_file_bytes.unwrap_or(max_upload_bytes),
            submitter: file_box.submitter.as_str().to_owned(),
            needs_password: file_box.password.is_some(),
            keep: file_box.keep.as_str().to_owned(),
        }
    }
}

/// A file that was just handed in, and how to send its bytes.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "HandedInFile", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireHandedIn {
    #[oai(flatten)]
    #[serde(flatten)]
    pub created: WireCreatedFile,
    /// Shown as `Authorization: Bearer`, it lets whoever has it follow this file, and nothing else.
    pub submission_token: String,
    /// What comes later is late, for this submitter, in UTC; null: nothing is.
    pub due_at: Option<String>,
    /// Until when files are taken from this submitter, in UTC; null: no end is set.
    pub closes_at: Option<String>,
}

impl WireHandedIn {
    pub(super) fn of(handed_in: HandedIn) -> Option<Self> {
        let HandedIn {
            created,
            token,
            times,
        } = handed_in;
        Some(Self {
            created: WireCreatedFile {
                file: WireFile::for_submitter(&created.record)?,
                upload: created.upload.map(Into::into),
            },
            submission_token: token.expose().to_owned(),
            due_at: time(times.due_at),
            closes_at: time(times.closes_at),
        })
    }
}

/// How many bytes a cursor has, with its check.
const CURSOR_BYTES: usize = 24;

/// Where a page ends, as an opaque text: a position in one list, and a check that catches damage and texts from
/// elsewhere. A position is no secret, so the check is no signature.
fn write_cursor<const N: usize>(position: [u8; N], list: &str) -> String {
    let mut bytes = position.to_vec();
    bytes.extend_from_slice(&check(&position, list)[..CURSOR_BYTES - N]);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor<const N: usize>(text: &str, list: &str) -> Result<[u8; N], Invalid> {
    let refused = || Invalid("must be a nextCursor of this list".into());
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let (position, shown) = bytes.split_first_chunk::<N>().ok_or_else(refused)?;
    match shown == &check(position, list)[..CURSOR_BYTES - N] {
        true => Ok(*position),
        false => Err(refused()),
    }
}

fn check(position: &[u8], list: &str) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update("file-share box cursor 1\n")
        .chain_update(position)
        .chain_update(list);
    digest.finalize().into()
}

fn boxes_of(owner: Option<UserId>) -> String {
    owner.map_or_else(|| "boxes".to_owned(), |owner| format!("boxes of {owner}"))
}

pub(super) fn write_box_cursor(after: BoxId, owner: Option<UserId>) -> String {
    write_cursor(*after.as_bytes(), &boxes_of(owner))
}

/// The box that a page goes on behind.
///
/// # Errors
/// A text that [`write_box_cursor`] didn't write for this owner.
pub(super) fn read_box_cursor(text: &str, owner: Option<UserId>) -> Result<BoxId, Invalid> {
    read_cursor::<BOX_ID_BYTES>(text, &boxes_of(owner)).map(BoxId::from_bytes)
}

pub(super) fn write_file_cursor(before: FileId, id: BoxId) -> String {
    write_cursor(*before.as_bytes(), &id.to_string())
}

/// The file that a page goes on behind.
///
/// # Errors
/// A text that [`write_file_cursor`] didn't write for this box.
pub(super) fn read_file_cursor(text: &str, id: BoxId) -> Result<FileId, Invalid> {
    let position = read_cursor::<16>(text, &id.to_string())?;
    FileId::from_bytes(position).ok_or_else(|| Invalid("must be a nextCursor of this list".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability_token::{CapabilityId, CapabilityKeys, CapabilityLabel};
    use crate::domain::{Declaration, Hold, HoldReason, from_millis};
    use crate::operations::CreatedFile;

    #[test]
    fn whoever_hands_in_again_learns_nothing_of_whose_the_box_is_or_that_the_file_is_held() {
        let at = from_millis(1_790_000_000_000).unwrap();
        let alice = UserId::of("https://id.example.org", "alice");
        let hold = Hold {
            reason: HoldReason::given("case 4711").unwrap(),
            since: at,
            by: Some(alice),
        };
        let record = FileRecord {
            hold: Some(hold),
            ..FileRecord::sample_of(at, Declaration::sample()).owned_by(Some(alice))
        };
        let keys = CapabilityKeys::of_secrets("0123456789abcdef0123456789abcdef", []);
        let id = CapabilityId::from_bytes([7; _]);
        let handed_in = HandedIn {
            created: CreatedFile {
                record,
                upload: None,
                is_repeated: true,
            },
            token: keys.sign(CapabilityLabel::Submission, id),
            times: BoxTimes::default(),
        };
        let told = WireHandedIn::of(handed_in).unwrap();
        let told = serde_json::to_value(&told).unwrap();
        assert_eq!(told.get("hold"), None, "{told}");
        assert_eq!(told["owner"], serde_json::Value::Null);
    }
}
