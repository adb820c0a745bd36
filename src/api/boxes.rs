//! The calls under `/v1/boxes`, and those by which whoever has a box's URL hands in.
//!
//! Invariant: thin, as the calls on files are. The URL of a box stands in answers to those who may change the box, and
//! nowhere else; a submission token in the one answer to whoever handed the file in.

mod bodies;
mod manifest;
mod shapes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, OpenApi, Tags};

use bodies::{BoxBody, BoxChangeSchema, HandInSchema, NewBoxSchema, new_hand_in};
use manifest::Ndjson;
pub(super) use shapes::{WireBox, WireBoxFile, WireBoxFiles, WireBoxPage, WireDrop, WireHandedIn};

use super::call_context::context_of;
use super::idempotency_key::idempotency_key;
use super::json::Json;
use super::json_body::JsonBody;
use super::operation_errors::{self, ApiError};
use super::problem::{Code, Problem};
use super::public_urls::ServiceUrl;
use super::wire::WireStatus;
use crate::access::Action;
use crate::boxes::{BoxChange, FileBox, WantedFiles, state_of};
use crate::domain::{BOX_ID_BYTES, BoxId, Invalid};
use crate::operations::Context;
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::service::FileService;

/// A page holds this many if the client doesn't say.
const DEFAULT_LIMIT: usize = 50;

pub(super) struct BoxesApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    /// Where the URLs of boxes lead.
    pub service_url: ServiceUrl,
    pub max_upload_bytes: u64,
}

#[derive(Tags)]
enum Tag {
    /// Have others hand in files, without an account.
    Boxes,
}

