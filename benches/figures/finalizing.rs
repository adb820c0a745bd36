//! How fast arrived bytes are read, hashed and made available.
//!
//! The limit is SHA-256 alone, over bytes that lie in memory, on one core: nothing that has to know
//! the digest of a file can be faster. Finalizing adds the look at the record, the reading from disk
//! and the durable settlement.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use file_share::clock::SystemClock;
use file_share::domain::{
    Declaration, FileId, FileRecord, Lifecycle, MAX_CONTENT_LENGTH, ObjectKey,
};
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use file_share::object_store::disk::DiskObjectStore;
use file_share::operations::{FinalizeOutcome, Stores, finalize_upload};
use file_share::scanner::Scans;

use crate::report::{Bound, Figure};
use crate::rounds::Turns;
use crate::support::program::data_dir;

/// Finalized one after the other, as the largest files that there are.
const FILES_PER_ROUND: usize = 8;
const LEAST: f64 = 0.6;

pub(crate) fn figures() -> Vec<Figure> {
    let content = largest_content();
    let finalizing = Finalizing::with(Scans::off());
    let hash = || {
        per_second(|| {
            black_box(Sha256::digest(black_box(&content)));
        })
    };
    let turns = Turns::measure(|| finalizing.per_second(&content), hash);
    vec![figure(
        "finalizing 20 MiB files",
        &turns,
        "by SHA-256 alone",
        LEAST,
    )]
}

/// What was measured in turns, in MB/s.
pub(crate) fn figure(name: &'static str, turns: &Turns, whose: &str, least: f64) -> Figure {
    Figure {
        name,
        measured: format!("{:.0} MB/s", turns.ours),
        limit: format!("{:.0} MB/s {whose}", turns.limit),
        value: turns.ratio,
        unit: "",
        bound: Bound::AtLeast(least),
        note: format!("one at a time, {}", turns.spread()),
    }
}

/// Of the longest file that is taken.
pub(crate) fn largest_content() -> Bytes {
    let length = usize::try_from(MAX_CONTENT_LENGTH).expect("20 MiB fit");
    let mut random = fastrand::Rng::with_seed(20);
    (0..length).map(|_| random.u8(..)).collect()
}

/// How many MB a second go through this, one largest file after the other.
pub(crate) fn per_second(mut take: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..FILES_PER_ROUND {
        take();
    }
    megabytes_per_second(began)
}

/// The stores of local mode, on the disk.
pub(crate) struct Finalizing {
    stores: Stores,
    objects: DiskObjectStore,
    /// As the programs have it.
    runtime: Runtime,
    _dir: TempDir,
}

impl Finalizing {
    pub(crate) fn with(scans: Scans) -> Self {
        let dir = data_dir();
        let objects = DiskObjectStore::open(dir.path()).expect("the object store opens");
        let metadata = SqliteMetadataStore::open(&dir.path().join("metadata.sqlite"))
            .expect("the metadata store opens");
        let stores = Stores {
            metadata: Arc::new(metadata),
            objects: Arc::new(objects.clone()),
            clock: Arc::new(SystemClock),
            lifecycle: Lifecycle::default(),
            events: file_share::file_events::FileEvents::off(),
            quotas: file_share::quotas::Quotas::off(),
            scans,
            metrics: file_share::metrics::Metrics::off(),
        };
        Self {
            stores,
            objects,
            runtime: Runtime::new().expect("a runtime"),
            _dir: dir,
        }
    }

    /// How many MB a second become available.
    pub(crate) fn per_second(&self, content: &Bytes) -> f64 {
        let (stores, objects) = (&self.stores, &self.objects);
        let keys: Vec<ObjectKey> = (0..FILES_PER_ROUND)
            .map(|_| {
                self.runtime
                    .block_on(arrived(stores, objects, content.clone()))
            })
            .collect();
        self.runtime.block_on(async {
            let began = Instant::now();
            for key in &keys {
                let outcome = finalize_upload(stores, *key).await;
                let outcome = outcome.expect("the stores answer");
                assert_eq!(outcome, FinalizeOutcome::Available);
            }
            let rate = megabytes_per_second(began);
            for key in keys {
                let deleted = stores.objects.delete_all_versions(key).await;
                deleted.expect("an object can be deleted");
            }
            rate
        })
    }
}

fn megabytes_per_second(began: Instant) -> f64 {
    let took = began.elapsed().as_secs_f64();
    MAX_CONTENT_LENGTH as f64 * FILES_PER_ROUND as f64 / took / 1e6
}

/// A pending file without a declared digest, whose bytes are there.
async fn arrived(stores: &Stores, objects: &DiskObjectStore, content: Bytes) -> ObjectKey {
    let now = stores.clock.now();
    let length = content.len() as u64;
    let record = FileRecord::pending(
        FileId::new(now),
        Declaration::sample().of_length(length),
        now + std::time::Duration::from_secs(900),
        &stores.lifecycle,
    );
    let inserted = stores.metadata.insert(&record).await;
    inserted.expect("the record is new");
    let body = stream::once(async { Ok(content) });
    let created = objects.create_once(record.key(), length, None, body).await;
    created.expect("the object is new");
    record.key()
}
