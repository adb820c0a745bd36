//! `/openapi.json`, the two pages that show it, and a page about each problem.
//!
//! Invariant: everything is served from the program itself, and the browser is told so: a page runs
//! the scripts that we wrote into it, known by their digests, and reaches nothing but this service and
//! the store that a download redirects to.

use base64::{Engine, prelude::BASE64_STANDARD};
use poem::http::{HeaderValue, header};
use poem::{Endpoint, EndpointExt, Response, Route, endpoint::make_sync, handler, web::Path};
use poem_openapi::{OpenApi, OpenApiService};
use sha2::{Digest, Sha256};

use super::document::{Routes, document};
use super::problem::{Code, Problem};
use crate::own_paths;

/// An arrow into a tray, so that browsers don't ask for /favicon.ico.
const ICON: &str = "data:image/svg+xml,\
    %3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Cpath d='M8 11V2M4.5 5.5 8 2l3.5 3.5M2 10v4h12v-4' \
    fill='none' stroke='%231f6feb' stroke-width='2'/%3E%3C/svg%3E";

const SWAGGER_UI_TITLE: &str = "File Share Service · Swagger UI";
/// There is one server, the one that the page is from: nothing to choose.
const SWAGGER_UI_STYLE: &str = "body { margin: 0 } .swagger-ui .scheme-container { display: none }";
/// The document's address is relative, which works under any prefix that a proxy adds.
const SWAGGER_UI_START: &str = "SwaggerUIBundle({ \
    dom_id: '#ui', url: 'openapi.json', deepLinking: true, tryItOutEnabled: true, \
    displayRequestDuration: true, validatorUrl: null })";

const EXPLORER_TITLE: &str = "File Share Service · Explorer";
const EXPLORER_STYLE: &str = "body { margin: 0 } openapi-explorer { height: 100vh; \
    --font-regular: system-ui, sans-serif; --font-mono: ui-monospace, monospace }";
const EXPLORER_BODY: &str = r##"<openapi-explorer
      show-server-selection="false" show-authentication="false" default-schema-tab="body"
      primary-color="#1f6feb" secondary-color="#1f6feb" text-color="#24292f"
      nav-bg-color="#f3f5f8" nav-text-color="#24292f"
      nav-hover-bg-color="#e3e9f1" nav-hover-text-color="#1f6feb"></openapi-explorer>"##;

/// Explorer puts the host before a server's relative address and forgets the path between, so it is
/// given the absolute one.
const EXPLORER_START: &str = "fetch('openapi.json') \
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
        SWAGGER_UI_TITLE,
        &style,
        r#"<div id="ui"></div>"#,
        &[&first(&swagger_ui, "script"), SWAGGER_UI_START],
        store_origin,
    );
    let explorer = page(
        EXPLORER_TITLE,
        EXPLORER_STYLE,
        EXPLORER_BODY,
        &[
            &first(&service.openapi_explorer_html(), "script"),
            EXPLORER_START,
        ],
        store_origin,
    );
    let route = Route::new()
        .at(
            own_paths::OPENAPI,
            poem::get(fixed("application/json", text)),
        )
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

fn page(
    title: &str,
    style: &str,
    body: &str,
    scripts: &[&str],
    store_origin: Option<&str>,
) -> impl Endpoint<Output = Response> + 'static {
    let elements: String = scripts
        .iter()
        .map(|script| format!("<script>{script}</script>\n"))
        .collect();
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n<style>{style}</style>\n\
         </head>\n<body>\n{body}\n{elements}</body>\n</html>\n"
    );
    let policy = HeaderValue::from_str(&policy(scripts, store_origin)).ok();
    fixed("text/html; charset=utf-8", html).after(move |response| {
        let policy = policy.clone();
        async move {
            let mut response: Response = response?;
            if let Some(policy) = policy {
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            Ok(response)
        }
    })
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

fn fixed(content_type: &'static str, body: String) -> impl Endpoint<Output = Response> + 'static {
    let body = bytes::Bytes::from(body);
    make_sync(move |_| {
        let mut response = Response::builder()
            .content_type(content_type)
            .body(body.clone());
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    })
    .map_to_response()
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
