//! What the documents for contributors name is there: files, tests, words that lead to an answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest that ARCHITECTURE.md may be, in bytes: what somebody reads from front to back.
const MAX_ARCHITECTURE_BYTES: usize = 12 * 1024;
/// The most files that the words to an answer may occur in.
const MAX_FILES_TO_LOOK_AT: usize = 12;
/// Where paths in backticks begin that are the tree's own.
const FOLDERS: [&str; 12] = [
    ".ci/",
    "benches/",
    "chaos/",
    "cli/",
    "deploy/",
    "docs/",
    "fuzz/",
    "packages/",
    "src/",
    "tests/",
    "web/",
    "worker/",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The documents, by their paths from the root.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = Path::new(folder).join(entry.unwrap().file_name());
            if name.extension().is_some_and(|e| e == "md") {
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// What stands in backticks, outside of blocks.
fn quoted(text: &str) -> Vec<&str> {
    text.split("```")
        .step_by(2)
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

/// Files below `folder` that people write.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path
            .extension()
            .is_some_and(|e| e == "rs" || e == "js" || e == "mjs")
        {
            found.push(path);
        }
    }
}

/// The rows of the first table below a heading, as cells.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, below) = text.split_once(heading).expect("the heading is there");
    below
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches(['|', ' '])
                .split(" | ")
                .map(str::trim)
                .collect()
        })
        .collect()
}

#[test]
fn every_file_that_a_document_links_to_or_names_is_in_the_tree() {
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| {
            let target = rest.split([')', '#']).next()?;
            let is_own = !target.is_empty() && !target.contains("://");
            is_own.then(|| folder.join(target))
        });
        // The changelog tells what was there.
        let is_of_today = document != "CHANGELOG.md";
        let named = quoted(&text).into_iter().filter_map(|path| {
            let is_own = FOLDERS.iter().any(|folder| path.starts_with(folder));
            let is_one = !path.contains(['{', '*', ' ', '…']) && !path.contains("TARGET");
            // The page's assets are served under such a path.
            let is_file = !path.starts_with("web/{");
            (is_of_today && is_own && is_one && is_file).then(|| root().join(path))
        });
        for path in links.chain(named) {
            let module = path.with_extension("rs");
            assert!(
                path.exists() || module.exists(),
                "{document} names {}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} paths were seen");
}

#[test]
fn the_architecture_is_short_and_each_invariant_names_a_test_that_is_there() {
    let text = read("ARCHITECTURE.md");
    assert!(text.len() <= MAX_ARCHITECTURE_BYTES, "{}", text.len());
    let mut files = Vec::new();
    for folder in ["src", "worker", "tests", "cli"] {
        sources(&root().join(folder), &mut files);
    }
    let tree: String = files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let invariants = rows(&text, "## Invariants");
    assert!(invariants.len() >= 20, "{}", invariants.len());
    for row in invariants {
        let tests = quoted(row[1]);
        assert!(!tests.is_empty(), "no test shows: {}", row[0]);
        for test in tests {
            assert!(tree.contains(&format!("fn {test}(")), "{test} is gone");
        }
    }
}

#[test]
fn a_newcomers_questions_are_answered_where_the_words_lead() {
    let text = read("CONTRIBUTING.md");
    let mut files = Vec::new();
    for folder in ["src", "worker/src", "web", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    // This file names some of the words for itself.
    let itself = root().join("tests/it/documents.rs");
    let questions = rows(&text, "## Ten questions");
    assert_eq!(questions.len(), 10);
    for row in questions {
        let words = quoted(row[1])[0].to_lowercase();
        let hits: BTreeSet<&PathBuf> = files
            .iter()
            .filter(|path| **path != itself)
            .filter(|path| {
                fs::read_to_string(path)
                    .unwrap()
                    .to_lowercase()
                    .contains(&words)
            })
            .collect();
        assert!(
            hits.len() <= MAX_FILES_TO_LOOK_AT,
            "{words} is in {} files",
            hits.len()
        );
        for answer in quoted(row[2]) {
            assert!(
                hits.contains(&root().join(answer)),
                "{words} doesn't lead to {answer}"
            );
        }
    }
}
