//! A scanner that is asked only once it has shown that it finds what it has to.
//!
//! A clamd says "OK" of what it didn't look at, with the settings that it comes with. And one that is away at a start
//! may be another one when it comes back. So before a scanner is believed, and again after each failure and from time to
//! time, it gets the files of `probes`.
//!
//! One whose signatures went wrong finds something in everything, and whoever believes it rejects, or withdraws, all files.
//!
//! Invariant: a verdict comes from a scanner that found the probes, and nothing in those where there is nothing to find,
//! since it last failed, and at most [`VETTED_FOR`] ago.
//! While it is away, one at a time finds that out, and the others are told at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::probes::{HARMLESS, bomb, eicar, harmless_archive};
use super::{Scan, ScanFailure, Scanner, ScannerState, Verdict, scan_bytes};
use crate::metrics::ScannerSeen;

/// For how long a scanner is believed without another look.
pub const VETTED_FOR: Duration = Duration::from_secs(10 * 60);
/// How long the probes may take.
const VET_LIMIT: Duration = Duration::from_secs(20);
/// For so long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_millis(500);

/// What a scanner has to be set to, for whoever looks after it.
pub(super) const REMEDY: &str = "Set in clamd.conf: MaxScanSize and MaxFileSize to 100M or more (at least the largest \
     file and what may be packed in it), StreamMaxLength to no less than the largest file (MAX_UPLOAD_BYTES), \
     AlertExceedsMax yes, AlertEncrypted yes; and load signatures that know the EICAR test file, and none that finds \
     something in plain text. Then start clamd again";

/// Why a scanner isn't believed.
#[derive(Debug, Clone)]
pub(super) enum Distrust {
    /// It isn't there, or not whole.
    Away(ScanFailure),
    /// It is there, and passes what it has to find, or finds something where there is nothing.
    Wrong(String),
}

#[derive(Debug, Clone)]
struct Vetting {
    at: Instant,
    found: Result<(), Distrust>,
}

#[derive(Default)]
struct Known {
    last: Option<Vetting>,
    /// So that a change is logged once.
    state: ScannerState,
    /// When it last had to show what it finds.
    asked_at: Option<Instant>,
}

