//! What local mode needs of its data directory, looked at without a start, also while a service uses it.
//!
//! Invariant: nothing is made, changed or locked. What a start mends by itself (modes of what is its own) isn't
//! wrong here, and what a start would refuse is.
//!
//! Absent on purpose: whether another process has the directory. Only whoever takes the lock could tell, and a
//! service that starts at that moment would mind.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::local_secrets::{LOCAL_SECRETS, LocalSecret};
use super::{LOCAL_METADATA_FILE, MarkersCheck};
use crate::clock::SystemClock;
use crate::config::CommonSettings;
use crate::disk_space::DiskSpace;
use crate::domain::Lifecycle;
use crate::metadata_store::sqlite::SqliteMetadataStore;
use crate::object_store::disk::DiskObjectStore;
use crate::operations::Stores;
use crate::owner_only_files::UntrustedPath;
use crate::start_check::{Finding, Flaw, StartCheck};
use crate::store_error::StoreError;
use crate::store_marker::{MarkedStore, compare};

const PERMISSION: &str = "run it as the user that the service runs as";
const LOOK_AND_MEND: &str =
    "look what it is, mend it or restore it from a backup, and start the service again";

/// The checks of local mode, in the order in which a start meets what they look at. A start itself makes none of
/// them: it opens all of it, and ends where that fails.
pub fn local_checks(data_dir: &Path, common: &CommonSettings) -> Vec<Box<dyn StartCheck>> {
    let parts = std::iter::once(Part::Directory)
        .chain(LOCAL_SECRETS.map(Part::Secret))
        .chain([Part::Records, Part::Markers, Part::Space]);
    let check = |part| DataDirCheck {
        data_dir: data_dir.to_owned(),
        part,
        lifecycle: common.lifecycle,
    };
    parts.map(|part| Box::new(check(part)) as _).collect()
}

#[derive(Clone, Copy)]
enum Part {
    Directory,
    Secret(LocalSecret),
    Records,
    Markers,
    Space,
}

struct DataDirCheck {
    data_dir: PathBuf,
    part: Part,
    lifecycle: Lifecycle,
}

#[async_trait]
impl StartCheck for DataDirCheck {
    fn name(&self) -> &'static str {
        match self.part {
            Part::Directory => "data-dir",
            Part::Secret(secret) => secret.file.name,
            Part::Records => "records",
            Part::Markers => "markers",
            Part::Space => "disk-space",
        }
    }

    fn subject(&self) -> String {
        let data_dir = self.data_dir.display();
        match self.part {
            Part::Directory => format!("the data directory {data_dir}"),
            Part::Secret(secret) => format!("the {}, in {data_dir}", secret.what),
            Part::Records => format!("the database of the records, in {data_dir}"),
            Part::Markers => format!("whether records and objects in {data_dir} belong together"),
            Part::Space => format!("how much room the disk of {data_dir} has"),
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let found = self.data_dir.symlink_metadata();
        if found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return vec![Finding::Fine(format!(
                "{} isn't there yet: a start makes it",
                self.data_dir.display()
            ))];
        }
        vec![match self.part {
            Part::Directory => self.directory(),
            Part::Secret(secret) => self.secret(secret),
            Part::Records => self.records(),
            Part::Markers => return self.markers().await,
            Part::Space => self.space(),
        }]
    }
}

impl DataDirCheck {
    fn directory(&self) -> Finding {
        let data_dir = self.data_dir.display();
        match DiskObjectStore::check_data_dir(&self.data_dir) {
            Ok(()) => Finding::Fine(format!("{data_dir} is there, and the service's alone")),
            Err(error) => problem(&format!("the data directory {data_dir}"), &error),
        }
    }

    fn secret(&self, secret: LocalSecret) -> Finding {
        match secret.file.is_in(&self.data_dir) {
            Ok(true) => Finding::Fine("it is there, and nobody else can read it".into()),
            Ok(false) => Finding::Fine(format!("there is none: {}", secret.made_by)),
            Err(error) => problem(&format!("the {}", secret.what), &error),
        }
    }

