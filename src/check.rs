//! `file-share check`: what a start looks at, looked at without one; a line for each check, and an exit code.
//!
//! Invariant: nothing is made, changed or locked, so that it may be called beside a running service. What
//! couldn't be looked at is never called well.
//!
//! Absent on purpose: mending. What is wrong is said to whoever may change it.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::aws::setup_checks::{Setup, access, setup_checks, without_access};
use crate::clock::{Clock, SystemClock};
use crate::config::{CheckSettings, CommonSettings, Mode};
use crate::download_edge::EdgeCheck;
use crate::scanner::Scans;
use crate::start_check::{Finding, Flaw, Known, StartCheck};
use crate::stores::{self, Access, StoreChoices, local_checks};

/// What `file-share check --help` says behind the flags.
pub const AFTER_HELP: &str = "\
Each check is a line: ✓ all is well, ✗ it isn't (the next line says what helps), – it wasn't looked at.
Nothing is changed or locked, so the service may be running.
In aws mode the credentials are taken for the service's own; with --setup they are the operator's.

Exit codes:
  0  all is ✓
  1  anything else
  2  the settings aren't right";

/// How long one check may take. A call to AWS is given up after fifteen seconds.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
/// The longest name of a check.
const NAME_CHARS: usize = 14;
const SEE_NETWORK: &str =
    "see that it runs and can be reached from here (AWS_ENDPOINT_URL, AWS_REGION), and try again";
const TRY_AGAIN: &str = "try again; if it stays so, the service's log says more";