/// A scanner that has to show what it finds.
pub struct Vetted {
    scanner: Arc<dyn Scanner>,
    known: Arc<Mutex<Known>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Vetted {
    /// A scanner of which nothing is known yet.
    pub fn new(scanner: Arc<dyn Scanner>) -> Self {
        Self {
            scanner,
            known: Arc::default(),
            one_at_a_time: tokio::sync::Mutex::new(()),
        }
    }

    /// What is known of it, without asking it.
    pub fn state(&self) -> ScannerState {
        locked(&self.known).state.clone()
    }

    /// The same, as it is counted.
    pub(super) fn seen(&self) -> ScannerSeen {
        let known = locked(&self.known);
        ScannerSeen {
            is_ready: known.state == ScannerState::Ready,
            asked: known.asked_at.map(|at| at.elapsed()),
        }
    }

    /// The scanner itself, for questions besides.
    pub(super) fn scanner(&self) -> &dyn Scanner {
        &*self.scanner
    }

    /// Makes sure that it can be believed.
    pub(super) async fn vet(&self) -> Result<(), Distrust> {
        if let Some(found) = self.known_by_now() {
            return found;
        }
        let _turn = self.one_at_a_time.lock().await;
        // Somebody may have found out meanwhile.
        if let Some(found) = self.known_by_now() {
            return found;
        }
        let found = match timeout(VET_LIMIT, self.probe()).await {
            Ok(found) => found,
            Err(_) => Err(Distrust::Away(ScanFailure::new(
                "it doesn't answer in time to the test files",
            ))),
        };
        let mut known = locked(&self.known);
        known.asked_at = Some(Instant::now());
        known.last = Some(Vetting {
            at: Instant::now(),
            found: found.clone(),
        });
        known.turn_to(match &found {
            Ok(()) => ScannerState::Ready,
            Err(Distrust::Away(failure)) => ScannerState::Away(failure.to_string()),
            Err(Distrust::Wrong(said)) => ScannerState::Wrong(said.clone()),
        });
        found
    }

    fn known_by_now(&self) -> Option<Result<(), Distrust>> {
        let known = locked(&self.known);
        let last = known.last.as_ref()?;
        let lasts = match last.found {
            Ok(()) => VETTED_FOR,
            Err(_) => PAUSE,
        };
        (last.at.elapsed() < lasts).then(|| last.found.clone())
    }

    async fn probe(&self) -> Result<(), Distrust> {
        let scanner = &*self.scanner;
        match scan_bytes(scanner, &eicar()).await {
            Ok(Verdict::Infected(_)) => {}
            Ok(_) => return Err(wrong("it doesn't find the EICAR test file")),
            Err(failure) => return Err(Distrust::Away(failure)),
        }
        match scan_bytes(scanner, bomb()).await {
            Ok(Verdict::Clean) => {
                return Err(wrong(
                    "it calls an archive clean that has the EICAR test file behind 30 MiB of zeros",
                ));
            }
            Ok(_) => {}
            Err(failure) => return Err(Distrust::Away(failure)),
        }
        for (harmless, what) in [
            (HARMLESS, "a line of plain text"),
            (&harmless_archive(), "an archive with a line of plain text"),
        ] {
            match scan_bytes(scanner, harmless).await {
                Ok(Verdict::Clean) => {}
                Ok(Verdict::Infected(name)) => {
                    return Err(Distrust::Wrong(format!(
                        "it finds {} in {what}",
                        name.as_str()
                    )));
                }
                Ok(Verdict::Unscannable(why)) => {
                    return Err(Distrust::Wrong(format!(
                        "it can't look into {what}: {}",
                        why.as_str()
                    )));
                }
                Err(failure) => return Err(Distrust::Away(failure)),
            }
        }
        Ok(())
    }
}

fn wrong(said: &str) -> Distrust {
    Distrust::Wrong(said.to_owned())
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn turn_to(&mut self, state: ScannerState) {
        let before = std::mem::replace(&mut self.state, state);
        // How it is away may change with each try.
        if std::mem::discriminant(&before) == std::mem::discriminant(&self.state) {
            return;
        }
        match &self.state {
            ScannerState::NotAsked => {}
            ScannerState::Ready => tracing::info!("the virus scanner finds the test files"),
            ScannerState::Away(said) => tracing::warn!(
                error = said,
                "the virus scanner is away; files stay pending until it is back"
            ),
            ScannerState::Wrong(said) => tracing::error!(
                "the virus scanner isn't believed, and files stay pending: {said}. {REMEDY}"
            ),
        }
    }

    /// It has to show again what it finds.
    fn failed(&mut self, failure: &ScanFailure) {
        self.last = None;
        self.turn_to(ScannerState::Away(failure.to_string()));
    }
}

#[async_trait]
impl Scanner for Vetted {
    async fn begin(&self, length: u64) -> Result<Box<dyn Scan>, ScanFailure> {
        match self.vet().await {
            Ok(()) => {}
            Err(Distrust::Away(failure)) => return Err(failure),
            Err(Distrust::Wrong(said)) => return Err(ScanFailure::new(said)),
        }
        let known = Arc::clone(&self.known);
        match self.scanner.begin(length).await {
            Ok(scan) => Ok(Box::new(VettedScan { scan, known })),
            Err(failure) => {
                locked(&known).failed(&failure);
                Err(failure)
            }
        }
    }
}

struct VettedScan {
    scan: Box<dyn Scan>,
    known: Arc<Mutex<Known>>,
}

#[async_trait]
impl Scan for VettedScan {
    async fn add(&mut self, chunk: &[u8]) -> Result<(), ScanFailure> {
        let added = self.scan.add(chunk).await;
        added.inspect_err(|failure| locked(&self.known).failed(failure))
    }

