//! A distribution before the bucket, as deploy/downloads.yaml describes it: what CloudFront does with a request, which the
//! emulator doesn't.
//!
//! Invariant: what isn't signed exactly as it came, by the one key, for a time that isn't over, reaches neither the bucket
//! nor the cache. The cache's key is the path and the parameters of the stack's cache policy, and the bucket is asked
//! for no other.
//!
//! Absent on purpose: the end of what is cached, which is a day; TLS.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the service's URLs carry for the distribution itself, at their ends.
const SIGNING: [&str; 4] = ["Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
/// Those of the stack's cache policy.
pub(crate) const CACHE_KEY: [&str; 4] = [
    "response-content-disposition",
    "response-content-encoding",
    "response-content-type",
    "versionId",
];
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

pub(crate) struct Edge {
    /// Such as `http://127.0.0.1:4711`.
    pub(crate) origin: String,
    state: Arc<State>,
}

struct State {
    origin: String,
    key_id: String,
    /// An uncompressed point.
    public_key: Vec<u8>,
    bucket: String,
    s3: Client,
    cache: Mutex<HashMap<String, Arc<Cached>>>,
    fetched: AtomicUsize,
}

/// What the bucket answered.
struct Cached {
    headers: Vec<(&'static str, String)>,
    bytes: Vec<u8>,
}

/// A status with the code of an error, as CloudFront and S3 say it, and whose answer it is.
struct Refused(u16, &'static str, &'static str);

impl Edge {
    /// A distribution before this bucket, which trusts this public key alone.
    ///
    /// # Panics
    /// If there is no port for it.
    pub(crate) async fn before(bucket: &str, s3: Client, key_id: &str, public_pem: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let lines = public_pem.lines().filter(|line| !line.starts_with('-'));
        let der = BASE64_STANDARD.decode(lines.collect::<String>());
        let der = der.expect("a public key is in PEM");
        let state = Arc::new(State {
            origin: format!("http://{address}"),
            key_id: key_id.to_owned(),
            public_key: der[der.len() - 65..].to_vec(),
            bucket: bucket.to_owned(),
            s3,
            cache: Mutex::default(),
            fetched: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        Self {
            origin: state.origin.clone(),
            state,
        }
    }

    /// How often the bucket was asked.
    pub(crate) fn fetched(&self) -> usize {
        self.state.fetched.load(Ordering::Relaxed)
    }
}

async fn serve(state: Arc<State>, mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(read @ 1..) if head.len() < MAX_HEAD_BYTES => head.extend(&part[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let answer = answer(&state, &head).await;
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

async fn answer(state: &State, head: &str) -> Vec<u8> {
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let brought = match method {
        "GET" | "HEAD" => bring(state, target).await,
        _ => Err(Refused(403, "MethodNotAllowed", "CloudFront")),
    };
    let (status, mut headers, body) = match &brought {
        Ok((cached, is_hit)) => {
            let mut headers = cached.headers.clone();
            let whence = if *is_hit { "Hit" } else { "Miss" };
            headers.push(("X-Cache", format!("{whence} from cloudfront")));
            // The stack's response headers policy.
            headers.push(("Cache-Control", "private, no-store".into()));
            headers.push(("X-Content-Type-Options", "nosniff".into()));
            headers.push(("Server", "AmazonS3".into()));
            match range(head, cached.bytes.len()) {
                Some((first, last)) => {
                    let all = cached.bytes.len();
                    headers.push(("Content-Range", format!("bytes {first}-{last}/{all}")));
                    (206, headers, cached.bytes[first..=last].to_vec())
                }
                None => (200, headers, cached.bytes.clone()),
            }
        }
        Err(Refused(status, code, server)) => {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            let headers = vec![("Server", (*server).to_owned())];
            (*status, headers, body.into_bytes())
        }
    };
    headers.push(("Content-Length", body.len().to_string()));
    headers.push(("Connection", "close".into()));
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut answer = format!("HTTP/1.1 {status} -\r\n{}\r\n", lines.concat()).into_bytes();
    if method == "GET" {
        answer.extend(body);
    }
    answer
}

/// The one range that is asked for, where it is one of bytes that are there.
fn range(head: &str, length: usize) -> Option<(usize, usize)> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("range").then_some(value.trim())
    })?;
    let (first, last) = line.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = last
        .parse()
        .unwrap_or(length.checked_sub(1)?)
        .min(length.checked_sub(1)?);
    (first <= last).then_some((first, last))
}

async fn bring(state: &State, target: &str) -> Result<(Arc<Cached>, bool), Refused> {
    verify(state, target)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let kept: Vec<(&str, &str)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| CACHE_KEY.contains(name))
        .collect();
    let key = format!("{path}?{kept:?}");
    let cached = state
        .cache
        .lock()
        .expect("nobody panics with it")
        .get(&key)
        .cloned();
    if let Some(cached) = cached {
        return Ok((cached, true));
    }
    let fetched = Arc::new(fetch(state, path, &kept).await?);
    let mut cache = state.cache.lock().expect("nobody panics with it");
    cache.insert(key, Arc::clone(&fetched));
    Ok((fetched, false))
}

/// What CloudFront does before anything else.
fn verify(state: &State, target: &str) -> Result<(), Refused> {
    let refused = |code| Refused(403, code, "CloudFront");
    let (path, query) = target.split_once('?').ok_or(refused("MissingKey"))?;
    let (mut own, mut signing) = (Vec::new(), HashMap::new());
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match SIGNING.contains(&name) {
            true if signing.insert(name, value).is_some() => {
                return Err(refused("MalformedPolicy"));
            }
            true => {}
            false => own.push(pair),
        }
    }
    let said = |name: &str| signing.get(name).copied().ok_or(refused("MissingKey"));
    if said("Key-Pair-Id")? != state.key_id {
        return Err(refused("InvalidKey"));
    }
    // Without it SHA-1 counts, by which nothing of ours is signed.
    if said("Hash-Algorithm")? != "SHA256" {
        return Err(refused("AccessDenied"));
    }
    let expires = said("Expires")?;
    let resource = format!("{}{path}?{}", state.origin, own.join("&"));
    let policy = format!(
        "{{\"Statement\":[{{\"Resource\":\"{resource}\",\"Condition\":{{\"DateLessThan\":\
         {{\"AWS:EpochTime\":{expires}}}}}}}]}}"
    );
    let signature = said("Signature")?
        .replace('-', "+")
        .replace('_', "=")
        .replace('~', "/");
    let signature = BASE64_STANDARD
        .decode(signature)
        .map_err(|_| refused("AccessDenied"))?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &state.public_key);
    let verified = key.verify(policy.as_bytes(), &signature);
    verified.map_err(|_| refused("AccessDenied"))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    match expires.parse::<u64>() {
        Ok(expires) if now.as_secs() < expires => Ok(()),
        _ => Err(refused("AccessDenied")),
    }
}

/// With what the bucket's answer is to say done here, since the emulator takes no notice of it beside a version.
async fn fetch(state: &State, path: &str, kept: &[(&str, &str)]) -> Result<Cached, Refused> {
    state.fetched.fetch_add(1, Ordering::Relaxed);
    let asked = |name: &str| {
        let found = kept.iter().find(|(is, _)| *is == name)?;
        Some(percent_decode_str(found.1).decode_utf8_lossy().into_owned())
    };
    let get = state.s3.get_object().bucket(&state.bucket);
    let get = get
        .key(path.trim_start_matches('/'))
        .set_version_id(asked("versionId"));
    let object = get
        .send()
        .await
        .map_err(|_| Refused(404, "NoSuchKey", "AmazonS3"))?;
    let mut headers = vec![("ETag", object.e_tag().unwrap_or_default().to_owned())];
    for (header, name) in [
        ("Content-Disposition", "response-content-disposition"),
        ("Content-Encoding", "response-content-encoding"),
        ("Content-Type", "response-content-type"),
    ] {
        headers.extend(asked(name).map(|value| (header, value)));
    }
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|_| Refused(502, "Cut", "CloudFront"))?;
    Ok(Cached {
        headers,
        bytes: bytes.to_vec(),
    })
}