/// Looks at everything, and says what came of it.
pub async fn run(settings: &CheckSettings) -> ExitCode {
    let mut all_is_well = true;
    let if_away = match &settings.mode {
        Mode::Local { .. } => TRY_AGAIN,
        Mode::Aws { .. } => SEE_NETWORK,
    };
    for check in checks(settings).await {
        let began = Instant::now();
        let findings = tokio::time::timeout(CHECK_LIMIT, check.look()).await;
        let findings = findings.unwrap_or_else(|_| {
            let said = format!(
                "{}: no answer within {} s",
                check.subject(),
                CHECK_LIMIT.as_secs()
            );
            vec![Finding::Away(said)]
        });
        let line = Line::of(check.name(), findings, if_away, began.elapsed());
        all_is_well &= line.verdict == Verdict::Ok;
        if line.write(settings.json).is_err() {
            // Nobody reads it any more.
            return ExitCode::FAILURE;
        }
    }
    match all_is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn checks(settings: &CheckSettings) -> Vec<Box<dyn StartCheck>> {
    let common = &settings.common;
    let mut checks = match (&settings.mode, &settings.setup) {
        (Mode::Local { data_dir }, _) => local_checks(data_dir, common),
        (Mode::Aws { .. }, Some(queue_url)) => {
            return setup_checks(Setup {
                bucket_name: common.bucket_name.clone(),
                table_name: common.table_name.clone(),
                queue_url: queue_url.clone(),
            })
            .await;
        }
        (Mode::Aws { .. }, None) => checks_of_the_service(common).await,
    };
    if let Some(downloads) = &settings.downloads {
        checks.push(Box::new(EdgeCheck {
            settings: downloads.clone(),
            now: SystemClock.now(),
        }));
    }
    // The same in both modes, and also where the worker is the one that asks it.
    if let Some(check) = Scans::new(&common.scanner).check() {
        checks.push(check);
    }
    checks
}

/// What the API looks at when it starts in aws mode.
async fn checks_of_the_service(common: &CommonSettings) -> Vec<Box<dyn StartCheck>> {
    let mut checks: Vec<Box<dyn StartCheck>> = Vec::new();
    let skipped = ["table", "bucket", "markers"];
    match access().await {
        Err(known) => {
            checks.push(Box::new(known));
            checks.extend(skipped.map(|name| Box::new(without_access(name)) as _));
            return checks;
        }
        Ok((_, known)) => checks.push(Box::new(known)),
    }
    match stores::open(&StoreChoices::AWS, common, Access::Read).await {
        Ok(opened) => {
            let markers = opened.markers_check();
            checks.extend(opened.checks);
            checks.push(Box::new(markers));
        }
        Err(error) => checks.push(Box::new(Known {
            name: "stores",
            subject: "the stores".into(),
            finding: Finding::Wrong(Flaw::of_sentences(&error.to_string())),
        })),
    }
    checks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok,
    NotLookedAt,
    Wrong,
}

/// What is said of one check.
struct Line {
    name: &'static str,
    verdict: Verdict,
    said: String,
    remedy: Option<String>,
    took: Duration,
}

impl Line {
    /// `if_away` is what to do about a store that doesn't answer.
    fn of(name: &'static str, findings: Vec<Finding>, if_away: &str, took: Duration) -> Self {
        let judged = findings.into_iter().map(|finding| judged(finding, if_away));
        let judged: Vec<(Verdict, Flaw)> = judged.collect();
        let verdict = judged.iter().map(|(verdict, _)| *verdict).max();
        let verdict = verdict.unwrap_or(Verdict::NotLookedAt);
        let mut said: Vec<String> = Vec::new();
        let mut remedies: Vec<String> = Vec::new();
        for (_, flaw) in judged.into_iter().filter(|(is, _)| *is == verdict) {
            if !said.contains(&flaw.said) {
                said.push(flaw.said);
            }
            if !flaw.remedy.is_empty() && !remedies.contains(&flaw.remedy) {
                remedies.push(flaw.remedy);
            }
        }
        let said = said.join("; ");
        Self {
            name,
            verdict,
            said: match verdict {
                Verdict::NotLookedAt => format!("not looked at, because {said}"),
                Verdict::Ok | Verdict::Wrong => said,
            },
            remedy: (!remedies.is_empty()).then(|| remedies.join(" ")),
            took,
        }
    }

    fn write(&self, as_json: bool) -> io::Result<()> {
        let Self {
            name, said, remedy, ..
        } = self;
        let mut output = io::stdout().lock();
        if as_json {
            let line = json!({
                "check": name,
                "verdict": match self.verdict {
                    Verdict::Ok => "ok",
                    Verdict::NotLookedAt => "not_looked_at",
                    Verdict::Wrong => "wrong",
                },
                "said": said,
                "mend": remedy,
                "milliseconds": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            });
            return writeln!(output, "{line}");
        }
        let mark = match self.verdict {
            Verdict::Ok => '✓',
            Verdict::NotLookedAt => '–',
            Verdict::Wrong => '✗',
        };
        writeln!(output, "{mark} {name:NAME_CHARS$}  {}", printable(said))?;
        match remedy {
            Some(remedy) => writeln!(output, "    → {}", printable(remedy)),
            None => Ok(()),
        }
    }
}

fn judged(finding: Finding, if_away: &str) -> (Verdict, Flaw) {
    match finding {
        Finding::Fine(said) => (Verdict::Ok, Flaw::new(said, "")),
        Finding::Wrong(flaw) | Finding::WrongForNow(flaw) => (Verdict::Wrong, flaw),
        Finding::Away(said) => (Verdict::Wrong, Flaw::new(said, if_away)),
        Finding::Hidden(flaw) => (Verdict::NotLookedAt, flaw),
    }
}

/// What others answered neither steers the terminal nor forges a line.
fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_worst_and_all_of_that_kind_once() {
        let flaw = |said| Flaw::new(said, "mend it");
        let line = Line::of(
            "table",
            vec![
                Finding::Hidden(flaw("c")),
                Finding::Wrong(flaw("a")),
                Finding::WrongForNow(flaw("b")),
                Finding::Wrong(flaw("a")),
            ],
            TRY_AGAIN,
            Duration::ZERO,
        );
        assert_eq!(line.verdict, Verdict::Wrong);
        assert_eq!(line.said, "a; b");
        assert_eq!(line.remedy.as_deref(), Some("mend it"));
        let hidden = Line::of(
            "table",
            vec![Finding::Fine("x".into()), Finding::Hidden(flaw("c"))],
            TRY_AGAIN,
            Duration::ZERO,
        );
        assert_eq!(hidden.said, "not looked at, because c");
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
