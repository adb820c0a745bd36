//! The service while it runs: its listener, the tasks beside the endpoint, and how they stop.
//!
//! Invariant: a stop ends each before what it hands on to: requests, then the files that they left to be finalized,
//! then what is written of them. What isn't done at the end of [`STOP_LIMIT`] is left as a crash leaves it, and the
//! next start finishes it. Nothing is put together here.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{App, audit};
use crate::api;
use crate::domain::ObjectKey;
use crate::local_mode;
use crate::operations::{OrphanSweeper, Reconciler};
use crate::stores::{Allowed, StartError};
use crate::webhooks::Deliverer;

/// Connections that the kernel keeps until they are accepted. Those that find no room there come again
/// after a second, three, seven: too late to be told anything at once. The kernel may allow fewer
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 1024;

/// How long a stop may take: requests in hand first, and what is left of it for the files that they
/// left to be finalized. Supervisors kill after ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(9);
const _: () = assert!(api::server::DRAIN_TIMEOUT.as_secs() < STOP_LIMIT.as_secs());

/// What runs beside the endpoint in local mode.
pub(super) struct LocalTasks {
    pub(super) uploaded: mpsc::Receiver<ObjectKey>,
    pub(super) reconciler: Reconciler,
    pub(super) reconcile_interval: Duration,
    pub(super) sweeper: OrphanSweeper,
    /// Before any sweep.
    pub(super) counted: Counted,
    pub(super) sweep_interval: Option<Duration>,
    /// Tells what happens, if it is told.
    pub(super) deliverer: Option<Deliverer>,
}

/// Marks the stores and counts this start.
pub(super) type Counted = Pin<Box<dyn Future<Output = Result<Allowed, StartError>> + Send>>;

impl App {
    /// Serves until `shutdown`, then finishes what is in hand: requests first, then the files that
    /// they left to be finalized.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let local_tasks = self.local.map(|local| {
            let stop = shutdown.clone();
            tokio::spawn(local.reconciler.run(local.reconcile_interval, stop.clone()));
            if let Some(deliverer) = local.deliverer {
                tokio::spawn(deliverer.run(stop.clone()));
            }
            let (told, counted) = oneshot::channel();
            let sweeping = sweep(
                local.counted,
                told,
                local.sweeper,
                local.sweep_interval,
                stop,
            );
            tokio::spawn(sweeping);
            let finalizing = local_mode::finalize_uploads(self.stores.clone(), local.uploaded);
            (tokio::spawn(finalizing), counted)
        });
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
        let (told, stop) = (shutdown.clone(), self.stop);
        let time_is_up = CancellationToken::new();
        let over = time_is_up.clone();
        tokio::spawn(async move {
            told.cancelled().await;
            stop.cancel();
            tokio::time::sleep(STOP_LIMIT).await;
            over.cancel();
        });
        // Beyond the last request.
        let served = CancellationToken::new();
        let keeping = self.audit.map(|log| {
            let clock = Arc::clone(&self.stores.clock);
            tokio::spawn(audit::keep(log, clock, served.clone()))
        });
        // Beyond the last file that is finalized.
        let settled = CancellationToken::new();
        let writing = self
            .event_writer
            .map(|writer| tokio::spawn(writer.run(settled.clone())));
        // When this returns the endpoint is gone, and with it the sender of the finalize queue.
        api::server::serve(listener, self.endpoint, shutdown).await;
        served.cancel();
        if let Some(keeping) = keeping {
            let _ = keeping.await;
        }
        if let Some((finalizing, counted)) = local_tasks {
            tokio::select! {
                _ = async { tokio::join!(finalizing, counted) } => {}
                () = time_is_up.cancelled() => {
                    tracing::warn!("some uploads are left to be finalized at the next start");
                }
            }
        }
        settled.cancel();
        if let Some(writing) = writing {
            tokio::select! {
                _ = writing => {}
                () = time_is_up.cancelled() => {}
            }
        }
        self.traces.finish(time_is_up.cancelled()).await;
    }
}

/// Looks for orphans once the start was counted, unless the records are a copy from before.
async fn sweep(
    counted: Counted,
    told: oneshot::Sender<()>,
    sweeper: OrphanSweeper,
    interval: Option<Duration>,
    stop: CancellationToken,
) {
    let counted = counted.await;
    // A stop waits for it, unless it is stopping already.
    let _ = told.send(());
    match (counted, interval) {
        (Ok(Allowed::Everything), Some(interval)) => sweeper.run(interval, stop).await,
        (Ok(_), _) => {}
        (Err(error), _) => tracing::error!(%error, "no sweep runs"),
    }
}

/// Binds the address that the service listens on.
///
/// # Errors
/// If it is taken or not this machine's.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|error| {
        StartError::new(
            &format!("can't listen on {address} (choose another with --listen)"),
            error,
        )
    })
}

/// As [`TcpListener::bind`], which lets no more than 128 connections wait.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Else nobody could listen here for a minute after a stop.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