#[derive(ApiResponse)]
enum Created {
    /// The box, with the URL to pass on to whoever is to hand in.
    #[oai(status = 201)]
    Box(
        Json<WireBox>,
        /// Names the box as it is now, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Shown {
    /// The box as it is now.
    #[oai(status = 200)]
    Box(
        Json<WireBox>,
        /// Names the box as it is now, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of boxes, newest first.
    #[oai(status = 200)]
    Page(Json<WireBoxPage>),
}

#[derive(ApiResponse)]
enum Files {
    /// A page of what was handed in, newest first.
    #[oai(status = 200)]
    Page(Json<WireBoxFiles>),
}

#[derive(ApiResponse)]
enum Ended {
    /// Nothing is handed in any more, and the files are in your list.
    #[oai(status = 204)]
    Gone,
}

#[derive(ApiResponse)]
enum Manifest {
    /// A line of JSON for each file that is available, newest first. The answer is whole if its connection ends well.
    #[oai(status = 200)]
    Lines(Ndjson),
}

#[derive(ApiResponse)]
enum Open {
    /// What the box takes, and when.
    #[oai(status = 200)]
    Drop(Json<WireDrop>),
}

#[derive(ApiResponse)]
enum HandedIn {
    /// The file is known, and waits for its bytes: send them with `upload`. If the request came before with this
    /// `Idempotency-Key`, the record as it is now.
    #[oai(status = 201)]
    File(
        Json<WireHandedIn>,
        /// Where its record is, for whoever shows the submission token.
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Boxes")]
impl BoxesApi {
    /// Make a box
    ///
    /// A box has a URL. Whoever has it can hand in files until the box closes, without an account, and sees nothing of
    /// what others hand in. The files are yours, and count as yours.
    #[oai(path = "/boxes", method = "post", operation_id = "create_box")]
    async fn create_box(
        &self,
        request: &Request,
        body: JsonBody<NewBoxSchema>,
    ) -> Result<Created, ApiError<operation_errors::CreateBox>> {
        let base = self.base(request)?;
        let new = BoxBody::from(body.fields).new_box()?;
        let file_box = self.service.create_box(&self.context(request), new).await?;
        let tag = entity_tag(&file_box)?;
        Ok(Created::Box(Json(self.shown(&base, &file_box)), tag))
    }

    /// List your boxes
    ///
    /// Newest first, `limit` at a time. For the next page give `nextCursor` as `cursor`. A page may hold fewer boxes
    /// than asked for, even none, and still have a next one.
    #[oai(path = "/boxes", method = "get", operation_id = "list_boxes")]
    async fn list_boxes(
        &self,
        request: &Request,
        /// How many boxes a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
    ) -> Result<Listed, ApiError<operation_errors::ListBoxes>> {
        let base = self.base(request)?;
        let context = self.context(request);
        let owner = context.caller.owner();
        let after = match cursor.0.as_deref() {
            None | Some("") => None,
            Some(text) => Some(shapes::read_box_cursor(text, owner).map_err(wrong_cursor)?),
        };
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT);
        let page = self.service.list_boxes(&context, after, limit).await?;
        let boxes = page.boxes.iter().map(|it| self.shown(&base, it));
        Ok(Listed::Page(Json(WireBoxPage {
            boxes: boxes.collect(),
            next_cursor: page.next.map(|id| shapes::write_box_cursor(id, owner)),
        })))
    }

    /// Describe a box
    ///
    /// As it is now, with its URL.
    #[oai(path = "/boxes/:id", method = "get", operation_id = "describe_box")]
    async fn describe_box(
        &self,
        request: &Request,
        /// The box's `id`: from the answer that made it, or from the list. Not what stands in its URL.
        id: Path<String>,
    ) -> Result<Shown, ApiError<operation_errors::DescribeBox>> {
        let base = self.base(request)?;
        let id = box_id(&id);
        let file_box = self
            .service
            .describe_box(&self.context(request), id)
            .await?;
        let tag = entity_tag(&file_box)?;
        Ok(Shown::Box(Json(self.shown(&base, &file_box)), tag))
    }

    /// Change a box
    ///
    /// What is given is changed, `null` takes a time or a limit away, and the rest stays: to extend a box give another
    /// `dueAt` or `closesAt`, to close it at once `"close": true`. Whether a file is late follows from the times as they
    /// are. A URL for an upload that is out when the box closes works on until it ends, 15 minutes after it was made where
    /// the operator set nothing else; what comes by it then is late where the box has a `dueAt`. `renew` gives the box another URL, and ends the one that it had.
    #[oai(path = "/boxes/:id", method = "patch", operation_id = "change_box")]
    async fn change_box(
        &self,
        request: &Request,
        /// The box's `id`: from the answer that made it, or from the list. Not what stands in its URL.
        id: Path<String>,
        /// The `ETag` of the box that the change is meant for: if it was changed meanwhile, nothing is done. Left out, or
        /// `*`, the change is made whatever the box is.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: JsonBody<BoxChangeSchema>,
    ) -> Result<Shown, ApiError<operation_errors::ChangeBox>> {
        let base = self.base(request)?;
        let change = BoxChange {
            only_if: if_match.0.as_deref().and_then(states),
            ..BoxBody::from(body.fields).change()?
        };
        let id = box_id(&id);
        let context = self.context(request);
        let file_box = self.service.change_box(&context, id, change).await?;
        let tag = entity_tag(&file_box)?;
        Ok(Shown::Box(Json(self.shown(&base, &file_box)), tag))
    }

    /// End a box
    ///
    /// For good: nothing is handed in any more. The files stay yours, and are in your list of files from then on, still
    /// with who handed them in. Where this is interrupted, the same call goes on.
    #[oai(path = "/boxes/:id", method = "delete", operation_id = "end_box")]
    async fn end_box(
        &self,
        request: &Request,
        /// The box's `id`: from the answer that made it, or from the list. Not what stands in its URL.
        id: Path<String>,
    ) -> Result<Ended, ApiError<operation_errors::EndBox>> {
        let id = box_id(&id);
        self.service.end_box(&self.context(request), id).await?;
        Ok(Ended::Gone)
    }

    /// List what was handed in
    ///
    /// Newest first, `limit` at a time, without hand-ins whose bytes never came, unless `status` is `expired`. For the next
    /// page give `nextCursor` as `cursor`. A page may hold fewer files than asked for, and still have a next one.
    #[oai(
        path = "/boxes/:id/files",
        method = "get",
        operation_id = "list_box_files"
    )]
    async fn list_box_files(
        &self,
        request: &Request,
        /// The box's `id`: from the answer that made it, or from the list. Not what stands in its URL.
        id: Path<String>,
        /// How many files a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
        /// Only files with this status; left out, all but `expired` ones.
        status: Query<Option<WireStatus>>,
    ) -> Result<Files, ApiError<operation_errors::ListBoxFiles>> {
        let id = box_id(&id);
        let before = match cursor.0.as_deref() {
            None | Some("") => None,
            Some(text) => Some(shapes::read_file_cursor(text, id).map_err(wrong_cursor)?),
        };
        let wanted = WantedFiles {
            status: status.0.map(Into::into),
            before,
            limit: limit.0.unwrap_or(DEFAULT_LIMIT),
        };
        let (service, context) = (&self.service, self.context(request));
        let listing = service.list_box_files(&context, Action::ListBoxFiles, id, wanted);
        let files = listing.await?;
        let shown = files.page.records.iter();
        Ok(Files::Page(Json(WireBoxFiles {
            files: shown
                .filter_map(|record| WireBoxFile::of(record, &files.file_box))
                .collect(),
            next_cursor: files.page.next.map(|it| shapes::write_file_cursor(it, id)),
        })))
    }

    /// Write down all that was handed in
    ///
    /// One line of JSON for each file that is available, newest first: who, what, when, whether late, whether it counts
    /// by the box's `keep`, and the SHA-256.
    #[oai(
        path = "/boxes/:id/manifest",
        method = "get",
        operation_id = "describe_manifest"
    )]
    async fn describe_manifest(
        &self,
        request: &Request,
        /// The box's `id`: from the answer that made it, or from the list. Not what stands in its URL.
        id: Path<String>,
    ) -> Result<Manifest, ApiError<operation_errors::DescribeManifest>> {
        let id = box_id(&id);
        let (service, context) = (Arc::clone(&self.service), self.context(request));
        let lines = manifest::manifest(service, context, id).await?;
        Ok(Manifest::Lines(lines))
    }

    /// Look at a box
    ///
    /// For whoever has its URL, without an account unless the box is for people who signed in: what it takes, until
    /// when, and what time it is for it. Of what others handed in it says nothing.
    #[oai(path = "/drop/:token", method = "get", operation_id = "describe_drop")]
    async fn describe_drop(
        &self,
        request: &Request,
        /// The 43 characters behind `/b/` in the box's URL.
        token: Path<String>,
    ) -> Result<Open, ApiError<operation_errors::DescribeDrop>> {
        let context = self.context(request);
        let (file_box, times, now) = self.service.describe_drop(&context, &token).await?;
        let shown = WireDrop::of(&file_box, &times, now, self.max_upload_bytes);
        Ok(Open::Drop(Json(shown)))
    }

    /// Hand in a file
    ///
    /// Step one of an upload, as `POST /v1/files` is: the answer has a presigned URL for the bytes, which works no longer
    /// than the box is open. It also has a `submissionToken`: shown as `Authorization: Bearer`, it lets whoever has it
    /// describe this file, wait for it, get a fresh URL and say that the bytes were sent, and nothing else. Keep it.
    ///
    /// To hand in again is to hand in another file; nothing is overwritten.
    #[oai(path = "/drop/:token/files", method = "post", operation_id = "hand_in")]
    async fn hand_in(
        &self,
        request: &Request,
        /// The 43 characters behind `/b/` in the box's URL.
        token: Path<String>,
        /// A text of the client's own that is new for each file and that nobody guesses, such as a random UUID: visible
        /// ASCII, with or without quotes. Whoever isn't signed in and sends the same key, name and declaration gets the
        /// same answer, `submissionToken` included. Can be left empty.
        #[oai(name = "Idempotency-Key")]
        _idempotency_key: Header<Option<String>>,
        body: JsonBody<HandInSchema>,
    ) -> Result<HandedIn, ApiError<operation_errors::HandIn>> {
        let key = idempotency_key(request.headers())?;
        let new = new_hand_in(body.fields, self.max_upload_bytes)?;
        let context = self.context(request);
        let handed_in = self.service.hand_in(&context, &token, new, key).await?;
        let path = format!("/v1/files/{}/metadata", handed_in.created.record.id);
        let location = self.service_url.path_of(&path);
        let shown = WireHandedIn::of(handed_in).ok_or_else(|| Code::FileNotFound.plain())?;
        Ok(HandedIn::File(Json(shown), location))
    }
}

