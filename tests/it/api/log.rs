//! What the log tells, and what it never does.

use super::*;

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

/// A wait takes as long as somebody waits, so whoever adds up how long requests take must tell it from a look.
#[tokio::test]
async fn a_wait_is_called_otherwise_than_a_look_at_the_same_path() {
    let service = Service::with(&[("RUST_LOG", "debug"), ("LOG_FORMAT", "json")]);
    let file = service.share("a.txt", "hello").await;
    let path = format!("/v1/files/{}/metadata", id(&file));
    service.get(&path).await;
    service.get(&format!("{path}?wait=0")).await;
    let absent = "/v1/files/01996f3c-0000-7000-8000-000000000000/metadata?wait=1";
    problem(service.get(absent).await, 404, "file_not_found").await;
    let log = service.program.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "answered")
        .filter(|line| line["path"].as_str().unwrap().ends_with("/metadata"));
    let called: Vec<_> = lines
        .map(|line| {
            let operation = line["operation"].as_str().unwrap_or("nothing");
            (operation.to_owned(), line["status"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("await_file", 200),
        ("describe_file", 200),
        ("describe_file", 200),
        ("await_file", 404),
    ]
    .map(|(operation, status)| (operation.to_owned(), status));
    assert_eq!(called, expected);
}
