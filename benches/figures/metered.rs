//! What it costs that requests and calls of the stores are measured.

use crate::off::Feature;

pub(crate) const METRICS: Feature<'_> = Feature {
    names: ["creates with metrics", "redirects with metrics"],
    // Nobody scrapes while it is measured: that costs the same however many requests there are.
    settings: &[("METRICS_LISTEN", "127.0.0.1:0")],
    off: "without metrics",
    least: 0.98,
};
