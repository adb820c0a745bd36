//! `/openapi.json`, the two pages that show it, and a page about each problem.
//!
//! Invariant: everything is served from the program itself, and the browser is told so: a page runs
//! the scripts that we wrote into it, known by their digests, and reaches nothing but this service and
//! the store that a download redirects to.

use base64::{Engine, prelude::BASE64_STANDARD};
use poem::http::{HeaderValue, header};
use poem::{Endpoint, Request, Response, Route, handler, web::Path};
use poem_openapi::{OpenApi, OpenApiService};
use sha2::{Digest, Sha256};

use super::document::{Routes, document};
use super::problem::{Code, Problem};
use crate::own_paths;
use crate::web_page::{Language, StaticContent, mark_as_data, style_tokens};

/// What both pages have above them. Theirs is the rest of the window.
const STYLE: &str = "\
    html, body { height: 100% } \
    body { margin: 0; display: grid; grid-template-rows: auto minmax(0, 1fr); \
        background: var(--paper); color: var(--ink); font-family: var(--sans) } \
    .bar { font-size: 1rem; line-height: 1.5; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0 1.5rem; \
        padding: 0.7rem 1.25rem; border-bottom: 1px solid var(--line); background: var(--surface) } \
    .bar a { color: var(--soft); text-decoration: none } \
    .bar a:hover { color: var(--ink); text-decoration: underline } \
    .bar a:focus-visible { outline: 3px solid var(--mint); outline-offset: 2px } \
    .bar .brand { display: inline-flex; align-items: center; gap: 0.65rem; color: var(--ink); font-weight: 700 } \
    .bar nav { display: flex; flex-wrap: wrap; gap: 0 1.25rem; font-size: 0.9375rem } \
    .bar nav a { padding: 0.5rem 0 } \
    .bar [aria-current] { color: var(--ink); font-weight: 600 } \
    main { min-width: 0; overflow: auto }";
/// There is one server, the one that the page is from: nothing to choose. It knows light alone, which is turned round
/// where the reader wants it dark; but not what is dark already.
const SWAGGER_UI_STYLE: &str = "\
    .swagger-ui, .swagger-ui :is(.info, .opblock-tag, .opblock .opblock-section-header h4, .btn, select, input, table thead tr td, \
        table thead tr th, .parameter__name, .response-col_status, .tab li, section.models h4) { font-family: var(--sans) } \
    .swagger-ui :is(.opblock .opblock-summary-path, code, pre, .microlight) { font-family: var(--mono) } \
    .swagger-ui .btn.execute { border-color: #0b5c4b; background: #0b5c4b } \
    .swagger-ui a.nostyle, .swagger-ui .info a, .swagger-ui .markdown a { color: #0b5c4b } \
    .swagger-ui .scheme-container { display: none } \
    @media (prefers-color-scheme: dark) { \
        #ui { background: #fff; filter: invert(0.92) hue-rotate(180deg) } \
        #ui :is(.highlight-code, .microlight) { filter: invert(1) hue-rotate(180deg) } \
        #ui .highlight-code .microlight { filter: none } }";
/// The document's address is relative, which works under any prefix that a proxy adds.
const SWAGGER_UI_START: &str = "SwaggerUIBundle({ \
    dom_id: '#ui', url: 'openapi.json', deepLinking: true, tryItOutEnabled: true, \
    displayRequestDuration: true, validatorUrl: null })";

const EXPLORER_STYLE: &str = "openapi-explorer { height: 100%; \
    --font-regular: var(--sans); --font-mono: var(--mono) }";
/// In the colours of `web/tokens.css`, which it doesn't take from a style sheet.
const EXPLORER_BODY: &str = r##"<openapi-explorer
      show-server-selection="false" show-authentication="false" default-schema-tab="body"
      primary-color="#0b5c4b" secondary-color="#0b5c4b" bg-color="#fffefb" text-color="#16211d"
      nav-bg-color="#efeee7" nav-text-color="#16211d"
      nav-hover-bg-color="#dedcd2" nav-hover-text-color="#084638"></openapi-explorer>"##;

/// Explorer puts the host before a server's relative address and forgets the path between, so it is
/// given the absolute one.
const EXPLORER_START: &str = "\
    if (matchMedia('(prefers-color-scheme: dark)').matches) { \
        const colours = { 'primary-color': '#62d6b1', 'secondary-color': '#62d6b1', 'bg-color': '#161e1b', \
            'text-color': '#e9efec', 'nav-bg-color': '#1d2723', 'nav-text-color': '#e9efec', \
            'nav-hover-bg-color': '#2a3631', 'nav-hover-text-color': '#86e6c8' }; \
        for (const [name, colour] of Object.entries(colours)) { \
            document.querySelector('openapi-explorer').setAttribute(name, colour); \
        } \
    } \
    fetch('openapi.json') \
    .then(response => response.json()) \
    .then(contract => { \
        contract.servers = [{ url: new URL('.', location.href).href }]; \
        return document.querySelector('openapi-explorer').loadSpec(contract); \
    })";

