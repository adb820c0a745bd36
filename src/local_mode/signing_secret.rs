//! The secret that signs local mode's URLs.
//!
//! Invariant: it outlives a restart, and so do the URLs that it signed. It doesn't print.

use std::fmt;
use std::path::Path;

use crate::presigned_url::SigningCredentials;
use crate::secret_file::{SecretError, SecretFile};

/// Stands in every URL; the secret behind it never does.
pub const ACCESS_KEY_ID: &str = "local";

/// Where it lies. Whoever read it can sign URLs for every file.
pub const SIGNING_SECRET_FILE: SecretFile = SecretFile {
    name: "signing-secret",
    prefix: "",
    what: "a signing secret",
    renewal: "ends the URLs handed out so far",
};

/// The secret that this installation signs with: 32 random bytes, as hex. No `Debug`, so that it gets into no
/// log.
#[derive(Clone)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// The secret in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant
    /// for the start of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        SIGNING_SECRET_FILE.load_or_create(data_dir).map(Self)
    }

    /// The secret in `data_dir`, if there is one. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load(data_dir: &Path) -> Result<Option<Self>, SecretError> {
        Ok(SIGNING_SECRET_FILE.load(data_dir)?.map(Self))
    }

    /// What URLs are signed and verified with, under [`ACCESS_KEY_ID`]; it never ends.
    pub fn credentials(&self) -> SigningCredentials {
        SigningCredentials::fixed(ACCESS_KEY_ID, &self.0)
    }
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
    use crate::secret_file::SECRET_BYTES;

    /// As an operator might restore it from a copy.
    fn write(dir: &Path, content: impl AsRef<[u8]>, mode: u32) {
        let path = dir.join(SIGNING_SECRET_FILE.name);
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
        let metadata = fs::metadata(dir.path().join(SIGNING_SECRET_FILE.name)).unwrap();
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
            assert!(matches!(error, SecretError::Damaged { .. }), "{content}");
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
