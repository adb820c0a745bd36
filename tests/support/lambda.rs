//! AWS Lambda as a function sees it, and an HTTP API of API Gateway as a client does.
//!
//! Invariant: it refuses what Lambda refuses, where the AWS stand-in is patient: an answer of more than 6 MB, one that
//! comes after the deadline, and one to an event that nobody waits for.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Of Lambda.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// How long a program may take to its first event.
const START_LIMIT: Duration = Duration::from_secs(30);
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const FUNCTION: &str = "/2018-06-01/runtime";

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Answered(Value),
    /// The function said that it can't.
    Failed(Value),
    /// Lambda didn't take the answer.
    Refused(&'static str),
}

impl Answer {
    /// The answer, where there is one.
    pub(crate) fn answered(self) -> Value {
        match self {
            Self::Answered(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }
}

struct Event {
    id: String,
    body: String,
    time: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Event>,
    /// By the ID: when the time of an event is over that somebody has taken.
    taken: HashMap<String, Instant>,
    answers: HashMap<String, Answer>,
    start_error: Option<Value>,
}

/// The Runtime API of one function, whose one process asks it.
#[derive(Clone)]
pub(crate) struct Lambda {
    pub address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Lambda {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let lambda = Self {
            address: listener.local_addr().expect("it has one").to_string(),
            state: Arc::default(),
        };
        let served = lambda.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                thread::spawn(move || while served.serve_one(&stream).is_some() {});
            }
        });
        lambda
    }

    /// Has the function answer this event within `time`.
    pub(crate) fn invoke(&self, event: &Value, time: Duration) -> Answer {
        let id = format!("{:016x}", fastrand::u64(..));
        let body = event.to_string();
        let queued = Event {
            id: id.clone(),
            body,
            time,
        };
        self.change(|state| state.waiting.push_back(queued));
        self.wait(START_LIMIT + time, |state| {
            if let Some(over) = state.taken.get(&id)
                && *over + Duration::from_secs(1) < Instant::now()
            {
                return Some(Answer::Refused("it came too late, or never"));
            }
            state.answers.remove(&id)
        })
    }

    /// What the function said instead of asking for an event.
    pub(crate) fn start_error(&self) -> Value {
        self.wait(START_LIMIT, |state| state.start_error.take())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (state, changed) = &*self.state;
        let changes = change(&mut state.lock().expect("nobody panics with it"));
        changed.notify_all();
        changes
    }

    fn wait<T>(&self, limit: Duration, mut wanted: impl FnMut(&mut State) -> Option<T>) -> T {
        let (state, changed) = &*self.state;
        let until = Instant::now() + limit;
        let mut state = state.lock().expect("nobody panics with it");
        loop {
            if let Some(found) = wanted(&mut state) {
                return found;
            }
            assert!(Instant::now() < until, "nothing came within {limit:?}");
            let turn = Duration::from_millis(50);
            state = changed.wait_timeout(state, turn).expect("nobody panics").0;
        }
    }

    fn next(&self) -> Event {
        let (state, changed) = &*self.state;
        let mut state = state.lock().expect("nobody panics with it");
        loop {
            if let Some(event) = state.waiting.pop_front() {
                let over = Instant::now() + event.time;
                state.taken.insert(event.id.clone(), over);
                return event;
            }
            state = changed.wait(state).expect("nobody panics");
        }
    }

    /// `None` once the connection is over.
    fn serve_one(&self, mut stream: &TcpStream) -> Option<()> {
        let request = HttpRequest::read(stream)?;
        let path = request.path.strip_prefix(FUNCTION)?;
        if path == "/invocation/next" {
            let event = self.next();
            let deadline = SystemTime::now() + event.time;
            let deadline = deadline.duration_since(UNIX_EPOCH).ok()?.as_millis();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                 Lambda-Runtime-Aws-Request-Id: {}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
                 Content-Length: {}\r\n\r\n",
                event.id,
                event.body.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            return stream.write_all(event.body.as_bytes()).ok();
        }
        let json = || serde_json::from_slice(&request.body).expect("it is JSON");
        if path == "/init/error" {
            self.change(|state| state.start_error = Some(json()));
            return stream.write_all(ACCEPTED).ok();
        }
        let status = match path.strip_prefix("/invocation/")?.split_once('/') {
            Some((id, "response")) if request.body.len() > MAX_ANSWER_BYTES => {
                let answer = Answer::Refused("it is too large");
                self.change(|state| state.answers.insert(id.to_owned(), answer));
                "413 Payload Too Large"
            }
            Some((id, "response")) => self.accept(id, Answer::Answered(json())),
            Some((id, "error")) => self.accept(id, Answer::Failed(json())),
            _ => "404 Not Found",
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()
    }

    fn accept(&self, id: &str, answer: Answer) -> &'static str {
        self.change(|state| match state.taken.remove(id) {
            Some(over) if Instant::now() <= over => {
                state.answers.insert(id.to_owned(), answer);
                "202 Accepted"
            }
            _ => "400 Bad Request",
        })
    }

    /// An HTTP API before the function, for real clients; its base URL. Every request has `time`, and comes from
    /// `source_ip` in the eyes of the gateway.
    pub(crate) fn behind_gateway(&self, time: Duration, source_ip: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has one");
        let lambda = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lambda = lambda.clone();
                thread::spawn(move || {
                    let request = HttpRequest::read(&stream)?;
                    let event = request.event(source_ip);
                    let answer = written(&lambda.invoke(&event, time), request.method == "HEAD");
                    (&stream).write_all(&answer).ok()
                });
            }
        });
        format!("http://{address}")
    }
}

