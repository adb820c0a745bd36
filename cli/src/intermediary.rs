//! Answers that neither the service nor its store gave: who most likely did, and what mends it.
//!
//! **Invariant:** nothing of such an answer is shown but its status, the name of the program that sent it,
//! and the host that a redirect leads to.
//!
//! **Absent on purpose:** certainty. Whoever is on the way can say anything; what is said here is likely.

use http::header::{CONTENT_TYPE, LOCATION, SERVER};
use http::{HeaderMap, StatusCode, Uri};

use crate::address::origin_of;
use crate::error::CliError;

/// How much of a program's name is shown.
const MAX_NAME_CHARS: usize = 40;

/// The line for nginx that has URLs name the host by which clients come.
pub(crate) const PASS_HOST: &str =
    "in nginx `proxy_set_header Host $http_host;`, in Caddy no `header_up Host`";
/// The line for nginx that has an upload go on as it comes.
pub(crate) const PASS_BODY: &str =
    "in nginx `proxy_request_buffering off;`, in Caddy no `request_buffers`";

/// `asked` says what for, such as `a call`; `bytes` is how many the request had.
pub(crate) fn answered(
    asked: &str,
    bytes: u64,
    status: StatusCode,
    headers: &HeaderMap,
) -> CliError {
    let name = headers.get(SERVER).and_then(|name| name.to_str().ok());
    let name = name.map(|name| name.chars().take(MAX_NAME_CHARS).collect::<String>());
    let name = name.map(|name| format!(" (it calls itself {name})"));
    CliError::Intermediary {
        said: format!(
            "{asked} was answered with {} by neither the service nor its store, most likely by a proxy \
             before them{}",
            status.as_u16(),
            name.unwrap_or_default(),
        ),
        remedy: remedy(bytes, status, headers),
    }
}

/// A page for people where there should be nothing of the kind: most likely a sign-in.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
    })
}

fn remedy(bytes: u64, status: StatusCode, headers: &HeaderMap) -> String {
    let text = match status.as_u16() {
        200..=299 if is_page(headers) => {
            "it sends a page, perhaps its sign-in: let this program past it, or say the service's own \
             address with --server"
        }
        304 => "it sends a page, perhaps its sign-in: let this program past it",
        300..=399 => return redirected(headers),
        400 => {
            "the address may have to begin with https:// and not with http://, or the other way round"
        }
        407 => {
            "the proxy that the environment names wants a user and a password: \
             HTTPS_PROXY=http://user:password@proxy.example:3128"
        }
        401 => {
            "it wants a sign-in, which this program hasn't got: let it past that, or say another address \
             with --server"
        }
        403 => {
            "it refuses, or a firewall does: it must let GET, POST, PUT and DELETE pass to the whole \
             service; its log says which rule it was"
        }
        404 => {
            "the path before /v1 may be missing from --server (or be too much), or the proxy leads to \
             something else (`proxy_pass`, `reverse_proxy`)"
        }
        405 | 501 => "it must let GET, HEAD, POST, PUT, DELETE and OPTIONS pass",
        411 => "it must pass Content-Length on as it came",
        413 => {
            return format!(
                "it takes no bodies of {bytes} bytes: in nginx `client_max_body_size 21m;`, in Caddy \
                 `request_body {{ max_size 21MB }}`"
            );
        }
        421 => {
            return format!(
                "the service must be asked by a name that it answers to: {PASS_HOST}; else set the \
                 service's PUBLIC_URL, or add the name to its ALLOWED_HOSTS"
            );
        }
        408 | 504 | 524 => {
            "it gave up waiting: in nginx `proxy_read_timeout 60s;` and `proxy_send_timeout 60s;`, since a \
             call may wait for 20 s"
        }
        429 => "it limits how often it is asked: raise that (`limit_req` in nginx)",
        502 | 503 | 520..=523 => {
            "it doesn't reach the service: see that it runs, and that `proxy_pass` or `reverse_proxy` names \
             its address"
        }
        _ => "its log says why",
    };
    text.to_owned()
}

fn redirected(headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let to: Option<Uri> = location.and_then(|to| to.parse().ok());
    match to.as_ref().and_then(origin_of) {
        Some(to) => format!(
            "it leads to {to}: if that is a sign-in, let this program past it; if it is the service, say \
             --server {to} (with the path before /v1, if there is one)"
        ),
        None => "it leads elsewhere, perhaps to a sign-in: let this program past it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_of_a_proxy_has_a_sentence_that_names_it_and_what_to_change() {
        let headers: HeaderMap = [
            (SERVER, "nginx/1.22.1".parse().unwrap()),
            (CONTENT_TYPE, "text/html".parse().unwrap()),
            (
                LOCATION,
                "https://login.example/?next=secret".parse().unwrap(),
            ),
        ]
        .into_iter()
        .collect();
        for (status, words) in [
            (200, "sign-in"),
            (302, "https://login.example"),
            (400, "https://"),
            (401, "sign-in"),
            (403, "firewall"),
            (404, "proxy_pass"),
            (405, "DELETE"),
            (413, "client_max_body_size 21m"),
            (413, "max_size 21MB"),
            (413, "20971520 bytes"),
            (421, "proxy_set_header Host $http_host"),
            (421, "PUBLIC_URL"),
            (421, "ALLOWED_HOSTS"),
            (429, "limit_req"),
            (502, "doesn't reach"),
            (504, "proxy_read_timeout"),
            (418, "log"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let said = answered("the upload", 20_971_520, status, &headers).to_string();
            assert!(said.contains("by a proxy before them"), "{said}");
            assert!(
                said.contains(&format!("answered with {}", status.as_u16())),
                "{said}"
            );
            assert!(said.contains("calls itself nginx/1.22.1"), "{said}");
            assert!(said.contains(words), "{status}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
        // What clutters the terminal of whoever reads it is cut.
        let long: HeaderMap = [(SERVER, "x".repeat(4000).parse().unwrap())]
            .into_iter()
            .collect();
        let said = answered("the upload", 0, StatusCode::BAD_GATEWAY, &long).to_string();
        assert!(said.len() < 500, "{said}");
    }
}
