//! What a page costs in a long list, against the same page of a short one.
//!
//! The limit is a list of a thousand records, which fits into any cache. A page whose cost depends
//! on the length of the list would show here a thousandfold; what is allowed is what a deeper tree
//! and colder memory cost. Measured at the store, where no HTTP hides the difference.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Runtime;

use file_share::domain::{
    ContentType, Declaration, FileId, FileRecord, FileState, Lifecycle, Sha256Digest, StoredObject,
    Timestamp,
};
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use file_share::metadata_store::{MetadataStore, PageRequest};

use crate::report::{Bound, Figure};
use crate::rounds::{Turns, median};
use crate::support::program::data_dir;

const PAGE: usize = 50;
const SHORT: usize = 1_000;
const LONG: usize = 1_000_000;
const PAGES_PER_ROUND: usize = 300;
const MOST: f64 = 1.5;
/// Below what the store lets wait.
const INSERTS_AT_A_TIME: usize = 512;

/// A store with so many records, one millisecond apart.
struct List {
    store: SqliteMetadataStore,
    /// The last page begins before this one.
    last_page_before: FileId,
    length: usize,
    _dir: tempfile::TempDir,
}

pub(crate) fn figures() -> Vec<Figure> {
    // As the programs have it.
    let runtime = Runtime::new().expect("a runtime");
    let short = runtime.block_on(List::fill(SHORT));
    let long = runtime.block_on(List::fill(LONG));
    let figure = |name, before: fn(&List) -> Option<FileId>| {
        let micros = |list: &List| runtime.block_on(list.micros_per_page(before(list)));
        let turns = Turns::measure(|| micros(&long), || micros(&short));
        Figure {
            name,
            measured: format!("{:.0} µs of {} records", turns.ours, long.length),
            limit: format!("{:.0} µs of {} records", turns.limit, short.length),
            value: turns.ratio,
            unit: "",
            bound: Bound::AtMost(MOST),
            note: turns.spread(),
        }
    };
    vec![
        figure("first page of 50", |_| None),
        figure("last page of 50", |list| Some(list.last_page_before)),
    ]
}

impl List {
    async fn fill(length: usize) -> Self {
        let dir = data_dir();
        let store = open(dir.path());
        let now = Utc::now();
        let step = Duration::from_millis(1);
        let ids: Vec<FileId> = (0..u32::try_from(length).expect("a list's length fits"))
            .map(|index| FileId::new(now + step * index))
            .collect();
        stream::iter(&ids)
            .map(|id| {
                let record = available(*id, now);
                let store = &store;
                async move { store.insert(&record).await }
            })
            .buffer_unordered(INSERTS_AT_A_TIME)
            .try_collect::<()>()
            .await
            .expect("the records are new");
        drop(store);
        Self {
            // Opened again: as a program finds it.
            store: open(dir.path()),
            last_page_before: ids[PAGE],
            length,
            _dir: dir,
        }
    }

    /// The median time of a page.
    async fn micros_per_page(&self, before: Option<FileId>) -> f64 {
        let request = PageRequest {
            owner: None,
            status: None,
            before,
            limit: PAGE,
        };
        let mut times = Vec::with_capacity(PAGES_PER_ROUND);
        for _ in 0..PAGES_PER_ROUND {
            let began = Instant::now();
            let page = self.store.page(request).await;
            times.push(began.elapsed().as_secs_f64() * 1e6);
            let page = page.expect("a page can be read");
            assert_eq!(page.records.len(), PAGE);
            assert_eq!(page.next.is_none(), before.is_some());
        }
        median(&mut times)
    }
}

fn open(dir: &Path) -> SqliteMetadataStore {
    SqliteMetadataStore::open(&dir.join("metadata.sqlite")).expect("the store opens")
}

fn available(id: FileId, now: Timestamp) -> FileRecord {
    let declared = Declaration::sample().named("lecture notes.pdf");
    let declared = declared.of_length(1_048_576).of_type("application/pdf");
    let pending = FileRecord::pending(id, declared, now, &Lifecycle::default());
    FileRecord {
        state: FileState::Available(StoredObject {
            sha256: Sha256Digest::from_bytes([7; 32]),
            version_id: None,
            uploaded_at: now,
            detected_type: ContentType::parse("application/pdf").ok(),
        }),
        reconcile_at: None,
        ..pending
    }
}
