//! The suite of the port on a real file, and what is this store's own: its file, its writer, and
//! what its reads cost.

mod cost;
mod file;
mod items;
mod last_seen;
mod limits;
mod usage;
mod versions;
mod writer;

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::samples::strategies;
use crate::domain::{UserId, from_millis};
use crate::metadata_store::conformance::{Fixture, Isolation, pending};

mod contract {
    crate::metadata_store_conformance!(super::open);
}

mod hand_ins {
    use super::*;
    use crate::metadata_store::hand_ins::conformance::Opened;

    async fn open() -> Opened<SqliteMetadataStore> {
        let (directory, store) = new_store();
        Opened {
            store: Arc::new(store),
            keep: Box::new(directory),
        }
    }

    crate::hand_in_store_conformance!(open);
}

mod outbox {
    use super::*;
    use crate::metadata_store::outbox::conformance::Opened;

    async fn open() -> Opened<SqliteMetadataStore> {
        let (directory, store) = new_store();
        Opened {
            store: Arc::new(store),
            keep: Box::new(directory),
        }
    }

    crate::outbox_conformance!(open);
}

mod usage_contract {
    use super::*;
    use crate::metadata_store::usage::conformance::Opened;

    async fn open() -> Opened<SqliteMetadataStore> {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            usage: KeepUsage::Yes,
            ..SqliteOptions::default()
        };
        let store = SqliteMetadataStore::open_with(&file_in(&directory), options).unwrap();
        Opened {
            store: Arc::new(store),
            keep: Box::new(directory),
        }
    }

    crate::usage_conformance!(open);
}

async fn open(_: Isolation) -> Fixture {
    let (directory, store) = new_store();
    Fixture {
        store: Arc::new(store),
        keep: Box::new(directory),
    }
}

fn new_store() -> (TempDir, SqliteMetadataStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    (directory, store)
}

fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("metadata.sqlite")
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    // From year 0 to 9999.
    (-62_167_219_200_000_i64..253_402_300_800_000).prop_map(|millis| from_millis(millis).unwrap())
}

fn any_record() -> impl Strategy<Value = FileRecord> {
    strategies::any_record(any::<String>().boxed(), any_moment().boxed())
}

#[test]
fn every_record_there_can_be_reads_back_equal() {
    let (_directory, store) = new_store();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    proptest!(|(record in any_record())| {
        runtime.block_on(async {
            store.insert(&record).await.unwrap();
            prop_assert_eq!(store.get(record.id).await.unwrap(), Some(record));
            Ok(())
        })?;
    });
}
