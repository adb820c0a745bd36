//! `PUT` and `DELETE /v1/files/{id}/hold`: a file that stays, whoever wants it gone.
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
use crate::domain::HoldReason;
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::service::FileService;

pub(super) struct HoldsApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
}

/// Why a file is held.
#[derive(Object)]
#[oai(rename = "NewHold", rename_all = "camelCase")]
#[allow(
    dead_code,
    reason = "describes the body in the contract; it is read by hand"
)]
pub(super) struct HoldSchema {
    /// For those who run the service, such as the number of a case: one line of 1 to 500 characters. The owner of the
    /// file doesn't see it.
    reason: String,
}

impl BodySchema for HoldSchema {
    const DESCRIPTION: &'static str = "Why the file is held";
}

#[derive(ApiResponse)]
enum Held {
    /// The file, which nobody can delete now.
    #[oai(status = 200)]
    File(Json<WireFile>),
}

#[derive(ApiResponse)]
enum Released {
    /// The file isn't held any more.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Files")]
impl HoldsApi {
    /// Hold a file
    ///
    /// For those who run the service: from now on nobody can delete it, nor does the service by itself when its
    /// `deleteAfter` comes, until the hold is ended. It can be downloaded as ever. A file that is still `pending` may be
    /// held too; if it is rejected or expires, there is nothing to hold, and its hold is over.
    ///
    /// Doing it again with another reason gives the hold that reason.
    #[oai(path = "/files/:id/hold", method = "put", operation_id = "hold_file")]
    async fn hold_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        body: JsonBody<HoldSchema>,
    ) -> Result<Held, ApiError<operation_errors::HoldFile>> {
        let id = file_id(&id)?;
        let context = context_of(request, &self.bucket);
        let why = "why the file is held";
        let reason = only_field(body.fields, "reason", why, HoldReason::given)?;
        let record = self.service.hold_file(&context, id, reason).await?;
        Ok(Held::File(Json(shown_to(&context, &record)?)))
    }

    /// End a hold
    ///
    /// For those who run the service. What was to be deleted meanwhile, because its `deleteAfter` came, is deleted
    /// within an hour. Doing it again changes nothing.
    #[oai(
        path = "/files/:id/hold",
        method = "delete",
        operation_id = "release_file"
    )]
    async fn release_file(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Released, ApiError<operation_errors::ReleaseFile>> {
        let id = file_id(&id)?;
        let context = context_of(request, &self.bucket);
        self.service.release_file(&context, id).await?;
        Ok(Released::Done)
    }
}
