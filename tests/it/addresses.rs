//! The addresses that a service names for others: at its start, and to whoever passes links on.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use crate::support::curl::{curl, curl_json, curl_status};
use crate::support::program::{Program, data_dir};

/// The addresses that a start names, in its lines about where the service is.
fn named(program: &Program) -> Vec<String> {
    let lines = program
        .greeting
        .lines()
        .skip_while(|line| !line.contains("File Share Service on"));
    let lines = lines.take_while(|line| !line.contains("sign in") && !line.contains("explorer"));
    let words = lines.flat_map(str::split_whitespace);
    let addresses = words.filter(|word| word.starts_with("http"));
    addresses.map(str::to_owned).collect()
}

fn port(base: &str) -> u16 {
    let address = base.strip_prefix("http://").unwrap();
    address.parse::<SocketAddr>().unwrap().port()
}

/// Whether the system has an address at which others could reach this machine, as the kernel's own table says: so that
/// a test knows what it has to see, instead of seeing nothing where a program names nothing.
fn is_in_a_network() -> bool {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap();
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let own = lines
        .windows(2)
        .filter(|two| two[1] == "/32 host LOCAL")
        .filter_map(|two| two[0].strip_prefix("|-- "));
    own.map(|address| address.parse::<Ipv4Addr>().unwrap())
        .any(|address| !address.is_loopback())
}

/// What `GET /v1/session` says at this address, to a request with these headers.
fn session(base: &str, headers: &[&str]) -> Value {
    let url = format!("{base}/v1/session");
    let headers = headers.iter().flat_map(|header| ["--header", header]);
    let arguments: Vec<&str> = headers.chain([url.as_str()]).collect();
    curl_json(&arguments)
}

#[test]
fn a_start_names_addresses_at_which_the_service_answers_and_never_all_of_them_at_once() {
    for listen in ["0.0.0.0:0", "[::]:0", ":0"] {
        let dir = data_dir();
        let program = Program::local(dir.path(), &[("LISTEN", listen), ("ACCESS", "")]);
        let named = named(&program);
        assert!(
            !named.is_empty() && named.len() <= 5,
            "{}",
            program.greeting
        );
        let here = |base: &&String| base.contains("//127.") || base.contains("//[::1]");
        let for_others = named.iter().filter(|base| !here(base)).count();
        if is_in_a_network() {
            assert_eq!(for_others, named.len(), "{}", program.greeting);
        } else if listen == "0.0.0.0:0" {
            assert_eq!(for_others, 0, "{}", program.greeting);
        }
        for base in &named {
            assert_eq!(curl_status(&[&format!("{base}/healthz")]), "200", "{base}");
        }
        for nowhere in ["0.0.0.0", "[::]", "[fe80"] {
            assert!(!program.greeting.contains(nowhere), "{}", program.greeting);
        }
    }
}

#[test]
fn a_start_names_the_public_url_alone() {
    let dir = data_dir();
    let settings = [
        ("LISTEN", "0.0.0.0:0"),
        ("ACCESS", ""),
        ("PUBLIC_URL", "https://files.example.org/course"),
    ];
    let program = Program::local(dir.path(), &settings);
    assert_eq!(named(&program), ["https://files.example.org/course"]);
    assert!(
        !program.greeting.contains("http://"),
        "{}",
        program.greeting
    );
}

#[test]
fn the_first_start_at_a_terminal_shows_the_key_in_a_link_of_each_address_and_no_other_start_does() {
    let dir = data_dir();
    let settings = [("LISTEN", "[::]:0"), ("ACCESS", "")];
    let program = Program::local_in_terminal(dir.path(), &settings);
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let key = key.trim_end();
    assert!(!named(&program).is_empty(), "{}", program.greeting);
    for base in named(&program) {
        let link = format!("{base}/#key={key}");
        assert!(program.greeting.contains(&link), "{}", program.greeting);
    }
    let count = program.greeting.matches(key).count();
    assert_eq!(count, named(&program).len(), "{}", program.greeting);
    program.terminate_in_terminal();
    let shows_none = |program: &Program| {
        assert!(!program.greeting.contains(key), "{}", program.greeting);
        assert!(program.greeting.contains("with the key in"));
    };
    let program = Program::local_in_terminal(dir.path(), &settings);
    shows_none(&program);
    program.terminate_in_terminal();
    let program = Program::local(dir.path(), &settings);
    shows_none(&program);
    program.terminate();
    // Without a terminal the first start shows none either: its output may be a log.
    let dir = data_dir();
    let program = Program::local(dir.path(), &settings);
    assert!(!program.greeting.contains("fsk_"), "{}", program.greeting);
}

