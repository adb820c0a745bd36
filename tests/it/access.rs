//! Who may do what at a running service: by the key, by a session that was begun with it, and without either.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status};
use crate::support::program::{Program, check_local, data_dir};

fn key(data_dir: &Path) -> String {
    let key = std::fs::read_to_string(data_dir.join("access-key")).unwrap();
    key.trim_end().to_owned()
}

fn asking(data_dir: &Path) -> Program {
    Program::local(data_dir, &[("ACCESS", "key")])
}

/// How a program asks to be let in, and what verifies receipts.
const UNGUARDED: [&str; 3] = ["/v1/pairings", "/v1/pairings/redeem", "/v1/receipts/keys"];

/// Each call of the contract that not everybody may make: its method and its path. What deletes the file comes last.
pub(crate) fn guarded() -> Vec<(String, String)> {
    let contract: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let paths = contract["paths"].as_object().unwrap().iter();
    let calls = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    let guarded = calls.filter(|(_, path)| {
        let is_for_everybody = ["/v1/session", "/v1/shared/", "/v1/drop/"];
        !is_for_everybody.iter().any(|it| path.starts_with(it))
            && !UNGUARDED.contains(&path.as_str())
    });
    let mut calls: Vec<(String, String)> = guarded.collect();
    // What is held can't be deleted.
    calls.sort_by_key(|(method, path)| (method == "DELETE", !path.ends_with("/hold")));
    calls
}

