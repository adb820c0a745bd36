//! The calls about receipts: that of a file, and the keys that verify all of them.
//!
//! Invariant: the keys are anybody's, who needs no leave of the service to verify what it signed; a receipt is its
//! file's owner's, who passes it on.

use std::sync::Arc;

use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::param::Path;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use serde::Serialize;

use super::call_context::context_of;
use super::files::file_id;
use super::json::Json;
use super::operation_errors::{self, ApiError};
use super::problem::Code;
use super::public_urls::ServiceUrl;
use crate::own_paths;
use crate::presigned_url::BucketAddress;
use crate::receipt::{PublicKey, ReceiptKeys};
use crate::service::FileService;

/// How long a key may be known of before a new list is asked for. Keys come long before they sign, or with a restart.
const KEYS_CACHE_CONTROL: &str = "public, max-age=300";
/// RFC 7515, section 9.2.1.
const JOSE: &str = "application/jose";

pub(super) struct ReceiptsApi {
    pub service: Arc<FileService>,
    pub keys: Arc<ReceiptKeys>,
    pub service_url: ServiceUrl,
    pub bucket: BucketAddress,
}

#[derive(Tags)]
enum Tag {
    /// Show others what arrived and when, signed by the service.
    Receipts,
}

/// A public key, as a JWK (RFC 7517, RFC 8037).
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "ReceiptKey")]
pub(super) struct WireReceiptKey {
    /// The kind of key: `OKP`.
    pub kty: String,
    /// The curve: `Ed25519`.
    pub crv: String,
    /// The key itself, as base64url.
    pub x: String,
    /// What names it in the header of a receipt: its thumbprint (RFC 7638).
    pub kid: String,
    /// What it is for: `sig`.
    #[oai(rename = "use")]
    #[serde(rename = "use")]
    pub usage: String,
    /// By what it signs: `Ed25519` (RFC 9864).
    pub alg: String,
}

impl From<&PublicKey> for WireReceiptKey {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: key.kty.to_owned(),
            crv: key.crv.to_owned(),
            x: key.x.clone(),
            kid: key.kid.clone(),
            usage: key.usage.to_owned(),
            alg: key.alg.to_owned(),
        }
    }
}

/// The keys that verify receipts, as a JWK Set (RFC 7517).
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "ReceiptKeys")]
pub(super) struct WireReceiptKeys {
    /// The first signs; those behind it did, or will. None where the service signs no receipts.
    pub keys: Vec<WireReceiptKey>,
}

/// A compact JWS in an answer.
struct Jose(String);

impl Payload for Jose {
    const CONTENT_TYPE: &'static str = JOSE;

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }

    fn register(registry: &mut Registry) {
        String::register(registry);
    }
}

impl IntoResponse for Jose {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        let content_type = HeaderValue::from_static(JOSE);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        response.set_body(Body::from(self.0));
        response
    }
}

#[derive(ApiResponse)]
enum Issued {
    /// The receipt: header, payload and signature as base64url, with dots in between. The payload has `iss` (the
    /// service), `jti` (the file's `id`), `displayName`, `size`, `sha256`, `uploadedAt` and `iat` (when the receipt was
    /// signed). That of a file that was handed in has `submitter` (anybody can type a name, unless there is a
    /// `submitterId` beside it) and, while the box is there, `box` (its `id`), `title` and, if there was a time to be
    /// there by, `dueAt` and `late`. There may be other fields one day.
    #[oai(status = 200)]
    Receipt(Jose),
}

#[derive(ApiResponse)]
enum Published {
    /// The keys. Look again where a receipt names one that isn't among them.
    #[oai(status = 200)]
    Keys(
        Json<WireReceiptKeys>,
        /// `public`: the keys are everybody's, and change rarely.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Receipts")]
impl ReceiptsApi {
    /// Get the receipt of a file
    ///
    /// What the service measured of an available file and when it had it, signed: a compact JWS (RFC 7515) of type
    /// `file-share-receipt+jwt` by Ed25519. Whoever has it can verify it with the keys of `GET /v1/receipts/keys` and
    /// any JOSE library, without an account, and also where the service is out of reach; `fshare verify` and the page
    /// of a file do it too.
    ///
    /// The `id` is in the answer that created the file, and in the list.
    #[oai(
        path = "/files/:id/receipt",
        method = "get",
        operation_id = "issue_receipt"
    )]
    async fn issue_receipt(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
    ) -> Result<Issued, ApiError<operation_errors::IssueReceipt>> {
        let id = file_id(&id)?;
        let issuer = self.service_url.for_request(request);
        let issuer = issuer.map_err(|invalid| Code::InvalidRequest.with(invalid.0))?;
        let context = context_of(request, &self.bucket);
        let receipt = self.service.issue_receipt(&context, id, &issuer).await?;
        Ok(Issued::Receipt(Jose(receipt.into_text())))
    }

    /// Get the keys that verify receipts
    ///
    /// For everybody, whoever has a receipt. Keep them beside receipts that have to be verified without the service.
    #[oai(
        path = "/receipts/keys",
        method = "get",
        operation_id = "list_receipt_keys"
    )]
    async fn list_receipt_keys(
        &self,
    ) -> Result<Published, ApiError<operation_errors::ListReceiptKeys>> {
        let keys = self.keys.published().map(Into::into).collect();
        Ok(Published::Keys(
            Json(WireReceiptKeys { keys }),
            KEYS_CACHE_CONTROL.to_owned(),
        ))
    }
}
