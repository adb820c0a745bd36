//! The contract of the API, call by call: statuses, fields, headers and problems.

mod creating;
mod http;
mod life;
mod listing;
mod log;

use reqwest::{Client, Method, Response, StatusCode, redirect};
use serde_json::{Value, json};

use crate::support::program::{Program, data_dir};

/// A service of its own for one test, and a client that follows no redirect.
struct Service {
    program: Program,
    client: Client,
    _dir: tempfile::TempDir,
}

impl Service {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let dir = data_dir();
        Self {
            program: Program::local(dir.path(), settings),
            client: Client::builder()
                .redirect(redirect::Policy::none())
                .build()
                .unwrap(),
            _dir: dir,
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.program.base))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn post(&self, body: &Value) -> Response {
        self.request(Method::POST, "/v1/files")
            .json(body)
            .send()
            .await
            .unwrap()
    }

    async fn create(&self, filename: &str, size: u64) -> Value {
        let response = self
            .post(&json!({"filename": filename, "size": size}))
            .await;
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json().await.unwrap()
    }

    async fn upload(&self, created: &Value, bytes: &'static str) -> StatusCode {
        let upload = &created["upload"];
        let mut request = self.client.put(upload["url"].as_str().unwrap()).body(bytes);
        for (name, value) in upload["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.send().await.unwrap().status()
    }

    /// A file that is available.
    async fn share(&self, filename: &str, bytes: &'static str) -> Value {
        let created = self.create(filename, bytes.len() as u64).await;
        assert_eq!(self.upload(&created, bytes).await, StatusCode::OK);
        let file: Value = self
            .get(&format!("/v1/files/{}/metadata?wait=20", id(&created)))
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(file["status"], "available", "{file}");
        file
    }
}

fn id(file: &Value) -> &str {
    file["id"].as_str().unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// Checks that an answer is a problem with this status and code, and gives its body.
async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status, "{code}");
    assert_eq!(
        header(&response, "content-type"),
        Some("application/problem+json")
    );
    let request_id = header(&response, "x-request-id").unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["requestId"], request_id);
    assert_eq!(body["type"], format!("/problems/{code}"));
    for field in ["title", "detail"] {
        assert!(!body[field].as_str().unwrap().is_empty(), "{body}");
    }
    body
}
