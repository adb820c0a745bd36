//! A file's name as it was given.
//!
//! Invariant: in NFC; 1 to [`MAX_DISPLAY_NAME_CHARS`] characters, of which at least one can be seen; without
//! controls, ends of lines, characters that turn the direction of what stands around them, and what separates the
//! parts of a path; neither `.` nor `..`. It is for people: what headers and file systems can't take is replaced
//! where a name goes there (`presigned_url::content_disposition`).
//!
//! Absent on purpose: a name that says no more than the [`FileName`] beside it. Whoever shows a file then shows that.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::file_name::{is_invisible, shortened_by};
use super::{FileName, Invalid};

/// What common file systems allow for one name, in characters.
pub const MAX_DISPLAY_NAME_CHARS: usize = 255;

/// What separates the parts of a path, here or on Windows.
const SEPARATORS: [char; 2] = ['/', '\\'];

/// What people see of a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// The name that a client gave, of which `filename` is the cleaned form: what steers a terminal or turns the
    /// direction of text is left out, what separates the parts of a path becomes `_`, and what has too many
    /// characters is shortened before its ending. `None` if `filename` says as much.
    pub fn given(text: &str, filename: &FileName) -> Option<Self> {
        if text == filename.as_str() {
            // What most names are.
            return None;
        }
        let kept = text.chars().filter(|c| !steers(*c));
        let composed: String = kept.nfc().collect();
        let name = composed.replace(SEPARATORS, "_");
        let name = shortened_by(&name, MAX_DISPLAY_NAME_CHARS, |_| 1);
        let says_more = is_name(&name) && name != filename.as_str();
        says_more.then(|| Self(name.into_owned()))
    }

    /// Takes a name from a store as it is there: by whatever version of the rules, and of Unicode, it was cleaned, it
    /// isn't cleaned again, since people have seen it.
    ///
    /// # Errors
    /// What no version can have written.
    pub fn from_stored(text: &str) -> Result<Self, Invalid> {
        let is_harmless = |c: char| !steers(c) && !SEPARATORS.contains(&c);
        let is_possible = !matches!(text, "" | "." | "..")
            && text.chars().count() <= MAX_DISPLAY_NAME_CHARS
            && text.chars().all(is_harmless);
        match is_possible {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new("no name that was ever stored")),
        }
    }

    /// The name in UTF-8: at most four bytes a character.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether people see the character.
pub(super) fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !is_invisible(c) && c.general_category() != GeneralCategory::Format
}

/// Whether there is something in it that people see, which isn't a folder.
fn is_name(name: &str) -> bool {
    name.chars().any(is_seen) && !matches!(name, "." | "..")
}

/// Whether the character does something to what stands around it, instead of being seen: controls; ends of lines and
/// paragraphs; embeddings, overrides and isolates of direction, with their ends; and deprecated format characters,
/// which come right behind them (UAX #9, section 2; the Unicode standard, section 23.3).
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{feff}')
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
