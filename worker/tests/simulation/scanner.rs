//! The virus scanner as a process sees it: it fails as the stores do, and in the beginning it may be one that finds
//! nothing, until somebody sets it right.
//!
//! Invariant: what the scanner really said is remembered by it, and held against what becomes available. A scanner
//! that finds nothing says nothing that counts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use file_share::config::Unscannable;
use file_share::domain::{FileState, Transition};
use file_share::scanner::double::{Behaviour, DoubleScanner};
use file_share::scanner::{Scan, ScanFailure, Scanner, Scans, Verdict};
use tokio::time::sleep;

use super::chaos::Chaos;
use super::stores::Alive;

/// For how long the scanner may find nothing in the beginning, and be away in between, in milliseconds.
const FINDS_NOTHING: std::ops::Range<u64> = 0..120_000;
const AWAY: std::ops::Range<u64> = 1_000..120_000;
const THERE: std::ops::Range<u64> = 1_000..120_000;

/// The scanner that all processes share; `None`: nothing is scanned.
#[derive(Clone, Default)]
pub(crate) struct SimulatedScanner(Option<DoubleScanner>);

impl SimulatedScanner {
    /// One that comes and goes until everything is healed, or none.
    pub(crate) fn start(chaos: &Arc<Chaos>, is_on: bool) -> Self {
        if !is_on {
            return Self::default();
        }
        let double = DoubleScanner::default();
        tokio::spawn(come_and_go(double.clone(), Arc::clone(chaos)));
        Self(Some(double))
    }

    /// As a process has it that lives as long as `alive`.
    pub(crate) fn scans(&self, chaos: &Arc<Chaos>, alive: &Alive) -> Scans {
        let Some(double) = &self.0 else {
            return Scans::off();
        };
        let scanner = FaultyScanner {
            double: double.clone(),
            chaos: Arc::clone(chaos),
            alive: alive.clone(),
        };
        Scans::by(Arc::new(scanner), Unscannable::Reject)
    }

    /// As somebody has it who scans again what was taken: it knows the virus, whatever the others have.
    pub(crate) fn of_a_rescan(chaos: &Arc<Chaos>) -> Scans {
        let scanner = FaultyScanner {
            double: DoubleScanner::default(),
            chaos: Arc::clone(chaos),
            alive: Alive::new(),
        };
        Scans::by(Arc::new(scanner), Unscannable::Reject)
    }

    /// Whether a file becomes available by this that the scanner didn't call clean.
    pub(crate) fn was_passed_by(&self, transition: &Transition) -> bool {
        match (&self.0, &transition.to) {
            (Some(double), FileState::Available(object)) => {
                double.said(&object.sha256) != Some(Verdict::Clean)
            }
            _ => false,
        }
    }
}

async fn come_and_go(double: DoubleScanner, chaos: Arc<Chaos>) {
    if chaos.chance(50) {
        chaos.note("the scanner finds nothing");
        double.behave(Behaviour::CallsAllClean);
        sleep(chaos.millis(FINDS_NOTHING)).await;
        double.behave(Behaviour::Right);
        chaos.note("the scanner is set right");
    }
    while !chaos.is_healed() {
        sleep(chaos.millis(THERE)).await;
        if chaos.is_healed() {
            return;
        }
        chaos.note("the scanner is away");
        double.behave(Behaviour::Away);
        sleep(chaos.millis(AWAY)).await;
        chaos.note("the scanner is back");
        double.behave(Behaviour::Right);
    }
}

struct FaultyScanner {
    double: DoubleScanner,
    chaos: Arc<Chaos>,
    alive: Alive,
}

#[async_trait]
impl Scanner for FaultyScanner {
    async fn begin(&self, length: u64) -> Result<Box<dyn Scan>, ScanFailure> {
        let begun = async {
            self.alive.check().await;
            self.double.begin(length).await
        };
        let scan = self
            .chaos
            .call("begin a scan", ScanFailure::new, begun)
            .await?;
        Ok(Box::new(FaultyScan {
            scan,
            chaos: Arc::clone(&self.chaos),
            alive: self.alive.clone(),
        }))
    }
}

struct FaultyScan {
    scan: Box<dyn Scan>,
    chaos: Arc<Chaos>,
    alive: Alive,
}

#[async_trait]
impl Scan for FaultyScan {
    async fn add(&mut self, chunk: &[u8]) -> Result<(), ScanFailure> {
        self.alive.check().await;
        self.scan.add(chunk).await
    }

    async fn verdict(self: Box<Self>) -> Result<Verdict, ScanFailure> {
        let Self { scan, chaos, alive } = *self;
        let said = async {
            alive.check().await;
            scan.verdict().await
        };
        chaos.call("end a scan", ScanFailure::new, said).await
    }
}

/// How long a file may wait for a scanner that is back: a quarter of the time that it waited already, at most.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(150);
