//! `file-share scrub`: settings → stores, for reading only → every file's bytes → an exit code.
//!
//! Invariant: standard output has one line for each damaged file and nothing else; everything that
//! is said about the scrub itself goes to standard error. Nothing is written to any store.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::config::ScrubSettings;
use crate::operations::{Finding, ScrubEnd, ScrubOptions, ScrubReport, Stores, scrub};
use crate::stores::{self, Access, StartError, StoreChoices};

/// What `file-share scrub --help` says behind the flags.
pub const AFTER_HELP: &str = "\
Standard output: one line for each damaged file, its ID first and then what is wrong.
Standard error: progress, what couldn't be looked at, and a summary.
In aws mode the standard AWS variables keep their meaning, among them AWS_REGION and AWS_PROFILE; the
API's own permissions are enough. Settings that only the service needs are taken and have no effect.

Exit codes:
  0  every available file was read, and its bytes are those that its record promises
  1  damage was found: the IDs are on standard output
  2  the settings aren't right
  3  no damage was found, but not everything could be looked at: see standard error";

/// Damage was found.
const DAMAGED: u8 = 1;
/// No damage, as far as could be seen.
const NOT_ALL_SEEN: u8 = 3;

/// How often a line of progress is written at most.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Scrubs, and says what came of it. `stop` ends it early.
pub async fn run(settings: &ScrubSettings, stop: CancellationToken) -> ExitCode {
    let stores = match open(settings).await {
        Ok(stores) => stores,
        Err(error) => {
            eprintln!("file-share scrub couldn't look: {error}");
            return ExitCode::from(NOT_ALL_SEEN);
        }
    };
    let options = ScrubOptions {
        after: settings.after,
        max_bytes_per_second: settings.max_bytes_per_second,
    };
    let mut told_at = Instant::now();
    let tell = |finding| match finding {
        Finding::Damaged(id, damage) => {
            // Whoever reads the list went away: there is nobody to look for.
            if writeln!(std::io::stdout(), "{id} {damage}").is_err() {
                stop.cancel();
            }
        }
        Finding::Unseen(id, error) => eprintln!("{id} couldn't be looked at: {}", error.chain()),
        Finding::Progress(report) => {
            if told_at.elapsed() >= PROGRESS_INTERVAL {
                told_at = Instant::now();
                eprintln!("so far: {}", figures(&report));
            }
        }
    };
    let (report, end) = scrub(&stores, options, &stop, tell).await;
    eprintln!("{}", summary(&report, &end));
    match (&end, &report) {
        (_, ScrubReport { damaged: 1.., .. }) => ExitCode::from(DAMAGED),
        (ScrubEnd::Complete, ScrubReport { unseen: 0, .. }) => ExitCode::SUCCESS,
        _ => ExitCode::from(NOT_ALL_SEEN),
    }
}

fn summary(report: &ScrubReport, end: &ScrubEnd) -> String {
    let figures = figures(report);
    let go_on = match report.position {
        Some(id) => format!("; --after {id} goes on from here"),
        None => String::new(),
    };
    match end {
        ScrubEnd::Complete => format!("all files were tried: {figures}"),
        ScrubEnd::Stopped => format!("stopped: {figures}{go_on}"),
        ScrubEnd::StoreAway(error) => {
            format!(
                "a store doesn't answer: {}. {figures}{go_on}",
                error.chain()
            )
        }
    }
}

fn figures(report: &ScrubReport) -> String {
    format!(
        "{} sound ({} bytes), {} damaged, {} couldn't be looked at, {} deleted meanwhile",
        report.sound, report.sound_bytes, report.damaged, report.unseen, report.gone
    )
}

/// The stores, as somebody has them who only looks: in local mode the service may be running.
async fn open(settings: &ScrubSettings) -> Result<Stores, StartError> {
    let choices = StoreChoices::of_mode(&settings.mode);
    let opened = stores::open(&choices, &settings.common, Access::Read).await?;
    Ok(opened.stores)
}
