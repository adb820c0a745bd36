//! Whether a page of some origin may send what an upload takes, judged as a browser does.
//!
//! Source: <https://fetch.spec.whatwg.org/#cors-preflight-fetch>.
//!
//! **Invariant:** what a browser would refuse is never fine here.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, Uri};

use crate::address::origin_of;
use crate::api_client::AGENT;
use crate::error::CliError;
use crate::http::{Http, Sent, empty};

/// An origin as browsers write it.
///
/// # Errors
/// It isn't an origin.
pub(super) fn parse_origin(text: &str) -> Result<String, CliError> {
    let uri: Option<Uri> = text.parse().ok();
    let origin = uri.filter(|uri| matches!(uri.path(), "" | "/") && uri.query().is_none());
    origin.as_ref().and_then(origin_of).ok_or_else(|| {
        CliError::Usage("--origin must look like https://page.example (no path)".to_owned())
    })
}

/// Asks as a browser does before it sends `method` with `headers` (in lower case) to `url`. `Err` has
/// the reason of a refusal, and no URL.
pub(super) async fn preflight(
    http: &Http,
    url: &str,
    origin: &str,
    method: &Method,
    headers: &[String],
) -> Result<(), String> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(url)
        .header(USER_AGENT, AGENT)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, method.as_str())
        .header(ACCESS_CONTROL_REQUEST_HEADERS, headers.join(","))
        .body(empty())
        .map_err(|_| "the URL can't be read".to_owned())?;
    let answer = http.send(request, &Sent::default()).await;
    let answer = answer.map_err(|cause| format!("there is no answer: {cause}"))?;
    judge(answer.status(), answer.headers(), origin, method, headers)
}

fn judge(
    status: StatusCode,
    answer: &HeaderMap,
    origin: &str,
    method: &Method,
    headers: &[String],
) -> Result<(), String> {
    if !status.is_success() {
        return Err(format!(
            "the preflight is answered with {}",
            status.as_u16()
        ));
    }
    let allowed = list(answer, &ACCESS_CONTROL_ALLOW_ORIGIN);
    if allowed != ["*"] && allowed != [origin] {
        return Err(format!("{origin} isn't allowed"));
    }
    let methods = list(answer, &ACCESS_CONTROL_ALLOW_METHODS);
    let needs_none = matches!(*method, Method::GET | Method::HEAD | Method::POST);
    if !needs_none && !methods.iter().any(|m| m == method.as_str() || m == "*") {
        return Err(format!("{method} isn't allowed"));
    }
    let allowed = list(answer, &ACCESS_CONTROL_ALLOW_HEADERS);
    let may = |name: &String| {
        allowed
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
    };
    let missing: Vec<_> = headers.iter().filter(|name| !may(name)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("the headers {} aren't allowed", missing.join(", ")))
}

fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|item| item.trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://page.example";

    fn judged(status: u16, answer: &[(&'static str, &'static str)]) -> Result<(), String> {
        let headers = answer
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let asked = ["content-type".to_owned(), "if-none-match".to_owned()];
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, &headers.collect(), PAGE, &Method::PUT, &asked)
    }

    const ORIGIN: (&str, &str) = ("access-control-allow-origin", PAGE);
    const METHODS: (&str, &str) = ("access-control-allow-methods", "GET, PUT");
    const HEADERS: (&str, &str) = (
        "access-control-allow-headers",
        "Content-Type,If-None-Match, range",
    );

    #[test]
    fn a_preflight_is_fine_only_if_a_browser_would_go_on() {
        assert_eq!(judged(204, &[ORIGIN, METHODS, HEADERS]), Ok(()));
        let star = ("access-control-allow-origin", "*");
        let all = ("access-control-allow-headers", "*");
        assert_eq!(judged(200, &[star, METHODS, all]), Ok(()));
        let other = ("access-control-allow-origin", "https://other.example");
        let get = ("access-control-allow-methods", "GET");
        let one = ("access-control-allow-headers", "content-type");
        for (status, answer, reason) in [
            (403, [ORIGIN, METHODS, HEADERS], "403"),
            (301, [ORIGIN, METHODS, HEADERS], "301"),
            (200, [other, METHODS, HEADERS], "https://page.example isn't"),
            (
                200,
                [METHODS, METHODS, HEADERS],
                "https://page.example isn't",
            ),
            (200, [ORIGIN, get, HEADERS], "PUT isn't"),
            (200, [ORIGIN, METHODS, one], "if-none-match aren't"),
        ] {
            let refused = judged(status, &answer).unwrap_err();
            assert!(refused.contains(reason), "{reason}: {refused}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_would_write() {
        for (text, origin) in [
            ("https://Page.Example:443", "https://page.example"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ] {
            assert_eq!(parse_origin(text).unwrap(), origin);
        }
        for text in [
            "page.example",
            "https://page.example/x",
            "ftp://x",
            "null",
            "",
        ] {
            assert!(parse_origin(text).is_err(), "{text}");
        }
    }
}
