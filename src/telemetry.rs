//! The log.
//!
//! Invariant: no secret gets into it. What our own code writes is chosen at each place; what the
//! signer and the HTTP stack would write in full detail is cut off here, whatever RUST_LOG says.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{CommonSettings, LogFormat};

/// The crates that write requests, with URLs and headers, below `info`.
const TALKATIVE: [&str; 4] = ["aws_", "hyper", "rustls", "h2"];

/// Where the SDK looks for a region and credentials on machines that have them. Elsewhere it warns three
/// times, at length; what is missing then is said by us, once, with what to set.
const LOOKED_FOR: &str = "aws_config::imds";

/// Whether it may be in a log at all.
pub(crate) fn is_harmless(event: &Metadata<'_>) -> bool {
    if event.target().starts_with(LOOKED_FOR) {
        return *event.level() <= Level::ERROR;
    }
    *event.level() <= Level::INFO
        || !TALKATIVE
            .iter()
            .any(|prefix| event.target().starts_with(prefix))
}

/// Starts the log on standard error; standard output is for what the person asked for.
///
/// # Errors
/// If the filter can't be read, or a log was started before.
pub fn start(settings: &CommonSettings) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(|error| error.to_string())?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match settings.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Filters of the whole log, and not of its one layer: those would be kept account of in every span.
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_harmless))
        .with(lines)
        .try_init()
        .map_err(|error| error.to_string())
}
