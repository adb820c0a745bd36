//! Which part of the code may import which: the direction in which data goes.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room, and the rooms that it may import from. A room that isn't here fails the test.
const MAY_IMPORT: [(&str, &[&str]); 25] = [
    ("domain", &[]),
    ("clock", &["domain"]),
    ("store_error", &[]),
    ("store_marker", &["store_error"]),
    ("cors", &[]),
    ("private_files", &[]),
    ("capacity", &[]),
    ("create_limits", &["domain"]),
    ("disk_space", &["private_files", "store_error"]),
    ("shutdown", &[]),
    ("request_log", &[]),
    ("config", &["domain"]),
    ("telemetry", &["config"]),
    ("aws", &["domain", "store_error"]),
    ("presigned_url", &["domain", "store_error"]),
    (
        "object_store",
        &[
            "domain",
            "clock",
            "store_error",
            "store_marker",
            "aws",
            "private_files",
            "disk_space",
        ],
    ),
    (
        "metadata_store",
        &[
            "domain",
            "clock",
            "store_error",
            "store_marker",
            "aws",
            "private_files",
            "disk_space",
        ],
    ),
    (
        "operations",
        &[
            "domain",
            "clock",
            "store_error",
            "metadata_store",
            "object_store",
            "presigned_url",
        ],
    ),
    ("web_page", &["domain"]),
    (
        "api",
        &[
            "domain",
            "cors",
            "create_limits",
            "capacity",
            "operations",
            "metadata_store",
            "presigned_url",
            "request_log",
            "store_error",
            "web_page",
        ],
    ),
    (
        "local_mode",
        &[
            "domain",
            "clock",
            "cors",
            "capacity",
            "operations",
            "object_store",
            "presigned_url",
            "private_files",
            "request_log",
            "store_error",
        ],
    ),
    // What must hold for any input, for tests alone.
    (
        "fuzzing",
        &[
            "api",
            "domain",
            "local_mode",
            "object_store",
            "presigned_url",
        ],
    ),
    // Puts everything together.
    (
        "app",
        &[
            "api",
            "aws",
            "clock",
            "config",
            "cors",
            "create_limits",
            "disk_space",
            "domain",
            "local_mode",
            "metadata_store",
            "object_store",
            "operations",
            "presigned_url",
            "store_error",
            "store_marker",
        ],
    ),
    (
        "adopt",
        &[
            "app",
            "aws",
            "config",
            "metadata_store",
            "object_store",
            "store_error",
            "store_marker",
        ],
    ),
    (
        "scrub",
        &[
            "app",
            "aws",
            "clock",
            "config",
            "metadata_store",
            "object_store",
            "operations",
        ],
    ),
];

/// The files that may name a type of an AWS service's SDK.
const MAY_NAME_SDK: [&str; 4] = [
    "src/aws/",
    "src/object_store/s3",
    "src/metadata_store/dynamodb",
    "src/presigned_url/tests/by_the_sdk.rs",
];

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    rust_files(&root.join("src"))
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The first segment below src/, without its ending.
fn room(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn every_room_imports_only_what_lies_before_it() {
    for (file, text) in sources() {
        let room = room(&file);
        // Tests of a room may build what they need from others.
        if matches!(room, "lib" | "main") || file.ends_with("tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{room} has no place in the direction yet"));
        for (at, _) in code.match_indices("crate::") {
            let imported: String = code[at + "crate::".len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let known = MAY_IMPORT.iter().any(|(name, _)| *name == imported);
            let allowed = imported == room || allowed.contains(&imported.as_str());
            assert!(
                !known || allowed,
                "{file} imports {imported}, which {room} may not"
            );
        }
    }
}

#[test]
fn sdk_types_stay_in_the_files_that_speak_to_a_service() {
    for (file, text) in sources() {
        let may = MAY_NAME_SDK.iter().any(|prefix| file.starts_with(prefix));
        assert!(
            may || !text.contains("aws_sdk_"),
            "{file} names a type of an SDK"
        );
    }
}

#[test]
fn the_worker_can_not_reach_the_api() {
    let manifest =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/worker/Cargo.toml")).unwrap();
    let dependency = manifest
        .lines()
        .find(|line| line.starts_with("file-share ="))
        .unwrap();
    assert!(
        dependency.contains("default-features = false"),
        "{dependency}"
    );
}

#[test]
fn the_command_line_knows_the_service_by_its_contract_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let packages: Vec<&str> = lock.split("[[package]]\n").skip(1).collect();
    let name = |package: &str| -> String {
        let rest = package.strip_prefix("name = \"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    // What comes from no registry is ours.
    let mut ours = packages
        .iter()
        .filter(|package| !package.contains("\nsource = "));
    let fshare = packages
        .iter()
        .find(|package| name(package) == "fshare")
        .unwrap();
    let uses = |other: &str| fshare.contains(&format!("\n \"{other}\""));
    assert!(uses("clap"), "its dependencies are read");
    assert!(ours.clone().any(|package| name(package) == "file-share"));
    let used = ours.find(|package| uses(&name(package)));
    assert_eq!(used, None, "fshare depends on another package of ours");
}

#[test]
fn only_the_doctor_of_the_command_line_speaks_to_aws() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/src");
    let aws = sources.join("doctor/aws");
    let mut speaks = 0;
    for file in rust_files(&sources) {
        let text = fs::read_to_string(&file).unwrap();
        let names_sdk = text.contains("aws_sdk_") || text.contains("aws_config");
        speaks += usize::from(names_sdk);
        assert!(
            !names_sdk || file.starts_with(&aws),
            "{} names a type of an SDK",
            file.display()
        );
    }
    assert!(speaks > 0, "the doctor has moved");
}

#[test]
fn every_module_begins_with_its_purpose() {
    for (file, text) in sources() {
        assert!(text.starts_with("//!"), "{file} doesn't say what it is for");
    }
}
