//! Writing an object, once. Not part of the port: only the endpoint that receives presigned PUTs
//! does it.
//!
//! Invariant: an object gets its name after its last byte was checked and synced, and only if the
//! name is free. Whatever goes wrong before that, the cancelling of the future included, leaves no
//! file: [`NamedTempFile`] removes itself when it is dropped.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::data_dir::DataDir;
use super::read::head_of;
use super::{DiskObjectStore, NAME, ObjectHead, blocking, from_io};
use crate::domain::{ObjectKey, Sha256Digest};
use crate::store_error::StoreError;

/// How much is collected in memory before it is written, in bytes. With the chunk that comes next
/// it is all that an upload holds.
const WRITE_CHUNK: usize = 128 * 1024;

/// Why no more of a body comes, though it isn't at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the connection was closed")]
    BrokenOff,
    #[error("the bytes came too slowly")]
    TooSlow,
}

/// Why an object wasn't created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the key is taken")]
    AlreadyExists,
    /// Also a body that broke off.
    #[error("the body ended after {received} bytes")]
    TooShort { received: u64 },
    #[error("the body has more bytes than were declared")]
    TooLong,
    #[error("the bytes came too slowly")]
    TooSlow,
    #[error("the bytes have the SHA-256 {observed}")]
    DigestMismatch { observed: Sha256Digest },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DiskObjectStore {
    /// Makes an object of exactly `expected_length` bytes, unless there is one under `key`. When
    /// this returns, the object survives a power cut. Of many calls for one key exactly one wins.
    ///
    /// The bytes are hashed only if a digest is expected.
    ///
    /// # Errors
    /// After any [`CreateError`] there is no object of this call's, with one exception: if the
    /// directory can't be synced after the object got its name ([`CreateError::Store`]), a whole
    /// object stays, because somebody may have read it already.
    pub async fn create_once<S>(
        &self,
        key: ObjectKey,
        expected_length: u64,
        expected_sha256: Option<Sha256Digest>,
        body: S,
    ) -> Result<ObjectHead, CreateError>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send,
    {
        self.space.check(NAME)?;
        let dir = Arc::clone(&self.dir);
        let mut incoming =
            blocking(move || Incoming::begin(&dir, key, expected_sha256.is_some())).await?;
        let mut body = std::pin::pin!(body);
        let mut buffer = BytesMut::new();
        let mut received: u64 = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| match error {
                BodyError::BrokenOff => CreateError::TooShort { received },
                BodyError::TooSlow => CreateError::TooSlow,
            })?;
            received += chunk.len() as u64;
            if received > expected_length {
                return Err(CreateError::TooLong);
            }
            // All of it at once, not by doubling.
            if buffer.capacity() == 0 {
                buffer.reserve(WRITE_CHUNK + chunk.len());
            }
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= WRITE_CHUNK {
                // An upload that began while there was room leaves the rest for those who make some.
                self.space.check(NAME)?;
                let full = buffer.split().freeze();
                incoming = blocking(move || incoming.append(&full)).await?;
            }
        }
        if received < expected_length {
            return Err(CreateError::TooShort { received });
        }
        let (dir, rest) = (Arc::clone(&self.dir), buffer.freeze());
        blocking(move || incoming.append(&rest)?.finish(&dir, key, expected_sha256)).await
    }
}

/// An upload that is being received.
struct Incoming {
    file: NamedTempFile,
    hasher: Option<Sha256>,
}

impl Incoming {
    fn begin(dir: &DataDir, key: ObjectKey, hashed: bool) -> Result<Self, CreateError> {
        dir.writable().map_err(from_io)?;
        // Spares the work in the most frequent case; what counts is the check at the end.
        if dir.object_path(key).symlink_metadata().is_ok() {
            return Err(CreateError::AlreadyExists);
        }
        // The crate makes its files readable by their owner only.
        let file = NamedTempFile::new_in(dir.incoming()).map_err(from_io)?;
        Ok(Self {
            file,
            hasher: hashed.then(Sha256::new),
        })
    }

    fn append(mut self, bytes: &[u8]) -> Result<Self, CreateError> {
        // Not `NamedTempFile`'s own `Write`, which puts the path of the file into every error.
        self.file.as_file_mut().write_all(bytes).map_err(from_io)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        Ok(self)
    }

    fn finish(
        self,
        dir: &DataDir,
        key: ObjectKey,
        expected_sha256: Option<Sha256Digest>,
    ) -> Result<ObjectHead, CreateError> {
        if let (Some(hasher), Some(expected)) = (self.hasher, expected_sha256) {
            let observed = Sha256Digest::from_bytes(hasher.finalize().into());
            if observed != expected {
                return Err(CreateError::DigestMismatch { observed });
            }
        }
        self.file.as_file().sync_all().map_err(from_io)?;
        let file = self
            .file
            .persist_noclobber(dir.object_path(key))
            .map_err(|refused| match refused.error.kind() {
                io::ErrorKind::AlreadyExists => CreateError::AlreadyExists,
                _ => from_io(refused.error).into(),
            })?;
        dir.sync_shard(key).map_err(from_io)?;
        Ok(head_of(&file.metadata().map_err(from_io)?))
    }
}
