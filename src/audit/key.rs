//! The key that signs checkpoints.
//!
//! Invariant: its private half is in no line, no log and no answer, and doesn't print.

use std::fmt;
use std::io;
use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::secret_file::{SecretError, SecretFile};

/// Where it lies. Whoever read it can sign another past.
pub const KEY_FILE: SecretFile = SecretFile {
    name: "audit-key",
    prefix: "",
    what: "a key of the audit log",
    renewal: "makes `audit verify` ask for both keys",
};

/// Tells these signatures from those of anything else.
const CONTEXT: &str = "file-share audit checkpoint 1";

/// An Ed25519 key (RFC 8032).
pub struct AuditKey(Ed25519KeyPair);

impl AuditKey {
    /// The key in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant for the start
    /// of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        let text = KEY_FILE.load_or_create(data_dir)?;
        let seed = hex::decode(&text).unwrap_or_default();
        Self::from_seed(&seed).map_err(|_| SecretError::Damaged {
            path: data_dir.join(KEY_FILE.name),
            kind: KEY_FILE,
        })
    }

    /// The key that follows from 32 secret bytes.
    ///
    /// # Errors
    /// Another number of bytes.
    pub fn from_seed(seed: &[u8]) -> io::Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        pair.map(Self).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a key of the audit log has 32 bytes",
            )
        })
    }

    /// The half that anybody may know, as hex: it verifies.
    pub fn public(&self) -> String {
        hex::encode(self.0.public_key())
    }

    /// Signs what a chain was up to here.
    pub(super) fn sign(&self, chain: &str, seq: u64, prev: &str) -> String {
        hex::encode(self.0.sign(message(chain, seq, prev).as_bytes()))
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey")
    }
}

/// Whether the key with this public half signed a chain up to here.
pub(super) fn is_signed(public: &str, signature: &str, chain: &str, seq: u64, prev: &str) -> bool {
    let (Ok(public), Ok(signature)) = (hex::decode(public), hex::decode(signature)) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message(chain, seq, prev).as_bytes(), &signature)
        .is_ok()
}

fn message(chain: &str, seq: u64, prev: &str) -> String {
    format!("{CONTEXT}\n{chain}\n{seq}\n{prev}")
}
