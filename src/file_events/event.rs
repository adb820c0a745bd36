//! One event: its place in a file's list, and what is kept of it.
//!
//! Invariant: keys are in the order of newest first, so that a list read from its beginning is. The creation of a file
//! has a key that follows from the file alone: it is written once, and found by itself.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::Note;
use crate::access::Caller;
use crate::domain::{FileId, Invalid, Timestamp, from_millis};
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind};

/// Bytes of a position.
const POSITION_BYTES: usize = 16;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The file was declared, and a URL for its bytes was handed out.
    Created,
    /// Another URL for its bytes was handed out.
    UploadRenewed,
    /// Somebody said that the bytes were sent.
    Completed,
    /// The bytes are those that were declared.
    Available,
    /// Other bytes came than were declared.
    Rejected,
    /// Something was found in the bytes of an available file, which nobody gets any more.
    Withdrawn,
    /// No bytes came in time.
    Expired,
    /// A URL to fetch the bytes with was handed out.
    Downloaded,
    /// The file was deleted.
    Deleted,
    /// Somebody who runs the service holds it, or gave another reason for it.
    Held,
    /// The hold was ended.
    Released,
    /// Somebody who runs the service has it kept for longer.
    Kept,
}

impl EventKind {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::UploadRenewed,
        Self::Completed,
        Self::Available,
        Self::Rejected,
        Self::Withdrawn,
        Self::Expired,
        Self::Downloaded,
        Self::Deleted,
        Self::Held,
        Self::Released,
        Self::Kept,
    ];

    /// Its name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "file.created",
            Self::UploadRenewed => "file.upload_renewed",
            Self::Completed => "file.completed",
            Self::Available => "file.available",
            Self::Rejected => "file.rejected",
            Self::Withdrawn => "file.withdrawn",
            Self::Expired => "file.expired",
            Self::Downloaded => "file.downloaded",
            Self::Deleted => "file.deleted",
            Self::Held => "file.held",
            Self::Released => "file.released",
            Self::Kept => "file.kept",
        }
    }

    /// Whether those alone can do it who run the service: which of them did is for them to know.
    pub const fn is_of_who_runs_the_service(self) -> bool {
        matches!(self, Self::Held | Self::Released | Self::Kept)
    }

    /// Whether it can happen to a file as often as somebody likes.
    pub const fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::UploadRenewed | Self::Completed | Self::Downloaded
        )
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventActor {
    /// `operator`, a person's ID, `submitter` of the file, or `system` for the program itself; `None`: several, too many
    /// for an event each.
    pub caller: Option<String>,
    /// The ID of the token by which a program did it for them.
    pub token: Option<String>,
}

impl EventActor {
    /// Whoever calls.
    pub fn of(caller: &Caller) -> Self {
        let owner = caller.owner().map(|id| id.to_string());
        Self {
            caller: Some(match caller {
                Caller::Nobody => "nobody".to_owned(),
                // Who that is stands in the file's record.
                Caller::Submitter(_) => "submitter".to_owned(),
                _ => owner.unwrap_or_else(|| "operator".to_owned()),
            }),
            token: match caller {
                Caller::Token(token) => Some(token.id.to_string()),
                _ => None,
            },
        }
    }

    /// The program itself.
    pub fn system() -> Self {
        Self {
            caller: Some("system".to_owned()),
            token: None,
        }
    }

    /// Somebody who runs the service.
    fn operator() -> Self {
        Self {
            caller: Some("operator".to_owned()),
            token: None,
        }
    }

    /// Several.
    pub(super) fn several() -> Self {
        Self {
            caller: None,
            token: None,
        }
    }
}

/// Where an event is in its file's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition([u8; POSITION_BYTES]);

