//! `fshare list`, `info`, `delete`, and what comes with the program: help, completions, the man page.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Ran, Service, fshare, in_terminal};

#[test]
fn a_list_goes_over_pages_newest_first() {
    let service = Service::start(&[]);
    for index in 0..105 {
        service.file(&format!("many/{index:03}"), b"x");
    }
    let ran = service.run(&["upload", "many", "--jobs", "8"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let counts = |arguments: &[&str]| {
        let ran = service.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().count()
    };
    assert_eq!(counts(&["list"]), 50);
    assert_eq!(counts(&["list", "--limit", "103"]), 103);
    assert_eq!(counts(&["list", "--all"]), 105);
    assert_eq!(counts(&["list", "--all", "--status", "available"]), 105);
    assert_eq!(counts(&["list", "--status", "rejected"]), 0);
    let records = service.records();
    let times: Vec<_> = records
        .iter()
        .map(|r| r["createdAt"].as_str().unwrap())
        .collect();
    assert!(
        times.is_sorted_by(|newer, older| newer >= older),
        "{times:?}"
    );
}

#[test]
fn a_reader_who_has_seen_enough_gets_no_complaint() {
    let service = Service::start(&[]);
    let link = service.upload("a", b"a");
    for arguments in [&["info", &link][..], &["list", "--json"], &["man"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = service
            .command(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn();
        let ran = Ran::of(child.unwrap().wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (141, ""), "{arguments:?}");
    }
}

#[test]
fn deleting_asks_a_person_and_refuses_to_guess_for_a_program() {
    let service = Service::start(&[]);
    let link = service.upload("old.txt", b"old");
    let ran = service.run(&["delete", &link]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("--yes"), "{ran:?}");

    let (code, shown) = in_terminal(&service, &format!("delete {link}"), "n\n");
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("old.txt") && shown.contains("[y/N]"),
        "{shown}"
    );
    assert_eq!(service.records().len(), 1);

    let (code, shown) = in_terminal(&service, &format!("delete {link}"), "y\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(service.records().len(), 0);

    let other = service.upload("other.txt", b"other");
    let ran = service.run(&["delete", "--yes", &other, &link]);
    assert_eq!(ran.code, 1, "the second one was gone: {ran:?}");
    assert_eq!(service.records().len(), 0);
    assert_eq!(service.run(&["delete", "--yes", &link]).code, 1);
}

#[test]
fn completions_are_there_for_each_shell_and_bash_can_read_its_own() {
    for (shell, word) in [
        ("bash", "complete"),
        ("zsh", "#compdef fshare"),
        ("fish", "complete -c fshare"),
    ] {
        let ran = Ran::of(fshare("").args(["completions", shell]).output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(
            ran.out.contains(word)
                && [
                    "upload",
                    "open",
                    "login",
                    "revoke",
                    "doctor",
                    "notification-limit"
                ]
                .iter()
                .all(|word| ran.out.contains(word)),
            "{shell}"
        );
        if shell == "bash" {
            let mut bash = Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            bash.stdin
                .take()
                .unwrap()
                .write_all(ran.out.as_bytes())
                .unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
}

#[test]
fn the_man_page_and_the_help_tell_what_exit_codes_mean() {
    let page = Ran::of(fshare("").arg("man").output().unwrap());
    let help = Ran::of(fshare("").arg("--help").output().unwrap());
    for text in [&page.out, &help.out] {
        for words in [
            "Exit codes",
            "can't be reached",
            "interrupted",
            "FILE_SHARE_URL",
            "fshare/tokens.json",
        ] {
            let plain = text
                .replace("\\*(Aq", "'")
                .replace("\\-", "-")
                .replace("\\*", "");
            assert!(plain.contains(words), "{words}: {text}");
        }
    }
    assert!(page.out.starts_with(".ie"), "it begins as roff");
    assert!(page.out.contains(".TH fshare 1"));
    for command in [
        "UPLOAD",
        "LIST",
        "INFO",
        "OPEN",
        "DOWNLOAD",
        "DELETE",
        "LOGIN",
        "LOGOUT",
        "TOKENS",
        "TOKENS REVOKE",
        "DOCTOR",
    ] {
        assert!(
            page.out.contains(&format!(".SH \"FSHARE {command}\"")),
            "{command}"
        );
    }
    // Where there is a program that reads man pages, it has nothing to complain about.
    for (reader, arguments) in [
        ("mandoc", &["-T", "lint", "-W", "error"][..]),
        ("groff", &["-man", "-ww", "-z"]),
    ] {
        let Ok(mut child) = Command::new(reader)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            continue;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(page.out.as_bytes())
            .unwrap();
        let said = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned()
            + &String::from_utf8_lossy(&said.stdout);
        assert!(said.is_empty(), "{reader}: {said}");
    }
}

#[test]
fn a_service_that_asks_for_its_key_is_used_with_it_and_told_apart_from_others() {
    let service = Service::start(&[("ACCESS", "key")]);
    let refused = service.run(&["list"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    for word in ["FILE_SHARE_TOKEN", "access-key", "sign_in_required"] {
        assert!(refused.err.contains(word), "{word}: {refused:?}");
    }
    let key = std::fs::read_to_string(service.data().join("access-key")).unwrap();
    service.file("a.txt", b"hello");
    let run = |arguments: &[&str], key: &str| {
        let mut command = service.command(arguments);
        Ran::of(command.env("FILE_SHARE_TOKEN", key).output().unwrap())
    };
    let uploaded = run(&["upload", "a.txt"], &key);
    assert_eq!(uploaded.code, 0, "{uploaded:?}");
    let link = uploaded.out.trim_end();
    let fetched = run(&["download", link, "-o", "-"], key.trim_end());
    assert_eq!(
        (fetched.code, fetched.out.as_str()),
        (0, "hello"),
        "{fetched:?}"
    );
    assert!(!format!("{uploaded:?}{fetched:?}").contains(key.trim_end()));

    // A link to another service doesn't bring the key there.
    let other = Service::start(&[("ACCESS", "key")]);
    let foreign = link.replace(&service.base, &other.base);
    let elsewhere = run(&["download", &foreign, "-o", "-"], &key);
    assert!(elsewhere.err.contains("sign_in_required"), "{elsewhere:?}");
    let nonsense = run(&["list"], "fsk_\u{1}");
    assert_eq!(nonsense.code, 2, "{nonsense:?}");
}

#[test]
fn what_happened_to_a_file_is_shown_newest_first_where_it_is_kept() {
    let service = Service::start(&[("AUDIT", "on")]);
    let link = service.upload("notes.txt", b"notes");
    let began = std::time::Instant::now();
    // It is written beside the calls.
    let ran = loop {
        let ran = service.run(&["events", &link]);
        if ran.out.contains("available") && ran.out.contains("created") {
            break ran;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{ran:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let last = ran.out.lines().last().unwrap();
    assert!(last.ends_with("created         operator"), "{ran:?}");
    let newest = service.run(&["events", &link, "--limit", "1", "--json"]);
    let newest = newest.json();
    assert_eq!(newest.len(), 1);
    assert!(newest[0]["at"].is_string(), "{newest:?}");
    let open = Service::start(&[]);
    let link = open.upload("notes.txt", b"notes");
    let ran = open.run(&["events", &link]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.err.contains("doesn't keep"), "{ran:?}");
}
