//! Objects that are taken over from another data directory: for a backup, and for what is restored from one.
//!
//! Invariant: the other directory isn't changed. What has an object's name here is the whole object, with the time at
//! which it arrived; in one file system it is the same file by a second name, since bytes under a name never change.
//!
//! Bytes that are copied are on the disk before they have their name. What the other directory can't give of an object is
//! said of that object, and what this one can't take ends it.
//!
//! Absent on purpose: the sync of each name. [`DiskObjectStore::sync_all`] does that once for all of them.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, linkat, syncfs};
use rustix::io::Errno;

use super::data_dir::DataDir;
use super::versions::Wanted;
use super::{DiskObjectStore, NAME, OpenObject, blocking, from_io};
use crate::domain::{ObjectKey, VersionId};
use crate::owner_only_files::{DIR_MODE, FILE_MODE};
use crate::store_error::StoreError;

/// How an object was taken over, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenOver {
    /// It is the same file, by a second name.
    Linked,
    /// Its bytes were copied.
    Copied,
    /// It is there and can't be read, for this reason.
    Unreadable(String),
}

/// Which side didn't do its part.
#[derive(Debug)]
enum Failed {
    /// What is copied can't be read.
    Source(io::Error),
    /// What is made can't be written.
    Target(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Target(error)
    }
}

/// How much is copied at once, in bytes.
const CHUNK: usize = 128 * 1024;

/// What an object from before there were versions is called until it has its name.
const UNVERSIONED: &str = "object";

impl DiskObjectStore {
    /// Takes an object over from another directory; `None` if it isn't there. There must be none of that key here yet.
    ///
    /// # Errors
    /// What this directory's disk says, or the other one's of something else than this object.
    pub async fn take_over(
        &self,
        from: &Self,
        key: ObjectKey,
        wanted: Wanted,
    ) -> Result<Option<TakenOver>, StoreError> {
        let (to, from) = (Arc::clone(&self.dir), Arc::clone(&from.dir));
        blocking(move || take_over(&to, &from, key, &wanted)).await
    }

    /// Makes everything that was taken over survive a power cut, its names too.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn sync_all(&self) -> Result<(), StoreError> {
        let dir = Arc::clone(&self.dir);
        blocking(move || {
            let opened = File::open(dir.objects()).map_err(from_io)?;
            syncfs(opened).map_err(|error| from_io(error.into()))
        })
        .await
    }
}

fn take_over(
    to: &DataDir,
    from: &DataDir,
    key: ObjectKey,
    wanted: &Wanted,
) -> Result<Option<TakenOver>, StoreError> {
    to.writable().map_err(from_io)?;
    let object = match OpenObject::open(&from.object_path(key), wanted) {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        Err(StoreError::Corrupt { what, .. }) => return Ok(Some(TakenOver::Unreadable(what))),
        Err(StoreError::Unavailable { cause, .. }) if is_damage(&*cause) => {
            return Ok(Some(TakenOver::Unreadable(cause.to_string())));
        }
        Err(error) => return Err(error),
    };
    let version = object.head().version_id.as_ref();
    let place = || -> Result<TakenOver, Failed> {
        let incoming = tempfile::Builder::new()
            .permissions(Permissions::from_mode(DIR_MODE))
            .tempdir_in(to.incoming())?;
        let name = version.map_or(UNVERSIONED, |VersionId(name)| name);
        let path = incoming.path().join(name);
        let taken = match link(object.file(), &path) {
            Ok(()) => TakenOver::Linked,
            // Another file system, one without second names, or a name that went since the file was opened.
            Err(_) => {
                let arrived = object.file().metadata().map_err(Failed::Source)?;
                copy(object.file(), &arrived, &path)?;
                TakenOver::Copied
            }
        };
        let target = to.object_path(key);
        if target.try_exists()? {
            let there = "there is an object of this name";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, there).into());
        }
        match version {
            Some(_) => fs::rename(incoming.keep(), target)?,
            None => fs::rename(path, target)?,
        }
        Ok(taken)
    };
    match place() {
        Ok(taken) => Ok(Some(taken)),
        Err(Failed::Source(error)) if is_damage(&error) => {
            Ok(Some(TakenOver::Unreadable(error.to_string())))
        }
        Err(Failed::Source(error) | Failed::Target(error)) => Err(from_io(error)),
    }
}

/// Whether the disk says that it can't read this, or the object isn't as long as it was: another one may be sound.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    const SAID_OF_DAMAGE: [Errno; 3] = [Errno::IO, Errno::UCLEAN, Errno::BADMSG];
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        error.kind() == io::ErrorKind::UnexpectedEof
            || Errno::from_io_error(error).is_some_and(|said| SAID_OF_DAMAGE.contains(&said))
    })
}

