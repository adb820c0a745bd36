//! `file-share rescan`: settings → stores → every available file to the virus scanner → an exit code.
//!
//! Invariant: standard output has one line for each file that was withdrawn, or would be, and nothing else; everything
//! that is said besides goes to standard error. It writes nothing with `--dry-run`, and nothing while the scanner is away.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::audit::{Actor, AuditKey, AuditLog, DONE, Entry, UNKNOWN};
use crate::clock::Clock;
use crate::config::{Mode, RescanSettings};
use crate::domain::FileId;
use crate::file_events::{FileEvents, KeptOf};
use crate::operations::{
    DeletionLog, Rescan, RescanEnd, RescanFinding, RescanReport, Stores, WhichFiles,
};
use crate::store_error::StoreError;
use crate::stores::{self, Access, StartError, StoreChoices};

/// What `file-share rescan --help` says behind the flags.
pub const AFTER_HELP: &str = "\
A file in which the scanner finds something is withdrawn: its status is `withdrawn`, downloads answer 410, its bytes are
deleted, its owner sees why for 30 days, and a webhook tells of it. A download URL that was handed out before works until
the bytes are gone, at most for its lifetime.
In local mode stop the service first, or look with --dry-run while it runs and give the IDs afterwards. In aws mode it may
run beside all programs, with the API's permissions; the standard AWS variables keep their meaning.
Standard output: one line for each file that was withdrawn, or would be, its ID first and then the reason.

Exit codes:
  0  every file was scanned, and nothing was found
  1  something was found: the IDs are on standard output
  2  the settings aren't right
  3  not everything was scanned, because the scanner or a store was away: see standard error";

/// Something was found.
const FOUND: u8 = 1;
/// Not everything was scanned.
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
    match (&end, &report) {
        (
            RescanEnd::Complete,
            RescanReport {
                unseen: 0,
                damaged: 0,
                withdrawn,
                ..
            },
        ) => match withdrawn {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(FOUND),
        },
        _ => ExitCode::from(NOT_ALL_SEEN),
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
            let clock = Arc::clone(&self.stores.clock);
            Arc::new(Withdrawals { log, clock }) as Arc<dyn DeletionLog>
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

/// What is withdrawn, in the audit log.
struct Withdrawals {
    log: Arc<AuditLog>,
    clock: Arc<dyn Clock>,
}

impl DeletionLog for Withdrawals {
    fn reserve(&self) -> Result<(), StoreError> {
        let reserved = self.log.reserve();
        reserved.map_err(|error| StoreError::from_io("the audit log", error))
    }

    fn record(&self, file: FileId, is_certain: bool) {
        let entry = Entry {
            time: self.clock.now(),
            request_id: RESCAN,
            caller: Actor::System,
            action: WITHDRAW,
            resource: Some(file.to_string()),
            outcome: match is_certain {
                true => DONE,
                false => UNKNOWN,
            },
            source: None,
        };
        if let Err(error) = self.log.record(&entry) {
            tracing::error!(%error, file_id = %file, "a line of the audit log can't be written");
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
