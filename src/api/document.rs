//! The contract as a document, and the pages that show it.
//!
//! Invariant: everything is served from the program itself. No page loads a script, a style or a
//! font from elsewhere.

use std::collections::BTreeMap;

use poem::http::{HeaderValue, Method, header};
use poem::{Endpoint, EndpointExt, Response, Route, endpoint::make_sync, handler, web::Path};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use serde_json::{Value, json};

use super::problem::{Code, PROBLEM_JSON};

const TITLE: &str = "File Share Service";
const SUMMARY: &str = "\
Hands out short-lived presigned URLs and keeps the metadata; the bytes go straight between clients \
and the object store.\n\n\
An upload has two steps. `POST /v1/files` says what is coming and answers with `upload`: send the \
bytes there, with the headers that it lists. The store then tells the service that they arrived; \
they are measured and hashed, and only then is the file `available`: exactly the bytes whose SHA-256 \
it shows, for ever.\n\n\
Every path works with and without `/v1`. Errors are `application/problem+json` with a stable `code`.";

/// Explorer's own page links fonts from another host, so this is ours, around its script.
const EXPLORER_PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>File Share Service · Explorer</title>
    <style>body { margin: 0 } openapi-explorer { height: 100vh }</style>
    <script>{script}</script>
  </head>
  <body>
    <openapi-explorer spec-url="openapi.json"></openapi-explorer>
  </body>
</html>
"#;

/// The paths that there are and the methods that each takes, read from the document.
#[derive(Debug, Default)]
pub struct Routes(Vec<(Vec<String>, Vec<Method>)>);

impl Routes {
    fn of(document: &Value) -> Self {
        let mut routes: Vec<(Vec<String>, Vec<Method>)> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(path, operations)| {
                let methods = operations
                    .as_object()
                    .into_iter()
                    .flat_map(|operations| operations.keys())
                    .filter_map(|name| name.to_uppercase().parse().ok())
                    .collect();
                (path.split('/').map(str::to_owned).collect(), methods)
            })
            .collect();
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/explorer"] {
            routes.push((
                path.split('/').map(str::to_owned).collect(),
                vec![Method::GET],
            ));
        }
        Self(routes)
    }

    /// The methods that `path` takes; empty if there is no such path.
    pub fn methods(&self, path: &str) -> Vec<Method> {
        let segments: Vec<&str> = path.split('/').collect();
        self.0
            .iter()
            .find(|(pattern, _)| {
                pattern.len() == segments.len()
                    && pattern.iter().zip(&segments).all(|(own, sent)| {
                        own == sent || (own.starts_with('{') && !sent.is_empty())
                    })
            })
            .map(|(_, methods)| methods.clone())
            .unwrap_or_default()
    }
}

/// The service that answers the calls of `api`.
pub fn service<T: OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, TITLE, env!("CARGO_PKG_VERSION"))
        .description(SUMMARY)
        .license(
            LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"),
        )
}

/// The document of `service`, with what its generator can't say: formats, examples, and what each
/// error means.
pub fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> Value {
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
    for (name, schema) in schema_details() {
        merge(&mut document["components"]["schemas"][name], schema);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        for operation in paths
            .values_mut()
            .filter_map(Value::as_object_mut)
            .flat_map(|operations| operations.values_mut())
        {
            describe(operation);
        }
    }
    document
}

/// Formats and examples that the generator has no words for.
fn schema_details() -> BTreeMap<&'static str, Value> {
    let id = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";
    let time =
        json!({"type": "string", "format": "date-time", "example": "2026-01-31T09:05:00.123Z"});
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let file = json!({
        "id": {"format": "uuid", "example": id},
        "filename": {"example": "lecture-1.pdf"},
        "size": {"minimum": 0, "maximum": crate::domain::MAX_CONTENT_LENGTH, "example": 5},
        "contentType": {"example": "application/pdf"},
        "sha256": {"pattern": "^[0-9a-f]{64}$", "nullable": true, "example": sha256},
        "createdAt": time,
        "uploadedAt": merged(&time, &json!({"nullable": true})),
        "reason": {"example": "5 bytes were declared and 6 bytes arrived"},
    });
    let headers = json!({"content-type": "application/pdf", "if-none-match": "*"});
    BTreeMap::from([
        (
            "File",
            json!({"properties": file, "required": ["sha256", "uploadedAt"]}),
        ),
        (
            "NewFile",
            json!({
                "properties": {
                        "size": {"format": "int64"},
                    "contentType": {"nullable": true, "example": "application/pdf"},
                    "sha256": {"nullable": true, "example": sha256},
                },
                "additionalProperties": false,
                "example": {"filename": "hello.txt", "size": 5, "contentType": "text/plain"},
            }),
        ),
        (
            "Upload",
            json!({"properties": {
                "method": {"enum": ["PUT"]},
                "url": {"format": "uri", "example": format!("https://file-share-bucket.s3.eu-central-1.amazonaws.com/uploads/{id}?X-Amz-Algorithm=AWS4-HMAC-SHA256&…")},
                "headers": {"example": headers},
                "expiresAt": time,
            }}),
        ),
        (
            "FilePage",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
            }),
        ),
        (
            "Problem",
            json!({"properties": {
                "type": {"format": "uri-reference", "example": "/problems/upload_pending"},
                "status": {"minimum": 400, "maximum": 599, "example": 409},
                "code": {"enum": Code::ALL.map(Code::as_str)},
            }}),
        ),
    ])
}

