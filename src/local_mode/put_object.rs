//! A presigned PUT, once its signature was verified.
//!
//! Invariant: 200 means that exactly the declared bytes are on disk under a name that was free, and
//! will be there after a power cut. Only then is the key handed to the finalizer.

use std::sync::Arc;

use poem::http::{HeaderMap, HeaderName, StatusCode, header};
use poem::{Body, Response};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::content_md5::{ContentMd5, checked};
use super::endpoint::LocalStoreParts;
use super::s3_error::S3Error;
use super::upload_body::UploadBody;
use super::upload_gate::if_wanted;
use super::{etag, header_value, insert_version};
use crate::capacity::Permit;
use crate::domain::{MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest};
use crate::object_store::disk::{CreateError, Receiving};
use crate::presigned_url::{CHECKSUM_HEADER, VerifiedRequest};
use crate::request_log;

pub(super) const CHECKSUM: HeaderName = HeaderName::from_static(CHECKSUM_HEADER);

/// What the headers say of the bytes to come.
#[derive(Clone, Copy)]
struct Declared {
    length: u64,
    sha256: Option<Sha256Digest>,
    md5: Option<ContentMd5>,
}

impl Declared {
    /// All of it is signed, but for the MD5, which finds accidents alone.
    fn read(request: &VerifiedRequest, headers: &HeaderMap) -> Result<Self, S3Error> {
        let length: u64 = request
            .header(header::CONTENT_LENGTH.as_str())
            .and_then(|length| length.parse().ok())
            .ok_or_else(S3Error::missing_content_length)?;
        if length > MAX_CONTENT_LENGTH {
            return Err(S3Error::new(
                StatusCode::BAD_REQUEST,
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed object size",
            )
            .detail("ProposedSize", length.to_string())
            .detail("MaxSizeAllowed", MAX_CONTENT_LENGTH.to_string()));
        }
        if request.header(header::IF_NONE_MATCH.as_str()) != Some("*") {
            return Err(S3Error::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                "If-None-Match must be * in a PUT",
            ));
        }
        let sha256 = request
            .header(CHECKSUM_HEADER)
            .map(Sha256Digest::parse_base64)
            .transpose()
            .map_err(|_| S3Error::invalid_checksum())?;
        let md5 = ContentMd5::read(headers)?;
        Ok(Self {
            length,
            sha256,
            md5,
        })
    }
}

/// Keeps `while_receiving` until the bytes are there. Takes `body` and puts it back with what was left unread.
pub(super) async fn put_object(
    parts: &Arc<LocalStoreParts>,
    request: &VerifiedRequest,
    headers: &HeaderMap,
    key: ObjectKey,
    body: &mut Option<UploadBody>,
    while_receiving: (Permit, Receiving),
) -> Result<Response, S3Error> {
    let declared = Declared::read(request, headers)?;
    let Some(mut upload) = body.take() else {
        return Err(S3Error::from_create(&CreateError::TooShort { received: 0 }));
    };
    let parts = Arc::clone(parts);
    // A task of its own: if the client goes away between the last byte and the answer, the object is
    // there, and the finalizer has to hear of it all the same. Before that, the body breaks off.
    let receiving = async move {
        let Declared {
            length,
            sha256,
            md5,
        } = declared;
        let bytes = checked(upload.chunks(), md5);
        let bytes = if_wanted(&*parts.gate, key, bytes);
        let created = parts.objects.create_once(key, length, sha256, bytes).await;
        if created.is_ok() {
            enqueue_finalize(&parts.uploaded, key);
        }
        drop(while_receiving);
        (created, upload)
    };
    let (created, upload) = in_a_task(receiving).await?;
    *body = Some(upload);
    let head = created.map_err(|error| {
        log_refused(&error, key);
        S3Error::from_create(&error)
    })?;
    let mut response = Response::builder().header(header::ETAG, etag(&head));
    if let Some(digest) = declared.sha256 {
        response = response.header(CHECKSUM, header_value(&digest.to_base64()));
    }
    let mut response = response.body(Body::empty());
    insert_version(response.headers_mut(), &head);
    Ok(response)
}

/// Goes on to its end if the client goes away meanwhile.
pub(super) async fn in_a_task<T: Send + 'static>(
    receiving: impl Future<Output = T> + Send + 'static,
) -> Result<T, S3Error> {
    tokio::spawn(receiving.in_current_span())
        .await
        .map_err(|panicked| {
            tracing::error!(%panicked, "an upload ended with a panic");
            S3Error::internal()
        })
}

pub(super) fn log_refused(error: &CreateError, key: ObjectKey) {
    match error {
        CreateError::Store(error) => {
            request_log::FAILED.log(|| {
                tracing::error!(error = error.chain(), %key, "an upload could not be stored");
            });
        }
        refused => request_log::REFUSED.log(|| {
            tracing::info!(%refused, %key, "an upload was refused");
        }),
    }
}

/// Never waits: the client's answer doesn't depend on how busy the finalizer is.
pub(super) fn enqueue_finalize(uploaded: &mpsc::Sender<ObjectKey>, key: ObjectKey) {
    if let Err(error) = uploaded.try_send(key) {
        request_log::FAILED.log(|| {
            tracing::warn!(%error, %key, "an upload was not handed to the finalizer; the reconciler will find it");
        });
    }
}
