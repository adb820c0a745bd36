//! Which part of the code may import which: the direction in which data goes.

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use imports::imports;

/// Every module, and the modules that it may import from. A module that isn't here fails the test.
const MAY_IMPORT: [(&str, &[&str]); 58] = [
    ("domain", &[]),
    ("client_address", &[]),
    ("rate_limits", &[]),
    ("clock", &["domain"]),
    ("metrics", &[]),
    ("metrics_endpoint", &["metrics", "own_paths"]),
    ("store_error", &["metrics"]),
    ("store_marker", &["store_error"]),
    ("start_check", &[]),
    ("cors", &[]),
    ("network_addresses", &[]),
    ("owner_only_files", &[]),
    ("capacity", &["client_address"]),
    ("create_limits", &["client_address", "domain"]),
    ("disk_space", &["owner_only_files", "store_error"]),
    ("shutdown", &[]),
    ("request_host", &[]),
    ("secret_file", &["owner_only_files"]),
    ("capability_token", &["domain", "secret_file"]),
    ("item_store", &["clock", "domain", "store_error"]),
    (
        "access",
        &[
            "capability_token",
            "client_address",
            "config",
            "domain",
            "https_client",
            "item_store",
            "rate_limits",
            "secret_file",
            "store_error",
        ],
    ),
    (
        "audit",
        &["access", "domain", "owner_only_files", "secret_file"],
    ),
    (
        "file_events",
        &["access", "clock", "domain", "item_store", "store_error"],
    ),
    ("audit_verify", &["audit"]),
    ("request_log", &["metrics"]),
    ("own_paths", &[]),
    (
        "config",
        &["client_address", "domain", "own_paths", "rate_limits"],
    ),
    ("https_client", &["config"]),
    ("lambda_runtime", &["store_error"]),
    ("telemetry", &["config"]),
    ("traces", &["config", "domain", "https_client", "metrics"]),
    ("aws", &["domain", "metrics", "start_check", "store_error"]),
    ("presigned_url", &["domain", "store_error"]),
    (
        "download_edge",
        &[
            "config",
            "domain",
            "https_client",
            "presigned_url",
            "start_check",
        ],
    ),
    (
        "object_store",
        &[
            "traces",
            "domain",
            "clock",
            "metrics",
            "store_error",
            "store_marker",
            "start_check",
            "aws",
            "owner_only_files",
            "disk_space",
        ],
    ),
    (
        "metadata_store",
        &[
            "traces",
            "domain",
            "clock",
            "item_store",
            "metrics",
            "store_error",
            "store_marker",
            "start_check",
            "aws",
            "owner_only_files",
            "disk_space",
        ],
    ),
    ("file_types", &["domain"]),
    (
        "scanner",
        &[
            "clock",
            "config",
            "domain",
            "item_store",
            "metrics",
            "start_check",
            "store_error",
        ],
    ),
    (
        "quotas",
        &[
            "access",
            "config",
            "domain",
            "metadata_store",
            "store_error",
        ],
    ),
    (
        "operations",
        &[
            "traces",
            "access",
            "quotas",
            "domain",
            "file_types",
            "scanner",
            "clock",
            "store_error",
            "metadata_store",
            "metrics",
            "object_store",
            "presigned_url",
            "file_events",
        ],
    ),
    (
        "webhooks",
        &[
            "traces",
            "clock",
            "config",
            "domain",
            "https_client",
            "metadata_store",
            "metrics",
            "operations",
            "store_error",
        ],
    ),
    ("receipt", &["domain", "secret_file"]),
    (
        "passwords",
        &[
            "capability_token",
            "client_address",
            "domain",
            "operations",
            "rate_limits",
            "store_error",
        ],
    ),
    (
        "boxes",
        &[
            "traces",
            "quotas",
            "access",
            "capability_token",
            "domain",
            "item_store",
            "metadata_store",
            "operations",
            "passwords",
            "presigned_url",
            "store_error",
        ],
    ),
    (
        "links",
        &[
            "quotas",
            "access",
            "capability_token",
            "domain",
            "item_store",
            "operations",
            "passwords",
            "presigned_url",
            "store_error",
            "webhooks",
        ],
    ),
    // The one way in to the operations.
    (
        "service",
        &[
            "quotas",
            "access",
            "audit",
            "boxes",
            "capability_token",
            "links",
            "clock",
            "request_log",
            "domain",
            "capacity",
            "create_limits",
            "metadata_store",
            "operations",
            "presigned_url",
            "receipt",
            "scanner",
            "store_error",
            "file_events",
        ],
    ),
    ("web_page", &["access", "domain", "own_paths"]),
    (
        "api",
        &[
            "traces",
            "access",
            "audit",
            "boxes",
            "capability_token",
            "client_address",
            "links",
            "clock",
            "domain",
            "lambda_runtime",
            "rate_limits",
            "cors",
            "capacity",
            "network_addresses",
            "operations",
            "metadata_store",
            "metrics",
            "own_paths",
            "presigned_url",
            "receipt",
            "request_host",
            "request_log",
            "scanner",
            "service",
            "store_error",
            "web_page",
            "file_events",
        ],
    ),
    (
        "local_mode",
        &[
            "traces",
            "domain",
            "clock",
            "cors",
            "capacity",
            "operations",
            "object_store",
            "presigned_url",
            "secret_file",
            "request_host",
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
            "file_types",
            "local_mode",
            "object_store",
            "presigned_url",
        ],
    ),
    // Settings to opened stores.
    (
        "stores",
        &[
            "traces",
            "quotas",
            "access",
            "audit",
            "aws",
            "capability_token",
            "clock",
            "config",
            "disk_space",
            "domain",
            "file_events",
            "item_store",
            "local_mode",
            "metadata_store",
            "metrics",
            "metrics_endpoint",
            "object_store",
            "operations",
            "owner_only_files",
            "receipt",
            "secret_file",
            "scanner",
            "start_check",
            "store_error",
            "store_marker",
            "webhooks",
        ],
    ),
    // Puts everything together.
    (
        "app",
        &[
            "traces",
            "access",
            "api",
            "audit",
            "boxes",
            "capability_token",
            "links",
            "clock",
            "aws",
            "config",
            "cors",
            "create_limits",
            "domain",
            "download_edge",
            "item_store",
            "lambda_runtime",
            "local_mode",
            "metadata_store",
            "metrics",
            "object_store",
            "operations",
            "passwords",
            "presigned_url",
            "receipt",
            "secret_file",
            "service",
            "store_marker",
            "stores",
            "file_events",
            "webhooks",
        ],
    ),
    (
        "adopt",
        &["config", "store_error", "store_marker", "stores"],
    ),
    (
        "check",
        &[
            "aws",
            "clock",
            "config",
            "download_edge",
            "scanner",
            "start_check",
            "stores",
        ],
    ),
    (
        "rescan",
        &[
            "audit",
            "config",
            "file_events",
            "operations",
            "service",
            "stores",
        ],
    ),
    (
        "recount",
        &[
            "config",
            "domain",
            "metadata_store",
            "store_error",
            "stores",
        ],
    ),
    ("scrub", &["config", "operations", "stores"]),
    (
        "backup",
        &[
            "config",
            "domain",
            "metadata_store",
            "object_store",
            "operations",
            "owner_only_files",
            "scrub",
            "secret_file",
            "store_error",
            "store_marker",
            "stores",
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
fn top_module(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of the worker, and what each may import: modules of its own, and of the library.
const WORKER_MAY_IMPORT: [(&str, &[&str], &[&str]); 9] = [
    ("notification", &[], &["domain"]),
    (
        "event_queue",
        &[],
        &["aws", "clock", "domain", "start_check", "store_error"],
    ),
    (
        "consumer",
        &["event_queue", "notification"],
        &["clock", "domain", "metrics", "operations", "store_error"],
    ),
    (
        "dead_letters",
        &["event_queue", "notification"],
        &["domain"],
    ),
    ("settings", &["event_queue"], &["config"]),
    // The other way in to the consumer and to what runs beside it.
    (
        "function",
        &["consumer", "event_queue"],
        &[
            "domain",
            "file_events",
            "lambda_runtime",
            "metrics",
            "operations",
            "scanner",
            "store_error",
            "webhooks",
        ],
    ),
    (
        "operator",
        &["dead_letters", "event_queue", "settings"],
        &["aws", "shutdown"],
    ),
    ("fuzzing", &["notification"], &["domain"]),
    // Puts everything together.
    (
        "main",
        &[],
        &[
            "aws",
            "config",
            "file_events",
            "lambda_runtime",
            "operations",
            "shutdown",
            "stores",
            "telemetry",
            "webhooks",
        ],
    ),
];

/// Where a file is in its crate, from the root.
fn module(file: &str) -> Vec<&str> {
    let inside = file.split_once("src/").unwrap().1;
    let path = inside.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').collect()
}

/// The code without the tests at its end, which may build what they need from others; `None` if all of it
/// is tests.
fn code<'a>(file: &str, text: &'a str) -> Option<&'a str> {
    let is_test = |part: &str| part == "tests" || part.ends_with("_tests");
    let is_tested = !module(file).iter().any(|part| is_test(part));
    is_tested.then(|| text.split("#[cfg(test)]\nmod tests {").next().unwrap())
}

#[test]
fn every_module_imports_only_what_lies_before_it() {
    let mut seen = 0;
    for (file, text) in sources() {
        let module_name = top_module(&file);
        if matches!(module_name, "lib" | "main") {
            continue;
        }
        let Some(code) = code(&file, &text) else {
            continue;
        };
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module_name)
            .unwrap_or_else(|| panic!("{module_name} has no place in the direction yet"));
        for imported in imports(code, &module(&file), "crate") {
            let is_module = MAY_IMPORT.iter().any(|(name, _)| *name == imported);
            let is_allowed = imported == module_name || allowed.contains(&imported.as_str());
            assert!(imported != "*", "{file} imports all modules at once");
            assert!(
                !is_module || is_allowed,
                "{file} imports {imported}, which {module_name} may not"
            );
            seen += usize::from(is_module && imported != module_name);
        }
    }
    assert!(seen > 100, "only {seen} imports were seen");
}

#[test]
fn routes_are_mounted_by_their_names_in_the_list_of_own_paths() {
    let mut seen = 0;
    for (file, text) in sources() {
        let Some(code) = code(&file, &text) else {
            continue;
        };
        for mounted in code.split(".at(").skip(1) {
            let argument = mounted.trim_start();
            assert!(!argument.starts_with("\"/"), "{file} mounts {argument:.30}");
            let path = argument.split(',').next().unwrap_or_default();
            seen += usize::from(path.contains("own_paths::"));
        }
    }
    assert!(seen >= 9, "only {seen} routes were seen");
}

#[test]
fn every_module_of_the_worker_imports_only_what_lies_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for path in rust_files(&root.join("worker/src")) {
        let file = path.strip_prefix(root).unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let module_name = module(file)[0];
        let Some(code) = code(file, &text) else {
            continue;
        };
        if module_name == "lib" {
            continue;
        }
        let (_, own, of_library) = WORKER_MAY_IMPORT
            .iter()
            .find(|(name, ..)| *name == module_name)
            .unwrap_or_else(|| panic!("{module_name} has no place in the direction yet"));
        for (root, allowed) in [("crate", own), ("file_share", of_library)] {
            for imported in imports(code, &module(file), root) {
                let is_module = match root {
                    "crate" => WORKER_MAY_IMPORT.iter().any(|(name, ..)| *name == imported),
                    _ => MAY_IMPORT.iter().any(|(name, _)| *name == imported),
                };
                let is_own = root == "crate" && imported == module_name;
                let is_allowed = is_own || allowed.contains(&imported.as_str());
                assert!(imported != "*", "{file} imports everything");
                assert!(
                    !is_module || is_allowed,
                    "{file} imports {imported}, which {module_name} may not"
                );
                seen += usize::from(is_module);
            }
        }
    }
    assert!(seen > 20, "only {seen} imports were seen");
}

