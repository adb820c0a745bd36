//! A proxy to the service that misbehaves as it is told, one request after another.
//!
//! Invariant: what isn't told otherwise is passed on unchanged, so signatures hold. Each connection
//! carries one request.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What to do with the next request whose first line begins so.
pub(crate) enum StubFault {
    /// Answer with this instead of passing it on.
    Answer(&'static str),
    /// Pass it on, and lose the answer.
    LoseAnswer,
    /// Run this before it is passed on.
    Before(Box<dyn FnOnce() + Send>),
    /// Pass it on, and change the answer.
    Change(fn(String) -> String),
}

type StubFaults = Arc<Mutex<VecDeque<(&'static str, StubFault)>>>;

pub(crate) struct Stub {
    pub base: String,
    /// The first lines of all requests, without what is behind `?`.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub(crate) fn before(target: &str, faults: Vec<(&'static str, StubFault)>) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let faults: StubFaults = Arc::new(Mutex::new(faults.into()));
        let noted = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (target, faults, noted) = (target.clone(), faults.clone(), noted.clone());
                std::thread::spawn(move || serve(client.unwrap(), &target, &faults, &noted));
            }
        });
        Self { base, seen }
    }

    /// The same trick on every request that begins so.
    pub(crate) fn always(target: &str, start: &'static str, change: fn(String) -> String) -> Self {
        const MORE_THAN_ANY_TEST_SENDS: usize = 2000;
        let faults = (0..MORE_THAN_ANY_TEST_SENDS).map(|_| (start, StubFault::Change(change)));
        Self::before(target, faults.collect())
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|line| line.starts_with(start)).count()
    }
}

/// The answer with another body, and the length that it has.
pub(crate) fn with_body(answer: &str, change: impl FnOnce(&str) -> String) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = change(body);
    let kept: Vec<_> = head
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("content-length:"))
        .collect();
    let length = body.len();
    format!(
        "{}\r\nContent-Length: {length}\r\n\r\n{body}",
        kept.join("\r\n")
    )
}

fn serve(
    mut client: TcpStream,
    target: &str,
    faults: &StubFaults,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    let (head, begun, left) = read_head(&mut client)?;
    let line = head.lines().next()?.to_owned();
    seen.lock()
        .unwrap()
        .push(line.split('?').next()?.to_owned());
    let fault = {
        let mut faults = faults.lock().unwrap();
        let mine = faults
            .front()
            .is_some_and(|(start, _)| line.starts_with(start));
        mine.then(|| faults.pop_front().unwrap().1)
    };
    let lose = matches!(fault, Some(StubFault::LoseAnswer));
    let mut change = None;
    match fault {
        Some(StubFault::Answer(answer)) => {
            io::copy(&mut (&client).take(left), &mut io::sink()).ok()?;
            // As a server says it: a client would send its next request into the end of the connection.
            let answer = match answer.starts_with("HTTP/1.1 ") {
                true => answer.replacen("\r\n", "\r\nConnection: close\r\n", 1),
                false => answer.to_owned(),
            };
            client.write_all(answer.as_bytes()).ok()?;
            client.shutdown(Shutdown::Both).ok()?;
            return Some(());
        }
        Some(StubFault::Before(action)) => action(),
        Some(StubFault::Change(how)) => change = Some(how),
        Some(StubFault::LoseAnswer) | None => {}
    }
    let mut server = TcpStream::connect(target).ok()?;
    // One request a connection, so that its answer ends where the connection does.
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(&begun).ok()?;
    // The rest as it comes, since the answer may come first.
    let (rest, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || io::copy(&mut rest.take(left), &mut to));
    if lose || change.is_some() {
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        if let Some(change) = change {
            let answer = change(String::from_utf8(answer).ok()?);
            client.write_all(answer.as_bytes()).ok()?;
        }
    } else {
        // A connection that is cut off after its answer has answered.
        let _ = io::copy(&mut server, &mut client);
    }
    client.shutdown(Shutdown::Both).ok()
}

/// The head of a request, what came of its body, and how much is still to come.
fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>, u64)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 65536];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let read = client.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    };
    let begun = bytes.split_off(end);
    let head = String::from_utf8(bytes).ok()?;
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    let left = length
        .unwrap_or_default()
        .saturating_sub(begun.len() as u64);
    Some((head, begun, left))
}
