//! `fshare qr` and `fshare upload --qr`: another program than the one that makes the codes reads them.

use std::collections::HashMap;

use crate::support::{Ran, Service, in_terminal};

const ID: &str = "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f";
/// How large a module is drawn for whoever reads it, in pixels.
const SCALE: usize = 4;

/// What a reader finds in a picture of these modules, true where they are dark.
fn read(rows: &[Vec<bool>]) -> String {
    let is_dark = |x: usize, y: usize| {
        let row = rows.get(y / SCALE);
        row.and_then(|row| row.get(x / SCALE))
            .is_some_and(|dark| *dark)
    };
    let width = rows.iter().map(Vec::len).max().unwrap() * SCALE;
    let grey = |x, y| if is_dark(x, y) { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, rows.len() * SCALE, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code is there");
    grids[0].decode().unwrap().1
}

/// The modules that half blocks show, where blocks are dark.
fn modules(lines: &[&str]) -> Vec<Vec<bool>> {
    let halves = HashMap::from([
        ('█', (true, true)),
        ('▀', (true, false)),
        ('▄', (false, true)),
        (' ', (false, false)),
    ]);
    let both = lines.iter().flat_map(|line| {
        let halves = line.chars().map(|block| halves[&block]);
        let (upper, lower) = halves.unzip();
        [upper, lower]
    });
    both.collect()
}

fn is_picture(line: &str) -> bool {
    !line.is_empty() && line.chars().all(|c| "█▀▄ ".contains(c))
}

#[test]
fn the_code_of_a_link_is_read_as_that_link_short_and_long() {
    let long = format!("http://127.0.0.1:1/{}", "a-long-path/".repeat(150));
    for base in ["http://127.0.0.1:1", "http://127.0.0.1:1/course", &long] {
        let link = format!("{}/f/{ID}", base.trim_end_matches('/'));
        // Nobody is there to be asked, and none is needed.
        let ran = Ran::of(
            crate::support::fshare(base)
                .args(["qr", &link])
                .output()
                .unwrap(),
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        let (picture, rest): (Vec<_>, Vec<_>) = ran.out.lines().partition(|line| is_picture(line));
        assert_eq!(read(&modules(&picture)), link);
        assert_eq!(rest, [link.as_str()], "and as text");
        assert!(ran.err.contains("only this computer"), "{ran:?}");
    }
}

#[test]
fn the_code_of_a_box_is_read_as_its_url_however_that_was_copied() {
    let service = Service::start(&[("LISTEN", "0.0.0.0:0")]);
    let port = service.base.rsplit_once(':').unwrap().1;
    let here = format!("http://127.0.0.1:{port}");
    let made = service.run(&["box", "create", "Sheet 3"]);
    let made = made.out.trim_end();
    let (_, token) = made.rsplit_once("/b/").unwrap();
    // As others open it, also where somebody had it from this machine's own address.
    for url in [
        made.to_owned(),
        format!("<{here}/b/{token}/>."),
        format!("{made}?x=1"),
    ] {
        let ran = service.run(&["qr", "--server", &here, &url]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let (picture, rest): (Vec<_>, Vec<_>) = ran.out.lines().partition(|line| is_picture(line));
        assert_eq!(
            read(&modules(&picture)),
            format!("{}/b/{token}", service.base)
        );
        assert_eq!(rest.len(), 1, "{ran:?}");
    }
    let opened = service.run(&["open", made]);
    assert_eq!((opened.code, opened.out.trim_end()), (0, made));
    let refused = service.run(&["info", made]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("fshare box show") && !refused.err.contains(token));
}

#[test]
fn programs_get_the_modules_as_ones_and_zeros() {
    let link = format!("https://files.example.org/s/{}", "Ab-9_".repeat(8));
    let command = &["qr", "--json", &link];
    let ran = Ran::of(
        crate::support::fshare("http://127.0.0.1:1")
            .args(command)
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let line = &ran.json()[0];
    assert_eq!(line["link"], link);
    let rows = line["modules"].as_array().unwrap();
    let row = |row: &serde_json::Value| {
        let modules = row.as_str().unwrap().chars().map(|module| module == '1');
        [vec![false; 4], modules.collect(), vec![false; 4]].concat()
    };
    let light = vec![vec![false; rows.len() + 8]; 4];
    let rows = [light.clone(), rows.iter().map(row).collect(), light].concat();
    assert_eq!(read(&rows), link);
}

#[test]
fn what_is_no_link_and_what_no_code_can_hold_is_refused() {
    let service = Service::start(&[]);
    let long = format!("{}/{}/f/{ID}", service.base, "x".repeat(2500));
    for (link, said) in [("hello.txt", "its ID or its link"), (&long, "too long")] {
        let ran = service.run(&["qr", link]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
}

#[test]
fn an_upload_shows_the_code_beside_its_link_and_names_the_public_url() {
    let service = Service::start_public("https://files.example.org/course");
    service.file("notes.pdf", b"notes");
    let ran = service.run(&["upload", "--qr", "notes.pdf"]);
    // The URL for the bytes names the public URL, where nobody is.
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.err.contains('█'),
        "no code of what isn't there: {ran:?}"
    );
    let ran = service.run(&["qr", ID]);
    let (picture, rest): (Vec<_>, Vec<_>) = ran.out.lines().partition(|line| is_picture(line));
    let link = format!("https://files.example.org/course/f/{ID}");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(
        (read(&modules(&picture)), rest),
        (link.clone(), vec![link.as_str()])
    );

    let service = Service::start(&[]);
    service.file("a.txt", b"a");
    service.file("b.txt", b"b");
    let ran = service.run(&["upload", "--qr", "a.txt", "b.txt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let links: Vec<_> = ran.out.lines().collect();
    assert_eq!(links.len(), 2, "links alone go where links go: {ran:?}");
    let mut shown = ran.err.lines().peekable();
    for (link, name) in links.iter().zip(["a.txt", "b.txt"]) {
        let mut picture = Vec::new();
        while shown.peek().is_some_and(|line| is_picture(line)) {
            picture.push(shown.next().unwrap());
        }
        assert_eq!(&read(&modules(&picture)), link);
        assert_eq!(shown.next().unwrap(), format!("{name}: {link}"));
        assert!(shown.next().unwrap().contains("only this computer"));
    }
    assert_eq!(shown.next(), None);
    let ran = service.run(&["upload", "--qr", "--json", "a.txt"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
}

#[test]
fn a_terminal_shows_black_on_white_whatever_its_own_colours_are() {
    let service = Service::start(&[]);
    let (code, shown) = in_terminal(&service, &format!("qr {ID}"), "");
    assert_eq!(code, 0, "{shown}");
    const COLOURS: &str = "\u{1b}[38;5;16;48;5;231m";
    let picture = shown
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix(COLOURS));
    let picture: Vec<_> = picture
        .map(|line| line.strip_suffix("\u{1b}[0m").unwrap())
        .collect();
    assert_eq!(read(&modules(&picture)), format!("{}/f/{ID}", service.base));
}

#[test]
fn a_service_that_all_of_the_network_reaches_is_named_as_others_reach_it() {
    let service = Service::start(&[("LISTEN", "0.0.0.0:0")]);
    let port = service.base.rsplit_once(':').unwrap().1;
    let here = format!("http://127.0.0.1:{port}");
    let ran = service.run(&["qr", "--server", &here, ID]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (picture, _): (Vec<_>, Vec<_>) = ran.out.lines().partition(|line| is_picture(line));
    // What it printed at its start, which is an address of this machine's if it has any.
    assert_eq!(read(&modules(&picture)), format!("{}/f/{ID}", service.base));
    assert!(!service.base.contains("0.0.0.0"));
}
