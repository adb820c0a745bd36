//! Under which names a service is reached, and in which spelling.

use serde_json::{Value, json};

use crate::support::curl::{create, curl_json, curl_status, upload};
use crate::support::program::{Program, data_dir};

const FILE: &str = r#"{"filename": "a.txt", "size": 5}"#;

/// Creates a file at a service that is reached under this host.
fn created_at(base: &str, host: &str) -> Value {
    let host = format!("Host: {host}");
    curl_json(&[
        "--header",
        &host,
        "--json",
        FILE,
        &format!("{base}/v1/files"),
    ])
}

/// Sends `hello` to a URL with this host, and gives the status.
fn put(program: &Program, created: &Value, host: &str, dir: &std::path::Path) -> String {
    let source = dir.join("to-send");
    std::fs::write(&source, "hello").unwrap();
    let url = created["upload"]["url"].as_str().unwrap();
    let path = url.split("://").nth(1).unwrap().split_once('/').unwrap().1;
    let host = format!("Host: {host}");
    let target = format!("{}/{path}", program.base);
    let mut arguments = vec!["--upload-file", source.to_str().unwrap(), "--header", &host];
    let headers: Vec<String> = created["upload"]["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap()))
        .collect();
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    arguments.push(&target);
    curl_status(&arguments)
}

#[test]
fn a_host_has_no_case_and_its_own_port_may_be_spelled_out() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for (created_by, signed, sent) in [
        ("LOCALHOST:8000", "http://localhost:8000/", "localhost:8000"),
        ("localhost:8000", "http://localhost:8000/", "LocalHost:8000"),
        ("Laptop:80", "http://laptop/", "laptop"),
        ("laptop", "http://laptop/", "LAPTOP:80"),
    ] {
        let created = created_at(&program.base, created_by);
        let url = created["upload"]["url"].as_str().unwrap();
        assert!(url.starts_with(signed), "{created_by}: {url}");
        assert_eq!(
            put(&program, &created, sent, dir.path()),
            "200",
            "{created_by} {sent}"
        );
    }
    // Another port is another host.
    let created = created_at(&program.base, "localhost:8000");
    assert_eq!(put(&program, &created, "localhost", dir.path()), "403");
}

#[test]
fn a_public_url_in_capitals_is_signed_as_clients_send_it() {
    let dir = data_dir();
    let public = [("PUBLIC_URL", "HTTPS://Share.Example.org:443/Course/")];
    let mut program = Program::local(dir.path(), &public);
    program.base = program.listening_at();
    let created = created_at(&program.base, "share.example.org");
    let url = created["upload"]["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://share.example.org/Course/"),
        "{url}"
    );
}

#[test]
fn local_mode_answers_to_the_hosts_that_an_operator_allowed_and_says_how_to_allow_others() {
    let dir = data_dir();
    let allowed = [("ALLOWED_HOSTS", "host.docker.internal, *.tailnet.example")];
    let program = Program::local(dir.path(), &allowed);
    let list = format!("{}/v1/files", program.base);
    for host in [
        "host.docker.internal:8000",
        "Laptop.Tailnet.example",
        "a.b.tailnet.example:8000",
    ] {
        let header = format!("Host: {host}");
        assert_eq!(curl_status(&["--header", &header, &list]), "200", "{host}");
        let created = created_at(&program.base, host);
        assert_eq!(put(&program, &created, host, dir.path()), "200", "{host}");
    }
    for host in [
        "files.lan:8000",
        "tailnet.example",
        "docker.internal",
        "evil.example",
    ] {
        let header = format!("Host: {host}");
        assert_eq!(curl_status(&["--header", &header, &list]), "421", "{host}");
        let problem = curl_json(&["--header", &header, &list]);
        let detail = problem["detail"].as_str().unwrap();
        let name = host.split(':').next().unwrap();
        for named in ["ALLOWED_HOSTS", "PUBLIC_URL", name] {
            assert!(detail.contains(named), "{named} isn't in {detail}");
        }
    }
}

#[test]
fn a_page_behind_a_proxy_that_hides_its_host_hears_of_the_proxy() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let url = format!("{}/v1/files", program.base);
    // Over plain HTTP a browser sends no more than this, and over HTTPS also where it stands.
    for (site, status) in [(None, "403"), (Some("same-origin"), "400")] {
        let mut arguments = vec![
            "--json",
            FILE,
            "--header",
            "Origin: https://share.example.org",
        ];
        let site = site.map(|site| format!("Sec-Fetch-Site: {site}"));
        if let Some(site) = &site {
            arguments.extend(["--header", site]);
        }
        arguments.push(&url);
        assert_eq!(curl_status(&arguments), status);
        let problem = curl_json(&arguments);
        let detail = problem["detail"].as_str().unwrap();
        for named in ["proxy_set_header Host", "PUBLIC_URL"] {
            assert!(detail.contains(named), "{named} isn't in {detail}");
        }
        assert!(!detail.contains("ALLOWED_ORIGINS"), "{detail}");
    }
    assert_eq!(curl_json(&[&url])["files"].as_array().unwrap().len(), 0);
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let dir = data_dir();
    let empty = [
        ("MODE", ""),
        ("PUBLIC_URL", ""),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_ORIGINS", ""),
        ("BUCKET_NAME", ""),
        ("TABLE_NAME", " "),
        ("S3_PUBLIC_ENDPOINT_URL", ""),
        ("MAX_UPLOAD_BYTES", ""),
        ("UPLOAD_URL_TTL", ""),
        ("DOWNLOAD_URL_TTL", ""),
        ("DOWNLOAD_ORIGIN", ""),
        ("DOWNLOAD_KEY_ID", ""),
        ("DOWNLOAD_KEY", ""),
        ("DOWNLOAD_KEY_FILE", ""),
        ("UPLOAD_GRACE", ""),
        ("RECONCILE_INTERVAL", ""),
        ("ORPHAN_SWEEP_INTERVAL", ""),
        ("ORPHAN_LIMIT", ""),
        ("LOG_FORMAT", ""),
        ("RUST_LOG", ""),
    ];
    let program = Program::local(dir.path(), &empty);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let source = dir.path().join("to-send");
    std::fs::write(&source, "hello").unwrap();
    assert_eq!(upload(&created, &source), "200");
}
