//! Others hand in files, in both modes, as the real curl does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::curl::{curl, curl_json, curl_status, upload};
use crate::support::ministack::MiniStack;
use crate::support::program::{Program, data_dir};

const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn post(url: &str, body: &Value) -> Value {
    curl_json(&["--json", &body.to_string(), url])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field}: {value}"))
}

/// The address of the calls by a box's URL.
fn drop_of(base: &str, made: &Value) -> String {
    let token = text(made, "url").rsplit('/').next().unwrap();
    format!("{base}/v1/drop/{token}")
}

fn source(dir: &tempfile::TempDir, content: &str) -> PathBuf {
    let path = dir.path().join(format!("{:016x}", fastrand::u64(..)));
    fs::write(&path, content).unwrap();
    path
}

/// Hands in `hello`, and says so; the answer to the create.
fn hand_in(drop: &str, name: &str, submitter: &str, bytes: &Path) -> Value {
    let body = json!({"filename": name, "size": 5, "submitter": submitter});
    let handed_in = post(&format!("{drop}/files"), &body);
    assert_eq!(upload(&handed_in, bytes), "200", "{handed_in}");
    handed_in
}

fn proof(handed_in: &Value) -> String {
    format!(
        "Authorization: Bearer {}",
        text(handed_in, "submissionToken")
    )
}

/// Says as its submitter that the bytes were sent; the record.
fn complete(base: &str, handed_in: &Value) -> Value {
    let url = format!("{base}/v1/files/{}/complete", text(handed_in, "id"));
    curl_json(&["--request", "POST", "--header", &proof(handed_in), &url])
}

