//! `file-share backup` and `file-share restore`: a whole copy of a data directory, made while its service runs.
//!
//! The records are copied as they are at one moment. Then the bytes of each file that they name are taken over; what
//! isn't there any more was deleted since, which the copy is told too, or is damaged. The marker of the objects comes
//! last: without it no program starts on a copy, so that one which was cut off is never taken for a whole one. A restore
//! is a backup of a backup.
//!
//! Invariant: the directory that is copied isn't changed. A file that was available before the command began, and isn't
//! deleted before it ends, is in the copy with the same bytes; one whose deletion was answered before it began isn't.
//!
//! Absent on purpose: the audit log, which has a copy of its own where it matters; backups of a part; what aws mode has
//! its stores for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures_util::{StreamExt, stream};

use crate::access::{ACCESS_KEY_FILE, SESSION_SECRET_FILE};
use crate::audit;
use crate::capability_token;
use crate::config::{BackupSettings, CommonSettings, Mode, RestoreSettings, ScrubSettings};
use crate::domain::{FileRecord, FileState, Status};
use crate::local_mode::SIGNING_SECRET_FILE;
use crate::metadata_store::{MAX_PAGE, PageRequest};
use crate::object_store::disk::{DiskObjectStore, TakenOver, Wanted};
use crate::operations::{Stores, delete_record};
use crate::owner_only_files::owner_only_root;
use crate::receipt;
use crate::secret_file::{SecretError, SecretFile};
use crate::store_error::StoreError;
use crate::store_marker::{Marker, MarkerState, compare};
use crate::stores::{
    self, Access, LOCAL_METADATA_FILE, OpenStores, StartError, StoreChoices, UrlSource,
};

/// What `file-share backup --help` says behind the flags.
pub const BACKUP_AFTER_HELP: &str = "\
It may run while the service does, and changes nothing of it. In the file system of the data directory it takes no room
for files' bytes: both have the same ones, so copy the backup elsewhere, with cp, rsync or restic. Secrets are left out
unless --with-secrets is given: without them links, boxes' links and sign-ins end when it is restored. The audit log is
left out too.

Exit codes:
  0  the backup is whole
  1  damaged files were found, their IDs are on standard output; everything else is in the backup
  2  the settings aren't right
  3  the backup isn't whole: no program starts on it, and it can be removed";

/// What `file-share restore --help` says behind the flags.
pub const RESTORE_AFTER_HELP: &str = "\
Exit codes:
  0  restored; with --check, the backup is whole and every file in it has the bytes that its record promises
  1  damaged files were found, their IDs are on standard output
  2  the settings aren't right
  3  not restored; with --check, not everything could be looked at";

const DAMAGED: u8 = 1;
const NOT_WHOLE: u8 = 3;

/// What is taken along of secrets, and what each is for.
const SECRETS: [SecretFile; 6] = [
    SIGNING_SECRET_FILE,
    ACCESS_KEY_FILE,
    SESSION_SECRET_FILE,
    capability_token::LINK_SECRET_FILE,
    receipt::KEY_FILE,
    audit::KEY_FILE,
];

/// Objects that are taken over at a time: the service needs its disk too.
const CONCURRENT: usize = 2;

/// What a new file system has in it.
const LOST_AND_FOUND: &str = "lost+found";

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
    /// Files without the bytes that their records promise.
    damaged: u64,
    /// The names of the secrets that were left out.
    left_out: Vec<&'static str>,
}

