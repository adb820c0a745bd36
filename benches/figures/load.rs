//! A load generator that is as cheap as can be, since it shares the processors with the server.
//!
//! One thread, connections that stay open, requests that are ready, and of an answer only what is
//! needed to find its end. A closed loop: each connection sends its next request when it has the
//! answer to the last one.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const CONNECTIONS: usize = 32;
/// Far more than any answer that is measured here.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// What is sent to whom. Connections take turns with the requests if there are several.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub address: SocketAddr,
    pub requests: Vec<Vec<u8>>,
    /// The status that every answer must have.
    pub status: u16,
}

/// A whole answer, for what is measured by its size.
#[derive(Debug)]
pub(crate) struct Answer {
    pub head: String,
    pub body_length: usize,
}

impl Answer {
    pub(crate) fn length(&self) -> usize {
        self.head.len() + self.body_length
    }
}

impl Load {
    /// Answers per second, from [`CONNECTIONS`] connections that all keep one request in hand.
    pub(crate) fn per_second(&self, duration: Duration) -> f64 {
        let answered = Cell::new(0_u32);
        let took = self.run(async |connection, mut turn| {
            let until = Instant::now() + duration;
            while Instant::now() < until {
                connection.ask(self.request(turn), self.status).await?;
                turn += CONNECTIONS;
                answered.set(answered.get() + 1);
            }
            Ok(())
        });
        f64::from(answered.get()) / took.as_secs_f64()
    }

    /// Sends `count` requests.
    pub(crate) fn send(&self, count: usize) {
        let sent = Cell::new(0);
        self.run(async |connection, mut turn| {
            while sent.get() < count {
                sent.set(sent.get() + 1);
                connection.ask(self.request(turn), self.status).await?;
                turn += CONNECTIONS;
            }
            Ok(())
        });
    }

    /// One request, and its answer.
    pub(crate) fn once(&self) -> Answer {
        runtime()
            .block_on(async {
                let mut connection = Connection::open(self.address).await?;
                connection.ask(self.request(0), self.status).await
            })
            .expect("the server answers")
    }

    fn request(&self, turn: usize) -> &[u8] {
        &self.requests[turn % self.requests.len()]
    }

    /// Runs `work` on every connection; the time from when all are open to when the last is done.
    fn run(&self, work: impl AsyncFn(&mut Connection, usize) -> io::Result<()>) -> Duration {
        runtime()
            .block_on(async {
                let opening = (0..CONNECTIONS).map(|_| Connection::open(self.address));
                let mut connections = try_join_all(opening).await?;
                let began = Instant::now();
                let working = connections.iter_mut().zip(0..);
                try_join_all(working.map(|(connection, turn)| work(connection, turn))).await?;
                Ok::<_, io::Error>(began.elapsed())
            })
            .expect("the server answers as it should")
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime needs nothing that could fail here")
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(MAX_ANSWER_BYTES),
        })
    }

    async fn ask(&mut self, request: &[u8], status: u16) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0
                || self.buffer.len() > MAX_ANSWER_BYTES
            {
                return Err(io::Error::other("the answer breaks off or has no end"));
            }
            let Some(head) = self.head() else { continue };
            let body_length = content_length(head)?;
            if self.buffer.len() < head.len() + body_length {
                continue;
            }
            // "HTTP/1.1 201 Created"
            if head.get(9..12) != Some(status.to_string().as_str()) {
                return Err(io::Error::other(format!(
                    "an answer of another kind: {head}"
                )));
            }
            return Ok(Answer {
                head: head.to_owned(),
                body_length,
            });
        }
    }

    /// Status line and headers with the empty line behind them, once they are there.
    fn head(&self) -> Option<&str> {
        let end = self
            .buffer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        std::str::from_utf8(&self.buffer[..end + 4]).ok()
    }
}

/// hyper writes header names in lower case.
fn content_length(head: &str) -> io::Result<usize> {
    let (_, rest) = head
        .split_once("content-length: ")
        .ok_or_else(|| io::Error::other(format!("an answer without a length: {head}")))?;
    let digits = rest.split("\r\n").next().unwrap_or_default();
    digits.parse().map_err(io::Error::other)
}
