//! What happened to a file, as those see it whom it belongs to: on the real programs, in both modes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::issuer_sign_in::{service, service_in_aws};
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::issuer::Issuer;
use crate::support::ministack::MiniStack;
use crate::support::program::{Program, data_dir};

const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The events of a file, newest first, once there are as many: they are written beside the calls.
fn events(base: &str, id: &str, proof: &str, wanted: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let url = format!("{base}/v1/files/{id}/events");
        let page = curl_json(&["--header", proof, &url]);
        assert_eq!(page["kept"], true, "{page}");
        let events = page["events"].as_array().unwrap().clone();
        if events.len() >= wanted {
            return events;
        }
        assert!(began.elapsed() < LIMIT, "{page}");
        std::thread::sleep(POLL);
    }
}

fn types(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|it| (it["type"].as_str().unwrap(), it["caller"].as_str().unwrap()))
        .collect()
}

/// What bob did with a file of his, as he sees it and alice, who is an administrator, and as nobody else does.
fn an_owner_sees_who_did_what(base: &str, source: &Path, bob: &str, alice: &str, carol: &str) {
    let url = format!("{base}/v1/files");
    let body = json!({"filename": "secret-plan.txt", "size": 5, "contentType": "text/plain"});
    let created = curl_json(&["--header", bob, "--json", &body.to_string(), &url]);
    let (id, owner) = (
        created["id"].as_str().unwrap(),
        created["owner"].as_str().unwrap(),
    );
    let of_file = |path: &str| format!("{base}/v1/files/{id}{path}");
    assert_eq!(upload(&created, source), "200");
    let settled = curl_json(&["--header", bob, &of_file("/metadata?wait=20")]);
    assert_eq!(settled["status"], "available", "{settled}");
    for _ in 0..3 {
        assert_eq!(curl_status(&["--header", bob, &of_file("")]), "307");
    }
    let seen = events(base, id, bob, 3);
    let expected = [
        ("file.downloaded", owner),
        ("file.available", "system"),
        ("file.created", owner),
    ];
    assert_eq!(types(&seen), expected);
    assert_eq!(seen[2]["at"], created["createdAt"]);
    // Page by page, by the header too.
    let first = curl(&["--include", "--header", bob, &of_file("/events?limit=1")]);
    let first = String::from_utf8(first).unwrap();
    let (_, page) = first.split_once("\r\n\r\n").unwrap();
    let page: Value = serde_json::from_str(page).unwrap();
    let cursor = page["nextCursor"].as_str().unwrap();
    let next = format!("/v1/files/{id}/events?limit=1&cursor={cursor}");
    assert!(
        first.contains(&format!("<{next}>; rel=\"next\"")),
        "{first}"
    );
    let page = curl_json(&["--header", bob, &format!("{base}{next}")]);
    assert_eq!(page["events"], json!([seen[1]]));
    for wrong in ["cursor=abc", "limit=0", "limit=101"] {
        let status = curl_status(&["--header", bob, &of_file(&format!("/events?{wrong}"))]);
        assert_eq!(status, "400", "{wrong}");
    }
    // Alice deletes it. Bob sees that, although there is no such file any more.
    let deletion = ["--header", alice, "--request", "DELETE", &of_file("")];
    assert_eq!(curl_status(&deletion), "204");
    let seen = events(base, id, bob, 4);
    assert_eq!(seen[0]["type"], "file.deleted");
    assert_ne!(seen[0]["caller"], owner);
    assert_eq!(events(base, id, alice, 4), seen);
    // For everybody else there never was one.
    let answer = |proof: &str, id: &str| {
        let url = format!("{base}/v1/files/{id}/events");
        let same = "X-Request-Id: same";
        String::from_utf8(curl(&["--header", proof, "--header", same, &url])).unwrap()
    };
    let foreign = answer(carol, id);
    let never = "0190a6e0-0000-7000-8000-000000000000";
    assert_eq!(foreign.replace(id, never), answer(carol, never));
    assert!(foreign.contains("file_not_found"), "{foreign}");
    assert_eq!(curl_status(&[&of_file("/events")]), "401");
    let all = serde_json::to_string(&seen).unwrap();
    for secret in ["secret-plan", "X-Amz", "http", "eyJ", "127.0.0.1"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

async fn proofs(issuer: &Issuer) -> [String; 3] {
    let mut proofs = Vec::new();
    for person in ["bob", "alice", "carol"] {
        let token = issuer.tokens_of(person).await.access;
        proofs.push(format!("Authorization: Bearer {token}"));
    }
    proofs.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owns_a_file_sees_what_happened_to_it_in_local_mode() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let [bob, alice, carol] = proofs(&issuer).await;
    let program = service(&data, &issuer, &[]);
    an_owner_sees_who_did_what(&program.base, &source, &bob, &alice, &carol);
    // What was counted and not written yet is written at the end.
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    let url = format!("{}/v1/files", program.base);
    let created = curl_json(&["--header", &bob, "--json", body, &url]);
    let id = created["id"].as_str().unwrap();
    let renewal = format!("{url}/{id}/upload");
    for _ in 0..4 {
        let renewal = ["--header", &bob, "--request", "POST", &renewal];
        assert_eq!(curl_status(&renewal), "200");
    }
    program.terminate();
    let program = service(&data, &issuer, &[]);
    let seen = events(&program.base, id, &bob, 2);
    assert_eq!(seen[0]["type"], "file.upload_renewed");
    assert_eq!(seen[0]["count"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_names_whose_the_file_was_when_nothing_else_of_it_is_left() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let [bob, alice, carol] = proofs(&issuer).await;
    let program = service(dir.path(), &issuer, &[]);
    let url = format!("{}/v1/files", program.base);
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    let created = curl_json(&["--header", &bob, "--json", body, &url]);
    let id = created["id"].as_str().unwrap();
    let deletion = format!("{url}/{id}");
    let deletion = ["--header", &bob, "--request", "DELETE", &deletion];
    assert_eq!(curl_status(&deletion), "204");
    events(&program.base, id, &bob, 2);
    program.terminate();

    // As 90 days after it was created, and after its record went.
    let records = rusqlite::Connection::open(dir.path().join("metadata.sqlite")).unwrap();
    let creation = "DELETE FROM items WHERE body LIKE '%file.created%'";
    assert_eq!(records.execute(creation, []).unwrap(), 1);
    assert_eq!(records.execute("DELETE FROM files", []).unwrap(), 1);
    records.close().unwrap();
    let program = service(dir.path(), &issuer, &[]);
    for owner in [&bob, &alice] {
        let seen = events(&program.base, id, owner, 1);
        assert_eq!(seen[0]["type"], "file.deleted");
        assert_eq!(seen.len(), 1);
    }
    let url = format!("{}/v1/files/{id}/events", program.base);
    assert_eq!(curl_status(&["--header", &carol, &url]), "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owns_a_file_sees_what_happened_to_it_in_aws_mode() {
    let deployment = MiniStack::shared().await.deploy("events").await;
    let issuer = Issuer::start();
    let program = service_in_aws(&deployment, &issuer);
    // It calls itself by its public URL.
    let base = program.listening_at();
    let worker = Program::worker(&deployment, &[("RECONCILE_INTERVAL", "200ms")]);
    let [bob, alice, carol] = proofs(&issuer).await;
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    an_owner_sees_who_did_what(&base, &source, &bob, &alice, &carol);
    // What the worker deletes by itself is seen too.
    let at = chrono::Utc::now() + chrono::TimeDelta::seconds(3);
    let body = json!({"filename": "a.txt", "size": 5, "deleteAfter": at.to_rfc3339()});
    let url = format!("{base}/v1/files");
    let created = curl_json(&["--header", &bob, "--json", &body.to_string(), &url]);
    assert_eq!(upload(&created, &source), "200");
    let seen = events(&base, created["id"].as_str().unwrap(), &bob, 3);
    assert_eq!(seen[0]["type"], "file.deleted");
    assert_eq!(seen[0]["caller"], "system");
    assert!(worker.log().contains("file deleted: its time is over"));
}

#[test]
fn a_service_that_asks_nobody_keeps_no_events_and_says_so() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let url = format!(
        "{}/v1/files/{}",
        program.base,
        created["id"].as_str().unwrap()
    );
    let page = curl_json(&[&format!("{url}/events")]);
    let nothing = json!({"events": [], "nextCursor": null, "kept": false});
    assert_eq!(page, nothing);
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    assert_eq!(curl_status(&[&format!("{url}/events")]), "404");
}

#[test]
fn what_the_program_deletes_by_itself_has_its_line_in_the_audit_log() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let settings = [("AUDIT", "on"), ("RECONCILE_INTERVAL", "200ms")];
    let program = Program::local(&data, &settings);
    let at = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
    let body = json!({"filename": "a.txt", "size": 5, "deleteAfter": at.to_rfc3339()});
    let created = create(&program.base, &body);
    assert_eq!(upload(&created, &source), "200");
    let began = Instant::now();
    let line = loop {
        let lines = crate::audit::lines(&data);
        let line = lines.into_iter().find(|it| it["caller"] == "system");
        if let Some(line) = line {
            break line;
        }
        assert!(began.elapsed() < LIMIT, "it has no line");
        std::thread::sleep(POLL);
    };
    assert_eq!(line["action"], "delete_file");
    assert_eq!(line["resource"], created["id"]);
    assert_eq!(line["outcome"], "done");
    program.terminate();
    let (code, shown) = crate::audit::verify(&data, &[]);
    assert_eq!(code, Some(0), "{shown}");
}
