//! The directories that the store works in, and the lock that keeps them its own.
//!
//! Invariant: every shard directory exists and is synced before the first write, so that a write
//! has only its own shard to sync.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::versions::{content, is_foreign, open, open_at};
use crate::domain::ObjectKey;
use crate::owner_only_files::{open_or_create, owner_only_dir, owner_only_root};

/// Held while a process uses the directory; it also tells ours from others.
pub(super) const LOCK: &str = "lock";
const QUARANTINE: &str = "quarantine";

/// Why a data directory can't be used, for the operator who starts the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory's lock.
    #[error("it is in use by another process: stop that first")]
    InUse,
    /// The directory, or what has to be in it, can't be used.
    #[error("can't {action} {}: {cause}", path.display())]
    Io {
        /// What was tried, as in "can't …".
        action: &'static str,
        /// What it was tried with.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
}

#[derive(Debug)]
pub(super) struct DataDir {
    root: PathBuf,
    incoming: PathBuf,
    objects: PathBuf,
    quarantine: PathBuf,
    /// They go when the files are closed, also when the process is killed. `None` for a process
    /// that only reads, beside the one that has it.
    locks: Option<Locks>,
}

/// Held as long as the descriptors are open.
#[derive(Debug)]
struct Locks {
    _file: File,
    /// The directory itself; not locked where the file system can't lock one.
    dir: File,
}

impl Locks {
    /// Fails if the path leads to another directory by now: somebody moved the one that is locked, and put
    /// another one in its place.
    fn hold(&self, root: &Path) -> io::Result<()> {
        let (locked, there) = (self.dir.metadata()?, fs::metadata(root)?);
        match (locked.dev(), locked.ino()) == (there.dev(), there.ino()) {
            true => Ok(()),
            false => Err(io::Error::other(
                "the data directory was replaced while it is in use: put the one that was moved away back, or \
                 restart the service",
            )),
        }
    }
}

