//! A presigned GET or HEAD, once its signature was verified.
//!
//! Invariant: what people uploaded never runs as a page of this origin: every answer has `nosniff`
//! and a policy that puts it into a sandbox, whatever type and disposition the URL asks for.

use futures_util::TryStreamExt;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::web::headers::{HeaderMapExt, LastModified};
use poem::{Body, Request, Response};

use super::range::{Condition, Part, Validators};
use super::s3_error::S3Error;
use super::{etag, header_value, insert_version};
use crate::capacity::Permit;
use crate::domain::{ObjectKey, VersionId};
use crate::object_store::disk::{DiskObjectStore, OpenObject, Wanted};
use crate::presigned_url::{NULL_VERSION, VerifiedRequest};
use crate::request_log;

/// What S3 answers with where nothing else is known.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";
/// A presigned URL is one person's: no shared cache, and nothing left on a shared machine.
const CACHE_CONTROL: &str = "private, no-store";
const CONTENT_SECURITY_POLICY: &str = "sandbox; default-src 'none'";

/// Keeps `permit` until the body has been taken.
pub(super) async fn get_object(
    objects: &DiskObjectStore,
    verified: &VerifiedRequest,
    request: &Request,
    key: ObjectKey,
    permit: Permit,
) -> Result<Response, S3Error> {
    let version = match verified.param("versionId") {
        None => Wanted::Current,
        // What S3 calls the version of an object from before there were versions.
        Some(NULL_VERSION) => Wanted::Unversioned,
        Some(version) => Wanted::Version(VersionId(version.to_owned())),
    };
    let missing = match version {
        Wanted::Current => S3Error::no_such_key(),
        _ => S3Error::no_such_version(),
    };
    let object = objects
        .open_object(key, version)
        .await
        .map_err(|error| {
            request_log::FAILED.log(|| {
                tracing::error!(error = error.chain(), %key, "an object could not be opened");
            });
            S3Error::from_store(&error)
        })?
        .ok_or(missing)?;
    let etag = etag(object.head());
    let validators = Validators::of(object.head(), &etag);
    let mut response = match validators.condition(request.headers()) {
        Condition::Failed(header) => return Err(S3Error::precondition_failed(header)),
        Condition::NotModified => StatusCode::NOT_MODIFIED.into(),
        Condition::Holds => {
            let mut response = content(&object, key, &validators, request, permit)?;
            let headers = response.headers_mut();
            let content_type = verified.param("response-content-type");
            let content_type = content_type.unwrap_or(DEFAULT_CONTENT_TYPE);
            headers.insert(header::CONTENT_TYPE, from_query(content_type)?);
            if let Some(disposition) = verified.param("response-content-disposition") {
                headers.insert(header::CONTENT_DISPOSITION, from_query(disposition)?);
            }
            response
        }
    };
    describe(response.headers_mut(), &object, &etag);
    Ok(response)
}

/// The bytes, all of them or the range that is asked for; no bytes for HEAD.
fn content(
    object: &OpenObject,
    key: ObjectKey,
    validators: &Validators,
    request: &Request,
    permit: Permit,
) -> Result<Response, S3Error> {
    let length = object.head().content_length;
    let (status, range) = match validators.part(request.headers(), length) {
        Part::Whole => (StatusCode::OK, 0..length),
        Part::Range(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Unsatisfiable => {
            let range = request.headers().get(header::RANGE);
            let range = range.and_then(|value| value.to_str().ok());
            return Err(S3Error::invalid_range(range.unwrap_or_default(), length));
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_LENGTH, range.end - range.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!(
            "bytes {}-{}/{length}",
            range.start,
            range.end.saturating_sub(1)
        );
        response = response.header(header::CONTENT_RANGE, header_value(&shown));
    }
    Ok(response.body(if request.method() == Method::HEAD {
        Body::empty()
    } else {
        Body::from_bytes_stream(object.body(range).map_err(move |error| {
            // Goes with the body, and is given back with it.
            let _permit = &permit;
            // The connection is cut, since the status has been sent.
            request_log::FAILED.log(|| {
                tracing::error!(error = error.chain(), %key, "an object could not be read to its end");
            });
            std::io::Error::other("the object can't be read")
        }))
    }))
}

fn describe(headers: &mut HeaderMap, object: &OpenObject, etag: &str) {
    headers.insert(header::ETAG, header_value(etag));
    insert_version(headers, object.head());
    let last_modified = std::time::SystemTime::from(object.head().last_modified);
    headers.typed_insert(LastModified::from(last_modified));
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn from_query(text: &str) -> Result<HeaderValue, S3Error> {
    HeaderValue::from_str(text).map_err(|_| invalid_argument("Not a value for a header"))
}

fn invalid_argument(message: &'static str) -> S3Error {
    S3Error::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}
