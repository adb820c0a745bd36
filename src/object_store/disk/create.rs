//! Writing an object, once. Not part of the port: only the endpoint that receives presigned PUTs
//! does it.
//!
//! Invariant: an object gets its name after its last byte was checked and synced, and only if the
//! name is free. Whatever goes wrong before that, the cancelling of the future included, leaves no
//! file: [`TempDir`] removes itself when it is dropped.
//!
//! A version is received in a directory of its own, and that directory becomes the object's. The kernel
//! renames a directory onto nothing, or onto an empty one (what is left of a deletion that was cut off),
//! and onto nothing else, so of many writers one wins.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::timeout;

use super::data_dir::DataDir;
use super::read::head_of;
use super::versions::{content, new_version, open};
use super::write_buffer::{WRITE_AFTER, WriteBuffer};
use super::{DiskObjectStore, NAME, ObjectHead, blocking, from_io};
use crate::domain::{ObjectKey, Sha256Digest, VersionId};
use crate::object_store::ObjectStore;
use crate::owner_only_files::{DIR_MODE, FILE_MODE};
use crate::store_error::StoreError;

/// Why no more of a body comes, though it isn't at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client went away before the end of the body.
    #[error("the connection was closed")]
    BrokenOff,
    /// A limit on the time for a part of the body, or for all of it, was reached.
    #[error("the bytes came too slowly")]
    TooSlow,
    /// All of it came, and nobody waits for it any more.
    #[error("the bytes aren't wanted any more")]
    Unwanted,
    /// All of it came, and the file has its bytes already.
    #[error("the file has its bytes already")]
    Settled,
    /// All of it came, and whether somebody waits for it isn't known.
    #[error("nobody says whether the bytes are wanted")]
    NobodyToAsk,
    /// Instead of its end, so that no object is made of it.
    #[error("the bytes have another MD5 than was declared")]
    OtherMd5 {
        /// The MD5 that the bytes have.
        observed: [u8; 16],
    },
}

/// Why an object wasn't created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is an object under this key: bytes under a key never change. That object survives a power cut.
    #[error("the key is taken")]
    AlreadyExists,
    /// Also a body that broke off.
    #[error("the body ended after {received} bytes")]
    TooShort {
        /// How many bytes came.
        received: u64,
    },
    /// More bytes came than were announced; reading stopped there.
    #[error("the body has more bytes than were declared")]
    TooLong,
    /// [`BodyError::TooSlow`].
    #[error("the bytes came too slowly")]
    TooSlow,
    /// [`BodyError::Unwanted`].
    #[error("the bytes aren't wanted any more")]
    Unwanted,
    /// The bytes aren't those whose SHA-256 was expected.
    #[error("the bytes have the SHA-256 {observed}")]
    DigestMismatch {
        /// The SHA-256 that the bytes have.
        observed: Sha256Digest,
    },
    /// [`BodyError::OtherMd5`].
    #[error("the bytes have another MD5 than was declared")]
    OtherMd5 {
        /// The MD5 that the bytes have.
        observed: [u8; 16],
    },
    /// The disk failed or has no room, or [`BodyError::NobodyToAsk`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DiskObjectStore {
    /// Makes an object of exactly `expected_length` bytes, unless there is one under `key`. When
    /// this returns, the object survives a power cut, also that of somebody else who was faster. Of many
    /// calls for one key exactly one wins.
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
        let created = self.create(key, expected_length, expected_sha256, body);
        let created = created.await;
        if matches!(created, Err(CreateError::AlreadyExists)) {
            // Whoever hears that it is there tells nobody else: it has to stay.
            self.make_durable(key).await?;
        }
        created
    }

    async fn create<S>(
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
        let mut buffer = WriteBuffer::default();
        let mut received: u64 = 0;
        loop {
            let chunk = match timeout(WRITE_AFTER, body.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_) => {
                    if let Some(held) = buffer.pause() {
                        self.space.check(NAME)?;
                        incoming = blocking(move || incoming.append(&held)).await?;
                    }
                    continue;
                }
            };
            let chunk = chunk.map_err(|error| match error {
                BodyError::BrokenOff => CreateError::TooShort { received },
                BodyError::TooSlow => CreateError::TooSlow,
                BodyError::Unwanted => CreateError::Unwanted,
                BodyError::Settled => CreateError::AlreadyExists,
                BodyError::NobodyToAsk => StoreError::unavailable(NAME, error).into(),
                BodyError::OtherMd5 { observed } => CreateError::OtherMd5 { observed },
            })?;
            received += chunk.len() as u64;
            if received > expected_length {
                return Err(CreateError::TooLong);
            }
            if let Some(full) = buffer.add(&chunk) {
                // An upload that began while there was room leaves the rest for those who make some.
                self.space.check(NAME)?;
                incoming = blocking(move || incoming.append(&full)).await?;
            }
        }
        if received < expected_length {
            return Err(CreateError::TooShort { received });
        }
        let before = self.synced.before();
        let (dir, rest) = (Arc::clone(&self.dir), buffer.take());
        let (head, object) =
            blocking(move || incoming.append(&rest)?.finish(&dir, key, expected_sha256)).await?;
        // Both at a time: a journal has one commit for them. If the object's own directory alone isn't synced
        // when the power goes, it is empty, which is no object.
        let dir = Arc::clone(&self.dir);
        let (inside, above) = tokio::join!(
            blocking(move || object.sync_all().map_err(from_io)),
            blocking(move || dir.sync_shard(key).map_err(from_io)),
        );
        inside.and(above)?;
        self.synced.add(key, before);
        Ok(head)
    }
}

