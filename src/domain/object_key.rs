//! The key under which a file's bytes lie in the object store.
//!
//! Invariant: a key is made of the file's ID and nothing else, so that no text of a user's ever
//! becomes part of a key or a path.

use std::fmt;

use super::{FileId, Invalid};

/// Every key of ours begins with this; the bucket's notification is filtered by it.
pub const KEY_PREFIX: &str = "uploads/";

/// `uploads/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectKey(FileId);

impl ObjectKey {
    /// The one key of this file's.
    pub fn new(id: FileId) -> Self {
        Self(id)
    }

    /// Reads a key that has been decoded already.
    ///
    /// # Errors
    /// Any key that this service wouldn't have made, a second spelling of one of ours included.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.strip_prefix(KEY_PREFIX)
            .and_then(|id| FileId::parse(id).ok())
            .map(Self)
            .filter(|key| key.to_string() == text)
            .ok_or_else(|| Invalid::new("not a key of this service: expected uploads/{id}"))
    }

    /// The file whose bytes lie under the key.
    pub fn file_id(&self) -> FileId {
        self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY_PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";

    #[test]
    fn a_key_of_ours_reads_back() {
        assert_eq!(ObjectKey::parse(KEY).unwrap().to_string(), KEY);
    }

    #[test]
    fn foreign_keys_and_second_spellings_are_refused() {
        for text in [
            "",
            "uploads/",
            "uploads/report.pdf",
            "Uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
            "uploads/0199A2B4-7C1E-7F4D-9A7E-0D8A4C1B2E3F",
            "uploads/../uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
            "uploads%2F0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
            "/uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
        ] {
            assert!(ObjectKey::parse(text).is_err(), "{text}");
        }
    }
}
