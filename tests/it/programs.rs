//! What the programs say to whoever starts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::curl::curl_status;
use crate::support::program::{Program, data_dir};

fn api() -> PathBuf {
    env!("CARGO_BIN_EXE_file-share").into()
}

fn worker() -> PathBuf {
    api().with_file_name("file-share-worker")
}

fn run(program: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(program)
        .env_clear()
        .envs(settings.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

/// The part of `--help` about one setting: from its flag to its variable.
fn explanation<'a>(help: &'a str, name: &str) -> &'a str {
    let variable = help
        .find(&format!("[env: {name}="))
        .unwrap_or_else(|| panic!("{name} isn't explained in:\n{help}"));
    let before = &help[..variable];
    &before[before.rfind("\n      --").unwrap_or(0)..]
}

#[test]
fn help_explains_every_setting_of_a_program() {
    const BOTH: [&str; 8] = [
        "BUCKET_NAME",
        "TABLE_NAME",
        "RECONCILE_INTERVAL",
        "ORPHAN_SWEEP_INTERVAL",
        "ORPHAN_LIMIT",
        "UPLOAD_GRACE",
        "LOG_FORMAT",
        "RUST_LOG",
    ];
    const API: [&str; 14] = [
        "MODE",
        "LISTEN",
        "PUBLIC_URL",
        "DATA_DIR",
        "S3_PUBLIC_ENDPOINT_URL",
        "MAX_UPLOAD_BYTES",
        "ALLOWED_TYPES",
        "UPLOAD_URL_TTL",
        "DOWNLOAD_URL_TTL",
        "DOWNLOAD_ORIGIN",
        "DOWNLOAD_KEY_ID",
        "DOWNLOAD_KEY_FILE",
        "ALLOWED_ORIGINS",
        "ALLOWED_HOSTS",
    ];
    for (program, own) in [
        (api(), &API[..]),
        (worker(), &["QUEUE_URL", "VISIBILITY_TIMEOUT"][..]),
    ] {
        let output = run(&program, &["--help"], &[]);
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        for name in BOTH.iter().chain(own) {
            let text = explanation(&help, name);
            let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
            assert!(text.contains(&flag), "{name} has no flag {flag}: {text}");
            let words = text.split_whitespace().count();
            assert!(words >= 5, "{name} isn't explained: {text}");
        }
        for name in ["AWS_ENDPOINT_URL", "AWS_REGION"] {
            assert!(help.contains(name), "{name} isn't named in:\n{help}");
        }
    }
}

#[test]
fn a_program_names_everything_that_is_wrong_or_missing_in_one_message() {
    for (program, names) in [
        (api(), &["MODE", "TABLE_NAME", "LOG_FORMAT", "RUST_LOG"][..]),
        (
            worker(),
            &["QUEUE_URL", "TABLE_NAME", "LOG_FORMAT", "RUST_LOG"][..],
        ),
    ] {
        let settings = [
            ("MODE", "cloud"),
            ("TABLE_NAME", "t"),
            ("LOG_FORMAT", "xml"),
            ("RUST_LOG", "file_share=loud"),
        ];
        let output = run(&program, &[], &settings);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        for name in names {
            let line = format!("\n  {name}: ");
            assert!(message.contains(&line), "{name} isn't named in:\n{message}");
        }
        assert_eq!(message.matches("can't start").count(), 1, "{message}");
    }
}

#[test]
fn an_empty_variable_counts_as_one_that_is_not_set_in_every_program_and_subcommand() {
    let variables = [
        "MODE",
        "TABLE_NAME",
        "BUCKET_NAME",
        "LOG_FORMAT",
        "RUST_LOG",
        "DATA_DIR",
    ]
    .into_iter()
    .chain([
        "VISIBILITY_TIMEOUT",
        "ORPHAN_LIMIT",
        "UPLOAD_GRACE",
        "DEAD_LETTER_QUEUE_URL",
    ]);
    let mut settings: Vec<(&str, &str)> = variables.map(|name| (name, "")).collect();
    // The one thing that is wrong.
    settings.push(("RECONCILE_INTERVAL", "soon"));
    for (program, arguments) in [
        (api(), &[][..]),
        (api(), &["scrub"]),
        (api(), &["check"]),
        (worker(), &[]),
        (worker(), &["inspect"]),
        (worker(), &["redrive"]),
    ] {
        let output = run(&program, arguments, &settings);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        let named: Vec<&str> = message
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(':').next())
            .filter(|name| *name != "QUEUE_URL")
            .collect();
        assert_eq!(named, ["RECONCILE_INTERVAL"], "{message}");
    }
}

#[test]
fn a_flag_that_does_not_exist_stops_the_start() {
    for program in [api(), worker()] {
        let output = run(&program, &["--colour=blue"], &[]);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("--colour"), "{message}");
    }
}

#[test]
fn aws_mode_without_a_region_says_what_to_set() {
    let queue = "http://127.0.0.1:9/queue";
    for (program, settings) in [
        (api(), [("MODE", "aws")]),
        (worker(), [("QUEUE_URL", queue)]),
    ] {
        let mut settings = settings.to_vec();
        settings.extend([
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("ACCESS", "open"),
            ("LINK_SECRET", "a secret of links that is long enough"),
        ]);
        let output = run(&program, &[], &settings);
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("AWS_REGION"), "{message}");
    }
}

#[test]
fn the_greeting_says_where_the_explorer_is_and_a_line_that_can_be_pasted() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let said = |label: &str| {
        let line = program
            .greeting
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label} in:\n{}", program.greeting))
            .trim()
    };
    assert_eq!(said("explorer"), format!("{}/explorer", program.base));
    for page in ["explorer", "Swagger UI"] {
        assert_eq!(curl_status(&[said(page)]), "200");
    }
    let pasted = Command::new("sh").args(["-c", said("try it")]).output();
    let pasted = pasted.unwrap();
    assert!(pasted.status.success());
    let created: Value = serde_json::from_slice(&pasted.stdout).unwrap();
    assert_eq!(created["filename"], "hello.txt");
    assert_eq!(created["status"], "pending");
    assert_eq!(created["upload"]["method"], "PUT");
}

/// Run without what the tests' own environment says to a `make` that may have started them.
fn make(arguments: &[&str]) -> String {
    let output = Command::new("make")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn make_lists_its_targets_and_each_of_them_can_be_made() {
    const TARGETS: [&str; 29] = [
        "help",
        "run",
        "check",
        "test",
        "test-unit",
        "test-promises",
        "test-chaos",
        "test-local",
        "test-aws",
        "simulate",
        "lint",
        "stack-rules",
        "advisories",
        "coverage",
        "chaos",
        "alerts",
        "schemathesis",
        "fuzz",
        "bench",
        "lambda",
        "lighthouse",
        "pictures",
        "packages",
        "release",
        "release-check",
        "up",
        "init",
        "logs",
        "down",
    ];
    let help = make(&["--no-print-directory"]);
    assert_eq!(help, make(&["--no-print-directory", "help"]));
    for target in TARGETS {
        let line = help
            .lines()
            .find_map(|line| line.strip_prefix(&format!("  make {target} ")))
            .unwrap_or_else(|| panic!("{target} isn't in:\n{help}"));
        assert!(!line.trim().is_empty(), "{target} isn't explained");
        let recipe = make(&["--dry-run", "--always-make", target]);
        assert!(!recipe.trim().is_empty(), "{target} does nothing");
    }
    assert_eq!(help.lines().count(), TARGETS.len(), "{help}");
}