fn manifest(base: &str, id: &str) -> Vec<Value> {
    let url = format!("{base}/v1/boxes/{id}/manifest");
    let lines = String::from_utf8(curl(&["--fail", &url])).unwrap();
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// What holds in both modes.
fn students_hand_in_and_a_lecturer_sees_who_what_and_when(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let hello = source(&dir, "hello");
    let boxes = format!("{base}/v1/boxes");
    let made = post(
        &boxes,
        &json!({"title": "Sheet 3", "dueAt": "2999-01-01T00:00:00Z", "types": ["txt"]}),
    );
    let (id, drop) = (text(&made, "id"), drop_of(base, &made));
    let shown = curl_json(&[&drop]);
    assert_eq!(shown["title"], "Sheet 3");
    assert_eq!(shown["submitter"], "named");
    let fields: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert!(!fields.iter().any(|it| it.contains("files")), "{fields:?}");

    let ada = hand_in(&drop, "a b.txt", "Ada", &hello);
    let bob = hand_in(&drop, "a b.txt", "Bob", &hello);
    for (handed_in, name) in [(&ada, "Ada"), (&bob, "Bob")] {
        let record = complete(base, handed_in);
        assert_eq!(record["status"], "available", "{name}: {record}");
        assert_eq!(record["sha256"], HELLO_SHA256);
    }
    // Each follows what they handed in, and nothing else.
    let own = format!("{base}/v1/files/{}", text(&ada, "id"));
    let other = format!("{base}/v1/files/{}", text(&bob, "id"));
    let as_ada = proof(&ada);
    let status =
        |arguments: &[&str]| curl_status(&[&["--header", as_ada.as_str()], arguments].concat());
    assert_eq!(status(&[&format!("{own}/metadata")]), "200");
    assert_eq!(
        status(&["--request", "POST", &format!("{own}/upload")]),
        "409"
    );
    for refused in [
        &[format!("{other}/metadata")][..],
        &[
            "--request".into(),
            "POST".into(),
            format!("{other}/complete"),
        ],
        std::slice::from_ref(&own),
        &["--request".into(), "DELETE".into(), own.clone()],
    ] {
        let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
        assert_eq!(status(&refused), "404", "{refused:?}");
    }
    for url in [
        format!("{base}/v1/files"),
        boxes.clone(),
        format!("{boxes}/{id}/files"),
        format!("{boxes}/{id}/manifest"),
    ] {
        assert_eq!(status(&[&url]), "403", "{url}");
    }

    // The list may be a moment behind.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let lines = loop {
        let lines = manifest(base, id);
        if lines.len() == 2 {
            break lines;
        }
        assert!(std::time::Instant::now() < deadline, "{lines:?}");
    };
    for (line, handed_in) in lines.iter().zip([&bob, &ada]) {
        assert_eq!(line["id"], handed_in["id"]);
        assert_eq!(line["displayName"], "a b.txt");
        assert_eq!(line["late"], false);
        assert_eq!(
            (&line["sha256"], &line["size"]),
            (&json!(HELLO_SHA256), &json!(5))
        );
    }
    let listed = curl_json(&[&format!("{boxes}/{id}/files?limit=1")]);
    assert_eq!(listed["files"][0]["submitter"], "Bob");
    let cursor = text(&listed, "nextCursor");
    let rest = curl_json(&[&format!("{boxes}/{id}/files?limit=1&cursor={cursor}")]);
    assert_eq!(rest["files"][0]["submitter"], "Ada");

    // Shortened: both are late now. Closed: nothing more is taken.
    let change = |body: Value| {
        let url = format!("{boxes}/{id}");
        curl_json(&["--request", "PATCH", "--json", &body.to_string(), &url])
    };
    let past = "2001-01-01T00:00:00.000Z";
    assert_eq!(
        change(json!({"dueAt": past, "closesAt": past}))["closesAt"],
        past
    );
    assert!(manifest(base, id).iter().all(|line| line["late"] == true));
    let body = json!({"filename": "a.txt", "size": 5, "submitter": "Ada"});
    let refused = post(&format!("{drop}/files"), &body);
    assert_eq!(
        (&refused["code"], &refused["status"]),
        (&json!("box_closed"), &json!(409))
    );
    assert!(text(&refused, "detail").contains(past), "{refused}");
    change(json!({"dueAt": null, "closesAt": null, "maxFileBytes": 4}));
    for (name, size, status, code) in [
        ("a.txt", 5, 413, "content_too_large"),
        ("a.pdf", 4, 415, "type_not_allowed"),
    ] {
        let body = json!({"filename": name, "size": size, "submitter": "Ada"});
        let refused = post(&format!("{drop}/files"), &body);
        assert_eq!(
            (&refused["code"], &refused["status"]),
            (&json!(code), &json!(status))
        );
    }

    // Ended: the URL brings nothing, and the files are there still.
    let ended = curl_status(&["--request", "DELETE", &format!("{boxes}/{id}")]);
    assert_eq!(ended, "204");
    assert_eq!(curl_json(&[&drop])["code"], "box_not_found");
    assert_eq!(curl(&["--location", &own]), b"hello");
    assert_eq!(status(&[&format!("{own}/metadata")]), "200");
}

#[test]
fn in_local_mode_students_hand_in_and_a_lecturer_sees_who_what_and_when() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    students_hand_in_and_a_lecturer_sees_who_what_and_when(&program.base);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_students_hand_in_and_a_lecturer_sees_who_what_and_when() {
    let deployment = MiniStack::shared().await.deploy("boxes").await;
    let program = Program::aws_api(&deployment, &[]);
    students_hand_in_and_a_lecturer_sees_who_what_and_when(&program.base);
}

