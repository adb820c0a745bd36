//! The file that bytes are written to before they have their name, and what a process that was killed left of one.
//!
//! **Invariant:** whoever writes to such a file holds its lock. One that nobody holds was left, and is removed by the next
//! that comes to the folder. What was left of a link's file says by its name with which key it was asked for: who goes on
//! with that key within [`REPLAY_WINDOW`] isn't counted again.

use std::collections::HashMap;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::here;
use super::target::occupied;
use crate::error::CliError;
use crate::platform::new_file;

/// What the names of all begin with. The rest is letters and digits that are random, and so many that no name is taken
/// for one of ours that a person chose.
const PREFIX: &str = ".fshare-part-";
const RANDOM_CHARS: usize = 16;
/// How many digits say of which file of which link it is, and by which key it is asked for.
const OF_DIGITS: usize = 16;
const KEY_DIGITS: usize = 32;
/// For so long the service takes a key for the same request. (README, of links with a limit)
const REPLAY_WINDOW: Duration = Duration::from_secs(15 * 60);
/// How many names of a folder are looked at.
const MAX_LOOKED_AT: usize = 100_000;
/// How often a file is made anew that somebody else looks at in the moment between its making and its lock.
const MAX_ROUNDS: usize = 8;

/// What processes that are no more left in a folder.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// By what says of which file they are.
    of_links: HashMap<String, (Uuid, PathBuf)>,
}

/// The request for a file of a link: the same for all attempts, also of a process that was killed.
pub(crate) struct LinkRequest {
    pub(super) key: Uuid,
    of: String,
    /// What is left of it.
    left: Option<PathBuf>,
    is_granted: AtomicBool,
}

impl LinkRequest {
    /// Notes that the service handed out a URL for it, and so has counted it.
    pub(super) fn note_grant(&self) {
        self.is_granted.store(true, Ordering::Relaxed);
    }

    /// Whether it may have been counted, now or by a process before, although it was refused just now.
    pub(super) fn may_be_counted(&self) -> bool {
        self.left.is_some() || self.is_granted.load(Ordering::Relaxed)
    }
}

impl Leftovers {
    /// Removes them, as far as that succeeds, but for those whose key still holds.
    pub(crate) fn clear(folder: &Path) -> Self {
        let mut found = Self::default();
        let entries = folder.read_dir().into_iter().flatten();
        for entry in entries.take(MAX_LOOKED_AT).filter_map(Result::ok) {
            let name = entry.file_name();
            let Some(kind) = name.to_str().and_then(kind_of) else {
                continue;
            };
            let is_file = entry.file_type().is_ok_and(|it| it.is_file());
            let path = entry.path();
            // Held until it is gone, so that nobody takes it meanwhile.
            let Some(locked) = is_file.then(|| locked(&path)).flatten() else {
                continue;
            };
            let written = locked.metadata().and_then(|it| it.modified());
            let age = written.ok().and_then(|at| at.elapsed().ok());
            match kind {
                Kind::OfLink { of, key } if age.unwrap_or_default() < REPLAY_WINDOW => {
                    found.of_links.insert(of, (key, path));
                }
                _ => {
                    let _ = std::fs::remove_file(&path);
                }
            }
        }
        found
    }

    /// The request for this file of a link.
    pub(super) fn request(&mut self, token: &str, file: Uuid) -> LinkRequest {
        let digest = Sha256::new()
            .chain_update("fshare download 1\n")
            .chain_update(token)
            .chain_update(file.as_bytes())
            .finalize();
        let of = hex::encode(&digest[..OF_DIGITS / 2]);
        let left = self.of_links.remove(&of);
        let (key, left) = left.map_or_else(
            || (Uuid::from_u128(fastrand::u128(..)), None),
            |(key, path)| (key, Some(path)),
        );
        LinkRequest {
            key,
            of,
            left,
            is_granted: AtomicBool::new(false),
        }
    }
}

enum Kind {
    Plain,
    OfLink { of: String, key: Uuid },
}

/// What a name says, if it is one of ours.
fn kind_of(name: &str) -> Option<Kind> {
    let (marks, random) = match name.strip_prefix(PREFIX)?.rsplit_once('-') {
        Some((marks, random)) => (Some(marks), random),
        None => (None, name.strip_prefix(PREFIX)?),
    };
    let is_random =
        random.len() == RANDOM_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_random {
        return None;
    }
    let Some(marks) = marks else {
        return Some(Kind::Plain);
    };
    let (of, key) = marks.split_once('-')?;
    let is_hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (is_hex(of, OF_DIGITS) && is_hex(key, KEY_DIGITS)).then_some(())?;
    Some(Kind::OfLink {
        of: of.to_owned(),
        key: key.parse().ok()?,
    })
}

