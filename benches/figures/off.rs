//! What a feature costs that can be switched off: creates and redirects with it, beside the same program without.
//!
//! By the programs' own processor time: what one of them adds is less than what two rates differ by.

use std::path::Path;

use crate::load::{CONNECTIONS, Load};
use crate::report::Figure;
use crate::requests::{
    Answering, UNLIMITED, address, cost, creating, redirecting_as, shared_file_of,
};
use crate::support::program::{Program, data_dir};

/// The figures of a feature.
pub(crate) struct Feature<'a> {
    /// Of creates, and of redirects.
    pub names: [&'static str; 2],
    pub settings: &'a [(&'a str, &'a str)],
    /// Whose limit it is, such as `without metrics`.
    pub off: &'a str,
    /// Of what a service without it does.
    pub least: f64,
}

impl Feature<'_> {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let (dir, dir_without) = (data_dir(), data_dir());
        let settings = [&UNLIMITED[..], self.settings].concat();
        let program = Program::local(dir.path(), &settings);
        let without = Program::local(dir_without.path(), &UNLIMITED);
        let loads = [
            [creating(address(&program)), creating(address(&without))],
            [
                redirecting(&program, dir.path()),
                redirecting(&without, dir_without.path()),
            ],
        ];
        let figures = self.names.iter().zip(&loads).map(|(name, [ours, limit])| {
            let answering = |load, program| Answering { load, program };
            let limit = (answering(limit, &without), self.off);
            cost(name, answering(ours, &program), limit, self.least)
        });
        let figures = figures.collect();
        program.discard();
        without.discard();
        figures
    }
}

fn redirecting(program: &Program, dir: &Path) -> Load {
    let files: Vec<String> = (0..CONNECTIONS)
        .map(|_| shared_file_of(program, dir, ""))
        .collect();
    redirecting_as(address(program), &files, "")
}
