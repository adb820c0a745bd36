//! Reading an object, whole or in part.
//!
//! Invariant: a reader holds at most [`READ_AHEAD`] chunks of [`READ_CHUNK`] bytes, however large
//! the file is and however slowly it is read. What is said of an object comes from the same open
//! file as its bytes.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::versions::{Wanted, content, is_foreign, is_version, open, open_at};
use super::{NAME, ObjectHead, blocking, from_io};
use crate::domain::{Timestamp, VersionId, whole_millis};
use crate::object_store::ObjectBody;
use crate::store_error::StoreError;

/// How much is read at once, in bytes.
pub const READ_CHUNK: u64 = 128 * 1024;
/// One chunk is read while the one before it is being sent.
const READ_AHEAD: usize = 2;

/// An object that is open. It stays readable to its end even if it is deleted meanwhile.
#[derive(Debug, Clone)]
pub struct OpenObject {
    file: Arc<File>,
    head: ObjectHead,
}

impl OpenObject {
    /// Opens what is at an object's place, if it is the version that is wanted.
    pub(super) fn open(place: &Path, wanted: &Wanted) -> Result<Option<Self>, StoreError> {
        let Some(opened) = open(place).map_err(from_open)? else {
            return Ok(None);
        };
        let metadata = opened.metadata().map_err(from_io)?;
        if metadata.is_file() {
            // From before there were versions.
            let is_wanted = !matches!(wanted, Wanted::Version(_));
            return Ok(is_wanted.then(|| Self::of(opened, &metadata, None)));
        }
        if !metadata.is_dir() {
            return Err(no_file());
        }
        let version = match wanted {
            Wanted::Unversioned => return Ok(None),
            Wanted::Version(VersionId(name)) if is_version(name) => name.clone(),
            Wanted::Version(_) => return Ok(None),
            Wanted::Current => match current(&opened)? {
                Some(name) => name,
                None => return Ok(None),
            },
        };
        let Some(file) = open_at(&opened, version.as_str()).map_err(from_open)? else {
            return Ok(None);
        };
        let metadata = file.metadata().map_err(from_io)?;
        if !metadata.is_file() {
            return Err(no_file());
        }
        Ok(Some(Self::of(file, &metadata, Some(VersionId(version)))))
    }

    fn of(file: File, metadata: &Metadata, version_id: Option<VersionId>) -> Self {
        Self {
            file: Arc::new(file),
            head: head_of(metadata, version_id),
        }
    }

    /// What is known of the object, from the open file itself.
    pub fn head(&self) -> &ObjectHead {
        &self.head
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The bytes of `range`, which has to lie inside the object; beyond its end the body breaks
    /// off with an error.
    pub fn body(&self, range: Range<u64>) -> ObjectBody {
        let file = Arc::clone(&self.file);
        let chunks = (range.start..range.end)
            .step_by(usize::try_from(READ_CHUNK).unwrap_or(usize::MAX))
            .map(move |start| (start, READ_CHUNK.min(range.end - start)));
        stream::iter(chunks)
            .map(move |(start, length)| {
                let file = Arc::clone(&file);
                // At most `READ_CHUNK`, so it fits. Allocated here and not on the thread that reads:
                // an allocator keeps room for each thread, and of those that block there are many.
                let room = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
                blocking(move || read_exactly(&file, start, length, room))
            })
            .buffered(READ_AHEAD)
            .boxed()
    }
}

/// The version that counts where none is named. An empty directory is what a deletion leaves that was cut
/// off.
fn current(dir: &File) -> Result<Option<String>, StoreError> {
    let mut content = content(dir).map_err(from_io)?;
    match content.versions.pop() {
        None if content.foreign => Err(no_file()),
        newest => Ok(newest),
    }
}

pub(super) fn head_of(metadata: &Metadata, version_id: Option<VersionId>) -> ObjectHead {
    ObjectHead {
        version_id,
        content_length: metadata.len(),
        sha256: None,
        replaceable: false,
        last_modified: last_modified(metadata),
    }
}

/// Every file system that this program runs on has the time.
pub(super) fn last_modified(metadata: &Metadata) -> Timestamp {
    whole_millis(metadata.modified().map(Timestamp::from).unwrap_or_default())
}

/// A link that somebody planted would lead out of the data directory.
fn from_open(error: io::Error) -> StoreError {
    match is_foreign(&error) {
        true => no_file(),
        false => from_io(error),
    }
}

fn no_file() -> StoreError {
    StoreError::corrupt(NAME, "something that is no file has an object's name")
}

/// Fills `bytes`, which is empty and has room for `length`.
fn read_exactly(
    file: &File,
    start: u64,
    length: u64,
    mut bytes: Vec<u8>,
) -> Result<Bytes, StoreError> {
    let length = usize::try_from(length).unwrap_or_default();
    while bytes.len() < length {
        let at = start + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(StoreError::corrupt(NAME, "an object became shorter")),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(from_io(error.into())),
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(length);
    Ok(bytes.into())
}
