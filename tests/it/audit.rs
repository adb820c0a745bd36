//! Who did what at a running service, as the audit log has it, and the command that looks through it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{curl, curl_json, curl_status};
use crate::support::hang_up::{SLOW_SYNC, hang_up_on};
use crate::support::program::{Program, built, data_dir};

fn files(data_dir: &Path) -> Vec<PathBuf> {
    let days = fs::read_dir(data_dir.join("audit")).unwrap();
    let mut files: Vec<_> = days.map(|day| day.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn lines(data_dir: &Path) -> Vec<Value> {
    let texts = files(data_dir)
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let text: String = texts.collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What was done or refused, without starts and checkpoints: action, caller, outcome.
fn decisions(data_dir: &Path) -> Vec<(String, String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let lines = lines(data_dir)
        .into_iter()
        .filter(|line| line["action"].is_string());
    lines
        .map(|line| {
            (
                text(&line, "action"),
                text(&line, "caller"),
                text(&line, "outcome"),
            )
        })
        .collect()
}

pub(crate) fn verify(data_dir: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(built("file-share"));
    command
        .args(["audit", "verify"])
        .args(files(data_dir))
        .args(more);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let shown = [stdout, stderr].concat();
    (status.code(), String::from_utf8(shown).unwrap())
}

#[test]
fn a_service_that_asks_for_its_key_keeps_who_did_what_and_a_changed_past_shows() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let (base, key) = (
        &program.base,
        fs::read_to_string(dir.path().join("access-key")).unwrap(),
    );
    let bearer = format!("Authorization: Bearer {}", key.trim_end());
    let body = r#"{"filename": "secret-plan.txt", "size": 5}"#;
    let url = format!("{base}/v1/files");
    let created = curl_json(&["--header", &bearer, "--json", body, &url]);
    let id = created["id"].as_str().unwrap();
    let upload = created["upload"]["url"].as_str().unwrap();
    curl(&[
        "--request",
        "PUT",
        "--data-binary",
        "hello",
        "--header",
        "content-type: text/plain",
        "--header",
        "if-none-match: *",
        upload,
    ]);
    let of_file = |path: &str| format!("{base}/v1/files/{id}{path}");
    curl_json(&[
        "--header",
        &bearer,
        "--request",
        "POST",
        &of_file("/complete"),
    ]);
    assert_eq!(curl_status(&["--header", &bearer, &of_file("")]), "307");
    assert_eq!(
        curl_status(&["--header", &bearer, &of_file("/metadata")]),
        "200"
    );
    assert_eq!(curl_status(&[&of_file("")]), "401");
    assert_eq!(
        curl_status(&["--header", &bearer, "--request", "DELETE", &of_file("")]),
        "204"
    );
    let session = format!("{base}/v1/session");
    let wrong = json!({"key": "fsk_0"}).to_string();
    assert_eq!(curl_status(&["--json", &wrong, &session]), "401");
    let right = json!({"key": key.trim_end()}).to_string();
    assert_eq!(curl_status(&["--json", &right, &session]), "204");

    let expected = [
        ("create_file", "operator", "done"),
        ("complete_upload", "operator", "done"),
        ("download_file", "operator", "done"),
        ("download_file", "nobody", "sign_in_required"),
        ("delete_file", "operator", "done"),
        ("begin_session", "nobody", "sign_in_required"),
        ("begin_session", "operator", "done"),
    ];
    let expected = expected.map(|(a, c, o)| (a.to_owned(), c.to_owned(), o.to_owned()));
    assert_eq!(decisions(dir.path()), expected);
    let deletion = lines(dir.path())
        .into_iter()
        .find(|line| line["action"] == "delete_file");
    let deletion = deletion.unwrap();
    assert_eq!(deletion["resource"], id);
    assert_eq!(deletion["source"], "127.0.0.1");
    program.terminate();

    let text = fs::read_to_string(&files(dir.path())[0]).unwrap();
    for secret in [key.trim_end(), "secret-plan", "X-Amz", "hello"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let (code, shown) = verify(dir.path(), &[]);
    assert_eq!(code, Some(0), "{shown}");
    // The start, seven decisions, and the checkpoint at the end.
    assert!(
        shown.contains("9 lines, 1 checkpoints; 0 lines behind"),
        "{shown}"
    );
    let public = shown
        .lines()
        .find_map(|line| line.strip_prefix("signed by "))
        .unwrap();
    assert_eq!(verify(dir.path(), &["--key", public]).0, Some(0));
    let other = "0".repeat(64);
    let (code, shown) = verify(dir.path(), &["--key", &other]);
    assert_eq!(
        (code, shown.contains("isn't signed by the key")),
        (Some(1), true),
        "{shown}"
    );
    assert_eq!(verify(dir.path(), &["--key", "abc"]).0, Some(2));

    fs::write(
        &files(dir.path())[0],
        text.replace("delete_file", "renew_upload"),
    )
    .unwrap();
    let (code, shown) = verify(dir.path(), &[]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("doesn't follow the line before it"),
        "{shown}"
    );
}

#[test]
fn an_end_that_was_cut_off_shows_by_the_ordinary_log() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("AUDIT", "on")]);
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    curl_json(&["--json", body, &format!("{}/v1/files", program.base)]);
    let logged = program.log_path();
    program.terminate();
    let logged = logged.to_str().unwrap();
    let (code, shown) = verify(dir.path(), &["--log", logged]);
    assert_eq!(code, Some(0), "{shown}");
    let file = &files(dir.path())[0];
    let text = fs::read_to_string(file).unwrap();
    let kept: Vec<&str> = text.lines().take(1).collect();
    fs::write(file, format!("{}\n", kept.join("\n"))).unwrap();
    assert_eq!(verify(dir.path(), &[]).0, Some(0));
    let (code, shown) = verify(dir.path(), &["--log", logged]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the end was cut off"), "{shown}");
}

#[test]
fn a_service_that_asks_nobody_writes_nothing_down_unless_it_is_told_to() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    curl_json(&[
        "--json",
        r#"{"filename": "a.txt", "size": 5}"#,
        &format!("{}/v1/files", program.base),
    ]);
    assert!(!dir.path().join("audit").exists());
    program.terminate();
    let program = Program::local(dir.path(), &[("AUDIT", "on")]);
    curl_json(&[
        "--json",
        r#"{"filename": "a.txt", "size": 5}"#,
        &format!("{}/v1/files", program.base),
    ]);
    assert_eq!(decisions(dir.path()).len(), 1);
}

