//! The key of a service that runs on somebody's own machine: whoever has it is its operator.
//!
//! Invariant: it outlives a restart, is compared by digests in constant time, and doesn't print.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret_file::{SecretError, SecretFile};

/// Where it lies. Whoever read it may do everything that the service does.
pub const ACCESS_KEY_FILE: SecretFile = SecretFile {
    name: "access-key",
    prefix: "fsk_",
    what: "an access key",
    renewal: "ends all that was signed in with the one before",
};

/// The key: `fsk_` and 256 bits as hex.
#[derive(Clone)]
pub struct LocalKey(String);

impl LocalKey {
    /// The name of its file in the data directory.
    pub const FILE_NAME: &'static str = ACCESS_KEY_FILE.name;

    /// The key in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant for the start
    /// of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        ACCESS_KEY_FILE.load_or_create(data_dir).map(Self)
    }

    /// The key in `data_dir`, if there is one. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load(data_dir: &Path) -> Result<Option<Self>, SecretError> {
        Ok(ACCESS_KEY_FILE.load(data_dir)?.map(Self))
    }

    /// Whether this is the key. How long that takes tells nothing of the key.
    pub fn is(&self, text: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        digest(&self.0).ct_eq(&digest(text)).into()
    }

    /// The key itself, for the person who started the program.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_kept_for_its_owner_alone_and_known_again() {
        let dir = tempfile::tempdir().unwrap();
        assert!(LocalKey::load(dir.path()).unwrap().is_none());
        let key = LocalKey::load_or_create(dir.path()).unwrap();
        let again = LocalKey::load_or_create(dir.path()).unwrap();
        assert!(key.is(again.expose()));
        let metadata = std::fs::metadata(dir.path().join(LocalKey::FILE_NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(format!("{key:?}"), "LocalKey");
        assert_eq!(key.expose().len(), "fsk_".len() + 64);
        let other = tempfile::tempdir().unwrap();
        let other = LocalKey::load_or_create(other.path()).unwrap();
        let upper = key.expose().to_uppercase();
        for wrong in ["", "fsk_", other.expose(), &key.expose()[4..], &upper] {
            assert!(!key.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn two_first_starts_have_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<LocalKey> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| LocalKey::load_or_create(dir.path()).unwrap()))
                .collect();
            let started = starts.into_iter().map(|start| start.join().unwrap());
            started.collect()
        });
        assert!(keys.iter().all(|key| key.is(keys[0].expose())));
    }

    #[test]
    fn a_key_that_others_could_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        LocalKey::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(LocalKey::FILE_NAME);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = LocalKey::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(refused, SecretError::Exposed { mode: 0o644, .. }));
        let said = refused.to_string();
        assert!(
            said.contains("access-key") && said.contains("signed in"),
            "{said}"
        );
    }
}
