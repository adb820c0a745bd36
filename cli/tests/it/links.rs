//! Links as people pass them on, what is printed beside them, and times as people read them.

use crate::stub::{Stub, StubFault, with_body};
use crate::support::{Service, in_terminal_with, signalled_at};

/// Where others reach the service, as it says of itself before [`for_others`].
const OTHERS: &str = "https://files.example.org/course";

/// The service at an address that others don't know.
fn for_others(service: &Service) -> Stub {
    Stub::always(&service.base, "GET /v1/session", |answer| {
        with_body(&answer, |body| {
            let said = format!("\"shareBase\":\"{OTHERS}\"");
            assert!(body.contains("\"shareBase\":null"), "{body}");
            body.replace("\"shareBase\":null", &said)
        })
    })
}

/// What downloads that were cut short left in a folder.
fn left(folder: &std::path::Path) -> usize {
    let entries = folder.read_dir().unwrap().map(Result::unwrap);
    let names = entries.map(|it| it.file_name().into_string().unwrap());
    names.filter(|it| it.starts_with(".fshare-")).count()
}

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
    for command in [&["info"][..], &["delete", "--yes"]] {
        let ran = service.run(&[command, &[&share]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("fshare download"), "{ran:?}");
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

#[test]
fn files_are_passed_on_by_a_link_and_taken_with_it_however_it_was_copied() {
    let service = Service::start(&[]);
    let one = service.upload("notes.txt", b"notes");
    let other = service.upload("slides.pdf", b"slides");
    let made = service.run(&[
        "link",
        &one,
        &other,
        "--title",
        "Lecture 1",
        "--expires",
        "7d",
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let link = made.out.trim_end();
    assert!(
        link.starts_with(&format!("{}/s/", service.base)),
        "{made:?}"
    );
    let elsewhere = Service::start(&[]);
    // From another service's place: the link says where it leads.
    for (n, text) in [
        link.to_owned(),
        format!("<{link}>."),
        format!("{link}/?utm_source=mail),"),
    ]
    .iter()
    .enumerate()
    {
        let folder = elsewhere.folder.path().join(format!("taken-{n}"));
        std::fs::create_dir(&folder).unwrap();
        let ran = elsewhere.run(&["download", text, "-o", folder.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(std::fs::read(folder.join("notes.txt")).unwrap(), b"notes");
        assert_eq!(std::fs::read(folder.join("slides.pdf")).unwrap(), b"slides");
        // What is there already isn't replaced, and both are named.
        let again = elsewhere.run(&["download", text, "-o", folder.to_str().unwrap()]);
        assert_eq!(again.code, 1, "{again:?}");
        for name in ["notes.txt", "slides.pdf"] {
            assert!(again.err.contains(name), "{again:?}");
        }
    }
    let into_one = elsewhere.run(&["download", link, "-o", "one.bin"]);
    assert_eq!(into_one.code, 2, "{into_one:?}");
}

#[test]
fn two_files_of_one_name_are_two_files_and_force_replaces_what_was_there_before_alone() {
    let service = Service::start(&[]);
    let one = service.upload("notes.txt", b"one");
    let other = service.upload("notes.txt", b"other");
    let made = service.run(&["link", &one, &other]);
    let link = made.out.trim_end();
    let folder = service.folder.path().join("taken");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "before").unwrap();
    let ran = service.run(&["download", "--force", link, "-o", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let taken = std::fs::read_dir(&folder).unwrap().map(|it| {
        let path = it.unwrap().path();
        std::fs::read_to_string(path).unwrap()
    });
    let mut taken: Vec<String> = taken.collect();
    taken.sort();
    assert_eq!(taken, ["one", "other"]);
}

#[test]
fn a_link_with_a_limit_and_a_password_is_taken_so_often_by_who_knows_it() {
    let service = Service::start(&[]);
    let file = service.upload("notes.txt", b"notes");
    let mut command = service.command(&["link", &file, "--max-downloads", "2", "--json"]);
    command.env("FILE_SHARE_LINK_PASSWORD", "correct horse");
    let made = crate::support::Ran::of(command.output().unwrap());
    let link = made.json()[0].clone();
    assert_eq!(link["hasPassword"], true);
    let url = link["url"].as_str().unwrap();
    let none = service.run(&["download", url, "-o", "-"]);
    assert_eq!((none.code, none.out.as_str()), (2, ""), "{none:?}");
    let wrong = service.run(&["download", url, "-o", "-", "--password", "wrong"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""), "{wrong:?}");
    assert!(wrong.err.contains("wrong_password"), "{wrong:?}");
    for _ in 0..2 {
        let ran = service.run(&["download", url, "-o", "-", "--password", "correct horse"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, "notes"), "{ran:?}");
    }
    let more = service.run(&["download", url, "-o", "-", "--password", "correct horse"]);
    assert_eq!((more.code, more.out.as_str()), (1, ""), "{more:?}");
    assert!(more.err.contains("download_limit_reached"), "{more:?}");
    let token = url.rsplit('/').next().unwrap();
    assert!(!more.err.contains(token), "{more:?}");
}

#[test]
fn links_are_listed_and_ended() {
    let service = Service::start(&[]);
    let file = service.upload("notes.txt", b"notes");
    let other = service.upload("other.txt", b"other");
    let url = service
        .run(&["link", &file, "--label", "for the course"])
        .out;
    let url = url.trim_end();
    service.run(&["link", &other]);
    for arguments in [&["links"][..], &["links", "--file", &file]] {
        let ran = service.run(arguments);
        let line = ran.out.lines().find(|line| line.contains(url)).unwrap();
        assert!(
            line.contains("for the course") && line.contains("1 file"),
            "{line}"
        );
    }
    let listed = service.run(&["links", "--file", &file, "--json"]).json();
    assert_eq!(listed.len(), 1);
    let id = listed[0]["id"].as_str().unwrap();
    let ended = service.run(&["links", "end", id, "abc"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains(&format!("{id} is over")), "{ended:?}");
    assert!(ended.err.contains("link_not_found"), "{ended:?}");
    let gone = service.run(&["download", url]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("link_gone"), "{gone:?}");
    let elsewhere = Service::start(&[]);
    let foreign = elsewhere.upload("a.txt", b"a");
    let mixed = service.run(&["link", &other, &foreign]);
    assert_eq!(mixed.code, 2, "{mixed:?}");
}

#[test]
fn what_is_printed_names_the_address_by_which_others_reach_the_service_and_is_understood_again() {
    let service = Service::start(&[]);
    let stub = for_others(&service);
    service.file("notes.txt", b"notes");
    let run = |arguments: &[&str]| {
        let ran = service.run_through(&stub, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    };
    let file = run(&["upload", "notes.txt"]).out;
    let file = file.trim_end();
    assert!(file.starts_with(&format!("{OTHERS}/f/")), "{file}");
    let json = run(&["upload", "--json", "notes.txt"]).json().remove(0);
    assert!(json["link"].as_str().unwrap().starts_with(OTHERS), "{json}");
    // What a program fetches is where it asked.
    let content = json["contentUrl"].as_str().unwrap();
    assert!(content.starts_with(&stub.base), "{json}");
    for arguments in [
        &["info", file][..],
        &["info", "--json", file],
        &["list", "--json"],
    ] {
        assert!(run(arguments).out.contains(file), "{arguments:?}");
    }
    let link = run(&["link", file]).out;
    let link = link.trim_end();
    assert!(link.starts_with(&format!("{OTHERS}/s/")), "{link}");
    for arguments in [
        &["links"][..],
        &["links", "--file", file],
        &["links", "--json"],
    ] {
        assert!(run(arguments).out.contains(link), "{arguments:?}");
    }
    let made = run(&["box", "create", "Sheet 3"]).out;
    let made = made.trim_end();
    assert!(made.starts_with(&format!("{OTHERS}/b/")), "{made}");
    let shown = [
        &["box", "list"][..],
        &["box", "list", "--json"],
        &["box", "show", made],
        &["box", "extend", made, "--due", "1h"],
        &["box", "close", made],
        &["box", "create", "Sheet 4", "--json"],
    ];
    for arguments in shown {
        assert!(
            run(arguments).out.contains(&format!("{OTHERS}/b/")),
            "{arguments:?}"
        );
    }
    run(&["download", file, "-o", "fetched.txt"]);
    run(&["delete", "--yes", file]);
    // Nobody else's link leads here.
    let elsewhere = format!("http://127.0.0.1:1/f/{}", file.rsplit('/').next().unwrap());
    assert_eq!(service.run_through(&stub, &["info", &elsewhere]).code, 3);
}

#[test]
fn a_one_time_link_whose_download_was_killed_is_taken_by_the_next_and_counted_once() {
    let service = Service::start(&[]);
    let file = service.upload("notes.txt", b"notes");
    let made = service.run(&["link", &file, "--max-downloads", "1"]);
    let link = made.out.trim_end();
    let (_, token) = link.rsplit_once("/s/").unwrap();
    let folder = service.folder.path().join("taken");
    std::fs::create_dir(&folder).unwrap();
    let into = folder.to_str().unwrap();
    // When its URL was handed out, and before a byte came.
    let bytes = ["GET /file-share-bucket/"];
    for signal in ["-KILL", "-INT"] {
        let ran = signalled_at(&service, signal, &bytes, |base| {
            let link = format!("{base}/s/{token}");
            ["download", &link, "-o", into].map(str::to_owned).to_vec()
        });
        assert_ne!(ran.code, 0, "{ran:?}");
        assert_eq!(left(&folder), 1, "after {signal}");
    }
    let ran = service.run(&["download", link, "-o", into]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(std::fs::read(folder.join("notes.txt")).unwrap(), b"notes");
    assert_eq!(left(&folder), 0);
    let more = service.run(&["download", link, "-o", "more.txt"]);
    assert_eq!(more.code, 1, "{more:?}");
    assert!(more.err.contains("download_limit_reached"), "{more:?}");
    assert_eq!(left(service.folder.path()), 0, "of what was refused");
}

#[test]
fn a_one_time_link_whose_bytes_the_store_refused_is_taken_by_the_next_and_counted_once() {
    let service = Service::start(&[]);
    let file = service.upload("notes.txt", b"notes");
    let made = service.run(&["link", &file, "--max-downloads", "1"]);
    let link = made.out.trim_end();
    let (_, token) = link.rsplit_once("/s/").unwrap();
    let folder = service.folder.path().join("taken");
    std::fs::create_dir(&folder).unwrap();
    let into = folder.to_str().unwrap();
    // In the words of S3.
    let refused = StubFault::Answer(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 78\r\n\r\n\
         <Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
    );
    let stub = Stub::before(&service.base, vec![("GET /file-share-bucket/", refused)]);
    let ran = service.run(&["download", &format!("{}/s/{token}", stub.base), "-o", into]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(left(&folder), 1, "its key is kept");
    let ran = service.run(&["download", link, "-o", into]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(left(&folder), 0);
}

#[test]
fn what_a_killed_download_left_is_removed_by_the_next_into_the_same_folder() {
    let service = Service::start(&[]);
    let file = service.upload("notes.txt", b"notes");
    let id = file.rsplit('/').next().unwrap();
    let folder = service.folder.path();
    for left_before in 0..2 {
        assert_eq!(left(folder), left_before.min(1));
        let bytes = ["GET /file-share-bucket/"];
        let ran = signalled_at(&service, "-KILL", &bytes, |base| {
            let arguments = ["download", id, "-o", "fetched.txt", "--server", base];
            arguments.map(str::to_owned).to_vec()
        });
        assert_ne!(ran.code, 0, "{ran:?}");
    }
    let ran = service.run(&["download", id, "-o", "fetched.txt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(left(folder), 0);
}
