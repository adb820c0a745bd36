//! Which pages of other origins may call, and what a browser has to be told for it.
//!
//! Source: <https://fetch.spec.whatwg.org/#http-cors-protocol>.
//!
//! Invariant: an origin is compared as a whole and never reflected unchecked, and no answer allows
//! credentials: nothing here is authorised by a cookie.
//!
//! Absent on purpose: anything for pages of our own origin, which need none of it.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue};

/// How long a browser may remember the answer to a preflight. Browsers cap it at two hours or less.
const PREFLIGHT_MAX_AGE_SECONDS: u32 = 3600;

/// The origins that may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsPolicy {
    origins: Vec<String>,
}

/// What pages of allowed origins may do at one endpoint. Lists as they stand in headers.
#[derive(Debug, Clone, Copy)]
pub struct CorsRules {
    /// For `Access-Control-Allow-Methods`.
    pub methods: &'static str,
    /// For `Access-Control-Allow-Headers`.
    pub request_headers: &'static str,
    /// For `Access-Control-Expose-Headers`.
    pub exposed_headers: &'static str,
}

impl CorsPolicy {
    /// Exact origins such as `https://app.example.org`, or `*` alone for all of them; none at all
    /// is the default.
    pub fn new(origins: Vec<String>) -> Self {
        let origins = origins.iter().map(|origin| normalized(origin)).collect();
        Self { origins }
    }

    /// Whether no page of another origin may call at all.
    pub fn is_off(&self) -> bool {
        self.origins.is_empty()
    }

    /// Whether a page of this `Origin` may call.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.allowed(origin).is_some()
    }

    /// What to answer to this `Origin`, if it may call.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let asked = normalized(origin.to_str().ok()?);
        self.origins.contains(&asked).then(|| origin.clone())
    }

    /// Adds to an answer, an error as well, what lets the page that asked read it.
    pub fn decorate(&self, rules: &CorsRules, request: &HeaderMap, response: &mut HeaderMap) {
        if self.is_off() {
            return;
        }
        // Also where there is no origin: a cache must not give that answer to a page.
        response.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = request.get(ORIGIN).and_then(|origin| self.allowed(origin)) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(rules.exposed_headers),
            );
        }
    }

    /// The headers that allow a preflight, besides those of [`Self::decorate`]; `None` if the
    /// request is no preflight or its origin may not call.
    pub fn preflight(&self, rules: &CorsRules, request: &HeaderMap) -> Option<HeaderMap> {
        self.allowed(request.get(ORIGIN)?)?;
        request.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        // The browser compares what it wants to do with these lists.
        Some(HeaderMap::from_iter([
            (
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(rules.methods),
            ),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(rules.request_headers),
            ),
            (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_SECONDS.into()),
        ]))
    }
}

/// An origin as browsers write it, in lower case and without the scheme's own port; an operator may
/// have written another spelling.
fn normalized(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let own_port = match origin.split("://").next() {
        Some("https") => ":443",
        Some("http") => ":80",
        _ => return origin,
    };
    match origin.strip_suffix(own_port) {
        Some(shorter) => shorter.to_owned(),
        None => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: CorsRules = CorsRules {
        methods: "GET, PUT",
        request_headers: "content-type",
        exposed_headers: "ETag",
    };

    fn policy(origins: &[&str]) -> CorsPolicy {
        CorsPolicy::new(origins.iter().map(|&origin| origin.to_owned()).collect())
    }

    fn request(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (ORIGIN, HeaderValue::from_static(origin)),
            (
                ACCESS_CONTROL_REQUEST_METHOD,
                HeaderValue::from_static("PUT"),
            ),
        ])
    }

    fn allow_origin(policy: &CorsPolicy, origin: &'static str) -> Option<String> {
        let mut response = HeaderMap::new();
        policy.decorate(&RULES, &request(origin), &mut response);
        let value = response.get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_an_origin_that_is_listed_as_a_whole_may_call() {
        let policy = policy(&["https://a.example", "http://localhost:3000"]);
        assert_eq!(
            allow_origin(&policy, "https://a.example").as_deref(),
            Some("https://a.example")
        );
        for other in [
            "https://a.example.evil.example",
            "http://a.example",
            "https://a.example:8443",
            "https://b.a.example",
            "null",
            "",
        ] {
            assert_eq!(allow_origin(&policy, other), None, "{other}");
            assert!(policy.preflight(&RULES, &request(other)).is_none());
        }
        assert!(
            policy
                .preflight(&RULES, &request("http://localhost:3000"))
                .is_some()
        );
    }

    #[test]
    fn an_origin_is_the_same_in_every_spelling_of_it() {
        let policy = policy(&[
            "HTTPS://App.Example:443",
            "http://b.example:80",
            "https://c.example:80",
        ]);
        for same in [
            "https://app.example",
            "https://APP.example:443",
            "http://b.example",
        ] {
            assert_eq!(allow_origin(&policy, same).as_deref(), Some(same));
        }
        for other in [
            "http://app.example",
            "https://app.example:80",
            "https://c.example",
        ] {
            assert_eq!(allow_origin(&policy, other), None, "{other}");
        }
    }

    #[test]
    fn a_star_allows_all_and_never_with_credentials() {
        let policy = policy(&["*"]);
        assert_eq!(
            allow_origin(&policy, "https://x.example").as_deref(),
            Some("*")
        );
        let headers = policy.preflight(&RULES, &request("null")).unwrap();
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn without_origins_answers_are_as_if_there_were_no_cors() {
        let mut response = HeaderMap::new();
        CorsPolicy::default().decorate(&RULES, &request("https://a.example"), &mut response);
        assert!(response.is_empty());
        let preflight = CorsPolicy::default().preflight(&RULES, &request("https://a.example"));
        assert!(preflight.is_none());
    }

    #[test]
    fn answers_to_different_origins_are_kept_apart_by_caches() {
        let mut response = HeaderMap::new();
        policy(&["https://a.example"]).decorate(&RULES, &HeaderMap::new(), &mut response);
        assert_eq!(response.get(VARY).unwrap(), "Origin");
        assert!(!response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
