//! The web page at `/`, the page of one file that people share, at `/f/{id}`, the one at `/pair` where they let
//! programs in, those of boxes, `/boxes` for their owners and `/b/{token}` for whoever hands in, `/receipt` where
//! receipts are checked, and the one at `/guide` with recipes for programs.
//!
//! What they consist of lies in `web/` as plain modules and is built into the program. Here it is
//! given its addresses, its caching and its Content-Security-Policy.
//!
//! Invariant: nothing is loaded from another host, no script stands in a page itself, what styles stand there are known
//! by their digests, and a page may send bytes to this service and to the store, and to nobody else. All addresses are
//! relative, so the pages work under any host name and behind any prefix.
//!
//! Absent on purpose: who may see a file. Whoever has a file's page rendered has asked the service for its record as
//! that caller; all other pages are the same for everybody.

mod assets;
mod box_page;
mod bundle;
mod busy;
mod content_coding;
mod failed_sign_in;
mod figures;
mod file_page;
mod guide;
mod html;
mod shared;
mod static_content;
#[cfg(test)]
mod tests;
mod words;

use base64::{Engine, prelude::BASE64_STANDARD};
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Route, handler};

use crate::access::SignInWith;
use crate::own_paths::{self, route};
pub use box_page::{BoxSheet, BoxView};
pub use busy::{Busy, BusyPage};
use content_coding::Coding;
pub use failed_sign_in::FailedSignIn;
pub use figures::moment;
pub use file_page::FileView;
use file_page::Parts;
pub use html::{Html, Preview};
pub use shared::{SharedNotice, SharedPage, SharedRow, SharedView};
pub use static_content::StaticContent;
pub(crate) use words::weighted;
pub use words::{Language, Words};

/// For what never changes: a changed asset has another address.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept, but asked about before it is used.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");
/// Kept by nobody: what is shown to one caller.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");
/// What the choice of an answer depends on, for caches.
const BY_CODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const BY_LANGUAGE: HeaderValue = HeaderValue::from_static("Accept-Encoding, Accept-Language");
const BY_READER: HeaderValue =
    HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Cookie");
const HTML: &str = "text/html; charset=utf-8";

/// What the pages have to know of the service that serves them.
#[derive(Debug, Clone)]
pub struct WebPage {
    /// The store's origin, such as `https://bucket.s3.eu-central-1.amazonaws.com`, where it isn't
    /// always the page's own.
    pub store_origin: Option<String>,
    /// The origin that downloads lead to, such as `https://d111111abcdef8.cloudfront.net`, if that isn't the store's.
    pub download_origin: Option<String>,
    /// The largest file that the service takes, in bytes.
    pub max_upload_bytes: u64,
    /// How people sign in; `None` where they don't have to.
    pub sign_in: Option<SignInWith>,
}

/// A page of `web/`, and the module that it begins with; none if it has no script.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// The file.
    pub html: &'static str,
    /// The module.
    pub entry: &'static str,
}

/// What people see first.
const INDEX: Template = Template {
    html: "index.html",
    entry: "app.js",
};
/// What they pass on.
const FILE: Template = Template {
    html: "file.html",
    entry: "file_page.js",
};
/// Where they let programs in.
const PAIR: Template = Template {
    html: "pair.html",
    entry: "pair_page.js",
};
/// Where they see what others handed in.
const BOXES: Template = Template {
    html: "boxes.html",
    entry: "boxes_page.js",
};
/// Where whoever was given a receipt checks it.
const RECEIPT: Template = Template {
    html: "receipt.html",
    entry: "receipt_page.js",
};
/// In the extensions of an answer that is a page for people whatever its status is, and not to be made a problem.
#[derive(Debug, Clone, Copy)]
pub struct ForPeople;

/// For whom a page is made, and where it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The language of what it says.
    pub language: Language,
    /// Leads from the page to the service's first one, such as `../`; empty for that itself.
    pub root: &'a str,
    /// Whether it is known who asks: then what belongs to files is shown at once. The page asks anyway.
    pub is_in: bool,
}

