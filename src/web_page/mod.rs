//! The web page at `/`, the page of one file that people share, at `/f/{id}`, and the one at `/pair` where they let
//! programs in.
//!
//! What they consist of lies in `web/` as plain modules and is built into the program. Here it is
//! given its addresses, its caching and its Content-Security-Policy.
//!
//! Invariant: nothing is loaded from another host, no script or style stands in a page itself, and a
//! page may send bytes to this service and to the store, and to nobody else. All addresses are
//! relative, so the pages work under any host name and behind any prefix.
//!
//! Absent on purpose: any knowledge of files. The pages are the same for everybody; what they show
//! they ask the API for, as any other client does.

mod assets;

use bytes::Bytes;
use poem::endpoint::make_sync;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Endpoint, EndpointExt, Request, Response, Route};
use sha2::{Digest, Sha256};

use crate::access::SignInWith;
use crate::domain::FileId;
use crate::own_paths::{self, route};
use assets::Asset;

/// For what never changes: a changed asset has another address.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept, but asked about before it is used.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// What the pages have to know of the service that serves them.
#[derive(Debug, Clone)]
pub struct WebPage {
    /// The store's origin, such as `https://bucket.s3.eu-central-1.amazonaws.com`, where it isn't
    /// always the page's own.
    pub store_origin: Option<String>,
    /// The largest file that the service takes, in bytes.
    pub max_upload_bytes: u64,
    /// How people sign in; `None` where they don't have to.
    pub sign_in: Option<SignInWith>,
}

impl WebPage {
    /// Adds the pages, and what they consist of, to `routes`.
    pub fn mount(&self, routes: Route) -> Route {
        let version = version();
        let index = Page {
            html: self.fill_in("index.html", "app.js", "", &version),
            policy: self.policy(),
        };
        let file = Page {
            html: self.fill_in("file.html", "file_page.js", "../", &version),
            policy: self.policy(),
        };
        let pair = Page {
            html: self.fill_in("pair.html", "pair_page.js", "", &version),
            policy: self.policy(),
        };
        routes
            .at(own_paths::PAIR_PAGE, poem::get(pair.endpoint()))
            .at(own_paths::INDEX, poem::get(index.endpoint()))
            .at(route(own_paths::FILE_PAGE), poem::get(file.endpoint()))
            .at(
                route(own_paths::WEB_ASSET),
                poem::get(asset_endpoint(version)),
            )
    }

    /// A page with the addresses of its assets and the service's limit. `up` leads from the page to
    /// the root.
    fn fill_in(&self, name: &str, entry: &str, up: &str, version: &str) -> String {
        let base = format!("{up}web/{version}");
        // Told at once, the browser needn't find the modules one import after the other.
        // Told with the page, it has nothing to ask first where nobody has to sign in.
        let (session, sign_in) = match self.sign_in {
            Some(SignInWith::Key) => ("asking", "key"),
            Some(SignInWith::Issuer) => ("asking", "oidc"),
            None => ("open", ""),
        };
        let modules: String = assets::modules_of(entry)
            .iter()
            .map(|module| format!("<link rel=\"modulepreload\" href=\"{base}/{module}\">\n"))
            .collect();
        assets::page(name)
            .replace("<!-- modules -->\n", &modules)
            .replace("{{assets}}", &base)
            .replace("{{session}}", session)
            .replace("{{sign_in}}", sign_in)
            .replace("{{max_upload_bytes}}", &self.max_upload_bytes.to_string())
            .replace(
                "{{store_origin}}",
                self.store_origin.as_deref().unwrap_or_default(),
            )
    }

    /// What somebody sees who comes from the issuer and isn't signed in.
    pub fn failed_sign_in(&self) -> FailedSignIn {
        FailedSignIn {
            html: self.fill_in("sign_in_failed.html", "", "../../", &version()),
        }
    }

    fn policy(&self) -> HeaderValue {
        let store = self.store_origin.as_deref().unwrap_or_default();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self' {store}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        );
        // An origin of ours is a part of a URL that was parsed, so it can stand in a header.
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}

/// The page about a sign-in that failed. It has no script.
#[derive(Debug, Clone)]
pub struct FailedSignIn {
    html: String,
}

impl FailedSignIn {
    /// The page, with these words in the places of the same names.
    pub fn response(&self, status: StatusCode, words: &[(&str, &str)]) -> Response {
        let mut html = self.html.clone();
        for (place, words) in words {
            html = html.replace(&format!("{{{{{place}}}}}"), &escaped(words));
        }
        let mut response = Response::builder()
            .status(status)
            .content_type("text/html; charset=utf-8")
            .body(html);
        let policy = HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        );
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }
}

/// As text of an element, or of an attribute in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A page, and what it may do.
struct Page {
    html: String,
    policy: HeaderValue,
}

