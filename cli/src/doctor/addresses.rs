//! Whether the URLs for bytes name the address by which a client comes.

use http::{Method, StatusCode, Uri};

use super::report::{CheckFailure, Passed};
use super::server_check::is_ours;
use crate::address::origin_of;
use crate::answer::expect;
use crate::api_client::ApiClient;
use crate::intermediary::PASS_HOST;
use crate::wire::Upload;

/// In local mode they must, since the service is its own store. What tells local mode is that the service
/// answers at the other address too.
pub(super) async fn addresses(
    service: &ApiClient,
    upload: &Upload,
) -> Result<Passed<()>, CheckFailure> {
    let uri: Uri = upload.url.parse().unwrap_or_default();
    let store = origin_of(&uri).unwrap_or_default();
    let (own, base) = (service.origin(), service.base());
    if store == own {
        let prefix: Uri = base.parse().unwrap_or_default();
        let prefix = prefix.path().trim_end_matches('/');
        if !uri.path().starts_with(&format!("{prefix}/")) {
            return Err(CheckFailure::wrong(
                format!("the URLs for bytes lack the path {prefix}"),
                format!("set PUBLIC_URL of the service to {base}"),
            ));
        }
        return Ok(Passed::that(format!(
            "the URLs for bytes name {own}, as this program does"
        )));
    }
    let there = service.elsewhere(store.clone());
    let asked = there.call_once(Method::GET, "/openapi.json", None, None);
    let answer = asked
        .await
        .and_then(|answer| expect(answer, StatusCode::OK));
    if answer.is_ok_and(|answer| is_ours(&answer)) {
        return Err(CheckFailure::wrong(
            format!("the URLs for bytes name {store}, and this program came by {own}"),
            format!(
                "have the proxy before the service pass on the host that it is asked for: {PASS_HOST}; or \
                 set PUBLIC_URL of the service to {base}. If it is set to {store}, and rightly, say --server \
                 {store}"
            ),
        ));
    }
    Ok(Passed::that(format!(
        "the bytes go to {store}, apart from the service"
    )))
}
