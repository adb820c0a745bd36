//! API tokens at a running service: made and revoked by people, shown by programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::curl::{curl_json, curl_status};
use crate::support::program::{Program, data_dir};

struct Service {
    program: Program,
    operator: String,
}

impl Service {
    fn in_directory(data_dir: &Path) -> Self {
        let program = Program::local(data_dir, &[("ACCESS", "key")]);
        let key = fs::read_to_string(data_dir.join("access-key")).unwrap();
        let operator = format!("Authorization: Bearer {}", key.trim_end());
        Self { program, operator }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.program.base)
    }

    fn post(&self, proof: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        curl_json(&["--header", proof, "--json", &body, &self.url(path)])
    }

    fn status(&self, proof: &str, method: &str, path: &str) -> String {
        curl_status(&["--header", proof, "--request", method, &self.url(path)])
    }

    /// A new token's ID, and the header that shows it.
    fn token(&self, scopes: &[&str]) -> (String, String) {
        let wanted = json!({"label": "a program", "scopes": scopes});
        let made = self.post(&self.operator, "/v1/tokens", &wanted);
        let text = made["token"].as_str().unwrap();
        assert!(text.starts_with("fst_"), "{made}");
        let header = format!("Authorization: Bearer {text}");
        (made["id"].as_str().unwrap().to_owned(), header)
    }

    fn create(&self, proof: &str) -> Value {
        let file = json!({"filename": "a.txt", "size": 5});
        self.post(proof, "/v1/files", &file)
    }
}

/// Every file in a directory, at whatever depth.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

#[test]
fn a_token_does_what_its_scopes_say_and_is_shown_once() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path());
    let file = service.create(&service.operator);
    let file = format!("/v1/files/{}", file["id"].as_str().unwrap());
    let metadata = format!("{file}/metadata");
    let (_, reader) = service.token(&["read"]);
    let (_, writer) = service.token(&["write"]);
    let (_, deleter) = service.token(&["delete"]);
    for (proof, read, created, deleted) in [
        (&reader, "200", "not_allowed", "403"),
        (&writer, "403", "created", "403"),
        (&deleter, "403", "not_allowed", "204"),
    ] {
        assert_eq!(service.status(proof, "GET", &metadata), read);
        assert_eq!(service.status(proof, "GET", "/v1/files?owner=all"), read);
        let answered = service.create(proof);
        let outcome = answered["code"].as_str().unwrap_or("created");
        assert_eq!(outcome, created);
        assert_eq!(service.status(proof, "DELETE", &file), deleted);
        // Tokens make no tokens, and nobody's are ended by them.
        let wanted = json!({"label": "another", "scopes": ["read"]});
        let refused = service.post(proof, "/v1/tokens", &wanted);
        assert_eq!(refused["code"], "not_allowed");
        let user = "/v1/users/usr_aaaaaaaaaaaaaaaaaaaaaaaaaa/tokens";
        assert_eq!(service.status(proof, "DELETE", user), "403");
    }
    let session = curl_json(&["--header", &reader, &service.url("/v1/session")]);
    assert_eq!(session["principal"]["kind"], "token");

    let operator = &service.operator;
    let listed = curl_json(&["--header", operator, &service.url("/v1/tokens")]);
    let tokens = listed["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[0]["label"], "a program");
    let shown = reader.trim_start_matches("Authorization: Bearer ");
    assert!(!listed.to_string().contains(&shown[4..]), "{listed}");
    assert!(!service.program.log().contains(shown));
    let files = files_below(dir.path());
    let containing = |text: &str| {
        let contains = |path: &&PathBuf| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(text.len()).any(|it| it == text.as_bytes())
        };
        files.iter().filter(contains).collect::<Vec<_>>()
    };
    let leaks = containing(&shown[4..]);
    assert!(leaks.is_empty(), "{leaks:?}");
    // It was looked where tokens are: their IDs are in the database and in the audit log.
    let known = tokens[0]["id"].as_str().unwrap();
    let places = containing(known);
    for place in ["metadata.sqlite", "/audit/"] {
        let is_there = |path: &&PathBuf| path.to_str().unwrap().contains(place);
        assert!(places.iter().any(is_there), "{place}: {places:?}");
    }
}

