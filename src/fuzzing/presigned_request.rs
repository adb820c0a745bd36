//! No request is let through but the one that was signed.

use std::borrow::Cow;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use percent_encoding::percent_decode_str;
use tokio::runtime::Runtime;

use super::Input;
use crate::domain::{
    ContentLength, ContentType, DisplayName, FileId, FileName, MAX_CONTENT_LENGTH, ObjectKey,
    Sha256Digest, Timestamp, from_millis,
};
use crate::presigned_url::{
    BucketUrl, CHECKSUM_HEADER, DownloadMethod, DownloadTerms, Presigner, ReceivedRequest, Refusal,
    SigningCredentials, UPLOAD_SIGNED_HEADERS, UploadTerms, verify,
};

pub(super) const REGION: &str = "local";
pub(super) const BUCKET: &str = "a-bucket";
pub(super) const HOST: &str = "files.example.org:8000";
const SIGNED_AT_MILLIS: i64 = 1_790_000_000_000;
pub(super) const LIFETIME: Duration = Duration::from_secs(900);
/// How far ahead of the verifier's clock a signer's may be.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// A request as it is received.
#[derive(Clone, Debug)]
struct Request {
    method: Method,
    target: PathAndQuery,
    headers: HeaderMap,
    at: Timestamp,
}

impl Request {
    /// What the local endpoint would say.
    fn verdict(&self, credentials: &SigningCredentials) -> Option<Result<(), Refusal>> {
        let host = self.headers.get("host")?.to_str().ok()?;
        let bucket = BucketUrl::on_host(host, BUCKET).ok()?;
        let object_path = self
            .target
            .path()
            .strip_prefix('/')?
            .strip_prefix(BUCKET)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let received = ReceivedRequest {
            method: self.method.as_str(),
            path_and_query: self.target.as_str(),
            headers: &self.headers,
        };
        let verdict = verify(
            &received,
            &bucket,
            object_path,
            credentials,
            REGION,
            LIFETIME,
            self.at,
        );
        Some(now(verdict).map(drop))
    }

    /// Method, target, then headers, a line each; `None` if HTTP has no such request.
    fn read(text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let method = Method::from_bytes(lines.next()?).ok()?;
        let target = PathAndQuery::try_from(lines.next()?).ok()?;
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = header_line(line)?;
            headers.append(name, value);
        }
        let at = signed_at();
        Some(Self {
            method,
            target,
            headers,
            at,
        })
    }
}

fn header_line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}

/// With fixed credentials there is nothing to wait for; but time-outs want a runtime.
pub(super) fn now<T>(ready: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O");
    }
    RUNTIME.with(|runtime| runtime.block_on(ready))
}

pub(super) fn signed_at() -> Timestamp {
    from_millis(SIGNED_AT_MILLIS).unwrap_or_default()
}

pub(super) fn credentials() -> SigningCredentials {
    SigningCredentials::fixed("local", "a secret that nobody guesses")
}

/// Any request at all, made without the secret: never let through.
pub(super) fn forged(data: &[u8]) {
    if let Some(verdict) = Request::read(data).and_then(|request| request.verdict(&credentials())) {
        assert!(verdict.is_err(), "a forged request was let through");
    }
}

/// A signed request with one thing changed: let through if and only if it still says the same.
///
/// First byte: which request. Second: what changes; third and fourth: where; the rest: into what.
pub(super) fn mutated(data: &[u8]) {
    let mut input = Input(data);
    let which = usize::from(input.byte()) % KINDS;
    let original = ORIGINALS.with(|originals| originals[which].clone());
    let change = input.byte();
    let position = usize::from(u16::from_le_bytes(input.array()));
    let Some(request) = mutate(original.clone(), change, position, input.rest()) else {
        return;
    };
    let let_through = request.verdict(&credentials()) == Some(Ok(()));
    if let_through {
        assert_same(&original, &request);
    } else {
        let untouched = request.method == original.method
            && request.target == original.target
            && request.headers == original.headers
            && request.at == original.at;
        assert!(!untouched, "what was signed was refused");
    }
}