impl BoxesApi {
    fn context(&self, request: &Request) -> Context {
        context_of(request, &self.bucket)
    }

    /// Where this client reaches the service. Asked before anything is done that couldn't be answered.
    fn base(&self, request: &Request) -> Result<String, Problem> {
        let base = self.service_url.for_request(request);
        base.map_err(|Invalid(why)| Code::InvalidRequest.with(why))
    }

    fn shown(&self, base: &str, file_box: &FileBox) -> WireBox {
        let token = self.service.box_token(file_box);
        WireBox::of(file_box, format!("{base}/b/{}", token.expose()))
    }
}

/// A text that is no ID names a box that there isn't, and is asked for all the same: whoever may not ask at all hears
/// that.
fn box_id(text: &str) -> BoxId {
    const NO_BOX: BoxId = BoxId::from_bytes([0; BOX_ID_BYTES]);
    BoxId::parse(text).unwrap_or(NO_BOX)
}

/// Names a box as it is.
fn entity_tag(file_box: &FileBox) -> Result<String, Problem> {
    Ok(format!("\"{}\"", state_of(file_box)?.as_str()))
}

/// The states that an `If-Match` names; `None`: any. A tag that a proxy weakened when it compressed the answer still
/// names the same box, of which no part was ever sent.
fn states(if_match: &str) -> Option<Vec<String>> {
    let tags = if_match.split(',').map(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag.trim_matches('"').to_owned()
    });
    (if_match.trim() != "*").then(|| tags.collect())
}

fn wrong_cursor(invalid: Invalid) -> Problem {
    Code::InvalidRequest.with(format!("cursor: {invalid}"))
}
