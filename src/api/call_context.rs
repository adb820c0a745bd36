//! A request as a call by a caller.
//!
//! Invariant: the one place where that is done.

use poem::Request;
use poem::http::HeaderName;

use super::middleware::caller_of;
use super::observed::RequestId;
use super::public_urls::bucket_for;
use crate::client_address::{ClientAddress, TrustedProxies};
use crate::operations::Context;
use crate::presigned_url::BucketAddress;

/// Whom each proxy says that it got the request from.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Leaves with a request from where it comes, as far as these proxies are believed.
pub(super) fn note_client(request: &mut Request, trusted: &TrustedProxies) {
    let Some(peer) = request.remote_addr().as_socket_addr() else {
        return;
    };
    let values = request.headers().get_all(X_FORWARDED_FOR).iter();
    let client = trusted.client_of(peer.ip(), values.map(|value| value.as_bytes()));
    request.extensions_mut().insert(client);
}

/// From where a request comes; `None` if nobody knows. Headers that a proxy may have set are anybody's to write, unless
/// [`note_client`] found that one is believed.
pub(super) fn client_of(request: &Request) -> Option<ClientAddress> {
    request.extensions().get::<ClientAddress>().copied()
}

/// Who sends it, from where, and by what name the log knows it.
pub(super) fn context_of(request: &Request, bucket: &BucketAddress) -> Context {
    let request_id = request.extensions().get::<RequestId>();
    let request_id = request_id.map_or_else(String::new, |id| id.0.clone());
    Context::new(
        caller_of(request),
        client_of(request).map(|client| client.address),
        bucket_for(bucket, request),
        request_id,
    )
}
