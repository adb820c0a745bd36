//! The door: verifies the signature, then lets the request through to what it is good for.
//!
//! Invariant: preflights apart, which do nothing, no request reaches the store unverified; what signs a
//! form is in its body, and verified where that is read. Every
//! answer has a request ID and the headers that let an allowed page read it, errors included.

use std::sync::Arc;
use std::time::Duration;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use tokio::sync::mpsc;

use super::get_object::get_object;
use super::header_value;
use super::post_object::{is_for_the_bucket, post_object};
use super::put_object::put_object;
use super::s3_error::S3Error;
use super::upload_body::UploadBody;
use super::upload_gate::UploadGate;
use crate::capacity::{Overloaded, Permits};
use crate::clock::Clock;
use crate::cors::{CorsPolicy, CorsRules};
use crate::domain::ObjectKey;
use crate::object_store::disk::DiskObjectStore;
use crate::presigned_url::{
    BucketAddress, BucketUrl, ReceivedRequest, Refusal, SigningCredentials, VerifiedRequest, verify,
};
use crate::request_host::{HostError, request_host};
use crate::request_log::{self, cut};
use crate::traces;

const X_AMZ_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
/// Of an object. A form goes to the bucket.
const METHODS: &str = "GET, HEAD, PUT";

/// Transfers at a time: half of the connections that the server has at the most. One may last for
/// minutes, and the other half is left to calls that don't.
pub(super) const MAX_TRANSFERS: usize = 2048;

const CORS: CorsRules = CorsRules {
    methods: "GET, HEAD, POST, PUT",
    // The last four are added to every request by what follows one through several services.
    request_headers: "content-type, if-none-match, x-amz-checksum-sha256, range, content-md5, \
                      traceparent, tracestate, baggage, sentry-trace",
    exposed_headers: "ETag, Content-Length, Content-Range, Content-Disposition, Retry-After, \
                      x-amz-request-id, x-amz-version-id",
};

/// For a download alone: see [`is_brought_by_a_redirect`].
const CORS_OF_DOWNLOADS: CorsRules = CorsRules {
    request_headers: "authorization, content-type, range, traceparent, tracestate, baggage, sentry-trace",
    ..CORS
};

/// What the endpoint needs to answer.
pub struct LocalStoreParts {
    /// Where the bytes are.
    pub objects: DiskObjectStore,
    /// The same as the presigner's, and so is the region.
    pub credentials: SigningCredentials,
    /// The region in what is signed.
    pub region: String,
    /// The first segment of every path.
    pub bucket_name: String,
    /// The address that URLs are signed for.
    pub bucket: BucketAddress,
    /// The longest that a URL may live: for PUT and forms, and for GET and HEAD.
    pub upload_lifetime: Duration,
    /// The longest that a URL for GET or HEAD may live.
    pub download_lifetime: Duration,
    /// Which pages of other origins may send and fetch bytes.
    pub cors: CorsPolicy,
    /// The clock that signatures are judged by.
    pub clock: Arc<dyn Clock>,
    /// Says whether an upload is still wanted once its bytes have come.
    pub gate: Arc<dyn UploadGate>,
    /// Takes the keys of what was stored, for the finalizer. A key that finds no room is left to
    /// the reconciler.
    pub uploaded: mpsc::Sender<ObjectKey>,
}

impl LocalStoreParts {
    /// Whether an operator set an address for clients, which is then a proxy's.
    fn is_behind_a_proxy(&self) -> bool {
        matches!(self.bucket, BucketAddress::Fixed(_))
    }
}

/// Meant for `/{bucket_name}` and everything below it.
pub struct LocalEndpoint {
    parts: Arc<LocalStoreParts>,
    transfers: Permits,
}

impl LocalEndpoint {
    /// An endpoint over these parts, with no transfer in hand.
    pub fn new(parts: LocalStoreParts) -> Self {
        Self {
            parts: Arc::new(parts),
            transfers: Permits::new(MAX_TRANSFERS),
        }
    }

