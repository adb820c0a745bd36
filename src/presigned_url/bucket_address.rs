//! How the bucket's public address is found.
//!
//! Invariant: a URL is signed for the host that the *client* will use. In local mode that is the host
//! which the request came to, unless the operator set a public URL; in aws mode it is the store's public
//! endpoint. Where a URL is signed and where one is verified ask here.

use http::uri::Authority;

use super::BucketUrl;
use crate::domain::Invalid;

/// Where clients reach the bucket.
#[derive(Debug, Clone)]
pub enum BucketAddress {
    /// Always at the same URL.
    Fixed(BucketUrl),
    /// This bucket, on the host that the request came to.
    RequestHost {
        /// The first segment of the path.
        bucket: String,
    },
}

impl BucketAddress {
    /// The bucket's origin, where it doesn't depend on the request.
    pub fn fixed_origin(&self) -> Option<String> {
        match self {
            Self::Fixed(url) => Some(url.origin()),
            Self::RequestHost { .. } => None,
        }
    }

    /// The bucket's URL for a client that asked for `host`.
    ///
    /// # Errors
    /// If it depends on the host, and there is none or one that no URL could have.
    pub fn on(&self, host: Option<&Authority>) -> Result<BucketUrl, Invalid> {
        match self {
            Self::Fixed(url) => Ok(url.clone()),
            Self::RequestHost { bucket } => {
                let host = host.ok_or_else(|| Invalid::new("the request has no Host header"))?;
                BucketUrl::on_authority(host, bucket)
                    .map_err(|_| Invalid::new("the Host header is no host"))
            }
        }
    }
}
