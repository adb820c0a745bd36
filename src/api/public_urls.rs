//! Which addresses a client is told: where it reaches the bucket, and where this API.
//!
//! Invariant: nobody is handed a URL for a host of which their browser says that it isn't the one that was
//! asked for.

use std::net::SocketAddr;

use http::Uri;
use poem::Request;

use super::browser_guard::{check_host_is_passed_on, host_of};
use crate::domain::Invalid;
use crate::network_addresses::{NetworkAddresses, means_this_machine};
use crate::own_paths;
use crate::presigned_url::{BucketAddress, BucketUrl};

/// Where the client that sent this request reaches the bucket.
///
/// # Errors
/// If that depends on the request's `Host`, and it is no host, or not the one that the browser asked for.
pub(super) fn bucket_for(address: &BucketAddress, request: &Request) -> Result<BucketUrl, Invalid> {
    if let BucketAddress::Fixed(url) = address {
        return Ok(url.clone());
    }
    let host = host_of(request).map_err(|error| Invalid(error.to_string()))?;
    check_host_is_passed_on(request.headers(), host.as_ref())?;
    address.on(host.as_ref())
}

/// Where clients reach this service.
#[derive(Debug, Clone)]
pub(super) struct ServiceUrl {
    /// As an operator set it; `None`: at the host that each request came to.
    pub public_url: Option<Uri>,
    /// The path under which a proxy shows this API, without a slash at its end.
    pub path_prefix: String,
    /// Those of this machine.
    pub addresses: NetworkAddresses,
}

impl ServiceUrl {
    /// The URL for links that are passed on to others, without a slash at its end; `None`: the one by which this
    /// request came, as far as is known here.
    ///
    /// Only whoever sits at this machine is told its addresses. What a proxy or a container's host passes on came to
    /// an address that is mapped to ours, and ours are no use to others.
    pub(super) fn for_others(&self, request: &Request, is_forwarded: bool) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.to_string().trim_end_matches('/').to_owned());
        }
        let is_from_here = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        let is_here = request
            .remote_addr()
            .as_socket_addr()
            .is_some_and(is_from_here);
        let host = host_of(request).ok()??;
        if is_forwarded || !is_here || !means_this_machine(host.host()) {
            return None;
        }
        let listening = request.local_addr().as_socket_addr()?;
        let reached = self.addresses.reached_at(*listening);
        reached.first().map(|address| format!("http://{address}"))
    }

    /// The URL for whoever sent this request, without a slash at its end.
    ///
    /// # Errors
    /// If that depends on the request's `Host`, and it is no host, or not the one that the browser asked for.
    pub(super) fn for_request(&self, request: &Request) -> Result<String, Invalid> {
        if let Some(url) = &self.public_url {
            return Ok(url.to_string().trim_end_matches('/').to_owned());
        }
        let host = host_of(request).map_err(|error| Invalid(error.to_string()))?;
        check_host_is_passed_on(request.headers(), host.as_ref())?;
        let host = host.ok_or_else(|| Invalid("the request has no Host header".to_owned()))?;
        Ok(format!("http://{host}"))
    }

    /// A path of ours as a browser sees it.
    pub(super) fn path_of(&self, path: &str) -> String {
        format!("{}{path}", self.path_prefix)
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
