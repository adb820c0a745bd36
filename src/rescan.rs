//! `file-share rescan`: settings → stores → every available file to the virus scanner → an exit code.
//!
//! Invariant: standard output has one line for each file that was withdrawn, or would be, and nothing else; everything
//! that is said besides goes to standard error. It writes nothing with `--dry-run`, and nothing while the scanner is away.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::audit::{AuditKey, AuditLog};
use crate::config::{Mode, RescanSettings};
use crate::file_events::{FileEvents, KeptOf};
use crate::operations::{
    DeletionLog, Rescan, RescanEnd, RescanFinding, RescanReport, Stores, WhichFiles,
};
use crate::service::OwnChanges;
use crate::stores::{self, Access, StartError, StoreChoices};

/// What `file-share rescan --help` says behind the flags.
pub const AFTER_HELP: &str = "\
A file in which the scanner finds something is withdrawn: its status is `withdrawn`, downloads answer 410, its bytes are
deleted unless it is held or has to be kept, its owner sees why for 30 days, and a webhook tells of it. A download URL that
was handed out before works until the bytes are gone, at most for its lifetime.
In local mode stop the service first, or look with --dry-run while it runs and give the IDs afterwards. In aws mode it may
run beside all programs, with the API's permissions; the standard AWS variables keep their meaning.
A run withdraws at most as many files as --limit says, and ends at the next one: a scanner that suddenly finds something
in many is likelier to be wrong. With --dry-run nothing is withdrawn, and all are named.
Standard output: one line for each file that was withdrawn, or would be, its ID first and then the reason.
Standard error: progress, what the scanner can't look into and stays, what couldn't be scanned, and a summary.

Exit codes:
  0  every available file was tried, and nothing was found
  1  something was found: the IDs are on standard output; standard error says if not everything was scanned
  2  the settings aren't right
  3  nothing was found, but not everything was scanned, because the scanner or a store was away or a file is damaged: see
     standard error";

/// Everything was tried, and nothing was found.
const NOTHING_FOUND: u8 = 0;
/// Something was found.
const FOUND: u8 = 1;
/// Nothing was found, as far as could be seen.
const NOT_ALL_SEEN: u8 = 3;
/// How often a line of progress is written at most.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);
/// What stands in place of a request's ID.
const RESCAN: &str = "rescan";
const WITHDRAW: &str = "withdraw_file";

/// Scans, and says what came of it. `stop` ends it early.
pub async fn run(settings: &RescanSettings, stop: CancellationToken) -> ExitCode {
    let opened = match Opened::open(settings).await {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("file-share rescan can't start: {error}");
            return ExitCode::from(NOT_ALL_SEEN);
        }
    };
    let ends = opened.rescan(settings, &stop).await;
    opened.close().await;
    let (report, end) = ends;
    if settings.dry_run {
        eprintln!("nothing was changed: what is said to be withdrawn would be");
    }
    eprintln!("{}", summary(&report, &end));
    ExitCode::from(exit_code(&report, &end))
}

/// As of a scrub: what was found comes first, whatever else there is to say.
fn exit_code(report: &RescanReport, end: &RescanEnd) -> u8 {
    let RescanReport {
        withdrawn,
        unseen,
        damaged,
        ..
    } = report;
    match (end, withdrawn) {
        (RescanEnd::LimitReached(..), _) | (_, 1..) => FOUND,
        (RescanEnd::Complete, 0) if *unseen == 0 && *damaged == 0 => NOTHING_FOUND,
        _ => NOT_ALL_SEEN,
    }
}

struct Opened {
    stores: Stores,
    audit: Option<Arc<AuditLog>>,
    writing: Option<(tokio::task::JoinHandle<()>, CancellationToken)>,
}

impl Opened {
    async fn open(settings: &RescanSettings) -> Result<Self, StartError> {
        let choices = StoreChoices::of_mode(&settings.mode);
        let access = match settings.dry_run {
            true => Access::Read,
            false => Access::Write,
        };
        let opened = stores::open(&choices, &settings.common, access).await?;
        opened.start_unmarked().await?;
        if settings.dry_run {
            let (audit, writing) = (None, None);
            return Ok(Self {
                stores: opened.stores,
                audit,
                writing,
            });
        }
        let clock = Arc::clone(&opened.stores.clock);
        let audit = match &settings.mode {
            // Where one is kept.
            Mode::Local { data_dir } if data_dir.join("audit").is_dir() => {
                let failed = |error| StartError::new("the audit log", error);
                let key = AuditKey::load_or_create(data_dir);
                let key =
                    key.map_err(|error| StartError::new("the key of the audit log", error))?;
                let log = AuditLog::in_data_dir(data_dir, key, clock.now()).map_err(failed)?;
                Some(Arc::new(log))
            }
            _ => None,
        };
        let (events, writer) = FileEvents::kept_in(opened.items, KeptOf::OwnedFiles, clock);
        let over = CancellationToken::new();
        let writing = tokio::spawn(writer.run(over.clone()));
        Ok(Self {
            stores: Stores {
                events,
                ..opened.stores
            },
            audit,
            writing: Some((writing, over)),
        })
    }