impl WebPage {
    /// Adds the pages that are the same for everybody, and what all pages consist of, to `routes`.
    pub fn mount(&self, routes: Route) -> Route {
        routes
            .at(
                own_paths::PAIR_PAGE,
                poem::get(self.endpoint(PAIR, self.policy())),
            )
            .at(
                own_paths::RECEIPT_PAGE,
                poem::get(self.endpoint(RECEIPT, self.policy())),
            )
            .at(
                own_paths::BOXES_PAGE,
                poem::get(self.endpoint(BOXES, self.box_policy())),
            )
            .at(
                own_paths::INDEX,
                poem::get(self.endpoint(INDEX, self.policy())),
            )
            .at(route(own_paths::WEB_ASSET), poem::get(asset))
    }

    /// A page for one reader, with what belongs in those of its places that not every page has.
    pub fn html(&self, template: Template, shown: Shown<'_>, places: &[(&str, &Html)]) -> Html {
        let root = shown.root;
        let assets = format!("{root}web/{}", assets::version());
        // Told with the page, it has nothing to ask first where nobody has to sign in.
        let (session, sign_in) = match self.sign_in {
            None => ("open", ""),
            Some(with) => {
                let session = if shown.is_in { "in" } else { "asking" };
                let with = match with {
                    SignInWith::Key => "key",
                    SignInWith::Issuer => "oidc",
                };
                (session, with)
            }
        };
        let Template { html, entry } = template;
        let limit = shown.language.size(self.max_upload_bytes);
        let hint = |path| Html::text(&shown.language.words().with(path, &[&limit]));
        let base = root.strip_suffix('/').unwrap_or(".");
        let every_page = [
            ("assets", &Html::text(&assets)),
            ("lang", &Html::markup(shown.language.tag())),
            ("root", &Html::text(root)),
            (
                "switch_to",
                &Html::text(&shown.language.words().get("switchToTag")),
            ),
            ("base", &Html::text(base)),
            ("head", &Html::markup(assets::head())),
            ("style", assets::style()),
            ("box_style", assets::box_style()),
            ("entry", &Html::markup(entry)),
            ("session", &Html::markup(session)),
            ("sign_in", &Html::markup(sign_in)),
            (
                "max_upload_bytes",
                &Html::text(&self.max_upload_bytes.to_string()),
            ),
            (
                "store_origin",
                &Html::text(self.store_origin.as_deref().unwrap_or_default()),
            ),
            (
                "description",
                &Html::text(&shown.language.words().get("promise")),
            ),
            ("drop_hint", &hint("dropHint")),
            ("drop_hint_touch", &hint("dropHintTouch")),
        ];
        let places: Vec<(&str, &Html)> = places.iter().chain(&every_page).copied().collect();
        Html::fill(assets::page(html, shown.language), &places)
    }

    fn endpoint(&self, template: Template, policy: HeaderValue) -> SamePage {
        let contents = Language::ALL.map(|language| {
            let shown = Shown {
                language,
                root: "",
                is_in: false,
            };
            StaticContent::new(HTML, self.html(template, shown, &[]).into_string())
        });
        SamePage { contents, policy }
    }

