//! When to stop: SIGTERM from whoever runs the program, or Ctrl-C from a person.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first such signal. A second Ctrl-C ends the program at once, as
/// people expect.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("finishing what is in hand");
        cancelled.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    token
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
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
