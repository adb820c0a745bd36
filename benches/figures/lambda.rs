//! The API as a Lambda function beside the same program as a server.
//!
//! Cold: from the start of the process to its first answer; the bound is on the time itself, since somebody waits, and the
//! limit beside it is the server's. Warm: processor time for a create, one after another; what the function adds is an event
//! that is read and an answer that is written, and a call to ask for the next one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::{Bound, Figure};
use crate::requests::{UNLIMITED, address};
use crate::rounds::Turns;
use crate::support::lambda::{HttpRequest, Lambda};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

const MOST_MILLIS: f64 = 150.0;
const MOST_RATIO: f64 = 1.3;
/// Of a round. Processor time comes in ticks of 10 ms, so a round has to take hundreds of them.
const CREATES: usize = 2_000;
const TIME: Duration = Duration::from_secs(29);
const SOMEBODY: &str = "203.0.113.7";

pub(crate) fn figures() -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ministack = runtime.block_on(MiniStack::start());
    let deployment = runtime.block_on(ministack.deploy("lambda-figures"));
    vec![cold(&deployment), warm(&deployment)]
}

fn settings() -> [(&'static str, &'static str); 3] {
    let [one, other] = UNLIMITED;
    [one, other, ("PUBLIC_URL", "https://files.example.org")]
}

fn cold(deployment: &Deployment) -> Figure {
    let function = || {
        let lambda = Lambda::start();
        let began = Instant::now();
        let program = Program::api_function(deployment, &lambda.address, &settings());
        let event = HttpRequest::get("/healthz").event(SOMEBODY);
        let answer = lambda.invoke(&event, TIME).answered();
        let millis = began.elapsed().as_secs_f64() * 1e3;
        assert_eq!(answer["statusCode"], 200);
        program.discard();
        millis
    };
    let server = || {
        let began = Instant::now();
        let program = Program::aws_api(deployment, &UNLIMITED);
        let mut stream = TcpStream::connect(address(&program)).expect("it listens");
        ask(
            &mut stream,
            b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 200",
        );
        let millis = began.elapsed().as_secs_f64() * 1e3;
        program.discard();
        millis
    };
    let turns = Turns::measure(function, server);
    Figure {
        name: "cold start as a function",
        measured: format!("{:.0} ms", turns.ours),
        limit: format!("{:.0} ms as a server", turns.limit),
        value: turns.ours,
        unit: " ms",
        bound: Bound::AtMost(MOST_MILLIS),
        note: turns.spread(),
    }
}

fn warm(deployment: &Deployment) -> Figure {
    let body = json!({"filename": "lecture notes.pdf", "size": 1_048_576}).to_string();
    let lambda = Lambda::start();
    let function = Program::api_function(deployment, &lambda.address, &settings());
    let mut request = HttpRequest::get("/v1/files");
    request.method = "POST".into();
    let json = ("content-type".to_owned(), "application/json".to_owned());
    request.headers.push(json);
    request.body = body.clone().into_bytes();
    let event = request.event(SOMEBODY);
    let ours = || {
        per_create(&function, || {
            let answer = lambda.invoke(&event, TIME).answered();
            assert_eq!(answer["statusCode"], 201, "{answer}");
        })
    };
    let server = Program::aws_api(deployment, &UNLIMITED);
    let sent = format!(
        "POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address(&server)).expect("it listens");
    let limit = || {
        per_create(&server, || {
            ask(&mut stream, sent.as_bytes(), b"HTTP/1.1 201");
        })
    };
    let turns = Turns::measure(ours, limit);
    Figure {
        name: "create as a function",
        measured: format!("{:.2} ms of processor", turns.ours),
        limit: format!("{:.2} ms as a server", turns.limit),
        value: turns.ratio,
        unit: "",
        bound: Bound::AtMost(MOST_RATIO),
        note: format!("{CREATES} creates, {}", turns.spread()),
    }
}

/// Milliseconds of a processor.
fn per_create(program: &Program, mut create: impl FnMut()) -> f64 {
    let before = program.processor_time();
    for _ in 0..CREATES {
        create();
    }
    (program.processor_time() - before) * 1e3 / CREATES as f64
}

/// One request, and all of its answer.
fn ask(stream: &mut TcpStream, request: &[u8], status: &[u8]) {
    stream.write_all(request).expect("it takes a request");
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut part).expect("it answers");
        assert_ne!(read, 0, "it went away");
        answer.extend_from_slice(&part[..read]);
        if is_whole(&answer) {
            break;
        }
    }
    assert!(
        answer.starts_with(status),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|it| it.strip_prefix("content-length: "));
    let length: usize = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    body.len() >= length
}