    /// The page of a file, for the caller of a request with these headers. `url` is where it is, if that can be told.
    pub fn file_page(
        &self,
        asked: &HeaderMap,
        view: FileView<'_>,
        shown: Shown<'_>,
        url: Option<&str>,
    ) -> Response {
        let html = self.file_html(&view.parts(shown.language, shown.root, url), shown);
        let status = match view {
            FileView::Seen(_) => StatusCode::OK,
            FileView::NoSuchFile | FileView::SignInRequired => StatusCode::NOT_FOUND,
            FileView::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        self.for_one_reader(asked, status, html)
    }

    fn file_html(&self, parts: &Parts, shown: Shown<'_>) -> Html {
        let busy = if parts.is_busy { "true" } else { "false" };
        self.html(
            FILE,
            shown,
            &[
                ("title", &Html::text(&parts.title)),
                ("preview", &parts.preview),
                ("state", &Html::markup(parts.state)),
                ("busy", &Html::markup(busy)),
                ("notice", &parts.notice),
                ("card", &parts.card),
            ],
        )
    }

    /// The answer with a page that is nobody else's, to a request with these headers.
    ///
    /// It is compressed with what it shows in it. No secret is in it that somebody could find out by its length.
    pub fn for_one_reader(&self, asked: &HeaderMap, status: StatusCode, html: Html) -> Response {
        let html = html.into_string();
        let coding = Coding::of_request(asked);
        let encoded = coding.encode(html.as_bytes(), content_coding::ONCE);
        let name = encoded.is_ok().then(|| coding.name()).flatten();
        let mut response = Response::builder()
            .status(status)
            .content_type(HTML)
            .body(encoded.unwrap_or_else(|_| html.into()));
        let headers = response.headers_mut();
        if let Some(name) = name {
            headers.insert(header::CONTENT_ENCODING, name);
        }
        headers.insert(header::VARY, BY_READER);
        headers.insert(header::CACHE_CONTROL, PRIVATE);
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy());
        response.extensions_mut().insert(ForPeople);
        response
    }

    /// The page of a link, which is rendered for each of them.
    pub fn shared(&self) -> SharedPage {
        SharedPage::new(self.clone())
    }

    /// What somebody sees who comes from the issuer and isn't signed in.
    pub fn failed_sign_in(&self) -> FailedSignIn {
        FailedSignIn::new(self.clone())
    }

    /// Where bytes go and come from, as a policy lists it; `None`: the page's own origin alone.
    pub fn store_sources(&self) -> Option<String> {
        let origins = [&self.store_origin, &self.download_origin];
        let origins: Vec<&str> = origins.into_iter().flatten().map(String::as_str).collect();
        (!origins.is_empty()).then(|| origins.join(" "))
    }

    fn policy(&self) -> HeaderValue {
        self.policy_with(assets::style_sources())
    }

    /// The policy of a page whose styles are from these sources.
    fn policy_with(&self, styles: &str) -> HeaderValue {
        let store = self.store_sources().unwrap_or_default();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self'; \
             connect-src 'self' {store}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        );
        // An origin of ours is a part of a URL that was parsed, so it can stand in a header.
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}

/// The names of the colours and the like, as a style sheet, for pages that have their own.
pub fn style_tokens() -> String {
    assets::plain_css(assets::source("tokens.css"))
}

/// The product's mark, as an address that loads nothing.
pub fn mark_as_data() -> String {
    let mark = assets::source("mark.svg");
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(mark))
}

/// The language that whoever sends a request wants most of those there are.
pub fn language_of(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE);
    Language::of_reader(
        accepted
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    )
}

/// Scripts and pictures. While two versions of the program run, the one may be asked for an asset of the other: then it
/// gives its own, for this once.
#[handler]
async fn asset(request: &Request) -> Response {
    let name = request.raw_path_param("name").unwrap_or_default();
    let Some(content) = assets::content(name) else {
        return StatusCode::NOT_FOUND.into();
    };
    let is_ours = request.raw_path_param("version") == Some(assets::version());
    let caching = if is_ours { FOR_EVER } else { ASK_FIRST };
    content
        .response(request.headers(), caching, BY_CODING)
        .await
}

/// A page that is the same for everybody who reads its language.
struct SamePage {
    /// By language.
    contents: [StaticContent; Language::ALL.len()],
    policy: HeaderValue,
}

impl Endpoint for SamePage {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let headers = request.headers();
        let content = &self.contents[language_of(headers) as usize];
        let mut response = content.response(headers, ASK_FIRST, BY_LANGUAGE).await;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        Ok(response)
    }
}