    fn records(&self) -> Finding {
        let path = self.data_dir.join(LOCAL_METADATA_FILE);
        // SQLite doesn't say why it can't open a file.
        match std::fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Finding::Fine("there is no database yet: a start makes it".into());
            }
            Err(error) => return problem(&path.display().to_string(), &error),
            Ok(_) => {}
        }
        match SqliteMetadataStore::open_read_only(&path) {
            Ok(_) => Finding::Fine(format!("{} can be read", path.display())),
            Err(error @ StoreError::Unavailable { .. }) => Finding::Away(error.chain()),
            Err(error) => Finding::Wrong(Flaw::new(error.chain(), LOOK_AND_MEND)),
        }
    }

    async fn markers(&self) -> Vec<Finding> {
        let path = self.data_dir.join(LOCAL_METADATA_FILE);
        let objects = DiskObjectStore::open_read_only(&self.data_dir);
        let has_records = match path.try_exists() {
            Ok(has_records) => has_records,
            Err(error) => return vec![problem("the records", &error)],
        };
        let objects = match (has_records, objects) {
            (_, Err(error)) if lacks_permission(&error) => {
                return vec![problem("the objects", &error)];
            }
            (true, Ok(objects)) => objects,
            (false, Ok(objects)) => return vec![without_records(&objects).await],
            (false, Err(_)) => return vec![Finding::Fine("nothing is stored yet".into())],
            (true, Err(error)) => {
                return vec![Finding::Wrong(Flaw::new(
                    format!("there are records and no objects: {error}"),
                    "see that the disk of the objects is mounted, and start the service again",
                ))];
            }
        };
        let records = SqliteMetadataStore::open_read_only(&path);
        let records = match records {
            Ok(records) => Arc::new(records),
            Err(error) => return vec![Finding::Away(error.chain())],
        };
        let objects = Arc::new(objects);
        let stores = Stores {
            metadata: Arc::clone(&records) as _,
            objects: Arc::clone(&objects) as _,
            clock: Arc::new(SystemClock),
            lifecycle: self.lifecycle,
            events: crate::file_events::FileEvents::off(),
            quotas: crate::quotas::Quotas::off(),
            scans: crate::scanner::Scans::off(),
            metrics: crate::metrics::Metrics::off(),
        };
        let check = MarkersCheck {
            stores,
            records,
            objects,
        };
        check.look().await
    }

    fn space(&self) -> Finding {
        let space = match DiskSpace::of(&self.data_dir) {
            Ok(space) => space,
            Err(error) => return problem("the disk of the data directory", &error),
        };
        match space.check("the data directory") {
            Ok(()) => Finding::Fine("there is room for more".into()),
            Err(error) => Finding::WrongForNow(Flaw::new(
                error.chain(),
                "delete files, or make room on the disk: the service notices by itself",
            )),
        }
    }
}

/// A start would make a database that nothing marks.
async fn without_records(objects: &DiskObjectStore) -> Finding {
    match objects.marker().await {
        Ok(marker) => match compare(None, marker) {
            Ok(_) => Finding::Fine("nothing is marked yet: the next start does it".into()),
            Err(mismatch) => Finding::Wrong(Flaw::of_sentences(&mismatch.to_string())),
        },
        Err(error) => Finding::Away(error.chain()),
    }
}

/// A failure of the system's, or something that isn't trusted, which says itself what to do.
fn problem(what: &str, error: &(dyn Error + 'static)) -> Finding {
    if lacks_permission(error) {
        return Finding::Hidden(Flaw::new(format!("{what}: {error}"), PERMISSION));
    }
    let text = error.to_string();
    match text.rsplit_once(": ") {
        Some((said, remedy)) if is_untrusted(error) => {
            Finding::Wrong(Flaw::new(format!("{what}: {said}"), remedy))
        }
        _ => Finding::Wrong(Flaw::new(format!("{what}: {text}"), LOOK_AND_MEND)),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a io::Error> {
    let first: &'a (dyn Error + 'static) = error;
    let all = std::iter::successors(Some(first), |&error: &&'a (dyn Error + 'static)| {
        error.source()
    });
    all.filter_map(|error| error.downcast_ref())
}

fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| {
        let cause = error.get_ref();
        cause.is_some_and(|cause| cause.is::<UntrustedPath>())
    })
}

/// What the system refuses, other than what we refuse.
fn lacks_permission(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| {
        error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_some()
    })
}
