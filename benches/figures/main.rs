//! The figures that the service is held to, each beside the limit of the machine that it runs on.
//!
//! A rate alone says as much about the machine as about the program. So every figure is measured
//! together with what bounds it (a bare handler, a hash over memory, the same page of a small list),
//! in turns within one run, and what is held to is the ratio. Run it with `make bench`; a word
//! behind it (`cargo bench --bench figures -- pages`) runs the figures with that word in their name.
//!
//! Invariant: what is measured is the real program with its defaults, durability included, as a
//! process of its own. A broken bound makes the run fail.
//!
//! Absent on purpose: a history of results. Runs on different machines or days can't be compared.

mod bare_handler;
mod finalizing;
mod lambda;
mod limited;
mod load;
mod metered;
mod off;
mod pages;
mod quotas;
mod report;
mod requests;
mod rounds;
mod scanning;
mod signed_in;
mod start;
mod traced;
mod worker_memory;

#[allow(
    dead_code,
    reason = "the integration tests' support, of which the figures need a part"
)]
#[path = "../../tests/support"]
mod support {
    pub(crate) mod clamd;
    pub(crate) mod collector;
    pub(crate) mod curl;
    pub(crate) mod issuer;
    pub(crate) mod lambda;
    pub(crate) mod ministack;
    pub(crate) mod program;
}

use std::process::ExitCode;
use std::time::Instant;

use report::Figure;

/// A group of figures that are measured together, and the word that selects it.
type Group = (&'static str, fn() -> Vec<Figure>);

/// The start comes first: a sync waits for whatever the other groups left to be written.
const GROUPS: [Group; 13] = [
    ("start", start::figures),
    ("creates", requests::creates),
    ("redirects", requests::redirects),
    ("signed-in", signed_in::figures),
    ("limited", || limited::LIMITS.figures()),
    ("quotas", quotas::figures),
    ("metered", || metered::METRICS.figures()),
    ("traced", traced::figures),
    ("pages", pages::figures),
    ("finalizing", finalizing::figures),
    ("scanning", scanning::figures),
    ("lambda", lambda::figures),
    ("worker-memory", worker_memory::figures),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(length) = bare_handler::asked_for(&arguments) {
        bare_handler::serve(length);
        return ExitCode::SUCCESS;
    }
    // Cargo adds `--bench`.
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let began = Instant::now();
    let mut figures = Vec::new();
    for (name, measure) in GROUPS {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            eprintln!("measuring {name} …");
            figures.extend(measure());
        }
    }
    report::print(&figures, began.elapsed());
    if figures.iter().all(Figure::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