#[test]
fn the_campaigns_and_the_command_line_know_no_module_of_the_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (sources, allowed) in [("chaos/src", &["aws"][..]), ("cli/src", &[])] {
        for path in rust_files(&root.join(sources)) {
            let text = fs::read_to_string(&path).unwrap();
            for imported in imports(&text, &[], "file_share") {
                let is_allowed = allowed.contains(&imported.as_str());
                assert!(
                    is_allowed,
                    "{} imports {imported} of the service",
                    path.display()
                );
            }
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
fn the_command_line_is_built_without_the_sdk_of_aws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("cli/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let (dependencies, for_tests) = dependencies.split_once("[dev-dependencies]").unwrap();
    assert!(!dependencies.contains("\naws-"), "{dependencies}");
    assert!(for_tests.contains("\naws-"), "the tests have moved");
}

/// Where a store is opened in production: a call of what opens it.
#[test]
fn stores_are_opened_in_one_place() {
    let opened = [
        "SqliteMetadataStore::open",
        "SqliteMetadataStore::open_read_only",
        "DynamoDbMetadataStore::new",
        "DiskObjectStore::open",
        "DiskObjectStore::open_read_only",
        "S3ObjectStore::new",
    ];
    let mut seen = std::collections::BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for dir in ["src", "worker/src"] {
        for path in rust_files(&root.join(dir)) {
            let file = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let Some(code) = code(&file, &text) else {
                continue;
            };
            for call in opened.into_iter().filter(|call| code.contains(call)) {
                let is_here = file.starts_with("src/stores/");
                let is_for_tests = file.contains("fuzzing") || file.contains("conformance");
                assert!(is_here || is_for_tests, "{file} calls {call}");
                seen.insert(call);
            }
        }
    }
    assert_eq!(seen.len(), opened.len(), "only {seen:?} were seen");
}

#[test]
fn every_module_begins_with_its_purpose() {
    for (file, text) in sources() {
        assert!(text.starts_with("//!"), "{file} doesn't say what it is for");
    }
}
