//! A request's JSON body, read within limits of size and time.
//!
//! Invariant: nobody holds a connection or memory by what they send or don't send as a body.
//!
//! Absent on purpose: what the fields mean. Each call judges its own.

use std::marker::PhantomData;
use std::time::Duration;

use futures_util::StreamExt;
use poem::http::header;
use poem::{Body, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::json_text::json_object;
use super::problem::{Code, FieldError, Problem};
use crate::domain::Invalid;

/// The most bytes that a JSON body may have: a name of 255 bytes and a media type, escaped at the
/// worst, with room to spare.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// The longest that its body may take, so that nobody holds a connection by not sending one.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

fn too_large_body() -> Problem {
    Code::ContentTooLarge.with(format!("the body may have at most {MAX_BODY_BYTES} bytes"))
}

/// The body's bytes, if there are no more than [`MAX_BODY_BYTES`]. poem's own way of reading so many
/// clears a buffer of 4 KiB for each part, and most bodies have a hundred bytes.
async fn read_within_limit(body: Body) -> Result<Vec<u8>, Problem> {
    let mut parts = body.into_bytes_stream();
    let mut bytes = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Code::InvalidRequest.with("the body broke off"))?;
        if bytes.len() + part.len() > MAX_BODY_BYTES {
            return Err(too_large_body());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Reads a JSON object of a bounded size.
///
/// # Errors
/// Another media type, a body that is too large, too slow or breaks off, and what is no JSON object.
async fn read_json(
    request: &Request,
    body: &mut RequestBody,
    is_required: bool,
) -> Result<Map<String, Value>, Problem> {
    if !is_required && request.content_type().is_none() {
        let body = body.take().unwrap_or_else(|_| Body::empty());
        return match read_body(request, body).await?.is_empty() {
            true => Ok(Map::new()),
            false => Err(Code::UnsupportedMediaType.plain()),
        };
    }
    let is_json = request
        .content_type()
        .and_then(|text| text.parse::<mime::Mime>().ok())
        .is_some_and(|mime| mime.type_() == mime::APPLICATION && mime.subtype() == mime::JSON);
    if !is_json {
        return Err(Code::UnsupportedMediaType.plain());
    }
    let body = body.take().unwrap_or_else(|_| Body::empty());
    json_object(&read_body(request, body).await?)
}

/// Reads a body of a bounded size in a bounded time.
///
/// # Errors
/// One that is too large, too slow or breaks off.
pub(super) async fn read_body(request: &Request, body: Body) -> Result<Vec<u8>, Problem> {
    // Nobody needs to send, or not send, what is refused anyway.
    let announced: Option<usize> = request
        .header(header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large_body());
    }
    timeout(BODY_TIMEOUT, read_within_limit(body))
        .await
        .unwrap_or_else(|_| Err(Code::InvalidRequest.with("the body came too slowly")))
}

/// The one field of a body; what isn't right is named all at once.
///
/// # Errors
/// It is missing, no text or not as it has to be, or there are others.
pub(super) fn only_field<T>(
    mut fields: Map<String, Value>,
    field: &'static str,
    what: &str,
    read: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<T, Problem> {
    let value = match fields.remove(field) {
        Some(Value::String(text)) => read(&text),
        // As everywhere: null is the same as left out.
        None | Some(Value::Null) => Err(Invalid(format!("is required: {what}"))),
        Some(_) => Err(Invalid("must be a string".into())),
    };
    let mut errors = Vec::new();
    if !fields.is_empty() {
        errors.push(FieldError {
            field: "(unknown)",
            message: format!("there are fields besides {field}"),
        });
    }
    match value {
        Ok(value) if errors.is_empty() => return Ok(value),
        Ok(_) => {}
        Err(Invalid(message)) => errors.push(FieldError { field, message }),
    }
    Err(Problem::fields(Code::InvalidRequest, errors))
}

/// What the contract says of a body whose fields are read by hand.
pub(super) trait BodySchema: Type + Send {
    /// What the body is.
    const DESCRIPTION: &'static str;
    /// Whether a request without a body, and without a type of one, is refused; else it has no fields.
    const IS_NEEDED: bool = true;
}

/// A body as it came, an object and no more: what its fields may be is judged by whoever asked for it.
pub(super) struct JsonBody<S> {
    pub fields: Map<String, Value>,
    schema: PhantomData<S>,
}

impl<'a, S: BodySchema> ApiExtractor<'a> for JsonBody<S> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        S::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some(S::DESCRIPTION),
            content: vec![MetaMediaType {
                content_type: "application/json",
                schema: S::schema_ref(),
            }],
            required: S::IS_NEEDED,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self {
            fields: read_json(request, body, S::IS_NEEDED).await?,
            schema: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
        let request = Request::builder().content_type("application/json").finish();
        let beginning = futures_util::stream::once(async {
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"{"))
        });
        let mut body = RequestBody::new(Body::from_bytes_stream(
            beginning.chain(futures_util::stream::pending()),
        ));
        let started = tokio::time::Instant::now();
        let problem = read_json(&request, &mut body, true).await.unwrap_err();
        assert_eq!(problem.code, Code::InvalidRequest);
        assert_eq!(started.elapsed(), BODY_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_says_it_is_too_large_is_not_waited_for() {
        for length in ["16385", "999999999999999999"] {
            let request = Request::builder()
                .content_type("application/json")
                .header("content-length", length)
                .finish();
            let never = futures_util::stream::pending::<std::io::Result<bytes::Bytes>>();
            let mut body = RequestBody::new(Body::from_bytes_stream(never));
            let started = tokio::time::Instant::now();
            let problem = read_json(&request, &mut body, true).await.unwrap_err();
            assert_eq!(problem.code, Code::ContentTooLarge);
            assert_eq!(started.elapsed(), Duration::ZERO);
        }
    }
}
