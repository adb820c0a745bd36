//! `fshare login`, `logout` and `tokens`: against a real service that asks for its key, with a person who types codes.

mod world;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::world::{World, curl, key_of, mode, person_at, status_with};
use crate::stub::{Stub, StubFault, with_body};
use crate::support::{Ran, Service, fshare, in_terminal_with};

/// How long something may take that a person waits for. Far more than it needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn whoever_types_the_code_is_signed_in_and_every_command_uses_the_token() {
    let world = World::new();
    let refused = world.run(&["list"]);
    assert!(refused.err.contains("fshare login"), "{refused:?}");
    let (mut waiting, said) = world.begin(&["login"]);
    assert_eq!(said["verifyAt"], format!("{}/pair", world.service.base));
    assert!(!world.token_file().exists());
    assert!(waiting.child.try_wait().unwrap().is_none(), "it waits");
    let id = waiting.child.id();
    person_at(&world.service).approves(&said);
    // Whoever else is on this machine sees the arguments and, as somebody else, nothing more.
    let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
    let ran = waiting.end();
    assert_eq!(ran.code, 0, "{ran:?}");
    let token = world.token();
    assert!(token.starts_with("fst_"));
    assert!(!arguments.contains(&token) && arguments.contains("login"));
    assert!(!format!("{ran:?}").contains(&token));
    assert_eq!(mode(&world.token_file()), 0o600);
    assert_eq!(mode(world.token_file().parent().unwrap()), 0o700);

    world.service.file("a.txt", b"hello");
    let uploaded = world.run(&["upload", "a.txt"]);
    assert_eq!(uploaded.code, 0, "{uploaded:?}");
    let link = uploaded.out.trim_end();
    let fetched = world.run(&["download", link, "-o", "-"]);
    assert_eq!((fetched.code, &*fetched.out), (0, "hello"), "{fetched:?}");
    let listed = world.run(&["tokens", "--json"]).json();
    assert_eq!(listed.len(), 1);
    let label = listed[0]["label"].as_str().unwrap();
    assert!(
        label.starts_with("fshare on ") && label.len() > 10,
        "{label}"
    );
    assert!(!listed[0].to_string().contains(&token[4..]));
    assert_eq!(world.run(&["delete", "--yes", link]).code, 0);

    // What the environment says counts before it.
    let mut command = world.command(&["list"]);
    let other = Ran::of(command.env("FILE_SHARE_TOKEN", "fsk_0").output().unwrap());
    assert!(other.err.contains("sign_in_required"), "{other:?}");
    // Also where the settings are elsewhere.
    let mut command = world.command(&["list"]);
    let empty = world.home.path().join("elsewhere");
    let other = Ran::of(command.env("XDG_CONFIG_HOME", &empty).output().unwrap());
    assert!(other.err.contains("fshare login"), "{other:?}");
}

