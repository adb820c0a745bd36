//! `fshare upload`.

mod faults;

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Ran, Service, in_terminal, random, signalled};

const MAX_FILE_BYTES: usize = 20 * 1024 * 1024;

#[test]
fn a_file_ends_as_a_link_alone_on_standard_output_and_nothing_else_in_a_pipe() {
    let service = Service::start(&[]);
    service.file("hello.txt", b"hello");
    let ran = service.run(&["upload", "hello.txt"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let link = ran.out.strip_suffix('\n').unwrap();
    assert!(link.starts_with(&format!("{}/f/", service.base)), "{link}");
    assert!(!link.contains('\n'), "{link}");
    let info = service.run(&["info", link, "--json"]).json();
    assert_eq!(info[0]["status"], "available");
    assert_eq!(info[0]["filename"], "hello.txt");
    assert_eq!(info[0]["link"], link);
}

#[test]
fn a_folder_goes_with_everything_in_it_empty_files_and_the_largest_included() {
    let service = Service::start(&[]);
    let largest = random(MAX_FILE_BYTES);
    service.file("course/a.txt", b"a");
    service.file("course/week 1/empty", b"");
    service.file("course/week 1/largest.bin", &largest);
    std::os::unix::fs::symlink("..", service.folder.path().join("course/round")).unwrap();
    let ran = service.run(&["upload", "course", "--jobs", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.err.lines().count(),
        1,
        "the link that leads back: {ran:?}"
    );
    assert_eq!(ran.out.lines().count(), 3);
    let records = service.records();
    let mut sizes: Vec<_> = records
        .iter()
        .map(|r| r["size"].as_u64().unwrap())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 1, MAX_FILE_BYTES as u64]);
    assert!(records.iter().all(|record| record["status"] == "available"));
    // In the order of the folder.
    let last = ran.out.lines().last().unwrap();
    let download = service.run(&["download", last, "-o", "back"]);
    assert_eq!(download.code, 0, "{download:?}");
    assert!(std::fs::read(service.folder.path().join("back")).unwrap() == largest);
}

#[test]
fn what_a_shell_makes_of_a_glob_is_uploaded() {
    let service = Service::start(&[]);
    for name in ["a.txt", "b.txt", "c.pdf"] {
        service.file(name, b"x");
    }
    let mut shell = Command::new("sh");
    let ran = shell
        .args(["-c", "\"$0\" upload *.txt", env!("CARGO_BIN_EXE_fshare")])
        .env("FILE_SHARE_URL", &service.base)
        .current_dir(service.folder.path())
        .output();
    let ran = Ran::of(ran.unwrap());
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
    let mut names: Vec<_> = service.records();
    names.sort_by_key(|record| record["filename"].to_string());
    assert_eq!(
        (&names[0]["filename"], &names[1]["filename"]),
        (&"a.txt".into(), &"b.txt".into())
    );
}

#[test]
fn one_that_is_too_large_or_missing_is_said_and_the_others_go() {
    let service = Service::start(&[("MAX_UPLOAD_BYTES", "100")]);
    service.file("small", b"1");
    service.file("over the operator's", &[0; 101]);
    service.file("over the contract's", &vec![0; MAX_FILE_BYTES + 1]);
    let ran = service.run(&[
        "upload",
        "small",
        "over the operator's",
        "over the contract's",
        "missing",
    ]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1);
    let said = |name: &str, what: &str| {
        let line = ran.err.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains(what), "{line}");
    };
    said("over the operator's", "content_too_large");
    said("over the contract's", "too large");
    said("missing", "No such file");
    // Nothing was even created for those.
    assert_eq!(service.records().len(), 1);
}