/// Until `holds`, but not for ever.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_somebody_began_with_tokens_and_sessions_goes_to_its_end_and_has_its_line_also_if_they_hang_up()
 {
    let dir = data_dir();
    let trace = data_dir();
    let trace = trace.path().join("trace");
    let settings = [("ACCESS", "key"), ("LISTEN", "127.0.0.1:0")];
    let program = Program::local_recorded(dir.path(), &trace, SLOW_SYNC, &settings);
    let base = &program.base;
    let key = fs::read_to_string(dir.path().join("access-key")).unwrap();
    let bearer = format!("Authorization: Bearer {}", key.trim_end());
    let tokens = || {
        let url = format!("{base}/v1/tokens");
        let listed = curl_json(&["--header", &bearer, &url]);
        listed["tokens"].as_array().unwrap().clone()
    };
    let has_line = |action: &str, resource: Option<&str>| {
        lines(dir.path()).iter().any(|line| {
            line["action"] == action
                && line["outcome"] == "done"
                && line["resource"].as_str() == resource
        })
    };

    let wanted = json!({"label": "backup", "scopes": ["read"]}).to_string();
    hang_up_on(base, "POST /v1/tokens", &bearer, &wanted);
    wait_until("the token is made", || tokens().len() == 1);
    let id = tokens()[0]["id"].as_str().unwrap().to_owned();
    wait_until("its line", || has_line("create_token", Some(&id)));

    hang_up_on(base, &format!("DELETE /v1/tokens/{id}"), &bearer, "");
    wait_until("the token is revoked", || tokens().is_empty());
    wait_until("its line", || has_line("revoke_token", Some(&id)));

    let right = json!({"key": key.trim_end()}).to_string();
    let url = format!("{base}/v1/session");
    let begun = curl(&["--include", "--json", &right, &url]);
    let begun = String::from_utf8(begun).unwrap();
    let cookie = begun.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_it = name.eq_ignore_ascii_case("set-cookie");
        is_it.then(|| format!("Cookie: {}", value.split(';').next().unwrap_or_default()))
    });
    let cookie = cookie.unwrap();
    let asked = || curl_status(&["--header", &cookie, &format!("{base}/v1/files")]);
    assert_eq!(asked(), "200");
    hang_up_on(base, "POST /v1/session/end", &cookie, "");
    wait_until("its line", || has_line("end_session", None));
    assert_eq!(asked(), "401");
}
