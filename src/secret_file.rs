//! Secrets that a program makes for itself and keeps in its data directory.
//!
//! Invariant: each is made once, from the operating system's random numbers, is written at once or not at
//! all, and lies in a file that only its owner can read. One that is damaged, or that others could read, is
//! never replaced or used silently.
//!
//! Absent on purpose: what a secret is good for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::owner_only_files::{UntrustedPath, open_secret};

/// How many random bytes a secret has.
pub const SECRET_BYTES: usize = 32;
/// Twice what is written, so that something longer shows as such.
const MAX_FILE_BYTES: u64 = 4 * SECRET_BYTES as u64;

/// A kind of secret: where it lies, and how it is spoken of.
#[derive(Debug, Clone, Copy)]
pub struct SecretFile {
    /// The file's name in the data directory.
    pub name: &'static str,
    /// What the secret begins with, so that people and scanners for leaked secrets know it; may be empty.
    pub prefix: &'static str,
    /// What it is, such as `a signing secret`.
    pub what: &'static str,
    /// What a new one in its place brings about, such as `ends the URLs handed out so far`.
    pub renewal: &'static str,
}

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
    /// The file holds something else than 32 bytes of hex behind the prefix.
    #[error(
        "{} isn't {}; delete it to get a new one, which {}", path.display(), kind.what, kind.renewal
    )]
    Damaged {
        /// The secret's file.
        path: PathBuf,
        /// What it should hold.
        kind: SecretFile,
    },
    /// Whoever read it can use it.
    #[error(
        "others may read {} (mode {mode:o}): delete it to get a new one, which {}; only if you know that \
         nobody read it, chmod 600 will do",
        path.display(), kind.renewal
    )]
    Exposed {
        /// The secret's file.
        path: PathBuf,
        /// What it holds.
        kind: SecretFile,
        /// The file's permissions.
        mode: u32,
    },
}

impl SecretFile {
    /// The secret in `data_dir`, which has to exist, with its prefix; a new one if there is none yet. Blocks;
    /// meant for the start of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(&self, data_dir: &Path) -> Result<String, SecretError> {
        let path = data_dir.join(self.name);
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create(data_dir, &path).and_then(|()| read(&path))
            }
            read => read,
        };
        self.judge(path, text)
    }

    /// The secret in `data_dir`, if there is one. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load(&self, data_dir: &Path) -> Result<Option<String>, SecretError> {
        let path = data_dir.join(self.name);
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => self.judge(path, read).map(Some),
        }
    }

    /// Whether the secret is in `data_dir`, and a start would take it. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn is_in(&self, data_dir: &Path) -> Result<bool, SecretError> {
        Ok(self.load(data_dir)?.is_some())
    }

    /// Puts the secret of one data directory, if it has one, into another, which must have none. Blocks.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn copy(&self, from: &Path, to: &Path) -> Result<(), SecretError> {
        let Some(text) = self.load(from)? else {
            return Ok(());
        };
        let path = to.join(self.name);
        let written = Self::write(&text, to, &path);
        written.map_err(|cause| SecretError::Io { path, cause })
    }

    fn judge(&self, path: PathBuf, text: io::Result<String>) -> Result<String, SecretError> {
        let kind = *self;
        match text {
            Ok(text) => {
                let text = text.trim_end();
                let bytes = text.strip_prefix(self.prefix).map(hex::decode);
                match bytes {
                    Some(Ok(bytes)) if bytes.len() == SECRET_BYTES => Ok(text.to_owned()),
                    _ => Err(SecretError::Damaged { path, kind }),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(SecretError::Damaged { path, kind })
            }
            Err(cause) => Err(
                match cause.get_ref().and_then(|cause| cause.downcast_ref()) {
                    Some(&UntrustedPath::Exposed(mode)) => {
                        SecretError::Exposed { path, kind, mode }
                    }
                    _ => SecretError::Io { path, cause },
                },
            ),
        }
    }

    /// Writes a new secret under its name at once or not at all; one that is there already stays.
    fn create(&self, data_dir: &Path, path: &Path) -> io::Result<()> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let text = format!("{}{}", self.prefix, hex::encode(bytes));
        match Self::write(&text, data_dir, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                File::open(data_dir)?.sync_all()
            }
            written => written,
        }
    }

    fn write(text: &str, data_dir: &Path, path: &Path) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(data_dir)?;
        writeln!(file, "{text}")?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)
            .map_err(|refused| refused.error)?;
        File::open(data_dir)?.sync_all()
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
