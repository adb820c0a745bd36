//! A way to a server that remembers what clients sent there: what somebody reads who has that server's traffic.
//!
//! Invariant: no byte is changed on the way, so signatures hold, and what a client sent is remembered before the
//! server has it.
//!
//! Absent on purpose: answers, which tests see where they arrive.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct RecordingProxy {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl RecordingProxy {
    /// A proxy to `target`, a base URL such as `http://127.0.0.1:4566`. It is there as long as the process.
    ///
    /// # Panics
    /// If there is no port for it.
    pub(crate) fn to(target: &str) -> Self {
        let target: SocketAddr = target
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address of this machine");
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(target) {
                    pass(client, server, &record);
                }
            }
        });
        Self { address, sent }
    }

    /// The base URL of the target, through the proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What clients have sent since this was asked last, one connection's bytes among another's.
    pub(crate) fn take_sent(&self) -> String {
        let mut sent = self.sent.lock().expect("nobody panics with the record");
        String::from_utf8_lossy(&std::mem::take(&mut *sent)).into_owned()
    }
}

fn pass(client: TcpStream, server: TcpStream, record: &Arc<Mutex<Vec<u8>>>) {
    let (Ok(answers_to), Ok(answers)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let record = Arc::clone(record);
    thread::spawn(move || copy(client, server, Some(&record)));
    thread::spawn(move || copy(answers, answers_to, None));
}

fn copy(mut from: TcpStream, mut to: TcpStream, record: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..read];
        if let Some(record) = record {
            let mut sent = record.lock().expect("nobody panics with the record");
            sent.extend_from_slice(bytes);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
