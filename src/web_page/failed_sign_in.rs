//! What somebody sees who comes from the issuer and isn't signed in.
//!
//! Invariant: the page has no script, and may reach nothing but the service's own styles and pictures. What is said in it
//! is text, whoever wrote it.
//!
//! Absent on purpose: why a sign-in failed, and in which words that is said.

use poem::Response;
use poem::http::{HeaderValue, StatusCode, header};

use super::{HTML, Html, Language, Shown, Template, WebPage, assets};

/// What they see who come from the issuer and aren't signed in.
const SIGN_IN_FAILED: Template = Template {
    html: "sign_in_failed.html",
    entry: "",
};

/// The page about a sign-in that failed. It has no script.
#[derive(Debug, Clone)]
pub struct FailedSignIn {
    page: WebPage,
}

impl FailedSignIn {
    pub(super) fn new(page: WebPage) -> Self {
        Self { page }
    }

    /// The page, with these words in the places of the same names.
    pub fn response(&self, status: StatusCode, words: &[(&str, &str)]) -> Response {
        let words: Vec<(&str, Html)> = words
            .iter()
            .map(|(place, text)| (*place, Html::text(text)))
            .collect();
        let places: Vec<(&str, &Html)> = words.iter().map(|(place, html)| (*place, html)).collect();
        let shown = Shown {
            language: Language::English,
            root: "../../",
            is_in: false,
        };
        let html = self.page.html(SIGN_IN_FAILED, shown, &places);
        let mut response = Response::builder()
            .status(status)
            .content_type(HTML)
            .body(html.into_string());
        let policy = format!(
            "default-src 'none'; style-src {}; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            assets::style_sources(),
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}
