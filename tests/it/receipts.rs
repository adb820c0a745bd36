//! Receipts of the real programs, in both modes: what they say, who verifies them, and what is refused.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::{MiniStack, project_root};
use crate::support::program::{Program, data_dir};

/// How long a start may take until it has marked its stores. Far more than it needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// 32 bytes of the number, as the setting has them.
fn key(number: u8) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([number; 32])
}

fn shared(base: &str, name: &str, content: &[u8]) -> Value {
    let dir = data_dir();
    let path = dir.path().join("to-send");
    std::fs::write(&path, content).unwrap();
    let created = create(base, &json!({"filename": name, "size": content.len()}));
    assert_eq!(upload(&created, &path), "200");
    let id = created["id"].as_str().unwrap();
    let record = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(record["status"], "available", "{record}");
    record
}

fn receipt_url(base: &str, record: &Value) -> String {
    format!("{base}/v1/files/{}/receipt", record["id"].as_str().unwrap())
}

fn text_of(url: &str) -> String {
    String::from_utf8(curl(&["--fail", url])).unwrap()
}

fn part(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn json_of(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Header, payload and signature.
fn parts(receipt: &str) -> [&str; 3] {
    receipt.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// What two libraries that aren't ours make of receipts, by their names; the same.
fn verified(keys: &Value, receipts: &Value) -> Value {
    let case = json!({"keys": keys, "receipts": receipts}).to_string();
    let root = project_root();
    let mut node = Command::new("node");
    node.arg("tests/browser/verify_receipts.mjs");
    let mut python = Command::new(root.join("target/test-tools/bin/python"));
    python.arg("tests/tools/verify_receipts.py");
    let [by_jose, by_joserfc] = [node, python].map(|mut program| -> Value {
        let mut child = program
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(case.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    });
    assert_eq!(by_jose, by_joserfc);
    by_jose
}

/// The receipt with every field of header and payload changed, each by itself, and signed by nobody, by others, and by
/// other means.
fn forgeries(receipt: &str, keys: &Value) -> Value {
    let [header, payload, signature] = parts(receipt);
    let mut forged = serde_json::Map::new();
    for (name, value) in json_of(payload).as_object().unwrap() {
        let mut claims = json_of(payload);
        claims[name] = match value {
            Value::String(text) => format!("{text}1").into(),
            number => (number.as_i64().unwrap() + 1).into(),
        };
        let claims = part(claims.to_string());
        forged.insert(
            format!("another {name}"),
            format!("{header}.{claims}.{signature}").into(),
        );
    }
    let of_header = |name: &str, value: Value| {
        let mut changed = json_of(header);
        changed[name] = value;
        part(changed.to_string())
    };
    let first = keys["keys"][0]["x"].as_str().unwrap();
    let public = BASE64_URL_SAFE_NO_PAD.decode(first).unwrap();
    let none = of_header("alg", "none".into());
    let hmac_header = of_header("alg", "HS256".into());
    let signed = format!("{hmac_header}.{payload}");
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &public),
        signed.as_bytes(),
    );
    let other = Ed25519KeyPair::from_seed_unchecked(&[99; 32]).unwrap();
    let by_another = other.sign(format!("{header}.{payload}").as_bytes());
    for (name, text) in [
        ("no algorithm", format!("{none}.{payload}.")),
        (
            "no algorithm, with its signature",
            format!("{none}.{payload}.{signature}"),
        ),
        ("HS256 by the public key", format!("{signed}.{}", part(tag))),
        (
            "another type",
            format!("{}.{payload}.{signature}", of_header("typ", "JWT".into())),
        ),
        (
            "another key",
            format!("{header}.{payload}.{}", part(by_another)),
        ),
        ("no signature", format!("{header}.{payload}.")),
    ] {
        forged.insert(name.into(), text.into());
    }
    forged.into()
}

/// What every mode has to do.
fn receipts_are_verified_by_others(base: &str) {
    let content = "what was handed in".as_bytes();
    let name = "r\u{e9}sum\u{e9} \"final\" \u{2013} \u{1f389}.txt";
    let record = shared(base, name, content);
    let url = receipt_url(base, &record);
    let head = String::from_utf8(curl(&["--head", &url])).unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: application/jose\r\n"),
        "{head}"
    );
    assert!(head.contains("cache-control: no-store"), "{head}");
    let receipt = text_of(&url);
    let keys = curl_json(&[&format!("{base}/v1/receipts/keys")]);
    let [header, payload, _] = parts(&receipt);
    let header = json_of(header);
    assert_eq!(header["alg"], "Ed25519");
    assert_eq!(header["kid"], keys["keys"][0]["kid"]);

    let said = verified(&keys, &json!({ "ours": receipt }));
    let claims = &said["ours"];
    assert_eq!(claims, &json_of(payload));
    let issued = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "iss": base,
        "jti": record["id"],
        "displayName": name,
        "size": content.len(),
        "sha256": hex::encode(Sha256::digest(content)),
        "uploadedAt": record["uploadedAt"],
        "iat": issued,
    });
    assert_eq!(claims.to_string(), expected.to_string());
    let now = chrono::Utc::now().timestamp();
    assert!((now - 60..=now).contains(&issued), "{issued}");

    let forged = forgeries(&receipt, &keys);
    assert!(forged.as_object().unwrap().len() >= 13);
    for (name, said) in verified(&keys, &forged).as_object().unwrap() {
        assert!(said.is_null(), "{name}: {said}");
    }
    // Whoever has another service's keys alone.
    let mut others = keys.clone();
    let other = Ed25519KeyPair::from_seed_unchecked(&[99; 32]).unwrap();
    let x = part(ring::signature::KeyPair::public_key(&other));
    others["keys"] = json!([keys["keys"][0]]);
    others["keys"][0]["x"] = x.into();
    assert!(verified(&others, &json!({ "ours": receipt }))["ours"].is_null());
}

