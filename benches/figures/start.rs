//! How long the program takes from being started to its first answer, in local mode.
//!
//! The limit beside it is the start of a [`bare_handler`](crate::bare_handler): what the system
//! takes to start a process of this kind. The bound is on the time itself, since somebody waits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use crate::bare_handler::BareHandler;
use crate::report::{Bound, Figure};
use crate::requests::{UNLIMITED, address, creating};
use crate::rounds::Turns;
use crate::support::program::{Program, data_dir};

const RECORDS: usize = 10_000;
const MOST_MILLIS: f64 = 200.0;

pub(crate) fn figures() -> Vec<Figure> {
    // Every start in a directory of its own.
    let fresh = figure("first start", "nothing there yet", || {
        let dir = data_dir();
        start(dir.path())
    });
    let dir = data_dir();
    // All pending, which is the most that there can be to do at a start. The program is killed, so
    // that the next start also has a log to recover; so is each one that is measured.
    let program = Program::local(dir.path(), &UNLIMITED);
    creating(address(&program)).send(RECORDS);
    program.discard();
    let used = figure("start with 10,000 records", "after a crash", || {
        start(dir.path())
    });
    vec![fresh, used]
}

fn figure(name: &'static str, what: &str, ours: impl FnMut() -> f64) -> Figure {
    let turns = Turns::measure(ours, start_bare);
    Figure {
        name,
        measured: format!("{:.0} ms", turns.ours),
        limit: format!("{:.0} ms by a bare handler", turns.limit),
        value: turns.ours,
        unit: " ms",
        bound: Bound::AtMost(MOST_MILLIS),
        note: format!("{what}, ratio {:.1}", turns.ratio),
    }
}

/// Milliseconds from the start of the process to its first answer.
fn start(dir: &Path) -> f64 {
    let began = Instant::now();
    let program = Program::local(dir, &[]);
    first_answer(address(&program), began)
}

fn start_bare() -> f64 {
    let began = Instant::now();
    let bare = BareHandler::start(15);
    first_answer(bare.address, began)
}

fn first_answer(address: SocketAddr, began: Instant) -> f64 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("it takes a request");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("it answers");
    let millis = began.elapsed().as_secs_f64() * 1e3;
    assert_eq!(&status, b"HTTP/1.1 200");
    millis
}
