//! How each store is opened.
//!
//! Invariant: what is opened for reading is neither made nor changed.

#[cfg(feature = "server")]
use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;

use super::{Access, UrlSource, region_of};
#[cfg(feature = "server")]
use super::{LOCAL_METADATA_FILE, StartError};
use crate::aws::{dynamodb_client, s3_client};
use crate::config::{CommonSettings, ScannedBy};
#[cfg(feature = "server")]
use crate::disk_space::{DiskSpace, ReservedSpace};
use crate::item_store::ItemStore;
#[cfg(feature = "conformance")]
use crate::item_store::memory::MemoryItemStore;
#[cfg(feature = "server")]
use crate::local_mode::SigningSecret;
use crate::metadata_store::MetadataStore;
use crate::metadata_store::dynamodb::{DynamoDbMetadataStore, TableCheck, TableUse};
use crate::metadata_store::hand_ins::HandInStore;
#[cfg(feature = "conformance")]
use crate::metadata_store::memory::MemoryMetadataStore;
#[cfg(feature = "server")]
use crate::metadata_store::outbox::MAX_WAITING_MESSAGES;
use crate::metadata_store::outbox::Outbox;
#[cfg(feature = "server")]
use crate::metadata_store::sqlite::{KeepUsage, RowCounts, SqliteMetadataStore, SqliteOptions};
use crate::metadata_store::usage::UsageStore;
use crate::object_store::ObjectStore;
#[cfg(feature = "server")]
use crate::object_store::disk::DiskObjectStore;
use crate::object_store::s3::{BucketCheck, S3ObjectStore};
use crate::start_check::StartCheck;
use crate::store_marker::MarkedStore;
#[cfg(feature = "server")]
use crate::store_marker::Marker;

/// The store of the records by its ports, and by its marker.
pub(super) struct OpenedRecords {
    pub(super) metadata: Arc<dyn MetadataStore>,
    pub(super) items: Arc<dyn ItemStore>,
    pub(super) hand_ins: Arc<dyn HandInStore>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) usage: Arc<dyn UsageStore>,
    pub(super) marked: Arc<dyn MarkedStore>,
    /// Where the store knows how much it has.
    #[cfg(feature = "server")]
    pub(super) counts: Option<RowCounts>,
}

impl OpenedRecords {
    fn of<S>(store: &Arc<S>) -> Self
    where
        S: MetadataStore + ItemStore + HandInStore + Outbox + UsageStore + MarkedStore + 'static,
    {
        Self {
            metadata: Arc::clone(store) as _,
            items: Arc::clone(store) as _,
            hand_ins: Arc::clone(store) as _,
            outbox: Arc::clone(store) as _,
            usage: Arc::clone(store) as _,
            marked: Arc::clone(store) as _,
            #[cfg(feature = "server")]
            counts: None,
        }
    }

    #[cfg(feature = "conformance")]
    pub(super) fn in_memory(store: &Arc<MemoryMetadataStore>) -> Self {
        Self {
            metadata: Arc::clone(store) as _,
            items: Arc::new(MemoryItemStore::default()),
            hand_ins: Arc::clone(store) as _,
            outbox: Arc::clone(store) as _,
            usage: Arc::clone(store) as _,
            marked: Arc::clone(store) as _,
            #[cfg(feature = "server")]
            counts: None,
        }
    }
}

/// The store of the objects by its port, and by its marker.
pub(super) struct OpenedObjects {
    pub(super) port: Arc<dyn ObjectStore>,
    pub(super) marked: Arc<dyn MarkedStore>,
}

impl OpenedObjects {
    fn of<S: ObjectStore + MarkedStore + 'static>(store: &Arc<S>) -> Self {
        Self {
            port: Arc::clone(store) as _,
            marked: Arc::clone(store) as _,
        }
    }
}

#[cfg(feature = "server")]
fn failed(data_dir: &Path) -> impl Fn(String) -> StartError {
    let what = format!("the data directory {}", data_dir.display());
    move |error| StartError::new(&what, error)
}

#[cfg(feature = "server")]
pub(super) fn disk(
    data_dir: &Path,
    access: &Access,
) -> Result<(OpenedObjects, UrlSource), StartError> {
    let failed = failed(data_dir);
    let objects = match access {
        Access::Read => DiskObjectStore::open_read_only(data_dir),
        _ => DiskObjectStore::open(data_dir),
    };
    let objects = objects.map_err(|error| failed(error.to_string()))?;
    let (objects, secret) = match access {
        Access::Serve(options) => {
            let space = DiskSpace::of(objects.data_dir());
            let space = space.map_err(|error| failed(error.to_string()))?;
            let objects = objects.within(space);
            let objects = objects.with_uploads_lasting(options.longest_upload);
            let secret = SigningSecret::load_or_create(objects.data_dir());
            let secret = secret.map_err(|error| failed(error.to_string()))?;
            (objects, Some(secret))
        }
        _ => (objects, None),
    };
    let opened = OpenedObjects::of(&Arc::new(objects.clone()));
    Ok((opened, UrlSource::Local { objects, secret }))
}

