//! The reviewed contract: what the program says of itself is what tests/openapi.json says.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::curl::{create, curl, curl_json};
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
    let reviewed = reviewed();
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
    assert_eq!(operations, 43);
}

/// What a validator of OpenAPI 3.0 refuses and our generator is apt to write.
#[test]
fn the_document_has_no_null_no_format_of_rust_and_no_dangling_reference() {
    fn look(document: &Value, place: &str, value: &Value) {
        match value {
            Value::Null => panic!("{place} is null"),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let place = format!("{place}/{name}");
                    match (name.as_str(), value) {
                        // What is shown as an example may be anything.
                        ("example" | "examples", _) => {}
                        ("format", Value::String(format)) => assert!(
                            [
                                "int32",
                                "int64",
                                "uuid",
                                "date-time",
                                "uri",
                                "uri-reference"
                            ]
                            .contains(&format.as_str()),
                            "{place}: {format}"
                        ),
                        ("$ref", Value::String(target)) => assert!(
                            document.pointer(target.trim_start_matches('#')).is_some(),
                            "{place}: {target}"
                        ),
                        _ => look(document, &place, value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| look(document, place, item)),
            _ => {}
        }
    }
    let document = reviewed();
    look(&document, "", &document);
    // Relative, so that it holds under a prefix that a proxy adds.
    assert_eq!(document["servers"][0]["url"], ".");
}

#[test]
fn the_examples_have_the_fields_that_are_really_answered() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let document = reviewed();
    let example = |name: &str| &document["components"]["schemas"][name]["example"];

    // The example of a request works as it is.
    let created = create(&program.base, example("NewFile"));
    assert_eq!(names(&created), names(example("CreatedFile")));
    assert_eq!(names(&created["upload"]), names(example("Upload")));
    assert_eq!(
        created["upload"]["headers"],
        example("CreatedFile")["upload"]["headers"]
    );
    let page = curl_json(&[&format!("{}/v1/files", program.base)]);
    assert_eq!(names(&page), names(example("FilePage")));
    assert_eq!(names(&page["files"][0]), names(example("File")));
    let cursor = example("FilePage")["nextCursor"].as_str().unwrap();
    let next = curl_json(&[&format!("{}/v1/files?cursor={cursor}", program.base)]);
    assert!(next["files"].is_array(), "{next}");

    // So do the examples of problems show what is answered.
    let refused = create(
        &program.base,
        &serde_json::json!({"filename": "..", "size": "5"}),
    );
    let shown = document
        .pointer("/paths/~1v1~1files/post/responses/400/content/application~1problem+json/examples")
        .unwrap();
    let mut shown = shown["invalid_request"]["value"].clone();
    shown["requestId"] = refused["requestId"].clone();
    assert_eq!(refused, shown);
}

fn reviewed() -> Value {
    serde_json::from_str(&std::fs::read_to_string(REVIEWED).unwrap()).unwrap()
}

fn names(object: &Value) -> Vec<&String> {
    object.as_object().unwrap().keys().collect()
}

#[test]
fn the_pages_load_nothing_from_elsewhere() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for (page, library) in [
        ("docs", "SwaggerUIBundle"),
        ("explorer", "openapi-explorer"),
    ] {
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
        let head = String::from_utf8(curl(&["--head", &url])).unwrap();
        let policy = head
            .lines()
            .find(|line| line.to_lowercase().starts_with("content-security-policy:"))
            .unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("http"),
            "{policy}"
        );
        // It runs the scripts that are in the page, each known by its digest, and no others.
        let allowed = policy.split("script-src ").nth(1).unwrap();
        let allowed = allowed.split(';').next().unwrap();
        let scripts = scripts(&html);
        let digests: Vec<String> = scripts
            .iter()
            .map(|script| BASE64_STANDARD.encode(Sha256::digest(script)))
            .map(|digest| format!("'sha256-{digest}'"))
            .collect();
        assert_eq!(allowed, digests.join(" "), "{page}");
        // The generator's page is where the script comes from: it is still found there.
        assert!(
            scripts[0].len() > 500_000 && scripts[0].contains(library),
            "{page} has no {library}"
        );
        assert!(html.contains("<title>File Share · "), "{page}");
        // Without one, browsers ask for /favicon.ico, which isn't there.
        assert!(html.contains("rel=\"icon\" href=\"data:"), "{page}");
        assert!(html.contains("openapi.json"), "{page} shows the contract");
    }
}

/// As a browser finds them: a script ends at the first end tag, whatever is in it.
fn scripts(html: &str) -> Vec<&str> {
    let mut scripts = Vec::new();
    let mut rest = html;
    while let Some((script, after)) = rest
        .split_once("<script>")
        .and_then(|(_, rest)| rest.split_once("</script>"))
    {
        scripts.push(script);
        rest = after;
    }
    scripts
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
