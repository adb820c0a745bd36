//! Files that are held: what those see who run the service, what their owner sees, and that they stay.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::issuer_sign_in::service;
use crate::support::curl::{curl_json, curl_status, upload};
use crate::support::issuer::Issuer;
use crate::support::program::data_dir;

const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// So that the file's time is over soon, and looked at often.
const SETTINGS: [(&str, &str); 2] = [("AUDIT", "on"), ("RECONCILE_INTERVAL", "200ms")];

/// Somebody's calls about one file.
struct Calls<'a> {
    url: String,
    proof: &'a str,
}

impl Calls<'_> {
    fn record(&self) -> Value {
        curl_json(&["--header", self.proof, &format!("{}/metadata", self.url)])
    }

    fn delete(&self) -> Value {
        curl_json(&["--header", self.proof, "--request", "DELETE", &self.url])
    }

    fn hold(&self, body: &Value) -> Value {
        let (hold, body) = (format!("{}/hold", self.url), body.to_string());
        let put = ["--request", "PUT", "--json", &body, &hold];
        curl_json(&[&["--header", self.proof][..], &put].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_file_stays_whoever_wants_it_gone_and_its_owner_is_told_so_but_not_why() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let data = dir.path().join("data");
    let program = service(&data, &issuer, &SETTINGS);
    let base = program.listening_at();
    let mut proofs = Vec::new();
    for person in ["bob", "alice"] {
        let token = issuer.tokens_of(person).await.access;
        proofs.push(format!("Authorization: Bearer {token}"));
    }
    let [bob, alice] = &proofs[..] else {
        unreachable!()
    };
    let ends_at = chrono::Utc::now() + chrono::TimeDelta::seconds(4);
    let body = json!({"filename": "a.txt", "size": 5, "deleteAfter": ends_at.to_rfc3339()});
    let created = curl_json(&[
        "--header",
        bob,
        "--json",
        &body.to_string(),
        &format!("{base}/v1/files"),
    ]);
    assert_eq!(upload(&created, &source), "200");
    let id = created["id"].as_str().unwrap();
    let of = |base: &str, proof| Calls {
        url: format!("{base}/v1/files/{id}"),
        proof,
    };
    let waited = format!("{base}/v1/files/{id}/metadata?wait=20");
    assert_eq!(
        curl_json(&["--header", bob, &waited])["status"],
        "available"
    );

    for wrong in [
        json!({}),
        json!({"reason": " "}),
        json!({"reason": "a\u{7}b"}),
        json!({"reason": "x".repeat(501)}),
        json!({"reason": 5}),
        json!({"reason": "a", "until": "never"}),
    ] {
        let refused = of(&base, alice).hold(&wrong);
        assert_eq!(refused["code"], "invalid_request", "{wrong}: {refused}");
    }
    assert_eq!(
        of(&base, bob).hold(&json!({"reason": "mine"}))["code"],
        "not_allowed"
    );
    let held = of(&base, alice).hold(&json!({"reason": "Aktenzeichen 3 C 12/26"}));
    assert_eq!(held["hold"]["reason"], "Aktenzeichen 3 C 12/26", "{held}");
    let since = held["hold"]["since"].clone();
    // The same again changes nothing, and another reason not since when.
    let again = of(&base, alice).hold(&json!({"reason": "Aktenzeichen 3 C 12/26"}));
    assert_eq!(again["hold"], held["hold"]);
    let other = of(&base, alice).hold(&json!({"reason": "Aktenzeichen 4 C 12/26"}));
    assert_eq!(other["hold"]["since"], since);

    let seen_by_owner = json!({"since": since});
    assert_eq!(of(&base, bob).record()["hold"], seen_by_owner);
    let list = curl_json(&["--header", bob, &format!("{base}/v1/files")]);
    assert_eq!(list["files"][0]["hold"], seen_by_owner, "{list}");
    let list = curl_json(&["--header", alice, &format!("{base}/v1/files?owner=all")]);
    assert_eq!(list["files"][0]["hold"], other["hold"], "{list}");
    for proof in [bob, alice] {
        let refused = of(&base, proof).delete();
        assert_eq!(
            (&refused["code"], &refused["status"]),
            (&json!("held"), &json!(409))
        );
        let words = refused["detail"].as_str().unwrap();
        assert!(words.contains("ended the hold"), "{words}");
        assert!(!refused.to_string().contains("Aktenzeichen"), "{refused}");
    }

    // Its time comes, and the program is killed meanwhile.
    program.kill();
    let program = service(&data, &issuer, &SETTINGS);
    let base = program.listening_at();
    while chrono::Utc::now() < ends_at + chrono::TimeDelta::seconds(1) {
        assert_eq!(of(&base, bob).record()["status"], "available");
        std::thread::sleep(POLL);
    }
    assert_eq!(of(&base, alice).record()["hold"], other["hold"]);
    assert_eq!(curl_status(&["--header", bob, &of(&base, bob).url]), "307");

    let hold = format!("{}/hold", of(&base, alice).url);
    for _ in 0..2 {
        let released = ["--header", alice, "--request", "DELETE", &hold];
        assert_eq!(curl_status(&released), "204");
    }
    assert_eq!(of(&base, alice).record()["hold"], Value::Null);
    let url = of(&base, bob).url;
    let deleted = curl_status(&["--header", bob, "--request", "DELETE", &url]);
    assert_eq!(deleted, "204");

    let began = Instant::now();
    let wanted = ["file.deleted", "file.released", "file.held"];
    loop {
        let page = curl_json(&["--header", bob, &format!("{url}/events")]);
        let types: Vec<&str> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["type"].as_str().unwrap())
            .collect();
        if wanted.iter().all(|it| types.contains(it)) {
            assert!(!page.to_string().contains("Aktenzeichen"), "{page}");
            break;
        }
        assert!(began.elapsed() < LIMIT, "{page}");
        std::thread::sleep(POLL);
    }
}