/// Makes a backup, and says what came of it.
pub async fn back_up(settings: &BackupSettings) -> ExitCode {
    let copied = copy(
        &settings.from,
        &settings.to,
        settings.with_secrets,
        &settings.common,
    );
    match copied.await {
        Ok(copied) => {
            eprintln!(
                "{} files are in the backup {} ({}), {} were deleted meanwhile, {} are damaged",
                copied.files,
                settings.to.display(),
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
            eprintln!(
                "file-share backup isn't done: {why}. What is in {} is no backup",
                settings.to.display()
            );
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
    match copy(&settings.from, to, true, &settings.common).await {
        Ok(copied) => {
            eprintln!(
                "{} files are restored to {} ({}), {} are damaged",
                copied.files,
                to.display(),
                told(&copied),
                copied.damaged
            );
            exit_code(&copied)
        }
        Err(why) => {
            eprintln!(
                "file-share restore isn't done: {why}. Nothing can start on what is in {}",
                to.display()
            );
            ExitCode::from(NOT_WHOLE)
        }
    }
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
    let whole = async {
        let from = open(&settings.from, &settings.common, Access::Read).await?;
        marker_of(&settings.from, &from).await?;
        Ok::<_, NotCopied>(())
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
    crate::scrub::run(&scrubbing, stop).await
}

async fn copy(
    from_path: &Path,
    to_path: &Path,
    with_secrets: bool,
    common: &CommonSettings,
) -> Result<Copied, NotCopied> {
    let from = open(from_path, common, Access::Read).await?;
    marker_of(from_path, &from).await?;
    let from_path = &canonical(from_path)?;
    let to_path = &new_directory(to_path, from_path)?;

    let [from_records, to_records] = [from_path, to_path].map(|it| it.join(LOCAL_METADATA_FILE));
    let snapshot = tokio::task::spawn_blocking(move || {
        crate::metadata_store::sqlite::SqliteMetadataStore::snapshot(&from_records, &to_records)
    });
    snapshot
        .await
        .map_err(|panicked| NotCopied::place(to_path, panicked))??;

    let to = open(to_path, common, Access::Write).await?;
    let mut copied = Copied::default();
    for status in [Status::Available, Status::Pending] {
        take_objects(&from, &to, status, &mut copied).await?;
    }
    for secret in SECRETS {
        match with_secrets {
            true => drop(secret.copy(from_path, to_path)?),
            false if secret.is_in(from_path)? => copied.left_out.push(secret.name),
            false => {}
        }
    }
    disk(&to)?.sync_all().await?;
    // From here on it is a backup.
    if let Some(Marker { id, starts }) = to.records.marker().await? {
        // Odd while a start is being counted, which the objects know nothing of yet.
        let starts = starts & !1;
        to.objects.replace_marker(&Marker { id, starts }).await?;
    }
    Ok(copied)
}

/// The marker of a pair that belongs together.
async fn marker_of(path: &Path, opened: &OpenStores) -> Result<(), NotCopied> {
    let (records, objects) = opened.store_pair().look().await?;
    match compare(records, objects) {
        Ok(MarkerState::Matching(_) | MarkerState::Unmarked) => Ok(()),
        Ok(_) => Err(NotCopied::place(
            path,
            "records and objects aren't of the same time, or a copy that was cut off",
        )),
        Err(mismatch) => Err(NotCopied::place(path, mismatch)),
    }
}

/// Takes over the bytes of all files of a status.
async fn take_objects(
    from: &OpenStores,
    to: &OpenStores,
    status: Status,
    copied: &mut Copied,
) -> Result<(), NotCopied> {
    let mut before = None;
    loop {
        let request = PageRequest {
            owner: None,
            status: Some(status),
            before,
            limit: MAX_PAGE,
        };
        let page = to.stores.metadata.page(request).await?;
        before = page.next;
        let mut taken = stream::iter(page.records)
            .map(|record| take_object(from, to, record))
            .buffer_unordered(CONCURRENT);
        while let Some(taken) = taken.next().await {
            let (record, taken) = taken?;
            match taken {
                Taken::Not => {}
                Taken::Over(how) => {
                    copied.files += 1;
                    copied.by_bytes += u64::from(how == TakenOver::Copied);
                }
                Taken::Deleted => {
                    forget(&to.stores, &record).await?;
                    copied.deleted += 1;
                }
                Taken::Damaged => {
                    println!("{} missing: its bytes aren't there", record.id);
                    copied.damaged += 1;
                }
            }
        }
        if before.is_none() {
            return Ok(());
        }
    }
}

/// Deletes what the service deleted meanwhile, so that nothing kept it any more.
async fn forget(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    let now = stores.clock.now();
    if let Some(hold) = &record.hold {
        stores.metadata.release(record.id, hold, now).await?;
    }
    let as_of = record.keep_until.map_or(now, |until| until.max(now));
    delete_record(stores, record, as_of).await.map(drop)
}

/// What became of a file.
enum Taken {
    Over(TakenOver),
    /// It waits for bytes.
    Not,
    /// It was deleted since the records were copied.
    Deleted,
    Damaged,
}

async fn take_object(
    from: &OpenStores,
    to: &OpenStores,
    record: FileRecord,
) -> Result<(FileRecord, Taken), NotCopied> {
    let take = |wanted| async {
        let taken = disk(to)?.take_over(disk(from)?, record.key(), wanted);
        Ok::<_, NotCopied>(taken.await?)
    };
    let FileState::Available(object) = &record.state else {
        // Its bytes may have arrived, and it may be available by now: the copy's first look finds out.
        let taken = take(Wanted::Current).await?;
        return Ok((record, taken.map_or(Taken::Not, Taken::Over)));
    };
    let wanted = || match &object.version_id {
        Some(version) => Wanted::Version(version.clone()),
        None => Wanted::Current,
    };
    let taken = match take(wanted()).await? {
        Some(how) => Taken::Over(how),
        // Deletion takes the record first.
        None => match from.stores.metadata.get(record.id).await? {
            Some(now) if now.status() == Status::Available => Taken::Damaged,
            _ => Taken::Deleted,
        },
    };
    Ok((record, taken))
}

async fn open(
    path: &Path,
    common: &CommonSettings,
    access: Access,
) -> Result<OpenStores, StartError> {
    let mode = Mode::Local {
        data_dir: path.to_owned(),
    };
    stores::open(&StoreChoices::of_mode(&mode), common, access).await
}

fn disk(opened: &OpenStores) -> Result<&DiskObjectStore, NotCopied> {
    match &opened.urls {
        UrlSource::Local { objects, .. } => Ok(objects),
        UrlSource::S3 => Err(NotCopied::place(Path::new("S3"), "isn't a directory")),
    }
}

fn canonical(path: &Path) -> Result<PathBuf, NotCopied> {
    path.canonicalize()
        .map_err(|error| NotCopied::place(path, error))
}

/// Makes the directory, if it isn't there, and looks that it is empty, and no part of the other one.
fn new_directory(path: &Path, other: &Path) -> Result<PathBuf, NotCopied> {
    let failed = |error: std::io::Error| NotCopied::place(path, error);
    let absolute = std::path::absolute(path).map_err(failed)?;
    let there = absolute.ancestors().find(|it| it.exists());
    let there = canonical(there.unwrap_or(&absolute))?;
    if there.starts_with(other) {
        return Err(NotCopied::place(
            path,
            "lies in the directory that is copied: name one outside it",
        ));
    }
    // None of the names in it is a mark of ours.
    let made = owner_only_root(path, LOST_AND_FOUND).map_err(failed)?;
    for entry in fs::read_dir(&made).map_err(failed)? {
        if entry.map_err(failed)?.file_name() != LOST_AND_FOUND {
            return Err(NotCopied::place(
                path,
                "isn't empty: name a directory that isn't there yet",
            ));
        }
    }
    Ok(made)
}
