//! The keys that sign receipts, and their public halves as a JWK Set (RFC 7517).
//!
//! Invariant: the first key signs and all are published, so that a new key can be made known before it signs and an old
//! one verifies on. A private half is in no answer and no log, and doesn't print. A key is named by what it is (RFC
//! 7638), so that two keys never share a name, also those of two services.

use std::fmt;
use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair, Signature};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ALGORITHM;
use crate::secret_file::{SecretError, SecretFile};

/// How many bytes a private key has (RFC 8032, section 5.1.5).
const SEED_BYTES: usize = 32;

/// Where the key of local mode lies. Whoever read it can sign receipts of files that never were.
pub const KEY_FILE: SecretFile = SecretFile {
    name: "receipt-key",
    prefix: "",
    what: "a key that signs receipts",
    renewal: "leaves nobody able to verify receipts of before unless they kept its public half",
};

/// The keys, the newest first; none where the service signs no receipts.
#[derive(Debug, Default)]
pub struct ReceiptKeys(Vec<ReceiptKey>);

impl ReceiptKeys {
    /// Those that follow from these secret bytes, each once.
    pub fn from_seeds<'a>(seeds: impl IntoIterator<Item = &'a [u8; 32]>) -> Self {
        let mut keys = Self::default();
        for seed in seeds {
            keys.add(seed);
        }
        keys
    }

    /// The same, and behind them the one in `data_dir`, which has to exist. If there are no others, one is made where
    /// there is none yet. Blocks; meant for the start of a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn and_in_data_dir(mut self, data_dir: &Path) -> Result<Self, SecretError> {
        let text = match self.0.is_empty() {
            true => Some(KEY_FILE.load_or_create(data_dir)?),
            false => KEY_FILE.load(data_dir)?,
        };
        if let Some(text) = text {
            let mut seed = [0; SEED_BYTES];
            hex::decode_to_slice(text, &mut seed).map_err(|_| SecretError::Damaged {
                path: data_dir.join(KEY_FILE.name),
                kind: KEY_FILE,
            })?;
            self.add(&seed);
        }
        Ok(self)
    }

    fn add(&mut self, seed: &[u8; SEED_BYTES]) {
        // Of 32 bytes there is always a key.
        let key = ReceiptKey::from_seed(seed);
        if let Some(key) = key.filter(|key| self.0.iter().all(|it| it.public != key.public)) {
            self.0.push(key);
        }
    }

    /// The public halves, for whoever verifies.
    pub fn published(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().map(|key| &key.public)
    }

    /// The one that signs.
    pub(super) fn first(&self) -> Option<&ReceiptKey> {
        self.0.first()
    }
}

/// A key with its private half.
pub(super) struct ReceiptKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl ReceiptKey {
    fn from_seed(seed: &[u8; SEED_BYTES]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = PublicKey::of(pair.public_key().as_ref());
        Some(Self { pair, public })
    }

    pub(super) fn id(&self) -> &str {
        &self.public.kid
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        self.pair.sign(message)
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceiptKey").field(&self.public.kid).finish()
    }
}

/// The half that anybody may know, as a JWK (RFC 8037, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    /// The kind of key: `OKP`.
    pub kty: &'static str,
    /// The curve: `Ed25519`.
    pub crv: &'static str,
    /// The key itself, as base64url.
    pub x: String,
    /// Its thumbprint, which names it in the header of what it signed.
    pub kid: String,
    /// What it is for: `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// By what it signs: `Ed25519`.
    pub alg: &'static str,
}

impl PublicKey {
    fn of(key: &[u8]) -> Self {
        const KIND: &str = "OKP";
        let x = BASE64_URL_SAFE_NO_PAD.encode(key);
        // RFC 7638, section 3: what makes the key, in this order and without spaces.
        let named = format!(r#"{{"crv":"{ALGORITHM}","kty":"{KIND}","x":"{x}"}}"#);
        Self {
            kty: KIND,
            crv: ALGORITHM,
            kid: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(named)),
            x,
            usage: "sig",
            alg: ALGORITHM,
        }
    }
}
