//! What a name ends with, and which endings are taken.
//!
//! Invariant: an ending is 1 to 16 ASCII letters and digits in small letters, so it can stand in a list, a header and
//! a page as it is.
//!
//! Absent on purpose: what bytes are. A name only says it; `file_types` looks.

use std::fmt;

use super::Invalid;

/// How many endings a list may have.
pub const MAX_ENDINGS: usize = 50;
/// How long one may be, in characters.
const MAX_ENDING_CHARACTERS: usize = 16;

/// The ending of a name, behind its last dot, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEnding(String);

impl FileEnding {
    /// An ending with or without its dot.
    ///
    /// # Errors
    /// What isn't 1 to 16 ASCII letters and digits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ending = text.strip_prefix('.').unwrap_or(text);
        let is_ending = (1..=MAX_ENDING_CHARACTERS).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match is_ending {
            true => Ok(Self(ending.to_ascii_lowercase())),
            false => Err(Invalid(format!(
                "must be endings of 1 to {MAX_ENDING_CHARACTERS} letters and digits, such as pdf"
            ))),
        }
    }

    /// What this name ends with; `None` for one without an ending, or with none that a list can have.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Self::parse(ending).ok()
    }

    /// The ending without a dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which endings of names are taken: those that are listed, each once and in order, or any if none is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedTypes(Vec<FileEnding>);

impl AllowedTypes {
    /// These alone; with none, any.
    ///
    /// # Errors
    /// More than [`MAX_ENDINGS`].
    pub fn new(mut endings: Vec<FileEnding>) -> Result<Self, Invalid> {
        endings.sort_unstable();
        endings.dedup();
        match endings.len() {
            0..=MAX_ENDINGS => Ok(Self(endings)),
            _ => Err(Invalid(format!("must be at most {MAX_ENDINGS}"))),
        }
    }

    /// Whether any ending is taken, and none too.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are listed; none if any is taken.
    pub fn endings(&self) -> &[FileEnding] {
        &self.0
    }

    /// Whether a name with this ending is taken.
    pub fn take(&self, ending: Option<&FileEnding>) -> bool {
        self.are_all() || ending.is_some_and(|ending| self.0.binary_search(ending).is_ok())
    }

    /// What both take. Of two lists that have nothing in common it is this one: nothing would be what takes all.
    #[must_use]
    pub fn within(&self, others: &Self) -> Self {
        if self.are_all() {
            return others.clone();
        }
        let both = self.0.iter().filter(|it| others.take(Some(it)));
        match both.cloned().collect::<Vec<_>>() {
            both if both.is_empty() => self.clone(),
            both => Self(both),
        }
    }

    /// Each as a text.
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(endings: &[&str]) -> AllowedTypes {
        let endings = endings.iter().map(|it| FileEnding::parse(it).unwrap());
        AllowedTypes::new(endings.collect()).unwrap()
    }

    #[test]
    fn a_list_takes_its_endings_however_they_are_written_and_none_takes_all() {
        let some = types(&[".PDF", "docx", "pdf"]);
        assert_eq!(some.to_texts(), ["docx", "pdf"]);
        for (name, is_taken) in [
            ("a.pdf", true),
            ("a.PdF", true),
            (".pdf", true),
            ("a.pdf.exe", false),
            ("a.exe.pdf", true),
            ("pdf", false),
            ("a.", false),
            ("a.pdf_", false),
            ("", false),
        ] {
            let ending = FileEnding::of_name(name);
            assert_eq!(some.take(ending.as_ref()), is_taken, "{name}");
            assert!(AllowedTypes::default().take(ending.as_ref()), "{name}");
        }
    }

    #[test]
    fn of_two_lists_what_both_take_is_taken() {
        let [all, some, one, other] = [
            types(&[]),
            types(&["pdf", "png"]),
            types(&["png"]),
            types(&["txt"]),
        ];
        assert_eq!(some.within(&one), one);
        assert_eq!(one.within(&some), one);
        assert_eq!(all.within(&some), some);
        assert_eq!(some.within(&all), some);
        assert_eq!(some.within(&other), some);
    }

    #[test]
    fn what_is_no_ending_is_refused_and_so_are_too_many() {
        for text in ["", ".", "tar.gz", "p f", "ü", &"x".repeat(17)] {
            assert!(FileEnding::parse(text).is_err(), "{text}");
        }
        let endings = |count: usize| {
            let all = (0..count).map(|number| FileEnding::parse(&format!("{number:016}")).unwrap());
            AllowedTypes::new(all.collect())
        };
        assert!(endings(MAX_ENDINGS).is_ok());
        assert!(endings(MAX_ENDINGS + 1).is_err());
    }
}
