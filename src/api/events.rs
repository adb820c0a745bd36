//! `GET /v1/files/{id}/events`: what happened to a file.
//!
//! Invariant: thin, as all handlers are. A cursor belongs to its file, and is no secret.

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::call_context::context_of;
use super::cursor;
use super::files::{Tag, file_id};
use super::json::Json;
use super::operation_errors::{self, ApiError};
use super::problem::Code;
use crate::domain::{FileId, Invalid, format_timestamp};
use crate::file_events::{EventPosition, FileEvent};
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::service::FileService;

/// A page holds this many events if the client doesn't say.
const DEFAULT_LIMIT: usize = 50;

pub(super) struct EventsApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    /// What a proxy puts before our paths, without a slash at its end.
    pub path_prefix: String,
}

/// Something that happened to a file.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "FileEvent", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireEvent {
    /// `file.created`, `file.upload_renewed`, `file.completed` (somebody said that the bytes were sent),
    /// `file.available`, `file.rejected`, `file.withdrawn`, `file.expired`, `file.downloaded` (a URL for the bytes was handed out),
    /// `file.deleted`, `file.held` (nobody can delete it), `file.released` or `file.kept` (for longer). There may be others one day.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened first, in UTC, by the clock of the process that saw it.
    pub at: String,
    /// When it happened last.
    pub last_at: String,
    /// How often: what somebody does again to a file within an hour is counted here. It may be ten minutes behind.
    pub count: u64,
    /// Who did it: somebody's ID, `operator` for who runs the service, or `system` for the service itself. Null: others
    /// than those that are named, where a file has many. Of `file.held`, `file.released` and `file.kept` those alone see
    /// who it was who may hold files; to everybody else it is `operator`.
    pub caller: Option<String>,
    /// The ID of the token by which a program did it for them; null if it wasn't by one.
    pub token: Option<String>,
    /// The request that did it first, as the log knows it; null for what the service did by itself.
    pub request_id: Option<String>,
}

impl From<&FileEvent> for WireEvent {
    fn from(event: &FileEvent) -> Self {
        Self {
            kind: event.kind.clone(),
            at: format_timestamp(event.at),
            last_at: format_timestamp(event.last_at),
            count: event.count,
            caller: event.by.caller.clone(),
            token: event.by.token.clone(),
            request_id: event.request_id.clone(),
        }
    }
}

/// A page of what happened to a file, newest first.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "EventPage", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(super) struct WireEventPage {
    pub events: Vec<WireEvent>,
    /// Give this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Whether this service keeps what happens to files, which it does where it keeps an audit log. If it doesn't,
    /// nothing is here, whatever happened.
    pub kept: bool,
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of what happened, newest first.
    #[oai(status = 200)]
    Page(
        Json<WireEventPage>,
        /// The next page, as `<…>; rel="next"`, if there is one.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Files")]
impl EventsApi {
    /// See what happened to a file
    ///
    /// Who did what when, newest first, for 90 days, and also once the file is deleted. Something may be missing here
    /// that happened a moment ago, or while a process was killed; the audit log of whoever runs the service is whole.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(
        path = "/files/:id/events",
        method = "get",
        operation_id = "list_events"
    )]
    async fn list_events(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        /// How many events a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
    ) -> Result<Listed, ApiError<operation_errors::ListEvents>> {
        let id = file_id(&id)?;
        let after = match cursor.0.as_deref() {
            None | Some("") => None,
            Some(text) => Some(
                read_cursor(text, id)
                    .map_err(|invalid| Code::InvalidRequest.with(format!("cursor: {invalid}")))?,
            ),
        };
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT);
        let context = context_of(request, &self.bucket);
        let page = self.service.list_events(&context, id, after, limit).await?;
        let next_cursor = page.next.map(|position| write_cursor(position, id));
        let link = next_cursor.as_ref().map(|cursor| {
            let prefix = &self.path_prefix;
            format!("<{prefix}/v1/files/{id}/events?limit={limit}&cursor={cursor}>; rel=\"next\"")
        });
        let body = WireEventPage {
            events: page.events.iter().map(WireEvent::from).collect(),
            next_cursor,
            kept: page.are_kept,
        };
        Ok(Listed::Page(Json(body), link))
    }
}

fn write_cursor(position: EventPosition, file: FileId) -> String {
    let position = position.as_bytes();
    cursor::write(position, check(position, file))
}

/// # Errors
/// A text that [`write_cursor`] didn't write for this file.
fn read_cursor(text: &str, file: FileId) -> Result<EventPosition, Invalid> {
    cursor::read(text, |position| check(position, file))
        .map(EventPosition::from_bytes)
        .ok_or_else(|| Invalid::new("must be a nextCursor of this file's events"))
}

fn check(position: &cursor::Position, file: FileId) -> cursor::Check {
    cursor::check([&b"file-share event cursor 1"[..], file.as_bytes(), position])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::from_millis;

    fn file() -> FileId {
        FileId::new(from_millis(1_790_000_000_123).unwrap())
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_for_its_own_file_alone(bytes: [u8; 16]) {
            let (own, other) = (file(), file());
            let position = EventPosition::from_bytes(bytes);
            let text = write_cursor(position, own);
            prop_assert_eq!(text.len(), 32);
            prop_assert_eq!(read_cursor(&text, own), Ok(position));
            prop_assert!(read_cursor(&text, other).is_err());
        }

        #[test]
        fn no_text_upsets_the_reader(text in "(?s:.{0,64})") {
            prop_assert!(read_cursor(&text, file()).is_err());
        }
    }
}
