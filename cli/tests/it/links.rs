//! Links as people pass them on, what is printed beside them, and times as people read them.

use crate::support::{Service, in_terminal_with};

#[test]
fn the_link_that_is_printed_is_the_page_of_the_file() {
    let service = Service::start(&[]);
    let link = service.upload("notes.txt", b"notes");
    assert!(link.starts_with(&format!("{}/f/", service.base)), "{link}");
    let id = link.rsplit('/').next().unwrap();
    for (arguments, json) in [
        (["info", id], true),
        (["list", "--all"], true),
        (["info", id], false),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(json.then_some("--json"));
        let ran = service.run(&arguments);
        assert!(ran.out.contains(&link), "{ran:?}");
        if json {
            // And where a program finds the bytes.
            let content = format!("{}/v1/files/{id}", service.base);
            assert_eq!(ran.json()[0]["contentUrl"], content.as_str());
        }
    }
}

#[test]
fn a_link_is_understood_as_it_comes_out_of_mails_and_chats() {
    let service = Service::start(&[]);
    let link = service.upload("notes.txt", b"notes");
    let id = link.rsplit('/').next().unwrap();
    let base = &service.base;
    for text in [
        format!("{link}?utm_source=mail&x=1"),
        format!("{link}/?fbclid=1"),
        format!("{link}#top"),
        format!("{link}."),
        format!("{link}),"),
        format!("<{link}>"),
        format!("({link})"),
        format!(" {link}\n"),
        format!("\"{link}\""),
        format!("{base}/v1/files/{id}?x#y"),
        format!("{base}/v1/files/{id}/metadata?wait=3"),
        format!("{base}/files/{id}>."),
        format!("{id}."),
        id.to_uppercase(),
    ] {
        let ran = service.run(&["info", &text]);
        assert_eq!(ran.code, 0, "{text}: {ran:?}");
        assert!(ran.out.contains("notes.txt"), "{text}: {ran:?}");
    }
}

#[test]
fn a_link_to_a_share_is_opened_and_otherwise_refused_with_what_to_do() {
    let service = Service::start(&[]);
    let token = "AZwTTGbbf02afg2KTBsuP2a0b1c2d3e4f5a6b7c8-9_";
    let share = format!("{}/s/{token}", service.base);
    let ran = service.run(&["open", &format!("<{share}?x>.")]);
    assert_eq!((ran.code, ran.out), (0, format!("{share}\n")));
    for command in [&["info"][..], &["download"], &["delete", "--yes"]] {
        let ran = service.run(&[command, &[&share]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("fshare open"), "{ran:?}");
        assert!(
            !ran.err.contains(token),
            "whoever has it can use it: {ran:?}"
        );
    }
}

#[test]
fn a_person_sees_names_beside_links_and_a_pipe_links_alone() {
    let service = Service::start(&[]);
    service.file("notes.txt", b"notes");
    service.file("slides.pdf", b"slides");
    let command = "upload notes.txt slides.pdf";
    let (code, shown) = in_terminal_with(&service, command, "", &[]);
    assert_eq!(code, 0, "{shown}");
    let links: Vec<_> = shown.lines().filter(|line| line.contains("/f/")).collect();
    assert_eq!(links.len(), 2, "{shown:?}");
    for (line, name) in links.iter().zip(["notes.txt", "slides.pdf"]) {
        assert!(line.trim_end().ends_with(&format!("  {name}")), "{line:?}");
    }
    let ran = service.run(&["upload", "notes.txt"]);
    assert!(!ran.out.contains("notes.txt"), "{ran:?}");
}

#[test]
fn times_are_local_with_their_offset_for_people_and_utc_for_programs() {
    let service = Service::start(&[]);
    let link = service.upload("notes.txt", b"notes");
    // Nepal, written so that no list of time zones is needed.
    let ran = |arguments: &[&str]| {
        let mut command = service.command(arguments);
        let output = command.env("TZ", "NPT-5:45").output().unwrap();
        crate::support::Ran::of(output)
    };
    let json = ran(&["info", &link, "--json"]).json();
    let utc = json[0]["createdAt"].as_str().unwrap();
    assert!(utc.ends_with('Z'), "{utc}");
    for arguments in [&["info", &link][..], &["list"]] {
        let ran = ran(arguments);
        assert!(ran.out.contains(" +05:45"), "{ran:?}");
        assert!(!ran.out.contains(utc), "{ran:?}");
    }
    let minute = |text: &str| text.split(':').nth(1).unwrap()[..2].parse::<u32>().unwrap();
    let shown = ran(&["list"]).out;
    let local = shown
        .split("  ")
        .find(|part| part.ends_with("+05:45"))
        .unwrap();
    assert_eq!(minute(local), (minute(utc) + 45) % 60, "{local} {utc}");
}
