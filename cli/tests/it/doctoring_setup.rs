//! `fshare doctor --aws` asks the service's program: which one, and what if it isn't there or says nonsense.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, fshare, service_program};

/// Nobody answers there, so that the twelve checks before those of the setup are over at once.
const NOBODY: &str = "http://127.0.0.1:1";
const BEFORE: usize = 14;
const QUEUE: &str = "http://127.0.0.1:1/1/q";

fn doctor(settings: &[(&str, &Path)], arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = fshare(NOBODY);
    command
        .args(["doctor", "--json", "--aws", "--queue-url", QUEUE])
        .args(arguments)
        .envs(settings.iter().copied());
    let ran = Ran::of(command.output().unwrap());
    (ran.code, ran.json().split_off(BEFORE))
}

fn script(folder: &Path, text: &str) {
    let path = folder.join("file-share");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn assert_says(line: &Value, verdict: &str, said: &str, mend: &str) {
    assert_eq!(line["check"], "aws", "{line}");
    assert_eq!(line["verdict"], verdict, "{line}");
    assert!(line["said"].as_str().unwrap().contains(said), "{line}");
    assert!(line["mend"].as_str().unwrap().contains(mend), "{line}");
}

#[test]
fn a_program_that_is_not_there_hides_the_setup_and_is_asked_for() {
    let empty = tempfile::tempdir().unwrap();
    let (_, lines) = doctor(&[("PATH", empty.path())], &[]);
    let [line] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert_says(
        line,
        "not_looked_at",
        "file-share can't be started",
        "FILE_SHARE_PROGRAM",
    );
}

#[test]
fn the_program_is_found_on_the_path_or_by_its_name_and_told_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    script(
        folder.path(),
        r#"echo "{\"check\":\"ttl\",\"verdict\":\"not_looked_at\",\"said\":\"$* $MODE $BUCKET_NAME $TABLE_NAME $QUEUE_URL\",\"mend\":\"m\",\"milliseconds\":3}"; exit 1"#,
    );
    let by_name = folder.path().join("file-share");
    for (settings, arguments) in [
        ([("PATH", folder.path())], &[][..]),
        ([("FILE_SHARE_PROGRAM", by_name.as_path())], &[]),
        (
            [("PATH", Path::new("/usr/bin"))],
            &["--file-share", by_name.to_str().unwrap()],
        ),
    ] {
        let (_, lines) = doctor(&settings, &[arguments, &["--bucket-name", "b"]].concat());
        let [line] = &lines[..] else {
            panic!("{lines:#?}");
        };
        assert_eq!(line["check"], "ttl");
        assert_eq!(line["verdict"], "not_looked_at");
        assert_eq!(line["mend"], "m");
        assert_eq!(line["milliseconds"], 3);
        let said = format!("check --json --setup aws b FileMetadata {QUEUE}");
        assert_eq!(line["said"], said);
    }
}

#[test]
fn a_program_that_is_another_or_an_older_one_is_no_good_news() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        (
            "echo \"error: unrecognized subcommand\" >&2; exit 2",
            "code 2: error: unrecognized",
        ),
        ("exit 0", "ended with code 0"),
        ("echo hello", "something else than checks"),
        (
            "echo '{\"check\":\"x\",\"verdict\":\"splendid\",\"said\":\"y\"}'",
            "something else",
        ),
        (
            "echo '{\"check\":\"x\",\"verdict\":\"ok\",\"said\":\"y\"}'; exit 3",
            "code 3",
        ),
        ("kill -9 $$", "no code"),
    ] {
        script(folder.path(), text);
        let program = folder.path().join("file-share");
        let (_, lines) = doctor(&[("FILE_SHARE_PROGRAM", &program)], &[]);
        assert_says(lines.last().unwrap(), "wrong", said, "as new as this one");
    }
    // It complains of much, and sleeps for ever.
    script(
        folder.path(),
        "head -c 1000000 /dev/zero >&2; exec sleep 600",
    );
    let program = folder.path().join("file-share");
    let settings = [("FILE_SHARE_PROGRAM", program.as_path())];
    let (_, lines) = doctor(&settings, &["--check-limit", "1"]);
    assert_says(
        lines.last().unwrap(),
        "wrong",
        "said nothing for 1 s",
        "--check-limit",
    );
}

#[test]
fn the_real_program_without_a_region_says_what_to_set() {
    let program = service_program();
    let settings = [
        ("FILE_SHARE_PROGRAM", program.as_path()),
        ("AWS_EC2_METADATA_DISABLED", Path::new("true")),
    ];
    let (_, lines) = doctor(&settings, &[]);
    assert_eq!(lines.len(), 9, "{lines:#?}");
    assert_says(&lines[0], "wrong", "no AWS region", "AWS_REGION");
    let ran = Ran::of(fshare(NOBODY).args(["doctor", "--aws"]).output().unwrap());
    assert_eq!(ran.code, 2, "which queue: {ran:?}");
}