#[test]
fn a_revoked_token_is_over_at_once_and_a_token_may_revoke_itself_alone() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path());
    let (one, header) = service.token(&["read"]);
    let (other, its_header) = service.token(&["read", "admin"]);
    assert_eq!(service.status(&header, "GET", "/v1/files"), "200");
    let path = |id: &str| format!("/v1/tokens/{id}");
    assert_eq!(service.status(&header, "DELETE", &path(&other)), "403");
    assert_eq!(service.status(&header, "DELETE", &path(&one)), "204");
    assert_eq!(service.status(&header, "GET", "/v1/files"), "401");
    let operator = &service.operator;
    for unknown in [
        &one,
        "abc",
        &other.replace(|c: char| c.is_ascii_digit(), "f"),
    ] {
        assert_eq!(service.status(operator, "DELETE", &path(unknown)), "404");
    }
    assert_eq!(service.status(operator, "DELETE", &path(&other)), "204");
    assert_eq!(service.status(&its_header, "GET", "/v1/files"), "401");
    // As does one that is only nearly a token, and one that nobody made.
    let last = if its_header.ends_with('x') { 'y' } else { 'x' };
    let changed = format!("{}{last}", &its_header[..its_header.len() - 1]);
    assert_eq!(service.status(&changed, "GET", "/v1/files"), "401");

    // Both outlive a start: the token that holds, and that the others don't.
    let (_, kept) = service.token(&["read"]);
    service.program.terminate();
    let service = Service::in_directory(dir.path());
    assert_eq!(service.status(&kept, "GET", "/v1/files"), "200");
    assert_eq!(service.status(&header, "GET", "/v1/files"), "401");
    let log: Vec<String> = fs::read_dir(dir.path().join("audit"))
        .unwrap()
        .map(|day| fs::read_to_string(day.unwrap().path()).unwrap())
        .collect();
    let log = log.concat();
    for action in ["create_token", "revoke_token"] {
        assert!(
            log.contains(&format!("\"action\":\"{action}\"")),
            "{action}"
        );
    }
    assert!(log.contains(&format!("operator by token {one}")), "{log}");
}

#[test]
fn what_is_not_right_about_a_token_is_named_at_once() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path());
    let wrong = json!({"label": "", "scopes": ["root"], "expiresAt": "soon", "more": 1});
    let refused = service.post(&service.operator, "/v1/tokens", &wrong);
    assert_eq!(refused["code"], "invalid_request");
    let fields: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["label", "scopes", "expiresAt", "(unknown)"]);
    for (expires_at, message) in [
        ("2020-01-01T00:00:00Z", "in the future"),
        ("2099-01-01T00:00:00Z", "within a year"),
    ] {
        let wanted = json!({"label": "a", "scopes": ["read"], "expiresAt": expires_at});
        let refused = service.post(&service.operator, "/v1/tokens", &wanted);
        let text = refused["errors"][0]["message"].as_str().unwrap();
        assert!(text.contains(message), "{refused}");
    }
}

#[test]
fn an_operators_token_ends_with_the_key_and_is_made_only_where_somebody_is_asked() {
    let dir = data_dir();
    let service = Service::in_directory(dir.path());
    let (_, token) = service.token(&["read"]);
    assert_eq!(service.status(&token, "GET", "/v1/files"), "200");
    service.program.terminate();
    // Whoever reaches a service that asks nobody could keep what they make there.
    let open = Program::local(dir.path(), &[]);
    let wanted = json!({"label": "later", "scopes": ["read", "write"]}).to_string();
    let refused = curl_json(&["--json", &wanted, &format!("{}/v1/tokens", open.base)]);
    assert_eq!(refused["code"], "tokens_unavailable");
    open.terminate();
    let service = Service::in_directory(dir.path());
    assert_eq!(service.status(&token, "GET", "/v1/files"), "200");
    service.program.terminate();
    fs::remove_file(dir.path().join("access-key")).unwrap();
    let service = Service::in_directory(dir.path());
    assert_eq!(service.status(&token, "GET", "/v1/files"), "401");
}
