//! `fshare upload FOLDER`: what is taken of it, and under which names.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::Service;

fn names(service: &Service) -> Vec<String> {
    let name = |record: &Value| record["filename"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = service.records().iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_link_in_a_folder_is_skipped_and_said_and_one_that_is_named_is_followed() {
    let service = Service::start(&[]);
    let root = service.folder.path().to_owned();
    service.file("private/key", b"secret");
    service.file("course/notes", b"notes");
    symlink("../private/key", root.join("course/out")).unwrap();
    symlink("../private", root.join("course/away")).unwrap();
    symlink("notes", root.join("course/twice")).unwrap();
    symlink("nowhere", root.join("course/dangling")).unwrap();
    let ran = service.run(&["upload", "course"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    for link in ["out", "away", "twice", "dangling"] {
        let said = format!("course/{link}: skipped, because it is a link");
        assert!(ran.err.contains(&said), "{link}: {ran:?}");
    }
    assert_eq!(ran.err.lines().count(), 4, "{ran:?}");
    assert_eq!(names(&service), ["course_notes"]);
    // For programs, as a line of its own that is no error.
    let ran = service.run(&["upload", "--json", "course"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let lines = ran.json();
    let out = lines
        .iter()
        .find(|line| line["path"] == "course/out")
        .unwrap();
    assert!(out["skipped"].as_str().unwrap().contains("link"), "{out}");
    // What a person names is meant.
    symlink("private", root.join("named folder")).unwrap();
    let ran = service.run(&["upload", "course/out", "named folder"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 2);
    assert!(names(&service).contains(&"out".to_owned()));
    assert!(names(&service).contains(&"named_folder_key".to_owned()));
}

#[test]
fn a_file_of_a_folder_that_is_swapped_for_a_link_does_not_go_out() {
    let service = Service::start(&[]);
    let root = service.folder.path().to_owned();
    service.file("private/key", b"secret");
    service.file("course/a", b"a");
    service.file("course/week/b", b"b");
    // While the first one is created, another's folder becomes a link.
    let swap = move || {
        std::fs::rename(root.join("course/week"), root.join("old")).unwrap();
        std::fs::rename(root.join("private/key"), root.join("private/b")).unwrap();
        symlink("../private", root.join("course/week")).unwrap();
    };
    let stub = crate::stub::Stub::before(
        &service.base,
        vec![(
            "POST /v1/files ",
            crate::stub::StubFault::Before(Box::new(swap)),
        )],
    );
    let ran = service.run_through(&stub, &["upload", "course", "--jobs", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("course/week/b"), "{ran:?}");
    assert_eq!(names(&service), ["course_a"]);
}

#[test]
fn files_of_a_folder_are_called_as_the_web_page_calls_them() {
    let service = Service::start(&[]);
    let long = "n".repeat(250);
    service.file("course/week 1/notes.txt", b"1");
    service.file(&format!("course/{long}"), b"2");
    service.file("course/.DS_Store", b"3");
    service.file("course/week 1/Thumbs.db", b"4");
    service.file("course/desktop.ini", b"5");
    service.file("alone/.DS_Store", b"6");
    let ran = service.run(&["upload", "course/", "alone/.DS_Store"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let expected = [
        ".DS_Store".to_owned(),
        "course_week_1_notes.txt".to_owned(),
        long.clone(),
    ];
    assert_eq!(names(&service), expected);
    // A folder has a name of its own, however it is pointed at.
    let mut command = service.command(&["upload", "."]);
    let output = command.current_dir(service.folder.path().join("course/week 1"));
    assert!(output.output().unwrap().status.success());
    assert!(names(&service).contains(&"week_1_notes.txt".to_owned()));
}

#[test]
fn a_folder_that_is_too_deep_fails_alone() {
    let service = Service::start(&[]);
    service.file(&format!("deep/{}f", "d/".repeat(40)), b"far");
    service.file("deep/near", b"near");
    let ran = service.run(&["upload", "deep"]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 1), "{ran:?}");
    assert!(ran.err.contains("more than 32 folders"), "{ran:?}");
    assert_eq!(names(&service), ["deep_near"]);
}
