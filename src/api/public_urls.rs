//! Which addresses a client is told: where it reaches the bucket, and where this API.
//!
//! Invariant: a URL is signed for the host that the *client* will use. In local mode that is the
//! host which the request came to, unless the operator set a public URL; in aws mode it is the
//! store's public endpoint.

use http::Uri;
use poem::Request;
use poem::http::header;

use super::browser_guard::check_host_is_passed_on;
use crate::domain::Invalid;
use crate::own_paths;
use crate::presigned_url::BucketUrl;

/// How the bucket's public address is found.
#[derive(Debug, Clone)]
pub enum BucketAddress {
    /// Always the same.
    Fixed(BucketUrl),
    /// This bucket, on the host that the request came to.
    RequestHost { bucket: String },
}

impl BucketAddress {
    /// The bucket's origin, where it doesn't depend on the request.
    pub fn fixed_origin(&self) -> Option<String> {
        match self {
            Self::Fixed(url) => Some(url.origin()),
            Self::RequestHost { .. } => None,
        }
    }

    /// # Errors
    /// If the request's `Host` is no host, or not the one that the browser asked for.
    pub fn for_request(&self, request: &Request) -> Result<BucketUrl, Invalid> {
        match self {
            Self::Fixed(url) => Ok(url.clone()),
            Self::RequestHost { bucket } => {
                check_host_is_passed_on(request)?;
                let host = request
                    .headers()
                    .get(header::HOST)
                    .and_then(|value| value.to_str().ok())
                    .or_else(|| request.original_uri().authority().map(|a| a.as_str()))
                    .ok_or_else(|| Invalid::new("the request has no Host header"))?;
                BucketUrl::on_host(host, bucket)
                    .map_err(|_| Invalid::new("the Host header is no host"))
            }
        }
    }
}

/// The path under which a proxy shows this API, taken from the public URL; empty without one.
pub fn path_prefix(public_url: Option<&Uri>) -> String {
    public_url.map_or_else(String::new, |url| {
        url.path().trim_end_matches('/').to_owned()
    })
}

/// The part of our paths that is taken off if it is there: the public URL's path, unless `bucket` or
/// another path of our own begins in the same way: that couldn't be told apart.
pub fn own_prefix(public_url: Option<&Uri>, bucket: &str) -> String {
    let prefix = path_prefix(public_url);
    let first = prefix.split('/').nth(1).unwrap_or_default();
    match first == bucket || own_paths::begins_one(first) {
        true => String::new(),
        false => prefix,
    }
}