/// A request of HTTP/1.1 with a body of a known length.
pub(crate) struct HttpRequest {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request without a body, that nobody sent yet.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            headers: vec![("host".into(), "files.example.org".into())],
            body: Vec::new(),
        }
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut words = lines.first()?.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers: Vec<_> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        // Nobody here sends a request before the answer to the one before.
        Some(Self {
            method,
            path,
            headers,
            body,
        })
    }

    /// The event that an HTTP API makes of it, payload format 2.0.
    pub(crate) fn event(&self, source_ip: &str) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let mut headers = serde_json::Map::new();
        let mut cookies = Vec::new();
        for (name, value) in &self.headers {
            match (name.as_str(), headers.get(name)) {
                ("cookie", _) => cookies.extend(value.split("; ")),
                (_, Some(before)) => {
                    let both = format!("{},{value}", before.as_str().expect("it is text"));
                    headers.insert(name.clone(), both.into());
                }
                (_, None) => {
                    headers.insert(name.clone(), value.clone().into());
                }
            }
        }
        let forwarded = headers.get("x-forwarded-for").and_then(Value::as_str);
        let forwarded = forwarded.map_or(source_ip.to_owned(), |it| format!("{it}, {source_ip}"));
        headers.insert("x-forwarded-for".into(), forwarded.into());
        headers.insert("x-forwarded-proto".into(), "https".into());
        headers.insert("x-forwarded-port".into(), "443".into());
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": cookies,
            "headers": headers,
            "requestContext": {
                "accountId": "111122223333",
                "apiId": "r3pmxmplak",
                "stage": "$default",
                "requestId": "JKJaXmPLvHcESHA=",
                "http": {
                    "method": self.method, "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": source_ip, "userAgent": "test",
                },
            },
            "body": (!self.body.is_empty()).then(|| STANDARD.encode(&self.body)),
            "isBase64Encoded": !self.body.is_empty(),
        })
    }
}

/// What a client gets of it.
fn written(answer: &Answer, is_head: bool) -> Vec<u8> {
    let Answer::Answered(answer) = answer else {
        return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .into();
    };
    let status = answer["statusCode"].as_u64().expect("a status");
    let text = answer["body"].as_str().expect("a body");
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).expect("it is base64"),
        _ => text.as_bytes().to_vec(),
    };
    let mut head = format!("HTTP/1.1 {status} Answered\r\nConnection: close\r\n");
    let line = |head: &mut String, name: &str, value: &Value| {
        let value = value.as_str().expect("a header is text");
        write!(head, "{name}: {value}\r\n").expect("text can be written");
    };
    for (name, value) in answer["headers"].as_object().expect("headers") {
        line(&mut head, name, value);
    }
    for cookie in answer["cookies"].as_array().expect("cookies") {
        line(&mut head, "set-cookie", cookie);
    }
    write!(head, "Content-Length: {}\r\n\r\n", body.len()).expect("text can be written");
    let mut whole = head.into_bytes();
    if !is_head {
        whole.extend(body);
    }
    whole
}
