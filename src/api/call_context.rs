//! A request as a call by a caller.
//!
//! Invariant: the one place where that is done.

use std::net::SocketAddr;

use poem::Request;

use super::middleware::{RequestId, caller_of};
use super::public_urls::bucket_for;
use crate::operations::Context;
use crate::presigned_url::BucketAddress;

/// Who sends it, from where, and by what name the log knows it.
pub(super) fn context_of(request: &Request, bucket: &BucketAddress) -> Context {
    // Headers that a proxy may have set are anybody's to write.
    let address = request.remote_addr().as_socket_addr();
    let request_id = request.extensions().get::<RequestId>();
    let request_id = request_id.map_or_else(String::new, |id| id.0.clone());
    Context::new(
        caller_of(request),
        address.map(SocketAddr::ip),
        bucket_for(bucket, request),
        request_id,
    )
}
