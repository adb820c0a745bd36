//! The two pages that show the contract, in real headless Chromium: `tests/browser/explorer.test.mjs` does
//! what they tell a newcomer to do. And what the answers point at, followed as a client follows it.

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::MiniStack;
use crate::support::node_tests;
use crate::support::program::{Program, data_dir};

#[test]
fn a_newcomer_gets_through_both_steps_on_either_page() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let setup = json!({"mode": "local", "service": program.base});
    node_tests::run("explorer.test.mjs", &setup, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_the_pages_follow_a_download_to_the_store() {
    let deployment = MiniStack::shared().await.deploy("explorer").await;
    let browse = move || {
        let program = Program::aws_api(&deployment, &[]);
        let _worker = Program::worker(&deployment, &[]);
        let setup = json!({
            "mode": "aws",
            "service": program.base,
            "store": deployment.endpoint,
        });
        node_tests::run("explorer.test.mjs", &setup, 4);
    };
    tokio::task::spawn_blocking(browse).await.unwrap();
}

/// An answer's header.
fn header(answer: &str, name: &str) -> String {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    head.lines()
        .find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// The target of a link with this relation (RFC 8288).
fn link(header: &str, relation: &str) -> String {
    let link = header
        .split(", ")
        .find(|link| link.ends_with(&format!("; rel=\"{relation}\"")))
        .unwrap_or_else(|| panic!("no {relation} in {header}"));
    let (target, _) = link.trim_start_matches('<').split_once('>').unwrap();
    target.to_owned()
}

fn post(base: &str, name: &str) -> String {
    let body = json!({"filename": name, "size": 5}).to_string();
    let url = format!("{base}/v1/files");
    String::from_utf8(curl(&["--include", "--json", &body, &url])).unwrap()
}

#[test]
fn what_a_new_file_points_at_can_be_read_before_and_after_its_bytes_came() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    let answer = post(base, "hello.txt");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let created: Value = serde_json::from_str(body).unwrap();
    let at = |target: &str| format!("{base}{target}");
    let (location, links) = (header(&answer, "location"), header(&answer, "link"));

    // While it is pending, the file itself says so, and how to go on.
    let problem = curl_json(&[&at(&location)]);
    assert_eq!(problem["code"], "upload_pending");
    let advice = curl(&[&at(problem["type"].as_str().unwrap())]);
    assert!(String::from_utf8(advice).unwrap().contains("wait=20"));
    let record = curl_json(&[&at(&link(&links, "describedby"))]);
    assert_eq!(record["status"], "pending");
    let html = ["--header", "Accept: text/html"];
    let page = curl(&[html[0], html[1], &at(&link(&links, "alternate"))]);
    assert!(String::from_utf8(page).unwrap().contains("<!DOCTYPE html>"));

    let bytes = dir.path().join("hello");
    std::fs::write(&bytes, "hello").unwrap();
    assert_eq!(upload(&created, &bytes), "200");
    let record = format!("{}?wait=20", link(&links, "describedby"));
    assert_eq!(curl_json(&[&at(&record)])["status"], "available");
    assert_eq!(curl(&["--location", &at(&location)]), b"hello");
}

#[test]
fn the_link_of_each_page_leads_to_the_next_until_every_file_was_shown() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for n in 0..5 {
        create(
            &program.base,
            &json!({"filename": format!("{n}.txt"), "size": 1}),
        );
    }
    let mut names = Vec::new();
    let mut target = "/v1/files?limit=2&status=pending".to_owned();
    for page in 0..3 {
        let url = format!("{}{target}", program.base);
        let answer = String::from_utf8(curl(&["--include", &url])).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let files = body["files"].as_array().unwrap();
        names.extend(files.iter().map(|file| file["filename"].to_string()));
        if page < 2 {
            target = link(&header(&answer, "link"), "next");
        } else {
            assert!(!head.to_lowercase().contains("\nlink:"), "{head}");
        }
    }
    let expected: Vec<String> = (0..5).rev().map(|n| format!("\"{n}.txt\"")).collect();
    assert_eq!(names, expected);
}

#[test]
fn every_code_of_the_contract_leads_to_a_text_that_says_what_it_means_and_what_to_do() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let document = curl_json(&[&format!("{}/openapi.json", program.base)]);
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap();
    assert!(codes.len() >= 17);
    let mut shown = Vec::new();
    for operation in document["paths"].as_object().unwrap().values() {
        for response in operation.as_object().unwrap().values() {
            for answer in response["responses"].as_object().unwrap().values() {
                let examples = &answer["content"]["application/problem+json"]["examples"];
                for (code, example) in examples.as_object().into_iter().flatten() {
                    assert_eq!(example["value"]["code"], code.as_str());
                    shown.push((code.clone(), example["value"].clone()));
                }
            }
        }
    }
    for code in codes {
        let code = code.as_str().unwrap();
        let examples = shown.iter().filter(|(shown, _)| shown == code);
        let kinds: Vec<&Value> = examples.map(|(_, example)| &example["type"]).collect();
        // These are about paths and methods that aren't in the contract.
        let is_beside = matches!(
            code,
            "route_not_found" | "method_not_allowed" | "link_opens_page"
        );
        let has_examples = !is_beside;
        assert_eq!(!kinds.is_empty(), has_examples, "{code}");
        let kind = format!("/problems/{code}");
        assert!(kinds.iter().all(|shown| **shown == kind.as_str()), "{code}");
        let url = format!("{}{kind}", program.base);
        assert_eq!(curl_status(&[&url]), "200", "{code}");
        let text = String::from_utf8(curl(&[&url])).unwrap();
        let (title, advice) = text.split_once("\n\n").unwrap();
        assert!(title.contains(code) && title.contains("HTTP"), "{text}");
        assert!(advice.len() > 20, "{text}");
    }
}

#[test]
fn behind_a_prefix_everything_that_an_answer_points_at_has_it() {
    let dir = data_dir();
    let public = [("PUBLIC_URL", "http://127.0.0.1:9/share")];
    let program = Program::local(dir.path(), &public);
    let base = program.listening_at();
    let answer = post(&base, "a.txt");
    let links = header(&answer, "link");
    for target in [
        header(&answer, "location"),
        link(&links, "describedby"),
        link(&links, "alternate"),
    ] {
        assert!(target.starts_with("/share/"), "{target}");
    }
    for path in ["/v1/files/x", "/nothing", "/v1/files?limit=0"] {
        let problem = curl_json(&[&format!("{base}{path}")]);
        let kind = problem["type"].as_str().unwrap();
        let page = kind
            .strip_prefix("/share")
            .unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(curl_status(&[&format!("{base}{page}")]), "200");
    }
}
