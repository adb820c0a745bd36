//! Whether a program scans files, and what it does with those that can't be.
//!
//! Invariant: where scanning is on, whoever wants to call a file available has to get a verdict from here, and where it
//! isn't, leave to do so without one ([`Scans::may_pass_unscanned`]), right before that is written. A program beside one
//! that scans settles nothing at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::clamd::Clamd;
use super::scan_mark::Watched;
use super::{
    Scan, ScanFailure, ScanMark, ScanMarkCheck, Scanner, ScannerCheck, ScannerText, Verdict,
    Vetted, guardduty,
};
use crate::config::{ScannedBy, ScannerSettings, Unscannable};
use crate::metrics::ScannerSeen;
use crate::start_check::{Finding, Known, StartCheck};
use crate::store_error::StoreError;

/// How long whoever asks whether the service is ready waits for the scanner.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// How often it is looked whether one that was away is back.
const ASK_EVERY: Duration = Duration::from_secs(15);

/// What is known of a scanner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScannerState {
    /// Nobody has asked it yet.
    #[default]
    NotAsked,
    /// It found the test files, and didn't fail since.
    Ready,
    /// It can't be reached, or didn't answer; why.
    Away(String),
    /// It passes what it has to find; what.
    Wrong(String),
}

/// Why a file isn't to be available, by what a scanner said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It found this.
    Infected(ScannerText),
    /// It can't look into it, for this reason.
    Unscannable(ScannerText),
}

#[derive(Clone, Default)]
enum By {
    #[default]
    Nobody,
    /// Nobody, and that was said.
    NobodyOnPurpose,
    /// Another program of the service.
    Others,
    Scanner(Arc<Vetted>),
    /// GuardDuty, which reads objects by itself and tags versions.
    Tags,
}

/// Whether files are scanned here. Clone by clone the same.
#[derive(Clone, Default)]
pub struct Scans {
    by: By,
    unscannable: Unscannable,
    /// There are programs besides that finalize files, each with a hint of its own.
    is_beside: bool,
    /// Where it says whether others scan; `None`: there are none.
    mark: Option<Arc<ScanMark>>,
}

/// Says what [`Scans::keep_mark`] says, whenever it is called.
pub struct MarkKeeper {
    scans: Scans,
    watched: Option<Watched>,
}

impl MarkKeeper {
    /// Writes the mark, or looks whether it may be taken away.
    ///
    /// # Errors
    /// The store doesn't answer.
    pub async fn keep(&mut self) -> Result<(), StoreError> {
        match (&self.scans.by, &self.scans.mark) {
            (By::Scanner(_) | By::Tags, Some(mark)) => mark.write().await,
            (By::NobodyOnPurpose, Some(mark)) => mark.look(&mut self.watched).await,
            _ => Ok(()),
        }
    }
}

impl Scans {
    /// Nothing is scanned.
    pub fn off() -> Self {
        Self::default()
    }

    /// As it was set, in a program that finalizes files.
    pub fn new(settings: &ScannerSettings) -> Self {
        match &settings.by {
            ScannedBy::NotSaid => Self::off(),
            ScannedBy::Nothing => Self {
                by: By::NobodyOnPurpose,
                ..Self::default()
            },
            ScannedBy::GuardDuty => Self::by_tags(settings.unscannable),
            ScannedBy::Clamd(address) => {
                let clamd = Arc::new(Clamd::new(address.clone()));
                Self::by(clamd, settings.unscannable)
            }
        }
    }

    /// As it was set, in a program beside one that finalizes files.
    pub fn elsewhere(settings: &ScannerSettings) -> Self {
        let by = match settings.by {
            ScannedBy::NotSaid | ScannedBy::Nothing => By::Nobody,
            ScannedBy::Clamd(_) | ScannedBy::GuardDuty => By::Others,
        };
        Self {
            by,
            unscannable: settings.unscannable,
            is_beside: true,
            mark: None,
        }
    }

