//! What is looked at when somebody scrapes, and where they do.
//!
//! Invariant: where metrics are off nothing is, and nobody is asked anything for their sake.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::StartError;
#[cfg(feature = "server")]
use super::UrlSource;
#[cfg(feature = "server")]
use crate::metadata_store::sqlite::RowCounts;
use crate::metrics::{Metrics, Watched};
use crate::metrics_endpoint;
use crate::operations::Stores;
use crate::scanner::Scans;

/// The disk and the database of local mode.
#[cfg(feature = "server")]
pub(super) fn watch_this_machine(metrics: &Metrics, urls: &UrlSource, counts: Option<RowCounts>) {
    if let UrlSource::Local { objects, .. } = urls {
        let space = objects.space();
        metrics.watch(move || match space.free_and_required() {
            Some((free, required)) => Watched::Disk { free, required },
            None => Watched::Nothing,
        });
    }
    if let Some(counts) = counts {
        let waiting = counts.clone();
        metrics.watch(move || Watched::PendingFiles(counts.pending()));
        metrics.watch(move || Watched::WaitingWebhooks(waiting.waiting_messages()));
    }
}

/// The virus scanner, where this program asks it.
pub(super) fn watch_scanner(metrics: &Metrics, scans: &Scans) {
    if scans.seen().is_some() {
        let scans = scans.clone();
        metrics.watch(move || scans.seen().map_or(Watched::Nothing, Watched::Scanner));
    }
}

/// Takes the address where metrics are scraped, if there is one, and answers there until `stop`. The scanner is asked
/// again and again for it.
///
/// # Errors
/// If the address is taken or not this machine's.
pub fn serve_metrics(
    stores: &Stores,
    address: Option<SocketAddr>,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    let asked = stores.clone();
    let look = move || {
        let stores = asked.clone();
        async move {
            let checked = stores.check().await;
            checked.map_err(|error| error.chain().to_string())
        }
    };
    metrics_endpoint::start(address, stores.metrics.clone(), stop, look)
        .map_err(|error| StartError::new("METRICS_LISTEN", error))?;
    if stores.metrics.is_on() {
        let (scans, stop) = (stores.scans.clone(), stop.clone());
        tokio::spawn(async move { scans.keep_asking(stop).await });
    }
    Ok(())
}
