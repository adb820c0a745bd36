//! What a start, and `file-share check`, look at: whether the scanner finds what it has to.
//!
//! Invariant: one that passes a test file ends a start; one that is away doesn't, since files wait for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::probes::encrypted;
use super::vetted::{Distrust, REMEDY, Vetted};
use super::{Verdict, scan_bytes};
use crate::domain::MAX_CONTENT_LENGTH;
use crate::start_check::{Finding, Flaw, StartCheck};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(25);
/// In what pieces the largest file is sent.
const PIECE: usize = 1024 * 1024;

/// Looks at the scanner of a program.
pub struct ScannerCheck {
    scanner: Arc<Vetted>,
}

impl ScannerCheck {
    pub(super) fn of(scanner: &Arc<Vetted>) -> Self {
        Self {
            scanner: Arc::clone(scanner),
        }
    }

    /// What is wrong with a scanner that finds the test files. Files are rejected for it, or taken unseen; none of it is
    /// a reason not to start.
    async fn further(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.scan_largest().await {
            Some(Verdict::Unscannable(why)) => findings.push(Finding::WrongForNow(Flaw::new(
                format!(
                    "the virus scanner doesn't look into files of {MAX_CONTENT_LENGTH} bytes: {}",
                    why.as_str()
                ),
                REMEDY,
            ))),
            Some(Verdict::Infected(name)) => findings.push(Finding::WrongForNow(Flaw::new(
                format!(
                    "the virus scanner finds {} in a file that has nothing but zeros",
                    name.as_str()
                ),
                "see which signatures it has: files that are clean are rejected",
            ))),
            Some(Verdict::Clean) | None => {}
        }
        let scanned = scan_bytes(self.scanner.scanner(), &encrypted()).await;
        if let Ok(Verdict::Clean) = scanned {
            findings.push(Finding::WrongForNow(Flaw::new(
                "the virus scanner calls encrypted archives clean, which it can't look into",
                "set AlertEncrypted yes in clamd.conf; SCAN_UNSCANNABLE=allow takes them all the same",
            )));
        }
        findings
    }

    async fn scan_largest(&self) -> Option<Verdict> {
        let piece = vec![0; PIECE];
        let mut scan = self
            .scanner
            .scanner()
            .begin(MAX_CONTENT_LENGTH)
            .await
            .ok()?;
        for _ in 0..MAX_CONTENT_LENGTH / PIECE as u64 {
            scan.add(&piece).await.ok()?;
        }
        scan.verdict().await.ok()
    }
}

#[async_trait]
impl StartCheck for ScannerCheck {
    fn name(&self) -> &'static str {
        "scanner"
    }

    fn subject(&self) -> String {
        "the virus scanner".into()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    async fn look(&self) -> Vec<Finding> {
        match self.scanner.vet().await {
            Err(Distrust::Wrong(said)) => {
                let said = format!("the virus scanner can't be relied on: {said}");
                return vec![Finding::Wrong(Flaw::new(said, REMEDY))];
            }
            Err(Distrust::Away(failure)) => {
                return vec![Finding::Away(format!(
                    "the virus scanner is away, and files stay pending until it is back: {failure}"
                ))];
            }
            Ok(()) => {}
        }
        let further = self.further().await;
        match further.is_empty() {
            true => vec![Finding::Fine(
                "it finds the EICAR test file, also deep in an archive, and nothing in plain text"
                    .into(),
            )],
            false => further,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::double::{Behaviour, DoubleScanner};

    async fn finding(behaviour: Behaviour) -> Finding {
        let double = DoubleScanner::default();
        double.behave(behaviour);
        let check = ScannerCheck::of(&Arc::new(Vetted::new(Arc::new(double))));
        check.look().await.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_scanner_that_passes_a_test_file_ends_a_start_and_one_that_is_away_does_not() {
        let Finding::Wrong(flaw) = finding(Behaviour::CallsAllClean).await else {
            panic!("it is believed");
        };
        for line in [
            "MaxScanSize",
            "MaxFileSize",
            "StreamMaxLength",
            "AlertExceedsMax yes",
            "AlertEncrypted yes",
        ] {
            assert!(flaw.remedy.contains(line), "{line}");
        }
        for away in [
            Behaviour::Away,
            Behaviour::Hangs,
            Behaviour::GoneBeforeTheAnswer,
        ] {
            assert!(matches!(finding(away).await, Finding::Away(_)), "{away:?}");
        }
        // The double knows nothing of archives.
        assert!(matches!(
            finding(Behaviour::Right).await,
            Finding::WrongForNow(_)
        ));
    }
}
