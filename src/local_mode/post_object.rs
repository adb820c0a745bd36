//! An upload by a form, for programs that can't send headers.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>. The fields come first,
//! and among them the policy and its signature; the file comes last, and S3 ignores what follows it.
//!
//! Invariant: no byte of the file is taken before the policy was verified, and before that no more is held
//! than [`MAX_FIELDS_BYTES`] and one chunk of the connection. What is stored went to its end: the form's
//! last boundary was there. Unlike in S3, a key that is taken answers 412, as it does to a PUT.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_xml::encode::XmlWriter;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use multer::{Field, Multipart};
use poem::http::{HeaderMap, StatusCode, header};
use poem::{Body, Request, Response};
use tokio::time::timeout;

use super::budgeted_stream::{Budget, BudgetError, BudgetedStream};
use super::endpoint::LocalStoreParts;
use super::put_object::{CHECKSUM, enqueue_finalize, in_a_task, log_refused};
use super::s3_error::S3Error;
use super::upload_body::UploadBody;
use super::upload_gate::if_wanted;
use super::{etag, header_value, insert_version};
use crate::capacity::Permits;
use crate::domain::{ObjectKey, Sha256Digest};
use crate::object_store::ObjectHead;
use crate::object_store::disk::{BodyError, CreateError};
use crate::presigned_url::{BucketUrl, ReceivedForm, verify_form};

/// The field with the bytes.
const FILE: &str = "file";
/// The most that may come before the file, names and boundaries included. S3 has the same limit.
const MAX_FIELDS_BYTES: usize = 20 * 1024;
/// More than twice the fields that there are.
const MAX_FIELDS: usize = 32;
/// How long the fields may take, as a header may.
const FIELDS_LIMIT: Duration = Duration::from_secs(20);

/// Whether this is a form, and not a presigned URL that is used for something else.
pub(super) fn is_for_the_bucket(request: &Request, object_path: &str) -> bool {
    matches!(object_path, "" | "/") && request.original_uri().query().is_none()
}

/// Takes `body` and puts it back with what was left unread.
pub(super) async fn post_object(
    parts: &Arc<LocalStoreParts>,
    transfers: &Permits,
    headers: &HeaderMap,
    bucket: &BucketUrl,
    body: &mut Option<UploadBody>,
) -> Result<Response, S3Error> {
    let boundary = boundary(headers)?;
    let Some(mut upload) = body.take() else {
        return Err(malformed());
    };
    let (task_parts, transfers) = (Arc::clone(parts), transfers.clone());
    let (outcome, upload) = in_a_task(async move {
        let outcome = receive(&task_parts, &transfers, &boundary, &mut upload).await;
        (outcome, upload)
    })
    .await?;
    *body = Some(upload);
    let stored = outcome?;
    Ok(created(&stored, bucket))
}

/// What the headers have to say before anything is read.
fn boundary(headers: &HeaderMap) -> Result<String, S3Error> {
    if headers.contains_key(header::TRANSFER_ENCODING)
        || !headers.contains_key(header::CONTENT_LENGTH)
    {
        return Err(S3Error::missing_content_length());
    }
    let unsigned: Vec<&str> = headers
        .keys()
        .map(header::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-"))
        .collect();
    if !unsigned.is_empty() {
        return Err(S3Error::access_denied(
            "There were headers present in the request which were not signed",
        )
        .detail("HeadersNotSigned", unsigned.join(", ")));
    }
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| multer::parse_boundary(text).ok())
        .ok_or_else(|| {
            S3Error::precondition_failed(
                "Bucket POST must be of the enclosure-type multipart/form-data",
            )
        })
}

struct Stored {
    key: ObjectKey,
    sha256: Option<Sha256Digest>,
    head: ObjectHead,
}

