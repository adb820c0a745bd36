//! The versions of an object: what they are called, and which there are.
//!
//! Invariant: what is looked at is what was opened, descriptor by descriptor, and no link is followed. A
//! version's name never comes from outside unchecked.
//!
//! Absent on purpose: a second version made by this service. More than one is there only if an operator
//! brought one back beside another.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use uuid::Uuid;

use crate::domain::VersionId;

/// Which version somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest one, or the object from before there were versions.
    Current,
    /// The object from before there were versions.
    Unversioned,
    /// The one with this ID and no other.
    Version(VersionId),
}

impl From<Option<&VersionId>> for Wanted {
    fn from(version: Option<&VersionId>) -> Self {
        version.map_or(Self::Current, |version| Self::Version(version.clone()))
    }
}

/// 32 hexadecimal digits that sort by time.
pub(super) fn new_version() -> VersionId {
    VersionId(Uuid::now_v7().simple().to_string())
}

/// Whether a version could be called so.
pub(super) fn is_version(name: &str) -> bool {
    name.len() == uuid::fmt::Simple::LENGTH
        && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What an object's directory holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// The newest last.
    pub versions: Vec<String>,
    /// Whether something else is there too.
    pub foreign: bool,
}

/// What lies in a directory that is open. Reads it from the beginning.
pub(super) fn content(dir: impl AsFd) -> io::Result<Content> {
    let mut content = Content::default();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) if is_version(name) => content.versions.push(name.to_owned()),
            _ => content.foreign = true,
        }
    }
    content.versions.sort_unstable();
    Ok(content)
}

/// Opens whatever is at the name, for reading, as long as it is no link. A named pipe doesn't block.
pub(super) fn open(path: impl Arg) -> io::Result<Option<File>> {
    open_at(CWD, path)
}

pub(super) fn open_at(dir: impl AsFd, name: impl Arg) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Ok(opened) => Ok(Some(opened.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether opening failed because what is there is nothing that this store made.
pub(super) fn is_foreign(error: &io::Error) -> bool {
    // What O_NOFOLLOW answers to a link, and opening to a socket.
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::NXIO))
}

/// The names in a directory, as text; what isn't text is nothing of ours and comes out as something else.
pub(super) fn as_text(name: &OsStr) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_leads_elsewhere_is_a_version() {
        let version = new_version().0;
        assert!(is_version(&version), "{version}");
        let upper = version.to_uppercase();
        let longer = format!("{version}0");
        for name in ["", "null", "..", "../lock", &version[1..], &upper, &longer] {
            assert!(!is_version(name), "{name}");
        }
    }

    #[test]
    fn of_two_versions_the_later_one_is_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| new_version().0);
        for name in [&second, &first, "notes.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let opened = open(dir.path()).unwrap().unwrap();
        let found = content(&opened).unwrap();
        assert_eq!(found.versions, [first, second]);
        assert!(found.foreign);
    }
}
