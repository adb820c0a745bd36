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
//! Absent on purpose: protection against that user and root, who can do all this anyway, and against
//! whoever may rename the directories above.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Only the user who runs the service may look into the directories and files.
pub const DIR_MODE: u32 = 0o700;
pub const FILE_MODE: u32 = 0o600;
/// What others than the owner may do.
const OTHERS: u32 = 0o077;
const ROOT: u32 = 0;

/// Why a file or directory isn't used, with what to do. The path is for the caller to add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrusted {
    #[error(
        "it is a symbolic link, and none is followed here: look where it leads, remove it, and start again"
    )]
    Link,
    #[error(
        "it is a link that user {0} made, and only your own are followed: name the directory itself"
    )]
    ForeignLink(u32),
    #[error("it isn't a {0}: look what it is, move it away, and start again")]
    OtherKind(&'static str),
    #[error(
        "it belongs to user {owner}, and the service runs as user {user}: run it as its owner, or give \
         it to that user with chown"
    )]
    ForeignOwner { owner: u32, user: u32 },
    #[error(
        "it has another name elsewhere (a hard link): replace it by a copy of itself, and start again"
    )]
    SecondName,
    #[error(
        "others may look into it (mode {0:o}), and it holds other things than this service's: name an \
         empty directory, or close this one with chmod 700 if it is for the service alone"
    )]
    Shared(u32),
    #[error("others may read or write it (mode {0:o})")]
    Exposed(u32),
}

impl From<Distrusted> for io::Error {
    fn from(distrusted: Distrusted) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, distrusted)
    }
}

/// Finds or makes the directory in which everything else lies, closes it to others, and gives its
/// path without links.
///
/// One that is open to others is closed only if it is empty or `marker`, a name in it, says that it
/// is this service's: nobody wants `/tmp` or a home closed because of a mistyped setting.
///
/// # Errors
/// [`Distrusted`] among the causes, or what the system says.
pub fn private_root(path: &Path, marker: &str) -> io::Result<PathBuf> {
    if let Ok(metadata) = fs::symlink_metadata(path)
        && metadata.is_symlink()
        && ![user(), ROOT].contains(&metadata.uid())
    {
        return Err(Distrusted::ForeignLink(metadata.uid()).into());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path)?;
    let path = path.canonicalize()?;
    let dir = open_dir(&path)?;
    let mode = dir.metadata()?.mode();
    if mode & OTHERS != 0 {
        let is_ours = fs::symlink_metadata(path.join(marker)).is_ok_and(|m| m.uid() == user());
        if !is_ours && fs::read_dir(&path)?.next().is_some() {
            return Err(Distrusted::Shared(mode & 0o7777).into());
        }
        dir.set_permissions(Permissions::from_mode(DIR_MODE))?;
    }
    Ok(path)
}

/// Finds or makes a directory inside the private one.
///
/// # Errors
/// As [`private_root`].
pub fn private_dir(path: &Path) -> io::Result<()> {
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
/// As [`private_root`].
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let file = open_file(path, OpenOptions::new().read(true).write(true).create(true))?;
    close_to_others(&file)?;
    Ok(file)
}

/// Looks at a file that somebody else (a library) will open, and closes it to others. A file that
/// isn't there is fine.
///
/// # Errors
/// As [`private_root`].
pub fn make_private(path: &Path) -> io::Result<()> {
    match open_file(path, OpenOptions::new().read(true)) {
        Ok(file) => close_to_others(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading whose content was worth something to whoever could read it.
///
/// # Errors
/// As [`private_root`]; [`Distrusted::Exposed`] if others could.
pub fn open_secret(path: &Path) -> io::Result<File> {
    let file = open_file(path, OpenOptions::new().read(true))?;
    let mode = file.metadata()?.mode();
    match mode & OTHERS {
        0 => Ok(file),
        _ => Err(Distrusted::Exposed(mode & 0o7777).into()),
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
        return Err(Distrusted::OtherKind("file").into());
    }
    check_owner(metadata.uid())?;
    if metadata.nlink() > 1 {
        return Err(Distrusted::SecondName.into());
    }
    Ok(file)
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
            Some(Errno::LOOP | Errno::NOTDIR) if is_link => Distrusted::Link.into(),
            Some(Errno::NOTDIR) if path.symlink_metadata().is_ok() => {
                Distrusted::OtherKind("directory").into()
            }
            Some(Errno::ISDIR | Errno::NXIO) => Distrusted::OtherKind("file").into(),
            _ => error,
        }
    })
}