/// Reads the whole form. What it refuses leaves nothing.
async fn receive(
    parts: &LocalStoreParts,
    transfers: &Permits,
    boundary: &str,
    upload: &mut UploadBody,
) -> Result<Stored, S3Error> {
    let budget = Budget::new(MAX_FIELDS_BYTES);
    let budgeted = BudgetedStream::new(upload.chunks(), budget.clone());
    let mut form = Multipart::new(budgeted, boundary);
    let (fields, file) = timeout(FIELDS_LIMIT, fields(&mut form))
        .await
        .map_err(|_| S3Error::from_create(&CreateError::TooSlow))??;
    // Before the clock is read: whoever finds no object from now on knows that one may come.
    let key = fields.unverified_key();
    let receiving = key.map(|key| parts.objects.receiving(key));
    let now = parts.clock.now();
    let signed = verify_form(
        &fields,
        &parts.bucket_name,
        &parts.credentials,
        &parts.region,
        parts.upload_lifetime,
        now,
    )
    .await
    .map_err(|refusal| S3Error::from_form_refusal(refusal, now))?;
    let permit = transfers.take().ok_or_else(S3Error::slow_down)?;
    let (key, sha256, length) = (signed.key(), signed.sha256(), signed.length().bytes());
    if let Some(receiving) = &receiving {
        receiving.judged_at(signed.judged_at());
    }
    // How many there are is counted where they are stored.
    budget.set(usize::MAX);
    let mut why_not = None;
    let file = file_bytes(form, file, budget, &mut why_not);
    let file = if_wanted(&*parts.gate, key, file);
    let created = parts.objects.create_once(key, length, sha256, file).await;
    if created.is_ok() {
        enqueue_finalize(&parts.uploaded, key);
    }
    drop((permit, receiving));
    let head = created.map_err(|error| {
        log_refused(&error, key);
        match (&error, why_not) {
            (CreateError::TooShort { .. }, Some(unreadable)) => unreadable,
            (CreateError::TooShort { received }, None) => too_small(*received, length),
            (CreateError::TooLong, _) => S3Error::form_too_large(length),
            _ => S3Error::from_create(&error),
        }
    })?;
    Ok(Stored { key, sha256, head })
}

/// Everything before the file, and the file at its beginning.
async fn fields<'a>(form: &mut Multipart<'a>) -> Result<(ReceivedForm, Field<'a>), S3Error> {
    let mut fields = ReceivedForm::default();
    let mut left = MAX_FIELDS_BYTES;
    for _ in 0..MAX_FIELDS {
        let next = form.next_field().await.map_err(unreadable)?;
        let Some(mut field) = next else {
            return Err(S3Error::missing_field(FILE));
        };
        let name = field.name().ok_or_else(malformed)?.to_owned();
        if name == FILE {
            return Ok((fields, field));
        }
        left = left.checked_sub(name.len()).ok_or_else(too_much_before)?;
        let mut value = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(unreadable)? {
            left = left.checked_sub(chunk.len()).ok_or_else(too_much_before)?;
            value.extend_from_slice(&chunk);
        }
        let value = String::from_utf8(value).map_err(|_| malformed())?;
        if !fields.add(&name, value) {
            return Err(malformed().detail("ArgumentName", name));
        }
    }
    Err(too_much_before())
}

/// The file's bytes, and an error in place of their end if the form doesn't go to its own end behind them.
/// Why is put into `why_not`.
fn file_bytes<'s, 'f: 's>(
    form: Multipart<'f>,
    file: Field<'f>,
    budget: Budget,
    why_not: &'s mut Option<S3Error>,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 's {
    stream::unfold(
        (form, Some(file), why_not),
        move |(mut form, file, why_not)| {
            let budget = budget.clone();
            async move {
                let mut file = file?;
                let outcome = match file.next().await {
                    Some(Ok(chunk)) => return Some((Ok(chunk), (form, Some(file), why_not))),
                    Some(Err(error)) => Err(error),
                    None => {
                        drop(file);
                        budget.set(MAX_FIELDS_BYTES);
                        last_boundary(&mut form).await
                    }
                };
                let error = outcome.err()?;
                *why_not = Some(unreadable(error));
                Some((Err(BodyError::BrokenOff), (form, None, why_not)))
            }
        },
    )
}

/// A form's fields and its file, read as [`receive`] reads them; or the code of the error.
#[cfg(feature = "fuzzing")]
pub(crate) async fn read_form(
    body: impl Stream<Item = Bytes> + Send,
    boundary: &str,
) -> Result<(ReceivedForm, Vec<u8>), &'static str> {
    let budget = Budget::new(MAX_FIELDS_BYTES);
    let budgeted = BudgetedStream::new(body.map(Ok), budget.clone());
    let mut form = Multipart::new(budgeted, boundary);
    let (fields, file) = fields(&mut form).await.map_err(|error| error.code)?;
    budget.set(usize::MAX);
    let (mut why_not, mut bytes) = (None, Vec::new());
    {
        let mut file = std::pin::pin!(file_bytes(form, file, budget, &mut why_not));
        while let Some(Ok(chunk)) = file.next().await {
            bytes.extend_from_slice(&chunk);
        }
    }
    match why_not {
        Some(error) => Err(error.code),
        None => Ok((fields, bytes)),
    }
}