fn mutate(mut request: Request, change: u8, position: usize, into: &[u8]) -> Option<Request> {
    let names: Vec<HeaderName> = request.headers.keys().cloned().collect();
    let name = names[position % names.len()].clone();
    match change % 9 {
        0 => {}
        1 => request.method = Method::from_bytes(into).ok()?,
        // Some of the target, one byte more than the length of what takes its place at the most.
        2 => {
            let mut target = request.target.as_str().as_bytes().to_vec();
            let at = position % (target.len() + 1);
            let (removed, added) = into.split_first()?;
            let end = target.len().min(at + usize::from(*removed) % 8);
            target.splice(at..end, added.iter().copied());
            request.target = PathAndQuery::try_from(target.as_slice()).ok()?;
        }
        3 => {
            let value = HeaderValue::from_bytes(into.trim_ascii()).ok()?;
            request.headers.insert(name, value);
        }
        4 => {
            request.headers.remove(name);
        }
        5 => {
            let value = HeaderValue::from_bytes(into.trim_ascii()).ok()?;
            request.headers.append(name, value);
        }
        6 => {
            let (name, value) = header_line(into)?;
            request.headers.append(name, value);
        }
        7 => {
            let millis = i64::from_le_bytes(Input(into).array());
            request.at = from_millis(SIGNED_AT_MILLIS.checked_add(millis)?)?;
        }
        // Two parameters of the query change places.
        _ => {
            let (path, query) = request.target.as_str().split_once('?')?;
            let mut params: Vec<&str> = query.split('&').collect();
            let (a, b) = (position % params.len(), into.len() % params.len());
            params.swap(a, b);
            let target = format!("{path}?{}", params.join("&"));
            request.target = PathAndQuery::try_from(target).ok()?;
        }
    }
    Some(request)
}

fn assert_same(original: &Request, mutated: &Request) {
    assert_eq!(original.method, mutated.method);
    assert_eq!(original.target.path(), mutated.target.path());
    assert_eq!(query(&original.target), query(&mutated.target));
    let age = mutated.at - original.at;
    let life = chrono::TimeDelta::from_std(LIFETIME).expect("it is short");
    let skew = chrono::TimeDelta::from_std(SKEW).expect("it is short");
    assert!(age < life && age >= -skew, "{age}");
    let host = |request: &Request| value(request, "host").map(|host| host.to_ascii_lowercase());
    assert_eq!(host(original), host(mutated));
    for name in UPLOAD_SIGNED_HEADERS {
        if original.headers.contains_key(name) {
            assert_eq!(value(original, name), value(mutated, name), "{name}");
        }
    }
    // A digest that was declared is still there, and none that wasn't.
    for name in mutated.headers.keys().chain(original.headers.keys()) {
        if name.as_str().starts_with("x-amz-") {
            assert_eq!(
                value(original, name.as_str()),
                value(mutated, name.as_str())
            );
        }
    }
}

/// A header's values as SigV4 sees them: joined, and with single spaces.
fn value(request: &Request, name: &str) -> Option<String> {
    let mut values = request.headers.get_all(name).iter().peekable();
    values.peek()?;
    let words = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        words.join(" ")
    };
    let values: Vec<String> = values.map(words).collect();
    Some(values.join(","))
}

/// The parameters of a query, decoded, in any order.
fn query(target: &PathAndQuery) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    fn decoded(text: &str) -> Cow<'_, str> {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
            .into()
    }
    let mut params: Vec<_> = target
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    params.sort();
    params
}

/// How many kinds of request there are to mutate.
const KINDS: usize = 4;

thread_local! {
    /// Signed once, since that takes longer than all the rest.
    static ORIGINALS: [Request; KINDS] = std::array::from_fn(signed);
}

/// One of our own requests: PUT without and with a digest, GET, HEAD.
fn signed(which: usize) -> Request {
    let presigner = Presigner::new(credentials(), REGION.into(), LIFETIME, LIFETIME);
    let bucket = BucketUrl::on_host(HOST, BUCKET).expect("a bucket");
    let id = FileId::parse("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").expect("an ID");
    let key = ObjectKey::new(id);
    let content_type = ContentType::parse("text/plain; charset=utf-8").expect("a media type");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(HOST));
    let (method, url) = if which < 2 {
        let sha256 = (which == 1).then(|| Sha256Digest::from_bytes([7; 32]));
        let terms = UploadTerms {
            key,
            length: ContentLength::new(5, MAX_CONTENT_LENGTH).expect("a length"),
            content_type: &content_type,
            sha256,
        };
        let upload = presigner.upload(&bucket, &terms, signed_at());
        let upload = now(upload).expect("signed");
        headers.insert("content-length", HeaderValue::from_static("5"));
        for (name, value) in upload.kind.headers() {
            let value = HeaderValue::from_str(value).expect("a header of ours");
            headers.insert(HeaderName::from_static(name), value);
        }
        assert_eq!(headers.contains_key(CHECKSUM_HEADER), sha256.is_some());
        (Method::PUT, upload.url)
    } else {
        let (method, name) = match which {
            2 => (DownloadMethod::Get, Method::GET),
            _ => (DownloadMethod::Head, Method::HEAD),
        };
        let terms = DownloadTerms {
            key,
            version_id: None,
            filename: &FileName::sanitize("résumé final.pdf").expect("a name"),
            display_name: Some(&DisplayName::from_stored("résumé final.pdf").expect("a name")),
            content_type: &content_type,
        };
        let url = presigner.download(&bucket, method, &terms, signed_at());
        (name, now(url).expect("signed"))
    };
    let uri: Uri = url.expose().parse().expect("a URL of ours");
    Request {
        method,
        target: uri.into_parts().path_and_query.expect("a path"),
        headers,
        at: signed_at(),
    }
}
