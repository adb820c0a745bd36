//! The contract as a document: what the generator says, and what it has no words for.
//!
//! Invariant: valid OpenAPI 3.0, and every example is an answer that the program could give: errors
//! are written by the code that answers them.

mod schemas;

use poem::http::Method;
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::{Value, json};

use super::cursor;
use super::examples;
use super::operation_errors::{BEFORE_ANY_OPERATION, can_end_in};
use super::problem::{Code, PROBLEM_JSON};
use crate::own_paths;

const TITLE: &str = "File Share Service";
/// Where a response has its problem, as a JSON pointer (RFC 6901).
const PROBLEM_CONTENT: &str = "/content/application~1problem+json";
/// Where a response has a receipt, and what that looks like: three parts of base64url.
const RECEIPT: &str = "/responses/200/content/application~1jose";
const RECEIPT_PATTERN: &str = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$";
const SUMMARY: &str = "\
Hands out short-lived presigned URLs and keeps the metadata. No byte of a file goes through this API: \
clients send bytes straight to the object store, and fetch them straight from it.\n\n\
**An upload has two steps**\n\n\
1. `POST /v1/files` says what is coming: a name and the exact size. The answer is the file, `pending`, \
and `upload`: a URL, and the headers to send with the bytes.\n\
2. `PUT` the bytes to that URL.\n\n\
They are two because the URL is all the permission that the bytes need: it holds for this one file, \
this size and a few minutes, so nobody needs an account at the store, and this API stays small \
however large the files are. The store then tells the service that the bytes came. They are measured \
and hashed, and only then is the file `available`: exactly the bytes whose SHA-256 it shows, for \
ever.\n\n\
**Try it on this page**\n\n\
1. Execute *Create a file* as it stands: `hello.txt`, 5 bytes. The answer has an `id`, and `upload`.\n\
2. Send the 5 bytes, in a terminal, with `upload.url` as UPLOAD_URL (the headers are those of \
`upload.headers`):\n\n\
```sh\n\
curl -X PUT --data-binary hello -H \"content-type: text/plain\" -H \"if-none-match: *\" \"UPLOAD_URL\"\n\
```\n\n\
3. Execute *Describe a file* with that `id`: it is `available`, and has the `sha256` of what came.\n\
4. Execute *Download a file* with that `id`: the page follows the redirect and has `hello` for you.\n\n\
Every path works with and without `/v1`. Errors are `application/problem+json` with a stable `code` to \
decide by.";

/// The paths that there are and the methods that each takes, read from the document.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Path>);

#[derive(Debug)]
struct Path {
    segments: Vec<String>,
    /// Each with the ID of its operation, where it is one of the contract.
    methods: Vec<(Method, Option<String>)>,
}

impl Path {
    fn new(path: &str, methods: Vec<(Method, Option<String>)>) -> Self {
        let segments = path.split('/').map(str::to_owned).collect();
        Self { segments, methods }
    }

    fn is(&self, path: &str) -> bool {
        let mut sent = path.split('/');
        let mut own = self.segments.iter();
        own.all(|own| {
            sent.next()
                .is_some_and(|sent| own == sent || (own.starts_with('{') && !sent.is_empty()))
        }) && sent.next().is_none()
    }
}

impl Routes {
    pub(super) fn of(document: &Value) -> Self {
        let mut routes: Vec<Path> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(path, operations)| {
                let operations = operations.as_object().into_iter().flatten();
                let methods = operations.filter_map(|(name, operation)| {
                    let id = operation["operationId"].as_str().map(str::to_owned);
                    Some((name.to_uppercase().parse().ok()?, id))
                });
                Path::new(path, methods.collect())
            })
            .collect();
        for path in own_paths::PAGES {
            let methods = match path {
                own_paths::SHARED_PAGE => vec![Method::GET, Method::HEAD, Method::POST],
                _ => vec![Method::GET],
            };
            let methods = methods.into_iter().map(|method| (method, None));
            routes.push(Path::new(path, methods.collect()));
        }
        Self(routes)
    }

    /// The methods that `path` takes; empty if there is no such path.
    pub(super) fn methods(&self, path: &str) -> Vec<Method> {
        let found = self.found(path);
        found.iter().map(|(method, _)| method.clone()).collect()
    }

    /// The paths, as the document writes them.
    pub(super) fn templates(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|path| path.segments.join("/"))
    }

    /// The ID of the operation that a call is, in the contract.
    pub(super) fn operation(&self, path: &str, method: &Method) -> Option<&str> {
        let found = self.found(path).iter().find(|(own, _)| own == method);
        found.and_then(|(_, id)| id.as_deref())
    }

    fn found(&self, path: &str) -> &[(Method, Option<String>)] {
        let found = self.0.iter().find(|own| own.is(path));
        found.map(|own| own.methods.as_slice()).unwrap_or_default()
    }
}

/// The service that answers the calls of `api`.
pub(super) fn service<T: OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, TITLE, env!("CARGO_PKG_VERSION"))
        .description(SUMMARY)
        // Beside the document, whatever a proxy puts before it.
        .server(ServerObject::new("."))
        .license(
            LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"),
        )
}

