//! Files and directories of this machine that belong to the service alone.
//!
//! The directory that the operator names may lie where others can write, and may have been made with
//! any mode. So before anything in it is used it is closed to others, and every name in it that the
//! service opens is looked at: a link, a file with a second name, a pipe or somebody else's file was
//! not put there by this service, and following it would read, write or truncate something outside.
//!
//! Invariant: what is looked at is what was opened (the descriptor, never the name a second time),
//! no link is followed, and nothing is changed that doesn't belong to the user who runs the service.
//!
//! An orchestrator that gives a volume to a group (Kubernetes' `fsGroup`) opens all of it to that group at
//! every mount. That is recognised by what it leaves, and closed again: see [`owner_only_root`].
//!
//! Absent on purpose: protection against that user and root, who can do all this anyway, and against
//! whoever may rename the directories above.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Only the user who runs the service may look into the directories and files.
pub const DIR_MODE: u32 = 0o700;
/// Only the user who runs the service may read and write a file.
pub const FILE_MODE: u32 = 0o600;
/// What others than the owner may do, and those of them who aren't in the group.
const OTHERS: u32 = 0o077;
const EVERYBODY: u32 = 0o007;
/// What an orchestrator sets on every directory of a group's volume: new files belong to the group, whose
/// members may do everything.
const GROUP_VOLUME: u32 = 0o2070;
const ROOT: u32 = 0;
/// What `mkfs` puts into the root of a file system.
const LOST_AND_FOUND: &str = "lost+found";
/// How long a file may seem to have a second name after it got its first one. File systems in user space
/// make a name by a link, and tell for a second (FUSE's usual `attr_timeout`) what they knew before.
const SECOND_NAME_LIMIT: Duration = Duration::from_secs(3);
const SECOND_NAME_PAUSE: Duration = Duration::from_millis(50);

/// Why a file or directory isn't used, with what to do. The path is for the caller to add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedPath {
    /// A symbolic link stands where a file or directory should.
    #[error(
        "it is a symbolic link, and none is followed here: look where it leads, remove it, and start again"
    )]
    Link,
    /// The data directory's path is a symbolic link of another user's, whose ID this is.
    #[error(
        "it is a link that user {0} made, and only your own are followed: name the directory itself"
    )]
    ForeignLink(u32),
    /// Something else stands there than what it names, such as a pipe.
    #[error("it isn't a {0}: look what it is, move it away, and start again")]
    OtherKind(&'static str),
    /// Another user owns it, who could change it or open it to others.
    #[error(
        "it belongs to user {owner}, and the service runs as user {user}: run it as its owner, give it to \
         that user with chown, or name a directory inside it, which is made if it isn't there"
    )]
    ForeignOwner {
        /// The ID of the user who owns it.
        owner: u32,
        /// The ID of the user that the service runs as.
        user: u32,
    },
    /// A file has a second hard link, through which it could be changed from elsewhere.
    #[error(
        "it has another name elsewhere (a hard link): replace it by a copy of itself, and start again"
    )]
    SecondName,
    /// A data directory is open to others and isn't the service's alone, so it isn't closed to them; with its
    /// mode.
    #[error(
        "others may look into it (mode {0:o}), and it holds other things than this service's: name an \
         empty directory, or close this one with chmod 700 if it is for the service alone"
    )]
    Shared(u32),
    /// Others could read or write a file with a secret; with its mode.
    #[error("others may read or write it (mode {0:o})")]
    Exposed(u32),
}

impl From<UntrustedPath> for io::Error {
    fn from(untrusted: UntrustedPath) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, untrusted)
    }
}

/// Finds or makes the directory in which everything else lies, closes it to others, and gives its
/// path without links.
///
/// One that is open to others is closed only if it is empty or `marker`, a name in it, says that it
/// is this service's: nobody wants `/tmp` or a home closed because of a mistyped setting. Where it is ours
/// and open to its group, as an orchestrator opens a volume at every mount, the files in it that were opened
/// in the same way are closed with it, secrets included: only root or the owner can have done that.
///
/// # Errors
/// [`UntrustedPath`] among the causes, or what the system says.
pub fn owner_only_root(path: &Path, marker: &str) -> io::Result<PathBuf> {
    refuse_foreign_link(path)?;
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path)?;
    let path = path.canonicalize()?;
    let dir = open_dir(&path)?;
    let mode = dir.metadata()?.mode();
    if mode & OTHERS != 0 {
        let is_ours = is_ours_or_empty(&path, marker, mode)?;
        dir.set_permissions(Permissions::from_mode(DIR_MODE))?;
        if is_ours && mode & GROUP_VOLUME == GROUP_VOLUME && mode & EVERYBODY == 0 {
            close_group_volume(&path, dir.metadata()?.gid())?;
        }
    }
    Ok(path)
}

/// Whether [`owner_only_root`] would use a directory that is there. Makes and closes nothing.
///
/// # Errors
/// As there, and where there is none.
pub fn check_root(path: &Path, marker: &str) -> io::Result<()> {
    refuse_foreign_link(path)?;
    let path = path.canonicalize()?;
    let mode = open_dir(&path)?.metadata()?.mode();
    if mode & OTHERS != 0 {
        is_ours_or_empty(&path, marker, mode)?;
    }
    Ok(())
}

