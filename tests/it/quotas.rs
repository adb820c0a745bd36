//! How much somebody may have, at real services with an issuer that isn't ours, in both modes.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::callers::Person;
use crate::issuer_sign_in::{service, service_in_aws_with};
use crate::support::curl::curl_json;
use crate::support::issuer::Issuer;
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir, recount_aws, recount_local};
use crate::support::recording_proxy::RecordingProxy;

const QUOTAS: [(&str, &str); 2] = [
    ("QUOTA_BYTES", "100,admin=off"),
    ("QUOTA_FILES", "3,admin=off"),
];

/// The calls of DynamoDB that change nothing.
const READS: [&str; 4] = ["GetItem", "BatchGetItem", "Query", "DescribeTable"];

fn quota(person: &Person) -> Value {
    let (status, session) = person.get("/v1/session");
    assert_eq!(status, 200, "{session}");
    session["quota"].clone()
}

fn used(files: u64, bytes: u64) -> Value {
    json!({"bytes": {"used": bytes, "limit": 100}, "files": {"used": files, "limit": 3}})
}

fn refused(person: &Person, size: u64, headers: &[&str]) -> String {
    let wanted = json!({"filename": "more.txt", "size": size});
    let (status, said) = person.post("/v1/files", headers, &wanted);
    assert_eq!(
        (status, &said["code"]),
        (507, &json!("quota_exceeded")),
        "{said}"
    );
    said["detail"].as_str().unwrap().to_owned()
}