    async fn rescan(
        &self,
        settings: &RescanSettings,
        stop: &CancellationToken,
    ) -> (RescanReport, RescanEnd) {
        let log = self.audit.clone().map(|log| {
            Arc::new(OwnChanges {
                log,
                clock: Arc::clone(&self.stores.clock),
                by: RESCAN,
                action: WITHDRAW,
            }) as Arc<dyn DeletionLog>
        });
        let rescan = Rescan {
            files: match settings.ids.is_empty() {
                true => WhichFiles::All {
                    after: settings.after,
                    since: settings.since,
                },
                false => WhichFiles::These(settings.ids.clone()),
            },
            dry_run: settings.dry_run,
            withdraws_unscannable: settings.withdraw_unscannable,
            limit: settings.limit,
            log,
        };
        let mut told_at = Instant::now();
        let tell = |finding| match finding {
            RescanFinding::Withdrawn(id, reason) => {
                // What is done goes on, whether or not somebody reads it.
                let _ = writeln!(std::io::stdout(), "{id} {}", reason.text);
            }
            RescanFinding::Unscannable(id, reason) => eprintln!("{id} stays: {}", reason.text),
            RescanFinding::Damaged(id) => {
                eprintln!(
                    "{id} wasn't scanned: its bytes aren't those of its record; see file-share scrub"
                );
            }
            RescanFinding::NotAvailable(id) => eprintln!("{id} isn't available"),
            RescanFinding::Unseen(id, error) => {
                eprintln!("{id} couldn't be looked at: {}", error.chain());
            }
            RescanFinding::Progress(report) => {
                if told_at.elapsed() >= PROGRESS_INTERVAL {
                    told_at = Instant::now();
                    eprintln!("so far: {}", figures(&report));
                }
            }
        };
        rescan.run(&self.stores, stop, tell).await
    }

    /// What is still to be written is.
    async fn close(self) {
        let Self {
            stores,
            audit,
            writing,
        } = self;
        let clock = Arc::clone(&stores.clock);
        drop(stores);
        if let Some((writing, over)) = writing {
            over.cancel();
            let _ = writing.await;
        }
        if let Some(audit) = audit
            && let Err(error) = audit.close(clock.now())
        {
            eprintln!("the end of the audit log can't be written: {error}");
        }
    }
}

fn summary(report: &RescanReport, end: &RescanEnd) -> String {
    let figures = figures(report);
    let go_on = match report.position {
        Some(id) => format!("; --after {id} goes on from here"),
        None => String::new(),
    };
    match end {
        RescanEnd::Complete => format!("all files were tried: {figures}"),
        RescanEnd::Stopped => format!("stopped: {figures}{go_on}"),
        RescanEnd::ScannerAway(id, failure) => format!(
            "the virus scanner is away, or can't be believed, and {id} wasn't scanned: {failure}. {figures}{go_on}"
        ),
        RescanEnd::LimitReached(id, reason) => format!(
            "something was found in {id} too, which stays as it is: {}. No run withdraws more than --limit says. See \
             with --dry-run what else would be withdrawn and whether the scanner is right, then raise --limit. \
             {figures}{go_on}",
            reason.text
        ),
        RescanEnd::StoreAway(error) => {
            let error = error.chain();
            format!("a store doesn't answer: {error}. {figures}{go_on}")
        }
    }
}

fn figures(report: &RescanReport) -> String {
    format!(
        "{} clean, {} withdrawn, {} can't be scanned and stay, {} damaged, {} couldn't be looked at, {} not available",
        report.clean,
        report.withdrawn,
        report.unscannable,
        report.damaged,
        report.unseen,
        report.gone
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContentType, FileId, RejectionReason};
    use crate::scanner::ScanFailure;

    #[test]
    fn what_was_found_decides_how_it_exits_and_then_whether_everything_was_seen() {
        let id = FileId::new(chrono::Utc::now());
        let away = RescanEnd::ScannerAway(id, ScanFailure::new("gone"));
        let limit = RescanEnd::LimitReached(
            id,
            RejectionReason::infected("Eicar", ContentType::unknown()),
        );
        let report = |withdrawn, unseen, damaged| RescanReport {
            withdrawn,
            unseen,
            damaged,
            clean: 7,
            unscannable: 1,
            ..RescanReport::default()
        };
        let (none, found) = (report(0, 0, 0), report(1, 0, 0));
        for (report, end, code) in [
            (none, &RescanEnd::Complete, 0),
            (found, &RescanEnd::Complete, 1),
            (report(1, 1, 1), &RescanEnd::Complete, 1),
            (found, &away, 1),
            (found, &RescanEnd::Stopped, 1),
            (none, &limit, 1),
            (found, &limit, 1),
            (report(0, 1, 0), &RescanEnd::Complete, 3),
            (report(0, 0, 1), &RescanEnd::Complete, 3),
            (none, &away, 3),
            (none, &RescanEnd::Stopped, 3),
        ] {
            assert_eq!(exit_code(&report, end), code, "{report:?} {end:?}");
        }
    }
}
