//! Content that is the same for everybody, in each coding.
//!
//! Invariant: a coding, and the digest of the content, is made once, when somebody first asks for it, and kept: what is
//! kept is bounded by what there is, and a start waits for none of it. An entity tag names one coding of one content, so
//! that a cache never takes one for another (RFC 9110, section 8.8.3.3).

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use poem::Response;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::content_coding::{Coding, Effort, LARGE, OFTEN};

/// From this many bytes on, a first reader would notice the greater effort.
const LARGE_BYTES: usize = 256 * 1024;

/// Content that is the same for everybody.
#[derive(Debug, Clone)]
pub struct StaticContent(Arc<Content>);

#[derive(Debug)]
struct Content {
    content_type: &'static str,
    plain: Bytes,
    digest: OnceLock<String>,
    brotli: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
}

impl StaticContent {
    /// `content` of this media type. Nothing is compressed yet.
    pub fn new(content_type: &'static str, content: impl Into<Bytes>) -> Self {
        let plain = content.into();
        Self(Arc::new(Content {
            content_type,
            digest: OnceLock::new(),
            plain,
            brotli: OnceLock::new(),
            gzip: OnceLock::new(),
        }))
    }

    /// The answer to a request with these headers: the content in the coding that it wants, or 304 if it has that (RFC
    /// 9110, section 13.1.2). `varies_by`: what the choice of this content depended on, for caches.
    pub async fn response(
        &self,
        headers: &HeaderMap,
        caching: HeaderValue,
        varies_by: HeaderValue,
    ) -> Response {
        let coding = Coding::of_request(headers);
        let tag = self.tag(coding);
        let mut response = if has(headers, &tag) {
            StatusCode::NOT_MODIFIED.into()
        } else {
            let (coding, content) = self.encoded(coding).await;
            let mut response = Response::builder()
                .content_type(self.0.content_type)
                .body(content);
            if let Some(name) = coding.name() {
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_ENCODING, name);
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, caching);
        headers.insert(header::VARY, varies_by);
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn tag(&self, coding: Coding) -> String {
        let suffix = match coding {
            Coding::Brotli => "-br",
            Coding::Gzip => "-gzip",
            Coding::Identity => "",
        };
        let content = &self.0.plain;
        let digest = || hex::encode(&Sha256::digest(content)[..16]);
        format!("\"{}{suffix}\"", self.0.digest.get_or_init(digest))
    }

    /// The content in this coding, which is made off the threads that answer.
    async fn encoded(&self, coding: Coding) -> (Coding, Bytes) {
        let made = match coding {
            Coding::Identity => return (coding, self.0.plain.clone()),
            Coding::Brotli => self.0.brotli.get(),
            Coding::Gzip => self.0.gzip.get(),
        };
        if let Some(made) = made {
            return (coding, made.clone());
        }
        let content = Arc::clone(&self.0);
        let made = tokio::task::spawn_blocking(move || content.encode(coding)).await;
        made.map_or_else(
            |_| (Coding::Identity, self.0.plain.clone()),
            |made| (coding, made),
        )
    }
}

impl Content {
    /// Of many that ask at once, one makes it.
    fn encode(&self, coding: Coding) -> Bytes {
        let effort: Effort = match self.plain.len() < LARGE_BYTES {
            true => OFTEN,
            false => LARGE,
        };
        let make = || {
            coding
                .encode(&self.plain, effort)
                .expect("memory takes what is written to it")
        };
        match coding {
            Coding::Brotli => self.brotli.get_or_init(make).clone(),
            Coding::Gzip => self.gzip.get_or_init(make).clone(),
            Coding::Identity => self.plain.clone(),
        }
    }
}

/// Whether the client has what this tag names, or anything at all where it says `*`.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        // A proxy that compresses makes a weak tag of ours.
        .map(|candidate| candidate.trim().trim_start_matches("W/"))
        .any(|candidate| candidate == tag || candidate == "*")
}
