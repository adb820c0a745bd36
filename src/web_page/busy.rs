//! What a browser gets in place of a page while the service is busy.
//!
//! Invariant: it costs less than what it stands for. It asks no store, runs no script, is no more than some KiB with its
//! own small style, and isn't compressed: whoever floods the service gets it too.
//!
//! Absent on purpose: anything that belongs to the page that was asked for. It comes at the next try, which the browser
//! makes by itself.

use poem::Response;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};

use super::{BY_READER, ForPeople, HTML, Html, Language, PRIVATE, assets};

/// As the other pages call it too.
const PRODUCT: &str = "File Share";
const TEMPLATE: &str = "busy.html";
/// In a browser it does what `<meta http-equiv="refresh">` does, before anything is read.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// A pause up to which nobody counts seconds.
const MOMENT_SECONDS: u32 = 2;
/// The depth up to which a path's page finds what it consists of: no page of ours lies deeper.
const MAX_DEPTH: usize = 8;

/// The page, for each request that is turned away.
#[derive(Debug, Clone)]
pub struct BusyPage {
    style: Html,
    policy: HeaderValue,
}

/// Why somebody is turned away, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Busy<'a> {
    /// 429 or 503.
    pub status: StatusCode,
    /// By what name programs know it.
    pub code: &'static str,
    /// After how many seconds the same request may succeed.
    pub again_in_seconds: u32,
    /// By what name the log knows the request.
    pub request_id: &'a str,
}

impl Default for BusyPage {
    fn default() -> Self {
        let sheet = assets::small_sheet("busy.css");
        let policy = format!(
            "default-src 'none'; style-src {}; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            assets::source_of(&sheet)
        );
        Self {
            style: Html::composed(format!("<style>{sheet}</style>")),
            policy: HeaderValue::from_str(&policy)
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
        }
    }
}

impl BusyPage {
    /// The page, in place of that at `path`.
    pub fn response(&self, language: Language, path: &str, busy: Busy<'_>) -> Response {
        let (words, seconds) = (language.words(), busy.again_in_seconds);
        let again = match seconds {
            0..=MOMENT_SECONDS => words.get("shared.busySoon"),
            _ => words.with("shared.busyAgain", &[&seconds.to_string()]),
        };
        let assets_at = format!("{}web/{}", up_from(path), assets::version());
        let html = Html::fill(
            assets::page(TEMPLATE, language),
            &[
                ("lang", &Html::markup(language.tag())),
                ("head", &Html::markup(assets::head())),
                ("product", &Html::markup(PRODUCT)),
                ("assets", &Html::text(&assets_at)),
                ("busy_style", &self.style),
                ("title", &Html::text(&words.get("shared.busyTitle"))),
                ("detail", &Html::text(&words.get("shared.busyNow"))),
                ("again", &Html::text(&again)),
                ("code", &Html::markup(busy.code)),
                ("request_id", &Html::text(busy.request_id)),
            ],
        );
        let mut response = Response::builder()
            .status(busy.status)
            .content_type(HTML)
            .body(html.into_string());
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(REFRESH, HeaderValue::from(seconds));
        headers.insert(header::VARY, BY_READER);
        headers.insert(header::CACHE_CONTROL, PRIVATE);
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        response.extensions_mut().insert(ForPeople);
        response
    }
}

/// What leads from a page to the service's first one.
fn up_from(path: &str) -> String {
    let depth = path.matches('/').count().saturating_sub(1);
    "../".repeat(depth.min(MAX_DEPTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn page(language: Language, path: &str, seconds: u32) -> (Response, String) {
        let busy = Busy {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "rate_limited",
            again_in_seconds: seconds,
            request_id: "abc",
        };
        let mut response = BusyPage::default().response(language, path, busy);
        let body = response.take_body().into_string().await.unwrap();
        (response, body)
    }

    #[tokio::test]
    async fn it_says_in_words_when_it_loads_again_and_does_so() {
        for (seconds, english, german) in [
            (1, "by itself in a moment", "gleich von selbst neu"),
            (30, "in 30 seconds", "in 30 Sekunden"),
        ] {
            for (language, said) in [(Language::English, english), (Language::German, german)] {
                let (response, html) = page(language, "/s/abc", seconds).await;
                assert!(html.contains(said), "{html}");
                assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
                for name in ["retry-after", "refresh"] {
                    assert_eq!(response.headers()[name], seconds.to_string());
                }
            }
        }
    }

    #[tokio::test]
    async fn it_is_small_runs_nothing_and_has_all_its_places_filled() {
        for (path, root) in [
            ("/", ""),
            ("/boxes", ""),
            ("/b/x", "../"),
            ("/f/x/", "../../"),
        ] {
            let (response, html) = page(Language::German, path, 9).await;
            assert!(html.len() < 6 * 1024, "{} bytes", html.len());
            assert!(!html.contains("{{") && !html.contains("<script"), "{html}");
            let icon = format!("href=\"{root}web/{}/mark.svg\"", assets::version());
            assert!(html.contains(&icon), "{html}");
            let policy = response.headers()["content-security-policy"]
                .to_str()
                .unwrap();
            let (_, rest) = html.split_once("<style>").unwrap();
            let (sheet, _) = rest.split_once("</style>").unwrap();
            assert!(policy.contains(&assets::source_of(sheet)), "{policy}");
            assert!(!policy.contains("script"), "{policy}");
        }
        let (_, html) = page(Language::English, &"/".repeat(500), 9).await;
        assert!(html.len() < 6 * 1024);
    }
}
