//! What it costs that calls are traced: creates and redirects that are told a collector, one in a hundred and all of them,
//! beside the same program without.
//!
//! The collector is a thread here that takes what it gets; its own work isn't counted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::off::Feature;
use crate::report::Figure;

/// Whose limit it is.
const OFF: &str = "without traces";
/// The share that is told, and of what a service without traces does.
const SHARES: [(&str, [&str; 2], f64); 2] = [
    (
        "0.01",
        ["creates, 1 % traced", "redirects, 1 % traced"],
        0.97,
    ),
    ("1", ["creates, all traced", "redirects, all traced"], 0.9),
];
/// Of a request, for as much as it reads at a time.
const PIECE: usize = 64 * 1024;

pub(crate) fn figures() -> Vec<Figure> {
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let local = collector.local_addr().expect("it has an address");
    let endpoint = format!("http://{local}");
    // For as long as the process lives.
    std::thread::spawn(move || {
        for stream in collector.incoming().flatten() {
            // One that breaks off is one less.
            let _ = take(stream);
        }
    });
    let mut figures = Vec::new();
    for (share, names, least) in SHARES {
        let on = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ];
        let traces = Feature {
            names,
            settings: &on,
            off: OFF,
            least,
        };
        figures.extend(traces.figures());
    }
    figures
}

/// Reads a whole request and answers it.
fn take(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut got, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        got.extend_from_slice(&piece[..read]);
        let Some(end) = got.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        if got.len() - end - 4 >= length.unwrap_or(0) {
            return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    }
}
