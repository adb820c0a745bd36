//! Why bytes were rejected or withdrawn: in words for people, and by a code for programs.
//!
//! Invariant: the name of a code never changes, since it is in stores and with clients. A reason is made by the
//! constructor of its code, so words and code say the same.
//!
//! Absent on purpose: who judges the bytes, and in which state they are then (`file_state`).

use super::{ContentLength, ContentType, FileEnding, Invalid, Sha256Digest};

/// Why bytes were rejected, or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionReason {
    /// In words for people.
    pub text: String,
    /// For programs, and for words in other languages; `None` of files that were rejected before there were codes.
    pub code: Option<RejectionCode>,
    /// What the bytes are; `None` if they weren't looked at.
    pub detected_type: Option<ContentType>,
}

/// Why bytes were rejected, by a name that doesn't change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionCode {
    /// Another number of bytes arrived than was declared.
    SizeMismatch,
    /// Other bytes arrived than were declared.
    Sha256Mismatch,
    /// The bytes are something else than the name says.
    ContentMismatch,
    /// The virus scanner found something.
    Infected,
    /// The virus scanner can't look into it.
    Unscannable,
}

impl RejectionCode {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::SizeMismatch,
        Self::Sha256Mismatch,
        Self::ContentMismatch,
        Self::Infected,
        Self::Unscannable,
    ];

    /// Its name, in stores and over the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SizeMismatch => "size_mismatch",
            Self::Sha256Mismatch => "sha256_mismatch",
            Self::ContentMismatch => "content_mismatch",
            Self::Infected => "infected",
            Self::Unscannable => "unscannable",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str() == text)
            .ok_or_else(|| Invalid::new("no reason to reject a file"))
    }
}

impl RejectionReason {
    /// Another number of bytes arrived than was declared.
    pub fn length_mismatch(declared: ContentLength, observed: u64) -> Self {
        Self {
            text: format!("{declared} bytes were declared and {observed} bytes arrived"),
            code: Some(RejectionCode::SizeMismatch),
            detected_type: None,
        }
    }

    /// As many bytes arrived as were declared, and they hash to something else.
    pub fn digest_mismatch(declared: Sha256Digest, observed: Sha256Digest) -> Self {
        Self {
            text: format!(
                "SHA-256 {declared} was declared and the bytes that arrived have {observed}"
            ),
            code: Some(RejectionCode::Sha256Mismatch),
            detected_type: None,
        }
    }

    /// The bytes are as declared, and are something else than a name that ends so says.
    pub fn content_mismatch(ending: &FileEnding, found: ContentType) -> Self {
        Self {
            text: format!(
                "the name ends in .{ending} and the content is {}",
                found.as_str()
            ),
            code: Some(RejectionCode::ContentMismatch),
            detected_type: Some(found),
        }
    }

    /// The virus scanner found what it calls so.
    pub fn infected(name: &str, found: ContentType) -> Self {
        Self {
            text: format!("the virus scanner found {name}"),
            code: Some(RejectionCode::Infected),
            detected_type: Some(found),
        }
    }

    /// The virus scanner can't look into it, for this reason.
    pub fn unscannable(why: &str, found: ContentType) -> Self {
        Self {
            text: format!("the virus scanner can't look into it: {why}"),
            code: Some(RejectionCode::Unscannable),
            detected_type: Some(found),
        }
    }
}