/// The file there, if nobody else holds it.
fn locked(path: &Path) -> Option<File> {
    let file = File::options().read(true).write(true).open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// A file beside `path` that has no name of its own yet; of a link's, one that says by which request.
pub(crate) fn hidden_beside(
    path: &Path,
    is_new: bool,
    request: Option<&LinkRequest>,
) -> Result<NamedTempFile, CliError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let prefix = match request {
        None => PREFIX.to_owned(),
        Some(LinkRequest { key, of, .. }) => format!("{PREFIX}{of}-{}-", key.simple()),
    };
    for _ in 0..MAX_ROUNDS {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).rand_bytes(RANDOM_CHARS);
        if is_new {
            new_file(&mut builder);
        }
        let hidden = builder.tempfile_in(folder).map_err(here)?;
        if is_ours(&hidden) {
            if let Some(left) = request.and_then(|it| it.left.as_ref()) {
                // It has a successor by the same key.
                let _ = std::fs::remove_file(left);
            }
            return Ok(hidden);
        }
    }
    Err(CliError::Here(format!(
        "{}: others take every new file away",
        folder.display()
    )))
}

/// Takes the lock. Where there are none nobody takes the file for left, either.
fn is_ours(hidden: &NamedTempFile) -> bool {
    match hidden.as_file().try_lock() {
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => true,
        // Whoever looked at it before may have removed it.
        Ok(()) => hidden.path().exists(),
    }
}

/// `permissions` are those of the file that is replaced.
pub(super) fn keep(
    hidden: NamedTempFile,
    permissions: Option<Permissions>,
    path: &Path,
    force: bool,
) -> Result<(), CliError> {
    let file = hidden.as_file();
    if let Some(permissions) = permissions {
        file.set_permissions(permissions).map_err(here)?;
    }
    file.sync_all().map_err(here)?;
    let kept = if force {
        hidden.persist(path)
    } else {
        hidden.persist_noclobber(path)
    };
    match kept {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(occupied(path)),
        Err(error) => Err(CliError::Here(format!(
            "{}: {}",
            path.display(),
            error.error
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap().map(Result::unwrap);
        let mut names: Vec<String> = entries
            .map(|it| it.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What a process leaves that is killed: the file, and no lock.
    fn left(folder: &Path, request: Option<&LinkRequest>) -> String {
        let hidden = hidden_beside(&folder.join("x"), true, request).unwrap();
        let (_, path) = hidden.keep().unwrap();
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn what_was_left_is_removed_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            ".fshare-notes",
            ".fshare-config",
            ".fshare-part-config",
            ".fshare-part-0123456789abcdé",
            ".fshare-part-0123456789abcdef.txt",
            ".fshare-part-0123456789abcdef-x-0123456789abcdef",
            "fshare-part-0123456789abcdef",
        ] {
            std::fs::write(at(name), "somebody's").unwrap();
        }
        std::fs::create_dir(at(".fshare-folder")).unwrap();
        let before = names(folder.path());
        let writing = hidden_beside(&at("x"), true, None).unwrap();
        left(folder.path(), None);
        let mut others = Leftovers::default();
        let old = left(folder.path(), Some(&others.request("token", Uuid::nil())));
        let long_ago = std::time::SystemTime::now() - REPLAY_WINDOW;
        let file = File::options().write(true).open(at(&old)).unwrap();
        file.set_modified(long_ago).unwrap();
        drop(file);
        Leftovers::clear(folder.path());
        assert!(writing.path().exists(), "somebody writes to it");
        drop(writing);
        assert_eq!(names(folder.path()), before);
    }

    #[test]
    fn a_request_that_was_granted_or_goes_on_may_be_counted() {
        let folder = tempfile::tempdir().unwrap();
        let request = || Leftovers::clear(folder.path()).request("token", Uuid::nil());
        let first = request();
        assert!(!first.may_be_counted());
        left(folder.path(), Some(&first));
        assert!(request().may_be_counted());
        first.note_grant();
        assert!(first.may_be_counted());
    }

    #[test]
    fn a_request_that_was_cut_short_goes_on_by_its_key_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let first = Leftovers::clear(folder.path()).request("token", one);
        let name = left(folder.path(), Some(&first));
        assert!(!name.contains("token"), "{name}");
        // However often it is cut short before it begins.
        for _ in 0..2 {
            let mut left = Leftovers::clear(folder.path());
            assert_eq!(left.request("token", one).key, first.key);
            for (token, file) in [("token", one), ("token", other), ("TOKEN", one)] {
                assert_ne!(left.request(token, file).key, first.key);
            }
        }
        let again = Leftovers::clear(folder.path()).request("token", one);
        let hidden = hidden_beside(&folder.path().join("x"), true, Some(&again)).unwrap();
        assert_eq!(names(folder.path()).len(), 1, "in its place");
        // While somebody writes to it, another download is one of its own.
        let beside = Leftovers::clear(folder.path()).request("token", one);
        assert_ne!(beside.key, first.key);
        drop(hidden);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
