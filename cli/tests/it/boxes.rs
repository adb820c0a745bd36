//! `fshare box` and `fshare collect`: a lecturer at a terminal, and students who have no account and curl.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::aws_support::curl::{curl_json, curl_status, upload};
use crate::stub::Stub;
use crate::support::{Ran, Service, damage, signalled};

/// Makes a box, and gives it as a program sees it.
fn make(service: &Service, arguments: &[&str]) -> Value {
    let ran = service.run(&[&["box", "create", "Sheet 3", "--json"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json().remove(0)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field}: {value}"))
}

/// Begins to hand in so many bytes.
fn begin(service: &Service, made: &Value, submitter: &str, name: &str, size: usize) -> Value {
    let token = text(made, "url").rsplit('/').next().unwrap();
    let body = json!({ "filename": name, "size": size, "submitter": submitter });
    let url = format!("{}/v1/drop/{token}/files", service.base);
    curl_json(&["--json", &body.to_string(), &url])
}

/// Hands a file in, as its page does.
fn hand_in(service: &Service, made: &Value, submitter: &str, name: &str, content: &str) -> Value {
    let handed_in = begin(service, made, submitter, name, content.len());
    let source = service.file("of the student", content.as_bytes());
    assert_eq!(upload(&handed_in, &source), "200", "{handed_in}");
    let token = text(&handed_in, "submissionToken");
    let url = format!(
        "{}/v1/files/{}/complete",
        service.base,
        text(&handed_in, "id")
    );
    let proof = format!("Authorization: Bearer {token}");
    let record = curl_json(&["--request", "POST", "--header", &proof, &url]);
    assert_eq!(record["status"], "available", "{record}");
    handed_in
}

/// What is in a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let read = entries.map(|entry| {
        let content = std::fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), content)
    });
    read.collect()
}

/// The same without the table and what an interruption left.
fn collected(folder: &Path) -> BTreeMap<String, String> {
    let mut files = files(folder);
    files.retain(|name, _| !name.ends_with(".csv") && !name.starts_with(".fshare-"));
    files
}

fn collect(service: &Service, made: &Value, more: &[&str]) -> Ran {
    service.run(&[&["collect", text(made, "id"), "handed in"], more].concat())
}

