//! HTTP as no client speaks it, byte by byte: each is answered with an error of the client's or with
//! a closed connection, once, and soon.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::curl::curl_status;
use crate::support::program::{Program, data_dir};

/// Below the time that a header may take to come, so that no case passes by running into that.
const SOON: Duration = Duration::from_secs(15);
/// What a smuggler wants to have answered as a request of its own.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Service {
    program: Program,
    _dir: tempfile::TempDir,
}

impl Service {
    fn new() -> Self {
        let dir = data_dir();
        Self {
            program: Program::local(dir.path(), &[]),
            _dir: dir,
        }
    }

    fn address(&self) -> &str {
        self.program.base.strip_prefix("http://").unwrap()
    }

    /// Sends the bytes, then the end of the stream, and gives the statuses of what is answered until
    /// the connection is closed.
    fn statuses(&self, what: &str, bytes: &[u8]) -> Vec<u16> {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let started = Instant::now();
        // It may close before it has read everything, with what it says in the buffers.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                // One that stays open for the next request is answered to nothing.
                Err(_) => break,
            }
            if is_whole(&answer) {
                // An honest client goes now. Whatever else is answered comes before the end.
                let _ = stream.shutdown(std::net::Shutdown::Write);
            }
        }
        assert!(started.elapsed() < SOON, "{what}: it hangs");
        let text = String::from_utf8_lossy(&answer).into_owned();
        text.match_indices("HTTP/1.")
            .map(|(at, _)| text[at + "HTTP/1.1 ".len()..][..3].parse().unwrap())
            .collect()
    }

    fn assert_refused(&self, what: &str, bytes: &[u8]) {
        let statuses = self.statuses(what, bytes);
        assert!(
            statuses.len() <= 1,
            "{what} was answered twice: {statuses:?}"
        );
        for status in statuses {
            assert!((400..500).contains(&status), "{what}: {status}");
        }
    }

    fn assert_well(&self) {
        let url = format!("{}/readyz", self.program.base);
        assert_eq!(curl_status(&[&url]), "200");
        let log = self.program.log();
        assert!(
            !log.contains("panicked") && !log.contains(" ERROR "),
            "{log}"
        );
    }
}

/// Whether the first answer is there to its end.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn create_with(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn get_with(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes()
}

#[test]
fn a_request_whose_length_can_be_read_in_two_ways_smuggles_no_second_one() {
    let service = Service::new();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let body = format!("0\r\n\r\n{SMUGGLED}");
    for (what, headers) in [
        (
            "a length and chunks",
            format!("Content-Length: 4\r\n{chunked}"),
        ),
        (
            "chunks and a length",
            format!("{chunked}Content-Length: 4\r\n"),
        ),
        (
            "two lengths",
            "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(),
        ),
        ("a list of lengths", "Content-Length: 5, 5\r\n".to_owned()),
        ("a length with a sign", "Content-Length: +5\r\n".to_owned()),
        ("a negative length", "Content-Length: -1\r\n".to_owned()),
        (
            "a length beyond all numbers",
            format!("Content-Length: {}\r\n", "9".repeat(40)),
        ),
        ("a length with text", "Content-Length: 5x\r\n".to_owned()),
        (
            "an unknown coding",
            "Transfer-Encoding: xchunked\r\n".to_owned(),
        ),
        (
            "chunks inside another coding",
            "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        ),
        (
            "a space before the colon",
            "Transfer-Encoding : chunked\r\n".to_owned(),
        ),
        (
            "a coding on a second line",
            "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
        ),
        (
            "a control character before the coding",
            "Transfer-Encoding: \x0bchunked\r\n".to_owned(),
        ),
    ] {
        service.assert_refused(what, &create_with(&headers, &body));
    }
    for (what, chunks) in [
        ("a negative chunk", "-2\r\n{}\r\n0\r\n\r\n"),
        (
            "a chunk beyond all numbers",
            "ffffffffffffffff1\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a chunk that is longer than it says",
            "1\r\n{}\r\n0\r\n\r\n",
        ),
        ("a chunk without a length", "\r\n{}\r\n0\r\n\r\n"),
    ] {
        service.assert_refused(what, &create_with(chunked, &format!("{chunks}{SMUGGLED}")));
    }
    let long_extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(1 << 20));
    service.assert_refused(
        "an endless extension",
        &create_with(chunked, &long_extension),
    );
    service.assert_well();
}

