//! `fshare download`, and what is left behind where it doesn't succeed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::stub::{Stub, StubFault};
use crate::support::{Ran, Service, damage, random};

/// What is in a folder, hidden files included.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_download_is_a_file_of_its_name_and_replaces_nothing_unless_it_shall() {
    let service = Service::start(&[]);
    let link = service.upload("notes.txt", b"first");
    service.file("notes.txt", b"mine");
    let path = service.folder.path().join("notes.txt");
    let ran = service.run(&["download", &link]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("notes.txt is there already"), "{ran:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    let ran = service.run(&["download", &link, "--force"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(std::fs::read(&path).unwrap(), b"first");
    // As any new file, not as a secret one.
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o444,
        0o444
    );
    // By its ID, into a folder.
    let id = link.rsplit('/').next().unwrap();
    std::fs::create_dir(service.folder.path().join("into")).unwrap();
    assert_eq!(service.run(&["download", id, "-o", "into"]).code, 0);
    assert_eq!(names(&service.folder.path().join("into")), ["notes.txt"]);
}

#[test]
fn people_see_a_name_as_it_was_given_and_the_file_is_saved_under_it_as_far_as_windows_can() {
    let service = Service::start(&[]);
    let name = "What? résumé – final 🎉.txt";
    let link = service.upload(name, b"as it was given");
    assert_eq!(service.records()[0]["displayName"], name);
    for arguments in [&["list"][..], &["info", &link]] {
        let ran = service.run(arguments);
        assert!(ran.out.contains(name), "{ran:?}");
    }
    std::fs::create_dir(service.folder.path().join("into")).unwrap();
    assert_eq!(service.run(&["download", &link, "-o", "into"]).code, 0);
    let into = service.folder.path().join("into");
    assert_eq!(names(&into), ["What_ résumé – final 🎉.txt"]);
}

#[test]
fn standard_output_gets_the_bytes_and_nothing_else() {
    let service = Service::start(&[]);
    let content = random(3_000_000);
    let link = service.upload("data.bin", &content);
    let output = service
        .command(&["download", &link, "-o", "-"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(output.stdout == content);
}

#[test]
fn damaged_bytes_are_said_and_not_kept() {
    let service = Service::start(&[]);
    let link = service.upload("precious.bin", &random(200_000));
    let id = link.rsplit('/').next().unwrap();
    damage(&service.data(), id);
    let into = service.folder.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let ran = service.run(&["download", &link, "-o", "into"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("aren't those that were uploaded"),
        "{ran:?}"
    );
    assert_eq!(names(&into), Vec::<String>::new());
    let ran = service.run(&["download", &link, "-o", "-"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (1, ""),
        "nothing of it is passed on"
    );
}

#[test]
fn ctrl_c_leaves_no_part_of_a_file() {
    const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf";
    let service = Service::start(&[]);
    let link = service.upload("long.bin", &random(100_000));
    // A store that begins to answer, and is then never heard of again.
    let (at_bytes, arrived) = std::sync::mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{}/x\r\nContent-Length: 0\r\n\r\n",
        listener.local_addr().unwrap()
    );
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 4096]);
        client.write_all(HALF.as_bytes()).unwrap();
        at_bytes.send(client).unwrap();
    });
    let id = link.rsplit('/').next().unwrap();
    let line: &'static str = format!("GET /v1/files/{id} ").leak();
    let stub = Stub::before(
        &service.base,
        vec![(line, StubFault::Answer(redirect.leak()))],
    );
    let into = service.folder.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let child = service
        .command(&["download", id, "-o", "into", "--server", &stub.base])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _open = arrived
        .recv_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    assert_eq!(names(&into).len(), 1, "a part is there while it comes");
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(names(&into), Vec::<String>::new());
}

#[test]
fn a_file_that_is_not_there_is_said_to_be_so() {
    let service = Service::start(&[]);
    let ran = service.run(&["download", "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("file_not_found"), "{ran:?}");
    let ran = service.run(&["download", "notes.txt"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}
