//! What is looked at when somebody scrapes.
//!
//! Invariant: where metrics are off nothing is.

#[cfg(feature = "server")]
use super::UrlSource;
#[cfg(feature = "server")]
use crate::metadata_store::sqlite::RowCounts;
use crate::metrics::{Metrics, Watched};
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