/// Copies records beside objects that were opened and locked just now. The objects are marked before, as nobody's: what
/// is cut off from here on is no pair.
#[cfg(feature = "server")]
pub(super) async fn copy_records(
    of: &Path,
    urls: &UrlSource,
    objects: &dyn MarkedStore,
) -> Result<(), StartError> {
    let UrlSource::Local { objects: dir, .. } = urls else {
        return Err(StartError("records are copied into a directory".into()));
    };
    let failed = failed(dir.data_dir());
    let (of, to) = (of.to_owned(), dir.data_dir().join(LOCAL_METADATA_FILE));
    // Another copy may have been faster than the lock.
    if to.symlink_metadata().is_ok() {
        return Err(failed("there are records in it already".into()));
    }
    let marked = objects.replace_marker(&Marker::fresh()).await;
    marked.map_err(|error| failed(error.chain()))?;
    let copying = tokio::task::spawn_blocking(move || SqliteMetadataStore::snapshot(&of, &to));
    match copying.await {
        Ok(copied) => copied.map_err(|error| failed(error.chain())),
        Err(panicked) => Err(failed(panicked.to_string())),
    }
}

/// In the data directory, which whoever has the objects has opened and locked.
#[cfg(feature = "server")]
pub(super) fn sqlite(
    data_dir: &Path,
    urls: &UrlSource,
    access: Access,
) -> Result<OpenedRecords, StartError> {
    let failed = failed(data_dir);
    let (data_dir, space) = match urls {
        // By a path without links, which nobody can turn elsewhere.
        UrlSource::Local { objects, .. } => (objects.data_dir(), objects.space()),
        UrlSource::S3 => (data_dir, DiskSpace::default()),
    };
    let path = data_dir.join(LOCAL_METADATA_FILE);
    let store = match access {
        Access::Read => SqliteMetadataStore::open_read_only(&path),
        Access::Write | Access::Copy { .. } | Access::Work => SqliteMetadataStore::open(&path),
        Access::Serve(options) => {
            let reserved = ReservedSpace::in_directory(data_dir, space.clone());
            let reserved = reserved.map_err(|error| failed(error.to_string()))?;
            let options = SqliteOptions {
                space,
                reserved: Some(reserved),
                max_pending: options.max_pending,
                left_pending: options.left_pending,
                usage: match options.quotas.is_on() {
                    true => KeepUsage::Yes,
                    false => KeepUsage::No,
                },
                max_messages: MAX_WAITING_MESSAGES,
            };
            SqliteMetadataStore::open_with(&path, options)
        }
    };
    let store = store.map_err(|error| failed(error.chain()))?;
    let counts = Some(store.row_counts());
    Ok(OpenedRecords {
        counts,
        ..OpenedRecords::of(&Arc::new(store))
    })
}

pub(super) fn s3(
    sdk: &SdkConfig,
    common: &CommonSettings,
    access: &Access,
    checks: &mut Vec<Box<dyn StartCheck>>,
) -> (OpenedObjects, UrlSource) {
    let store = S3ObjectStore::new(s3_client(sdk), &common.bucket_name);
    let store = Arc::new(store.locking(common.object_lock));
    checks.push(Box::new(BucketCheck {
        store: Arc::clone(&store),
        region: region_of(sdk),
        policy: match access {
            Access::Work => "WorkerPolicy",
            #[cfg(feature = "server")]
            _ => "ApiPolicy",
        },
        reads_tags: matches!(access, Access::Work) && common.scanner.by == ScannedBy::GuardDuty,
    }));
    (OpenedObjects::of(&store), UrlSource::S3)
}

pub(super) fn dynamodb(
    sdk: &SdkConfig,
    common: &CommonSettings,
    access: &Access,
    checks: &mut Vec<Box<dyn StartCheck>>,
) -> OpenedRecords {
    let store = DynamoDbMetadataStore::new(dynamodb_client(sdk), &common.table_name);
    let store = Arc::new(store);
    checks.insert(
        0,
        Box::new(TableCheck {
            store: Arc::clone(&store),
            used: match access {
                Access::Work => TableUse::WORKER,
                #[cfg(feature = "server")]
                _ => TableUse::API,
            },
            region: region_of(sdk),
        }),
    );
    OpenedRecords::of(&store)
}
