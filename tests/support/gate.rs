//! A way to a server that a test can close: what a program sees of an outage.
//!
//! Invariant: no byte is changed on the way, so signatures hold.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// Connections are closed as soon as they are made.
    Closed,
    /// Connections are taken, and nothing ever comes back.
    Silent,
}

pub struct Gate {
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    server: JoinHandle<()>,
}

impl Gate {
    /// A gate to `target`, a base URL such as `http://127.0.0.1:4566`.
    pub async fn to(target: &str, passage: Passage) -> Self {
        let target: SocketAddr = target
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address of this machine");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (passage, watched) = watch::channel(passage);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, watched.clone()));
            }
        });
        Self {
            address,
            passage,
            server,
        }
    }

    /// The base URL of the target, through the gate.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the passage. Connections from before are closed.
    pub fn set(&self, passage: Passage) {
        let _ = self.passage.send(passage);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut passage: watch::Receiver<Passage>) {
    let now = *passage.borrow_and_update();
    let through = async {
        match now {
            Passage::Closed => {}
            Passage::Silent => std::future::pending().await,
            Passage::Open => {
                if let Ok(mut server) = TcpStream::connect(target).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            }
        }
    };
    tokio::select! {
        () = through => {}
        _ = passage.changed() => {}
    }
}
