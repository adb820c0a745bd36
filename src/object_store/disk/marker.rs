//! The marker of the objects: a small file among their directories, so that it goes where they go.
//!
//! Invariant: it has one length and is written over in place, which takes no room on a full disk.

use std::io::{self, Read, Write};
use std::sync::Arc;

use async_trait::async_trait;

use super::data_dir::DataDir;
use super::{DiskObjectStore, NAME, StoreError, blocking, from_io};
use crate::owner_only_files::open_or_create;
use crate::store_marker::{MARKER_LENGTH, MarkedStore, Marker};

/// Below the directory of the objects; no shard's name.
const FILE: &str = "store-marker";

fn read(dir: &DataDir) -> Result<Option<Marker>, StoreError> {
    let path = dir.objects().join(FILE);
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(from_io(error)),
        Ok(_) => {}
    }
    let mut text = String::new();
    open_or_create(&path)
        .and_then(|file| {
            file.take(2 * MARKER_LENGTH as u64)
                .read_to_string(&mut text)
        })
        .map_err(from_io)?;
    // Made, and not written before the power went.
    if text.is_empty() {
        return Ok(None);
    }
    let marker = Marker::parse(&text).map_err(|what| StoreError::corrupt(NAME, what))?;
    Ok(Some(marker))
}

fn write(dir: &DataDir, marker: &Marker) -> Result<(), StoreError> {
    dir.writable().map_err(from_io)?;
    let write = || {
        let mut file = open_or_create(&dir.objects().join(FILE))?;
        file.write_all(marker.to_string().as_bytes())?;
        file.sync_all()?;
        dir.sync_objects()
    };
    write().map_err(from_io)
}

#[async_trait]
impl MarkedStore for DiskObjectStore {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || read(&dir)).await
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        let (dir, marker) = (Arc::clone(&self.dir), marker.clone());
        blocking(move || match read(&dir)? {
            Some(_) => Ok(()),
            None => write(&dir, &marker),
        })
        .await
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        let (dir, marker) = (Arc::clone(&self.dir), marker.clone());
        blocking(move || write(&dir, &marker)).await
    }
}
