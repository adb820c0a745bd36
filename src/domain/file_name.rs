//! The name that people see.
//!
//! Invariant: only letters, marks and decimal digits of any script, `_`, `-` and `.`, in NFC, 1 to
//! [`MAX_FILE_NAME_BYTES`] bytes, and neither `.` nor `..`. So a name is safe in a header, on a
//! page and on every file system, though none of ours ever uses it as a path.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Invalid;

/// What common file systems allow for one name, in bytes of UTF-8.
pub const MAX_FILE_NAME_BYTES: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Normalises the name to NFC and puts `_` in place of every character that isn't allowed.
    ///
    /// # Errors
    /// A name that is empty, `.` or `..`, or longer than [`MAX_FILE_NAME_BYTES`] when cleaned.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_unwanted = |c: char| !is_allowed(c);
        let name = if text.is_ascii() {
            // Which is NFC as it is, and what most names are.
            text.replace(is_unwanted, "_")
        } else {
            let composed: String = text.nfc().collect();
            composed.replace(is_unwanted, "_")
        };
        if name.is_empty() || name == "." || name == ".." {
            return Err(Invalid::new("must be a name, not empty, \".\" or \"..\""));
        }
        if name.len() > MAX_FILE_NAME_BYTES {
            return Err(Invalid::new(format!(
                "must have at most {MAX_FILE_NAME_BYTES} bytes of UTF-8, and has {}",
                name.len()
            )));
        }
        Ok(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    }
    c.general_category() == GeneralCategory::DecimalNumber
        || matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
        )
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> String {
        FileName::parse(text).unwrap().0
    }

    #[test]
    fn what_is_not_a_letter_mark_digit_or_one_of_three_signs_becomes_an_underscore() {
        assert_eq!(cleaned("bad/name?.txt"), "bad_name_.txt");
        assert_eq!(cleaned("résumé final.pdf"), "résumé_final.pdf");
        assert_eq!(cleaned("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(cleaned("a\r\nb\"c\\d\0"), "a__b_c_d_");
        assert_eq!(cleaned("party 🎉.png"), "party__.png");
        assert_eq!(cleaned("½.txt"), "_.txt");
        assert_eq!(cleaned("right\u{202e}gpj.exe"), "right_gpj.exe");
    }

    #[test]
    fn letters_of_every_script_stay() {
        for name in [
            "课程大纲.pdf",
            "محاضرة١.pdf",
            "हिन्दी.txt",
            "CON",
            ".gitignore",
            "a-b_c.d",
        ] {
            assert_eq!(cleaned(name), name);
        }
    }

    #[test]
    fn two_spellings_of_one_letter_become_one() {
        assert_eq!(cleaned("re\u{301}sume\u{301}"), "r\u{e9}sum\u{e9}");
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for text in ["", ".", ".."] {
            assert!(FileName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_limit_is_255_bytes_of_the_cleaned_name() {
        assert!(FileName::parse(&"x".repeat(255)).is_ok());
        assert!(FileName::parse(&"x".repeat(256)).is_err());
        assert!(FileName::parse(&"é".repeat(128)).is_err());
        assert!(FileName::parse(&"🎉".repeat(255)).is_ok());
    }

    proptest! {
        #[test]
        fn cleaning_a_name_twice_changes_nothing_more(text in "\\PC{0,80}|(?s:.{0,80})") {
            if let Ok(name) = FileName::parse(&text) {
                prop_assert_eq!(FileName::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().chars().all(is_allowed));
                prop_assert!(name.as_str().len() <= MAX_FILE_NAME_BYTES);
            }
        }
    }
}