#[test]
fn names_that_steer_turn_or_lead_elsewhere_do_nothing_in_list_and_manifest() {
    let (dir, files) = (data_dir(), tempfile::tempdir().unwrap());
    let hello = source(&files, "hello");
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    let made = post(&format!("{base}/v1/boxes"), &json!({"title": "Sheet 3"}));
    let (id, drop) = (text(&made, "id"), drop_of(base, &made));
    let hostile = [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("..\\..\\boot.ini", ".._.._boot.ini"),
        ("CON", "CON"),
        ("=cmd|'/c calc'!A1", "=cmd|'_c calc'!A1"),
        ("a\u{202e}fdp.exe", "afdp.exe"),
        ("a\u{1b}[2J\r\nb", "a[2Jb"),
    ];
    for (name, _) in hostile {
        let handed_in = hand_in(&drop, name, name, &hello);
        assert_eq!(complete(base, &handed_in)["status"], "available");
    }
    let raw = curl(&["--fail", &format!("{base}/v1/boxes/{id}/manifest")]);
    let raw = String::from_utf8(raw).unwrap();
    assert_eq!(raw.lines().count(), hostile.len(), "one line a file: {raw}");
    let is_harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    assert!(raw.chars().all(is_harmless), "{raw:?}");
    let names: Vec<String> = manifest(base, id)
        .iter()
        .map(|line| text(line, "displayName").to_owned())
        .collect();
    let expected: Vec<&str> = hostile.iter().rev().map(|(_, shown)| *shown).collect();
    assert_eq!(names, expected);
}

fn racer(drop: &str, name: &str) -> Child {
    let body = json!({"filename": "a.txt", "size": 5, "submitter": name}).to_string();
    let url = format!("{drop}/files");
    Command::new("curl")
        .args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .args(["--max-time", "60", "--json", &body, &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many of the racers were answered with each status.
fn count(racers: Vec<Child>, status: &str) -> usize {
    let answers = racers.into_iter().map(|racer| {
        let output = racer.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    answers.filter(|answer| answer == status).count()
}

fn handed_in(base: &str, id: &str) -> usize {
    let url = format!("{base}/v1/boxes/{id}/files?limit=100");
    curl_json(&[&url])["files"].as_array().unwrap().len()
}

#[test]
fn of_40_who_race_for_6_places_while_the_program_is_killed_6_have_one() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let made = post(
        &format!("{}/v1/boxes", program.base),
        &json!({"title": "Sheet 3", "maxFiles": 6}),
    );
    let id = text(&made, "id").to_owned();
    let drop = drop_of(&program.base, &made);
    let racers: Vec<Child> = (0..20)
        .map(|at| racer(&drop, &format!("Ada {at}")))
        .collect();
    // In the middle of it.
    program.kill();
    count(racers, "201");

    let program = Program::local(dir.path(), &[]);
    let drop = drop_of(&program.base, &made);
    let before = handed_in(&program.base, &id);
    assert!(before <= 6, "{before}");
    let racers: Vec<Child> = (0..40)
        .map(|at| racer(&drop, &format!("Bob {at}")))
        .collect();
    assert_eq!(count(racers, "201"), 6 - before);
    assert_eq!(handed_in(&program.base, &id), 6);
    let refused = json!({"filename": "a.txt", "size": 5, "submitter": "Eve"});
    let refused = post(&format!("{drop}/files"), &refused);
    assert_eq!(
        (&refused["code"], &refused["status"]),
        (&json!("quota_exceeded"), &json!(507))
    );
}

#[test]
fn no_url_of_a_box_and_no_submission_token_is_in_the_log_or_on_the_disk() {
    let (dir, files) = (data_dir(), tempfile::tempdir().unwrap());
    let hello = source(&files, "hello");
    let program = Program::local(dir.path(), &[("RUST_LOG", "trace")]);
    let base = &program.base;
    let made = post(&format!("{base}/v1/boxes"), &json!({"title": "Sheet 3"}));
    let drop = drop_of(base, &made);
    let handed_in = hand_in(&drop, "a.txt", "Ada", &hello);
    complete(base, &handed_in);
    curl_json(&[&drop]);
    let token = drop.rsplit('/').next().unwrap();
    let secrets = [token, text(&handed_in, "submissionToken")];
    let log = program.log();
    assert!(log.contains("hand_in"), "the log has the calls");
    for secret in secrets {
        assert!(!log.contains(secret), "a token is in the log");
    }
    program.terminate();
    for entry in walk(dir.path()) {
        let bytes = fs::read(&entry).unwrap();
        for secret in secrets {
            let found = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!found, "a token is in {}", entry.display());
        }
    }
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| match path.is_dir() {
        true => walk(&path),
        false => vec![path],
    });
    below.collect()
}
