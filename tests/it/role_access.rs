//! Who may do what where an issuer says who calls: each call of the contract by each kind of caller, in both modes.
//!
//! Invariant: a call of the contract without a row here fails, and so does a row without a call.

use serde_json::json;

use crate::access::{address, guarded, status};
use crate::issuer_sign_in::{service, service_in_aws};
use crate::support::curl::{curl, curl_json};
use crate::support::issuer::Issuer;
use crate::support::ministack::MiniStack;
use crate::support::program::{Program, data_dir};

/// People by their access tokens, and API tokens by owner and scopes. The file that is asked for is the member's, and
/// nothing was uploaded yet; for the other member it is a stranger's. A guest may have no tokens.
const CALLERS: [&str; 14] = [
    "nobody",
    "guest",
    "member",
    "admin",
    "member: read",
    "member: write",
    "member: delete",
    "admin: read",
    "admin: write",
    "admin: delete",
    "admin: admin",
    "admin: read write delete admin",
    "other member",
    "other member: read write delete",
];

/// What each of them is answered, in that order.
const ANSWERS: &str = "
    POST   /v1/files                   401 403 201 201  403 201 403  403 201 403 403 201  201 201
    GET    /v1/files                   401 403 200 200  200 403 403  200 403 403 403 200  200 200
    POST   /v1/files/{id}/upload       401 404 200 200  403 200 403  403 404 403 403 200  404 404
    POST   /v1/files/{id}/complete     401 404 200 200  403 200 403  403 404 403 403 200  404 404
    GET    /v1/files/{id}              401 404 409 409  409 403 403  404 403 403 403 409  404 404
    HEAD   /v1/files/{id}              401 404 409 409  409 403 403  404 403 403 403 409  404 404
    GET    /v1/files/{id}/metadata     401 404 200 200  200 403 403  404 403 403 403 200  404 404
    GET    /v1/files/{id}/events       401 404 200 200  200 403 403  404 403 403 403 200  404 404
    GET    /v1/files/{id}/receipt      401 404 409 409  409 403 403  404 403 403 403 409  404 404
    PUT    /v1/files/{id}/keep-until   401 403 403 409  403 403 403  403 403 403 409 409  403 403
    PUT    /v1/files/{id}/hold         401 403 403 200  403 403 403  403 403 403 200 200  403 403
    DELETE /v1/files/{id}/hold         401 403 403 204  403 403 403  403 403 403 204 204  403 403
    DELETE /v1/files/{id}              401 404 204 204  403 403 204  403 403 404 403 204  404 404
    POST   /v1/tokens                  401 403 201 201  403 403 403  403 403 403 403 403  201 403
    GET    /v1/tokens                  401 403 200 200  200 403 403  200 403 403 403 200  200 200
    DELETE /v1/tokens/{id}             401 403 404 404  403 403 403  403 403 403 403 403  404 403
    DELETE /v1/users/{user_id}/tokens  401 403 403 204  403 403 403  403 403 403 403 403  403 403
    POST   /v1/links                   401 403 201 201  403 201 403  403 404 403 403 201  404 404
    GET    /v1/links                   401 403 200 200  200 403 403  200 403 403 403 200  200 200
    GET    /v1/files/{id}/links        401 404 200 200  200 403 403  404 403 403 403 200  404 404
    PATCH  /v1/links/{id}              401 404 404 404  403 404 403  403 404 403 403 404  404 404
    DELETE /v1/links/{id}              401 404 404 404  403 404 403  403 404 403 403 404  404 404
    POST   /v1/boxes                   401 403 201 201  403 201 403  403 201 403 403 201  201 201
    GET    /v1/boxes                   401 403 200 200  200 403 403  200 403 403 403 200  200 200
    GET    /v1/boxes/{id}              401 404 404 404  404 403 403  404 403 403 403 404  404 404
    PATCH  /v1/boxes/{id}              401 404 404 404  403 404 403  403 404 403 403 404  404 404
    DELETE /v1/boxes/{id}              401 404 404 404  403 404 403  403 404 403 403 404  404 404
    GET    /v1/boxes/{id}/files        401 404 404 404  404 403 403  404 403 403 403 404  404 404
    GET    /v1/boxes/{id}/manifest     401 404 404 404  404 403 403  404 403 403 403 404  404 404
    POST   /v1/pairings/look           401 403 403 403  403 403 403  403 403 403 403 403  403 403
    POST   /v1/pairings/approve        401 403 403 403  403 403 403  403 403 403 403 403  403 403
";

/// A row's method and path, and its answers.
fn row(line: &str) -> ((&str, &str), Vec<&str>) {
    let mut words = line.split_whitespace();
    let call = (words.next().unwrap(), words.next().unwrap());
    (call, words.collect())
}

