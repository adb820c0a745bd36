//! When to stop: SIGTERM from whoever runs the program, or Ctrl-C from a person; and when not to.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first such signal. A second Ctrl-C ends the program at once, as
/// people expect. Signals that come after this has returned aren't missed.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let terminate = signal(SignalKind::terminate());
    tokio::spawn(async move {
        wait_for_signal(terminate).await;
        tracing::info!("finishing what is in hand");
        cancelled.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    token
}

/// A write that would make a file larger than this process may make one (`ulimit -f`) fails from now on, as
/// one on a full disk does, where it would have ended the program with SIGXFSZ.
#[cfg(feature = "server")]
pub fn outlive_file_size_limit() {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    if let Err(error) = signal(kind) {
        tracing::warn!(%error, "SIGXFSZ can't be handled");
    }
}

async fn wait_for_signal(terminate: std::io::Result<Signal>) {
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without a handler the default stays: SIGTERM ends the program.
        Err(error) => {
            tracing::warn!(%error, "SIGTERM can't be handled");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
