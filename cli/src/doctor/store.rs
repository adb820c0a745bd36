//! Whether the store is reached, by this program and by pages.

use std::time::SystemTime;

use http::header::USER_AGENT;
use http::{Method, Request};

use super::cors::preflight;
use super::greeting::{Clock, clock};
use super::mend::{MEND_CLOCKS, PUBLIC_ENDPOINT};
use super::report::{Flaw, Seen};
use crate::http::{Sent, empty};
use crate::service::{AGENT, Service};
use crate::wire::Upload;

/// Whether the store is there, and by which clock.
pub async fn reachable(service: &Service, origin: &str) -> Result<Seen<()>, Flaw> {
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(format!("{origin}/"))
        .header(USER_AGENT, AGENT)
        .body(empty());
    let request =
        request.map_err(|_| Flaw::wrong("the URL for the bytes can't be read", PUBLIC_ENDPOINT))?;
    // Whatever it answers: without a signature it is right to refuse.
    let sent = service.http.send(request, &Sent::default()).await;
    let answer = sent.map_err(|cause| {
        Flaw::wrong(
            format!("{origin} can't be reached from here: {cause}"),
            PUBLIC_ENDPOINT,
        )
    })?;
    if let Clock::Off(how) = clock(answer.headers(), SystemTime::now()) {
        return Err(Flaw::wrong(
            format!("the clock of the store at {origin} is {how} this machine's"),
            MEND_CLOCKS,
        ));
    }
    Ok(Seen::that(format!("{origin} is reachable from here")))
}

/// Whether a page of `origin` may ask the service and send to the store.
pub async fn cors(
    service: &Service,
    origin: &str,
    upload: &Upload,
    store: &str,
) -> Result<Seen<()>, Flaw> {
    let http = &service.http;
    let mut asked = Vec::new();
    if service.origin() != origin {
        let url = format!("{}/v1/files", service.base());
        let headers = ["content-type".to_owned()];
        let allowed = preflight(http, &url, origin, &Method::POST, &headers).await;
        allowed.map_err(|why| {
            Flaw::wrong(
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
            Flaw::wrong(
                format!("the store refuses pages of {origin}: {why}"),
                "the bucket's CORS rules must allow the origin, GET, HEAD and PUT, and the \
                 headers content-type, if-none-match, range and x-amz-checksum-sha256 \
                 (AllowedOrigins of deploy/stack.yaml); in local mode set ALLOWED_ORIGINS",
            )
        })?;
        asked.push("the store");
    }
    Ok(Seen::that(if asked.is_empty() {
        format!("none is needed: service and store are at the page's own origin, {origin}")
    } else {
        format!("{} let pages of {origin} in", asked.join(" and "))
    }))
}
