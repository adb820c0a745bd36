//! The calls under `/v1/files`.
//!
//! Invariant: thin. A handler turns wire values into domain values, calls one operation of the service, and
//! turns its outcome into a response. Nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, OpenApi, Tags};

use super::call_context::context_of;
use super::create_file_body::{CreateFileBody, NewFileSchema};
use super::idempotency_key::idempotency_key;
use super::json::Json;
use super::json_body::JsonBody;
use super::operation_errors::{self, ApiError};
use super::problem::{Code, Problem};
use super::wire::{
    ListFilter, WireCreatedFile, WireFile, WirePage, WireRenewedUpload, WireStatus,
    WireUploadMethod, WireWhose, read_cursor, write_cursor,
};
use crate::capacity::AnswerBy;
use crate::domain::{FileId, FileRecord, Status};
use crate::metadata_store::PageRequest;
use crate::operations::{Context, CreatedFile, Whose};
use crate::own_paths;
use crate::presigned_url::{BucketAddress, DownloadMethod};
use crate::service::FileService;
use crate::traces;

/// A page holds this many files if the client doesn't say.
const DEFAULT_LIMIT: usize = 50;

pub(super) struct FilesApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    /// What a proxy puts before our paths, without a slash at its end.
    pub path_prefix: String,
    pub max_upload_bytes: u64,
}

#[derive(Tags)]
pub(super) enum Tag {
    /// Create a file, send its bytes to the URL that comes back, and fetch it once it is available.
    Files,
}

