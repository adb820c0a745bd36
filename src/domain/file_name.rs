//! The name that every system and header takes. What people see is the [`DisplayName`](super::DisplayName) beside it.
//!
//! Invariant: only letters, marks and decimal digits of any script, `_`, `-` and `.`, joiners where a
//! script is written with them, in NFC, 1 to [`MAX_FILE_NAME_BYTES`] bytes, and neither `.` nor `..`.
//! So a name is safe in a header, on a page and on every file system, though none of ours ever uses it
//! as a path. What a client sends is cleaned; what a store has is taken as it is, since it was cleaned
//! by the rules of its day.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Invalid;

/// What common file systems allow for one name, in bytes of UTF-8.
pub const MAX_FILE_NAME_BYTES: usize = 255;
/// What Windows and macOS allow, in characters. What has more was no file's name anywhere; what has
/// fewer and more bytes is shortened.
pub const MAX_FILE_NAME_CHARS: usize = 255;
/// The longest ending, with its dot, that is kept when a name is shortened, in what the name is measured in.
const MAX_ENDING: usize = 32;

/// Zero width non-joiner and joiner. Between letters of some scripts they are spelling.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// Where those scripts are: Arabic to Myanmar, with those of India; Khmer and Mongolian; Limbu to Vedic;
/// Syloti Nagri to Meetei Mayek; and the later ones of the supplementary plane.
const JOINING_SCRIPTS: [(char, char); 5] = [
    ('\u{600}', '\u{109f}'),
    ('\u{1780}', '\u{18af}'),
    ('\u{1900}', '\u{1cff}'),
    ('\u{a800}', '\u{aaff}'),
    ('\u{10a00}', '\u{11fff}'),
];
/// Letters and marks that nobody sees: those with the property Default_Ignorable_Code_Point (Unicode's
/// DerivedCoreProperties.txt). The variation selectors are in the last two rows and the fifth.
const INVISIBLE: [(char, char); 8] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{e0100}', '\u{e01ef}'),
];

/// A file's name, safe in a header and on a page. The rules are those of the version that cleaned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Cleans a name that a client sent: removes what can't be seen, normalises to NFC, puts `_` in place
    /// of every character that isn't allowed, and shortens what has too many bytes before its ending.
    ///
    /// # Errors
    /// A name of which nothing is left, `.` or `..`, or of more than [`MAX_FILE_NAME_CHARS`].
    pub fn sanitize(text: &str) -> Result<Self, Invalid> {
        let is_unwanted = |c: char| !is_written(c);
        let name = if text.is_ascii() {
            // Which is NFC as it is, and what most names are.
            text.replace(is_unwanted, "_")
        } else {
            let composed: String = without_invisible(text).nfc().collect();
            composed.replace(is_unwanted, "_")
        };
        if is_no_name(&name) {
            return Err(Invalid::new("must be a name, not empty, \".\" or \"..\""));
        }
        let characters = name.chars().count();
        if characters > MAX_FILE_NAME_CHARS {
            return Err(Invalid::new(format!(
                "must have at most {MAX_FILE_NAME_CHARS} characters, and has {characters}"
            )));
        }
        Ok(Self(match shortened(&name, MAX_FILE_NAME_BYTES) {
            Cow::Borrowed(_) => name,
            Cow::Owned(shorter) => shorter,
        }))
    }

    /// Takes a name from a store as it is there: by whatever version of the rules, and of Unicode, it
    /// was cleaned, it isn't cleaned again, since people have seen it.
    ///
    /// # Errors
    /// What no version can have written.
    pub fn from_stored(text: &str) -> Result<Self, Invalid> {
        let is_possible = !is_no_name(text)
            && text.len() <= MAX_FILE_NAME_BYTES
            && text.chars().all(|c| {
                // A newer version may know more letters than this one.
                is_written(c) || c.general_category() == GeneralCategory::Unassigned
            });
        match is_possible {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new("no name that was ever stored")),
        }
    }

    /// The name in UTF-8: 1 to [`MAX_FILE_NAME_BYTES`] bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name, shortened to so many bytes before its ending, and between two characters that people see.
pub fn shortened(name: &str, max_bytes: usize) -> Cow<'_, str> {
    shortened_by(name, max_bytes, char::len_utf8)
}

/// The same to a length of `max`, in whatever `width` says of a character.
pub(super) fn shortened_by(name: &str, max: usize, width: impl Fn(char) -> usize) -> Cow<'_, str> {
    let length = |text: &str| text.chars().map(&width).sum::<usize>();
    if length(name) <= max {
        return name.into();
    }
    let at = name
        .rfind('.')
        .filter(|&at| at > 0 && length(&name[at..]) <= MAX_ENDING.min(max / 2));
    let (stem, ending) = name.split_at(at.unwrap_or(name.len()));
    let mut room = max - length(ending);
    let fits = |c: &char| {
        let left = room.checked_sub(width(*c));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let longest = stem.chars().take_while(fits).map(char::len_utf8).sum();
    // A mark belongs to the letter before it, and a joiner stands between two.
    let belongs_to_the_last = |c: char| is_mark(c) || JOINERS.contains(&c);
    let mut end = longest;
    while stem[end..].chars().next().is_some_and(belongs_to_the_last) {
        match stem[..end].char_indices().next_back() {
            Some((before, _)) => end = before,
            None => break,
        }
    }
    let kept = match stem[..end].trim_end_matches(JOINERS) {
        // Nothing but marks.
        "" => &stem[..longest],
        kept => kept,
    };
    format!("{kept}{ending}").into()
}

fn is_no_name(name: &str) -> bool {
    matches!(name, "" | "." | "..")
}

/// Without what nobody sees, other than joiners where they are spelling.
fn without_invisible(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut visible = text.chars().filter(|c| !is_invisible(*c)).peekable();
    // The letter that the marks belong to which came last.
    let mut base = None;
    while let Some(c) = visible.next() {
        if JOINERS.contains(&c) {
            let joins = [base, visible.peek().copied()]
                .into_iter()
                .all(|neighbour| neighbour.is_some_and(is_joining_letter));
            if !joins {
                continue;
            }
        } else if !is_mark(c) {
            base = Some(c);
        }
        kept.push(c);
    }
    kept
}

pub(super) fn is_invisible(c: char) -> bool {
    is_within(c, &INVISIBLE)
}

fn is_joining_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter && is_within(c, &JOINING_SCRIPTS)
}

fn is_within(c: char, ranges: &[(char, char)]) -> bool {
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&c))
}

pub(crate) fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

/// What a name may consist of, once what nobody sees was taken out.
fn is_written(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    }
    c.general_category() == GeneralCategory::DecimalNumber
        || matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
        )
        || JOINERS.contains(&c)
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
