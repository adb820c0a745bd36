//! A client that hangs up before there is an answer.
//!
//! Invariant: its request is under way by then, and isn't over: the service's disk is slow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long each sync of the disk is held up, in microseconds, and how long a client has patience: less.
pub(crate) const SLOW_SYNC: u32 = 400_000;
const PATIENCE: Duration = Duration::from_millis(100);

/// Sends a request, which may have a header of its own and a body of JSON, and hangs up.
pub(crate) fn hang_up_on(base: &str, request: &str, header: &str, body: &str) {
    let address = base.strip_prefix("http://").expect("a base is a URL");
    let mut stream = TcpStream::connect(address).expect("the service listens");
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\n{header}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("it reads");
    let patience = stream.set_read_timeout(Some(PATIENCE));
    patience.expect("a socket has a time-out");
    let answer = stream.read(&mut [0; 1]);
    assert!(answer.is_err(), "the disk wasn't slow");
}
