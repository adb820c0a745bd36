//! The inputs that fuzzing found, tried again: a regression shows here, without a fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use file_share::fuzzing::Property;

/// What a corpus may take in the repository, in bytes.
const MAX_CORPUS_BYTES: usize = 64 * 1024;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn properties() -> Vec<(&'static str, Property)> {
    let mut all = file_share::fuzzing::PROPERTIES.to_vec();
    all.extend(file_share_worker::fuzzing::PROPERTIES);
    all
}

/// The inputs in a packed corpus: a line each, with `\xNN` for what isn't printable.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let path = fuzz_dir().join("corpus").join(format!("{name}.txt"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.is_ascii() && text.ends_with('\n'), "{path:?}");
    text.lines().map(decoded).collect()
}

fn decoded(line: &str) -> Vec<u8> {
    let mut pieces = line.split("\\x");
    let mut input = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (hex, rest) = piece.split_at(2);
        input.push(u8::from_str_radix(hex, 16).unwrap());
        input.extend_from_slice(rest.as_bytes());
    }
    input
}

#[test]
fn every_property_holds_for_every_input_that_was_ever_kept() {
    for (name, property) in properties() {
        let inputs = inputs(name);
        for input in &inputs {
            // Shown only if the property doesn't hold.
            println!("{name}: {}", input.escape_ascii());
            property(input);
        }
        assert!(
            inputs.len() >= 50,
            "{name} has only {} inputs",
            inputs.len()
        );
        let bytes: usize = inputs.iter().map(Vec::len).sum();
        assert!(bytes <= MAX_CORPUS_BYTES, "{name}: minimise it");
    }
}

#[test]
fn a_packed_input_reads_back_whatever_it_consists_of() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let packed = r" !~\x5c\x5cx41\x00\xff\x0a";
    assert_eq!(decoded(packed), b" !~\\\\x41\0\xff\n");
    let escaped: String = every_byte.iter().map(|b| format!("\\x{b:02x}")).collect();
    assert_eq!(decoded(&escaped), every_byte);
    assert_eq!(decoded(""), b"");
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
