//! A way to a server that a test can close: what a program sees of an outage.
//!
//! Invariant: no byte is changed on the way, so signatures hold.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    Open,
    /// Connections are closed as soon as they are made.
    Closed,
    /// Connections are taken, and nothing ever comes back.
    Silent,
}

pub(crate) struct TcpFaultProxy {
    address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    server: JoinHandle<()>,
}

impl TcpFaultProxy {
    /// A proxy to `target`, a base URL such as `http://127.0.0.1:4566`.
    pub(crate) async fn to(target: &str, mode: ProxyMode) -> Self {
        let target: SocketAddr = target
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address of this machine");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (mode, watched) = watch::channel(mode);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, watched.clone()));
            }
        });
        Self {
            address,
            mode,
            server,
        }
    }

    /// The base URL of the target, through the proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the mode. Connections from before are closed.
    pub(crate) fn set(&self, mode: ProxyMode) {
        let _ = self.mode.send(mode);
    }
}

impl Drop for TcpFaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<ProxyMode>) {
    let now = *mode.borrow_and_update();
    let through = async {
        match now {
            ProxyMode::Closed => {}
            ProxyMode::Silent => std::future::pending().await,
            ProxyMode::Open => {
                if let Ok(mut server) = TcpStream::connect(target).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            }
        }
    };
    tokio::select! {
        () = through => {}
        _ = mode.changed() => {}
    }
}
