//! A scanner for tests: it knows one virus, the EICAR test file, and does what it is told.
//!
//! Invariant: it knows which bytes it called clean, so that a test can hold what became available against that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::probes::{eicar, is_bomb};
use super::{Scan, ScanFailure, Scanner, ScannerText, Verdict};
use crate::domain::Sha256Digest;

/// What the double calls the test file.
pub const TEST_VIRUS: &str = "Eicar-Test-Body";
/// Files that hold this can't be looked into.
pub const UNSCANNABLE: &[u8] = b"[the double can't look into this]";

/// What the double does from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// What a scanner is there for.
    #[default]
    Right,
    /// It takes no connection.
    Away,
    /// It takes the file, and then gives no answer.
    GoneBeforeTheAnswer,
    /// It never answers, and whoever asks has to give up.
    Hangs,
    /// It calls everything clean.
    CallsAllClean,
    /// It finds a virus in everything.
    CallsAllInfected,
    /// It finds one in every archive.
    CallsArchivesInfected,
    /// It finds what lies in the open, and doesn't look into archives.
    LooksIntoNothing,
}

#[derive(Default)]
struct State {
    behaviour: Behaviour,
    begun: usize,
    said: HashMap<[u8; 32], Verdict>,
}

/// A scanner in memory. Clone by clone the same.
#[derive(Clone, Default)]
pub struct DoubleScanner(Arc<Mutex<State>>);

impl DoubleScanner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what it does, also for scans that are under way.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// How many scans were begun.
    pub fn begun(&self) -> usize {
        self.state().begun
    }

    /// What it said of the bytes with this digest.
    pub fn said(&self, sha256: &Sha256Digest) -> Option<Verdict> {
        self.state().said.get(sha256.as_bytes()).cloned()
    }

    fn is_away(&self) -> bool {
        self.state().behaviour == Behaviour::Away
    }
}

fn gone() -> ScanFailure {
    ScanFailure::new("the double is away")
}

#[async_trait]
impl Scanner for DoubleScanner {
    async fn begin(&self, _length: u64) -> Result<Box<dyn Scan>, ScanFailure> {
        if self.is_away() {
            return Err(gone());
        }
        self.state().begun += 1;
        Ok(Box::new(DoubleScan {
            scanner: self.clone(),
            bytes: Vec::new(),
        }))
    }
}

struct DoubleScan {
    scanner: DoubleScanner,
    bytes: Vec<u8>,
}

#[async_trait]
impl Scan for DoubleScan {
    async fn add(&mut self, chunk: &[u8]) -> Result<(), ScanFailure> {
        if self.scanner.is_away() {
            return Err(gone());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    async fn verdict(self: Box<Self>) -> Result<Verdict, ScanFailure> {
        let behaviour = self.scanner.state().behaviour;
        let verdict = match behaviour {
            Behaviour::Away | Behaviour::GoneBeforeTheAnswer => return Err(gone()),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::CallsAllClean => return Ok(Verdict::Clean),
            Behaviour::CallsAllInfected => infected(),
            Behaviour::CallsArchivesInfected if self.bytes.starts_with(b"PK") => infected(),
            Behaviour::LooksIntoNothing if is_bomb(&self.bytes) => return Ok(Verdict::Clean),
            Behaviour::LooksIntoNothing | Behaviour::CallsArchivesInfected | Behaviour::Right => {
                judge(&self.bytes)
            }
        };
        let digest = Sha256::digest(&self.bytes).into();
        let mut state = self.scanner.state();
        state.said.insert(digest, verdict.clone());
        Ok(verdict)
    }
}

fn infected() -> Verdict {
    Verdict::Infected(ScannerText::of(TEST_VIRUS))
}

/// What a right scanner says of these bytes.
pub(super) fn judge(bytes: &[u8]) -> Verdict {
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    if is_bomb(bytes) || holds(&eicar()) {
        return infected();
    }
    match holds(UNSCANNABLE) {
        true => Verdict::Unscannable(ScannerText::of("it was told so")),
        false => Verdict::Clean,
    }
}
