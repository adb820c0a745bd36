//! What it costs that calls are traced: creates and redirects that are told a collector, one in a hundred and all of them,
//! beside the same program without.
//!
//! The collector is a thread here that takes what it gets; its own work isn't counted.

use crate::off::Feature;
use crate::report::Figure;
use crate::support::collector;

/// Whose limit it is.
const OFF: &str = "without traces";
/// The share that is told, and of what a service without traces does.
const SHARES: [(&str, [&str; 2], f64); 2] = [
    (
        "0.01",
        ["creates, 1 % traced", "redirects, 1 % traced"],
        0.97,
    ),
    ("1", ["creates, all traced", "redirects, all traced"], 0.9),
];

pub(crate) fn figures() -> Vec<Figure> {
    let endpoint = collector::start(drop);
    let mut figures = Vec::new();
    for (share, names, least) in SHARES {
        let on = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ];
        let traces = Feature {
            names,
            settings: &on,
            off: OFF,
            least,
        };
        figures.extend(traces.figures());
    }
    figures
}