#[test]
fn in_local_mode_two_libraries_take_a_receipt_and_nothing_else() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    receipts_are_verified_by_others(&program.base);
    // The same path without the version, as all have it.
    let record = shared(&program.base, "a.txt", b"a");
    let id = record["id"].as_str().unwrap();
    let url = format!("{}/files/{id}/receipt", program.base);
    assert_eq!(parts(&text_of(&url)).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_two_libraries_take_a_receipt_and_without_a_key_there_is_none() {
    let deployment = MiniStack::shared().await.deploy("receipts").await;
    let run = move || {
        let keys = format!("{},{}", key(2), key(1));
        let program = Program::aws_api(&deployment, &[("RECEIPT_KEY", &keys)]);
        let _worker = Program::worker(&deployment, &[]);
        receipts_are_verified_by_others(&program.base);
        assert!(!program.log().contains(&key(2)), "the log has a key");

        let without = Program::aws_api(&deployment, &[]);
        assert!(without.log().contains("RECEIPT_KEY"), "{}", without.log());
        let record = shared(&without.base, "a.txt", b"a");
        let url = receipt_url(&without.base, &record);
        let refused = curl_json(&[&url]);
        assert_eq!(refused["status"], 409, "{refused}");
        assert_eq!(refused["code"], "receipts_unavailable", "{refused}");
        let keys = curl_json(&[&format!("{}/v1/receipts/keys", without.base)]);
        assert_eq!(keys, json!({"keys": []}));
        // What was sent meanwhile has one once there is a key.
        assert_eq!(curl_status(&[&receipt_url(&program.base, &record)]), "200");
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[test]
fn a_file_that_is_not_there_has_no_receipt() {
    let (dir, hurried_dir) = (data_dir(), data_dir());
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let refused = curl_json(&[&receipt_url(base, &created)]);
    assert_eq!(refused["code"], "upload_pending", "{refused}");
    let unknown = format!("{base}/v1/files/01a20c20-66ec-73bb-a365-2d7ee6e60e8b/receipt");
    assert_eq!(curl_json(&[&unknown])["code"], "file_not_found");
    assert_eq!(curl_status(&[&format!("{base}/v1/files/x/receipt")]), "404");

    let settings = [
        ("UPLOAD_URL_TTL", "1s"),
        ("UPLOAD_GRACE", "0s"),
        ("RECONCILE_INTERVAL", "100ms"),
    ];
    let hurried = Program::local(hurried_dir.path(), &settings);
    let created = create(&hurried.base, &json!({"filename": "a.txt", "size": 5}));
    let url = receipt_url(&hurried.base, &created);
    let metadata = url.replace("/receipt", "/metadata?wait=20");
    assert_eq!(curl_json(&[&metadata])["status"], "expired");
    let refused = curl_json(&[&url]);
    assert_eq!(refused["code"], "upload_expired", "{refused}");
    assert_eq!(refused["status"], 410);
}

#[test]
fn a_receipt_outlives_its_file() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    let record = shared(base, "b.txt", b"b");
    let url = receipt_url(base, &record);
    let receipt = text_of(&url);
    let file = url.replace("/receipt", "");
    assert_eq!(curl_status(&["--request", "DELETE", &file]), "204");
    assert_eq!(curl_status(&[&url]), "404");
    let keys = curl_json(&[&format!("{base}/v1/receipts/keys")]);
    let said = verified(&keys, &json!({ "ours": receipt }));
    assert_eq!(said["ours"]["displayName"], "b.txt");
}

#[test]
fn the_keys_are_anybodys_and_a_receipt_is_its_owners() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let url = format!("{}/v1/receipts/keys", program.base);
    let head = String::from_utf8(curl(&["--head", &url])).unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("cache-control: public, max-age=300"),
        "{head}"
    );
    let published = curl_json(&[&url]);
    let published = published["keys"].as_array().unwrap();
    assert_eq!(published.len(), 1);
    // Its public half, and nothing that isn't.
    let names: Vec<&String> = published[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["kty", "crv", "x", "kid", "use", "alg"]);
    let receipt = format!(
        "{}/v1/files/01a20c20-66ec-73bb-a365-2d7ee6e60e8b/receipt",
        program.base
    );
    assert_eq!(curl_status(&[&receipt]), "401");
    let secret = std::fs::read_to_string(dir.path().join("receipt-key")).unwrap();
    assert!(!program.log().contains(secret.trim_end()));
}

