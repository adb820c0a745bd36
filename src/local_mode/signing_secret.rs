//! The secret that signs local mode's URLs.
//!
//! Invariant: it is made once, from the operating system's random numbers, and kept in a file that
//! only its owner can read, so URLs survive a restart. It doesn't print.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::owner_only_files::{UntrustedPath, open_secret};
use crate::presigned_url::SigningCredentials;

/// Stands in every URL; the secret behind it never does.
pub const ACCESS_KEY_ID: &str = "local";

const FILE_NAME: &str = "signing-secret";
const SECRET_BYTES: usize = 32;
/// Twice what is written, so that something longer shows as such.
const MAX_FILE_BYTES: u64 = 4 * SECRET_BYTES as u64;

/// The secret that this installation signs with: 32 random bytes, as hex. No `Debug`, so that it gets into no
/// log.
#[derive(Clone)]
pub struct SigningSecret(String);

/// Why there is no secret. For the operator who starts the program: it shows the path.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file, or its directory, can't be used.
    #[error("can't read or write {}: {cause}", path.display())]
    Io {
        /// The secret's file.
        path: PathBuf,
        /// What the operating system said, or why the file isn't trusted.
        #[source]
        cause: io::Error,
    },
    /// The file holds something else than 32 bytes of hex.
    #[error(
        "{} isn't a signing secret; delete it to get a new one, which ends the URLs handed out so far",
        .0.display()
    )]
    Damaged(PathBuf),
    /// Whoever read it can sign URLs for every file.
    #[error(
        "others may read {} (mode {mode:o}): delete it to get a new one, which ends the URLs handed out \
         so far; only if you know that nobody read it, chmod 600 will do",
        path.display()
    )]
    Exposed {
        /// The secret's file.
        path: PathBuf,
        /// The file's permissions.
        mode: u32,
    },
}

impl SigningSecret {
    /// The secret in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant
    /// for the start of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        let path = data_dir.join(FILE_NAME);
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(data_dir, &path).and_then(|()| read(&path))
            }
            read => read,
        };
        Self::of_file(path, text)
    }

    /// The secret in `data_dir`, if there is one. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load(data_dir: &Path) -> Result<Option<Self>, SecretError> {
        let path = data_dir.join(FILE_NAME);
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Self::of_file(path, read).map(Some),
        }
    }

    fn of_file(path: PathBuf, text: io::Result<String>) -> Result<Self, SecretError> {
        match text {
            Ok(text) => {
                let text = text.trim_end();
                match hex::decode(text) {
                    Ok(bytes) if bytes.len() == SECRET_BYTES => Ok(Self(text.to_owned())),
                    _ => Err(SecretError::Damaged(path)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(SecretError::Damaged(path))
            }
            Err(cause) => Err(
                match cause.get_ref().and_then(|cause| cause.downcast_ref()) {
                    Some(&UntrustedPath::Exposed(mode)) => SecretError::Exposed { path, mode },
                    _ => SecretError::Io { path, cause },
                },
            ),
        }
    }

    /// What URLs are signed and verified with, under [`ACCESS_KEY_ID`]; it never ends.
    pub fn credentials(&self) -> SigningCredentials {
        SigningCredentials::fixed(ACCESS_KEY_ID, &self.0)
    }
}

/// What is in the file; no more than a secret could have, whatever it is.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_secret(path)?
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a new secret under its name at once or not at all; one that is there already stays.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut file = NamedTempFile::new_in(data_dir)?;
    file.write_all(format!("{}\n", hex::encode(bytes)).as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(refused.error);
        }
        _ => {}
    }
    File::open(data_dir)?.sync_all()
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// As an operator might restore it from a copy.
    fn write(dir: &Path, content: impl AsRef<[u8]>, mode: u32) {
        let path = dir.join(FILE_NAME);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = SigningSecret::load_or_create(dir.path()).unwrap();
        let again = SigningSecret::load_or_create(dir.path()).unwrap();
        assert_eq!(first.0, again.0);
        assert_eq!(first.0.len(), 2 * SECRET_BYTES);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = SigningSecret::load_or_create(elsewhere.path()).unwrap();
        assert_ne!(first.0, other.0);
    }

    #[test]
    fn only_the_owner_can_read_it_and_it_does_not_print() {
        let dir = tempfile::tempdir().unwrap();
        let secret = SigningSecret::load_or_create(dir.path()).unwrap();
        let metadata = fs::metadata(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(format!("{secret:?}"), "SigningSecret");
    }

    #[test]
    fn a_damaged_secret_is_never_replaced_silently() {
        for content in ["", "00ff", &"g".repeat(64), &"0".repeat(66)] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), content, 0o600);
            let error = SigningSecret::load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, SecretError::Damaged(_)), "{content}");
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), [0xff, 0xfe], 0o600);
        assert!(SigningSecret::load_or_create(dir.path()).is_err());
    }

    #[test]
    fn a_secret_that_others_could_read_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "7".repeat(2 * SECRET_BYTES), 0o640);
        let error = SigningSecret::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, SecretError::Exposed { mode: 0o640, .. }));
        assert!(error.to_string().contains("delete it to get a new one"));
        write(dir.path(), "7".repeat(2 * SECRET_BYTES), 0o600);
        SigningSecret::load_or_create(dir.path()).unwrap();
    }
}
