//! `fshare open`, with browsers that write down what they were given.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Service, in_terminal_with};

/// A program of this name in a folder of the test's, and the folder.
fn fake(service: &Service, name: &str, script: &str) -> String {
    let path = service.file(&format!("bin/{name}"), script.as_bytes());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path.parent().unwrap().to_str().unwrap().to_owned()
}

fn opened(service: &Service) -> String {
    std::fs::read_to_string(service.folder.path().join("opened")).unwrap_or_default()
}

const WRITES_IT_DOWN: &str = "#!/bin/sh\necho \"$@\" >>opened\n";

#[test]
fn the_page_of_a_file_opens_in_the_browser_of_the_person_or_of_the_system() {
    let service = Service::start(&[]);
    let link = service.upload("slides.pdf", b"slides");
    let id = link.rsplit('/').next().unwrap();
    let page = format!("{}/f/{id}\n", service.base);
    let bin = fake(&service, "xdg-open", WRITES_IT_DOWN);
    fake(&service, "mine", WRITES_IT_DOWN);
    let path = format!("{bin}:/usr/bin:/bin");

    let browser = format!("{bin}/mine --tab");
    let settings = [("PATH", path.as_str()), ("BROWSER", &browser)];
    let (code, shown) = in_terminal_with(&service, &format!("open {id}"), "", &settings);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("slides.pdf is open"), "{shown}");
    assert_eq!(opened(&service), format!("--tab {page}"));

    // Without a choice, or with one that doesn't work, the system's. A page's own address will do.
    std::fs::remove_file(service.folder.path().join("opened")).unwrap();
    let settings = [("PATH", path.as_str()), ("BROWSER", "/nowhere/browser")];
    let (code, shown) = in_terminal_with(&service, &format!("open {}", page.trim()), "", &settings);
    assert_eq!((code, opened(&service)), (0, page), "{shown}");
}

#[test]
fn where_no_browser_is_the_address_is_said() {
    let service = Service::start(&[]);
    let link = service.upload("slides.pdf", b"slides");
    let id = link.rsplit('/').next().unwrap();
    // Everything that the system might have, and none of it works.
    let mut bin = String::new();
    for name in [
        "xdg-open",
        "gio",
        "gnome-open",
        "kde-open",
        "wslview",
        "mine",
    ] {
        bin = fake(&service, name, "#!/bin/sh\nexit 3\n");
    }
    let path = format!("{bin}:/usr/bin:/bin");
    let settings = [("PATH", path.as_str()), ("BROWSER", "mine")];
    let (code, shown) = in_terminal_with(&service, &format!("open {link}"), "", &settings);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains(&format!("/f/{id}")), "{shown}");
    assert!(shown.contains("no browser could be started"), "{shown}");
}

#[test]
fn a_program_is_given_the_address_and_no_browser() {
    let service = Service::start(&[]);
    let link = service.upload("slides.pdf", b"slides");
    let id = link.rsplit('/').next().unwrap();
    let bin = fake(&service, "mine", WRITES_IT_DOWN);
    let page = format!("{}/f/{id}", service.base);
    let run = |arguments: &[&str]| {
        let mut command = service.command(arguments);
        let output = command.env("BROWSER", format!("{bin}/mine")).output();
        crate::support::Ran::of(output.unwrap())
    };
    let ran = run(&["open", &link]);
    assert_eq!((ran.code, ran.out), (0, format!("{page}\n")));
    let ran = run(&["open", "--json", id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()[0]["page"], page.as_str());
    // What isn't there is said here.
    let ran = run(&["open", "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("file_not_found"), "{ran:?}");
    assert_eq!(opened(&service), "");
}