fn check_owner(owner: u32) -> io::Result<()> {
    match user() {
        user if user == owner => Ok(()),
        user => Err(Distrusted::ForeignOwner { owner, user }.into()),
    }
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn why<T: std::fmt::Debug>(refused: io::Result<T>) -> Distrusted {
        let error = refused.unwrap_err();
        let distrusted = error.get_ref().and_then(|cause| cause.downcast_ref());
        let distrusted: Option<&Distrusted> = distrusted;
        distrusted.unwrap_or_else(|| panic!("{error}")).clone()
    }

    #[test]
    fn a_directory_of_ours_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("made", None),
            ("empty", Some(None)),
            ("used", Some(Some("lock"))),
        ] {
            let dir = parent.path().join(name);
            if let Some(content) = content {
                fs::create_dir(&dir).unwrap();
                set_mode(&dir, 0o777);
                if let Some(file) = content {
                    fs::write(dir.join(file), "").unwrap();
                }
            }
            assert_eq!(
                private_root(&dir, "lock").unwrap(),
                dir.canonicalize().unwrap()
            );
            assert_eq!(mode(&dir), 0o700, "{name}");
            let inner = dir.join("inner");
            fs::create_dir(&inner).unwrap();
            set_mode(&inner, 0o777);
            private_dir(&inner).unwrap();
            assert_eq!(mode(&inner), 0o700);
        }
    }

    #[test]
    fn a_directory_that_others_use_too_is_refused_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("holiday.jpg"), "").unwrap();
        for shared in [0o755, 0o777, 0o1777] {
            set_mode(dir.path(), shared);
            assert_eq!(
                why(private_root(dir.path(), "lock")),
                Distrusted::Shared(shared)
            );
            assert_eq!(mode(dir.path()), shared);
        }
        // Closed to others it may hold what it likes.
        set_mode(dir.path(), 0o700);
        private_root(dir.path(), "lock").unwrap();
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused() {
        // Root gives one away; everybody else takes one of root's.
        let own = tempfile::tempdir().unwrap();
        let dir = match user() {
            ROOT => {
                std::os::unix::fs::chown(own.path(), Some(12_345), None).unwrap();
                own.path()
            }
            _ => Path::new("/usr"),
        };
        for refused in [private_root(dir, "lock").map(drop), private_dir(dir)] {
            assert!(matches!(why(refused), Distrusted::ForeignOwner { .. }));
        }
    }

    #[test]
    fn our_own_link_to_the_directory_is_followed_and_somebody_elses_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let (target, link) = (parent.path().join("target"), parent.path().join("link"));
        fs::create_dir(&target).unwrap();
        symlink(&target, &link).unwrap();
        assert_eq!(
            private_root(&link, "lock").unwrap(),
            target.canonicalize().unwrap()
        );
        if user() == ROOT {
            std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
            assert_eq!(
                why(private_root(&link, "lock")),
                Distrusted::ForeignLink(12_345)
            );
        }
        // Inside, not even our own is.
        assert_eq!(why(private_dir(&link)), Distrusted::Link);
    }

    #[test]
    fn a_file_that_is_not_ours_alone_is_neither_opened_nor_changed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "precious").unwrap();
        set_mode(&outside, 0o644);
        let at = |name: &str| dir.path().join(name);
        symlink(&outside, at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        fs::hard_link(&outside, at("second-name")).unwrap();
        fs::create_dir(at("dir")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.unwrap().success());
        for (name, expected) in [
            ("link", Distrusted::Link),
            ("dangling", Distrusted::Link),
            ("second-name", Distrusted::SecondName),
            ("dir", Distrusted::OtherKind("file")),
            ("pipe", Distrusted::OtherKind("file")),
        ] {
            assert_eq!(why(open_or_create(&at(name))), expected, "{name}");
            assert_eq!(why(make_private(&at(name))), expected, "{name}");
            assert_eq!(why(open_secret(&at(name))), expected, "{name}");
        }
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(mode(&outside), 0o644);
        assert!(!at("nowhere").exists());
        assert_eq!(
            why(private_dir(&outside)),
            Distrusted::OtherKind("directory")
        );
    }

    #[test]
    fn a_file_of_ours_is_closed_to_others_and_a_secret_that_they_could_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        make_private(&file).unwrap();
        open_or_create(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        for open in [open_or_create as fn(&Path) -> io::Result<File>, |path| {
            make_private(path)?;
            File::open(path)
        }] {
            set_mode(&file, 0o666);
            assert_eq!(why(open_secret(&file)), Distrusted::Exposed(0o666));
            open(&file).unwrap();
            assert_eq!(mode(&file), 0o600);
        }
        open_secret(&file).unwrap();
    }
}
