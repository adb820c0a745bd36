//! A file from its creation on: fetching, renewing, waiting, deleting.

use super::*;

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
