//! The inputs that fuzzing found, tried again: a regression shows here, without a fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use file_share::fuzzing::Property;

/// What a corpus may take in the repository, in bytes.
const MAX_CORPUS_BYTES: u64 = 64 * 1024;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn properties() -> Vec<(&'static str, Property)> {
    let mut all = file_share::fuzzing::PROPERTIES.to_vec();
    all.extend(file_share_worker::fuzzing::PROPERTIES);
    all
}

#[test]
fn every_property_holds_for_every_input_that_was_ever_kept() {
    for (name, property) in properties() {
        let (mut inputs, mut bytes) = (0, 0);
        for entry in fs::read_dir(fuzz_dir().join("corpus").join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            // Shown only if the property doesn't hold.
            println!("{}", path.display());
            property(&input);
            inputs += 1;
            bytes += input.len() as u64;
        }
        assert!(inputs >= 10, "{name} has only {inputs} inputs");
        assert!(bytes <= MAX_CORPUS_BYTES, "{name}: minimise it");
    }
}

#[test]
fn every_property_has_a_target_and_a_corpus_and_nothing_else_has() {
    let names = |dir: PathBuf| -> BTreeSet<String> {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let expected: BTreeSet<String> = properties()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(names(fuzz_dir().join("fuzz_targets")), expected);
    assert_eq!(names(fuzz_dir().join("corpus")), expected);
    let manifest = fs::read_to_string(fuzz_dir().join("Cargo.toml")).unwrap();
    for name in expected {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
