//! A collector of traces (OTLP by HTTP), for the programs that are tested and measured.
//!
//! Invariant: a request is handed on and answered once all of it is there.
//!
//! Absent on purpose: what a request says, which is its receiver's to read, and a second request by one connection, which
//! the programs needn't be given.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Of a request, for as much as is read at a time.
const PIECE_BYTES: usize = 64 * 1024;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Starts one, for as long as the process lives; its endpoint. Each request goes to `receive`, with its head.
pub(crate) fn start(mut receive: impl FnMut(Vec<u8>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // One that breaks off is one less.
            if let Some(request) = whole_request(stream) {
                receive(request);
            }
        }
    });
    format!("http://{address}")
}

fn whole_request(mut stream: TcpStream) -> Option<Vec<u8>> {
    let (mut got, mut piece) = (Vec::new(), vec![0; PIECE_BYTES]);
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        got.extend_from_slice(&piece[..read]);
        let Some(end) = got.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1)?.lines().next()?;
        if got.len() >= end + 4 + length.parse::<usize>().ok()? {
            stream.write_all(ANSWER).ok()?;
            return Some(got);
        }
    }
}
