//! What it costs that requests and calls of the stores are measured: creates and redirects with metrics, beside the same
//! program without.

use std::path::Path;

use crate::load::CONNECTIONS;
use crate::report::Figure;
use crate::requests::{UNLIMITED, address, creating, figure, redirecting_as, shared_file_of};
use crate::support::program::{Program, data_dir};

/// Whose limit it is.
const OFF: &str = "without metrics";
/// Of what a service without metrics does.
const LEAST: f64 = 0.98;
/// Nobody scrapes while it is measured: that costs the same however many requests there are.
const ON: [(&str, &str); 1] = [("METRICS_LISTEN", "127.0.0.1:0")];

pub(crate) fn figures() -> Vec<Figure> {
    let (dir, dir_without) = (data_dir(), data_dir());
    let settings = [&UNLIMITED[..], &ON].concat();
    let metered = Program::local(dir.path(), &settings);
    let without = Program::local(dir_without.path(), &UNLIMITED);
    let (ours, theirs) = (creating(address(&metered)), creating(address(&without)));
    let creates = figure("creates with metrics", &ours, (&theirs, OFF), LEAST);
    let redirecting = |program: &Program, dir: &Path| {
        let files: Vec<String> = (0..CONNECTIONS)
            .map(|_| shared_file_of(program, dir, ""))
            .collect();
        redirecting_as(address(program), &files, "")
    };
    let ours = redirecting(&metered, dir.path());
    let theirs = redirecting(&without, dir_without.path());
    let redirects = figure("redirects with metrics", &ours, (&theirs, OFF), LEAST);
    metered.discard();
    without.discard();
    vec![creates, redirects]
}