/// The document of `service`, with what its generator can't say: formats, examples, and what each
/// error means.
pub(super) fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> Value {
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
    for (name, schema) in schemas::details() {
        merge(&mut document["components"]["schemas"][name], schema);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        for (method, operation) in paths
            .values_mut()
            .filter_map(Value::as_object_mut)
            .flat_map(|operations| operations.iter_mut())
        {
            add_conventions(method, operation);
            if let Some(receipt) = operation.pointer_mut(RECEIPT) {
                merge(
                    receipt,
                    json!({"schema": {"pattern": RECEIPT_PATTERN}, "example": examples::receipt()}),
                );
            }
            describe(operation);
            // Not by index: that would write a `parameters: null` where there are none.
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                describe_parameter(parameter);
            }
        }
    }
    document["components"]["securitySchemes"] = security_schemes();
    // The first says that a service may ask for nothing.
    document["security"] = json!([{}, {"key": []}, {"session": []}]);
    name_formats(&mut document);
    document
}

/// How a request shows who sends it, where the service asks.
fn security_schemes() -> Value {
    json!({
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "The key of the service, `fsk_…`, from the file `access-key` of its data directory.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "session",
            "description": "What `POST /v1/session` gives a browser; `__Host-session` behind https.",
        },
    })
}

/// The generator writes the widths of Rust's integers; the contract has the formats that OpenAPI
/// names.
fn name_formats(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(format) = fields.get_mut("format") {
                match format.as_str() {
                    Some("uint16" | "uint32") => *format = "int32".into(),
                    Some("uint64") => *format = "int64".into(),
                    _ => {}
                }
            }
            fields.values_mut().for_each(name_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(name_formats),
        _ => {}
    }
}

/// What is answered before any operation is asked.
fn add_conventions(method: &str, operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    let changes_nothing = matches!(method, "get" | "head");
    for code in BEFORE_ANY_OPERATION {
        if changes_nothing && code == Code::OriginNotAllowed {
            continue;
        }
        let problem = json!({"content": {
            PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}},
        }});
        responses.insert(code.status().as_str().to_owned(), problem);
    }
    responses.sort_keys();
}

/// What the value of a parameter must look like, where that is judged by hand.
fn describe_parameter(parameter: &mut Value) {
    if parameter["name"] == "cursor" {
        merge(
            &mut parameter["schema"],
            json!({"pattern": format!("^$|{}", cursor::PATTERN)}),
        );
    }
    if parameter["name"] == "user_id" {
        merge(
            &mut parameter["schema"],
            json!({"pattern": schemas::USER_ID_PATTERN}),
        );
    }
    // What to ask with after an upload.
    if parameter["name"] == "wait" {
        merge(&mut parameter["schema"], json!({"example": 20}));
    }
    if parameter["in"] != "header" {
        return;
    }
    let name = parameter["name"].as_str().map(capitalised);
    parameter["name"] = name.into();
    if parameter["name"] == "Idempotency-Key" {
        // Three patterns in one: with quotes, without quotes and spaces, or nothing.
        let pattern = "^(\"[ !#-\\[\\]-~]{1,128}\"|[!#-\\[\\]-~]{1,128})?$";
        // No example: a page would fill it in, and the second file that is tried would be the first.
        merge(&mut parameter["schema"], json!({"pattern": pattern}));
    }
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
        // Not by index: that would write a `content: null` into an answer without a body.
        let Some(content) = response.pointer_mut(PROBLEM_CONTENT) else {
            continue;
        };
        let codes: Vec<Code> = Code::ALL
            .into_iter()
            .filter(|code| code.status().as_str() == status && can_end_in(&id, *code))
            .collect();
        content["examples"] = codes
            .iter()
            .map(|code| {
                (
                    code.as_str().to_owned(),
                    json!({"summary": code.title(), "value": examples::problem(*code, &id)}),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let sentences: Vec<String> = codes
            .iter()
            .map(|c| format!("`{}`: {}. {}", c.as_str(), c.title(), c.advice()))
            .collect();
        response["description"] = sentences.join("\n\n").into();
        if codes.contains(&Code::RateLimited) {
            for (name, said) in [
                (
                    "RateLimit",
                    "How much is left, of whose limit, and in how many seconds all of it is there again, as \
                     draft-ietf-httpapi-ratelimit-headers has it. Other answers than redirects have it too where less \
                     than a tenth is left.",
                ),
                (
                    "RateLimit-Policy",
                    "The limit: how many at once, and in how many seconds as many again.",
                ),
            ] {
                response["headers"][name] =
                    json!({"description": said, "schema": {"type": "string"}});
            }
        }
        if codes.iter().any(|code| code.retry_after().is_some()) {
            response["headers"]["Retry-After"] = json!({
                "description": "After how many seconds the same request may succeed.",
                "required": codes.iter().all(|code| code.retry_after().is_some()),
                "schema": {"type": "integer", "minimum": 0},
            });
        }
    }
}

/// The generator writes header names in capitals; they are the same, and hard to read.
fn capitalise_headers(response: &mut Value) {
    let Some(headers) = response["headers"].as_object_mut() else {
        return;
    };
    *headers = std::mem::take(headers)
        .into_iter()
        .map(|(name, header)| (capitalised(&name), header))
        .collect();
}

fn capitalised(name: &str) -> String {
    let words: Vec<String> = name
        .split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + &rest.to_lowercase()
        })
        .collect();
    words.join("-")
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