impl DataDir {
    pub(super) fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Io {
                action,
                path,
                cause,
            }
        };
        let make = |path: &Path| owner_only_dir(path).map_err(failed("use the directory", path));
        let sync = |path: &Path| sync_dir(path).map_err(failed("sync the directory", path));

        let made = missing_above(data_dir);
        // From here on by a path without links, which nobody can turn elsewhere.
        let root =
            owner_only_root(data_dir, LOCK).map_err(failed("use the directory", data_dir))?;
        let data_dir = root.as_path();
        let locks = lock(data_dir)?;
        let incoming = data_dir.join("incoming");
        make(&incoming)?;
        remove_content(&incoming).map_err(failed("empty", &incoming))?;
        let objects = data_dir.join("objects");
        make(&objects)?;
        for shard in 0..=u8::MAX {
            make(&objects.join(shard_name(shard)))?;
        }
        let quarantine = data_dir.join(QUARANTINE);
        make(&quarantine)?;
        sync(&objects)?;
        sync(data_dir)?;
        // A data directory that was made just now has to survive a power cut as well, and so have those
        // above it.
        let parent = data_dir.parent();
        let above = made.iter().map(PathBuf::as_path);
        let above = above.filter(|above| Some(*above) != parent);
        for parent in parent.into_iter().chain(above) {
            sync(parent)?;
        }
        Ok(Self {
            root,
            incoming,
            objects,
            quarantine,
            locks: Some(locks),
        })
    }

    /// The directory itself, by a path without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// For reading only, while another process may be using it: makes and removes nothing.
    pub(super) fn open_read_only(data_dir: &Path) -> Result<Self, OpenError> {
        let this = Self {
            root: data_dir.to_owned(),
            incoming: data_dir.join("incoming"),
            objects: data_dir.join("objects"),
            quarantine: data_dir.join(QUARANTINE),
            locks: None,
        };
        match fs::read_dir(&this.objects) {
            Ok(_) => Ok(this),
            Err(cause) => Err(OpenError::Io {
                action: "read the directory",
                path: this.objects,
                cause,
            }),
        }
    }

    /// Whether no other process has it open but to read.
    pub(super) fn is_our_own(&self) -> bool {
        self.locks.is_some()
    }

    /// Fails where the directory was opened for reading only, or another one is in its place.
    pub(super) fn writable(&self) -> io::Result<()> {
        match &self.locks {
            Some(locks) => locks.hold(&self.root),
            None => Err(io::Error::other("it is open for reading only")),
        }
    }

    /// The directory of the shards.
    pub(super) fn objects(&self) -> &Path {
        &self.objects
    }

    pub(super) fn sync_objects(&self) -> io::Result<()> {
        sync_dir(&self.objects)
    }

    /// Where uploads are received: in the same file system as the objects.
    pub(super) fn incoming(&self) -> &Path {
        &self.incoming
    }

    /// Where objects go that no record names, in the same file system.
    pub(super) fn quarantine(&self) -> &Path {
        &self.quarantine
    }

    /// Where an object is: a directory with a file for each version, or, from before there were versions,
    /// a file.
    pub(super) fn object_path(&self, key: ObjectKey) -> PathBuf {
        let mut path = self.shard_path(key);
        path.push(key.file_id().to_string());
        path
    }

    /// Makes what was added to or removed from the key's shard survive a power cut.
    pub(super) fn sync_shard(&self, key: ObjectKey) -> io::Result<()> {
        sync_dir(&self.shard_path(key))
    }

    /// Makes an object, its bytes, and every name on the way to it below the shards survive a power cut. If
    /// there is none, nothing has to. Says whether there was one.
    pub(super) fn sync_object(&self, key: ObjectKey) -> io::Result<bool> {
        // What isn't this store's isn't its to keep.
        let ours = |opened| match opened {
            Err(error) if is_foreign(&error) => Ok(None),
            opened => opened,
        };
        let Some(opened) = ours(open(self.object_path(key)))? else {
            return Ok(false);
        };
        if opened.metadata()?.is_dir() {
            for version in content(&opened)?.versions {
                if let Some(file) = ours(open_at(&opened, version.as_str()))? {
                    file.sync_all()?;
                }
            }
        }
        opened.sync_all()?;
        self.sync_shard(key)?;
        Ok(true)
    }

    /// Fails if the directories are gone, as when a disk was unmounted, or others are in their place.
    pub(super) fn check(&self) -> io::Result<()> {
        if let Some(locks) = &self.locks {
            locks.hold(&self.root)?;
        }
        fs::metadata(self.objects.join(shard_name(0)))?;
        fs::metadata(&self.incoming)?;
        Ok(())
    }

    fn shard_path(&self, key: ObjectKey) -> PathBuf {
        self.shard_dir(shard_of(key))
    }

    pub(super) fn shard_dir(&self, shard: u8) -> PathBuf {
        self.objects.join(shard_name(shard))
    }
}

/// The last byte of an ID is random; its first ones are the time.
pub(super) fn shard_of(key: ObjectKey) -> u8 {
    let [.., last] = *key.file_id().as_bytes();
    last
}

pub(super) fn shard_name(shard: u8) -> String {
    format!("{shard:02x}")
}

/// The directories in which something is made when `path` is, from the inside outwards.
fn missing_above(path: &Path) -> Vec<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let missing = path.ancestors().take_while(|above| !above.exists());
    missing
        .filter_map(|above| Some(above.parent()?.to_owned()))
        .collect()
}

fn lock(data_dir: &Path) -> Result<Locks, OpenError> {
    let path = data_dir.join(LOCK);
    let failed = |cause| OpenError::Io {
        action: "lock",
        path: path.clone(),
        cause,
    };
    let in_use = || OpenError::InUse;
    let file = open_or_create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use()),
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    // Somebody may remove the file, and a second process would make and lock another one. So the directory is
    // locked too; that it is moved away is noticed before each write.
    let dir = File::open(data_dir).map_err(failed)?;
    match dir.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(in_use()),
        // NFS locks only what is open for writing, which a directory never is.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    Ok(Locks { _file: file, dir })
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn remove_content(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
