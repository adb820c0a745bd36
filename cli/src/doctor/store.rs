//! Whether the store is reached, by this program and by pages.

use std::time::SystemTime;

use http::header::USER_AGENT;
use http::{Method, Request};

use super::cors::preflight;
use super::remedies::{PUBLIC_ENDPOINT, SET_CLOCKS};
use super::report::{CheckFailure, Passed};
use super::server_check::{ClockCheck, clock};
use crate::api_client::{AGENT, ApiClient};
use crate::http::{Sent, empty};
use crate::wire::Upload;

/// Whether the store is there, and by which clock.
pub(super) async fn reachable(
    service: &ApiClient,
    origin: &str,
) -> Result<Passed<()>, CheckFailure> {
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(format!("{origin}/"))
        .header(USER_AGENT, AGENT)
        .body(empty());
    let request = request
        .map_err(|_| CheckFailure::wrong("the URL for the bytes can't be read", PUBLIC_ENDPOINT))?;
    // Whatever it answers: without a signature it is right to refuse.
    let sent = service.http.send(request, &Sent::default()).await;
    let answer = sent.map_err(|cause| {
        CheckFailure::wrong(
            format!("{origin} can't be reached from here: {cause}"),
            PUBLIC_ENDPOINT,
        )
    })?;
    if let ClockCheck::Off(how) = clock(answer.headers(), SystemTime::now()) {
        return Err(CheckFailure::wrong(
            format!("the clock of the store at {origin} is {how} this machine's"),
            SET_CLOCKS,
        ));
    }
    Ok(Passed::that(format!("{origin} is reachable from here")))
}

/// Whether a page of `origin` may ask the service and send to the store.
pub(super) async fn cors(
    service: &ApiClient,
    origin: &str,
    upload: &Upload,
    store: &str,
) -> Result<Passed<()>, CheckFailure> {
    let http = &service.http;
    let mut asked = Vec::new();
    if service.origin() != origin {
        let url = format!("{}/v1/files", service.base());
        let headers = ["content-type".to_owned()];
        let allowed = preflight(http, &url, origin, &Method::POST, &headers).await;
        allowed.map_err(|why| {
            CheckFailure::wrong(
                format!("the service refuses pages of {origin}: {why}"),
                format!("add {origin} to ALLOWED_ORIGINS of the service"),
            )
        })?;
        asked.push("the service");
    }
    if store != origin {
        let mut headers: Vec<_> = upload.headers.keys().map(|n| n.to_lowercase()).collect();
        headers.sort();
        let allowed = preflight(http, &upload.url, origin, &Method::PUT, &headers).await;
        allowed.map_err(|why| {
            CheckFailure::wrong(
                format!("the store refuses pages of {origin}: {why}"),
                "the bucket's CORS rules must allow the origin, GET, HEAD and PUT, and the \
                 headers content-type, if-none-match, range and x-amz-checksum-sha256 \
                 (AllowedOrigins of deploy/stack.yaml); in local mode set ALLOWED_ORIGINS",
            )
        })?;
        asked.push("the store");
    }
    Ok(Passed::that(if asked.is_empty() {
        format!("none is needed: service and store are at the page's own origin, {origin}")
    } else {
        format!("{} let pages of {origin} in", asked.join(" and "))
    }))
}
