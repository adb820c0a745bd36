//! Creating a file: what a body may say, and what is answered.

use super::*;

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
async fn an_empty_media_type_and_one_with_a_list_of_codecs_are_taken() {
    let service = Service::new();
    for (given, kept) in [
        ("", "video/webm"),
        ("video/webm;codecs=vp9,opus", "video/webm;codecs=vp9,opus"),
    ] {
        let body = json!({"filename": "a.webm", "size": 5, "contentType": given});
        let created: Value = service.post(&body).await.json().await.unwrap();
        assert_eq!(created["contentType"], kept);
        assert_eq!(service.upload(&created, "hello").await, StatusCode::OK);
        let path = format!("/v1/files/{}", id(&created));
        service.get(&format!("{path}/metadata?wait=20")).await;
        let found = service.get(&path).await;
        let url = header(&found, "location").unwrap();
        let download = service.client.get(url).send().await.unwrap();
        assert_eq!(header(&download, "content-type"), Some(kept));
    }
}

#[tokio::test]
async fn a_body_says_what_is_wrong_with_its_encoding_and_half_a_character_is_cleaned() {
    let service = Service::new();
    let post = |body: &'static [u8]| {
        let request = service.request(Method::POST, "/v1/files");
        let request = request
            .header("content-type", "application/json")
            .body(body);
        request.send()
    };
    let half = post(br#"{"filename": "smile\ud83d.png", "size": 1}"#)
        .await
        .unwrap();
    assert_eq!(half.status(), StatusCode::CREATED);
    let created: Value = half.json().await.unwrap();
    assert_eq!(created["filename"], "smile_.png");
    for (body, named) in [
        (&b"{\"filename\": \"\xe9.txt\", \"size\": 1}"[..], "UTF-8"),
        (b"{\0\"\0", "UTF-16"),
        (
            b"\xef\xbb\xbf{\"filename\": \"a\", \"size\": 1}",
            "byte order mark",
        ),
    ] {
        let body = problem(post(body).await.unwrap(), 400, "invalid_request").await;
        assert!(body["detail"].as_str().unwrap().contains(named), "{body}");
    }
}

#[tokio::test]
async fn an_empty_idempotency_key_is_none() {
    let service = Service::new();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = service.request(Method::POST, "/v1/files");
        let request = request.header("idempotency-key", "");
        let response = request
            .json(&json!({"filename": "a", "size": 1}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let created: Value = response.json().await.unwrap();
        ids.push(id(&created).to_owned());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_name_that_windows_takes_and_that_has_too_many_bytes_is_shortened_before_its_ending() {
    let service = Service::new();
    let created = service.create(&format!("{}.pdf", "課".repeat(86)), 1).await;
    assert_eq!(created["filename"], format!("{}.pdf", "課".repeat(83)));
    assert_eq!(created["contentType"], "application/pdf");
}