#[test]
fn standard_input_goes_if_its_length_is_the_declared_one() {
    let service = Service::start(&[]);
    let pipe = |arguments: &[&str]| {
        let mut command = service.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"12345");
        Ran::of(child.wait_with_output().unwrap())
    };
    let ran = pipe(&["upload", "-", "--name", "n.txt", "--size", "5"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    let ran = pipe(&["upload", "-", "--name", "n.txt", "--size", "6"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(
        ran.err.contains("--size says 6 bytes, and 5 came"),
        "{ran:?}"
    );
    let ran = pipe(&["upload", "-"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(service.records().len(), 1);
}

#[test]
fn a_program_gets_one_object_a_line_for_what_went_and_what_did_not() {
    let service = Service::start(&[]);
    service.file("a.txt", b"a");
    let ran = service.run(&["upload", "--json", "a.txt", "missing"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
    let lines = ran.json();
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap();
    assert_eq!(of("a.txt")["status"], "available");
    assert!(of("a.txt")["link"].as_str().unwrap().starts_with("http"));
    assert_eq!(of("missing")["error"]["code"], "local_error");
}

#[test]
fn a_person_in_a_terminal_sees_a_bar() {
    let service = Service::start(&[]);
    service.file("seen.bin", &random(5_000_000));
    let (code, shown) = in_terminal(&service, "upload seen.bin", "");
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("seen.bin") && shown.contains("MiB") && shown.contains('['),
        "{shown}"
    );
    assert!(!shown.contains("X-Amz-"), "{shown}");
    let last = shown.trim_end().lines().last().unwrap();
    assert!(last.contains("/f/"), "the link is last: {shown:?}");
}

#[test]
fn ctrl_c_says_what_is_done_and_what_is_not() {
    let service = Service::start(&[]);
    service.file("a", b"a");
    service.file("b", b"b");
    // The second one's bytes are never answered, because the signal comes first.
    let upload = ["upload", "--jobs", "1", "a", "b"];
    let ran = signalled(&service, "-INT", &["PUT ", "PUT "], &upload);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(
        ran.out.lines().count(),
        1,
        "the link of the one that is done: {ran:?}"
    );
    assert!(
        ran.err.contains("interrupted") && ran.err.contains("b: not uploaded"),
        "{ran:?}"
    );
    assert!(!ran.err.contains("a: not uploaded"), "{ran:?}");
}

#[test]
fn a_program_that_is_asked_to_end_says_as_much_with_its_own_exit_code() {
    let service = Service::start(&[]);
    service.file("a", b"a");
    service.file("b", b"b");
    // The first one's bytes are there, and its end isn't known yet; the second one waits.
    let upload = ["upload", "--jobs", "1", "a", "b"];
    let ran = signalled(&service, "-TERM", &["PUT ", "POST /v1/files/"], &upload);
    assert_eq!((ran.code, ran.out.as_str()), (143, ""), "{ran:?}");
    let said: Vec<_> = ran.err.lines().collect();
    assert_eq!(said.len(), 3, "nothing is half-said: {ran:?}");
    assert_eq!(said[0], "fshare: interrupted");
    let asked = "✗ a: sent, but its end isn't known yet; ask with: fshare info http://127.0.0.1:";
    assert!(said[1].starts_with(asked), "{ran:?}");
    assert_eq!(said[2], "✗ b: not uploaded");
    assert!(ran.err.ends_with('\n'), "{ran:?}");
}

#[test]
fn a_file_is_uploaded_with_the_time_at_which_it_is_deleted() {
    let service = Service::start(&[("MAX_KEEP", "30d")]);
    service.file("notes.txt", b"for a week");
    let ran = service.run(&["upload", "--delete-after", "7d", "notes.txt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = &service.records()[0];
    let time = |field: &str| chrono::DateTime::parse_from_rfc3339(record[field].as_str().unwrap());
    let kept = time("deleteAfter").unwrap() - time("createdAt").unwrap();
    assert!(
        (kept - chrono::TimeDelta::days(7)).num_seconds().abs() < 60,
        "{record}"
    );
    let info = service.run(&["info", ran.out.trim_end()]);
    assert!(
        info.out
            .lines()
            .any(|line| line.starts_with("delete on 20")),
        "{info:?}"
    );

    // Beyond what the service keeps it says so, and nothing is there.
    let ran = service.run(&["upload", "--delete-after", "8w", "notes.txt"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("must be no later than"), "{ran:?}");
    let ran = service.run(&["upload", "--delete-after", "soon", "notes.txt"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(service.records().len(), 1);
}

#[test]
fn what_is_kept_with_a_file_is_shown_again_and_what_the_service_refuses_is_told() {
    let service = Service::start(&[]);
    service.file("notes.txt", b"notes");
    let ran = service.run(&[
        "upload",
        "--metadata",
        "course=INF-1",
        "--metadata=formula=a=b\u{1b}[2J",
        "--metadata=empty=",
        "notes.txt",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let link = ran.out.trim_end();
    let expected = serde_json::json!({"course": "INF-1", "formula": "a=b\u{1b}[2J", "empty": ""});
    let info = service.run(&["info", link, "--json"]).json();
    assert_eq!(info[0]["metadata"], expected);
    let shown = service.run(&["info", link]).out;
    for line in ["metadata  course=INF-1\n", "metadata  empty=\n"] {
        assert!(shown.contains(line), "{shown}");
    }
    // No file's text steers a terminal.
    assert!(!shown.contains('\u{1b}'), "{shown:?}");

    for refused in ["course", "=x", ""] {
        let ran = service.run(&["upload", "--metadata", refused, "notes.txt"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("course=INF-1"), "{ran:?}");
    }
    let twice = ["upload", "--metadata=a=1", "--metadata=a=2", "notes.txt"];
    let ran = service.run(&twice);
    assert!(ran.code != 0 && ran.err.contains("twice"), "{ran:?}");
    let long = format!("--metadata=a={}", "x".repeat(1024));
    let ran = service.run(&["upload", &long, "notes.txt"]);
    assert!(ran.code != 0 && ran.err.contains("1024 bytes"), "{ran:?}");
    assert_eq!(service.records().len(), 1);
}

#[test]
fn a_folder_of_150_files_goes_to_a_service_with_its_own_limits_and_waits_as_it_is_told() {
    let (service, key) = Service::start_limited();
    for n in 0..150 {
        service.file(
            &format!("course/{n:03}.txt"),
            format!("file {n}").as_bytes(),
        );
    }
    let mut command = service.command(&["upload", "course", "--jobs", "16"]);
    let ran = Ran::of(command.env("FILE_SHARE_TOKEN", &key).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.lines().count(), 150, "{ran:?}");
    // Whatever it says besides is that it waits.
    assert!(ran.err.lines().all(|line| line.contains("wait")), "{ran:?}");
    let mut command = service.command(&["list", "--json", "--all"]);
    let ran = Ran::of(command.env("FILE_SHARE_TOKEN", &key).output().unwrap());
    let names: std::collections::BTreeSet<_> = ran
        .json()
        .iter()
        .map(|record| record["filename"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 150);
}
