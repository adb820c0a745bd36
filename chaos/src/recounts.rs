//! What is kept of quotas, held against the records after every campaign, by `file-share recount`.
//!
//! Whoever makes a data directory or a stand-in for a campaign has it recounted, once the campaign is over and its
//! programs are gone: nothing is under way then, so that each difference is one.
//!
//! Invariant: a campaign of which nothing was recounted fails, and so does one of a person with a quota in which the
//! recount finds nobody. What a campaign removes itself is recounted before, by [`now`].

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::{block_in_place, spawn_blocking};

use crate::aws::Aws;
use crate::measurement::Measurement;
use crate::scenarios::Running;
use crate::support::program::{self, recount_local};

tokio::task_local! {
    /// Of the campaign that runs.
    static STORES: RefCell<Stores>;
}

/// Where a campaign has its records, and what was found there.
#[derive(Default)]
struct Stores {
    dirs: Vec<Arc<TempDir>>,
    stacks: Vec<Arc<Aws>>,
    /// Whether somebody has a quota.
    has_quota: bool,
    recounted: usize,
    people: usize,
    differences: usize,
}

/// A directory for local mode, which is recounted and removed when the campaign is over.
pub(crate) fn data_dir() -> Arc<TempDir> {
    let dir = Arc::new(program::data_dir());
    STORES.with(|stores| stores.borrow_mut().dirs.push(Arc::clone(&dir)));
    dir
}

/// The same of what aws mode has.
pub(crate) fn add_stack(aws: &Arc<Aws>) {
    STORES.with(|stores| stores.borrow_mut().stacks.push(Arc::clone(aws)));
}

/// Somebody has a quota, so that a recount has something to count.
pub(crate) fn expect_people() {
    STORES.with(|stores| stores.borrow_mut().has_quota = true);
}

/// Recounts a data directory that won't be there when the campaign is over.
pub(crate) async fn now(data_dir: PathBuf) {
    let counting = spawn_blocking(move || recount_local(&data_dir, &[]));
    let output = counting.await.expect("it can be recounted");
    STORES.with(|stores| stores.borrow_mut().add(&output));
}

/// Runs a campaign, and recounts all of its records.
pub(crate) async fn after(campaign: Running) -> Vec<Measurement> {
    let counted = async {
        let mut measurements = campaign.await;
        let counted = STORES.with(|stores| {
            let mut stores = stores.borrow_mut();
            block_in_place(|| stores.recount());
            stores.measurements()
        });
        measurements.extend(counted);
        measurements
    };
    STORES.scope(RefCell::default(), counted).await
}

impl Stores {
    fn recount(&mut self) {
        for dir in std::mem::take(&mut self.dirs) {
            self.add(&recount_local(dir.path(), &[]));
        }
        for aws in std::mem::take(&mut self.stacks) {
            self.add(&aws.recount());
        }
    }

    fn add(&mut self, output: &Output) {
        self.recounted += 1;
        let said = String::from_utf8_lossy(&output.stdout);
        // "3 people have files that count, …"
        let people = said.split_whitespace().next();
        match people.and_then(|it| it.parse::<usize>().ok()) {
            Some(people) if output.status.success() => self.people += people,
            _ => {
                self.differences += 1;
                let errors = String::from_utf8_lossy(&output.stderr);
                eprintln!("  found: recount: {said}{errors}");
            }
        }
    }

    fn measurements(&self) -> [Measurement; 3] {
        let people = "people whose files a recount counts";
        [
            Measurement::at_least("recounts of quotas", self.recounted, 1),
            match self.has_quota {
                true => Measurement::at_least(people, self.people, 1),
                false => Measurement::done(people, self.people),
            },
            Measurement::none("recounts that find a difference", self.differences),
        ]
    }
}