    async fn verdict(self: Box<Self>) -> Result<Verdict, ScanFailure> {
        let verdict = self.scan.verdict().await;
        verdict.inspect_err(|failure| locked(&self.known).failed(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::double::{Behaviour, DoubleScanner};

    async fn vetted() -> (Vetted, DoubleScanner) {
        let double = DoubleScanner::default();
        (Vetted::new(Arc::new(double.clone())), double)
    }

    crate::scanner_conformance!(vetted);

    #[tokio::test(start_paused = true)]
    async fn a_scanner_that_passes_the_test_files_is_never_believed() {
        let (scanner, double) = vetted().await;
        let blind = [Behaviour::CallsAllClean, Behaviour::LooksIntoNothing];
        for behaviour in blind.into_iter().cycle().take(4) {
            double.behave(behaviour);
            assert!(scan_bytes(&scanner, b"hello").await.is_err());
            assert!(matches!(scanner.state(), ScannerState::Wrong(_)));
            tokio::time::advance(PAUSE).await;
        }
        double.behave(Behaviour::Right);
        assert_eq!(
            scan_bytes(&scanner, b"hello").await.unwrap(),
            Verdict::Clean
        );
        assert_eq!(scanner.state(), ScannerState::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scanner_that_finds_something_where_there_is_nothing_is_never_believed() {
        let (scanner, double) = vetted().await;
        let mad = [
            (Behaviour::CallsAllInfected, "in a line of plain text"),
            (Behaviour::CallsArchivesInfected, "in an archive with"),
        ];
        for (behaviour, said) in mad {
            double.behave(behaviour);
            let failure = scan_bytes(&scanner, b"hello").await.unwrap_err();
            assert!(failure.to_string().contains(said), "{failure}");
            assert!(matches!(scanner.state(), ScannerState::Wrong(_)));
            tokio::time::advance(PAUSE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scanner_that_was_away_has_to_show_again_what_it_finds() {
        let (scanner, double) = vetted().await;
        assert_eq!(scanner.state(), ScannerState::NotAsked);
        assert_eq!(
            scan_bytes(&scanner, b"hello").await.unwrap(),
            Verdict::Clean
        );
        assert_eq!(double.begun(), 5);
        assert_eq!(
            scan_bytes(&scanner, b"hello").await.unwrap(),
            Verdict::Clean
        );
        assert_eq!(double.begun(), 6);
        for failure in [Behaviour::Away, Behaviour::GoneBeforeTheAnswer] {
            double.behave(failure);
            assert!(scan_bytes(&scanner, b"hello").await.is_err());
            assert!(matches!(scanner.state(), ScannerState::Away(_)));
            // It comes back as one that finds nothing.
            double.behave(Behaviour::CallsAllClean);
            assert!(scan_bytes(&scanner, b"hello").await.is_err());
            double.behave(Behaviour::Right);
            tokio::time::advance(PAUSE).await;
            assert_eq!(
                scan_bytes(&scanner, b"hello").await.unwrap(),
                Verdict::Clean
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scanner_is_believed_for_a_while_and_then_looked_at_again() {
        let (scanner, double) = vetted().await;
        assert_eq!(
            scan_bytes(&scanner, b"hello").await.unwrap(),
            Verdict::Clean
        );
        double.behave(Behaviour::CallsAllClean);
        tokio::time::advance(VETTED_FOR).await;
        assert!(scan_bytes(&scanner, &eicar()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_scanner_hangs_one_waits_for_it_and_the_others_are_told() {
        let (scanner, double) = vetted().await;
        double.behave(Behaviour::Hangs);
        let began = Instant::now();
        let scans = (0..100).map(|_| scan_bytes(&scanner, b"hello"));
        let all = futures_util::future::join_all(scans).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(began.elapsed(), VET_LIMIT);
        assert_eq!(double.begun(), 1);
    }
}
