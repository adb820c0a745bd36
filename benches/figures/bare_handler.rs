//! The limit of requests: poem's own server with a handler that only answers.
//!
//! It routes nothing, reads no body, logs nothing and keeps nothing; what it gets done is what HTTP
//! itself costs on this machine. It is this binary, started again with an argument.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use poem::{Response, Server, endpoint::make_sync, listener::TcpAcceptor};

const ARGUMENT: &str = "bare-handler";

/// A bare handler in a process of its own, which ends with this value or with this process.
pub(crate) struct BareHandler {
    child: Child,
    pub address: SocketAddr,
}

impl BareHandler {
    /// One that answers every request with a JSON body of `length` bytes.
    pub(crate) fn start(length: usize) -> Self {
        let own_path = std::env::current_exe().expect("a running program has a path");
        let mut child = Command::new(own_path)
            .args([ARGUMENT, &length.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary can be started again");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("standard output is piped"))
            .read_line(&mut line)
            .expect("the bare handler says where it listens");
        let address = line.trim().parse().expect("it prints an address");
        Self { child, address }
    }
}

impl Drop for BareHandler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The length of the answers, if the arguments ask for a bare handler.
pub(crate) fn asked_for(arguments: &[String]) -> Option<usize> {
    match arguments {
        [name, length] if name == ARGUMENT => length.parse().ok(),
        _ => None,
    }
}

/// Serves until the process that started it is gone.
#[tokio::main]
pub(crate) async fn serve(length: usize) {
    std::thread::spawn(|| {
        let mut nothing = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut nothing);
        std::process::exit(0);
    });
    // A JSON string of that length.
    let body = Bytes::from(format!("\"{}\"", "x".repeat(length.saturating_sub(2))));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    listener
        .set_nonblocking(true)
        .expect("a socket can be made non-blocking");
    let acceptor = TcpAcceptor::from_std(listener).expect("the runtime takes the socket");
    println!("{address}");
    let _ = std::io::stdout().flush();
    let handler = make_sync(move |_| {
        Response::builder()
            .content_type("application/json")
            .body(body.clone())
    });
    Server::new_with_acceptor(acceptor)
        .run(handler)
        .await
        .expect("the bare handler serves");
}
