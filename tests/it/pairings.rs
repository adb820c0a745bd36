//! Programs that are let in by a code: at a running service that asks for its key, over HTTP.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::curl::{curl, curl_json, curl_status};
use crate::support::program::{Program, data_dir};

/// How often somebody may type a code that is none.
const TRIES: usize = 10;
/// How many programs of one address may wait.
const OF_ADDRESS: u64 = 100;

struct Service {
    program: Program,
    key: String,
}

impl Service {
    fn in_directory(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let settings = [&[("ACCESS", "key")][..], settings].concat();
        let program = Program::local(data_dir, &settings);
        let key = fs::read_to_string(data_dir.join("access-key")).unwrap();
        let key = key.trim_end().to_owned();
        Self { program, key }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.program.listening_at())
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.key)
    }

    /// What a browser sends that has signed in with the key.
    fn session(&self) -> String {
        let body = json!({"key": self.key}).to_string();
        let answer = curl(&["--include", "--json", &body, &self.url("/v1/session")]);
        let answer = String::from_utf8(answer).unwrap();
        let cookie = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_it = name.eq_ignore_ascii_case("set-cookie");
            is_it.then(|| value.split(';').next().unwrap().to_owned())
        });
        format!("Cookie: {}", cookie.unwrap())
    }

    fn post(&self, proof: &[&str], path: &str, body: &Value) -> Answer {
        let (body, url) = (body.to_string(), self.url(path));
        let mut arguments = vec!["--include", "--json", &body, &url];
        for header in proof {
            arguments.extend(["--header", header]);
        }
        let answer = String::from_utf8(curl(&arguments)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().to_owned(),
            head: head.to_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    fn begin(&self) -> Value {
        let begun = self.post(&[], "/v1/pairings", &json!({"client": "fshare on laptop"}));
        assert_eq!(begun.status, "201", "{:?}", begun.body);
        begun.body
    }

    fn look(&self, proof: &str, code: &Value) -> Answer {
        self.post(&[proof], "/v1/pairings/look", &json!({"userCode": code}))
    }

    fn approve(&self, proof: &str, code: &Value) -> Answer {
        self.post(&[proof], "/v1/pairings/approve", &json!({"userCode": code}))
    }

    fn redeem(&self, begun: &Value) -> Answer {
        let body = json!({"deviceCode": begun["deviceCode"]});
        self.post(&[], "/v1/pairings/redeem", &body)
    }
}

struct Answer {
    status: String,
    head: String,
    body: Value,
}

impl Answer {
    /// The status, and the code of a problem.
    fn outcome(&self) -> (&str, &str) {
        (&self.status, self.body["code"].as_str().unwrap_or_default())
    }

    fn retry_after(&self) -> u64 {
        let mut lines = self.head.lines();
        let value = lines.find_map(|line| line.strip_prefix("retry-after: "));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

fn audited(data_dir: &Path) -> String {
    let days = fs::read_dir(data_dir.join("audit")).unwrap();
    days.map(|day| fs::read_to_string(day.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_program_is_let_in_by_whoever_types_its_code_and_gets_its_token_once() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path(), &[("RUST_LOG", "trace")]);
    let session = service.session();
    let begun = service.begin();
    let verify_at = begun["verifyAt"].as_str().unwrap();
    assert_eq!(verify_at, service.url("/pair"));
    assert_eq!(begun["interval"], 2);
    assert_eq!(service.redeem(&begun).status, "202");

    let typed = begun["userCode"].as_str().unwrap().to_lowercase();
    let seen = service.look(&session, &json!(typed));
    assert_eq!(seen.status, "200", "{}", seen.body);
    assert_eq!(seen.body["client"], "fshare on laptop");
    assert_eq!(seen.body["from"], "127.0.0.1");
    assert_eq!(seen.body["expiresAt"], begun["expiresAt"]);
    for _ in 0..2 {
        assert_eq!(service.approve(&session, &json!(typed)).status, "204");
    }
    // What was approved outlives a start of the program.
    let log = service.program.log();
    service.program.terminate();
    let service = Service::in_directory(dir.path(), &[("RUST_LOG", "trace")]);
    let redeemed = service.redeem(&begun);
    assert_eq!(redeemed.status, "200", "{}", redeemed.body);
    let token = redeemed.body["token"].as_str().unwrap();
    assert_eq!(redeemed.body["label"], "fshare on laptop");
    assert!(redeemed.body["expiresAt"].is_string());
    let gone = ("410", "pairing_gone");
    assert_eq!(service.redeem(&begun).outcome(), gone);
    let session = service.session();
    for asked in [
        service.look(&session, &json!(typed)),
        service.approve(&session, &json!(typed)),
    ] {
        assert_eq!(asked.outcome(), ("404", "pairing_not_found"));
    }

    let bearer = format!("Authorization: Bearer {token}");
    let files = service.url("/v1/files");
    assert_eq!(curl_status(&["--header", &bearer, &files]), "200");
    // It is a token like any other, so it ends as any other does.
    let id = redeemed.body["id"].as_str().unwrap();
    let own = service.url(&format!("/v1/tokens/{id}"));
    assert_eq!(
        curl_status(&["--request", "DELETE", "--header", &bearer, &own]),
        "204"
    );
    assert_eq!(curl_status(&["--header", &bearer, &files]), "401");

    let lines = audited(dir.path());
    let (_, pairing) = lines
        .split_once("\"action\":\"begin_pairing\",\"resource\":\"")
        .unwrap();
    let pairing = &pairing[..32];
    for action in ["begin_pairing", "approve_pairing", "redeem_pairing"] {
        let line = format!("\"action\":\"{action}\",\"resource\":\"{pairing}\"");
        assert!(lines.contains(&line), "{action}: {lines}");
    }
    assert!(
        lines.contains(&format!("operator by token {id}")),
        "{lines}"
    );
    let kept = [log, service.program.log(), lines].concat();
    let (device, user) = (
        begun["deviceCode"].as_str().unwrap(),
        begun["userCode"].as_str().unwrap(),
    );
    for secret in [device, user, &user.replace('-', ""), &typed, token] {
        assert!(!kept.contains(secret), "{secret} was written down");
    }
}

#[test]
fn neither_the_key_nor_a_token_nor_a_foreign_page_lets_a_program_in() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path(), &[]);
    let begun = service.begin();
    let (bearer, session) = (service.bearer(), service.session());
    let wanted = json!({"label": "all", "scopes": ["read", "write", "delete", "admin"]});
    let made = service.post(&[&bearer], "/v1/tokens", &wanted);
    let token = format!(
        "Authorization: Bearer {}",
        made.body["token"].as_str().unwrap()
    );
    for path in ["/v1/pairings/look", "/v1/pairings/approve"] {
        let body = json!({"userCode": begun["userCode"]});
        for (proof, outcome) in [
            (&[][..], ("401", "sign_in_required")),
            (&[&*bearer], ("403", "not_allowed")),
            (&[&*token], ("403", "not_allowed")),
            (&[&*bearer, &*session], ("403", "not_allowed")),
            (
                &[&*session, "Origin: https://evil.example"],
                ("403", "origin_not_allowed"),
            ),
        ] {
            let refused = service.post(proof, path, &body);
            assert_eq!(refused.outcome(), outcome, "{path} {proof:?}");
        }
        // A form of another page's could be sent without a word; what it sends isn't JSON.
        let form = ["--data", "userCode=BCDF-GHJK", "--header", &session];
        assert_eq!(
            curl_status(&[&form[..], &[&service.url(path)]].concat()),
            "415"
        );
    }
    assert_eq!(service.redeem(&begun).status, "202");
    assert_eq!(service.approve(&session, &begun["userCode"]).status, "204");
}

#[test]
fn whoever_guesses_codes_is_refused_soon_and_the_right_one_with_them() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path(), &[]);
    let (begun, session) = (service.begin(), service.session());
    let right = begun["userCode"].as_str().unwrap();
    let wrong = |n: usize| {
        let letter = char::from(b"BCDFGHJKLMNPQRSTVWXZ"[n]);
        let tail: String = std::iter::repeat_n(letter, 7).collect();
        json!(format!(
            "{}{tail}",
            if right.starts_with('B') { 'C' } else { 'B' }
        ))
    };
    // What can't be a code is no try.
    for _ in 0..2 * TRIES {
        let refused = service.look(&session, &json!("AEIO-UAEI"));
        assert_eq!(refused.outcome(), ("404", "pairing_not_found"));
    }
    for n in 0..TRIES {
        let asked = match n % 2 {
            0 => service.look(&session, &wrong(n)),
            _ => service.approve(&session, &wrong(n)),
        };
        assert_eq!(asked.outcome(), ("404", "pairing_not_found"));
    }
    // From another browser of the same person's too.
    for session in [&session, &service.session()] {
        let refused = service.approve(session, &json!(right));
        assert_eq!(refused.outcome(), ("429", "too_many_tries"));
        assert!(
            (1..=60).contains(&refused.retry_after()),
            "{}",
            refused.head
        );
    }
    assert_eq!(service.redeem(&begun).status, "202");
    assert!(audited(dir.path()).contains("\"outcome\":\"too_many_tries\""));
}

