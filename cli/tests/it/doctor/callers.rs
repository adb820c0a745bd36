//! Who asks, as `fshare doctor` sees it: keys and issuers, what is left of a caller's limits, and a service from before
//! there were callers.

use serde_json::{Value, json};

use super::{ALL, doctor, only_wrong, with};
use crate::stub::{Stub, StubFault, with_body};
use crate::support::{Ran, Service, fshare};

#[test]
fn a_service_that_asks_for_its_key_says_so_and_is_walked_through_with_it() {
    let service = Service::start(&[("ACCESS", "key")]);
    let (code, lines) = doctor(&service.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "sign-in", "asks for its key", "FILE_SHARE_TOKEN");
    assert_eq!(with("not_looked_at", &lines), ALL[4..]);
    let key = std::fs::read_to_string(service.data().join("access-key")).unwrap();
    let with_key = |key: &str| {
        let mut command = service.command(&["doctor", "--json", "--check-limit", "120"]);
        Ran::of(command.env("FILE_SHARE_TOKEN", key).output().unwrap())
    };
    let ran = with_key(&key);
    assert_eq!(
        (ran.code, with("ok", &ran.json())),
        (0, ALL.to_vec()),
        "{ran:?}"
    );
    let said = ran.json()[3]["said"].as_str().unwrap().to_owned();
    assert!(said.ends_with("this is its operator"), "{said}");
    assert!(!format!("{ran:?}").contains(key.trim_end()));
    let ran = with_key("fsk_0123");
    only_wrong(&ran.json(), "sign-in", "isn't taken", "fshare login");
}

#[test]
fn a_service_that_is_open_to_others_is_warned_of_and_one_for_this_machine_alone_is_not() {
    let here = Service::start(&[("ACCESS", "")]);
    for (settings, is_open) in [
        (&[("ACCESS", "open")][..], false),
        (&[("ACCESS", "open"), ("LISTEN", "0.0.0.0:0")], true),
    ] {
        let service = Service::start(settings);
        let port = service.base.rsplit_once(':').unwrap().1;
        let (code, lines) = doctor(&format!("http://127.0.0.1:{port}"), &[]);
        let expected = if is_open { vec!["sign-in"] } else { vec![] };
        assert_eq!((code, with("warning", &lines)), (0, expected), "{lines:#?}");
        assert_eq!(with("ok", &lines).len(), ALL.len() - usize::from(is_open));
        if is_open {
            assert!(
                lines[3]["said"]
                    .as_str()
                    .unwrap()
                    .contains("may do everything")
            );
            assert!(lines[3]["mend"].as_str().unwrap().contains("ACCESS"));
            let ran = Ran::of(fshare(&service.base).arg("doctor").output().unwrap());
            assert!(ran.out.contains("\n! sign-in "), "{ran:?}");
        }
    }
    let (code, lines) = doctor(&here.base, &[]);
    assert_eq!((code, with("ok", &lines)), (0, ALL.to_vec()), "{lines:#?}");
}

fn line<'a>(lines: &'a [Value], check: &str) -> (&'a str, &'a str, &'a str) {
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    (text("verdict"), text("said"), text("mend"))
}

#[test]
fn what_is_left_of_the_limits_is_said() {
    let service = Service::start(&[("MAX_UPLOAD_BYTES", "1048576")]);
    let (_, lines) = doctor(&service.base, &[]);
    let (verdict, said, _) = line(&lines, "limits");
    assert_eq!(
        (verdict, said),
        (
            "ok",
            "files of up to 1.00 MiB; no quota; calls aren't scarce"
        )
    );
    // Of whoever is signed in, as the service says it while the test file is there.
    let stub = Stub::always(&service.base, "GET /v1/session", |answer| {
        with_body(&answer, |body| {
            let mut session: Value = serde_json::from_str(body).unwrap();
            session["quota"] = json!({
                "bytes": {"used": 2 * 1_048_576, "limit": 100 * 1_048_576},
                "files": {"used": 50, "limit": 50},
            });
            session.to_string()
        })
    });
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!(code, 0, "a warning is no failure: {lines:#?}");
    let (verdict, said, mend) = line(&lines, "limits");
    assert_eq!(verdict, "warning");
    let used = "1.00 MiB of 100.00 MiB used, 49 of 50 files used";
    assert!(said.contains(used), "{said}");
    assert!(mend.contains("QUOTA_FILES"), "{mend}");
}

#[test]
fn calls_that_others_take_are_warned_of_with_the_proxy_that_the_service_may_not_know() {
    let service = Service::start(&[]);
    let stub = Stub::always(&service.base, "GET /v1/session", |answer| {
        let limit = "RateLimit: \"read\";r=3;t=2\r\nRateLimit-Policy: \"read\";q=200;w=2\r\n\r\n";
        answer.replacen("\r\n\r\n", &format!("\r\n{limit}"), 1)
    });
    let (code, lines) = doctor(&stub.base, &[]);
    assert_eq!((code, with("warning", &lines)), (0, vec!["limits"]));
    let (_, said, mend) = line(&lines, "limits");
    assert!(said.contains("3 of 200 calls"), "{said}");
    assert!(mend.contains("TRUSTED_PROXIES"), "{mend}");
}

#[test]
fn a_limit_that_the_walk_itself_uses_up_is_too_small() {
    let service = Service::start(&[("ACCESS", "key"), ("RATE_CREATE", "6/min:1")]);
    let key = std::fs::read_to_string(service.data().join("access-key")).unwrap();
    let mut command = service.command(&["doctor", "--json", "--check-limit", "120"]);
    let ran = Ran::of(command.env("FILE_SHARE_TOKEN", key).output().unwrap());
    let lines = ran.json();
    assert_eq!((ran.code, with("warning", &lines)), (0, vec!["limits"]));
    let (_, said, mend) = line(&lines, "limits");
    assert!(
        said.contains("0 of 1 calls that the limit \"create\""),
        "{said}"
    );
    assert!(
        mend.contains("own calls") && mend.contains("RATE_CREATE"),
        "{mend}"
    );
}

#[test]
fn an_issuer_that_is_away_is_named_with_what_to_do() {
    let settings = [
        ("ACCESS", "oidc"),
        // Nobody listens there.
        ("OIDC_ISSUER", "http://127.0.0.1:1"),
        ("OIDC_CLIENT_ID", "files"),
        ("OIDC_AUDIENCE", "files"),
    ];
    let service = Service::start(&settings);
    let (code, lines) = doctor(&service.base, &[]);
    assert_eq!(code, 1);
    only_wrong(&lines, "sign-in", "can't reach the issuer", "OIDC_ISSUER");
    assert_eq!(with("not_looked_at", &lines), ALL[4..]);
}

#[test]
fn a_service_from_before_there_were_callers_is_walked_through_all_the_same() {
    const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n\
                             Content-Length: 45\r\n\r\n{\"title\":\"\",\"detail\":\"\",\"code\":\"not_a_route\"}";
    let service = Service::start(&[]);
    let fault = StubFault::Answer(NOT_FOUND);
    let stub = Stub::before(&service.base, vec![("GET /v1/session", fault)]);
    let (_, lines) = doctor(&stub.base, &[]);
    assert_eq!(with("not_looked_at", &lines), ["sign-in"], "{lines:#?}");
    assert!(with("ok", &lines).contains(&"delete"), "{lines:#?}");
}
