//! What is attested of an available file.
//!
//! Invariant: it has nothing that may change while the file is there, but when a box was due, which is attested as it
//! is; nor what only its owner may know.

use super::{BoxId, FileId, Sha256Digest, Submitter, Timestamp};

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
    /// Who handed it in, if somebody did.
    pub submitter: Option<Submitter>,
    /// The box that it lies in, if it does.
    pub in_box: Option<AttestedBox>,
}

/// What is known of a box to whoever hands in, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedBox {
    /// Which box it is.
    pub id: BoxId,
    /// What people see above it.
    pub title: String,
    /// When the file was due, for its submitter; `None`: at no time.
    pub due_at: Option<Timestamp>,
}
