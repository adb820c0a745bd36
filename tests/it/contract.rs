//! The reviewed contract: what the program says of itself is what tests/openapi.json says.

use std::path::Path;

use serde_json::Value;

use crate::support::curl::curl;
use crate::support::program::{Program, data_dir};

/// Where the reviewed contract lies. `UPDATE_CONTRACT=1` writes it anew, to be reviewed in the diff.
const REVIEWED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi.json");

#[test]
fn the_document_is_the_reviewed_one() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let served = String::from_utf8(curl(&[&format!("{}/openapi.json", program.base)])).unwrap();
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(REVIEWED, format!("{served}\n")).unwrap();
    }
    let reviewed =
        std::fs::read_to_string(Path::new(REVIEWED)).expect("tests/openapi.json is there");
    let (served, reviewed): (Value, Value) = (
        serde_json::from_str(&served).unwrap(),
        serde_json::from_str(&reviewed).unwrap(),
    );
    assert!(
        served == reviewed,
        "the contract changed: run `UPDATE_CONTRACT=1 cargo test the_document_is` and review the diff"
    );
}

#[test]
fn every_operation_has_an_id_a_description_and_its_errors_with_examples() {
    let reviewed: Value =
        serde_json::from_str(&std::fs::read_to_string(REVIEWED).unwrap()).unwrap();
    let mut operations = 0;
    for (path, methods) in reviewed["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let name = format!("{method} {path}");
            for field in ["operationId", "summary", "description"] {
                assert!(
                    operation[field].as_str().is_some_and(|t| !t.is_empty()),
                    "{name}: {field}"
                );
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    !response["description"].as_str().unwrap().is_empty(),
                    "{name}: {status}"
                );
                if status.parse::<u16>().unwrap() >= 400 {
                    let content = &response["content"]["application/problem+json"];
                    let examples = content["examples"].as_object();
                    assert!(
                        examples.is_some_and(|e| !e.is_empty()),
                        "{name}: {status} without example"
                    );
                }
            }
        }
    }
    assert_eq!(operations, 7);
}

#[test]
fn the_pages_load_nothing_from_elsewhere() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for page in ["docs", "explorer"] {
        let url = format!("{}/{page}", program.base);
        let html = String::from_utf8(curl(&[&url])).unwrap();
        let markup = without_scripts(&html);
        for attribute in ["src=", "href=", "@import", "url("] {
            for (at, _) in markup.match_indices(attribute) {
                let value: String = markup[at..].chars().take(80).collect();
                assert!(
                    !value.contains("//") || value.contains("data:"),
                    "{page} loads {value}"
                );
            }
        }
        // What a script might try, the browser refuses.
        let head = String::from_utf8(curl(&["--head", &url]))
            .unwrap()
            .to_lowercase();
        let policy = head
            .lines()
            .find(|line| line.starts_with("content-security-policy:"))
            .unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("http"),
            "{policy}"
        );
        assert!(html.contains("openapi.json"), "{page} shows the contract");
    }
}

fn without_scripts(html: &str) -> String {
    let mut rest = html;
    let mut markup = String::new();
    while let Some(start) = rest.find("<script") {
        markup.push_str(&rest[..start]);
        rest = rest[start..]
            .find("</script>")
            .map_or("", |end| &rest[start + end..]);
    }
    markup + rest
}