    /// By this scanner, once it has shown what it finds.
    pub fn by(scanner: Arc<dyn Scanner>, unscannable: Unscannable) -> Self {
        Self {
            by: By::Scanner(Arc::new(Vetted::new(scanner))),
            unscannable,
            ..Self::default()
        }
    }

    /// By what GuardDuty says in the tags of versions.
    pub fn by_tags(unscannable: Unscannable) -> Self {
        Self {
            by: By::Tags,
            unscannable,
            ..Self::default()
        }
    }

    /// The same where other programs use the same records.
    pub fn with_mark(self, mark: Arc<ScanMark>) -> Self {
        Self {
            mark: Some(mark),
            ..self
        }
    }

    /// Whether another program scans, and has a hint of its own for each file, so that this one may settle nothing and
    /// leave it at that. What isn't known here without a question doesn't count.
    pub fn are_elsewhere(&self) -> bool {
        self.is_beside && self.are_by_others()
    }

    /// Whether a file has to be read to be scanned.
    pub fn are_on(&self) -> bool {
        matches!(self.by, By::Scanner(_)) || self.are_by_others()
    }

    /// The tag that says of a version what was found in it, where one does. Nothing of it is read to be scanned then.
    pub fn tag(&self) -> Option<&'static str> {
        matches!(self.by, By::Tags).then_some(guardduty::TAG)
    }

    fn are_by_others(&self) -> bool {
        match self.by {
            By::Others => true,
            By::Scanner(_) | By::Tags => false,
            By::Nobody | By::NobodyOnPurpose => {
                self.mark.as_ref().is_some_and(|mark| mark.was_seen())
            }
        }
    }

    /// Whether a file may be available though nothing was scanned, by what the store says right now.
    ///
    /// # Errors
    /// It doesn't say anything.
    pub async fn may_pass_unscanned(&self) -> Result<bool, StoreError> {
        match (&self.by, &self.mark) {
            // With the verdict of the scanner, or of the tag.
            (By::Scanner(_) | By::Tags, _) => Ok(true),
            (By::Others, _) => Ok(false),
            (By::Nobody | By::NobodyOnPurpose, None) => Ok(true),
            (By::Nobody | By::NobodyOnPurpose, Some(mark)) => Ok(!mark.is_there().await?),
        }
    }

    /// Says to the programs beside that files are scanned, or that they aren't any more, until the stop.
    pub async fn keep_mark(&self, stop: CancellationToken) {
        match (&self.by, &self.mark) {
            (By::Scanner(_) | By::Tags, Some(mark)) => mark.keep(stop).await,
            (By::NobodyOnPurpose, Some(mark)) => mark.let_lapse(stop).await,
            _ => {}
        }
    }

    /// The same by single calls, a minute apart or so, where nothing runs in between.
    pub fn mark_keeper(&self) -> MarkKeeper {
        MarkKeeper {
            scans: self.clone(),
            watched: None,
        }
    }

    /// What is known of the scanner; `None` if there is none here.
    pub fn state(&self) -> Option<ScannerState> {
        self.scanner().map(|scanner| scanner.state())
    }

    /// The same as it is counted, without asking it.
    pub fn seen(&self) -> Option<ScannerSeen> {
        self.scanner().map(|scanner| scanner.seen())
    }

    /// The one that is asked here.
    fn scanner(&self) -> Option<&Vetted> {
        match &self.by {
            By::Scanner(scanner) => Some(scanner),
            By::Nobody | By::NobodyOnPurpose | By::Others | By::Tags => None,
        }
    }

    /// Asks it again and again until `stop`, so that what is seen of it is never old, also where no files come.
    pub async fn keep_asking(&self, stop: CancellationToken) {
        if self.scanner().is_none() {
            return;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(ASK_EVERY) => {}
            }
            // What it says is kept.
            let _ = self.probe().await;
        }
    }

    /// The same once it was asked, if that wasn't done lately. It waits for two seconds at most.
    pub async fn probe(&self) -> Option<ScannerState> {
        let scanner = self.scanner()?;
        let vetted = timeout(PROBE_LIMIT, scanner.vet()).await;
        match (vetted, scanner.state()) {
            (Err(_), ScannerState::NotAsked | ScannerState::Ready) => {
                Some(ScannerState::Away("it doesn't answer in time".into()))
            }
            (_, state) => Some(state),
        }
    }

    /// What the start of a program looks at that finalizes files; `None` if there is nothing.
    pub fn check(&self) -> Option<Box<dyn StartCheck>> {
        match (&self.by, &self.mark) {
            (By::Scanner(scanner), _) => Some(Box::new(ScannerCheck::of(scanner))),
            // Whether the tags may be read is looked at with the bucket.
            (By::Tags, _) => Some(Box::new(Known {
                name: "scanner",
                subject: "the virus scanner".into(),
                finding: Finding::Fine(format!(
                    "GuardDuty scans; what it finds is read from the tag {} of each version",
                    guardduty::TAG
                )),
            })),
            (By::Nobody, Some(mark)) if !self.is_beside => Some(Box::new(ScanMarkCheck::of(mark))),
            _ => None,
        }
    }

    /// Begins a scan; `None` where files aren't scanned here, or a [`Self::tag`] says what was found in them.
    ///
    /// # Errors
    /// The scanner is away, or isn't believed.
    pub async fn begin(&self, length: u64) -> Result<Option<Box<dyn Scan>>, ScanFailure> {
        match &self.by {
            By::Scanner(scanner) => scanner.begin(length).await.map(Some),
            _ if self.are_by_others() => {
                Err(ScanFailure::new("another program of the service scans"))
            }
            _ => Ok(None),
        }
    }

    /// What speaks against a file of which the scanner said this.
    pub fn objection(&self, verdict: Verdict) -> Option<Objection> {
        match (verdict, self.unscannable) {
            (Verdict::Clean, _) | (Verdict::Unscannable(_), Unscannable::Allow) => None,
            (Verdict::Infected(name), _) => Some(Objection::Infected(name)),
            (Verdict::Unscannable(why), Unscannable::Reject) => Some(Objection::Unscannable(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::double::DoubleScanner;

    #[tokio::test]
    async fn only_where_nothing_scans_is_there_no_verdict_to_wait_for() {
        let double = Arc::new(DoubleScanner::default());
        let on = Scans::by(double, Unscannable::Reject);
        assert!(on.begin(1).await.unwrap().is_some());
        assert!(Scans::off().begin(1).await.unwrap().is_none());
        let settings = ScannerSettings {
            by: ScannedBy::Clamd(crate::config::ClamdAddress::Unix("/nowhere".into())),
            ..ScannerSettings::default()
        };
        let elsewhere = Scans::elsewhere(&settings);
        assert!(elsewhere.are_elsewhere() && elsewhere.are_on());
        assert!(elsewhere.begin(1).await.is_err());
        assert!(Scans::new(&settings).begin(1).await.is_err());
        let guardduty = ScannerSettings {
            by: ScannedBy::GuardDuty,
            ..ScannerSettings::default()
        };
        assert!(Scans::elsewhere(&guardduty).are_elsewhere());
        assert!(Scans::elsewhere(&guardduty).begin(1).await.is_err());
        assert!(Scans::elsewhere(&guardduty).tag().is_none());
        assert!(Scans::new(&guardduty).tag().is_some());
        let off = ScannerSettings::default();
        assert!(!Scans::new(&off).are_on() && !Scans::elsewhere(&off).are_on());
    }

    #[test]
    fn what_can_not_be_looked_into_is_allowed_only_if_that_was_set() {
        let text = || ScannerText::of("x");
        let double = Arc::new(DoubleScanner::default());
        for unscannable in [Unscannable::Reject, Unscannable::Allow] {
            let scans = Scans::by(double.clone(), unscannable);
            assert_eq!(scans.objection(Verdict::Clean), None);
            let infected = scans.objection(Verdict::Infected(text()));
            assert_eq!(infected, Some(Objection::Infected(text())));
            let objection = scans.objection(Verdict::Unscannable(text()));
            assert_eq!(objection.is_some(), unscannable == Unscannable::Reject);
        }
    }
}