/// Reads over what follows the file.
async fn last_boundary(form: &mut Multipart<'_>) -> Result<(), multer::Error> {
    while let Some(mut ignored) = form.next_field().await? {
        while ignored.chunk().await?.is_some() {}
    }
    Ok(())
}

fn created(stored: &Stored, bucket: &BucketUrl) -> Response {
    let (etag, location) = (etag(&stored.head), bucket.object(stored.key));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut writer = XmlWriter::new(&mut text);
    let mut answer = writer.start_el("PostResponse").finish();
    for (name, content) in [
        ("Location", location.as_str()),
        ("Bucket", bucket.name()),
        ("Key", &stored.key.to_string()),
        ("ETag", &etag),
    ] {
        let mut element = answer.start_el(name).finish();
        element.data(content);
        element.finish();
    }
    answer.finish();
    let mut response = Response::builder()
        .status(StatusCode::CREATED)
        .content_type("application/xml")
        .header(header::LOCATION, location)
        .header(header::ETAG, etag);
    if let Some(digest) = stored.sha256 {
        response = response.header(CHECKSUM, header_value(&digest.to_base64()));
    }
    let mut response = response.body(Body::from_string(text));
    insert_version(response.headers_mut(), &stored.head);
    response
}

fn unreadable(error: multer::Error) -> S3Error {
    let multer::Error::StreamReadFailed(cause) = error else {
        return malformed();
    };
    match cause.downcast_ref::<BudgetError>() {
        Some(BudgetError::TooMuch) => too_much_before(),
        Some(BudgetError::Body(BodyError::TooSlow)) => S3Error::from_create(&CreateError::TooSlow),
        _ => S3Error::from_create(&CreateError::TooShort { received: 0 }),
    }
}

fn malformed() -> S3Error {
    S3Error::bad_request(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
    )
}

fn too_much_before() -> S3Error {
    S3Error::bad_request(
        "MaxPostPreDataLengthExceededError",
        "Your POST request fields preceding the upload file were too large.",
    )
}

fn too_small(received: u64, length: u64) -> S3Error {
    S3Error::bad_request(
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
    )
    .detail("ProposedSize", received.to_string())
    .detail("MinSizeAllowed", length.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::cors::CorsPolicy;
    use crate::local_mode::SigningSecret;
    use crate::object_store::disk::DiskObjectStore;
    use crate::presigned_url::BucketAddress;

    #[tokio::test(start_paused = true)]
    async fn a_form_whose_fields_come_slowly_is_not_waited_for_and_holds_no_permit() {
        let data_dir = tempfile::tempdir().unwrap();
        let objects = DiskObjectStore::open(data_dir.path()).unwrap();
        let secret = SigningSecret::load_or_create(data_dir.path()).unwrap();
        let lifetime = Duration::from_secs(900);
        let parts = LocalStoreParts {
            objects,
            credentials: secret.credentials(),
            region: "local".into(),
            bucket_name: "a-bucket".into(),
            bucket: BucketAddress::RequestHost {
                bucket: "a-bucket".into(),
            },
            upload_lifetime: lifetime,
            download_lifetime: lifetime,
            cors: CorsPolicy::default(),
            clock: Arc::new(SystemClock),
            gate: Arc::new(crate::local_mode::EveryUpload),
            uploaded: tokio::sync::mpsc::channel(1).0,
        };
        let transfers = Permits::new(1);
        // Fast enough for the body of a PUT.
        let chunks = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![b'-'; 500])), ()))
        });
        let mut upload = UploadBody::new(Body::from_bytes_stream(chunks));
        let started = tokio::time::Instant::now();
        let receiving = receive(&parts, &transfers, "boundary", &mut upload);
        let mut receiving = std::pin::pin!(receiving);
        assert!(timeout(FIELDS_LIMIT / 2, &mut receiving).await.is_err());
        assert!(!transfers.are_taken());
        let error = receiving.await.err().unwrap();
        assert_eq!(error.code, "RequestTimeout");
        assert_eq!(started.elapsed(), FIELDS_LIMIT);
    }

    #[tokio::test]
    async fn a_form_without_a_boundary_is_not_collected_for_ever() {
        let garbage = stream::repeat_with(|| Ok(Bytes::from(vec![b'-'; 1024])));
        let budgeted = BudgetedStream::new(garbage, Budget::new(MAX_FIELDS_BYTES));
        let mut form = Multipart::new(budgeted, "boundary");
        let error = fields(&mut form).await.map(drop).unwrap_err();
        assert_eq!(error.code, "MaxPostPreDataLengthExceededError");
    }
}
