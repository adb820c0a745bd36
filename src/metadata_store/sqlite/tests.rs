use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::metadata_store::conformance::{Fixture, Isolation};

async fn open(_: Isolation) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    Fixture {
        store: Arc::new(store),
        keep: Box::new(directory),
    }
}

fn file_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("metadata.sqlite")
}

mod contract {
    crate::metadata_store_conformance!(super::open);
}
