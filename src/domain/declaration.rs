//! What a client says of a file that it is going to send.
//!
//! Invariant: it never changes. Bytes that aren't as declared are rejected.

use super::{
    ContentLength, ContentType, DisplayName, FileName, Metadata, RejectionReason, Sha256Digest,
};

/// What a client declares before it has sent anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The name in a form that every system and header takes.
    pub filename: FileName,
    /// The name as it was given; `None` where that says no more, and for files from before it was kept.
    pub display_name: Option<DisplayName>,
    /// Exactly how many bytes the file has; other lengths are rejected.
    pub length: ContentLength,
    /// The type that the upload is signed for and the download is served with; the bytes aren't compared with
    /// it.
    pub content_type: ContentType,
    /// What the bytes hash to, if the client says it.
    pub sha256: Option<Sha256Digest>,
    /// What the client keeps with the file. Nothing is decided by it.
    pub metadata: Metadata,
}

impl Declaration {
    /// The name that people see.
    pub fn shown_name(&self) -> &str {
        let given = self.display_name.as_ref().map(DisplayName::as_str);
        given.unwrap_or(self.filename.as_str())
    }

    /// Compares the number of bytes that arrived with the declared one.
    ///
    /// # Errors
    /// The reason to reject the file.
    pub fn judge_length(&self, observed: u64) -> Result<(), RejectionReason> {
        if observed == self.length.bytes() {
            Ok(())
        } else {
            Err(RejectionReason::length_mismatch(self.length, observed))
        }
    }

    /// Compares the digest of what arrived with the declared one, if one was declared.
    ///
    /// # Errors
    /// The reason to reject the file.
    pub fn judge_digest(&self, observed: Sha256Digest) -> Result<(), RejectionReason> {
        match self.sha256 {
            Some(declared) if declared != observed => {
                Err(RejectionReason::digest_mismatch(declared, observed))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(sha256: Option<Sha256Digest>) -> Declaration {
        Declaration::sample().of_digest(sha256)
    }

    fn digest(first_byte: u8) -> Sha256Digest {
        let mut digest = [0; 32];
        digest[0] = first_byte;
        Sha256Digest::from_bytes(digest)
    }

    #[test]
    fn bytes_as_declared_are_accepted() {
        assert_eq!(declared(None).judge_length(5), Ok(()));
        assert_eq!(declared(None).judge_digest(digest(1)), Ok(()));
        assert_eq!(declared(Some(digest(1))).judge_digest(digest(1)), Ok(()));
    }

    #[test]
    fn another_length_or_digest_is_rejected_with_both_values() {
        let reason = declared(None).judge_length(6).unwrap_err();
        assert_eq!(reason.0, "5 bytes were declared and 6 bytes arrived");
        let reason = declared(Some(digest(1)))
            .judge_digest(digest(2))
            .unwrap_err();
        assert!(reason.0.contains(&digest(1).to_hex()));
        assert!(reason.0.contains(&digest(2).to_hex()));
    }
}
