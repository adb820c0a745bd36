//! What a client says of a file that it is going to send.
//!
//! Invariant: it never changes. Bytes that aren't as declared are rejected.

use super::{
    AllowedTypes, ContentLength, ContentType, DisplayName, FileEnding, FileName, Metadata,
    RejectionReason, Sha256Digest,
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
    /// Whether the bytes have to be of the type that the name's ending says. The service says it, where only some types
    /// are taken when the file is created.
    pub type_has_to_fit: bool,
}

impl Declaration {
    /// The name that people see.
    pub fn shown_name(&self) -> &str {
        let given = self.display_name.as_ref().map(DisplayName::as_str);
        given.unwrap_or(self.filename.as_str())
    }

    /// What its name ends with, as it is cleaned and as it is saved: systems leave dots and blanks at its end away.
    /// The two mostly are one.
    pub fn endings(&self) -> [Option<FileEnding>; 2] {
        let saved = self.shown_name();
        let saved = saved.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
        [self.filename.as_str(), saved].map(FileEnding::of_name)
    }

    /// Whether its name is of a type that is taken.
    pub fn is_among(&self, types: &AllowedTypes) -> bool {
        let mut endings = self.endings().into_iter();
        endings.all(|ending| types.take(ending.as_ref()))
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
    use crate::domain::RejectionCode;

    fn declared(sha256: Option<Sha256Digest>) -> Declaration {
        Declaration::sample().of_digest(sha256)
    }

    fn digest(first_byte: u8) -> Sha256Digest {
        let mut digest = [0; 32];
        digest[0] = first_byte;
        Sha256Digest::from_bytes(digest)
    }

    #[test]
    fn a_name_is_of_the_type_that_it_has_wherever_it_is_shown_and_saved() {
        let pdf = FileEnding::parse("pdf").unwrap();
        let types = AllowedTypes::new(vec![pdf.clone()]).unwrap();
        for (name, endings, is_taken) in [
            ("a.pdf", [Some("pdf"), Some("pdf")], true),
            ("my file.PDF", [Some("pdf"), Some("pdf")], true),
            ("a.pdf.exe ", [None, Some("exe")], false),
            ("a.pdf ", [None, Some("pdf")], false),
            ("a.exe.", [None, Some("exe")], false),
            ("a.p\u{200b}df", [None, None], false),
            ("\u{202e}a.pdf\u{202d}", [None, Some("pdf")], false),
            ("a", [None, None], false),
        ] {
            let declared = Declaration::sample().named(name);
            let endings = endings.map(|it| it.map(|it| FileEnding::parse(it).unwrap()));
            assert_eq!(declared.endings(), endings, "{name:?}");
            assert_eq!(declared.is_among(&types), is_taken, "{name:?}");
            assert!(declared.is_among(&AllowedTypes::default()), "{name:?}");
        }
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
        assert_eq!(reason.text, "5 bytes were declared and 6 bytes arrived");
        assert_eq!(reason.code, Some(RejectionCode::SizeMismatch));
        let reason = declared(Some(digest(1)))
            .judge_digest(digest(2))
            .unwrap_err();
        assert!(reason.text.contains(&digest(1).to_hex()));
        assert!(reason.text.contains(&digest(2).to_hex()));
        assert_eq!(reason.code, Some(RejectionCode::Sha256Mismatch));
    }
}
