//! How fast arrived bytes become available where a virus scanner sees all of them.
//!
//! The limit is clamd alone, which is sent the same bytes out of memory by a client that does nothing else. It knows one
//! virus: one with the millions of its real database is slower, so that what is added here weighs less.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use file_share::config::{ClamdAddress, Unscannable};
use file_share::scanner::Scans;
use file_share::scanner::clamd::Clamd;

use crate::finalizing::{Finalizing, figure, largest_content, per_second};
use crate::report::Figure;
use crate::rounds::Turns;
use crate::support::clamd::{AS_IT_HAS_TO_BE, ClamdHome};

/// Of what clamd does alone.
const LEAST: f64 = 0.8;
/// What clamd is sent at a time, as long as what the service sends.
const CHUNK: usize = 256 * 1024;

pub(crate) fn figures() -> Vec<Figure> {
    let home = ClamdHome::new();
    let _clamd = home.start(AS_IT_HAS_TO_BE);
    let content = largest_content();
    let clamd = Clamd::new(ClamdAddress::Unix(home.socket()));
    let scanning = Finalizing::with(Scans::by(Arc::new(clamd), Unscannable::Reject));
    let socket = home.socket();
    let turns = Turns::measure(
        || scanning.per_second(&content),
        || per_second(|| scan(&socket, &content)),
    );
    vec![figure(
        "scanning 20 MiB files",
        &turns,
        "by clamd alone",
        LEAST,
    )]
}

/// Has clamd look at this.
fn scan(socket: &Path, content: &[u8]) {
    let mut stream = UnixStream::connect(socket).expect("clamd listens");
    let mut send = |bytes: &[u8]| stream.write_all(bytes).expect("clamd takes bytes");
    send(b"zINSTREAM\0");
    for chunk in content.chunks(CHUNK) {
        let length = u32::try_from(chunk.len()).expect("a chunk is short");
        send(&length.to_be_bytes());
        send(chunk);
    }
    send(&0_u32.to_be_bytes());
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    read.expect("clamd answers");
    assert_eq!(answer, "stream: OK\0");
}
