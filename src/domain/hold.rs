//! A hold: somebody who runs the service says that a file stays, whoever wants it gone.
//!
//! Invariant: a reason that is given is a line that can be shown as it is, in a terminal and beside other text. While a
//! file is held, no deletion of it is made, whoever asks for it: that is a condition of the very write that deletes
//! (`MetadataStore::delete`).
//!
//! Absent on purpose: an end by time. A hold ends when somebody ends it; what is to be kept until a moment has
//! `keep_until`.

use std::fmt;

use super::display_name::{is_seen, steers};
use super::{Invalid, Timestamp, UserId};

/// The longest reason of a hold, in characters.
pub const MAX_HOLD_REASON_CHARACTERS: usize = 500;

/// That a file is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why, for those who run the service.
    pub reason: HoldReason,
    /// Since when it has been held without a gap, by the clock of the process that was told so.
    pub since: Timestamp,
    /// Who gave the reason; `None`: the operator.
    pub by: Option<UserId>,
}

/// Why a file is held, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldReason(String);

impl HoldReason {
    /// The reason that somebody gave, without blanks at its ends.
    ///
    /// # Errors
    /// One in which nothing can be seen, one that is too long, and one with characters that steer a terminal, end a
    /// line or turn the direction of text: unlike in a name, nothing is left out of what may be read in court.
    pub fn given(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.chars().any(steers) {
            return Err(Invalid::new(
                "must be one line without control characters or such as turn the direction of text",
            ));
        }
        let characters = text.chars().count();
        match (1..=MAX_HOLD_REASON_CHARACTERS).contains(&characters) && text.chars().any(is_seen) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new(format!(
                "must say why, in 1 to {MAX_HOLD_REASON_CHARACTERS} characters"
            ))),
        }
    }

    /// Takes a reason from a store as it is there: by whatever version of the rules it was taken. A record whose reason
    /// couldn't be read would be one of a file that nobody can hold, release or fetch.
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The reason as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_line_that_says_something() {
        for (given, kept) in [
            ("case 4711", "case 4711"),
            ("  Aktenzeichen 3 C 12/26 \n", "Aktenzeichen 3 C 12/26"),
            ("परीक्षा रोकें", "परीक्षा रोकें"),
        ] {
            assert_eq!(HoldReason::given(given).unwrap().as_str(), kept);
        }
        let longest = "ä".repeat(MAX_HOLD_REASON_CHARACTERS);
        assert_eq!(HoldReason::given(&longest).unwrap().as_str(), longest);
        for (refused, why) in [
            ("", "say why"),
            (" \t ", "say why"),
            ("\u{200b}", "say why"),
            ("a\nb", "one line"),
            ("a\u{0}b", "one line"),
            ("\u{1b}[2Jgone", "one line"),
            ("case\u{202e}4711", "one line"),
            ("a\u{2028}b", "one line"),
            (&format!("{longest}x"), "1 to 500"),
        ] {
            let refusal = HoldReason::given(refused).unwrap_err().0;
            assert!(refusal.contains(why), "{refused:?}: {refusal}");
        }
    }
}
