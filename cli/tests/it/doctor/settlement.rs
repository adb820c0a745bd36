//! What a file waits for is named by `fshare doctor`: the notification, the scanner, the lock. With Debian's clamd.

use crate::aws_support::clamd::{AS_IT_HAS_TO_BE, ClamdHome};
use crate::stub::{Stub, with_body};
use crate::support::Service;

use super::{doctor, only_wrong, walk, with};

#[test]
fn the_test_virus_is_kept_back_by_a_scanner_and_leaves_nothing() {
    let home = ClamdHome::new();
    let clamd = home.start(AS_IT_HAS_TO_BE);
    let service = Service::start(&[("SCANNER", &home.setting())]);
    let (code, lines) = walk(&service.base, &["--scanner", "--notification-limit", "120"]);
    let scanner = lines.last().unwrap();
    assert_eq!(
        (code, &scanner["check"]),
        (0, &"scanner".into()),
        "{lines:#?}"
    );
    assert_eq!(scanner["verdict"], "ok", "{lines:#?}");
    let said = scanner["said"].as_str().unwrap();
    assert!(
        said.contains("kept back") && said.contains("Eicar"),
        "{said}"
    );
    assert_eq!(service.records(), Vec::<serde_json::Value>::new());
    // Away, it lets nothing through: files wait, and it is said what for.
    clamd.kill();
    let (code, lines) = doctor(&service.base, &["--notification-limit", "2"]);
    only_wrong(
        &lines,
        "notification",
        "no verdict of the scanner",
        "SCANNER",
    );
    assert_eq!(code, 1);
}

#[test]
fn that_nothing_scans_is_said_where_it_is_asked() {
    let service = Service::start(&[]);
    let (code, lines) = walk(&service.base, &["--scanner"]);
    assert_eq!(code, 1);
    only_wrong(&lines, "scanner", "became available", "set SCANNER");
    assert_eq!(service.records(), Vec::<serde_json::Value>::new());
    // Where files can't be sent, it isn't known.
    let (_, lines) = walk("http://127.0.0.1:1", &["--scanner"]);
    assert_eq!(lines.last().unwrap()["check"], "scanner");
    assert_eq!(*with("not_looked_at", &lines).last().unwrap(), "scanner");
}

#[test]
fn a_file_that_waits_for_its_lock_or_was_refused_by_the_scanner_is_told_from_one_that_nobody_noticed()
 {
    let service = Service::start(&[]);
    let locking: fn(String) -> String = |answer| {
        with_body(&answer, |body| {
            body.replace(
                r#""status":"available""#,
                r#""status":"pending","stage":"locking""#,
            )
        })
    };
    let stub = Stub::always(&service.base, "GET /v1/files/", locking);
    let (_, lines) = doctor(&stub.base, &["--notification-limit", "1"]);
    only_wrong(&lines, "notification", "no lock", "OBJECT_LOCK");
    let refused: fn(String) -> String = |answer| {
        with_body(&answer, |body| {
            body.replace(
                r#""status":"available""#,
                r#""status":"rejected","reason":"a virus","reasonCode":"infected""#,
            )
        })
    };
    let stub = Stub::always(&service.base, "GET /v1/files/", refused);
    let (_, lines) = doctor(&stub.base, &[]);
    only_wrong(
        &lines,
        "notification",
        "harmless bytes were sent",
        "file-share check",
    );
}