fn delete(person: &Person, id: &str) {
    let (status, said) = person.ask(&format!("/v1/files/{id}"), &["--request", "DELETE"]);
    assert_eq!(status, 204, "{said}");
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

async fn each_has_what_they_may(base: &str, issuer: &Issuer) {
    let bob = Person::of(base, issuer, "bob").await;
    let erin = Person::of(base, issuer, "erin").await;
    let alice = Person::of(base, issuer, "alice").await;
    assert_eq!(quota(&bob), used(0, 0));
    let first = bob.create("one.txt", &[]);
    // A program counts for whom it acts for.
    bob.program(&["read", "write"]).create("two.txt", &[]);
    assert_eq!(quota(&bob), used(2, 10));
    let why = refused(&bob, 91, &[]);
    assert!(why.contains("100 bytes and 3 files"), "{why}");
    assert_eq!(quota(&bob), used(2, 10));
    let key = format!("Idempotency-Key: {:032x}", fastrand::u128(..));
    let third = bob.create("three.txt", &[&key]);
    let other = format!("Idempotency-Key: {:032x}", fastrand::u128(..));
    refused(&bob, 0, &[&other]);
    // The same request again asks for nothing more.
    assert_eq!(bob.create("three.txt", &[&key]), third);
    assert_eq!(quota(&bob), used(3, 15));
    // What one has is nothing to others, and who has no limit is told of none.
    erin.create("hers.txt", &[]);
    assert_eq!(quota(&erin), used(1, 5));
    for name in ["1.txt", "2.txt", "3.txt", "4.txt"] {
        alice.create(name, &[]);
    }
    assert_eq!(quota(&alice), Value::Null);
    delete(&bob, &first);
    assert_eq!(quota(&bob), used(2, 10));
    // What is handed in counts for the owner of the box, of whom nobody else learns anything.
    let (status, made) = bob.post("/v1/boxes", &[], &json!({"title": "Sheet 1"}));
    assert_eq!(status, 201, "{made}");
    let token = made["url"].as_str().unwrap().rsplit_once('/').unwrap().1;
    let drop = format!("{base}/v1/drop/{token}/files");
    let hand_in = |name: &str| {
        let body = json!({"filename": "a.txt", "size": 7, "submitter": name}).to_string();
        curl_json(&["--json", &body, &drop])
    };
    let handed_in = hand_in("Ada");
    assert!(handed_in["submissionToken"].is_string(), "{handed_in}");
    assert_eq!(quota(&bob), used(3, 17));
    let full = hand_in("Grace");
    assert_eq!(
        (&full["status"], &full["code"]),
        (&json!(507), &json!("quota_exceeded"))
    );
    assert!(!full.to_string().contains("100 bytes"), "{full}");
    delete(&bob, handed_in["id"].as_str().unwrap());
    assert_eq!(quota(&bob), used(2, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_what_they_may_in_local_mode() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &QUOTAS);
    each_has_what_they_may(&program.base, &issuer).await;
    let counted = recount_local(dir.path(), &[]);
    assert!(counted.status.success(), "{}", said(&counted));
    assert!(said(&counted).contains("is right"), "{}", said(&counted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_a_quota_of_their_own_whatever_their_role_is() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &QUOTAS);
    let id = |person: &Person| {
        let (_, session) = person.get("/v1/session");
        session["principal"]["id"].as_str().unwrap().to_owned()
    };
    let [alice, bob] = ["alice", "bob"];
    let of_alice = id(&Person::of(&program.base, &issuer, alice).await);
    let of_bob = id(&Person::of(&program.base, &issuer, bob).await);
    program.terminate();

    let files = format!("3,admin=off,{of_alice}=1,{of_bob}=off");
    let program = service(dir.path(), &issuer, &[("QUOTA_FILES", &files)]);
    let alice = Person::of(&program.base, &issuer, alice).await;
    let bob = Person::of(&program.base, &issuer, bob).await;
    let erin = Person::of(&program.base, &issuer, "erin").await;
    // An administrator with a bound, and a member without one.
    alice.create("one.txt", &[]);
    let why = refused(&alice, 0, &[]);
    assert!(why.contains("1 file"), "{why}");
    for (person, count) in [(&erin, 3), (&bob, 4)] {
        for number in 0..count {
            person.create(&format!("{number}.txt"), &[]);
        }
    }
    refused(&erin, 0, &[]);
    assert_eq!(quota(&bob), Value::Null);
}

/// What a program asks DynamoDB to change, until its end, when somebody creates one file; of a transaction each change.
async fn writes_of_a_create(
    deployment: &Deployment,
    issuer: &Issuer,
    quotas: &[(&str, &str)],
) -> Vec<String> {
    let store = RecordingProxy::to(&deployment.endpoint);
    let url = store.url();
    let settings = [quotas, &[("AWS_ENDPOINT_URL", url.as_str())]].concat();
    let program = service_in_aws_with(deployment, issuer, &settings);
    let base = program.listening_at();
    let bob = Person::of(&base, issuer, "bob").await;
    store.take_sent();
    bob.create("one.txt", &[]);
    // What it writes later is written then.
    assert!(program.terminate().success());
    let sent = store.take_sent();
    let mut writes = Vec::new();
    for call in sent.split("DynamoDB_20120810.").skip(1) {
        let name = call.split_whitespace().next().unwrap_or_default();
        // What is told of the file is written beside the call.
        if READS.contains(&name) || call.contains(r#""Key":{"fileId":{"S":"event#"#) {
            continue;
        }
        writes.push(name.to_owned());
        if name == "TransactWriteItems" {
            for change in ["Put", "Update", "Delete", "ConditionCheck"] {
                let count = call.matches(&format!(r#"{{"{change}":"#)).count();
                writes.extend(std::iter::repeat_n(change.to_owned(), count));
            }
        }
    }
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_one_write_without_a_quota_and_one_more_in_the_same_transaction_with_one() {
    let deployment = MiniStack::shared().await.deploy("quota-writes").await;
    let issuer = Issuer::start();
    let without = writes_of_a_create(&deployment, &issuer, &[]).await;
    assert_eq!(without, ["PutItem"]);
    let with = writes_of_a_create(&deployment, &issuer, &QUOTAS).await;
    assert_eq!(with, ["TransactWriteItems", "Put", "Update"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_what_they_may_in_aws_mode() {
    let deployment = MiniStack::shared().await.deploy("quotas").await;
    let issuer = Issuer::start();
    // Some were there before anybody had a quota.
    let before = service_in_aws_with(&deployment, &issuer, &[]);
    let base = before.listening_at();
    let erin = Person::of(&base, &issuer, "erin").await;
    let old = erin.create("old.txt", &[]);
    before.terminate();

    let program = service_in_aws_with(&deployment, &issuer, &QUOTAS);
    each_has_what_they_may(&program.listening_at(), &issuer).await;
    let base = program.listening_at();
    let erin = Person {
        base: &base,
        proof: erin.proof.clone(),
    };
    assert_eq!(quota(&erin), used(1, 5));
    let found = recount_aws(&deployment, &[]);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    assert!(said(&found).contains("besides 1 that"), "{}", said(&found));
    let mended = recount_aws(&deployment, &["--mend"]);
    assert!(mended.status.success(), "{}", said(&mended));
    assert_eq!(quota(&erin), used(2, 10));
    assert!(recount_aws(&deployment, &[]).status.success());
    delete(&erin, &old);
    assert_eq!(quota(&erin), used(1, 5));
}

fn racer(person: &Person) -> Child {
    let url = format!("{}/v1/files", person.base);
    Command::new("curl")
        .args(["--silent", "--output", "/dev/null"])
        .args(["--write-out", "%{http_code}", "--max-time", "60"])
        .args(["--header", &person.proof])
        .args(["--json", r#"{"filename": "a.txt", "size": 5}"#, &url])
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

fn six(dir: &Path, issuer: &Issuer) -> Program {
    service(dir, issuer, &[("QUOTA_FILES", "6")])
}

#[tokio::test(flavor = "multi_thread")]
async fn of_40_who_race_for_6_places_while_the_program_is_killed_6_have_one() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let mut proof = None;
    for _ in 0..3 {
        let program = six(dir.path(), &issuer);
        let bob = Person::of(&program.base, &issuer, "bob").await;
        let racers: Vec<Child> = (0..5).map(|_| racer(&bob)).collect();
        proof = Some(bob.proof.clone());
        // In the middle of it.
        program.kill();
        count(racers, "201");
    }
    let program = six(dir.path(), &issuer);
    let bob = Person {
        base: &program.base,
        proof: proof.unwrap(),
    };
    let there = || {
        bob.get("/v1/files?limit=100").1["files"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = there();
    assert!(before <= 6, "{before}");
    let racers: Vec<Child> = (0..40).map(|_| racer(&bob)).collect();
    assert_eq!(count(racers, "201"), 6 - before);
    assert_eq!(there(), 6);
    assert_eq!(quota(&bob)["files"], json!({"used": 6, "limit": 6}));
    let counted = recount_local(dir.path(), &[]);
    assert!(counted.status.success(), "{}", said(&counted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_switched_on_later_counts_what_was_there_before() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let bob = Person::of(&program.base, &issuer, "bob").await;
    let proof = bob.proof.clone();
    let first = bob.create("one.txt", &[]);
    bob.create("two.txt", &[]);
    assert_eq!(quota(&bob), Value::Null);
    program.terminate();
    let program = service(dir.path(), &issuer, &QUOTAS);
    let bob = Person {
        base: &program.base,
        proof: proof.clone(),
    };
    assert_eq!(quota(&bob), used(2, 10));
    delete(&bob, &first);
    program.kill();
    // Off, and on again: nothing that happened in between is forgotten.
    let program = service(dir.path(), &issuer, &[]);
    let bob = Person {
        base: &program.base,
        proof: proof.clone(),
    };
    for name in ["3.txt", "4.txt", "5.txt"] {
        bob.create(name, &[]);
    }
    program.terminate();
    let program = service(dir.path(), &issuer, &QUOTAS);
    let bob = Person {
        base: &program.base,
        proof,
    };
    assert_eq!(quota(&bob), used(4, 20));
    refused(&bob, 1, &[]);
}