impl Page {
    fn endpoint(self) -> impl Endpoint<Output = Response> + 'static {
        make_sync(move |request: Request| {
            // For the link that a browser without scripts is shown. Nothing but an ID gets in.
            let id = request.raw_path_param("id").map(FileId::parse);
            let id = id.and_then(Result::ok).map(|id| id.to_string());
            let html = self.html.replace("{{id}}", &id.unwrap_or_default());
            let html = Bytes::from(html);
            let mut response = cacheable(&request, "text/html; charset=utf-8", html, ASK_FIRST);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
            response
        })
        .map_to_response()
    }
}

/// Scripts, style and pictures. While two versions of the program run, the one may be asked for an
/// asset of the other: then it gives its own, for this once.
fn asset_endpoint(version: String) -> impl Endpoint<Output = Response> + 'static {
    make_sync(move |request: Request| {
        let name = request.raw_path_param("name").unwrap_or_default();
        let Some(Asset { name, content }) = assets::find(name) else {
            return StatusCode::NOT_FOUND.into();
        };
        let is_ours = request.raw_path_param("version") == Some(&version);
        let caching = if is_ours { FOR_EVER } else { ASK_FIRST };
        let content_type = assets::content_type(name);
        cacheable(&request, content_type, Bytes::from_static(content), caching)
    })
    .map_to_response()
}

/// An answer that a browser keeps, or 304 if it has it (RFC 9110, section 13.1.2).
fn cacheable(
    request: &Request,
    content_type: &'static str,
    content: Bytes,
    caching: HeaderValue,
) -> Response {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&content)[..16]));
    let mut response = if has(request.headers(), &tag) {
        StatusCode::NOT_MODIFIED.into()
    } else {
        Response::builder().content_type(content_type).body(content)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, caching);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        // A proxy that compresses makes a weak tag of ours.
        .any(|candidate| candidate.trim().trim_start_matches("W/") == tag)
}

/// The digest of everything, so that all addresses change with any asset: modules name each other by
/// relative addresses, and those of two versions must not meet.
fn version() -> String {
    let mut hasher = Sha256::new();
    for Asset { name, content } in assets::ASSETS {
        hasher.update(name);
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(content);
    }
    hex::encode(&hasher.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(store_origin: Option<&str>) -> WebPage {
        WebPage {
            store_origin: store_origin.map(str::to_owned),
            max_upload_bytes: 1234,
            sign_in: None,
        }
    }

    #[test]
    fn a_page_may_reach_the_service_and_the_store_and_nobody_else() {
        let connect = |origin| {
            let policy = page(origin).policy();
            let policy = policy.to_str().unwrap().to_owned();
            let (_, rest) = policy.split_once("connect-src ").unwrap();
            rest.split(';').next().unwrap().trim().to_owned()
        };
        assert_eq!(connect(None), "'self'");
        assert_eq!(
            connect(Some("https://b.example")),
            "'self' https://b.example"
        );
    }

    #[test]
    fn a_page_says_from_the_start_whether_anybody_has_to_sign_in() {
        for (sign_in, expected) in [
            (Some(SignInWith::Key), "asking\" data-sign-in=\"key"),
            (Some(SignInWith::Issuer), "asking\" data-sign-in=\"oidc"),
            (None, "open\" data-sign-in=\""),
        ] {
            let page = WebPage {
                sign_in,
                ..page(None)
            };
            for (name, entry) in [
                ("index.html", "app.js"),
                ("file.html", "file_page.js"),
                ("pair.html", "pair_page.js"),
            ] {
                let html = page.fill_in(name, entry, "", "0123");
                let said = format!("data-session=\"{expected}\"");
                assert!(html.contains(&said), "{html}");
            }
        }
    }

    #[test]
    fn everything_in_a_page_is_filled_in_and_nothing_in_it_is_absolute() {
        for (name, entry, up) in [
            ("index.html", "app.js", ""),
            ("file.html", "file_page.js", "../"),
            ("pair.html", "pair_page.js", ""),
        ] {
            let html = page(None).fill_in(name, entry, up, "0123");
            let html = html.replace("{{id}}", "");
            assert!(!html.contains("{{"), "{html}");
            assert!(html.contains(&format!("src=\"{up}web/0123/{entry}\"")));
            // Only where files are sent does the page need to know the limit.
            assert_eq!(html.contains("content=\"1234\""), name == "index.html");
            for attribute in ["href=\"", "src=\""] {
                for (at, _) in html.match_indices(attribute) {
                    let target = &html[at + attribute.len()..];
                    let own = target.starts_with(up) && !target.starts_with(['/', 'h']);
                    assert!(own || target.starts_with(".."), "{target}");
                }
            }
        }
    }
}