#[test]
fn whoever_begins_without_end_is_refused_with_the_time_when_they_may_again() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path(), &[]);
    let (begun, started) = (service.begin(), Instant::now());
    let mut count = 1;
    let refused = loop {
        let answer = service.post(&[], "/v1/pairings", &json!({"client": "one more"}));
        if answer.status != "201" {
            break answer;
        }
        count += 1;
        // One more comes every three seconds, and this takes some.
        assert!(count <= OF_ADDRESS + started.elapsed().as_secs() / 3 + 1);
    };
    assert!(count >= OF_ADDRESS, "{count}");
    assert_eq!(refused.outcome(), ("429", "too_many_tries"));
    assert!((1..=3).contains(&refused.retry_after()), "{}", refused.head);
    // It keeps nobody out who waits already.
    assert_eq!(
        service
            .approve(&service.session(), &begun["userCode"])
            .status,
        "204"
    );
    assert_eq!(service.redeem(&begun).status, "200");
}

#[test]
fn what_an_operator_approved_ends_with_the_key_of_their_session() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path(), &[]);
    let begun = service.begin();
    assert_eq!(
        service
            .approve(&service.session(), &begun["userCode"])
            .status,
        "204"
    );
    service.program.terminate();
    fs::remove_file(dir.path().join("access-key")).unwrap();
    let service = Service::in_directory(dir.path(), &[]);
    assert_eq!(service.redeem(&begun).outcome(), ("410", "pairing_gone"));
}

