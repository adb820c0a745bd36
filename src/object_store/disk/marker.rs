//! The marker of the objects: a small file among their directories, so that it goes where they go.
//!
//! Invariant: it has one length and is written over in place, which takes no room on a full disk. Whoever opened the
//! directory for reading only changes nothing, its mode neither.

use std::io::{self, Read, Write};
use std::sync::Arc;

use async_trait::async_trait;

use super::data_dir::DataDir;
use super::{DiskObjectStore, NAME, StoreError, blocking, from_io};
use crate::owner_only_files::{make_owner_only, open_or_create, open_to_read};
use crate::store_marker::{MARKER_LENGTH, MarkedStore, Marker};

/// Below the directory of the objects; no shard's name.
const FILE: &str = "store-marker";

fn read(dir: &DataDir) -> Result<Option<Marker>, StoreError> {
    let path = dir.objects().join(FILE);
    if dir.is_our_own() {
        // What was opened to others is closed at a start, as everything is.
        make_owner_only(&path).map_err(from_io)?;
    }
    let file = match open_to_read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(from_io)?,
    };
    let mut text = String::new();
    file.take(2 * MARKER_LENGTH as u64)
        .read_to_string(&mut text)
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn whoever_only_reads_the_directory_changes_nothing_of_the_marker() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Marker::fresh();
        let store = DiskObjectStore::open(dir.path()).unwrap();
        store.replace_marker(&marker).await.unwrap();
        drop(store);
        let path = dir.path().join("objects").join(FILE);
        // As a copy has it that was made by somebody else's program.
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let reader = DiskObjectStore::open_read_only(dir.path()).unwrap();
        assert_eq!(reader.marker().await.unwrap(), Some(marker.clone()));
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444);

        // Whoever has the directory to itself closes it to others, and makes none by looking.
        let store = DiskObjectStore::open(dir.path()).unwrap();
        assert_eq!(store.marker().await.unwrap(), Some(marker));
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for looking in [&store, &reader] {
            let _ = fs::remove_file(&path);
            assert_eq!(looking.marker().await.unwrap(), None);
            assert!(!path.exists());
        }
    }
}