#[derive(ApiResponse)]
enum Created {
    /// The file is known, and waits for its bytes: send them with `upload`. If the request came before
    /// with this `Idempotency-Key`, the record as it is now.
    #[oai(status = 201)]
    Created(
        Json<WireCreatedFile>,
        /// Where the file will be: 409 until its bytes have come, and then they.
        #[oai(header = "Location")]
        String,
        /// `rel="describedby"` is the record, and `rel="alternate"` a page for people, which can be passed
        /// on at once.
        #[oai(header = "Link")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Renewed {
    /// A fresh URL; the ones before go on working until they run out.
    #[oai(status = 200)]
    Upload(Json<WireRenewedUpload>),
}

#[derive(ApiResponse)]
enum Described {
    /// The record as it is now.
    #[oai(status = 200)]
    File(Json<WireFile>),
}

#[derive(ApiResponse)]
enum Completed {
    /// The record as it is now: `pending` if nothing has arrived, otherwise settled.
    #[oai(status = 200)]
    File(Json<WireFile>),
}

#[derive(ApiResponse)]
enum Redirect {
    /// The bytes are at `Location`, a URL that works for a few minutes.
    #[oai(status = 307)]
    Temporary(
        /// A presigned URL of exactly the bytes that were measured. Treat it as a secret.
        #[oai(header = "Location")]
        String,
        /// `private, no-store`: the URL is nobody else's, and soon of no use.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of files, newest first.
    #[oai(status = 200)]
    Page(
        Json<WirePage>,
        /// The next page, as `<…>; rel="next"`, if there is one.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The file is gone for good, and its bytes go too.
    #[oai(status = 204)]
    Gone,
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Files")]
impl FilesApi {
    /// Create a file
    ///
    /// Step one of an upload: says what is going to be sent. The answer has a presigned URL to send
    /// it to, straight to the object store, which takes exactly `size` bytes, once, until
    /// `upload.expiresAt`.
    ///
    /// Step two is the client's: `PUT` the bytes to `upload.url` with `upload.headers`. It goes to the
    /// store and not to this API, so it is no call of this document. To try it, execute the example below
    /// as it is, and paste this into a terminal with the `upload.url` of the answer as UPLOAD_URL:
    ///
    /// ```sh
    /// curl -X PUT --data-binary hello -H "content-type: text/plain" -H "if-none-match: *" "UPLOAD_URL"
    /// ```
    ///
    /// Until the bytes have come and were measured, the file is `pending`;
    /// `GET /v1/files/{id}/metadata?wait=20` answers when that is over.
    ///
    /// A program that can't send headers asks for a form instead, with `"uploadMethod": "POST"`. It is
    /// opt-in, since S3 can't be told to take a form only once: the one that comes last before the file is
    /// settled counts, and later ones change nothing. The URL of a PUT is good for one upload.
    ///
    /// A client that may have to send this request again, because an answer can get lost, marks it with
    /// an `Idempotency-Key` of its own. The same request with the same key gets the same file within a
    /// day, with a fresh URL while it is `pending` and without `upload` once it is settled.
    #[oai(path = "/files", method = "post", operation_id = "create_file")]
    async fn create_file(
        &self,
        request: &Request,
        /// A text of the client's own that is new for each file, such as the UUID
        /// `"8e03978e-40d5-43dd-bc93-6894a57f9324"`: visible ASCII, with or without quotes. Can be left
        /// empty. (draft-ietf-httpapi-idempotency-key-header)
        #[oai(name = "Idempotency-Key")]
        _idempotency_key: Header<Option<String>>,
        body: JsonBody<NewFileSchema>,
    ) -> Result<Created, ApiError<operation_errors::CreateFile>> {
        let key = idempotency_key(request.headers())?;
        let new = CreateFileBody::from(body.fields).judge(self.max_upload_bytes)?;
        let context = self.context(request);
        let CreatedFile { record, upload, .. } =
            self.service.create_file(&context, new, key).await?;
        traces::about(record.id);
        let (prefix, id) = (&self.path_prefix, record.id);
        let location = format!("{prefix}/v1/files/{id}");
        let links = format!(
            "<{location}/metadata>; rel=\"describedby\", <{prefix}/f/{id}>; rel=\"alternate\""
        );
        let body = WireCreatedFile {
            file: shown_to(&context, &record)?,
            upload: upload.map(Into::into),
        };
        Ok(Created::Created(Json(body), location, links))
    }

    /// Get a fresh upload URL
    ///
    /// For a file whose bytes haven't come yet, for instance because the first URL ran out. Some time
    /// after that the file is `expired`: then create another.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(
        path = "/files/:id/upload",
        method = "post",
        operation_id = "renew_upload"
    )]
    async fn renew_upload(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        /// `POST` gives a form; the default is `PUT`.
        #[oai(name = "uploadMethod")]
        upload_method: Query<Option<WireUploadMethod>>,
    ) -> Result<Renewed, ApiError<operation_errors::RenewUpload>> {
        let id = file_id(&id)?;
        let method = upload_method.0.map(Into::into).unwrap_or_default();
        let context = self.context(request);
        let upload = self.service.renew_upload(&context, id, method).await?;
        Ok(Renewed::Upload(Json(WireRenewedUpload {
            upload: upload.into(),
        })))
    }

    /// Say that the bytes were sent
    ///
    /// A client that has its 200 from the store can say so here, and needn't wait for the store's own
    /// notification: what arrived is measured now, and the answer is the record as it is then. A hint
    /// and no more, so it is safe to repeat, to leave out, and to lie in.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(
        path = "/files/:id/complete",
        method = "post",
        operation_id = "complete_upload"
    )]
    async fn complete_upload(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Completed, ApiError<operation_errors::CompleteUpload>> {
        let id = file_id(&id)?;
        let context = self.context(request);
        let record = self.service.complete_upload(&context, id).await?;
        Ok(Completed::File(Json(shown_to(&context, &record)?)))
    }

    /// Download a file
    ///
    /// Redirects to the bytes in the object store, so that they needn't go through this service;
    /// `curl -L`, browsers and this page follow by themselves, and then show the store's 200. The URL is
    /// fresh each time and works for a few minutes, so keep this address and not that one.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(path = "/files/:id", method = "get", operation_id = "download_file")]
    async fn download_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Redirect, ApiError<operation_errors::DownloadFile>> {
        self.redirect(request, &id, DownloadMethod::Get).await
    }

    /// Look at a download without its bytes
    ///
    /// Redirects to a URL that is presigned for HEAD, so that `curl -IL` works: size, type and name as
    /// the store has them, for whoever must know before fetching.
    #[oai(path = "/files/:id", method = "head", operation_id = "head_file")]
    async fn head_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Redirect, ApiError<operation_errors::DownloadFile>> {
        self.redirect(request, &id, DownloadMethod::Head).await
    }

    /// Describe a file
    ///
    /// Its name, size, SHA-256 and `status`. With `wait`, answers as soon as the file is no longer
    /// `pending`, or after that many seconds, and sooner where a service can't wait so long: ask so after sending the
    /// bytes, and again while it is `pending`.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(
        path = "/files/:id/metadata",
        method = "get",
        operation_id = "describe_file"
    )]
    async fn describe_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        /// How long to wait for the end of `pending`, in seconds.
        #[oai(validator(minimum(value = "0"), maximum(value = "20")))]
        wait: Query<Option<u32>>,
    ) -> Result<Described, ApiError<operation_errors::DescribeFile>> {
        let id = file_id(&id)?;
        let context = self.context(request);
        let record = match wait.0 {
            None | Some(0) => self.service.describe_file(&context, id).await?,
            Some(seconds) => {
                let wait = Duration::from_secs(seconds.into());
                let answer_by = request.extensions().get::<AnswerBy>();
                let wait = answer_by.map_or(wait, |answer_by| answer_by.cap(wait));
                self.service.await_file(&context, id, wait).await?
            }
        };
        Ok(Described::File(Json(shown_to(&context, &record)?)))
    }

    /// List files
    ///
    /// Newest first, `limit` at a time. For the next page give `nextCursor` as `cursor`, and the same
    /// `status` and `owner` as before, if any. A file that was there when the first page was asked for is on
    /// exactly one page, whatever is added meanwhile. A page may hold fewer files than asked for, even none,
    /// and still have a next one.
    ///
    /// Whoever signed in sees their own files; who runs the service, all of them. What was handed in to a box is in the
    /// list of the box, and in no list of its owner's before the box is ended; a list of all files has it from the beginning.
    #[oai(path = "/files", method = "get", operation_id = "list_files")]
    async fn list_files(
        &self,
        request: &Request,
        /// How many files a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
        /// Only files with this status.
        status: Query<Option<WireStatus>>,
        /// `all`: everybody's files, for administrators; your own, if it isn't given.
        owner: Query<Option<WireWhose>>,
    ) -> Result<Listed, ApiError<operation_errors::ListFiles>> {
        let status: Option<Status> = status.0.map(Into::into);
        let context = self.context(request);
        let whose = owner.0.map_or(Whose::Mine, Into::into);
        let filter = ListFilter {
            owner: whose.owner(&context.caller),
            status,
        };
        let before = match cursor.0.as_deref() {
            None | Some("") => None,
            Some(text) => Some(
                read_cursor(text, filter)
                    .map_err(|invalid| Code::InvalidRequest.with(format!("cursor: {invalid}")))?,
            ),
        };
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT);
        let wanted = PageRequest {
            owner: None,
            status,
            before,
            limit,
        };
        let page = self.service.list_files(&context, whose, wanted).await?;
        let next_cursor = page.next.map(|id| write_cursor(id, filter));
        let link = next_cursor.as_ref().map(|cursor| {
            let mut filter = status.map_or_else(String::new, |s| format!("&status={}", s.as_str()));
            if whose == Whose::All {
                filter.push_str("&owner=all");
            }
            format!(
                "<{}/v1/files?limit={limit}&cursor={cursor}{filter}>; rel=\"next\"",
                self.path_prefix
            )
        });
        let shown = |record| WireFile::for_caller(record, &context.caller);
        let body = WirePage {
            files: page.records.iter().filter_map(shown).collect(),
            next_cursor,
        };
        Ok(Listed::Page(Json(body), link))
    }

    /// Delete a file
    ///
    /// For good: nothing brings it back, and its bytes go too, in all their versions. A file that is held can't be
    /// deleted by anybody until those who run the service end its hold, and one with a `keepUntil` not before that.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(path = "/files/:id", method = "delete", operation_id = "delete_file")]
    async fn delete_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Deleted, ApiError<operation_errors::DeleteFile>> {
        let id = file_id(&id)?;
        self.service.delete_file(&self.context(request), id).await?;
        Ok(Deleted::Gone)
    }
}

impl FilesApi {
    fn context(&self, request: &Request) -> Context {
        context_of(request, &self.bucket)
    }

    async fn redirect(
        &self,
        request: &Request,
        id: &str,
        method: DownloadMethod,
    ) -> Result<Redirect, ApiError<operation_errors::DownloadFile>> {
        let id = file_id(id)?;
        let context = self.context(request);
        let url = self.service.download_file(&context, id, method).await?;
        Ok(Redirect::Temporary(
            url.expose().to_owned(),
            "private, no-store".into(),
        ))
    }
}

pub(super) fn shown_to(context: &Context, record: &FileRecord) -> Result<WireFile, Problem> {
    let file = WireFile::for_caller(record, &context.caller);
    file.ok_or_else(|| Code::FileNotFound.plain())
}

/// A text that is no ID names no file: the same answer as for an ID that nobody has.
pub(super) fn file_id(text: &str) -> Result<FileId, Problem> {
    FileId::parse(text).map_err(|_| Code::FileNotFound.plain())
}
