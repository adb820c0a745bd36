//! What is attested of an available file.
//!
//! Invariant: it has nothing that may change while the file is there, nor what only its owner may know.

use super::{FileId, Sha256Digest, Timestamp};

/// What is known of an available file, and stays so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedFile {
    /// Which file it is.
    pub id: FileId,
    /// The name that people see.
    pub display_name: String,
    /// In bytes, as measured.
    pub size: u64,
    /// Of these bytes.
    pub sha256: Sha256Digest,
    /// When the store had the bytes, by the store's clock.
    pub uploaded_at: Timestamp,
}