/// Says of every error response which codes it can have, with an example of each.
fn describe(operation: &mut Value) {
    let id = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, response) in responses {
        capitalise_headers(response);
        response["headers"]["X-Request-Id"] = json!({
            "description": "The request, as the log knows it.",
            "required": true,
            "schema": {"type": "string"},
        });
        let Some(content) = response["content"].get_mut(PROBLEM_JSON) else {
            continue;
        };
        let codes: Vec<Code> = Code::ALL
            .into_iter()
            .filter(|code| code.status().as_str() == status && applies(*code, &id))
            .collect();
        content["examples"] = codes
            .iter()
            .map(|code| {
                (
                    code.as_str().to_owned(),
                    json!({"summary": code.title(), "value": example(*code)}),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let sentences: Vec<String> = codes
            .iter()
            .map(|c| format!("`{}`: {}. {}", c.as_str(), c.title(), c.advice()))
            .collect();
        response["description"] = sentences.join("\n\n").into();
    }
}

/// The generator writes header names in capitals; they are the same, and hard to read.
fn capitalise_headers(response: &mut Value) {
    let Some(headers) = response["headers"].as_object_mut() else {
        return;
    };
    *headers = std::mem::take(headers)
        .into_iter()
        .map(|(name, header)| {
            let words: Vec<String> = name
                .split('-')
                .map(|word| {
                    let (first, rest) = word.split_at(word.len().min(1));
                    first.to_uppercase() + &rest.to_lowercase()
                })
                .collect();
            (words.join("-"), header)
        })
        .collect();
}

/// Two codes share 404 and two share 409 and 410: which of them an operation can answer.
fn applies(code: Code, operation_id: &str) -> bool {
    match code {
        Code::RouteNotFound => false,
        Code::UploadSettled => operation_id == "renew_upload",
        Code::UploadPending => matches!(operation_id, "download_file" | "head_file"),
        _ => true,
    }
}

fn example(code: Code) -> Value {
    json!({
        "type": code.path(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": code.advice(),
        "code": code.as_str(),
        "requestId": "0199a2b47c1e7f4d9a7e0d8a4c1b2e3f",
    })
}

/// Puts `more` into `value`, object by object; lists grow.
fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(more)) => {
            for item in more {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        (value, more) => *value = more,
    }
}

fn merged(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    merge(&mut value, more.clone());
    value
}

/// `/openapi.json`, `/docs`, `/explorer` and `/problems/{code}`, and the routes of the document.
pub fn pages<T: OpenApi>(service: &OpenApiService<T, ()>) -> (Route, Routes) {
    let document = document(service);
    let routes = Routes::of(&document);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    // The pages carry their script in themselves; the document they fetch from beside them, which
    // works under any prefix that a proxy adds.
    let swagger = page_around_document(&service.swagger_ui_html());
    let explorer =
        EXPLORER_PAGE.replace("{script}", &first_script(&service.openapi_explorer_html()));
    let route = Route::new()
        .at("/openapi.json", fixed("application/json", text))
        .at("/docs", page(swagger))
        .at("/explorer", page(explorer))
        .at("/problems/:code", problem_page);
    (route, routes)
}

/// Swagger UI's page with our document instead of the generator's.
fn page_around_document(html: &str) -> String {
    match (html.find("let spec = "), html.find("let oauth2RedirectUrl")) {
        (Some(start), Some(end)) if start < end => {
            let html = format!("{}{}", &html[..start], &html[end..]);
            html.replace("spec: spec,", "url: 'openapi.json',")
                .replace(
                    "<html charset=\"UTF-8\">",
                    "<!DOCTYPE html>\n<html lang=\"en\">",
                )
                .replace(
                    "<title>Swagger UI</title>",
                    "<title>File Share Service · API</title>",
                )
        }
        _ => html.to_owned(),
    }
}

/// The text of the first script in a page.
fn first_script(html: &str) -> String {
    html.split_once("<script charset=\"UTF-8\">")
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map(|(script, _)| script.to_owned())
        .unwrap_or_default()
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
}

/// A page that can reach nothing but this service: the browser holds it to that.
fn page(html: String) -> impl Endpoint<Output = Response> + 'static {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                          img-src 'self' data:; font-src data:; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    fixed("text/html; charset=utf-8", html)
        .map_to_response()
        .after(|response| async {
            let mut response: Response = response?;
            response.headers_mut().insert(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(POLICY),
            );
            Ok(response)
        })
}

/// What a problem means and what to do, where its `type` points.
#[handler]
fn problem_page(Path(name): Path<String>) -> Result<String, super::problem::Problem> {
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