#[test]
fn receipts_outlive_restarts_and_new_keys_and_name_the_public_url() {
    let dir = data_dir();
    let url = ("PUBLIC_URL", "https://files.example.org/share/");
    let open = ("ACCESS", "open");
    let asked = |program: &Program, path: &str| {
        let address = program.listening_at();
        let at = format!("{}{path}", address.trim_end_matches('/'));
        [
            "--header".to_owned(),
            "Host: files.example.org".to_owned(),
            at,
        ]
    };
    let get = |program: &Program, path: &str| {
        let arguments = asked(program, path);
        String::from_utf8(curl(&arguments.each_ref().map(String::as_str))).unwrap()
    };
    let keys = |program: &Program| -> Value {
        serde_json::from_str(&get(program, "/v1/receipts/keys")).unwrap()
    };
    // The file is sent while the service is reached directly.
    let plain = Program::local(dir.path(), &[open]);
    let record = shared(&plain.base, "a.txt", b"a");
    let path = receipt_url("", &record);
    let first = text_of(&format!("{}{path}", plain.base));
    plain.kill();

    let named = Program::local(dir.path(), &[open, url]);
    let second = get(&named, &path);
    assert_eq!(
        json_of(parts(&second)[1])["iss"],
        "https://files.example.org/share"
    );
    named.kill();

    let rotated = Program::local(dir.path(), &[open, url, ("RECEIPT_KEY", &key(7))]);
    let third = get(&rotated, &path);
    let keys = keys(&rotated);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(json_of(parts(&third)[0])["kid"], keys["keys"][0]["kid"]);
    assert_eq!(json_of(parts(&first)[0])["kid"], keys["keys"][1]["kid"]);
    let said = verified(&keys, &json!({"1": first, "2": second, "3": third}));
    for name in ["1", "2", "3"] {
        assert_eq!(said[name]["sha256"], record["sha256"], "{said}");
    }
}

#[test]
fn a_directory_that_lost_its_key_says_that_another_signs_and_takes_the_one_before_back() {
    const SAID: &str = "a new key signs receipts, since there was none";
    let dir = data_dir();
    let key = dir.path().join("receipt-key");
    let ids = |program: &Program| -> Vec<String> {
        let published = curl_json(&[&format!("{}/v1/receipts/keys", program.base)]);
        let keys = published["keys"].as_array().unwrap();
        let ids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        ids.collect()
    };
    let first = Program::local(dir.path(), &[]);
    let before = ids(&first);
    assert!(!first.log().contains(SAID), "nobody lost anything");
    // It was a start once it has marked what it uses.
    let marker = dir.path().join("objects/store-marker");
    let deadline = Instant::now() + LIMIT;
    while std::fs::read(&marker).map_or(true, |text| text.is_empty()) {
        assert!(Instant::now() < deadline, "{}", first.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    first.terminate();

    // A copy without it was restored.
    let aside = data_dir();
    let aside = aside.path().join("receipt-key");
    std::fs::rename(&key, &aside).unwrap();
    let second = Program::local(dir.path(), &[]);
    assert_ne!(ids(&second), before);
    let log = second.log();
    let line = log.lines().find(|line| line.contains(SAID)).expect(&log);
    assert!(
        line.contains("WARN") && line.contains(key.to_str().unwrap()),
        "{line}"
    );
    second.terminate();

    let third = Program::local(dir.path(), &[]);
    assert!(!third.log().contains(SAID), "it is said once");
    third.terminate();
    std::fs::rename(&aside, &key).unwrap();
    let fourth = Program::local(dir.path(), &[]);
    assert_eq!(ids(&fourth), before);
    assert!(!fourth.log().contains(SAID));
}

#[test]
fn a_key_that_is_none_ends_the_start_and_is_not_repeated() {
    let dir = data_dir();
    let said = Program::local_refuses_with(dir.path(), &[("RECEIPT_KEY", "hush-hush")]);
    assert!(
        said.contains("RECEIPT_KEY") && !said.contains("hush"),
        "{said}"
    );
}
