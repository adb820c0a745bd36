//! The copy of a data directory that a backup and a restore are.
//!
//! The objects of the copy are marked first, as nobody's, and then the records are copied as they are at one moment:
//! until the two have one marker no program starts on them, so that a copy which was cut off is never taken for a whole
//! one, nor for an empty one. Then the bytes of each file that the records name are taken over; what isn't there any more
//! was deleted since, which the copy is told too, or is damaged. The marker that makes both a pair comes last.
//!
//! Invariant: what is damaged is named and ends nothing; what the copy's own disk can't take ends it.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};

use super::{Copied, NotCopied};
use crate::config::{CommonSettings, Mode};
use crate::domain::{FileRecord, FileState, Status, Timestamp};
use crate::metadata_store::sqlite::{OlderSchema, SqliteMetadataStore};
use crate::metadata_store::{MAX_PAGE, PageRequest};
use crate::object_store::disk::{DiskObjectStore, TakenOver, Wanted};
use crate::operations::{Stores, delete_record};
use crate::owner_only_files::owner_only_root;
use crate::store_error::StoreError;
use crate::store_marker::{Marker, MarkerState, compare};
use crate::stores::{
    self, Access, LOCAL_METADATA_FILE, LOCAL_SECRETS, OpenStores, StartError, StoreChoices,
    UrlSource,
};

/// Objects that are taken over at a time: the service needs its disk too.
const CONCURRENT: usize = 2;

/// What a new file system has in it.
const LOST_AND_FOUND: &str = "lost+found";

const MISSING: &str = "missing: its bytes aren't there";
const NO_RECORD: &str = "unreadable: its record can't be read, and nobody gets its bytes";

/// What the copy is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// The source is in use.
    Backup {
        /// Whether secrets go along.
        with_secrets: bool,
    },
    /// The source is a backup, which nobody changes.
    Restore,
}

/// A copy that was begun: its records are there.
pub(super) struct Copying {
    job: Job,
    from: OpenStores,
    to: OpenStores,
    from_path: PathBuf,
    to_path: PathBuf,
}

impl Copying {
    /// Looks whether `from` can be copied and `to` is free, and copies the records.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn begin(
        from_path: &Path,
        to_path: &Path,
        job: Job,
        common: &CommonSettings,
    ) -> Result<Self, NotCopied> {
        let from = open(from_path, common, Access::Read).await?;
        refuse_mismatch(from_path, &from).await?;
        let from_path = canonical(from_path)?;
        let records = from_path.join(LOCAL_METADATA_FILE);
        if let Job::Backup { .. } = job {
            refuse_older(&from_path, &records)?;
        }
        let to_path = new_directory(to_path, &from_path)?;
        let to = open(&to_path, common, Access::Copy { of: records }).await?;
        Ok(Self {
            job,
            from,
            to,
            from_path,
            to_path,
        })
    }

    /// Takes everything else over.
    ///
    /// # Errors
    /// Why it isn't whole: then no program starts on it.
    pub(super) async fn finish(self) -> Result<Copied, NotCopied> {
        let mut copied = Copied::default();
        name_unreadable(&self.to_path, &mut copied).await?;
        for status in [Status::Available, Status::Pending, Status::Withdrawn] {
            self.take_objects(status, &mut copied).await?;
        }
        self.take_secrets(&mut copied)?;
        disk(&self.to)?.sync_all().await?;
        self.mark().await?;
        Ok(copied)
    }

    /// Takes over the bytes of all files of a status.
    async fn take_objects(&self, status: Status, copied: &mut Copied) -> Result<(), NotCopied> {
        let mut before = None;
        loop {
            let request = PageRequest {
                owner: None,
                status: Some(status),
                before,
                limit: MAX_PAGE,
            };
            let page = self.to.stores.metadata.page(request).await?;
            before = page.next;
            let mut taken = stream::iter(page.records)
                .map(|record| self.take_object(record))
                .buffer_unordered(CONCURRENT);
            while let Some(taken) = taken.next().await {
                let (record, taken) = taken?;
                match taken {
                    Taken::Not => {}
                    Taken::Over(how) => copied.took(&how),
                    Taken::Deleted => {
                        forget(&self.to.stores, &record).await?;
                        copied.deleted += 1;
                    }
                    Taken::Released => release(&self.to.stores, &record).await?,
                    Taken::Damaged(what) => copied.found_damaged(record.id, &what),
                }
            }
            if before.is_none() {
                return Ok(());
            }
        }
    }

    async fn take_object(&self, record: FileRecord) -> Result<(FileRecord, Taken), NotCopied> {
        let wanted = match &record.state {
            FileState::Available(object) => Wanted::from(object.version_id.as_ref()),
            FileState::Withdrawn { .. } if !record.is_protected(self.now()) => {
                return Ok((record, Taken::Not));
            }
            FileState::Withdrawn { was, .. } => Wanted::from(was.version_id.as_ref()),
            // Of a pending file bytes may have arrived, and it may be available by now: the copy's first look finds out.
            _ => Wanted::Current,
        };
        let taking = disk(&self.to)?.take_over(disk(&self.from)?, record.key(), wanted);
        let taken = match taking.await? {
            Some(TakenOver::Unreadable(what)) => Taken::Damaged(format!("unreadable: {what}")),
            Some(how) => Taken::Over(how),
            None if record.status() == Status::Pending => Taken::Not,
            None => self.why_missing(&record).await?,
        };
        Ok((record, taken))
    }

    /// Whoever deletes takes the record first, and then the bytes.
    async fn why_missing(&self, record: &FileRecord) -> Result<Taken, NotCopied> {
        let now = match self.from.stores.metadata.get(record.id).await {
            Ok(now) => now,
            // One of an older schema says nothing; nothing is deleted in a backup.
            Err(_) if self.job == Job::Restore => Some(record.clone()),
            Err(error) => return Err(error.into()),
        };
        Ok(match now {
            Some(now) if now.status() == Status::Available => Taken::Damaged(MISSING.into()),
            Some(now) if now.status() == Status::Withdrawn => {
                match (now.is_protected(self.now()), record.status()) {
                    (true, _) => Taken::Damaged(MISSING.into()),
                    (false, Status::Withdrawn) => Taken::Released,
                    (false, _) => Taken::Deleted,
                }
            }
            _ => Taken::Deleted,
        })
    }

    fn take_secrets(&self, copied: &mut Copied) -> Result<(), NotCopied> {
        for secret in LOCAL_SECRETS.map(|secret| secret.file) {
            match self.job {
                Job::Backup { with_secrets: true } | Job::Restore => {
                    secret.copy(&self.from_path, &self.to_path)?;
                }
                Job::Backup {
                    with_secrets: false,
                } if secret.is_in(&self.from_path)? => copied.left_out.push(secret.name),
                Job::Backup { .. } => {}
            }
        }
        Ok(())
    }

    /// From here on it is a backup.
    async fn mark(&self) -> Result<(), StoreError> {
        let (records, objects) = self.to.store_pair().look().await?;
        match (records, objects) {
            (Some(Marker { id, starts }), _) => {
                // Odd while a start is being counted, which the objects know nothing of yet.
                let starts = starts & !1;
                self.to.objects.replace_marker(&Marker { id, starts }).await
            }
            // Nobody marked what is copied.
            (None, Some(of_the_copy)) => self.to.records.add_marker(&of_the_copy).await,
            (None, None) => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        self.to.stores.clock.now()
    }
}