impl EventPosition {
    /// Of what happens now: before what happened earlier, in this process also within a millisecond.
    pub(super) fn of_now(at: Timestamp) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Half of the numbers: behind them is room for the creation.
        Self::new(
            at,
            (u32::MAX / 2).wrapping_sub(count) & (u32::MAX / 2),
            fastrand::u32(..),
        )
    }

    /// Of a file's creation: behind all else of its millisecond.
    pub(super) fn of_creation(file: FileId) -> Self {
        Self::new(file.created_at(), u32::MAX, u32::MAX)
    }

    fn new(at: Timestamp, count: u32, random: u32) -> Self {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        let mut bytes = [0; POSITION_BYTES];
        bytes[..8].copy_from_slice(&(u64::MAX - millis).to_be_bytes());
        bytes[8..12].copy_from_slice(&count.to_be_bytes());
        bytes[12..].copy_from_slice(&random.to_be_bytes());
        Self(bytes)
    }

    /// Its bytes, for a cursor.
    pub fn as_bytes(&self) -> &[u8; POSITION_BYTES] {
        &self.0
    }

    /// Reads what [`Self::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; POSITION_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) fn key(self, file: FileId) -> Result<ItemKey, Invalid> {
        ItemKey::new(ItemKind::Event, &format!("{file}-{}", hex::encode(self.0)))
    }

    pub(super) fn of_key(file: FileId, key: &ItemKey) -> Option<Self> {
        let digits = key.id().strip_prefix(&format!("{file}-"))?;
        let mut bytes = [0; POSITION_BYTES];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// What is kept of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Milliseconds since the Unix epoch, as all times here.
    pub(super) at: i64,
    pub(super) last_at: i64,
    pub(super) count: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) request_id: Option<String>,
    /// Whose file it is; of a creation and a deletion.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) owner: Option<String>,
}

impl Body {
    pub(super) fn is_of_a_deletion(&self) -> bool {
        self.kind == EventKind::Deleted.as_str()
    }
}

impl From<&Note> for Body {
    fn from(note: &Note) -> Self {
        let at = note.at.timestamp_millis();
        Self {
            kind: note.kind.as_str().to_owned(),
            at,
            last_at: at,
            count: 1,
            caller: note.by.caller.clone(),
            token: note.by.token.clone(),
            request_id: note.request_id.clone(),
            owner: match note.kind {
                EventKind::Created | EventKind::Deleted => {
                    note.owner.map(|owner| owner.to_string())
                }
                _ => None,
            },
        }
    }
}

/// Something that happened to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEvent {
    /// What happened: [`EventKind::as_str`], or what a later version of this program writes.
    pub kind: String,
    /// When it happened first, by the clock of the process that saw it.
    pub at: Timestamp,
    /// When it happened last.
    pub last_at: Timestamp,
    /// How often, within an hour.
    pub count: u64,
    /// Who did it.
    pub by: EventActor,
    /// The request that did it first, as the log and the audit log know it.
    pub request_id: Option<String>,
    /// Where it is in the list.
    pub position: EventPosition,
}

impl FileEvent {
    /// The event as those may see it who don't run the service.
    pub fn without_who_runs_the_service(self) -> Self {
        let mut of_these = EventKind::ALL.into_iter();
        match of_these.any(|kind| kind.is_of_who_runs_the_service() && kind.as_str() == self.kind) {
            true => Self {
                by: EventActor::operator(),
                ..self
            },
            false => self,
        }
    }

    pub(super) fn read(file: FileId, item: &Item) -> Result<Self, Invalid> {
        let body: Body = item.body.read()?;
        let moment = |millis| from_millis(millis).ok_or_else(|| Invalid::new("no time"));
        let position = EventPosition::of_key(file, &item.key);
        Ok(Self {
            kind: body.kind,
            at: moment(body.at)?,
            last_at: moment(body.last_at)?,
            count: body.count,
            by: EventActor {
                caller: body.caller,
                token: body.token,
            },
            request_id: body.request_id,
            position: position.ok_or_else(|| Invalid::new("another file's key"))?,
        })
    }
}

/// The body as an item keeps it.
pub(super) fn item_body(body: &Body) -> Result<ItemBody, Invalid> {
    ItemBody::of(body)
}
