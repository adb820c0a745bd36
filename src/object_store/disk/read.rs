//! Reading an object, whole or in part.
//!
//! Invariant: a reader holds at most [`READ_AHEAD`] chunks of [`READ_CHUNK`] bytes, however large
//! the file is and however slowly it is read. What is said of an object comes from the same open
//! file as its bytes.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::buffer::spare_capacity;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{NAME, ObjectHead, blocking, from_io};
use crate::domain::{Timestamp, whole_millis};
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
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        // A link that somebody planted would lead out of the data directory, and a named pipe
        // would never open.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // What O_NOFOLLOW answers to a link.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
                return Err(no_file());
            }
            Err(error) => return Err(from_io(error)),
        };
        let metadata = file.metadata().map_err(from_io)?;
        if !metadata.is_file() {
            return Err(no_file());
        }
        Ok(Some(Self {
            file: Arc::new(file),
            head: head_of(&metadata),
        }))
    }

    pub fn head(&self) -> &ObjectHead {
        &self.head
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

pub(super) fn head_of(metadata: &Metadata) -> ObjectHead {
    let last_modified = metadata.modified().map(Timestamp::from);
    ObjectHead {
        version_id: None,
        content_length: metadata.len(),
        sha256: None,
        replaceable: false,
        // Every file system that this program runs on has the time.
        last_modified: whole_millis(last_modified.unwrap_or_default()),
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
