//! The secrets that sign tokens: those that an operator sets, or one in a file that local mode makes.
//!
//! Invariant: there is at least one; the first signs, and all verify. None of them prints.
//!
//! Absent on purpose: how good a secret has to be. Whoever reads the settings judges that.

use std::path::Path;

use ring::hmac;

use super::CapabilityKeys;
use crate::secret_file::{SecretError, SecretFile};

/// Where local mode's lies. Whoever read it can make links to all that is linked.
pub const LINK_SECRET_FILE: SecretFile = SecretFile {
    name: "link-secret",
    prefix: "",
    what: "a secret of links",
    renewal: "ends all links that were made so far",
};

impl CapabilityKeys {
    /// The keys of these secrets: `first` signs, and tokens of the others hold too. To change the secret put a new
    /// one first, and take the old one away once its links may end.
    pub fn of_secrets<'a>(first: &str, others: impl IntoIterator<Item = &'a str>) -> Self {
        let others = others.into_iter().map(key);
        Self {
            keys: std::iter::once(key(first)).chain(others).collect(),
        }
    }

    /// The keys of the secret in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant for
    /// the start of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        Ok(Self::of_secrets(
            &LINK_SECRET_FILE.load_or_create(data_dir)?,
            [],
        ))
    }
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}
