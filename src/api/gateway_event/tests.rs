//! What an endpoint sees of an event, and the gateway of an answer.

use std::io;
use std::time::Duration;

use futures_util::stream;
use poem::http::StatusCode;
use poem::{Body, IntoResponse, endpoint};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

const TIME: Duration = Duration::from_secs(10);

fn event() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/files",
        "rawQueryString": "",
        "headers": {"host": "files.example.org"},
        "requestContext": {
            "stage": "$default",
            "http": {"method": "GET", "sourceIp": "203.0.113.7"},
        },
        "isBase64Encoded": false,
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = event();
    change(&mut event);
    event
}

async fn answered_by<E: Endpoint<Output = Response>>(
    endpoint: E,
    knows_proxies: bool,
    event: &Value,
) -> Result<Value, EventError> {
    let function = GatewayFunction {
        endpoint,
        path_prefix: "/p".into(),
        knows_proxies,
    };
    let invocation = Invocation {
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into(),
        answer_by: Instant::now() + TIME,
        event: event.to_string().into(),
    };
    let answer = function.answer(&invocation).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// What an endpoint sees of a request.
async fn seen(knows_proxies: bool, event: Value) -> Value {
    let endpoint = endpoint::make(|request: Request| async move {
        let headers = request.headers().iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        let from = request.remote_addr().as_socket_addr().unwrap().ip();
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let https = *request.scheme() == Scheme::HTTPS;
        let left = request.extensions().get::<AnswerBy>().is_some();
        let body = request.into_body().into_vec().await.unwrap();
        let seen = json!({
            "method": method, "uri": uri, "from": from.to_string(), "headers": headers,
            "isBounded": left, "isHttps": https, "body": body,
        });
        Ok::<_, poem::Error>(seen.to_string().into_response())
    });
    let answer = answered_by(endpoint, knows_proxies, &event).await.unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn has(seen: &Value, header: &str) -> bool {
    seen["headers"].as_array().unwrap().contains(&header.into())
}

#[tokio::test]
async fn an_event_is_the_request_that_a_client_sent_from_where_the_gateway_saw_it() {
    let seen = seen(
        false,
        with(|event| {
            event["requestContext"]["http"]["method"] = "POST".into();
            event["rawQueryString"] = "limit=2&status=available".into();
            event["cookies"] = json!(["a=1", "b=2"]);
            event["headers"] = json!({
                "host": "files.example.org",
                "content-length": "999",
                "x-forwarded-for": "198.51.100.1, 203.0.113.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            });
            event["body"] = "AP8B".into();
            event["isBase64Encoded"] = true.into();
        }),
    )
    .await;
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["uri"], "/v1/files?limit=2&status=available");
    assert_eq!(seen["from"], "203.0.113.7");
    assert_eq!(seen["body"], json!([0, 255, 1]));
    assert_eq!(
        (&seen["isBounded"], &seen["isHttps"]),
        (&true.into(), &true.into())
    );
    assert!(has(&seen, "cookie: a=1; b=2"), "{seen}");
    assert!(has(&seen, "content-length: 3"), "{seen}");
    assert!(
        has(&seen, "x-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        "{seen}"
    );
    assert!(!seen.to_string().contains("forwarded"), "{seen}");
}

#[tokio::test]
async fn what_a_known_proxy_says_and_what_a_client_calls_its_request_is_kept() {
    let event = with(|event| {
        event["headers"] = json!({"x-forwarded-for": "198.51.100.1", "x-request-id": "mine"});
    });
    let seen = seen(true, event).await;
    assert!(has(&seen, "x-forwarded-for: 198.51.100.1"), "{seen}");
    assert!(has(&seen, "x-request-id: mine"), "{seen}");
}

#[tokio::test]
async fn a_path_loses_the_name_of_its_stage_alone_and_is_one_whatever_is_in_it() {
    for (stage, path, query, uri) in [
        ("$default", "/v1/files", "", "/v1/files"),
        ("prod", "/prod/v1/files", "", "/v1/files"),
        ("prod", "/prod", "", "/"),
        ("prod", "/production", "", "/production"),
        ("prod", "/v1/prod/x", "", "/v1/prod/x"),
        ("$default", "", "", "/"),
        (
            "$default",
            "/a b/ä?c#d",
            "q=a b",
            "/a%20b/%C3%A4%3Fc%23d?q=a%20b",
        ),
        ("$default", "/a%20b", "q=%2B+", "/a%20b?q=%2B+"),
        ("$default", "//x", "", "//x"),
    ] {
        let event = with(|event| {
            event["requestContext"]["stage"] = stage.into();
            event["rawPath"] = path.into();
            event["rawQueryString"] = query.into();
        });
        assert_eq!(seen(false, event).await["uri"], uri, "{stage} {path}");
    }
}

#[tokio::test]
async fn who_has_no_address_shares_one_with_all_who_have_none() {
    let event = with(|event| event["requestContext"]["http"]["sourceIp"] = "somewhere".into());
    assert_eq!(seen(false, event).await["from"], "0.0.0.0");
}

#[tokio::test]
async fn what_is_no_request_is_an_error_that_repeats_nothing_of_it() {
    let endpoint = || endpoint::make_sync(|_| Response::builder().finish());
    for event in [
        json!({"Records": [{"body": "secret"}]}),
        json!({"version": "1.0", "path": "/secret", "httpMethod": "GET"}),
        with(|event| event["version"] = "secret".into()),
        with(|event| event["requestContext"]["http"]["method"] = "sec ret".into()),
        json!("secret"),
    ] {
        let error = answered_by(endpoint(), false, &event).await.unwrap_err();
        assert_eq!(error.kind, "UnknownEvent");
        assert!(error.message.contains("payload format 2.0"), "{error}");
        assert!(!error.message.contains("sec"), "{error}");
    }
    let event = with(|event| {
        event["body"] = "not base64!".into();
        event["isBase64Encoded"] = true.into();
    });
    let answer = answered_by(endpoint(), false, &event).await.unwrap();
    assert_eq!(answer["statusCode"], 400);
}

#[tokio::test]
async fn an_answer_is_written_as_the_gateway_reads_it() {
    let binary = || {
        endpoint::make_sync(|_| {
            Response::builder()
                .status(StatusCode::CREATED)
                .header("link", "<a>")
                .header("link", "<b>")
                .header("set-cookie", "a=1; Secure")
                .header("set-cookie", "b=2")
                .header("connection", "close")
                .header("content-length", "2")
                .body(vec![0xff, 0])
        })
    };
    let answer = answered_by(binary(), false, &event()).await.unwrap();
    let expected = json!({
        "statusCode": 201,
        "headers": {"link": "<a>, <b>"},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "/wA=",
        "isBase64Encoded": true,
    });
    assert_eq!(answer, expected);
    let head = with(|event| event["requestContext"]["http"]["method"] = "HEAD".into());
    let answer = answered_by(binary(), false, &head).await.unwrap();
    assert_eq!(answer["body"], "");
    let text = endpoint::make_sync(|_| Response::builder().body("ä\u{1}"));
    let answer = answered_by(text, false, &event()).await.unwrap();
    assert_eq!(
        (&answer["body"], &answer["isBase64Encoded"]),
        (&"ä\u{1}".into(), &false.into())
    );
}

#[tokio::test]
async fn an_answer_that_lambda_does_not_take_is_a_problem_in_its_place() {
    for body in [
        vec![b'a'; 7 * 1024 * 1024],
        // Each byte takes six characters, or four thirds.
        vec![1; 2 * 1024 * 1024],
        vec![0xff; 5 * 1024 * 1024],
    ] {
        let large = endpoint::make_sync(move |_| Response::builder().body(body.clone()));
        let answer = answered_by(large, false, &event()).await.unwrap();
        assert_eq!(answer["statusCode"], 500);
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(problem["code"], "internal_error");
        assert_eq!(problem["requestId"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    }
    let largest = endpoint::make_sync(|_| Response::builder().body(vec![b'a'; 6_000_000]));
    let answer = answered_by(largest, false, &event()).await.unwrap();
    assert_eq!(answer["statusCode"], 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_answered_in_time_may_be_sent_again() {
    let hanging = endpoint::make(|_| async {
        std::future::pending::<()>().await;
        Ok::<_, poem::Error>(Response::builder().finish())
    });
    let began = Instant::now();
    let answer = answered_by(hanging, false, &event()).await.unwrap();
    assert_eq!(answer["statusCode"], 503);
    assert_eq!(answer["headers"]["retry-after"], "2");
    assert!(began.elapsed() < TIME + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_body_keep_its_caller_or_break_off_without_a_word() {
    let of_body = |body: fn() -> Body| {
        endpoint::make(
            move |_| async move { Ok::<_, poem::Error>(Response::builder().body(body())) },
        )
    };
    let began = Instant::now();
    let hanging = of_body(|| Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>()));
    let answer = answered_by(hanging, false, &event()).await.unwrap();
    assert_eq!(answer["statusCode"], 503);
    assert!(began.elapsed() < TIME + Duration::from_secs(1));
    let broken = of_body(|| {
        let parts = [
            Ok(Bytes::from("half")),
            Err(io::Error::other("the store is away")),
        ];
        Body::from_bytes_stream(stream::iter(parts))
    });
    let answer = answered_by(broken, false, &event()).await.unwrap();
    assert_eq!(answer["statusCode"], 503);
}