#[test]
fn links_name_an_address_that_others_reach_where_the_service_was_asked_under_one_that_they_do_not()
{
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("LISTEN", "0.0.0.0:0"), ("ACCESS", "open")]);
    let port = port(&program.base);
    let here = format!("http://127.0.0.1:{port}");
    let is_in_a_network = is_in_a_network();
    assert_eq!(program.base != here, is_in_a_network, "{}", program.base);
    let others = match is_in_a_network {
        true => Value::from(program.base.clone()),
        false => Value::Null,
    };
    for host in ["127.0.0.1", "localhost", "files.localhost", "[::1]"] {
        let host = format!("Host: {host}:{port}");
        let said = session(&here, &[&host]);
        assert_eq!(said["shareBase"], others, "{host}");
        assert_eq!(said["openToOthers"], true);
    }
    // By another name, or by a proxy: whoever asked knows better where others come.
    for header in [
        "Host: laptop:8000",
        "X-Forwarded-For: 203.0.113.7",
        "Via: 1.1 proxy",
    ] {
        assert_eq!(
            session(&here, &[header])["shareBase"],
            Value::Null,
            "{header}"
        );
    }
    if is_in_a_network {
        let said = session(&program.base, &[]);
        assert_eq!(said["shareBase"], Value::Null);
        // Not from this machine's loopback: a container's host may have mapped the address.
        let said = session(&program.base, &[&format!("Host: localhost:{port}")]);
        assert_eq!(said["shareBase"], Value::Null);
    }
}

#[test]
fn links_name_the_public_url_whatever_the_service_was_asked_under() {
    let dir = data_dir();
    let settings = [
        ("PUBLIC_URL", "https://files.example.org/course/"),
        ("ACCESS", "open"),
    ];
    let program = Program::local(dir.path(), &settings);
    let here = program.listening_at();
    for headers in [&[][..], &["Host: files.example.org"], &["Via: 1.1 proxy"]] {
        let said = session(&here, headers);
        assert_eq!(said["shareBase"], "https://files.example.org/course");
        assert_eq!(said["openToOthers"], true);
    }
}

#[test]
fn a_service_for_this_machine_alone_names_no_address_for_others() {
    for access in ["", "open"] {
        let dir = data_dir();
        let program = Program::local(dir.path(), &[("ACCESS", access)]);
        let said = session(&program.base, &[]);
        assert_eq!(said["shareBase"], Value::Null);
        assert_eq!(said["openToOthers"], false);
    }
}

#[test]
fn nobody_hears_where_a_service_is_that_asks_who_one_is() {
    let dir = data_dir();
    for public in [&[][..], &[("PUBLIC_URL", "https://files.example.org")]] {
        let settings = [&[("LISTEN", "0.0.0.0:0"), ("ACCESS", "key")], public].concat();
        let program = Program::local(dir.path(), &settings);
        let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
        let port = port(&program.listening_at());
        let here = format!("http://127.0.0.1:{port}");
        for proof in [
            &[][..],
            &["Authorization: Bearer fsk_0"],
            &["Cookie: session=0"],
        ] {
            let said = curl(
                &[
                    &["--header", proof.first().copied().unwrap_or("Accept: */*")][..],
                    &[&format!("{here}/v1/session")],
                ]
                .concat(),
            );
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains("\"shareBase\":null"), "{said}");
            assert!(!said.contains("http"), "{said}");
        }
        let proof = format!("Authorization: Bearer {}", key.trim_end());
        let said = session(&here, &[&proof]);
        assert_eq!(said["openToOthers"], false);
        // Whoever is in hears it.
        let expected = match (public, is_in_a_network()) {
            ([], false) => Value::Null,
            _ => Value::from(program.base.clone()),
        };
        assert_eq!(said["shareBase"], expected);
        program.terminate();
    }
}
