//! What README tells a newcomer to paste does what README says.

use std::process::Command;

use crate::support::program::{Program, data_dir};

const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));

/// The first block of shell commands below a heading.
fn block_below(heading: &str) -> &'static str {
    let (_, below) = README.split_once(heading).expect("the heading is there");
    let (_, block) = below.split_once("```sh\n").expect("a block follows");
    block.split("```").next().expect("the block ends")
}

#[test]
fn the_first_upload_can_be_pasted_and_ends_with_the_same_bytes() {
    let dir = data_dir();
    let program = Program::local(&dir.path().join("data"), &[]);
    let script = block_below("## A first upload").replace("http://127.0.0.1:8000", &program.base);
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("\"status\":\"available\""), "{printed}");
    assert!(printed.ends_with("the same bytes\n"), "{printed}");
}

#[test]
fn a_link_can_be_made_and_used_after_the_first_upload() {
    let dir = data_dir();
    let program = Program::local(&dir.path().join("data"), &[]);
    let upload = block_below("## A first upload");
    let script = format!("{upload}\n{}", block_below("## Passing files on"));
    let script = script.replace("http://127.0.0.1:8000", &program.base);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir.path());
    let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(printed.ends_with("passed on\n"), "{printed}");
}

#[test]
fn a_file_is_handed_in_to_a_box_and_has_its_receipt_after_the_first_upload() {
    let dir = data_dir();
    let program = Program::local(&dir.path().join("data"), &[]);
    let upload = block_below("## A first upload");
    let script = format!("{upload}\n{}", block_below("## Having files handed in"));
    let script = script.replace("http://127.0.0.1:8000", &program.base);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir.path());
    let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_str(printed.lines().last().unwrap()).expect("a line of JSON");
    assert_eq!(manifest["submitter"], "Ada Lovelace", "{printed}");
    assert_eq!(manifest["displayName"], "sheet 3.txt", "{printed}");
    assert_eq!(
        (&manifest["late"], &manifest["size"]),
        (&false.into(), &5.into()),
        "{printed}"
    );
    let receipt = std::fs::read_to_string(dir.path().join("ada.jws")).unwrap();
    assert_eq!(receipt.matches('.').count(), 2, "{receipt}");
}

#[test]
fn every_setting_in_the_table_is_one_of_the_programs() {
    let help = |program: &std::path::Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let api = std::path::Path::new(env!("CARGO_BIN_EXE_file-share"));
    let worker = api.with_file_name("file-share-worker");
    let all = help(api, &["--help"])
        + &help(&worker, &["--help"])
        + &help(&worker, &["redrive", "--help"]);
    let (_, table) = README.split_once("## Settings").unwrap();
    let (table, _) = table.split_once("\n\nBehind a proxy").unwrap();
    let names: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| {
            line.split('|')
                .nth(1)
                .unwrap_or_default()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        // AWS's own variable is read by AWS's own code.
        assert!(
            all.contains(&format!("[env: {name}")) || all.contains(name),
            "{name} is in no --help"
        );
    }
}

#[test]
fn what_lands_a_change_are_commands_that_readme_gives_and_nothing_else() {
    let script = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run"));
    let commands: Vec<&str> = script
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#']))
        .filter(|line| !line.starts_with("set ") && !line.starts_with("cd "))
        .collect();
    assert_eq!(commands, ["make lint", "make test"]);
    for command in commands {
        assert!(
            README.contains(&format!("\n{command}  ")),
            "{command} is in no block of README"
        );
    }
}
