//! `PUT /v1/files/{id}/keep-until`: a file that has to be kept for longer.
//!
//! Invariant: thin, as all handlers are.

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::call_context::context_of;
use super::files::{Tag, file_id, shown_to};
use super::json::Json;
use super::json_body::{BodySchema, JsonBody, only_field};
use super::operation_errors::{self, ApiError};
use super::wire::WireFile;
use crate::domain::parse_timestamp;
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::service::FileService;

pub(super) struct RetentionApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
}

/// Until when a file is to be kept.
#[derive(Object)]
#[oai(rename = "NewKeepUntil", rename_all = "camelCase")]
#[allow(
    dead_code,
    reason = "describes the body in the contract; it is read by hand"
)]
pub(super) struct KeepUntilSchema {
    /// In RFC 3339: not before the file's `keepUntil`, and at most a hundred years from now.
    keep_until: String,
}

impl BodySchema for KeepUntilSchema {
    const DESCRIPTION: &'static str = "Until when the file is to be kept";
}

#[derive(ApiResponse)]
enum Kept {
    /// The file, which nobody can delete before then.
    #[oai(status = 200)]
    File(Json<WireFile>),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Files")]
impl RetentionApi {
    /// Have a file kept for longer
    ///
    /// For those who run the service: nobody can delete an available file before its `keepUntil`, nor does the service
    /// by itself. That can be moved forward, whether the file had one or not, and never back, by anybody.
    #[oai(
        path = "/files/:id/keep-until",
        method = "put",
        operation_id = "keep_file"
    )]
    async fn keep_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        body: JsonBody<KeepUntilSchema>,
    ) -> Result<Kept, ApiError<operation_errors::KeepFile>> {
        let id = file_id(&id)?;
        let context = context_of(request, &self.bucket);
        let what = "a time, in RFC 3339";
        let keep_until = only_field(body.fields, "keepUntil", what, parse_timestamp)?;
        let record = self.service.keep_file(&context, id, keep_until).await?;
        Ok(Kept::File(Json(shown_to(&context, &record)?)))
    }
}