    async fn answer(
        &self,
        request: &Request,
        body: &mut Option<UploadBody>,
    ) -> Result<Response, S3Error> {
        let parts = &self.parts;
        if request.method() == Method::OPTIONS {
            return self.preflight(request);
        }
        let object_path = self.object_path(request)?;
        if request.method() == Method::POST && is_for_the_bucket(request, object_path) {
            if request.extensions().get::<Overloaded>().is_some() {
                return Err(S3Error::slow_down());
            }
            let bucket = self.signed_bucket(request)?;
            return post_object(parts, &self.transfers, request.headers(), &bucket, body).await;
        }
        let key = object_path
            .strip_prefix('/')
            .and_then(|key| ObjectKey::parse(key).ok());
        // Before the clock is read: whoever finds no object from now on knows that one may come.
        let receiving = key
            .filter(|_| request.method() == Method::PUT)
            .map(|key| parts.objects.receiving(key));
        let verified = self.verify(request, object_path).await?;
        if request.extensions().get::<Overloaded>().is_some() {
            return Err(S3Error::slow_down());
        }
        if let Some(key) = &key {
            traces::about(key.file_id());
        }
        let permit = self.transfers.take().ok_or_else(S3Error::slow_down)?;
        let key = key.ok_or_else(S3Error::no_such_key)?;
        if let Some(receiving) = receiving {
            receiving.judged_at(verified.judged_at());
            let while_receiving = (permit, receiving);
            return put_object(
                parts,
                &verified,
                request.headers(),
                key,
                body,
                while_receiving,
            )
            .await;
        }
        match *request.method() {
            Method::GET | Method::HEAD => {
                get_object(&parts.objects, &verified, request, key, permit).await
            }
            _ => Err(S3Error::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
            .header(header::ALLOW, HeaderValue::from_static(METHODS))),
        }
    }

