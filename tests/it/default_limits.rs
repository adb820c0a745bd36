//! What honest people do all day, under the limits that a service has by itself: they get to their end, with waiting as
//! they are told.
//!
//! The other tests call as often as they like, so these alone see what a limit does to a lesson.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::node_tests;
use crate::support::program::{Program, data_dir};

/// Who sits in a room.
const CLASS: usize = 30;
/// What each of them hands in.
const FILES_EACH: usize = 5;
/// How often somebody waits as they are told, before it is a failure.
const MOST_WAITS: u32 = 60;

/// A service that others reach, with its own limits, and its key.
fn in_a_network(data_dir: &Path) -> (Program, String) {
    let program = Program::local_with_its_own_rates(data_dir, &[("ACCESS", "key")]);
    let key = std::fs::read_to_string(data_dir.join("access-key")).unwrap();
    (program, key.trim_end().to_owned())
}

/// Sends it until it isn't refused for being one too many, and waits as long as is said in between.
async fn patiently(request: RequestBuilder) -> Response {
    for _ in 0..MOST_WAITS {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        if answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return answer;
        }
        let said = answer.headers()["retry-after"].to_str().unwrap().to_owned();
        let pause: u64 = said.parse().unwrap();
        assert!(
            (1..=10).contains(&pause),
            "{pause} s is no answer to a class"
        );
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    panic!("it was refused {MOST_WAITS} times");
}

async fn json_of(answer: Response, status: u16) -> Value {
    let (got, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// What the page does for one of them, and what their client does for it.
async fn hands_in(base: String, token: String, submitter: String) -> BTreeSet<String> {
    let client = Client::new();
    let page = client.get(format!("{base}/b/{token}"));
    let page = patiently(page.header("accept", "text/html")).await;
    assert_eq!(page.status(), 200);
    let drop = format!("{base}/v1/drop/{token}");
    json_of(patiently(client.get(&drop)).await, 200).await;
    let mut handed_in = BTreeSet::new();
    for n in 0..FILES_EACH {
        let content = format!("{submitter}, sheet {n}");
        let body =
            json!({"filename": format!("{n}.txt"), "size": content.len(), "submitter": submitter});
        let asked = client.post(format!("{drop}/files")).json(&body);
        let asked = asked.header("idempotency-key", format!("\"{submitter}-{n}\""));
        let created = json_of(patiently(asked).await, 201).await;
        let upload = &created["upload"];
        let mut put = client.put(upload["url"].as_str().unwrap()).body(content);
        for (name, value) in upload["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        assert_eq!(put.send().await.unwrap().status(), 200);
        let id = created["id"].as_str().unwrap();
        let file = format!("{base}/v1/files/{id}");
        let token = created["submissionToken"].as_str().unwrap();
        let settled = client.get(format!("{file}/metadata?wait=20"));
        let settled = json_of(patiently(settled.bearer_auth(token)).await, 200).await;
        assert_eq!(settled["status"], "available", "{settled}");
        let receipt = client.get(format!("{file}/receipt")).bearer_auth(token);
        assert_eq!(patiently(receipt).await.status(), 200);
        handed_in.insert(id.to_owned());
    }
    handed_in
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_of_30_behind_one_address_hands_in_through_a_box() {
    let dir = data_dir();
    let (program, key) = in_a_network(dir.path());
    let (base, client) = (program.base.clone(), Client::new());
    let new_box = json!({"title": "Sheet 3", "keep": "all"});
    let made = client.post(format!("{base}/v1/boxes")).json(&new_box);
    let made = json_of(made.bearer_auth(&key).send().await.unwrap(), 201).await;
    let token = made["url"].as_str().unwrap().rsplit('/').next().unwrap();
    let mut class = JoinSet::new();
    for n in 0..CLASS {
        class.spawn(hands_in(
            base.clone(),
            token.to_owned(),
            format!("student-{n}"),
        ));
    }
    let mut handed_in = BTreeSet::new();
    while let Some(of_one) = class.join_next().await {
        handed_in.extend(of_one.unwrap());
    }
    assert_eq!(handed_in.len(), CLASS * FILES_EACH);
    let id = made["id"].as_str().unwrap();
    let manifest = client.get(format!("{base}/v1/boxes/{id}/manifest"));
    let manifest = patiently(manifest.bearer_auth(&key)).await;
    assert_eq!(manifest.status(), 200);
    let lines = manifest.text().await.unwrap();
    let ids = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["id"].as_str().unwrap().to_owned()
    });
    let ids: BTreeSet<String> = ids.collect();
    assert_eq!(ids, handed_in, "each once, and nothing else");
}

#[test]
fn somebody_sends_30_files_on_the_page_of_a_service_with_its_own_limits() {
    let dirs = [data_dir(), data_dir()];
    let plain = Program::local(dirs[0].path(), &[]);
    let (program, key) = in_a_network(dirs[1].path());
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "asking": {"base": program.base, "key": key},
    });
    node_tests::run("default_limits.test.mjs", &setup, 1);
}
