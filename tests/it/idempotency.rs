//! Creating with an `Idempotency-Key`: in both modes the same, with real curl, racing and killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};

fn key() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn id(file: &Value) -> &str {
    file["id"].as_str().unwrap()
}

/// The status line and headers, in lower case, and the body.
fn create_with(base: &str, key: &str, body: &Value) -> (String, Value) {
    let answer = curl(&[
        "--include",
        "--json",
        &body.to_string(),
        "--header",
        &format!("Idempotency-Key: {key}"),
        &format!("{base}/v1/files"),
    ]);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap())
}

fn location(head: &str) -> &str {
    let line = head.lines().find(|line| line.starts_with("location: "));
    line.unwrap().trim_end()
}

fn refused(answer: (String, Value), status: u16, code: &str) {
    let (head, problem) = answer;
    assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
    assert!(head.contains("content-type: application/problem+json"));
    assert_eq!(problem["code"], code, "{problem}");
}

/// What holds in both modes.
fn a_key_stands_for_one_request(base: &str) {
    let body = json!({"filename": "a b.txt", "size": 5});
    let own = key();
    let (head, first) = create_with(base, &own, &body);
    assert!(head.starts_with("http/1.1 201"), "{head}");
    let first_location = location(&head).to_owned();

    // The same in other words, and with quotes.
    for (key, body) in [
        (own.clone(), body.clone()),
        (format!("\"{own}\""), body.clone()),
        (
            own.clone(),
            json!({"size": 5, "sha256": null, "contentType": "text/plain", "filename": "a_b.txt"}),
        ),
    ] {
        let (head, again) = create_with(base, &key, &body);
        assert!(head.starts_with("http/1.1 201"), "{head}");
        assert_eq!(location(&head), first_location);
        assert_eq!(id(&again), id(&first));
        assert_eq!(again["status"], "pending");
        assert_eq!(again["upload"]["headers"], first["upload"]["headers"]);
    }
    // Without a key, and with another, they are other files.
    assert_ne!(id(&create(base, &body)), id(&first));
    assert_ne!(id(&create_with(base, &key(), &body).1), id(&first));

    for other in [
        json!({"filename": "a b.txt", "size": 6}),
        json!({"filename": "b.txt", "size": 5}),
        json!({"filename": "a b.txt", "size": 5, "contentType": "text/html"}),
        json!({"filename": "a b.txt", "size": 5, "sha256": "00".repeat(32)}),
    ] {
        refused(
            create_with(base, &own, &other),
            422,
            "idempotency_key_reused",
        );
    }
    let long = "k".repeat(129);
    for malformed in ["two words", "\"unfinished", "\"\"", long.as_str()] {
        refused(create_with(base, malformed, &body), 400, "invalid_request");
    }

    // A fresh URL works. After that there is nothing left to send, and after the deletion no file.
    let dir = tempfile::tempdir().unwrap();
    let hello = dir.path().join("hello");
    std::fs::write(&hello, "hello").unwrap();
    let (_, again) = create_with(base, &own, &body);
    assert_eq!(upload(&again, &hello), "200");
    let url = format!("{base}/v1/files/{}", id(&first));
    let file = curl_json(&["--request", "POST", &format!("{url}/complete")]);
    assert_eq!(file["status"], "available", "{file}");
    let (head, settled) = create_with(base, &own, &body);
    assert!(head.starts_with("http/1.1 201"), "{head}");
    assert_eq!(location(&head), first_location);
    assert_eq!(settled, file, "the record as it is now, without `upload`");
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    refused(create_with(base, &own, &body), 404, "file_not_found");
}

/// Many requests at once with one key.
async fn racing_requests_make_one_file(base: &str) {
    let (own, name) = (key(), format!("{}.txt", key()));
    let client = reqwest::Client::new();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let request = client
            .post(format!("{base}/v1/files"))
            .header("idempotency-key", &own)
            .json(&json!({"filename": name, "size": 5}));
        racing.spawn(async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 201);
            answer.json::<Value>().await.unwrap()["id"].to_string()
        });
    }
    let ids: BTreeSet<String> = racing.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let listed = curl_json(&[&format!("{base}/v1/files?limit=100")]);
    let of_this_name = format!("\"filename\":\"{name}\"");
    assert_eq!(listed.to_string().matches(&of_this_name).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_local_mode_a_key_makes_one_file_also_across_a_restart() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    tokio::task::block_in_place(|| a_key_stands_for_one_request(&program.base));
    racing_requests_make_one_file(&program.base).await;
    let (own, body) = (key(), json!({"filename": "a.txt", "size": 5}));
    let (_, first) = create_with(&program.base, &own, &body);
    assert!(program.terminate().success());

    let program = Program::local(dir.path(), &[]);
    let (_, again) = create_with(&program.base, &own, &body);
    assert_eq!(id(&again), id(&first));
    assert!(!program.log().contains(&own), "a key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_a_key_makes_one_file_with_the_permissions_of_the_api() {
    let deployment = Deployment::shared().await;
    let (api, other) = (
        Program::aws_api(deployment, &[("RUST_LOG", "trace")]),
        Program::aws_api(deployment, &[]),
    );
    tokio::task::block_in_place(|| a_key_stands_for_one_request(&api.base));
    racing_requests_make_one_file(&api.base).await;
    // Any number of APIs share the keys.
    let (own, body) = (key(), json!({"filename": "a.txt", "size": 5}));
    let (_, first) = create_with(&api.base, &own, &body);
    let (_, again) = create_with(&other.base, &own, &body);
    assert_eq!(id(&again), id(&first));
    assert!(!api.log().contains(&own), "a key is in the log");
}

/// Kills the program while clients create with keys, and lets them repeat what was not answered.
#[tokio::test(flavor = "multi_thread")]
async fn however_often_the_program_is_killed_a_key_makes_one_file() {
    const ROUNDS: usize = 4;
    const KEYS_A_ROUND: usize = 60;
    let dir = data_dir();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut unanswered: Vec<String> = Vec::new();
    for round in 0..=ROUNDS {
        let program = Program::local(dir.path(), &[]);
        if round < ROUNDS {
            unanswered.extend((0..KEYS_A_ROUND).map(|_| key()));
        }
        let mut requests = tokio::task::JoinSet::new();
        for key in unanswered.drain(..) {
            let request = client
                .post(format!("{}/v1/files", program.base))
                .header("idempotency-key", &key)
                .json(&json!({"filename": format!("{key}.txt"), "size": 5}));
            requests.spawn(async move {
                let answer = async { request.send().await.ok()?.json::<Value>().await.ok() };
                (key, answer.await)
            });
        }
        // In the middle: some are answered, some under way, some not begun.
        let mut running = Some(program);
        while let Some(answered) = requests.join_next().await {
            let (key, answer) = answered.unwrap();
            match answer {
                Some(file) => drop(told.insert(key, id(&file).to_owned())),
                None => unanswered.push(key),
            }
            if round < ROUNDS
                && let Some(program) = running.take()
            {
                program.kill();
            }
        }
        if round == ROUNDS {
            assert!(unanswered.is_empty());
        }
    }

    let program = Program::local(dir.path(), &[]);
    let mut listed = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = curl_json(&[&format!("{}/v1/files?limit=100{cursor}", program.base)]);
        for file in page["files"].as_array().unwrap() {
            let name = file["filename"].as_str().unwrap().to_owned();
            let key = name.strip_suffix(".txt").unwrap();
            assert_eq!(told.get(key).map(String::as_str), Some(id(file)));
            assert!(listed.insert(name), "two files have one key");
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed.len(), ROUNDS * KEYS_A_ROUND);
}