    /// What follows the bucket in the path, raw.
    fn object_path<'a>(&self, request: &'a Request) -> Result<&'a str, S3Error> {
        request
            .uri()
            .path()
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(self.parts.bucket_name.as_str()))
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .ok_or_else(|| {
                S3Error::new(
                    StatusCode::NOT_FOUND,
                    "NoSuchBucket",
                    "The specified bucket does not exist",
                )
            })
    }

    async fn verify(
        &self,
        request: &Request,
        object_path: &str,
    ) -> Result<VerifiedRequest, S3Error> {
        let parts = &self.parts;
        let uri = request.uri();
        let headers = request.headers();
        let bucket = self.signed_bucket(request)?;
        self.check_one_signature(request)?;
        let is_upload = request.method() == Method::PUT;
        let lifetime = match is_upload {
            true => parts.upload_lifetime,
            false => parts.download_lifetime,
        };
        let received = ReceivedRequest {
            method: request.method().as_str(),
            path_and_query: uri.path_and_query().map_or("/", |text| text.as_str()),
            headers,
        };
        let now = parts.clock.now();
        let verdict = verify(
            &received,
            &bucket,
            object_path,
            &parts.credentials,
            &parts.region,
            lifetime,
            now,
        )
        .await;
        // Without a length the signature can't match; that isn't what the client has to hear.
        let has_no_length = is_upload
            && (!headers.contains_key(header::CONTENT_LENGTH)
                || headers.contains_key(header::TRANSFER_ENCODING));
        match verdict {
            Ok(_) | Err(Refusal::SignatureMismatch) if has_no_length => {
                Err(S3Error::missing_content_length())
            }
            Ok(verified) => Ok(verified),
            Err(refusal) => Err(S3Error::from_refusal(refusal, now)),
        }
    }

    /// S3 takes a signature in the query or in `Authorization`, and refuses both. A proxy that stands before
    /// us may have asked for a password, which browsers then send along with everything.
    fn check_one_signature(&self, request: &Request) -> Result<(), S3Error> {
        let is_presigned = request
            .uri()
            .query()
            .is_some_and(|q| q.contains("X-Amz-Signature="));
        let is_for_the_proxy = |value: &HeaderValue| {
            let scheme = value.as_bytes().get(..6).unwrap_or_default();
            self.parts.is_behind_a_proxy() && scheme.eq_ignore_ascii_case(b"basic ")
        };
        let is_harmless = |value: &HeaderValue| {
            is_for_the_proxy(value) || is_brought_by_a_redirect(request.method(), value)
        };
        let mut sent = request.headers().get_all(header::AUTHORIZATION).iter();
        match is_presigned && !sent.all(is_harmless) {
            true => Err(S3Error::two_signatures()),
            false => Ok(()),
        }
    }

    /// The bucket as the request's URL was signed for, if it was signed here.
    fn signed_bucket(&self, request: &Request) -> Result<BucketUrl, S3Error> {
        let target = request.original_uri();
        let host = match request_host(request.headers(), target, request.version()) {
            // Nobody knows which one was meant, and only one is signed.
            Err(HostError::Several) => {
                let now = self.parts.clock.now();
                return Err(S3Error::from_refusal(Refusal::SignatureMismatch, now));
            }
            // What a proxy makes of it plays no part where an operator set the address.
            one_or_none => one_or_none.ok().flatten(),
        };
        self.parts.bucket.on(host.as_ref()).map_err(|_| no_host())
    }

    fn preflight(&self, request: &Request) -> Result<Response, S3Error> {
        let headers = request.headers();
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let rules = match asked.is_some_and(|method| method == "GET" || method == "HEAD") {
            true => &CORS_OF_DOWNLOADS,
            false => &CORS,
        };
        let allowed = self.parts.cors.preflight(rules, headers);
        let headers = allowed.ok_or_else(|| {
            S3Error::new(
                StatusCode::FORBIDDEN,
                "AccessForbidden",
                "CORSResponse: This CORS request is not allowed. The server's setting \
                 ALLOWED_ORIGINS has to name the page's origin.",
            )
        })?;
        let mut response = Response::default();
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

/// Whether it is what the API was shown: the redirect to the bytes leads to the API's own origin here, and clients
/// keep `Authorization` there, where they drop it on the way to S3. It counts for nothing. No redirect leads to an
/// upload, so a client that sends its token along with one is told of it, as S3 would.
fn is_brought_by_a_redirect(method: &Method, value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().get(..7).unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD) && scheme.eq_ignore_ascii_case(b"bearer ")
}

fn no_host() -> S3Error {
    S3Error::new(
        StatusCode::BAD_REQUEST,
        "InvalidRequest",
        "The Host header is missing, is no host, or is another than the request's target names",
    )
}

impl Endpoint for LocalEndpoint {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let request_id = format!("{:016X}", fastrand::u64(..));
        let mut body = Some(UploadBody::new(request.take_body()));
        let mut response = match self.answer(&request, &mut body).await {
            Ok(response) => response,
            Err(error) => {
                let method = request.method();
                request_log::REFUSED.log(|| {
                    let (code, method) = (error.code, cut(method.as_str()));
                    tracing::info!(code, %method, amz_request_id = request_id, "refused");
                });
                let with_body = method != Method::HEAD;
                let resource = request.uri().path();
                let mut response = error.into_response(resource, &request_id, with_body);
                if !drain_behind_the_answer(&request, body.take()) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(X_AMZ_REQUEST_ID, header_value(&request_id));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        self.parts.cors.decorate(&CORS, request.headers(), headers);
        Ok(response)
    }
}

/// Lets a client whose request was refused go on sending while it gets the answer. `false` if
/// nothing more can come on this connection: the body failed, or the client waits for
/// `100 Continue`, which it won't get.
fn drain_behind_the_answer(request: &Request, body: Option<UploadBody>) -> bool {
    let Some(body) = body else {
        return true;
    };
    let waits = request.headers().contains_key(header::EXPECT) && !body.has_begun();
    if waits || body.has_failed() {
        return false;
    }
    tokio::spawn(body.drain());
    true
}