/// The pages, and the routes of the document. `store_origin` is where a download leads, if that isn't
/// the page's own origin: what is tried in a page follows the redirect.
pub(super) fn docs_pages<T: OpenApi>(
    service: &OpenApiService<T, ()>,
    store_origin: Option<&str>,
) -> (Route, Routes) {
    let document = document(service);
    let routes = Routes::of(&document);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    // The generator's own pages link fonts from another host and carry their own form of the
    // document. Theirs are the scripts and the style; the pages around them are ours.
    let swagger_ui = service.swagger_ui_html();
    let style = first(&swagger_ui, "style") + SWAGGER_UI_STYLE;
    let swagger_ui = page(
        own_paths::DOCS,
        &style,
        r#"<div id="ui"></div>"#,
        &[&first(&swagger_ui, "script"), SWAGGER_UI_START],
        store_origin,
    );
    let explorer = page(
        own_paths::EXPLORER,
        EXPLORER_STYLE,
        EXPLORER_BODY,
        &[
            &first(&service.openapi_explorer_html(), "script"),
            EXPLORER_START,
        ],
        store_origin,
    );
    let document = Fixed {
        content: StaticContent::new("application/json", text),
        policy: None,
    };
    let route = Route::new()
        .at(own_paths::OPENAPI, poem::get(document))
        .at(own_paths::DOCS, poem::get(swagger_ui))
        .at(own_paths::EXPLORER, poem::get(explorer))
        .at(
            own_paths::route(own_paths::PROBLEM),
            poem::get(problem_page),
        );
    (route, routes)
}

/// The text of the first element with this name in the generator's page.
fn first(html: &str, name: &str) -> String {
    html.split_once(&format!("<{name} charset=\"UTF-8\">"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map(|(text, _)| text.to_owned())
        .unwrap_or_default()
}

/// A page about the API: the product's bar, which leads back, above what somebody else's script makes.
fn page(
    path: &'static str,
    style: &str,
    body: &str,
    scripts: &[&str],
    store_origin: Option<&str>,
) -> Fixed {
    let elements: String = scripts
        .iter()
        .map(|script| format!("<script>{script}</script>\n"))
        .collect();
    let product = Language::English.words().get("product");
    let (icon, tokens) = (mark_as_data(), style_tokens());
    let mut title = "";
    let links: String = [
        (own_paths::DOCS, "Swagger UI"),
        (own_paths::EXPLORER, "Explorer"),
        (own_paths::OPENAPI, "openapi.json"),
    ]
    .into_iter()
    .map(|(target, text)| {
        let current = if target == path {
            title = text;
            " aria-current=\"page\""
        } else {
            ""
        };
        format!("<a href=\"{}\"{current}>{text}</a>", &target[1..])
    })
    .collect();
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{product} · {title}</title>\n<link rel=\"icon\" href=\"{icon}\">\n\
         <style>{tokens}\n{style}\n{STYLE}</style>\n</head>\n<body>\n\
         <header class=\"bar\"><a class=\"brand\" href=\".\"><img src=\"{icon}\" alt=\"\" width=\"32\" height=\"32\">\
         <span>{product}</span></a><nav aria-label=\"API\">{links}</nav></header>\n\
         <main>{body}</main>\n{elements}</body>\n</html>\n"
    );
    Fixed {
        content: StaticContent::new("text/html; charset=utf-8", html),
        policy: HeaderValue::from_str(&policy(scripts, store_origin)).ok(),
    }
}

/// The Content-Security-Policy of a page with these scripts. Both pages set styles on their elements
/// as they go, which no digest can name.
fn policy(scripts: &[&str], store_origin: Option<&str>) -> String {
    let digests: Vec<String> = scripts
        .iter()
        .map(|script| {
            let digest = Sha256::digest(script.as_bytes());
            format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
        })
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self' {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        digests.join(" "),
        store_origin.unwrap_or_default(),
    )
}

/// What is the same for everybody, and asked about before it is used again.
struct Fixed {
    content: StaticContent,
    /// Of a page.
    policy: Option<HeaderValue>,
}

impl Endpoint for Fixed {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let caching = HeaderValue::from_static("no-cache");
        let by_coding = HeaderValue::from_static("Accept-Encoding");
        let answering = self.content.response(request.headers(), caching, by_coding);
        let mut response = answering.await;
        if let Some(policy) = &self.policy {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        Ok(response)
    }
}

/// What a problem means and what to do, where its `type` points.
#[handler]
fn problem_page(Path(name): Path<String>) -> Result<String, Problem> {
    Code::ALL
        .into_iter()
        .find(|code| code.as_str() == name)
        .map(|code| {
            format!(
                "{} ({}, HTTP {})\n\n{}\n",
                code.title(),
                code.as_str(),
                code.status().as_u16(),
                code.advice()
            )
        })
        .ok_or_else(|| Code::RouteNotFound.with("there is no problem with this code"))
}
