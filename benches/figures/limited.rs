//! What it costs that calls are counted: creates and redirects with limits that nobody reaches, beside the same program
//! without any.

use std::path::Path;

use crate::load::CONNECTIONS;
use crate::report::Figure;
use crate::requests::{UNLIMITED, address, creating, figure, redirecting_as, shared_file_of};
use crate::support::program::{Program, data_dir};

/// Whose limit it is.
const OFF: &str = "without limits";
/// Of what a service without limits does.
const LEAST: f64 = 0.93;
/// More than a machine does.
const NEVER_REACHED: [(&str, &str); 2] = [
    ("RATE_READ", "1000000/s:1000000"),
    ("RATE_CREATE", "1000000/s:1000000"),
];

pub(crate) fn figures() -> Vec<Figure> {
    let (dir, dir_without) = (data_dir(), data_dir());
    let settings = [UNLIMITED, NEVER_REACHED].concat();
    let limited = Program::local(dir.path(), &settings);
    let without = Program::local(dir_without.path(), &UNLIMITED);
    let (ours, theirs) = (creating(address(&limited)), creating(address(&without)));
    let creates = figure("creates with limits on calls", &ours, (&theirs, OFF), LEAST);
    let redirecting = |program: &Program, dir: &Path| {
        let files: Vec<String> = (0..CONNECTIONS)
            .map(|_| shared_file_of(program, dir, ""))
            .collect();
        redirecting_as(address(program), &files, "")
    };
    let ours = redirecting(&limited, dir.path());
    let theirs = redirecting(&without, dir_without.path());
    let redirects = figure(
        "redirects with limits on calls",
        &ours,
        (&theirs, OFF),
        LEAST,
    );
    limited.discard();
    without.discard();
    vec![creates, redirects]
}