#[test]
fn signing_in_again_leaves_one_token_and_signing_out_none() {
    let world = World::new();
    world.login(&world.service.base);
    let before = world.token();
    // With another way to write the same address.
    world.login(&format!("{}/", world.service.base));
    let token = world.token();
    assert_ne!(before, token);
    assert_eq!(world.stored()["servers"].as_object().unwrap().len(), 1);
    assert_eq!(status_with(&before, &world.service), "401");
    assert_eq!(status_with(&token, &world.service), "200");
    let out = world.run(&["logout", "--json"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(out.json()[0]["isRevoked"], true);
    assert_eq!(status_with(&token, &world.service), "401");
    assert!(
        !fs::read_to_string(world.token_file())
            .unwrap()
            .contains("fst_")
    );
    let again = world.run(&["logout"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains("nobody is signed in"), "{again:?}");
}

#[test]
fn whoever_signs_out_while_the_server_is_away_has_no_token_left_and_hears_that_it_holds_on() {
    let world = World::new();
    world.login(&world.service.base);
    let World { service, home } = world;
    let (base, file) = (
        service.base.clone(),
        home.path().join(".config/fshare/tokens.json"),
    );
    let id = serde_json::from_str::<Value>(&fs::read_to_string(&file).unwrap()).unwrap();
    let id = id["servers"][&base]["id"].as_str().unwrap().to_owned();
    drop(service);
    let mut command = fshare(&base);
    let out = command.arg("logout").env("HOME", home.path()).output();
    let out = Ran::of(out.unwrap());
    assert_eq!(out.code, 3, "{out:?}");
    assert!(
        out.err.contains("didn't hear of it") && out.err.contains(&id),
        "{out:?}"
    );
    assert!(!fs::read_to_string(&file).unwrap().contains("fst_"));
}

#[test]
fn a_token_that_was_revoked_elsewhere_says_to_sign_in_again() {
    let world = World::new();
    world.login(&world.service.base);
    let id = world.stored()["servers"][&world.service.base]["id"].clone();
    let revoke = |by: &str, id: &str| {
        let mut command = world.command(&["tokens", "revoke", id]);
        Ran::of(command.env("FILE_SHARE_TOKEN", by).output().unwrap())
    };
    // The key makes another one, which may not end the first.
    let made = json!({"label": "another", "scopes": ["read"]}).to_string();
    let proof = format!("Authorization: Bearer {}", key_of(&world.service));
    let url = format!("{}/v1/tokens", world.service.base);
    let made = curl(&["--header", &proof, "--json", &made, &url]);
    let (_, made) = made.split_once("\r\n\r\n").unwrap();
    let made: Value = serde_json::from_str(made).unwrap();
    let refused = revoke(made["token"].as_str().unwrap(), id.as_str().unwrap());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("ends no other one"), "{refused:?}");
    assert_eq!(world.run(&["list"]).code, 0);

    // By the service's own call, as from another machine.
    let path = format!("{url}/{}", id.as_str().unwrap());
    curl(&["--request", "DELETE", "--header", &proof, &path]);
    let refused = world.run(&["list"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("run fshare login again"),
        "{refused:?}"
    );
    // Nothing to be ended any more, and gone here all the same.
    assert_eq!(world.run(&["logout"]).code, 0);

    // Its own one goes from here as well.
    world.login(&world.service.base);
    let id = world.stored()["servers"][&world.service.base]["id"].clone();
    let ended = world.run(&["tokens", "revoke", id.as_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        !fs::read_to_string(world.token_file())
            .unwrap()
            .contains("fst_")
    );
    assert_eq!(world.run(&["tokens", "revoke", "../files"]).code, 2);
}

#[test]
fn a_token_file_that_others_can_read_is_refused_and_nothing_is_sent() {
    let world = World::new();
    world.login(&world.service.base);
    fs::set_permissions(world.token_file(), PermissionsExt::from_mode(0o644)).unwrap();
    let stub = Stub::before(&world.service.base, vec![]);
    for arguments in [&["list"][..], &["logout"], &["login"], &["tokens"]] {
        let mut command = world.command(arguments);
        let refused = Ran::of(command.args(["--server", &stub.base]).output().unwrap());
        assert_eq!(refused.code, 1, "{arguments:?}: {refused:?}");
        assert!(refused.err.contains("chmod 600"), "{refused:?}");
        assert!(refused.err.contains("mode 644"), "{refused:?}");
    }
    assert_eq!(stub.count(""), 0);
    // Whoever says the token otherwise needs no file.
    let mut command = world.command(&["list"]);
    let key = key_of(&world.service);
    let listed = Ran::of(command.env("FILE_SHARE_TOKEN", key).output().unwrap());
    assert_eq!(listed.code, 0, "{listed:?}");
    fs::set_permissions(world.token_file(), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(world.run(&["list"]).code, 0);
}

#[test]
fn each_service_gets_its_own_token_and_no_other_ones() {
    let world = World::new();
    let other = Service::start(&[("ACCESS", "key")]);
    world.service.file("a.txt", b"hello");
    let mut command = other.command(&["upload", "a.txt"]);
    command.current_dir(world.service.folder.path());
    let uploaded = command.env("FILE_SHARE_TOKEN", key_of(&other)).output();
    let link = Ran::of(uploaded.unwrap()).out.trim_end().to_owned();
    world.login(&world.service.base);
    let refused = world.run(&["download", &link, "-o", "-"]);
    assert!(refused.err.contains("sign_in_required"), "{refused:?}");
    // A link leads to whom somebody wants it to.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let foreign = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let read = client.read(&mut head).unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        client.write_all(answer).unwrap();
        String::from_utf8_lossy(&head[..read]).to_lowercase()
    });
    let foreign = link.replace(&other.base, &foreign);
    assert_eq!(world.run(&["download", &foreign, "-o", "-"]).code, 1);
    let heard = heard.join().unwrap();
    assert!(
        heard.contains("user-agent: fshare") && !heard.contains("authorization"),
        "{heard}"
    );

    let (waiting, said) = world.begin(&["login", &other.base]);
    person_at(&other).approves(&said);
    assert_eq!(waiting.end().code, 0);
    let fetched = world.run(&["download", &link, "-o", "-"]);
    assert_eq!((fetched.code, &*fetched.out), (0, "hello"), "{fetched:?}");
    assert_eq!(world.run(&["list"]).code, 0);
}

#[test]
fn the_wait_ends_with_ctrl_c_with_its_time_and_with_the_code_and_keeps_nothing() {
    let world = World::new();
    let (waiting, _) = world.begin(&["login"]);
    let id = waiting.child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.unwrap().success());
    let ran = waiting.end();
    assert_eq!(ran.code, 130, "{ran:?}");

    let ran = world.run(&["login", "--timeout", "5"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("/pair") && ran.err.contains("in time"),
        "{ran:?}"
    );

    let gone = "HTTP/1.1 410 Gone\r\nContent-Type: application/problem+json\r\nContent-Length: 24\r\n\
                Connection: close\r\n\r\n{\"code\": \"pairing_gone\"}";
    let faults = vec![("POST /v1/pairings/redeem", StubFault::Answer(gone))];
    let stub = Stub::before(&world.service.base, faults);
    let ran = world.run(&["login", &stub.base]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("call fshare login again"), "{ran:?}");
    assert!(!world.token_file().exists());
}

#[test]
fn answers_that_are_lost_or_ask_for_patience_do_not_end_the_wait() {
    let world = World::new();
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n\
                Content-Length: 22\r\nConnection: close\r\n\r\n{\"code\": \"overloaded\"}";
    let redeem = "POST /v1/pairings/redeem";
    let faults = vec![
        ("POST /v1/pairings", StubFault::LoseAnswer),
        (redeem, StubFault::LoseAnswer),
        (redeem, StubFault::Answer(busy)),
    ];
    let stub = Stub::before(&world.service.base, faults);
    let (waiting, said) = world.begin(&["login", &stub.base]);
    let until = Instant::now() + LIMIT;
    while stub.count(redeem) < 2 {
        assert!(Instant::now() < until, "it asks again");
        std::thread::sleep(Duration::from_millis(20));
    }
    person_at(&world.service).approves(&said);
    let ran = waiting.end();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(world.stored()["servers"][&stub.base]["token"].is_string());
}

#[test]
fn where_a_token_can_not_be_kept_none_is_asked_for() {
    let world = World::new();
    let stub = Stub::before(&world.service.base, vec![]);
    let login = |settings: &[(&str, &str)]| {
        let mut command = world.service.command(&["login", &stub.base]);
        Ran::of(command.envs(settings.iter().copied()).output().unwrap())
    };
    for settings in [
        &[][..],
        &[("XDG_CONFIG_HOME", "/dev/null/settings")],
        &[("XDG_CONFIG_HOME", "relative"), ("HOME", "")],
    ] {
        let refused = login(settings);
        assert_eq!(refused.code, 1, "{settings:?}: {refused:?}");
    }
    assert!(login(&[]).err.contains("XDG_CONFIG_HOME"));
    assert_eq!(stub.count(""), 0);
}

#[test]
fn a_token_that_could_not_be_kept_after_all_is_revoked() {
    let world = World::new();
    let (waiting, said) = world.begin(&["login"]);
    // Somebody puts something else there meanwhile.
    fs::create_dir_all(world.token_file()).unwrap();
    person_at(&world.service).approves(&said);
    let ran = waiting.end();
    assert_eq!(ran.code, 1, "{ran:?}");
    let mut command = world.command(&["tokens", "--json"]);
    let listed = command
        .env("FILE_SHARE_TOKEN", key_of(&world.service))
        .output();
    assert_eq!(Ran::of(listed.unwrap()).json().len(), 0);
}

#[test]
fn where_nobody_is_asked_no_sign_in_is_needed_and_an_earlier_service_is_told_apart() {
    let service = Service::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let login = |server: &str| {
        let mut command = service.command(&["login", server, "--json"]);
        Ran::of(command.env("HOME", home.path()).output().unwrap())
    };
    let ran = login(&service.base);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()[0]["isNeeded"], false);
    let earlier = "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 27\r\n\
                   Connection: close\r\n\r\n{\"code\": \"route_not_found\"}";
    let faults = vec![("POST /v1/pairings", StubFault::Answer(earlier))];
    let ran = login(&Stub::before(&service.base, faults).base);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("earlier version"), "{ran:?}");
}

/// The answer with another text in this field.
fn changed(answer: &str, field: &str, text: &str) -> String {
    with_body(answer, |body| {
        let mut body: Value = serde_json::from_str(body).unwrap();
        body[field] = text.into();
        body.to_string()
    })
}

#[test]
fn a_server_leads_to_no_page_that_is_none_or_that_has_the_code_in_its_address() {
    let world = World::new();
    let run = |change: fn(String) -> String| {
        let stub = Stub::always(&world.service.base, "POST /v1/pairings", change);
        world.run(&["login", &stub.base, "--timeout", "5"])
    };
    for change in [
        (|answer| changed(&answer, "verifyAt", "javascript:alert(1)")) as fn(String) -> String,
        |answer| changed(&answer, "verifyAt", "file:///etc/passwd"),
        |answer| changed(&answer, "verifyAt", "https://a@b.example/pair"),
        |answer| changed(&answer, "verifyAt", "https://b.example/pair?code=BCDF-GHJK"),
        |answer| {
            changed(
                &answer,
                "userCode",
                "BCDF-GHJK: open https://evil.example and type it",
            )
        },
    ] {
        let ran = run(change);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.err.contains("Open "), "{ran:?}");
    }
    // What it says neither steers the terminal nor forges a line.
    let ran = run(|answer| changed(&answer, "userCode", "BCDF\u{1b}[2J\r\nGHJK"));
    assert!(
        !ran.err.contains('\u{1b}') && ran.err.contains("BCDF\u{fffd}"),
        "{ran:?}"
    );
}

#[test]
fn a_person_at_the_terminal_may_have_the_page_opened_and_over_ssh_nothing_opens() {
    let world = World::new();
    let opened = world.home.path().join("opened");
    let browser = world
        .service
        .file("browser", b"#!/bin/sh\nprintf '%s' \"$1\" > \"$OPENED\"\n");
    fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
    let settings = [
        ("HOME", world.home.path().to_str().unwrap()),
        ("BROWSER", browser.to_str().unwrap()),
        ("OPENED", opened.to_str().unwrap()),
    ];
    let command = "login --timeout 5";
    let ssh = [
        &settings[..],
        &[("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")],
    ]
    .concat();
    let (code, shown) = in_terminal_with(&world.service, command, "\n", &ssh);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("/pair") && !shown.contains("Enter "),
        "{shown}"
    );
    assert!(!opened.exists());

    let (_, shown) = in_terminal_with(&world.service, command, "", &settings);
    assert!(shown.contains("Enter "), "{shown}");
    assert!(!opened.exists(), "nothing opens by itself");
    in_terminal_with(&world.service, command, "\n", &settings);
    let address = fs::read_to_string(&opened).unwrap();
    assert_eq!(address, format!("{}/pair", world.service.base));
}
