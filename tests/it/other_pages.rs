//! What pages of other origins can make a browser do to a service on its own machine.

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status};
use crate::support::program::{Program, data_dir};

fn problem(arguments: &[&str]) -> (String, Value) {
    (curl_status(arguments), curl_json(arguments))
}

#[test]
fn a_name_that_was_rebound_to_this_machine_reaches_nothing() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let file = format!(
        "{}/v1/files/{}",
        program.base,
        created["id"].as_str().unwrap()
    );
    let port = program.base.rsplit(':').next().unwrap();
    let rebound = format!("Host: rebound.evil.example:{port}");
    for url in [
        format!("{}/v1/files", program.base),
        format!("{}/files", program.base),
        format!("{file}/metadata"),
        file.clone(),
        format!("{}/explorer", program.base),
        format!("{}/openapi.json", program.base),
    ] {
        let (status, problem) = problem(&["--header", &rebound, &url]);
        assert_eq!(status, "421", "{url}");
        assert_eq!(problem["code"], "misdirected_request", "{problem}");
        let shown = problem.to_string();
        assert!(!shown.contains(created["id"].as_str().unwrap()), "{shown}");
    }
    let delete = ["--request", "DELETE", "--header", &rebound, &file];
    assert_eq!(curl_status(&delete), "421");
    assert_eq!(curl_status(&[&format!("{file}/metadata")]), "200");
    // The advice is at hand.
    let page = curl(&[&format!("{}/problems/misdirected_request", program.base)]);
    assert!(String::from_utf8(page).unwrap().contains("PUBLIC_URL"));
}

#[test]
fn no_url_is_signed_for_a_host_that_a_page_could_have_made_up() {
    let dir = data_dir();
    let body = r#"{"filename": "a.txt", "size": 5}"#;
    let program = Program::local(dir.path(), &[]);
    let url = format!("{}/v1/files", program.base);
    for host in [
        "evil.example",
        "localhost.evil.example:80",
        "127.0.0.1.evil.example",
    ] {
        let host = format!("Host: {host}");
        let (status, problem) = problem(&["--header", &host, "--json", body, &url]);
        assert_eq!(status, "421", "{host}: {problem}");
    }
    drop(program);
    // With a public URL no host but that one gets into a URL.
    let public = [("PUBLIC_URL", "https://share.example.org")];
    let program = Program::local(dir.path(), &public);
    let url = format!("{}/v1/files", program.listening_at());
    for host in ["share.example.org", "10.1.2.3"] {
        let host = format!("Host: {host}");
        let created = curl_json(&["--header", &host, "--json", body, &url]);
        let signed = created["upload"]["url"].as_str().unwrap();
        assert!(signed.starts_with("https://share.example.org/"), "{signed}");
    }
}

#[test]
fn a_page_of_another_origin_changes_nothing_without_a_preflight() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let file = format!(
        "{}/v1/files/{}",
        program.base,
        created["id"].as_str().unwrap()
    );
    let files = format!("{}/v1/files", program.base);
    let renew = format!("{file}/upload");
    let body = r#"{"filename": "b.txt", "size": 5}"#;
    let count = || curl_json(&[&files])["files"].as_array().unwrap().len();

    let page = ["--header", "Origin: https://evil.example"];
    let modern = ["--header", "Sec-Fetch-Site: cross-site"];
    for from in [page, modern] {
        // What a form or a script can send without asking: no body, or one of three media types.
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json",
            "",
        ] {
            let media_type = format!("Content-Type: {media_type}");
            let mut arguments = vec!["--header", &media_type, "--data", body, &files];
            arguments.extend(from);
            let (status, problem) = problem(&arguments);
            assert_eq!(status, "403", "{media_type}: {problem}");
            assert_eq!(problem["code"], "origin_not_allowed", "{problem}");
        }
        for (method, url) in [("POST", &renew), ("DELETE", &file), ("POST", &files)] {
            let mut arguments = vec!["--request", method, url.as_str()];
            arguments.extend(from);
            assert_eq!(curl_status(&arguments), "403", "{method} {url}");
        }
        // Nor does a browser that asks first get leave.
        let mut preflight = vec!["--request", "OPTIONS", "--include", file.as_str()];
        preflight.extend(["--header", "Access-Control-Request-Method: DELETE"]);
        preflight.extend(from);
        let answer = String::from_utf8(curl(&preflight)).unwrap().to_lowercase();
        assert!(!answer.contains("access-control-allow"), "{answer}");
    }
    assert_eq!(count(), 1, "something was created or deleted");

    // Our own pages, and clients that are no browser, notice nothing.
    let own = format!("Origin: {}", program.base);
    for arguments in [
        vec!["--header", &own],
        vec!["--header", &own, "--header", "Sec-Fetch-Site: same-origin"],
        vec![],
    ] {
        let mut arguments = arguments;
        arguments.extend(["--request", "POST", renew.as_str()]);
        assert_eq!(curl_status(&arguments), "200");
    }
    // Even without any header of a browser's, a body that needs no preflight creates nothing.
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let media_type = format!("Content-Type: {media_type}");
        let status = curl_status(&["--header", &media_type, "--data", body, &files]);
        assert_eq!(status, "415", "{media_type}");
    }
    assert_eq!(count(), 1);
}

#[test]
fn an_allowed_page_changes_what_it_likes() {
    let dir = data_dir();
    let allowed = [("ALLOWED_ORIGINS", "https://app.example.org")];
    let program = Program::local(dir.path(), &allowed);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let file = format!(
        "{}/v1/files/{}",
        program.base,
        created["id"].as_str().unwrap()
    );
    let page = ["--header", "Sec-Fetch-Site: cross-site", "--header"];
    for (origin, status) in [
        ("https://evil.example", "403"),
        ("https://app.example.org", "204"),
    ] {
        let origin = format!("Origin: {origin}");
        let mut arguments = page.to_vec();
        arguments.extend([&origin, "--request", "DELETE", file.as_str()]);
        assert_eq!(curl_status(&arguments), status, "{origin}");
    }
}

#[test]
fn a_page_shows_no_address_to_the_next_one_and_is_not_framed() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for path in [
        "/explorer",
        "/docs",
        "/v1/files",
        "/nothing",
        "/problems/file_not_found",
    ] {
        let url = format!("{}{path}", program.base);
        let head = String::from_utf8(curl(&["--head", &url]))
            .unwrap()
            .to_lowercase();
        for line in [
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
        ] {
            assert!(head.contains(line), "{path}: {head}");
        }
        if ["/explorer", "/docs"].contains(&path) {
            assert!(head.contains("frame-ancestors 'none'"), "{path}: {head}");
        }
    }
}
