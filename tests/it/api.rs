//! The contract of the API, call by call: statuses, fields, headers and problems.

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

#[tokio::test]
async fn creating_answers_201_with_location_record_and_upload() {
    let service = Service::new();
    let body = json!({"filename": "bad/name?.txt", "size": 5});
    let response = service.post(&body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = header(&response, "location").unwrap().to_owned();
    let created: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/v1/files/{}", id(&created)));
    assert_eq!(created["filename"], "bad_name_.txt");
    assert_eq!(created["size"], 5);
    assert_eq!(created["contentType"], "text/plain");
    assert_eq!(created["sha256"], Value::Null);
    assert_eq!(created["uploadedAt"], Value::Null);
    assert_eq!(created["status"], "pending");
    assert!(created.get("reason").is_none());
    let created_at = created["createdAt"].as_str().unwrap();
    assert!(created_at.ends_with('Z') && created_at.len() == "2026-01-31T09:05:00.123Z".len());
    let upload = &created["upload"];
    assert_eq!(upload["method"], "PUT");
    assert_eq!(
        upload["headers"],
        json!({"content-type": "text/plain", "if-none-match": "*"})
    );
    assert!(
        upload["url"]
            .as_str()
            .unwrap()
            .starts_with(&service.program.base)
    );
    let at = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    let lives = at(&upload["expiresAt"]) - at(&created["createdAt"]);
    assert!((899..=900).contains(&lives.num_seconds()), "{lives}");
}

#[tokio::test]
async fn a_declared_digest_is_among_the_headers_to_send() {
    let service = Service::new();
    let sha256 = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
    let created: Value = service
        .post(&json!({"filename": "a", "size": 5, "sha256": sha256}))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        created["upload"]["headers"]["x-amz-checksum-sha256"],
        "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    );
}

#[tokio::test]
async fn a_body_that_is_not_right_is_400_with_every_field_and_why() {
    let service = Service::new();
    let body = json!({"filename": "..", "size": -1, "contentType": "pdf", "sha256": "abc"});
    let body = problem(service.post(&body).await, 400, "invalid_request").await;
    let fields: Vec<&str> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["filename", "size", "contentType", "sha256"]);
    for body in [
        "",
        "{",
        "[]",
        "5",
        "null",
        "{\"filename\":\"a\"}",
        "{\"size\":1}",
        "\u{feff}{}",
    ] {
        let response = service
            .request(Method::POST, "/v1/files")
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        problem(response, 400, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_415() {
    let service = Service::new();
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some(""),
    ] {
        let mut request = service
            .request(Method::POST, "/v1/files")
            .body("{\"filename\":\"a\",\"size\":1}");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        problem(request.send().await.unwrap(), 415, "unsupported_media_type").await;
    }
    let response = service
        .request(Method::POST, "/v1/files")
        .header("content-type", "application/json; charset=utf-8")
        .body("{\"filename\":\"a\",\"size\":1}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn twenty_mebibytes_are_taken_and_one_byte_more_is_413() {
    let service = Service::new();
    service.create("a", 20_971_520).await;
    let response = service
        .post(&json!({"filename": "a", "size": 20_971_521}))
        .await;
    let body = problem(response, 413, "content_too_large").await;
    assert!(body["detail"].as_str().unwrap().contains("20971520"));
}

#[tokio::test]
async fn an_operator_can_lower_the_limit() {
    let service = Service::with(&[("MAX_UPLOAD_BYTES", "10")]);
    service.create("a", 10).await;
    let response = service.post(&json!({"filename": "a", "size": 11})).await;
    problem(response, 413, "content_too_large").await;
}

#[tokio::test]
async fn a_body_beyond_its_own_limit_is_413() {
    let service = Service::new();
    let response = service
        .post(&json!({"filename": "x".repeat(17 * 1024), "size": 1}))
        .await;
    problem(response, 413, "content_too_large").await;
}

#[tokio::test]
async fn a_name_of_more_than_255_bytes_is_400() {
    let service = Service::new();
    let response = service
        .post(&json!({"filename": "x".repeat(300), "size": 1}))
        .await;
    problem(response, 400, "invalid_request").await;
}

#[tokio::test]
async fn an_unknown_file_is_404_for_every_call_also_where_the_id_is_none() {
    let service = Service::new();
    for id in [
        "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
        "no-such-file",
        "2f1b3a52-7c1e-4f4d-9a7e-0d8a4c1b2e3f",
        "%2e%2e%2fetc",
        "%F0%9F%8E%89",
    ] {
        for (method, path) in [
            (Method::GET, format!("/v1/files/{id}")),
            (Method::GET, format!("/v1/files/{id}/metadata")),
            (Method::DELETE, format!("/v1/files/{id}")),
            (Method::POST, format!("/v1/files/{id}/upload")),
        ] {
            let response = service.request(method, &path).send().await.unwrap();
            problem(response, 404, "file_not_found").await;
        }
    }
}

#[tokio::test]
async fn a_pending_file_is_409_with_retry_after() {
    let service = Service::new();
    let created = service.create("a", 5).await;
    let response = service.get(&format!("/v1/files/{}", id(&created))).await;
    assert_eq!(header(&response, "retry-after"), Some("1"));
    problem(response, 409, "upload_pending").await;
}

#[tokio::test]
async fn an_available_file_is_redirected_to_and_the_answer_is_not_cached() {
    let service = Service::new();
    let file = service.share("a.txt", "hello").await;
    let response = service.get(&format!("/v1/files/{}", id(&file))).await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        header(&response, "cache-control"),
        Some("private, no-store")
    );
    let location = header(&response, "location").unwrap().to_owned();
    let bytes = service.client.get(&location).send().await.unwrap();
    assert_eq!(header(&bytes, "x-content-type-options"), Some("nosniff"));
    assert!(
        header(&bytes, "content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    assert_eq!(bytes.text().await.unwrap(), "hello");

    let response = service
        .request(Method::HEAD, &format!("/v1/files/{}", id(&file)))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    let location = header(&response, "location").unwrap();
    assert_eq!(
        service.client.head(location).send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(
        service.client.get(location).send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_fresh_url_is_given_while_the_file_is_pending_and_409_afterwards() {
    let service = Service::new();
    let created = service.create("a", 5).await;
    let path = format!("/v1/files/{}/upload", id(&created));
    let response = service.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let renewed: Value = response.json().await.unwrap();
    assert_eq!(service.upload(&renewed, "hello").await, StatusCode::OK);
    service
        .get(&format!("/v1/files/{}/metadata?wait=20", id(&created)))
        .await;
    let response = service.request(Method::POST, &path).send().await.unwrap();
    problem(response, 409, "upload_settled").await;
    assert_eq!(
        service.upload(&renewed, "HELLO").await,
        StatusCode::PRECONDITION_FAILED
    );
}

#[tokio::test]
async fn a_file_whose_bytes_never_came_is_410() {
    let service = Service::with(&[
        ("UPLOAD_URL_TTL", "1s"),
        ("UPLOAD_GRACE", "0s"),
        ("RECONCILE_INTERVAL", "100ms"),
    ]);
    let created = service.create("a", 5).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let file: Value = service
            .get(&format!("/v1/files/{}/metadata?wait=20", id(&created)))
            .await
            .json()
            .await
            .unwrap();
        if file["status"] == "expired" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{file}");
    }
    let response = service.get(&format!("/v1/files/{}", id(&created))).await;
    problem(response, 410, "upload_expired").await;
    assert_eq!(
        service.upload(&created, "hello").await,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn waiting_ends_as_soon_as_the_file_is_settled() {
    let service = Service::new();
    let created = service.create("a", 5).await;
    let path = format!("/v1/files/{}/metadata?wait=20", id(&created));
    let (waited, uploaded) = tokio::join!(service.get(&path), service.upload(&created, "hello"));
    assert_eq!(uploaded, StatusCode::OK);
    let file: Value = waited.json().await.unwrap();
    assert_eq!(file["status"], "available");
    for wait in ["21", "-1", "soon", ""] {
        let path = format!("/v1/files/{}/metadata?wait={wait}", id(&created));
        problem(service.get(&path).await, 400, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone_from_every_call_and_from_the_disk() {
    let service = Service::new();
    let file = service.share("a.txt", "hello").await;
    let path = format!("/v1/files/{}", id(&file));
    let location = header(&service.get(&path).await, "location")
        .unwrap()
        .to_owned();
    let response = service.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    problem(service.get(&path).await, 404, "file_not_found").await;
    problem(
        service.get(&format!("{path}/metadata")).await,
        404,
        "file_not_found",
    )
    .await;
    let listed: Value = service.get("/v1/files").await.json().await.unwrap();
    assert_eq!(listed, json!({"files": [], "nextCursor": null}));
    assert_eq!(
        service.client.get(location).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn pages_are_linked_and_hold_every_file_once_newest_first() {
    let service = Service::new();
    let mut expected = Vec::new();
    for number in 0..7 {
        let created = service.create(&format!("{number}"), 1).await;
        expected.insert(0, id(&created).to_owned());
    }
    expected.sort();
    expected.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/files?limit=3".to_owned();
    loop {
        let response = service.get(&path).await;
        assert_eq!(response.status(), StatusCode::OK);
        let link = header(&response, "link").map(str::to_owned);
        let page: Value = response.json().await.unwrap();
        seen.extend(
            page["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| id(f).to_owned()),
        );
        match page["nextCursor"].as_str() {
            None => {
                assert_eq!(link, None);
                break;
            }
            Some(cursor) => {
                let link = link.unwrap();
                let (target, relation) = link.split_once("; ").unwrap();
                assert_eq!(relation, "rel=\"next\"");
                assert!(target.contains(cursor));
                path = target.trim_matches(['<', '>']).to_owned();
            }
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_list_can_be_filtered_by_status() {
    let service = Service::new();
    service.create("waits", 5).await;
    let available = service.share("there", "hello").await;
    for (status, expected) in [
        ("available", 1),
        ("pending", 1),
        ("rejected", 0),
        ("expired", 0),
    ] {
        let page: Value = service
            .get(&format!("/v1/files?status={status}"))
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(
            page["files"].as_array().unwrap().len(),
            expected,
            "{status}"
        );
    }
    let page: Value = service
        .get("/v1/files?status=available")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(page["files"][0]["id"], available["id"]);
}

#[tokio::test]
async fn what_a_list_can_not_be_asked_is_400() {
    let service = Service::new();
    for number in 0..2 {
        service.create(&format!("{number}"), 1).await;
    }
    let page: Value = service.get("/v1/files?limit=1").await.json().await.unwrap();
    let cursor = page["nextCursor"].as_str().unwrap();
    let forged: String = cursor.chars().rev().collect();
    for query in [
        "limit=0".to_owned(),
        "limit=101".to_owned(),
        "limit=many".to_owned(),
        "limit=-1".to_owned(),
        "status=deleted".to_owned(),
        "status=Available".to_owned(),
        "cursor=".to_owned(),
        "cursor=abc".to_owned(),
        format!("cursor={forged}"),
        format!("cursor={cursor}&status=available"),
    ] {
        let response = service.get(&format!("/v1/files?{query}")).await;
        let body = problem(response, 400, "invalid_request").await;
        let name = query.split('=').next().unwrap();
        let named = if query.contains("&status") {
            "cursor"
        } else {
            name
        };
        assert!(
            body["detail"].as_str().unwrap().contains(named),
            "{query}: {body}"
        );
    }
}

#[tokio::test]
async fn a_path_that_is_none_is_404_and_a_wrong_method_is_405_with_allow() {
    let service = Service::new();
    for path in [
        "/nothing",
        "/v1",
        "/v1/nothing",
        "/v2/files",
        "/v1/files/a/b/c",
    ] {
        problem(service.get(path).await, 404, "route_not_found").await;
    }
    for (method, path, allowed) in [
        (Method::PUT, "/v1/files", "GET, POST"),
        (Method::POST, "/v1/files/abc", "DELETE, GET, HEAD"),
        (Method::DELETE, "/v1/files/abc/metadata", "GET"),
        (Method::GET, "/v1/files/abc/upload", "POST"),
        (Method::POST, "/healthz", "GET"),
        (Method::PATCH, "/files", "GET, POST"),
    ] {
        let response = service.request(method, path).send().await.unwrap();
        let allow = header(&response, "allow").unwrap().to_owned();
        let mut methods: Vec<&str> = allow.split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(", "), allowed, "{path}");
        problem(response, 405, "method_not_allowed").await;
    }
}

#[tokio::test]
async fn every_path_answers_the_same_without_the_version() {
    let service = Service::new();
    let file = service.share("a.txt", "hello").await;
    for path in [
        "",
        "?limit=1",
        &format!("/{}/metadata", id(&file)),
        "/nothing",
        "?limit=0",
    ] {
        let versioned = service.get(&format!("/v1/files{path}")).await;
        let plain = service.get(&format!("/files{path}")).await;
        assert_eq!(versioned.status(), plain.status(), "{path}");
        let without_id = |mut body: Value| {
            body.as_object_mut().unwrap().remove("requestId");
            body
        };
        assert_eq!(
            without_id(versioned.json().await.unwrap()),
            without_id(plain.json().await.unwrap()),
            "{path}"
        );
    }
    let response = service
        .request(Method::POST, "/files")
        .json(&json!({"filename": "a", "size": 1}))
        .send()
        .await
        .unwrap();
    assert!(
        header(&response, "location")
            .unwrap()
            .starts_with("/v1/files/")
    );
}

#[tokio::test]
async fn head_works_wherever_get_does() {
    let service = Service::new();
    for path in [
        "/v1/files",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/explorer",
    ] {
        let response = service.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.text().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_own_id_and_gets_one_if_it_has_none() {
    let service = Service::new();
    let response = service
        .request(Method::GET, "/v1/files")
        .header("x-request-id", "order-7")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "x-request-id"), Some("order-7"));
    let first = service.get("/v1/files").await;
    let second = service.get("/v1/files").await;
    assert_ne!(
        header(&first, "x-request-id"),
        header(&second, "x-request-id")
    );
}

#[tokio::test]
async fn alive_and_ready_are_said_apart() {
    let service = Service::new();
    assert_eq!(service.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(service.get("/readyz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_problem_leads_to_a_page_that_says_what_to_do() {
    let service = Service::new();
    let text = service
        .get("/problems/upload_pending")
        .await
        .text()
        .await
        .unwrap();
    assert!(text.contains("Retry-After"), "{text}");
    problem(
        service.get("/problems/nothing").await,
        404,
        "route_not_found",
    )
    .await;
}

#[tokio::test]
async fn pages_of_other_origins_may_call_only_if_they_are_allowed() {
    let service = Service::with(&[("ALLOWED_ORIGINS", "https://app.example.org")]);
    let created = service.create("a", 5).await;
    for url in [
        format!("{}/v1/files", service.program.base),
        created["upload"]["url"].as_str().unwrap().to_owned(),
    ] {
        for (origin, allowed) in [
            ("https://app.example.org", true),
            ("https://evil.example", false),
        ] {
            let response = service
                .client
                .request(Method::OPTIONS, &url)
                .header("origin", origin)
                .header("access-control-request-method", "PUT")
                .header(
                    "access-control-request-headers",
                    "content-type,idempotency-key",
                )
                .send()
                .await
                .unwrap();
            assert_eq!(response.status().is_success(), allowed, "{origin}");
            let answered = header(&response, "access-control-allow-origin");
            assert_eq!(answered, allowed.then_some(origin));
        }
    }
    let response = service
        .request(Method::GET, "/v1/files/none")
        .header("origin", "https://app.example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(
        header(&response, "access-control-allow-origin"),
        Some("https://app.example.org")
    );
}

#[tokio::test]
async fn urls_name_the_host_that_the_request_came_to_or_the_public_one() {
    let service = Service::new();
    let request = |service: &Service| {
        service
            .request(Method::POST, "/v1/files")
            .header("host", "192.168.1.7:8000")
            .json(&json!({"filename": "a", "size": 1}))
    };
    let created: Value = request(&service)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let url = created["upload"]["url"].as_str().unwrap();
    assert!(
        url.starts_with("http://192.168.1.7:8000/file-share-bucket/uploads/"),
        "{url}"
    );

    let mut service = Service::with(&[("PUBLIC_URL", "https://share.example.org/course/")]);
    // What it greets with is the public address; here it is reached without the proxy.
    service.program.base = service.program.listening_at();
    let response = request(&service).send().await.unwrap();
    assert!(
        header(&response, "location")
            .unwrap()
            .starts_with("/course/v1/files/")
    );
    let created: Value = response.json().await.unwrap();
    let url = created["upload"]["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://share.example.org/course/file-share-bucket/uploads/"),
        "{url}"
    );

    // What a proxy does: it takes its prefix off, and the host is its own.
    let behind = url.replace("https://share.example.org/course", &service.program.base);
    let mut behind_proxy = created.clone();
    behind_proxy["upload"]["url"] = behind.into();
    assert_eq!(service.upload(&behind_proxy, "x").await, StatusCode::OK);
}

#[tokio::test]
async fn no_secret_gets_into_the_log_however_much_is_asked_for() {
    let service = Service::with(&[("RUST_LOG", "trace"), ("LOG_FORMAT", "json")]);
    let created = service.create("a.txt", 5).await;
    service.upload(&created, "hello").await;
    let path = format!("/v1/files/{}", id(&created));
    service.get(&format!("{path}/metadata?wait=20")).await;
    let location = header(&service.get(&path).await, "location")
        .unwrap()
        .to_owned();
    service.client.get(&location).send().await.unwrap();
    // A refused one as well.
    service
        .client
        .get(location.replace("Signature=", "Signature=0"))
        .send()
        .await
        .unwrap();
    let log = service.program.log();
    assert!(log.contains("answered"), "the log is there");
    for url in [created["upload"]["url"].as_str().unwrap(), &location] {
        let signature = url
            .split("X-Amz-Signature=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        assert!(!log.contains(signature), "a signature is in the log");
    }
    assert!(
        !log.contains("X-Amz-Signature"),
        "a presigned URL is in the log"
    );
    assert!(!log.contains("hello"), "file content is in the log");
}

/// The methods, paths and statuses of the requests that a log has a line for.
fn logged_requests(log: &str) -> Vec<(String, String, u64)> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "answered")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (
                text("method"),
                text("path"),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_log_has_a_line_for_what_no_record_tells_and_at_debug_for_every_request() {
    for (level, of_all) in [("info", false), ("debug", true)] {
        let service = Service::with(&[("RUST_LOG", level), ("LOG_FORMAT", "json")]);
        let created = service.create("a.txt", 5).await;
        let path = format!("/v1/files/{}", id(&created));
        service.get(&format!("{path}/metadata")).await;
        service.get(&path).await;
        let delete = service.request(Method::DELETE, &path);
        delete.send().await.unwrap();
        let expected = [
            ("POST", "/v1/files", 201, of_all),
            ("GET", &format!("{path}/metadata"), 200, of_all),
            ("GET", &path, 409, true),
            ("DELETE", &path, 204, true),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|(.., is_logged)| *is_logged)
            .map(|(method, path, status, _)| (method.to_owned(), path.to_owned(), status))
            .collect();
        assert_eq!(logged_requests(&service.program.log()), expected, "{level}");
    }
}
