//! `file-share backup` and `file-share restore`: a whole copy of a data directory, made while its service runs.
//!
//! `copying` makes the copy; here is what is said of it. A restore is a backup of a backup.
//!
//! Invariant: the directory that is copied isn't changed. A file that was available before the command began, and isn't
//! deleted before it ends, is in the copy with the same bytes; one whose deletion was answered before it began isn't.
//!
//! Absent on purpose: the audit log, which has a copy of its own where it matters; backups of a part; what aws mode has
//! its stores for.

mod copying;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{BackupSettings, Mode, RestoreSettings, ScrubSettings};
use crate::domain::FileId;
use crate::object_store::disk::TakenOver;
use crate::secret_file::SecretError;
use crate::store_error::StoreError;
use crate::stores::StartError;
use copying::{Copying, Job, name_unreadable, refuse_what_is_not_whole};

/// What `file-share backup --help` says behind the flags.
pub const BACKUP_AFTER_HELP: &str = "\
It may run while the service does, and changes nothing of it. In the file system of the data directory it takes no room
for files' bytes: both have the same ones, so copy the backup elsewhere, with cp, rsync or restic.
Bytes of a withdrawn file that is held, or has to be kept, are in it too, as much out of reach as they were.
Secrets that lie in the data directory are left out unless --with-secrets is given. Without them, where the backup is
restored: presigned URLs, and the URLs of links and boxes, end (signing-secret, link-secret); the key that callers show is
another one, and what was signed in or made with it ends (access-key); whoever is just signing in begins again
(session-secret); receipts and the audit log of before are verified by their old keys alone (receipt-key, audit-key).
Who signed in at OIDC_ISSUER stays so, and so do their tokens. The audit log is left out too.

Exit codes:
  0  the backup is whole
  1  damaged files were found, their IDs are on standard output; everything else is in the backup
  2  the settings aren't right
  3  the backup isn't whole: no program starts on it, and it can be removed";

/// What `file-share restore --help` says behind the flags.
pub const RESTORE_AFTER_HELP: &str = "\
Everything is as it was when the backup was made: what was revoked, ended, released, held or deleted since has to be
once more, such as tokens, links and boxes.

Exit codes:
  0  restored; with --check, the backup is whole and every file in it has the bytes that its record promises
  1  damaged files were found, their IDs are on standard output
  2  the settings aren't right
  3  not restored; with --check, not everything could be looked at";

/// What has to be done once more after a restore, since the backup doesn't know of it.
const SINCE_THEN: &str = "Everything is as it was when the backup was made. Do once more what was done since and has to \
                          hold: revoke tokens, end links and boxes, hold and release files, delete files";

const DAMAGED: u8 = 1;
const NOT_WHOLE: u8 = 3;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("{}: {what}", path.display())]
    Place { path: PathBuf, what: String },
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{}", .0.chain())]
    Store(#[from] StoreError),
}

impl NotCopied {
    fn place(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::Place {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }
}

/// What a copy came to.
#[derive(Debug, Default)]
struct Copied {
    /// Files whose bytes are in it.
    files: u64,
    /// How many of these were copied byte by byte.
    by_bytes: u64,
    /// Files that were deleted while it was made.
    deleted: u64,
    /// Files without the bytes that their records promise, or without a record that can be read.
    damaged: u64,
    /// The names of the secrets that were left out.
    left_out: Vec<&'static str>,
}

impl Copied {
    fn took(&mut self, how: &TakenOver) {
        self.files += 1;
        self.by_bytes += u64::from(*how == TakenOver::Copied);
    }

    /// Standard output has these and nothing else.
    fn found_damaged(&mut self, id: FileId, what: &str) {
        println!("{id} {what}");
        self.damaged += 1;
    }
}

/// Makes a backup, and says what came of it.
pub async fn back_up(settings: &BackupSettings) -> ExitCode {
    let BackupSettings {
        from,
        to,
        with_secrets,
        common,
    } = settings;
    let job = Job::Backup {
        with_secrets: *with_secrets,
    };
    let copying = match Copying::begin(from, to, job, common).await {
        Ok(copying) => copying,
        Err(why) => return not_begun("backup", &why),
    };
    match copying.finish().await {
        Ok(copied) => {
            eprintln!(
                "{} files are in the backup {} ({}), {} were deleted meanwhile, {} are damaged",
                copied.files,
                to.display(),
                told(&copied),
                copied.deleted,
                copied.damaged
            );
            if !copied.left_out.is_empty() {
                eprintln!(
                    "secrets were left out ({}): keep them elsewhere, or give --with-secrets",
                    copied.left_out.join(", ")
                );
            }
            exit_code(&copied)
        }
        Err(why) => {
            let to = to.display();
            eprintln!("file-share backup isn't done: {why}. What is in {to} is no backup");
            ExitCode::from(NOT_WHOLE)
        }
    }
}

/// Restores a backup, or looks through one, and says what came of it. `stop` ends looking early.
pub async fn restore(
    settings: &RestoreSettings,
    stop: tokio_util::sync::CancellationToken,
) -> ExitCode {
    let Some(to) = &settings.to else {
        return check(settings, stop).await;
    };
    let begun = Copying::begin(&settings.from, to, Job::Restore, &settings.common).await;
    let copying = match begun {
        Ok(copying) => copying,
        Err(why) => return not_begun("restore", &why),
    };
    match copying.finish().await {
        Ok(copied) => {
            eprintln!(
                "{} files are restored to {} ({}), {} are damaged. {SINCE_THEN}",
                copied.files,
                to.display(),
                told(&copied),
                copied.damaged
            );
            exit_code(&copied)
        }
        Err(why) => {
            let to = to.display();
            eprintln!("file-share restore isn't done: {why}. Nothing can start on what is in {to}");
            ExitCode::from(NOT_WHOLE)
        }
    }
}

fn not_begun(command: &str, why: &NotCopied) -> ExitCode {
    eprintln!("file-share {command} isn't done, and no file was copied: {why}");
    ExitCode::from(NOT_WHOLE)
}

fn told(copied: &Copied) -> String {
    match copied.by_bytes {
        0 => "without a copy of their bytes: they are the same files by a second name".to_owned(),
        count => format!("{count} of them copied"),
    }
}

fn exit_code(copied: &Copied) -> ExitCode {
    match copied.damaged {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(DAMAGED),
    }
}

/// Whether a backup is whole, and every file in it what its record says.
async fn check(settings: &RestoreSettings, stop: tokio_util::sync::CancellationToken) -> ExitCode {
    let mut found = Copied::default();
    let whole = async {
        refuse_what_is_not_whole(&settings.from, &settings.common).await?;
        name_unreadable(&settings.from, &mut found).await
    };
    if let Err(why) = whole.await {
        eprintln!("it can't be restored: {why}");
        return ExitCode::from(NOT_WHOLE);
    }
    let scrubbing = ScrubSettings {
        after: None,
        max_bytes_per_second: None,
        mode: Mode::Local {
            data_dir: settings.from.clone(),
        },
        common: settings.common.clone(),
    };
    let scrubbed = crate::scrub::run(&scrubbing, stop).await;
    match found.damaged {
        0 => scrubbed,
        _ => ExitCode::from(DAMAGED),
    }
}