/// The address of a path of the contract, of a file that there is.
pub(crate) fn address(base: &str, path: &str, id: &str) -> String {
    let path = path.replace("{user_id}", "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    format!("{base}{}", path.replace("{id}", id))
}

/// Each of them with its address.
fn calls(base: &str, id: &str) -> Vec<(String, String)> {
    let calls = guarded().into_iter();
    calls
        .map(|(method, path)| (method, address(base, &path, id)))
        .collect()
}

/// The status of a call, with a body that creates a file, a link to a file or a token where there is one.
pub(crate) fn status(method: &str, url: &str, id: &str, proof: &[&str]) -> String {
    let link = json!({"files": [id]}).to_string();
    let mut arguments = match method {
        "HEAD" => vec!["--head"],
        method => vec!["--request", method],
    };
    if url.ends_with("/v1/files") && method == "POST" {
        arguments.extend(["--json", r#"{"filename": "a.txt", "size": 5}"#]);
    }
    if url.ends_with("/v1/tokens") && method == "POST" {
        arguments.extend(["--json", r#"{"label": "a", "scopes": ["read"]}"#]);
    }
    if url.ends_with("/v1/links") && method == "POST" {
        arguments.extend(["--json", &link]);
    }
    if url.ends_with("/v1/boxes") && method == "POST" {
        arguments.extend(["--json", r#"{"title": "a"}"#]);
    }
    if method == "PATCH" {
        arguments.extend(["--json", "{}"]);
    }
    if url.ends_with("/hold") && method == "PUT" {
        arguments.extend(["--json", r#"{"reason": "case 4711"}"#]);
    }
    if url.ends_with("/keep-until") {
        arguments.extend(["--json", r#"{"keepUntil": "2100-01-01T00:00:00Z"}"#]);
    }
    if url.contains("/v1/pairings/") {
        // Nothing that could be one: a wrong one would count as a try.
        arguments.extend(["--json", r#"{"userCode": "-"}"#]);
    }
    for header in proof {
        arguments.extend(["--header", header]);
    }
    arguments.push(url);
    curl_status(&arguments)
}

/// What a call is answered that is allowed, for a file that has no bytes yet.
fn answer_to_whoever_may(method: &str, url: &str, id: &str) -> &'static str {
    let wants_bytes = url.ends_with(id) || url.ends_with("/receipt");
    let keeps_bytes = url.ends_with("/keep-until");
    let (before, last) = url.rsplit_once('/').unwrap();
    let is_collection = before.ends_with("/v1") && last != id;
    match method {
        "DELETE" => "204",
        "POST" if is_collection => "201",
        "GET" | "HEAD" if wants_bytes => "409",
        "PUT" if keeps_bytes => "409",
        _ => "200",
    }
}

/// What a request shows of a session that is begun with the key.
fn session_of(base: &str, key: &str) -> String {
    let body = json!({"key": key}).to_string();
    let answer = curl(&["--include", "--json", &body, &format!("{base}/v1/session")]);
    let answer = String::from_utf8(answer).unwrap();
    let lines = answer.lines();
    let cookie = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let (_, cookie) = cookie.unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

#[test]
fn every_call_of_the_contract_wants_the_key_or_a_session_and_takes_either() {
    let dir = data_dir();
    let program = asking(dir.path());
    let base = &program.base;
    let key = key(dir.path());
    let bearer = format!("Authorization: Bearer {key}");
    let cookie = session_of(base, &key);
    let wrong_bearer = format!("Authorization: Bearer {}", key.replace("fsk_", "fsk-"));
    for proof in [&bearer, &cookie] {
        let created = [
            "--header",
            proof,
            "--json",
            r#"{"filename": "a.txt", "size": 5}"#,
        ];
        let created = curl_json(&[&created[..], &[&format!("{base}/v1/files")]].concat());
        let id = created["id"].as_str().unwrap();
        let calls = calls(base, id);
        assert_eq!(calls.len(), 31, "{calls:?}");
        for (method, url) in &calls {
            let nobody: [&[&str]; 4] = [
                &[],
                &[&wrong_bearer],
                &["Cookie: session=0123456789abcdef"],
                // A token that is wrong isn't made right by what a browser sends along.
                &[&wrong_bearer, &cookie],
            ];
            for proof in nobody {
                assert_eq!(
                    status(method, url, id, proof),
                    "401",
                    "{method} {url} {proof:?}"
                );
            }
            let answered = status(method, url, id, &[proof]);
            let owns_none = ["/v1/tokens/", "/v1/links/", "/v1/boxes/"];
            let expected = match url {
                url if owns_none.iter().any(|path| url.contains(path)) => "404",
                // A session alone lets programs in: whoever has the key in a program needs no other one.
                url if url.contains("/v1/pairings/") && *proof == bearer => "403",
                url if url.contains("/v1/pairings/") => "404",
                url => answer_to_whoever_may(method, url, id),
            };
            assert_eq!(answered, expected, "{method} {url}");
        }
    }
    assert!(!program.log().contains(&key), "the key is in the log");
}

#[test]
fn who_is_refused_hears_how_to_sign_in_and_nothing_of_what_there_is() {
    let dir = data_dir();
    let program = asking(dir.path());
    let base = &program.base;
    let key = key(dir.path());
    let bearer = format!("Authorization: Bearer {key}");
    let created = [
        "--header",
        &bearer,
        "--json",
        r#"{"filename": "a.txt", "size": 5}"#,
    ];
    let created = curl_json(&[&created[..], &[&format!("{base}/v1/files")]].concat());
    let refused = |id: &str| {
        let url = format!("{base}/v1/files/{id}/metadata");
        let answer = curl(&["--include", "--header", "X-Request-Id: same", &url]);
        let answer = String::from_utf8(answer).unwrap();
        let lines = answer.lines().filter(|line| !line.starts_with("date:"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let existing = refused(created["id"].as_str().unwrap());
    assert!(existing.contains("www-authenticate: Bearer"), "{existing}");
    assert!(existing.contains("sign_in_required"), "{existing}");
    assert_eq!(existing, refused("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f"));

    let body = json!({"key": "fsk_0"}).to_string();
    let wrong = curl_json(&["--json", &body, &format!("{base}/v1/session")]);
    assert_eq!(wrong["code"], "sign_in_required");
    assert!(wrong["detail"].as_str().unwrap().contains("isn't the key"));
    // What asks nobody goes on answering.
    for path in ["/", "/healthz", "/readyz", "/openapi.json", "/v1/session"] {
        assert_eq!(curl_status(&[&format!("{base}{path}")]), "200", "{path}");
    }
}

/// A browser that sends along its session for a page of another origin, as one does that knows no `SameSite`, or for a
/// name that was made to mean this machine.
#[test]
fn a_page_of_another_origin_does_nothing_with_somebodys_session() {
    let dir = data_dir();
    let program = asking(dir.path());
    let base = &program.base;
    let cookie = session_of(base, &key(dir.path()));
    let signed_in = |more: &[&str]| curl_json(&[&["--header", &cookie], more].concat());
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    let created = signed_in(&["--json", body, &format!("{base}/v1/files")]);
    let id = created["id"].as_str().unwrap();
    let record = format!("{base}/v1/files/{id}/metadata");
    let before = signed_in(&[&record]);
    assert_eq!(before["status"], "pending");
    let rebound = format!(
        "Host: rebound.evil.example:{}",
        base.rsplit(':').next().unwrap()
    );
    for (method, url) in calls(base, id) {
        let asks = |more: &[&str]| {
            // curl would wait for the body of a HEAD.
            let request = match method.as_str() {
                "HEAD" => vec!["--head"],
                method => vec!["--request", method, "--json", body],
            };
            curl_status(&[&request[..], &["--header", &cookie, &url], more].concat())
        };
        assert_eq!(asks(&["--header", &rebound]), "421", "{method} {url}");
        if method == "GET" || method == "HEAD" {
            continue;
        }
        for page in ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"] {
            assert_eq!(
                asks(&["--header", page]),
                "403",
                "{method} {url} from {page}"
            );
        }
    }
    // Nor does it get to read what it asked for.
    let page = ["--header", "Origin: https://evil.example", "--include"];
    let read = [&["--header", &cookie, record.as_str()], &page[..]].concat();
    let read = String::from_utf8(curl(&read)).unwrap().to_lowercase();
    assert!(!read.contains("access-control-allow"), "{read}");
    assert_eq!(
        signed_in(&[&record]),
        before,
        "it is as it was, and the session goes on"
    );
    let files = signed_in(&[&format!("{base}/v1/files")]);
    assert_eq!(files["files"].as_array().unwrap().len(), 1);
}

#[test]
fn a_session_says_who_is_signed_in_outlives_the_program_and_is_over_when_it_is_ended() {
    let dir = data_dir();
    let program = asking(dir.path());
    let session = format!("{}/v1/session", program.base);
    let shown = curl_json(&[&session]);
    let nobody = json!({
        "principal": null,
        "expiresAt": null,
        "quota": null,
        "signIn": "key",
        "shareBase": null,
        "openToOthers": false,
    });
    assert_eq!(shown, nobody);
    let cookie = session_of(&program.base, &key(dir.path()));
    let shown = curl_json(&["--header", &cookie, &session]);
    assert_eq!(shown["principal"]["kind"], "operator");
    assert!(shown["expiresAt"].is_string(), "{shown}");

    // Nor does a name that was rebound to this machine get anything by it.
    let port = program.base.rsplit(':').next().unwrap();
    let rebound = format!("Host: rebound.evil.example:{port}");
    for path in ["/v1/session", "/v1/files", "/v1/tokens"] {
        let url = format!("{}{path}", program.base);
        let status = curl_status(&["--header", &rebound, "--header", &cookie, &url]);
        assert_eq!(status, "421", "{path}");
    }

    // A page of another origin can't end it, nor begin one.
    for path in ["", "/end"] {
        let url = format!("{session}{path}");
        let foreign = [
            "--header",
            "Origin: https://evil.example",
            "--request",
            "POST",
        ];
        let status = curl_status(&[&foreign[..], &["--header", &cookie, &url]].concat());
        assert_eq!(status, "403", "{path}");
    }
    let end = format!("{session}/end");
    let ended = curl_json(&["--request", "POST", "--header", &cookie, &end]);
    assert_eq!(ended, json!({"signOutAt": null}));
    assert_eq!(curl_json(&["--header", &cookie, &session]), nobody);

    // Signing in again ends the session that the browser had.
    let first = session_of(&program.base, &key(dir.path()));
    let body = json!({"key": key(dir.path())}).to_string();
    let again = ["--header", &first, "--json", &body, &session];
    assert_eq!(curl_status(&again), "204");
    assert_eq!(curl_json(&["--header", &first, &session]), nobody);

    let cookie = session_of(&program.base, &key(dir.path()));
    program.terminate();
    let program = asking(dir.path());
    let session = format!("{}/v1/session", program.base);
    let shown = curl_json(&["--header", &cookie, &session]);
    assert_eq!(shown["principal"]["kind"], "operator");

    // Whoever replaces the key ends what was begun with it.
    program.terminate();
    std::fs::remove_file(dir.path().join("access-key")).unwrap();
    let program = asking(dir.path());
    let session = format!("{}/v1/session", program.base);
    assert_eq!(curl_json(&["--header", &cookie, &session]), nobody);
}

#[test]
fn a_service_that_trusts_this_machine_does_nothing_for_whom_a_proxy_brings() {
    let dir = data_dir();
    // As if nothing had been said.
    let program = Program::local(dir.path(), &[("ACCESS", "")]);
    let base = &program.base;
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    let id = created["id"].as_str().unwrap();
    for header in [
        "X-Forwarded-For: 203.0.113.7",
        "Forwarded: for=203.0.113.7",
        "Via: 1.1 proxy",
        "X-Real-IP: 127.0.0.1",
    ] {
        for (method, url) in calls(base, id) {
            let answered = status(&method, &url, id, &[header]);
            assert_eq!(answered, "403", "{method} {url} {header}");
        }
        let refused = curl_json(&["--header", header, &format!("{base}/v1/files")]);
        assert_eq!(refused["code"], "unknown_proxy");
        assert!(refused["detail"].as_str().unwrap().contains("PUBLIC_URL"));
    }
    assert_eq!(status("GET", &format!("{base}/v1/files"), id, &[]), "200");
    assert!(!dir.path().join("access-key").exists());
}

#[test]
fn a_service_that_others_reach_asks_for_the_key_unless_it_is_open() {
    for (settings, asks) in [
        (
            &[("ACCESS", ""), ("PUBLIC_URL", "https://files.example.org")][..],
            true,
        ),
        (&[("ACCESS", ""), ("LISTEN", "0.0.0.0:0")], true),
        (&[("ACCESS", "auto"), ("LISTEN", "[::]:0")], true),
        (&[("ACCESS", "auto"), ("LISTEN", "[::1]:0")], false),
        (&[("ACCESS", "open"), ("LISTEN", "0.0.0.0:0")], false),
        (
            &[
                ("ACCESS", "open"),
                ("PUBLIC_URL", "https://files.example.org"),
            ],
            false,
        ),
    ] {
        let dir = data_dir();
        let program = Program::local(dir.path(), settings);
        let url = format!("{}/v1/files", program.listening_at());
        let status = curl_status(&[&url]);
        let expected = if asks { "401" } else { "200" };
        assert_eq!(status, expected, "{settings:?}");
        let is_open = settings.contains(&("ACCESS", "open"));
        let warned = program.log().contains("may do everything (ACCESS=open)");
        assert_eq!(warned, is_open, "{settings:?}: {}", program.log());
    }
}

#[test]
fn a_service_with_an_issuer_asks_everybody_also_while_the_issuer_is_away() {
    let dir = data_dir();
    let issuer = [
        // Nobody listens there.
        ("OIDC_ISSUER", "http://127.0.0.1:1"),
        ("OIDC_CLIENT_ID", "files"),
        ("OIDC_AUDIENCE", "files"),
    ];
    let program = Program::local(dir.path(), &[&issuer[..], &[("ACCESS", "")]].concat());
    let base = &program.base;
    let id = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";
    let key = "Authorization: Bearer fsk_0";
    for (method, url) in calls(base, id) {
        for proof in [&[][..], &[key], &["Cookie: session-0=0123"]] {
            assert_eq!(
                status(&method, &url, id, proof),
                "401",
                "{method} {url} {proof:?}"
            );
        }
    }
    let session = curl_json(&[&format!("{base}/v1/session")]);
    assert_eq!(session["principal"], Value::Null);
    assert_eq!(session["signIn"], "oidc");
    assert_eq!(curl_status(&[&format!("{base}/readyz")]), "200");
    program.terminate();
    // Said to be open, it is: the operator's own word.
    let program = Program::local(dir.path(), &[&issuer[..], &[("ACCESS", "open")]].concat());
    assert_eq!(curl_status(&[&format!("{}/v1/files", program.base)]), "200");
}

#[test]
fn a_key_that_others_could_read_ends_the_start_and_is_named() {
    let dir = data_dir();
    asking(dir.path()).terminate();
    let path = dir.path().join("access-key");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = Program::local_refuses_with(dir.path(), &[("ACCESS", "key")]);
    assert!(refused.contains("access-key"), "{refused}");
    assert!(refused.contains("others may read"), "{refused}");
    // Whoever asks for no key needs none.
    Program::local(dir.path(), &[]).terminate();
    let checked = check_local(dir.path(), &[]);
    let shown = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("✗ access-key") && shown.contains("mode 644"),
        "{shown}"
    );
}
