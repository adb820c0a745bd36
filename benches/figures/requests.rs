//! Requests per second in local mode: creating files, and redirecting to them.
//!
//! The limit of both is [`bare_handler`](crate::bare_handler): an answer of the same size and
//! nothing else. A create adds to it the JSON that is read and judged, a signature, and a record
//! that is on the disk (SQLite with `synchronous=FULL`) before the answer goes out; a redirect adds
//! a record that is read, and a signature.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::bare_handler::BareHandler;
use crate::load::{CONNECTIONS, Load};
use crate::report::{Bound, Figure};
use crate::rounds::Turns;
use crate::support::curl::{curl_json, upload};
use crate::support::program::{Program, data_dir};

const ROUND: Duration = Duration::from_secs(2);
/// Where a few hundredths decide: on a machine that others use too, rounds of one program differ by a tenth, and the
/// median of nine by some hundredths.
const COST_ROUND: Duration = Duration::from_secs(1);
const COST_ROUNDS: usize = 31;
/// Whose limit it is.
const BARE: &str = "by a bare handler";
const LEAST_CREATES: f64 = 0.3;
const LEAST_REDIRECTS: f64 = 0.5;

/// No limits on what one address may create, which is what is measured.
pub(crate) const UNLIMITED: [(&str, &str); 2] = [
    ("MAX_PENDING_FILES", "off"),
    ("MAX_PENDING_PER_ADDRESS", "off"),
];

pub(crate) fn creates() -> Vec<Figure> {
    let dir = data_dir();
    let program = Program::local(dir.path(), &UNLIMITED);
    let ours = creating(address(&program));
    let bare = BareHandler::start(ours.once().body_length);
    let limit = Load {
        address: bare.address,
        status: 200,
        ..ours.clone()
    };
    let figure = figure("creates per second", &ours, (&limit, BARE), LEAST_CREATES);
    program.discard();
    vec![figure]
}

/// A client that creates a file with each request.
pub(crate) fn creating(address: SocketAddr) -> Load {
    creating_as(address, "")
}

/// The same of somebody who shows this proof: a header's line with its end, or nothing.
pub(crate) fn creating_as(address: SocketAddr, proof: &str) -> Load {
    let body = json!({"filename": "lecture notes.pdf", "size": 1_048_576}).to_string();
    let request = format!(
        "POST /v1/files HTTP/1.1\r\nHost: {address}\r\n{proof}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Load {
        address,
        requests: vec![request.into_bytes()],
        status: 201,
    }
}

pub(crate) fn redirects() -> Vec<Figure> {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let address = address(&program);
    let files: Vec<String> = (0..CONNECTIONS)
        .map(|_| shared_file_of(&program, dir.path(), ""))
        .collect();
    let ours = redirecting_as(address, &files, "");
    // A redirect has no body: what it says is all in its head.
    let bare = BareHandler::start(ours.once().length());
    let limit = Load {
        address: bare.address,
        status: 200,
        ..ours.clone()
    };
    let figure = figure(
        "redirects per second",
        &ours,
        (&limit, BARE),
        LEAST_REDIRECTS,
    );
    program.discard();
    vec![figure]
}

/// A client that asks for one of these files with each request. `proof` as for [`creating_as`].
pub(crate) fn redirecting_as(address: SocketAddr, files: &[String], proof: &str) -> Load {
    let request = |id| format!("GET /v1/files/{id} HTTP/1.1\r\nHost: {address}\r\n{proof}\r\n");
    Load {
        address,
        requests: files.iter().map(|id| request(id).into()).collect(),
        status: 307,
    }
}

/// The ID of a file that went through both steps and is available: of whoever shows this proof, as for [`creating_as`].
pub(crate) fn shared_file_of(program: &Program, dir: &std::path::Path, proof: &str) -> String {
    let content = b"five!";
    let path = dir.join("to-send");
    std::fs::write(&path, content).expect("the data directory can be written to");
    let body = json!({"filename": "lecture notes.pdf", "size": content.len()});
    // curl sends no header that is empty.
    let (proof, files) = (proof.trim_end(), format!("{}/v1/files", program.base));
    let json = ["--header", proof, "--json", &body.to_string(), &files];
    let created = curl_json(&json);
    assert_eq!(upload(&created, &path), "200", "the upload is taken");
    let id = created["id"].as_str().expect("a file has an ID").to_owned();
    let file = curl_json(&["--header", proof, &format!("{files}/{id}/metadata?wait=20")]);
    assert_eq!(file["status"], "available", "{file}");
    id
}

pub(crate) fn address(program: &Program) -> SocketAddr {
    let address = program.base.strip_prefix("http://");
    address
        .and_then(|address| address.parse().ok())
        .expect("a program in local mode is reached at an address")
}

/// How many answers a program gives in a second of its own processor time. Two programs that do the same differ less by
/// that than by what they answer in a second, in which they share two processors with their client.
#[derive(Clone, Copy)]
pub(crate) struct Answering<'a> {
    pub load: &'a Load,
    pub program: &'a Program,
}

impl Answering<'_> {
    fn per_processor_second(self) -> f64 {
        let before = self.program.processor_time();
        let answered = self.load.per_second(COST_ROUND) * COST_ROUND.as_secs_f64();
        answered / (self.program.processor_time() - before)
    }
}

/// What `ours` costs beside `limit`, which is said to be that of `whose`.
pub(crate) fn cost(
    name: &'static str,
    ours: Answering<'_>,
    (limit, whose): (Answering<'_>, &str),
    least: f64,
) -> Figure {
    let turns = Turns::measure_in(
        COST_ROUNDS,
        || ours.per_processor_second(),
        || limit.per_processor_second(),
    );
    turns.figure(name, "a processor's second", whose, least)
}

/// What `ours` does beside `limit`, which is said to be that of `whose`.
pub(crate) fn figure(
    name: &'static str,
    ours: &Load,
    (limit, whose): (&Load, &str),
    least: f64,
) -> Figure {
    let turns = Turns::measure(|| ours.per_second(ROUND), || limit.per_second(ROUND));
    turns.figure(name, "a second", whose, least)
}

impl Turns {
    fn figure(self, name: &'static str, unit: &str, whose: &str, least: f64) -> Figure {
        // At once, since a group takes minutes and may be cut off.
        eprintln!("{name}: {:.2} of {whose}", self.ratio);
        Figure {
            name,
            measured: format!("{:.0} {unit}", self.ours),
            limit: format!("{:.0} {whose}", self.limit),
            value: self.ratio,
            unit: "",
            bound: Bound::AtLeast(least),
            note: format!("{CONNECTIONS} connections, {}", self.spread()),
        }
    }
}