/// Gives exactly the open file a second name.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, opened, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Copies what `from` has, and makes it survive a power cut.
fn copy(mut from: impl Read, arrived: &Metadata, path: &Path) -> Result<(), Failed> {
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut copied = 0;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                copy.write_all(&chunk[..length])?;
                copied += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failed::Source(error)),
        }
    }
    if copied != arrived.len() {
        let what = format!("{NAME} changed an object");
        return Err(Failed::Source(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            what,
        )));
    }
    let modified = arrived.modified().map_err(Failed::Source)?;
    copy.set_times(FileTimes::new().set_modified(modified))?;
    // Once for all at the end may miss what the disk said of this one meanwhile.
    Ok(copy.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileId;
    use crate::object_store::ObjectStore;
    use bytes::Bytes;
    use futures_util::{TryStreamExt, stream};

    const BYTES: &[u8] = b"what a student handed in";

    async fn with_an_object(dir: &Path) -> (DiskObjectStore, ObjectKey, VersionId) {
        let store = DiskObjectStore::open(dir).unwrap();
        let key = ObjectKey::new(FileId::new(chrono::Utc::now()));
        let body = stream::once(async { Ok(Bytes::from_static(BYTES)) });
        let length = BYTES.len() as u64;
        let head = store.create_once(key, length, None, body).await.unwrap();
        (store, key, head.version_id.unwrap())
    }

    async fn bytes_of(store: &DiskObjectStore, key: ObjectKey, version: &VersionId) -> Vec<u8> {
        let reader = store
            .read(key, Some(version))
            .await
            .unwrap()
            .found()
            .unwrap();
        let chunks: Vec<Bytes> = reader.body.try_collect().await.unwrap();
        chunks.concat()
    }

    #[tokio::test]
    async fn an_object_that_was_taken_over_outlives_the_one_that_it_comes_from() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, key, version) = with_an_object(here.path()).await;
        let to = DiskObjectStore::open(there.path()).unwrap();
        let wanted = Wanted::Version(version.clone());
        let taken = to.take_over(&from, key, wanted).await.unwrap();
        assert_eq!(taken, Some(TakenOver::Linked));
        to.sync_all().await.unwrap();
        let [before, after] = [&from, &to].map(|store| store.head(key));
        let (before, after) = (before.await.unwrap(), after.await.unwrap());
        assert_eq!(before.found(), after.found());

        from.delete_all_versions(key).await.unwrap();
        assert_eq!(bytes_of(&to, key, &version).await, BYTES);
    }

    #[tokio::test]
    async fn a_copy_has_the_bytes_and_the_time_of_arrival() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key, _) = with_an_object(&dir.path().join("store")).await;
        let object = store.open_object(key, Wanted::Current).await.unwrap();
        let object = object.unwrap();
        let path = dir.path().join("copy");
        let arrived = object.file().metadata().unwrap();
        copy(object.file(), &arrived, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), BYTES);
        let times = [object.file().metadata(), path.metadata()];
        let [before, after] = times.map(|it| it.unwrap().modified().unwrap());
        assert_eq!(before, after);
    }

    #[tokio::test]
    async fn an_object_from_before_there_were_versions_stays_one() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, key, version) = with_an_object(here.path()).await;
        let place = from.dir.object_path(key);
        let bytes = here.path().join("bytes");
        fs::rename(place.join(&version.0), &bytes).unwrap();
        fs::remove_dir(&place).unwrap();
        fs::rename(&bytes, &place).unwrap();
        let to = DiskObjectStore::open(there.path()).unwrap();
        let taken = to.take_over(&from, key, Wanted::Current).await.unwrap();
        assert_eq!(taken, Some(TakenOver::Linked));
        let head = to.head(key).await.unwrap().found().unwrap();
        assert_eq!(
            (head.version_id, head.content_length),
            (None, BYTES.len() as u64)
        );
    }

    #[tokio::test]
    async fn what_is_not_there_or_no_object_is_not_taken_over() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, key, version) = with_an_object(here.path()).await;
        let to = DiskObjectStore::open(there.path()).unwrap();
        let other = ObjectKey::new(FileId::new(chrono::Utc::now()));
        assert_eq!(
            to.take_over(&from, other, Wanted::Current).await.unwrap(),
            None
        );
        let old = Wanted::Version(VersionId("0".repeat(32)));
        assert_eq!(to.take_over(&from, key, old).await.unwrap(), None);

        let place = from.dir.object_path(key);
        fs::remove_file(place.join(&version.0)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.join(&version.0)).unwrap();
        let wanted = Wanted::Version(version);
        let taken = to.take_over(&from, key, wanted).await.unwrap();
        assert!(matches!(taken, Some(TakenOver::Unreadable(_))), "{taken:?}");
        assert!(fs::read_dir(to.dir.incoming()).unwrap().next().is_none());
    }

    /// A disk with a bad sector in the middle of a file.
    struct BadSector {
        sound: &'static [u8],
    }

    impl Read for BadSector {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.sound.read(into)? {
                0 => Err(Errno::IO.into()),
                length => Ok(length),
            }
        }
    }

    #[tokio::test]
    async fn what_can_not_be_read_is_told_from_what_can_not_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key, _) = with_an_object(&dir.path().join("store")).await;
        let object = store.open_object(key, Wanted::Current).await.unwrap();
        let arrived = object.unwrap().file().metadata().unwrap();
        let bad = || BadSector {
            sound: &BYTES[..10],
        };
        let failed = copy(bad(), &arrived, &dir.path().join("bad"));
        let Err(Failed::Source(error)) = failed else {
            panic!("{failed:?}");
        };
        assert!(is_damage(&error), "{error}");
        let failed = copy(&BYTES[..10], &arrived, &dir.path().join("short"));
        let Err(Failed::Source(error)) = failed else {
            panic!("{failed:?}");
        };
        assert!(is_damage(&error), "{error}");
        let failed = copy(bad(), &arrived, &dir.path().join("nowhere/bad"));
        assert!(matches!(failed, Err(Failed::Target(_))), "{failed:?}");
        assert!(!is_damage(&io::Error::from(Errno::NOSPC)));
        assert!(!is_damage(&io::Error::from(Errno::MFILE)));
    }
}
