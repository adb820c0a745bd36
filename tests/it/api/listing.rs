//! Lists: pages, filters, cursors.

use super::*;

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
        // In our own words, whoever found it.
        for foreign in ["verification failed", "exclusive", "parse", "expected type"] {
            assert!(!body.to_string().contains(foreign), "{query}: {body}");
        }
    }
}

#[tokio::test]
async fn an_empty_cursor_is_the_first_page() {
    let service = Service::new();
    service.create("a", 1).await;
    let page: Value = service
        .get("/v1/files?cursor=&limit=1")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(page["files"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_parameter_that_is_not_right_is_named_with_what_would_be() {
    let service = Service::new();
    let file = service.create("a", 1).await;
    let path = format!("/v1/files/{}", id(&file));
    for (method, path, field, message) in [
        (
            Method::GET,
            "/v1/files?limit=1.5".to_owned(),
            "limit",
            "from 1 to 100",
        ),
        (
            Method::GET,
            "/v1/files?status=gone".to_owned(),
            "status",
            "available",
        ),
        (
            Method::GET,
            format!("{path}/metadata?wait=21"),
            "wait",
            "from 0 to 20",
        ),
        (
            Method::GET,
            format!("{path}/metadata?wait=x"),
            "wait",
            "from 0 to 20",
        ),
        (
            Method::POST,
            format!("{path}/upload?uploadMethod=GET"),
            "uploadMethod",
            "PUT or POST",
        ),
    ] {
        let response = service.request(method, &path).send().await.unwrap();
        let body = problem(response, 400, "invalid_request").await;
        assert_eq!(body["errors"][0]["field"], field, "{body}");
        assert!(
            body["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains(message),
            "{body}"
        );
    }
}