#[test]
fn a_lecturer_makes_a_box_sees_who_handed_in_what_and_collects_exactly_that() {
    let service = Service::start(&[]);
    let folder = service.folder.path().join("handed in");
    let ran = service.run(&[
        "box", "create", "Sheet 3", "--due", "7d", "--types", "pdf,txt",
    ]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    let url = ran.out.trim_end();
    assert!(url.starts_with(&format!("{}/b/", service.base)), "{url}");
    let listed = service.run(&["box", "list", "--json"]).json();
    let made = &listed[0];
    assert_eq!(text(made, "url"), url);
    assert_eq!(made["types"], json!(["pdf", "txt"]));

    hand_in(&service, made, "Ada Lovelace", "a.txt", "first");
    hand_in(&service, made, "Bob", "../b.txt", "of Bob");
    hand_in(&service, made, "ada lovelace", "a.txt", "second");
    // By the URL as it was passed on.
    let shown = service.run(&["box", "show", &format!("<{url}>.")]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for part in [
        "title   Sheet 3\n",
        "due     ",
        "Ada Lovelace – a.txt\n",
        "ada lovelace – a.txt\n",
    ] {
        assert!(shown.out.contains(part), "no {part:?}: {}", shown.out);
    }
    let of_bob = service.run(&["box", "show", url, "--submitter", "BOB", "--json"]);
    let of_bob = of_bob.json();
    assert_eq!(of_bob.len(), 1);
    assert_eq!(of_bob[0]["displayName"], ".._b.txt");

    let ran = collect(&service, made, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("3 files: 3 fetched, 0 were there"),
        "{ran:?}"
    );
    let id = |at: usize| {
        let all = service.run(&["box", "show", url, "--json"]).json();
        let id = all[at]["id"].as_str().unwrap().to_owned();
        id[id.len() - 8..].to_owned()
    };
    let expected = BTreeMap::from([
        ("Ada Lovelace – a.txt".to_owned(), "first".to_owned()),
        (
            format!("ada lovelace – a ({}).txt", id(0)),
            "second".to_owned(),
        ),
        ("Bob – .._b.txt".to_owned(), "of Bob".to_owned()),
    ]);
    assert_eq!(collected(&folder), expected);
    let before = files(&folder);
    let table = &before["hand-ins.csv"];
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("\u{feff}\"submitter\",\"submitterId\",\"name\",\"file\""));
    assert_eq!(lines.len(), 4, "{table}");
    let counts: Vec<bool> = lines[1..]
        .iter()
        .map(|line| line.contains("\"no\",\"\",\"yes\""))
        .collect();
    assert_eq!(counts, [false, true, true], "the latest of each: {table}");
    // Again: nothing is fetched, and nothing changes.
    let ran = collect(&service, made, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("3 files: 0 fetched, 3 were there"),
        "{ran:?}"
    );
    assert_eq!(files(&folder), before);
    // What counts, alone.
    let ran = service.run(&["collect", url, "latest", "--latest"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let latest = collected(&service.folder.path().join("latest"));
    let contents: Vec<&str> = latest.values().map(String::as_str).collect();
    assert_eq!(contents, ["of Bob", "second"], "{latest:?}");
}

#[test]
fn one_person_has_more_time_a_box_is_closed_at_once_and_ended_only_if_that_is_wanted() {
    let service = Service::start(&[]);
    let made = make(&service, &["--due", "7d"]);
    let id = text(&made, "id");
    hand_in(&service, &made, "Bob", "b.txt", "on time");
    // Somebody has more time, and it is over as well.
    let own = ["--submitter", "Eve", "--due", "8d", "--closes", "9d"];
    let ran = service.run(&[&["box", "extend", id][..], &own].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let closed = service.run(&["box", "close", id, "--json"]);
    assert_eq!(closed.code, 0, "{closed:?}");
    for name in ["Ada", "Eve"] {
        let refused = begin(&service, &made, name, "a.txt", 1);
        assert_eq!(refused["code"], "box_closed", "{refused}");
    }
    // Nothing is late that was on time.
    let late = service.run(&["box", "show", id, "--late", "--json"]);
    assert_eq!((late.code, late.out.as_str()), (0, ""));

    let extended = service.run(&[
        "box",
        "extend",
        id,
        "--submitter",
        "Ada",
        "--due",
        "2001-01-01T00:00:00Z",
        "--closes",
        "1d",
        "--json",
    ]);
    assert_eq!(extended.code, 0, "{extended:?}");
    assert_eq!(extended.json()[0]["overrides"][1]["submitter"], "Ada");
    hand_in(&service, &made, "ADA", "a.txt", "late");
    let refused = begin(&service, &made, "Bob", "b.txt", 1);
    assert_eq!(refused["code"], "box_closed", "{refused}");
    let shown = service.run(&["box", "show", id]);
    assert!(shown.out.contains("for     Ada: due "), "{shown:?}");
    let late = service.run(&["box", "show", id, "--late"]);
    assert!(late.out.contains("ADA – a.txt  late by "), "{late:?}");
    assert!(!late.out.contains("Bob"), "{late:?}");
    let ran = collect(&service, &made, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("late by ") && ran.err.contains("; 1 late"),
        "{ran:?}"
    );

    // Everybody has more time again.
    let extended = service.run(&["box", "extend", id, "--due", "1h", "--closes", "1h"]);
    assert_eq!(extended.code, 0, "{extended:?}");
    hand_in(&service, &made, "Bob", "b.txt", "again");

    let ran = service.run(&["box", "end", id]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("say --yes"), "{ran:?}");
    let ran = service.run(&["box", "end", id, "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(service.run(&["box", "list"]).out, "");
    assert_eq!(service.records().len(), 3, "and nothing is lost");
}

#[test]
fn of_many_who_give_people_more_time_at_once_none_takes_back_what_another_gave() {
    let service = Service::start(&[]);
    let made = make(&service, &["--due", "7d"]);
    let id = text(&made, "id");
    let running: Vec<_> = (0..8)
        .map(|n| {
            let name = format!("Student {n}");
            let due = ["box", "extend", id, "--submitter", &name, "--due", "9d"];
            service.command(&due).spawn().unwrap()
        })
        .collect();
    for mut one in running {
        assert!(one.wait().unwrap().success());
    }
    let shown = service.run(&["box", "show", id]);
    assert_eq!(shown.out.matches("Student ").count(), 8, "{shown:?}");
}

#[test]
fn a_collection_that_was_interrupted_goes_on_and_fetches_nothing_twice() {
    let service = Service::start(&[]);
    let made = make(&service, &[]);
    for n in 0..6 {
        hand_in(
            &service,
            &made,
            &format!("Student {n}"),
            "a.txt",
            &format!("of {n}"),
        );
    }
    let arguments = ["collect", text(&made, "url"), "handed in", "--jobs", "1"];
    // At the fourth file.
    let requests = ["GET /v1/files/"; 4];
    let ran = signalled(&service, "-KILL", &requests, &arguments);
    assert_ne!(ran.code, 0, "{ran:?}");
    let folder = service.folder.path().join("handed in");
    let there = collected(&folder);
    assert_eq!(there.len(), 3, "{there:?}");
    let ran = collect(&service, &made, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("6 files: 3 fetched, 3 were there"),
        "{ran:?}"
    );
    let expected: BTreeMap<String, String> = (0..6)
        .map(|n| (format!("Student {n} – a.txt"), format!("of {n}")))
        .collect();
    assert_eq!(collected(&folder), expected);
    let left = files(&folder).into_keys().filter(|it| it.starts_with('.'));
    assert_eq!(left.count(), 0, "of what was interrupted");
}

#[test]
fn times_from_now_on_count_from_the_services_clock() {
    let service = Service::start(&[]);
    // A laptop whose clock is decades behind, or the other way round.
    let stub = Stub::always(&service.base, "", |answer| {
        let lines =
            answer
                .split("\r\n")
                .map(|line| match line.to_lowercase().starts_with("date:") {
                    true => "date: Fri, 01 Jan 2100 12:00:00 GMT",
                    false => line,
                });
        lines.collect::<Vec<_>>().join("\r\n")
    });
    let run = |arguments: &[&str]| {
        let ran = service.run_through(&stub, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.json().remove(0)
    };
    let made = run(&["box", "create", "Sheet 3", "--due", "1h", "--json"]);
    let is_at = |time: &Value, begin: &str| {
        let time = time.as_str().unwrap();
        assert!(time.starts_with(begin), "{time}");
    };
    is_at(&made["dueAt"], "2100-01-01T13:00:");
    let id = text(&made, "id");
    let extended = run(&[
        "box", "extend", id, "--due", "2h", "--closes", "1d", "--json",
    ]);
    is_at(&extended["dueAt"], "2100-01-01T14:00:");
    is_at(&extended["closesAt"], "2100-01-02T12:00:");
    let one = [
        "box",
        "extend",
        id,
        "--submitter",
        "Ada",
        "--due",
        "3h",
        "--json",
    ];
    is_at(&run(&one)["overrides"][0]["dueAt"], "2100-01-01T15:00:");
}

#[test]
fn what_is_damaged_or_still_on_its_way_is_said_and_all_else_is_fetched() {
    let service = Service::start(&[]);
    let made = make(&service, &[]);
    hand_in(&service, &made, "Ada", "a.txt", "of Ada");
    let damaged = hand_in(&service, &made, "Bob", "b.txt", "of Bob");
    begin(&service, &made, "Eve", "e.txt", 5);
    damage(&service.data(), text(&damaged, "id"));
    let ran = collect(&service, &made, &["--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("✗ Bob – b.txt: "), "{ran:?}");
    assert!(
        ran.err
            .contains("1 of what was handed in is still on its way"),
        "{ran:?}"
    );
    let said = ran.json();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0]["path"], "handed in/Ada – a.txt");
    assert_eq!(said[1]["path"], Value::Null);
    assert_eq!(said[1]["error"]["code"], "damaged");
    let folder = service.folder.path().join("handed in");
    let names: Vec<String> = collected(&folder).into_keys().collect();
    assert_eq!(names, ["Ada – a.txt"]);
    // What somebody wrote into the folder stays.
    service.file("handed in/Ada – a.txt", b"with marks in it");
    service.file("handed in/hand-ins.csv", b"with marks in it");
    collect(&service, &made, &[]);
    let files = files(&folder);
    assert_eq!(files["Ada – a.txt"], "with marks in it");
    assert_eq!(files["hand-ins.csv"], "with marks in it");
    assert!(
        files.values().any(|content| content == "of Ada"),
        "{files:?}"
    );
    assert_eq!(
        files.keys().filter(|name| name.ends_with(".csv")).count(),
        2
    );
}

#[test]
fn names_of_students_are_no_formulas_no_folders_and_steer_no_terminal() {
    let service = Service::start(&[]);
    let made = make(&service, &[]);
    for (submitter, name) in [
        ("=cmd|'/c calc'!A1", "@SUM(1+1).txt"),
        ("+49;=1+1", "-1.txt"),
        ("../../etc", "a\u{1b}[2J.txt"),
        ("CON", "CON"),
    ] {
        hand_in(&service, &made, submitter, name, "x");
    }
    let ran = collect(&service, &made, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let files = files(&service.folder.path().join("handed in"));
    let names: Vec<&String> = files
        .keys()
        .filter(|name| !name.ends_with(".csv"))
        .collect();
    assert_eq!(
        names,
        [
            "+49;=1+1 – -1.txt",
            "=cmd_'_c calc'!A1 – @SUM(1+1).txt",
            "CON – CON",
            "_._.._etc – a[2J.txt",
        ]
    );
    let table = &files["hand-ins.csv"];
    for cell in table.split("\",\"").chain(table.split(';')) {
        let begins = cell.trim_start_matches(['\u{feff}', '"', '\r', '\n', ' ']);
        assert!(
            !begins.starts_with(['=', '+', '-', '@']),
            "{cell:?}: {table}"
        );
    }
    for arguments in [&["box", "show", text(&made, "id")][..], &["box", "list"]] {
        let shown = service.run(arguments);
        assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn a_password_is_said_by_a_variable_and_shown_nowhere() {
    let service = Service::start(&[]);
    let mut command = service.command(&["box", "create", "Sheet 3", "--json"]);
    let output = command.env("FILE_SHARE_BOX_PASSWORD", "sesame").output();
    let ran = Ran::of(output.unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.out.contains("sesame") && !ran.err.contains("sesame"));
    let made = &ran.json()[0];
    assert_eq!(made["hasPassword"], true);
    let token = text(made, "url").rsplit('/').next().unwrap();
    let url = format!("{}/v1/drop/{token}/files", service.base);
    let status = |password: Value| {
        let body = json!({
            "filename": "a.txt", "size": 1, "submitter": "Ada", "password": password,
        });
        curl_status(&["--json", &body.to_string(), &url])
    };
    assert_eq!(status(Value::Null), "403");
    assert_eq!(status(json!("open")), "403");
    assert_eq!(status(json!("sesame")), "201");
}

#[test]
fn a_box_that_is_none_is_refused_with_what_to_do_and_its_url_is_not_repeated() {
    let service = Service::start(&[]);
    let token = "AZwTTGbbf02afg2KTBsuP2a0b1c2d3e4f5a6b7c8-9_";
    for command in [&["box", "show"][..], &["box", "close"], &["box", "end"]] {
        let ran = service.run(&[command, &[&format!("{}/b/{token}", service.base)]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("fshare box list"), "{ran:?}");
        assert!(
            !ran.err.contains(token),
            "whoever has it can use it: {ran:?}"
        );
        let ran = service.run(&[command, &["../files"]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
    }
    let ran = service.run(&["collect", "00112233445566778899aabbccdd", "handed in"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("box_not_found"), "{ran:?}");
}
