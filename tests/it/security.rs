//! SECURITY.md names the test that shows each answer to a threat: they all exist. Those that have no
//! better place are here.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::curl::{curl_json, curl_status};
use crate::support::program::{Program, data_dir};

fn sources(dir: &Path, texts: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|e| e == "rs") {
            texts.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_security_md_names_is_in_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = String::new();
    for dir in ["src", "worker/src", "tests", "cli/src", "cli/tests"] {
        sources(&root.join(dir), &mut tree);
    }
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut named = 0;
    let mut threats = std::collections::BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| **")) {
        let threat = row.split("**").nth(1).unwrap();
        assert!(threats.insert(threat), "{threat} stands there twice");
        // The last cell of a threat has its tests.
        let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test shows this: {row}");
        for test in tests {
            assert!(tree.contains(&format!("fn {test}(")), "{test} is gone");
            named += 1;
        }
    }
    assert!(named >= 40, "only {named} tests are named");
}

#[test]
fn a_compressed_body_is_not_unpacked() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    // 16 MiB that become 16 KiB, and a small one that would be right.
    let bomb = format!(r#"{{"filename":"a","size":1{}}}"#, " ".repeat(16 << 20));
    for content in [bomb.as_str(), r#"{"filename":"a","size":1}"#] {
        let packed = dir.path().join("packed");
        let mut gzip = Command::new("gzip")
            .args(["--best", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&packed).unwrap())
            .spawn()
            .unwrap();
        gzip.stdin
            .take()
            .unwrap()
            .write_all(content.as_bytes())
            .unwrap();
        assert!(gzip.wait().unwrap().success());
        let packed = format!("@{}", packed.display());
        let url = format!("{}/v1/files", program.base);
        let mut arguments = vec!["--data-binary", &packed, &url];
        for header in ["Content-Type: application/json", "Content-Encoding: gzip"] {
            arguments.extend(["--header", header]);
        }
        let status = curl_status(&arguments);
        assert!(["400", "413"].contains(&status.as_str()), "{status}");
        assert_eq!(curl_json(&[&url])["files"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn every_dependency_and_tool_is_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        for source in read(lock)
            .lines()
            .filter(|line| line.starts_with("source = "))
        {
            let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
            assert_eq!(source, registry, "{lock}");
        }
    }
    let makefile = read("Makefile");
    let lists = makefile
        .lines()
        .filter_map(|line| line.strip_prefix("$(eval $(call virtual_environment,"))
        .map(|of| of.split_once(',').unwrap().1.trim_end_matches(')'));
    let lists: Vec<&str> = lists.collect();
    assert!(lists.len() >= 7, "{lists:?}");
    for list in lists {
        let text = read(list);
        let tools = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        for tool in tools {
            let (_, version) = tool
                .split_once("==")
                .unwrap_or_else(|| panic!("{list}: {tool}"));
            assert!(
                version.starts_with(|c: char| c.is_ascii_digit()),
                "{list}: {tool}"
            );
        }
    }
    for line in makefile
        .lines()
        .filter(|line| line.contains("cargo install"))
    {
        assert!(line.contains("--locked --version $("), "{line}");
    }
    let mut installed = makefile.lines().filter(|line| line.contains("pip install"));
    let install = installed.next().unwrap();
    assert!(install.ends_with(" --requirement $(2)"), "{install}");
    assert_eq!(installed.next(), None, "all else is on a list");
}
