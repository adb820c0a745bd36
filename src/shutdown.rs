//! When to stop: SIGTERM from whoever runs the program, or Ctrl-C from a person.

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