fn refuse_foreign_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() && ![user(), ROOT].contains(&found.uid()) => {
            Err(UntrustedPath::ForeignLink(found.uid()).into())
        }
        _ => Ok(()),
    }
}

/// Whether a directory that is open to others is this service's by its `marker`.
///
/// # Errors
/// [`UntrustedPath::Shared`] if it isn't, and isn't empty either.
fn is_ours_or_empty(path: &Path, marker: &str, mode: u32) -> io::Result<bool> {
    let is_ours = fs::symlink_metadata(path.join(marker)).is_ok_and(|m| m.uid() == user());
    if !is_ours && holds_something(path)? {
        return Err(UntrustedPath::Shared(mode & 0o7777).into());
    }
    Ok(is_ours)
}

/// Whether there is more in a directory than a new file system has.
fn holds_something(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = fs::symlink_metadata(entry.path())?;
        let is_of_the_file_system =
            entry.file_name() == LOST_AND_FOUND && metadata.is_dir() && metadata.uid() == ROOT;
        if !is_of_the_file_system {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Closes the files of ours in a directory that are open to `group` and to nobody else.
fn close_group_volume(path: &Path, group: u32) -> io::Result<()> {
    tracing::warn!(
        directory = %path.display(),
        group,
        "was open to a group, as an orchestrator opens a volume at every mount: it is closed again"
    );
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        // What is a link or a pipe, or somebody else's, is looked at where it is used.
        if !fs::symlink_metadata(&path)?.is_file() {
            continue;
        }
        let file = open(&path, OpenOptions::new().read(true), OFlags::NONBLOCK)?;
        let metadata = file.metadata()?;
        let is_ours = metadata.is_file() && metadata.uid() == user() && metadata.gid() == group;
        if is_ours && metadata.mode() & EVERYBODY == 0 {
            close_to_others(&file)?;
        }
    }
    Ok(())
}

/// Finds or makes a directory inside the private one.
///
/// # Errors
/// As [`owner_only_root`].
pub fn owner_only_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIR_MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let dir = open_dir(path)?;
    if dir.metadata()?.mode() & OTHERS != 0 {
        dir.set_permissions(Permissions::from_mode(DIR_MODE))?;
    }
    Ok(())
}

/// Opens a file of ours to read and write, or makes it, and closes it to others.
///
/// # Errors
/// As [`owner_only_root`].
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let file = open_file(path, OpenOptions::new().read(true).write(true).create(true))?;
    close_to_others(&file)?;
    Ok(file)
}

/// Opens a file of ours to read, and changes nothing of it.
///
/// # Errors
/// As [`owner_only_root`].
pub fn open_to_read(path: &Path) -> io::Result<File> {
    open_file(path, OpenOptions::new().read(true))
}

/// Looks at a file that somebody else (a library) will open, and closes it to others. A file that
/// isn't there is fine.
///
/// # Errors
/// As [`owner_only_root`].
pub fn make_owner_only(path: &Path) -> io::Result<()> {
    match open_file(path, OpenOptions::new().read(true)) {
        Ok(file) => close_to_others(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading whose content was worth something to whoever could read it.
///
/// # Errors
/// As [`owner_only_root`]; [`UntrustedPath::Exposed`] if others could.
pub fn open_secret(path: &Path) -> io::Result<File> {
    let file = open_file(path, OpenOptions::new().read(true))?;
    let mode = file.metadata()?.mode();
    match mode & OTHERS {
        0 => Ok(file),
        _ => Err(UntrustedPath::Exposed(mode & 0o7777).into()),
    }
}

fn close_to_others(file: &File) -> io::Result<()> {
    if file.metadata()?.mode() & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(())
}

fn open_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A named pipe would never open.
    let file = open(path, options.mode(FILE_MODE), OFlags::NONBLOCK)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(UntrustedPath::OtherKind("file").into());
    }
    check_owner(metadata.uid())?;
    if has_second_name(&file)? {
        return Err(UntrustedPath::SecondName.into());
    }
    Ok(file)
}

/// Whether the file still has a second name after the moment in which a file system may only say so.
fn has_second_name(file: &File) -> io::Result<bool> {
    let limit = Instant::now() + SECOND_NAME_LIMIT;
    while file.metadata()?.nlink() > 1 {
        if Instant::now() > limit {
            return Ok(true);
        }
        std::thread::sleep(SECOND_NAME_PAUSE);
    }
    Ok(false)
}

fn open_dir(path: &Path) -> io::Result<File> {
    let dir = open(path, OpenOptions::new().read(true), OFlags::DIRECTORY)?;
    check_owner(dir.metadata()?.uid())?;
    Ok(dir)
}

fn open(path: &Path, options: &mut OpenOptions, more: OFlags) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | more;
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|error| {
        // What the system says to a link depends on what else it was told.
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NOTDIR) if is_link => UntrustedPath::Link.into(),
            Some(Errno::NOTDIR) if path.symlink_metadata().is_ok() => {
                UntrustedPath::OtherKind("directory").into()
            }
            Some(Errno::ISDIR | Errno::NXIO) => UntrustedPath::OtherKind("file").into(),
            _ => error,
        }
    })
}

fn check_owner(owner: u32) -> io::Result<()> {
    match user() {
        user if user == owner => Ok(()),
        user => Err(UntrustedPath::ForeignOwner { owner, user }.into()),
    }
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests;