#[test]
fn what_is_no_header_is_refused() {
    let service = Service::new();
    for (what, header) in [
        ("a folded line", "X-A: b\r\n c\r\n"),
        ("a NUL", "X-A: b\0c\r\n"),
        ("a lone carriage return", "X-A: b\rc\r\n"),
        ("a header without a name", ": b\r\n"),
        ("a line without a colon", "X-A\r\n"),
        ("a name with a space", "X A: b\r\n"),
        ("a second host", "Host: localhost\r\n"),
    ] {
        service.assert_refused(what, &get_with("/v1/files", header));
    }
    service.assert_refused("no host", b"GET /v1/files HTTP/1.1\r\n\r\n");
    service.assert_refused("an empty host", b"GET /v1/files HTTP/1.1\r\nHost:\r\n\r\n");
    let body = r#"{"filename":"a","size":1}"#;
    let old = format!(
        "POST /v1/files HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // There is nothing to sign a URL for.
    service.assert_refused("HTTP/1.0 without a host", old.as_bytes());
    service.assert_well();
}

#[test]
fn what_is_larger_than_anybody_needs_is_refused() {
    let service = Service::new();
    let many: String = (0..5000).map(|n| format!("X-{n}: a\r\n")).collect();
    let mib = "a".repeat(1 << 20);
    for (what, bytes) in [
        ("5,000 headers", get_with("/v1/files", &many)),
        (
            "a header of 1 MiB",
            get_with("/v1/files", &format!("X-A: {mib}\r\n")),
        ),
        (
            "a header name of 1 MiB",
            get_with("/v1/files", &format!("{mib}: a\r\n")),
        ),
        ("a path of 1 MiB", get_with(&format!("/{mib}"), "")),
        (
            "a query of 1 MiB",
            get_with(&format!("/v1/files?cursor={mib}"), ""),
        ),
        (
            "a long cursor",
            get_with(&format!("/v1/files?cursor={}", &mib[..60_000]), ""),
        ),
        (
            "a method of 1 MiB",
            format!("{mib} / HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        ),
        (
            "a body that says it has an exabyte",
            create_with("Content-Length: 999999999999999999\r\n", "{"),
        ),
        (
            "a body of 1 MiB",
            create_with(&format!("Content-Length: {}\r\n", 1 << 20), &mib),
        ),
        (
            "a body that is nested 8,000 times",
            create_with("Content-Length: 16000\r\n", &"[".repeat(16_000)),
        ),
    ] {
        service.assert_refused(what, &bytes);
    }
    service.assert_well();
}

#[test]
fn targets_and_methods_that_nobody_needs_are_refused() {
    let service = Service::new();
    let head = "HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for line in [
        "CONNECT 127.0.0.1:22",
        "CONNECT localhost",
        "CONNECT /v1/files",
        "TRACE /v1/files",
        "TRACE /healthz",
        "OPTIONS *",
        "GET *",
        "GET v1/files",
        "GET http://evil.example/v1/files",
        "GET http://localhost:1/v1/files",
        "GET http://user@localhost/v1/files",
        "GET ftp://evil.example/v1/files",
        "GET /../../etc/passwd",
        "GET /v1/files/../../../etc/passwd",
        "GET /v1/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "GET /file-share-bucket/../data/signing-secret",
        "GET /file-share-bucket/%2e%2e/signing-secret",
        "GET /v1/files/%00",
        "GET /v1/files/%ff%fe",
        "GET /v1/files/%zz",
        "GET /v1/files?cursor=%ff%fe",
        "GET /v1/files?limit=%zz",
        "G\u{e9}T /v1/files",
        "",
        "GET",
    ] {
        service.assert_refused(line, format!("{line} {head}").as_bytes());
    }
    for target in [
        &b"/v1/files/\xff\xfe"[..],
        b"/v1/files?cursor=\xff",
        b"/\0",
        b"/\x7f",
    ] {
        let request = [b"GET ", target, b" ", head.as_bytes()].concat();
        service.assert_refused("bytes that are no text", &request);
    }
    service.assert_well();
}

#[test]
fn what_is_no_http_1_is_refused() {
    let service = Service::new();
    let hello = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        &[b'a'; 505],
    ]
    .concat();
    let feeds = [&[b'\n'; 200_000][..], b"x\r\n\r\n"].concat();
    for (what, bytes) in [
        (
            "HTTP/2 from the first byte",
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        ),
        (
            "HTTP/2 in the line",
            b"GET /v1/files HTTP/2.0\r\nHost: localhost\r\n\r\n",
        ),
        ("HTTP/0.9", b"GET /v1/files\r\n\r\n"),
        ("another protocol", b"EHLO localhost\r\n\r\n"),
        ("TLS", &hello),
        ("zeros", &[0; 512]),
        ("line feeds", &feeds),
    ] {
        service.assert_refused(what, bytes);
    }
    // A client that would rather speak HTTP/2 is answered in HTTP/1.1, as RFC 9110 has it.
    let upgrade =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    assert_eq!(
        service.statuses("an upgrade", &get_with("/healthz", upgrade)),
        [200]
    );
    service.assert_well();
}

#[test]
fn an_answer_that_leaves_a_body_unread_says_that_the_connection_ends_and_another_does_not() {
    let service = Service::new();
    let head = |request: &str| {
        let mut stream = TcpStream::connect(service.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let host = service.address();
        write!(stream, "{request}host: {host}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 1024];
        while !String::from_utf8_lossy(&answer).contains("\r\n\r\n") {
            let read = stream.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "{request}: no answer");
            answer.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(answer).unwrap().to_ascii_lowercase()
    };
    let ends = |answer: &str| answer.contains("\r\nconnection: close\r\n");
    // Their bodies don't come, so nobody can have read them.
    for request in [
        "POST /v1/files HTTP/1.1\r\norigin: http://evil.example\r\ncontent-length: 9\r\n",
        "POST /v1/files HTTP/1.1\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n",
        "PUT /v1/files HTTP/1.1\r\ncontent-length: 9\r\n",
        "POST /v1/nothing HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
    ] {
        assert!(ends(&head(request)), "{request}: {}", head(request));
    }
    for request in [
        "POST /v1/nothing HTTP/1.1\r\ncontent-length: 0\r\n",
        "GET /v1/files HTTP/1.1\r\n",
    ] {
        assert!(!ends(&head(request)), "{request}");
    }
    let body = "{\"filename\": \"a.txt\"}";
    let created = create_with(&format!("Content-Length: {}\r\n", body.len()), body);
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&created).unwrap();
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase();
    assert!(
        answer.starts_with("http/1.1 400") && !ends(&answer),
        "{answer}"
    );
}
