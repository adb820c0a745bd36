//! What it costs that calls are counted, with limits that nobody reaches.

use crate::off::Feature;

pub(crate) const LIMITS: Feature<'_> = Feature {
    names: [
        "creates with limits on calls",
        "redirects with limits on calls",
    ],
    // More than a machine does. The last of a name counts.
    settings: &[
        ("RATE_READ", "1000000/s:1000000"),
        ("RATE_CREATE", "1000000/s:1000000"),
    ],
    off: "without limits",
    least: 0.93,
};