/// What became of a file.
enum Taken {
    Over(TakenOver),
    /// There is nothing to be taken along.
    Not,
    /// It was deleted since the records were copied.
    Deleted,
    /// Nothing keeps its bytes any more, since the records were copied.
    Released,
    /// For this reason.
    Damaged(String),
}

/// Records that no page has, whose bytes nobody would take along.
pub(super) async fn name_unreadable(data_dir: &Path, copied: &mut Copied) -> Result<(), NotCopied> {
    let mut before = None;
    loop {
        let path = data_dir.join(LOCAL_METADATA_FILE);
        let reading =
            tokio::task::spawn_blocking(move || SqliteMetadataStore::unreadable(&path, before));
        let unreadable = reading
            .await
            .map_err(|panicked| NotCopied::place(data_dir, panicked))??;
        for id in unreadable.ids {
            copied.found_damaged(id, NO_RECORD);
        }
        before = unreadable.next;
        if before.is_none() {
            return Ok(());
        }
    }
}

/// Ends the hold of a file, if there is one.
async fn release(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    if let Some(hold) = &record.hold {
        let now = stores.clock.now();
        stores.metadata.release(record.id, hold, now).await?;
    }
    Ok(())
}

/// Deletes what the service deleted meanwhile, so that nothing kept it any more.
async fn forget(stores: &Stores, record: &FileRecord) -> Result<(), StoreError> {
    release(stores, record).await?;
    let now = stores.clock.now();
    let as_of = record.keep_until.map_or(now, |until| until.max(now));
    delete_record(stores, record, as_of).await.map(drop)
}

/// Whether this is a data directory, or a backup, that isn't part of one.
///
/// # Errors
/// Why not.
pub(super) async fn refuse_what_is_not_whole(
    path: &Path,
    common: &CommonSettings,
) -> Result<(), NotCopied> {
    let opened = open(path, common, Access::Read).await?;
    refuse_mismatch(path, &opened).await
}

/// # Errors
/// That records and objects aren't a pair.
async fn refuse_mismatch(path: &Path, opened: &OpenStores) -> Result<(), NotCopied> {
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

/// A copy has this program's schema, which the program that runs on the source couldn't go back to.
///
/// # Errors
/// That the records are of an older version.
fn refuse_older(path: &Path, records: &Path) -> Result<(), NotCopied> {
    match SqliteMetadataStore::older_schema(records)? {
        None => Ok(()),
        Some(OlderSchema { found, current }) => Err(NotCopied::place(
            path,
            format!(
                "its records are of an older version of this program (schema {found}; this one has {current}), which \
                 couldn't start on a backup that this one makes. Back it up with the version that runs on it, or start \
                 this version on it first"
            ),
        )),
    }
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

#[cfg(test)]
mod tests;
