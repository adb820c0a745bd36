//! What the table says, and that what other languages and documents say of codes is in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Code;
use crate::domain::RejectionCode;

fn code_named(name: &str) -> Option<Code> {
    Code::ALL.into_iter().find(|code| code.as_str() == name)
}

/// The files below `folder` with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// As codes are written, if they have more than one word.
fn is_snake_case(text: &str) -> bool {
    let mut words = text.split('_');
    words.clone().count() > 1
        && words.all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

#[test]
fn a_code_has_a_name_of_its_own_the_status_of_an_error_and_words() {
    let names: BTreeSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        let status = code.status();
        assert!(
            status.is_client_error() || status.is_server_error(),
            "{code:?}"
        );
        let name = code.as_str();
        let is_a_word = matches!(name, "overloaded" | "held" | "retained");
        assert!(is_snake_case(name) || is_a_word, "{name}");
        assert!(
            code.advice().ends_with('.') && !code.title().ends_with('.'),
            "{name}"
        );
        for text in [code.title(), code.advice(), code.detail()] {
            assert!(!text.is_empty() && !text.contains("  "), "{name}: {text}");
        }
    }
}

/// Both clients decide by the status whether a request may be sent again.
#[test]
fn what_may_be_repeated_has_a_status_that_our_clients_repeat_and_an_advice_that_names_the_header() {
    let mut repeated = 0;
    for code in Code::ALL {
        let names_it = code.advice().contains("`Retry-After`");
        assert_eq!(code.retry_after().is_some(), names_it, "{code:?}");
        if code.retry_after().is_some() {
            repeated += 1;
            let status = code.status().as_u16();
            assert!(matches!(status, 409 | 429 | 503), "{code:?}");
        }
    }
    assert!(repeated >= 5, "{repeated}");
}

#[test]
fn every_code_that_the_web_page_decides_by_is_in_the_table() {
    let mut seen = 0;
    for path in files("web", "js") {
        let text = fs::read_to_string(&path).unwrap();
        for name in text.split('\'').filter(|text| is_snake_case(text)) {
            // A record says by a code too why it was rejected.
            let is_known = code_named(name).is_some() || RejectionCode::parse(name).is_ok();
            assert!(is_known, "{}: {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} codes were seen");
}

#[test]
fn every_code_that_the_command_line_decides_by_is_in_the_table() {
    let mut seen = 0;
    for path in files("cli/src", "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for after in text.split("code == \"").skip(1) {
            let name = after.split('"').next().unwrap();
            // The store has codes of its own.
            if !is_snake_case(name) {
                continue;
            }
            assert!(code_named(name).is_some(), "{}: {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} codes were seen");
}

#[test]
fn the_name_of_a_code_is_written_at_one_place() {
    let sources = files("src", "rs").into_iter();
    let sources = sources.filter(|path| !path.to_string_lossy().contains("tests"));
    let texts: Vec<String> = sources
        .map(|path| fs::read_to_string(path).unwrap())
        .map(|text| text.split("#[cfg(test)]").next().unwrap().to_owned())
        .collect();
    for code in Code::ALL {
        let literal = format!("\"{}\"", code.as_str());
        let count: usize = texts
            .iter()
            .map(|text| text.matches(&literal).count())
            .sum();
        assert_eq!(count, 1, "{literal}");
    }
}

/// Such as "429 `too_many_creates`".
#[test]
fn a_code_that_a_document_names_with_a_status_has_that_status() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = files("docs", "md");
    documents.extend(["README.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name)));
    let mut seen = 0;
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(2) {
            let [status, name] = [pair[0], pair[1]]
                .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
            let Ok(status @ 400..=599) = status.parse::<u16>() else {
                continue;
            };
            if !is_snake_case(name) {
                continue;
            }
            let code = code_named(name).unwrap_or_else(|| panic!("{}: {name}", path.display()));
            assert_eq!(code.status().as_u16(), status, "{}: {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} codes were seen");
}
