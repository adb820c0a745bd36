//! The directories that the store works in, and the lock that keeps them its own.
//!
//! Invariant: every shard directory exists and is synced before the first write, so that a write
//! has only its own shard to sync.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::ObjectKey;
use crate::private_files::{open_or_create, private_dir, private_root};

/// Held while a process uses the directory; it also tells ours from others.
const LOCK: &str = "lock";

/// Why a data directory can't be used. For the operator who starts the program: it shows the path.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("can't {action} {}: {cause}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

#[derive(Debug)]
pub(super) struct DataDir {
    root: PathBuf,
    incoming: PathBuf,
    objects: PathBuf,
    /// The lock goes when the file is closed, also when the process is killed. `None` for a process
    /// that only reads, beside the one that has it.
    lock: Option<File>,
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
        let make = |path: &Path| private_dir(path).map_err(failed("use the directory", path));
        let sync = |path: &Path| sync_dir(path).map_err(failed("sync the directory", path));

        // From here on by a path without links, which nobody can turn elsewhere.
        let root = private_root(data_dir, LOCK).map_err(failed("use the directory", data_dir))?;
        let data_dir = root.as_path();
        let lock = lock(data_dir)?;
        let incoming = data_dir.join("incoming");
        make(&incoming)?;
        remove_content(&incoming).map_err(failed("empty", &incoming))?;
        let objects = data_dir.join("objects");
        make(&objects)?;
        for shard in 0..=u8::MAX {
            make(&objects.join(shard_name(shard)))?;
        }
        sync(&objects)?;
        sync(data_dir)?;
        // A data directory that was made just now has to survive a power cut as well.
        if let Some(parent) = data_dir.parent() {
            sync(parent)?;
        }
        Ok(Self {
            root,
            incoming,
            objects,
            lock: Some(lock),
        })
    }

    /// The directory itself, by a path without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// For reading only, while another process may be using it: makes and removes nothing.
    pub(super) fn look_at(data_dir: &Path) -> Result<Self, OpenError> {
        let this = Self {
            root: data_dir.to_owned(),
            incoming: data_dir.join("incoming"),
            objects: data_dir.join("objects"),
            lock: None,
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

    /// Fails where the directory was opened for reading only.
    pub(super) fn writable(&self) -> io::Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(io::Error::other("it is open for reading only")),
        }
    }

    /// Where uploads are received: in the same file system as the objects.
    pub(super) fn incoming(&self) -> &Path {
        &self.incoming
    }

    pub(super) fn object_path(&self, key: ObjectKey) -> PathBuf {
        let mut path = self.shard_path(key);
        path.push(key.file_id().to_string());
        path
    }

    /// Makes what was added to or removed from the key's shard survive a power cut.
    pub(super) fn sync_shard(&self, key: ObjectKey) -> io::Result<()> {
        sync_dir(&self.shard_path(key))
    }

    /// Fails if the directories are gone, as when a disk was unmounted.
    pub(super) fn check(&self) -> io::Result<()> {
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

fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let path = data_dir.join(LOCK);
    let failed = |cause| OpenError::Io {
        action: "lock",
        path: path.clone(),
        cause,
    };
    let file = open_or_create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
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