/// An upload that is being received.
struct Incoming {
    file: File,
    version: VersionId,
    hasher: Option<Sha256>,
    /// Holds the file and nothing else.
    dir: TempDir,
}

impl Incoming {
    fn begin(dir: &DataDir, key: ObjectKey, hashed: bool) -> Result<Self, CreateError> {
        dir.writable().map_err(from_io)?;
        // Spares the work in the most frequent case; what counts is the check at the end.
        if is_taken(dir, key).map_err(from_io)? {
            return Err(CreateError::AlreadyExists);
        }
        let version = new_version();
        let dir = tempfile::Builder::new()
            .permissions(Permissions::from_mode(DIR_MODE))
            .tempdir_in(dir.incoming())
            .map_err(from_temporary)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(dir.path().join(&version.0))
            .map_err(from_io)?;
        Ok(Self {
            file,
            version,
            hasher: hashed.then(Sha256::new),
            dir,
        })
    }

    fn append(mut self, bytes: &[u8]) -> Result<Self, CreateError> {
        self.file.write_all(bytes).map_err(from_io)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        Ok(self)
    }

    /// The object has its name now, which isn't synced, and neither is the directory, which comes along.
    fn finish(
        self,
        dir: &DataDir,
        key: ObjectKey,
        expected_sha256: Option<Sha256Digest>,
    ) -> Result<(ObjectHead, File), CreateError> {
        if let (Some(hasher), Some(expected)) = (self.hasher, expected_sha256) {
            let observed = Sha256Digest::from_bytes(hasher.finalize().into());
            if observed != expected {
                return Err(CreateError::DigestMismatch { observed });
            }
        }
        self.file.sync_all().map_err(from_io)?;
        let object = File::open(self.dir.path()).map_err(from_io)?;
        std::fs::rename(self.dir.path(), dir.object_path(key)).map_err(refused)?;
        // Nothing of that name is there any more that would have to be removed.
        let _ = self.dir.keep();
        // Nobody would find it in a directory that was replaced meanwhile.
        dir.writable().map_err(from_io)?;
        let metadata = self.file.metadata().map_err(from_io)?;
        Ok((head_of(&metadata, Some(self.version)), object))
    }
}

fn is_taken(dir: &DataDir, key: ObjectKey) -> io::Result<bool> {
    let place = dir.object_path(key);
    match place.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let Some(opened) = open(&place)? else {
        return Ok(false);
    };
    let content = content(&opened)?;
    Ok(content.foreign || !content.versions.is_empty())
}

/// What the kernel says to a rename onto something that is there.
fn refused(error: io::Error) -> CreateError {
    match error.kind() {
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::NotADirectory => CreateError::AlreadyExists,
        _ => from_io(error).into(),
    }
}

/// Without the path that the crate puts into its errors.
fn from_temporary(error: io::Error) -> StoreError {
    match error.raw_os_error() {
        Some(code) => from_io(io::Error::from_raw_os_error(code)),
        None => from_io(io::Error::from(error.kind())),
    }
}