#[test]
fn where_nobody_is_asked_no_program_has_to_be_let_in() {
    let dir = data_dir();
    for access in ["open", "auto"] {
        let program = Program::local(dir.path(), &[("ACCESS", access)]);
        for (path, body) in [
            ("", json!({"client": "fshare"})),
            ("/redeem", json!({"deviceCode": "fsd_"})),
            ("/look", json!({"userCode": "BCDF-GHJK"})),
            ("/approve", json!({"userCode": "BCDF-GHJK"})),
        ] {
            let url = format!("{}/v1/pairings{path}", program.base);
            let refused = curl_json(&["--json", &body.to_string(), &url]);
            assert_eq!(refused["code"], "tokens_unavailable", "{access} {path}");
        }
        program.terminate();
    }
}

#[test]
fn behind_a_proxy_the_page_is_below_the_public_url_and_nobody_is_told_the_proxys_address() {
    let dir = data_dir();
    let public = ("PUBLIC_URL", "https://files.example.org/course/");
    let service = Service::in_directory(dir.path(), &[public]);
    let passed_on = "X-Forwarded-For: 203.0.113.7";
    let client = json!({"client": "fshare on laptop"});
    let begun = service.post(&[passed_on], "/v1/pairings", &client).body;
    assert_eq!(begun["verifyAt"], "https://files.example.org/course/pair");
    let seen = service.look(&service.session(), &begun["userCode"]);
    assert_eq!(seen.body["from"], Value::Null, "{}", seen.body);
}