/// The header that each caller shows.
async fn proofs(base: &str, issuer: &Issuer) -> Vec<Option<String>> {
    let mut people = Vec::new();
    for (role, person) in [
        ("guest", "carol"),
        ("member", "bob"),
        ("admin", "alice"),
        ("other member", "erin"),
    ] {
        let token = issuer.tokens_of(person).await.access;
        people.push((role, format!("Authorization: Bearer {token}")));
    }
    let of = |role: &str| people.iter().find(|(known, _)| *known == role).unwrap();
    let callers = CALLERS.iter().map(|caller| match caller.split_once(": ") {
        None if *caller == "nobody" => None,
        None => Some(of(caller).1.clone()),
        Some((role, scopes)) => {
            let scopes: Vec<&str> = scopes.split(' ').collect();
            let wanted = json!({"label": caller, "scopes": scopes}).to_string();
            let url = format!("{base}/v1/tokens");
            let made = curl_json(&["--header", &of(role).1, "--json", &wanted, &url]);
            let token = made["token"].as_str();
            let token = token.unwrap_or_else(|| panic!("{caller}: {made}"));
            Some(format!("Authorization: Bearer {token}"))
        }
    });
    callers.collect()
}

/// Everybody makes every call, one after the other.
async fn each_is_answered_as_the_table_says(program: &Program, issuer: &Issuer) {
    let base = &program.listening_at();
    let rows: Vec<_> = ANSWERS.trim().lines().map(row).collect();
    let calls = guarded();
    assert_eq!(rows.len(), calls.len(), "a row for each call");
    let proofs = proofs(base, issuer).await;
    let member = CALLERS.iter().position(|it| *it == "member").unwrap();
    let mut wrong = Vec::new();
    for (at, caller) in CALLERS.iter().enumerate() {
        let proof: Vec<&str> = proofs[at].iter().map(String::as_str).collect();
        let file = curl_json(&[
            "--header",
            proofs[member].as_ref().unwrap(),
            "--json",
            r#"{"filename": "a.txt", "size": 5}"#,
            &format!("{base}/v1/files"),
        ]);
        let id = file["id"].as_str().unwrap();
        for (method, path) in &calls {
            let found = rows.iter().find(|(call, _)| *call == (method, path));
            let (_, answers) = found.unwrap_or_else(|| panic!("no row for {method} {path}"));
            assert_eq!(answers.len(), CALLERS.len(), "{method} {path}");
            let answered = status(method, &address(base, path, id), id, &proof);
            if answered != answers[at] {
                wrong.push(format!(
                    "{caller}: {method} {path}: {answered}, not {}",
                    answers[at]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    what_is_a_strangers_is_as_if_it_had_never_been(base, &proofs);
}

/// The same answer to the byte, but for the moment, as for a file that nobody made.
fn what_is_a_strangers_is_as_if_it_had_never_been(base: &str, proofs: &[Option<String>]) {
    const NEVER: &str = "0190a6e0-0000-7000-8000-000000000000";
    let of = |caller: &str| {
        let at = CALLERS.iter().position(|it| *it == caller).unwrap();
        proofs[at].as_deref().unwrap()
    };
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    let file = ["--header", of("member"), "--json", body];
    let file = curl_json(&[&file[..], &[&format!("{base}/v1/files")]].concat());
    let id = file["id"].as_str().unwrap();
    let answer = |method: &str, path: &str, proof: &str, id: &str| {
        let url = address(base, path, id);
        let same = [
            "--include",
            "--header",
            "X-Request-Id: same",
            "--header",
            proof,
        ];
        let method = match method {
            "HEAD" => vec!["--head"],
            method => vec!["--request", method],
        };
        let answer = curl(&[&same[..], &method, &[&url]].concat());
        let answer = String::from_utf8(answer).unwrap();
        let lines = answer
            .lines()
            .filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        lines.collect::<Vec<_>>().join("\n").replace(id, NEVER)
    };
    let of_files = guarded()
        .into_iter()
        // What they may do with no file tells nothing of one.
        .filter(|(_, path)| {
            path.starts_with("/v1/files/{id}")
                && !["/hold", "/keep-until"].iter().any(|it| path.ends_with(it))
        });
    let mut compared = 0;
    for (method, path) in of_files {
        for caller in ["other member", "other member: read write delete", "guest"] {
            let strangers = answer(&method, &path, of(caller), id);
            assert!(
                strangers.starts_with("HTTP/1.1 404"),
                "{method} {path}: {strangers}"
            );
            assert_eq!(
                strangers,
                answer(&method, &path, of(caller), NEVER),
                "{method} {path}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 24, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_contract_is_answered_by_role_and_scope_in_local_mode() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    each_is_answered_as_the_table_says(&program, &issuer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_contract_is_answered_by_role_and_scope_in_aws_mode() {
    let deployment = MiniStack::shared().await.deploy("role-access").await;
    let issuer = Issuer::start();
    let program = service_in_aws(&deployment, &issuer);
    each_is_answered_as_the_table_says(&program, &issuer).await;
}
