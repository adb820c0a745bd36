//! What is told, and how it is written: `{"type", "timestamp", "data"}`.
//!
//! Invariant: a file in it is the file of the API, field for field, without any URL. What happens once has one ID.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{
    BoxId, ContentType, FileId, FileRecord, FileState, Invalid, RejectionCode, Submitter,
    Timestamp, WithdrawnObject, format_timestamp,
};
use crate::metadata_store::outbox::{Message, MessageId};

/// What happened, beside the file that it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookEvent<'a> {
    /// The bytes are there, and are those that were declared.
    FileAvailable,
    /// Other bytes arrived.
    FileRejected,
    /// It was available, until a later scan found something in it.
    FileWithdrawn,
    /// Somebody deleted it, or its time was over.
    FileDeleted,
    /// Somebody handed it in to a box, and its bytes are there.
    BoxSubmitted {
        /// The box that it lies in.
        in_box: BoxId,
        /// Who did it.
        submitter: &'a Submitter,
    },
    /// Somebody took it by a link.
    LinkDownloaded {
        /// The link's ID.
        link: &'a str,
        /// What the download is called.
        grant: &'a str,
    },
}

impl WebhookEvent<'_> {
    /// The `type` in the message.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FileAvailable => "file.available",
            Self::FileRejected => "file.rejected",
            Self::FileWithdrawn => "file.withdrawn",
            Self::FileDeleted => "file.deleted",
            Self::BoxSubmitted { .. } => "box.submitted",
            Self::LinkDownloaded { .. } => "link.downloaded",
        }
    }

    /// The message that tells of it, for a file as it is by then, or was before it was deleted.
    ///
    /// # Errors
    /// A text that is longer than any can be.
    pub fn message(&self, record: &FileRecord, now: Timestamp) -> Result<Message, Invalid> {
        let file = File::of(record);
        let told = Told {
            kind: self.name(),
            timestamp: format_timestamp(now),
            data: match self {
                Self::FileAvailable
                | Self::FileRejected
                | Self::FileWithdrawn
                | Self::FileDeleted => Data::File(file),
                Self::BoxSubmitted { in_box, submitter } => Data::HandIn {
                    in_box: in_box.to_string(),
                    submitter: submitter.shown(),
                    submitter_id: submitter.user().map(|user| user.to_string()),
                    file,
                },
                Self::LinkDownloaded { link, grant } => Data::Download { link, grant, file },
            },
        };
        let body = serde_json::to_string(&told);
        let body = body.map_err(|_| Invalid::new("a message can't be written as JSON"))?;
        Message::new(self.id(record)?, body, now)
    }

    /// A file is available, rejected, withdrawn or deleted once in its life, and a grant is handed out once.
    fn id(&self, record: &FileRecord) -> Result<MessageId, Invalid> {
        let file = record.id;
        MessageId::parse(&match self {
            Self::FileAvailable => format!("msg_{file}_available"),
            Self::FileRejected => format!("msg_{file}_rejected"),
            Self::FileWithdrawn => format!("msg_{file}_withdrawn"),
            Self::FileDeleted => format!("msg_{file}_deleted"),
            Self::BoxSubmitted { .. } => format!("msg_{file}_submitted"),
            Self::LinkDownloaded { grant, .. } => format!("msg_{grant}_downloaded"),
        })
    }
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    File(File<'a>),
    #[serde(rename_all = "camelCase")]
    HandIn {
        #[serde(rename = "box")]
        in_box: String,
        submitter: String,
        submitter_id: Option<String>,
        file: File<'a>,
    },
    Download {
        link: &'a str,
        grant: &'a str,
        file: File<'a>,
    },
}

/// The record as `GET /v1/files/{id}/metadata` gives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    id: String,
    owner: Option<String>,
    filename: &'a str,
    display_name: &'a str,
    size: u64,
    content_type: &'a str,
    sha256: Option<String>,
    status: &'static str,
    created_at: String,
    uploaded_at: Option<String>,
    delete_after: Option<String>,
    keep_until: Option<String>,
    metadata: &'a BTreeMap<String, String>,
    detected_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'static str>,
}

impl<'a> File<'a> {
    fn of(record: &'a FileRecord) -> Self {
        let (object, reason) = match &record.state {
            FileState::Available(object) => (Some(WithdrawnObject::from(object)), None),
            FileState::Withdrawn { was, reason, .. } => (Some(was.clone()), Some(reason)),
            FileState::Rejected { reason, .. } => (None, Some(reason)),
            FileState::Pending(_) | FileState::Expired { .. } | FileState::Deleted { .. } => {
                (None, None)
            }
        };
        let declared = &record.declared;
        Self {
            id: record.id.to_string(),
            owner: record.owner.map(|owner| owner.to_string()),
            filename: declared.filename.as_str(),
            display_name: declared.shown_name(),
            size: declared.length.bytes(),
            content_type: declared.content_type.as_str(),
            sha256: object.as_ref().map(|object| object.sha256.to_hex()),
            status: record.status().as_str(),
            created_at: format_timestamp(record.created_at()),
            uploaded_at: object.map(|object| format_timestamp(object.uploaded_at)),
            delete_after: record.delete_after.map(format_timestamp),
            keep_until: record.keep_until.map(format_timestamp),
            metadata: declared.metadata.entries(),
            detected_type: record.detected_type().map(ContentType::as_str),
            reason: reason.map(|reason| reason.text.as_str()),
            reason_code: reason
                .and_then(|reason| reason.code)
                .map(RejectionCode::as_str),
        }
    }
}

/// The file that a message is about, by what it says itself.
pub(super) fn file_of(body: &str) -> Option<FileId> {
    let message: serde_json::Value = serde_json::from_str(body).ok()?;
    let data = message.get("data")?;
    let file = data.get("file").unwrap_or(data);
    FileId::parse(file.get("id")?.as_str()?).ok()
}
