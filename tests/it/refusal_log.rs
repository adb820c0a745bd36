//! How much a client whose requests are refused can have written into the log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::create;
use crate::support::program::{Program, data_dir};

/// For everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// More lines than the log takes at once and in the seconds that sending them lasts.
const REQUESTS: usize = 4_000;
/// Nearly all that a request's header may have, in bytes.
const LONG_PATH: usize = 60 * 1024;

/// Sends the request so often over one connection, and gives the last answer's first line.
fn send(address: &str, request: &[u8], times: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut status = String::new();
    for _ in 0..times {
        stream.write_all(request).unwrap();
        status = read_answer(&mut stream);
    }
    status
}

/// Reads an answer with its body, and gives its first line.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 64 * 1024];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if answer.len() >= end + 4 + length {
            return head.lines().next().unwrap().to_owned();
        }
    }
}

fn lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

/// How many lines about refused requests there are, and how many it says were left out.
fn tally(log: &str) -> (usize, u64) {
    let of_requests = ["answered", "refused", "an upload was refused"];
    let written = lines(log)
        .filter(|line| of_requests.contains(&line["message"].as_str().unwrap_or_default()))
        .count();
    let left_out = lines(log)
        .filter_map(|line| line["left_out"].as_u64())
        .sum();
    (written, left_out)
}

/// Waits until so many lines are accounted for, and gives the log.
fn log_of(program: &Program, expected: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = program.log();
        let (written, left_out) = tally(&log);
        if written as u64 + left_out == expected as u64 {
            return log;
        }
        assert!(
            Instant::now() < deadline,
            "{written} lines and {left_out} left out are not {expected}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_flood_of_refused_requests_leaves_a_short_log_that_says_how_much_it_left_out() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("LOG_FORMAT", "json")]);
    let address = program.base.strip_prefix("http://").unwrap();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let started = Instant::now();
    let status = send(address, request("/v1/nothing").as_bytes(), REQUESTS);
    assert!(status.contains("404"), "{status}");
    // Refused by the local store, which has a line of its own for it.
    let unsigned = request("/file-share-bucket/uploads/x");
    let status = send(address, unsigned.as_bytes(), REQUESTS);
    assert!(status.contains("403"), "{status}");
    let seconds = started.elapsed().as_secs() as usize + 1;
    let log = log_of(&program, 3 * REQUESTS);
    let (written, _) = tally(&log);
    // What is written at once, and a second, are bounded.
    assert!(
        written <= 400 + 50 * seconds,
        "{written} lines in {seconds} s"
    );
    let said = lines(&log).filter(|line| line["left_out"].is_u64()).count();
    assert!((1..=seconds + 2).contains(&said), "said {said} times");
}

#[test]
fn what_a_client_sends_is_cut_before_it_is_logged() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("LOG_FORMAT", "json")]);
    let address = program.base.strip_prefix("http://").unwrap();
    let long = "é".repeat(LONG_PATH / 2);
    let own_method = "M".repeat(LONG_PATH);
    for line in [
        format!("GET /{long}"),
        format!("PUT /file-share-bucket/{long}"),
        format!("{own_method} /v1/files"),
        format!("{own_method} /file-share-bucket/uploads/x"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
        let status = send(address, request.as_bytes(), 1);
        assert!(status.starts_with("http/1.1 4"), "{status}");
    }
    let log = log_of(&program, 6);
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 1_000, "a line has {longest} bytes");
}

#[test]
fn uploads_that_are_refused_again_and_again_leave_a_short_log_too() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("LOG_FORMAT", "json")]);
    let address = program.base.strip_prefix("http://").unwrap();
    let body = json!({"filename": "a.txt", "size": 5, "sha256": "0".repeat(64)});
    let created = create(&program.base, &body);
    let url = created["upload"]["url"].as_str().unwrap();
    let target = url.strip_prefix(program.base.as_str()).unwrap();
    let mut request = format!("PUT {target} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 5\r\n");
    for (name, value) in created["upload"]["headers"].as_object().unwrap() {
        request += &format!("{name}: {}\r\n", value.as_str().unwrap());
    }
    request += "\r\nhello";
    let started = Instant::now();
    let status = send(address, request.as_bytes(), 1_000);
    assert!(status.contains("400"), "{status}");
    let seconds = started.elapsed().as_secs() as usize + 1;
    let log = log_of(&program, 3_000);
    let (written, _) = tally(&log);
    assert!(
        written <= 400 + 50 * seconds,
        "{written} lines in {seconds} s"
    );
}
