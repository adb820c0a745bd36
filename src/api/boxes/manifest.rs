//! All that lies in a box, as lines of JSON.
//!
//! Invariant: one page of the box is in memory at a time, and of all others their IDs, however slowly the client
//! reads. The box is read twice, since which files count shows when all were seen; what came after the first time has
//! no line, and lateness goes by the times that the box had then. An answer that couldn't be finished breaks off, so
//! that nobody takes a part for all.
//!
//! Absent on purpose: files that aren't available. They have no digest yet, or never will.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream;
use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;

use crate::access::Action;
use crate::boxes::{BoxFiles, Counting, FileBox, WantedFiles};
use crate::domain::{BoxId, FileId, FileState, Status, format_timestamp};
use crate::metadata_store::{MAX_PAGE, Page};
use crate::operations::{Context, OperationError};
use crate::service::FileService;
use crate::store_error::StoreError;

/// How many pages of a box are read at the most. What expired or was rejected lies there for a while without a place.
const MAX_PAGES: usize = 10_000;

/// Lines of JSON.
pub(super) struct Ndjson(Body);

impl Payload for Ndjson {
    const CONTENT_TYPE: &'static str = "application/x-ndjson";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for Ndjson {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(Self::CONTENT_TYPE),
        );
        response.set_body(self.0);
        response
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: String,
    display_name: &'a str,
    submitter: String,
    submitter_id: Option<String>,
    uploaded_at: String,
    late: bool,
    counts: bool,
    sha256: String,
    size: u64,
}

/// What was read the first time.
struct Snapshot {
    file_box: FileBox,
    /// The available files, and whether each counts.
    counted: HashMap<FileId, bool>,
}

impl Snapshot {
    fn lines(&self, page: &Page) -> Vec<u8> {
        let mut text = Vec::new();
        for record in &page.records {
            let (FileState::Available(object), Some(hand_in)) = (&record.state, &record.hand_in)
            else {
                continue;
            };
            let Some(counts) = self.counted.get(&record.id) else {
                continue;
            };
            let times = self.file_box.times_for(&hand_in.submitter);
            let line = Line {
                id: record.id.to_string(),
                display_name: record.declared.shown_name(),
                submitter: hand_in.submitter.shown(),
                submitter_id: hand_in.submitter.user().map(|user| user.to_string()),
                uploaded_at: format_timestamp(object.uploaded_at),
                late: times.is_late(object.uploaded_at),
                counts: *counts,
                sha256: object.sha256.to_hex(),
                size: record.declared.length.bytes(),
            };
            // Texts, numbers and truth values: there is nothing that JSON couldn't say.
            if serde_json::to_writer(&mut text, &line).is_ok() {
                text.push(b'\n');
            }
        }
        text
    }
}

/// Reads a box page by page.
struct Reader {
    service: Arc<FileService>,
    context: Context,
    id: BoxId,
}

impl Reader {
    async fn page(&self, before: Option<FileId>) -> Result<BoxFiles, OperationError> {
        let (service, action) = (&self.service, Action::DescribeManifest);
        let wanted = WantedFiles {
            status: Some(Status::Available),
            before,
            limit: MAX_PAGE,
        };
        let reading = service.list_box_files(&self.context, action, self.id, wanted);
        reading.await
    }

    async fn snapshot(&self) -> Result<Snapshot, OperationError> {
        let BoxFiles { file_box, page } = self.page(None).await?;
        let mut counting = Counting::of(&file_box);
        let mut page = page;
        for _ in 0..MAX_PAGES {
            page.records.iter().for_each(|record| counting.see(record));
            let Some(before) = page.next else {
                let counted = counting.counted();
                return Ok(Snapshot { file_box, counted });
            };
            page = self.page(Some(before)).await?.page;
        }
        Err(StoreError::unavailable("the list of a box", "it doesn't end").into())
    }
}

/// What is still to come.
enum Rest {
    From(Option<FileId>),
    Nothing,
}

/// The manifest of a box of the caller's. The box is read once before anything is answered.
///
/// # Errors
/// As a list of its files.
pub(super) async fn manifest(
    service: Arc<FileService>,
    context: Context,
    id: BoxId,
) -> Result<Ndjson, OperationError> {
    let reader = Reader {
        service,
        context,
        id,
    };
    let snapshot = reader.snapshot().await?;
    let begun = (reader, snapshot, Rest::From(None));
    let pages = stream::try_unfold(begun, move |(reader, snapshot, rest)| async move {
        let Rest::From(before) = rest else {
            return Ok(None);
        };
        let reading = reader.page(before).await.map_err(std::io::Error::other);
        let page = reading?.page;
        let text = snapshot.lines(&page);
        let rest = page
            .next
            .map_or(Rest::Nothing, |before| Rest::From(Some(before)));
        Ok::<_, std::io::Error>(Some((text, (reader, snapshot, rest))))
    });
    Ok(Ndjson(Body::from_bytes_stream(pages)))
}
