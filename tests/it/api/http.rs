//! What holds for every path: methods, IDs of requests, problems, origins, hosts.

use file_share::own_paths::PAGES;

use super::*;

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
async fn every_page_of_the_service_takes_get_and_head_alone_and_says_so() {
    let service = Service::new();
    let file = service.create("a.txt", 1).await;
    let index = service.get("/").await.text().await.unwrap();
    let (_, version) = index.split_once("web/").unwrap();
    let (version, _) = version.split_once('/').unwrap();
    // Whoever opens a link may send its password as well, and its page is asked for with a link.
    for pattern in PAGES.iter().filter(|path| !path.contains("{token}")) {
        let path = pattern
            .replace("{id}", id(&file))
            .replace("{version}", version)
            .replace("{name}", "app.js")
            .replace("{code}", "overloaded");
        assert!(!path.contains('{'), "{path}");
        for method in [Method::GET, Method::HEAD] {
            let request = service.request(method, &path).header("Accept", "text/html");
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
        }
        let asked = service.request(Method::OPTIONS, &path).send().await;
        let asked = asked.unwrap();
        assert_eq!(asked.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(header(&asked, "allow"), Some("GET"), "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let response = service.request(method, &path).send().await.unwrap();
            assert_eq!(header(&response, "allow"), Some("GET"), "{path}");
            problem(response, 405, "method_not_allowed").await;
        }
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
                    "content-type,idempotency-key,traceparent,baggage,sentry-trace",
                )
                .send()
                .await
                .unwrap();
            assert_eq!(response.status().is_success(), allowed, "{origin}");
            let headers = header(&response, "access-control-allow-headers").unwrap_or_default();
            for name in [
                "content-type",
                "traceparent",
                "tracestate",
                "baggage",
                "sentry-trace",
            ] {
                let listed = headers.split(", ").any(|listed| listed == name);
                assert_eq!(listed, allowed, "{name} in {headers}");
            }
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

/// What a connection gets that speaks for itself, up to the end of the answer's head.
fn raw(base: &str, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    let limit = std::time::Duration::from_secs(20);
    stream.set_read_timeout(Some(limit)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut chunk = [0; 4096];
    while !answer.contains("\r\n\r\n") {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "{answer}");
        answer += &String::from_utf8_lossy(&chunk[..read]);
    }
    answer.to_lowercase()
}

#[tokio::test]
async fn a_load_balancer_may_ask_for_options_and_speak_http_1_0_without_a_host() {
    let service = Service::new();
    let base = service.program.base.clone();
    for (line, status) in [
        ("OPTIONS / HTTP/1.0", 204),
        ("OPTIONS /healthz HTTP/1.0", 204),
        ("GET /healthz HTTP/1.0", 200),
        ("HEAD /healthz HTTP/1.0", 200),
        ("GET / HTTP/1.0", 200),
        ("OPTIONS /nothing HTTP/1.0", 404),
    ] {
        let answer = raw(&base, &format!("{line}\r\n\r\n"));
        let line_of_status = answer.lines().next().unwrap();
        assert!(
            line_of_status.contains(&status.to_string()),
            "{line}: {answer}"
        );
        if status == 204 {
            assert!(answer.contains("\r\nallow: get"), "{line}: {answer}");
        }
    }
    let response = service
        .request(Method::OPTIONS, "/v1/files")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let allowed = header(&response, "allow").unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    assert_eq!(header(&response, "access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_proxy_may_leave_the_prefix_of_the_public_url_on_the_paths() {
    let mut service = Service::with(&[("PUBLIC_URL", "https://share.example.org/course")]);
    service.program.base = format!("{}/course", service.program.listening_at());
    for path in [
        "/healthz",
        "/v1/files",
        "/files?limit=1",
        "",
        "/",
        "/docs",
        "/problems/overloaded",
    ] {
        assert_eq!(service.get(path).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(
        service.get("x/v1/files").await.status(),
        StatusCode::NOT_FOUND
    );
    let mut created = service.create("a.txt", 5).await;
    let url = created["upload"]["url"].as_str().unwrap();
    let behind = url.replace("https://share.example.org/course", &service.program.base);
    created["upload"]["url"] = behind.into();
    assert_eq!(service.upload(&created, "hello").await, StatusCode::OK);
    let path = format!("/v1/files/{}", id(&created));
    service.get(&format!("{path}/metadata?wait=20")).await;
    let found = service.get(&path).await;
    let url = header(&found, "location").unwrap();
    let behind = url.replace("https://share.example.org/course", &service.program.base);
    let download = service.client.get(behind).send().await.unwrap();
    assert_eq!(download.text().await.unwrap(), "hello");
}
