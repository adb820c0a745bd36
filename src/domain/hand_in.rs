//! Who handed a file in, and the box that it lies in.
//!
//! Invariant: a submitter's name is in NFC, one line of 1 to [`MAX_SUBMITTER_CHARACTERS`] characters, of which at
//! least one can be seen, without controls and without what turns the direction of text. A name that somebody typed
//! is never taken for somebody who signed in.
//!
//! Absent on purpose: when a box is open, which is the box's own and changes.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::display_name::{is_seen, steers};
use super::{Invalid, UserId};

/// How long the name of whoever hands in may be, in characters.
pub const MAX_SUBMITTER_CHARACTERS: usize = 100;
/// How many bytes the ID of a box has.
pub const BOX_ID_BYTES: usize = 14;

/// Which box this is, for ever. No secret: the box's URL is signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId([u8; BOX_ID_BYTES]);

impl BoxId {
    /// The ID of these bytes.
    pub const fn from_bytes(bytes: [u8; BOX_ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8; BOX_ID_BYTES] {
        &self.0
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; BOX_ID_BYTES];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_lower => Ok(Self(bytes)),
            _ => Err(Invalid::new("must be 28 hex digits in lower case")),
        }
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What whoever hands in is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubmitterName(String);

impl SubmitterName {
    /// The name that somebody gave: what steers a terminal or turns the direction of text is left out, and blanks in
    /// a row are one.
    ///
    /// # Errors
    /// A name of which nothing is left that can be seen, or that is too long.
    pub fn given(text: &str) -> Result<Self, Invalid> {
        // A line's end separates words as a blank does.
        let blank = |c: char| if c.is_whitespace() { ' ' } else { c };
        let kept = text.chars().map(blank).filter(|c| !steers(*c));
        let composed: String = kept.nfc().collect();
        let name = composed.split_whitespace().collect::<Vec<_>>().join(" ");
        match (1..=MAX_SUBMITTER_CHARACTERS).contains(&name.chars().count())
            && name.chars().any(is_seen)
        {
            true => Ok(Self(name)),
            false => Err(Invalid::new(format!(
                "must be a name of 1 to {MAX_SUBMITTER_CHARACTERS} characters"
            ))),
        }
    }

    /// Takes a name from a store as it is there.
    ///
    /// # Errors
    /// What no version can have written.
    pub fn from_stored(text: &str) -> Result<Self, Invalid> {
        let is_possible = (1..=MAX_SUBMITTER_CHARACTERS).contains(&text.chars().count())
            && !text.chars().any(steers);
        match is_possible {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new("no name that was ever stored")),
        }
    }

    /// The name in UTF-8: at most four bytes a character.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for names that differ in capitals alone.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for SubmitterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who handed a file in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Submitter {
    /// Somebody who says so: anybody can type any name.
    Named(SubmitterName),
    /// Somebody who signed in.
    SignedIn {
        /// Who it is.
        id: UserId,
        /// What the sign-in calls them, if it says that.
        name: Option<SubmitterName>,
    },
}

impl Submitter {
    /// What people see.
    pub fn shown(&self) -> String {
        match self {
            Self::Named(name) => name.to_string(),
            Self::SignedIn {
                name: Some(name), ..
            } => name.to_string(),
            Self::SignedIn { id, .. } => id.to_string(),
        }
    }

    /// Their name as text, if they have one.
    pub fn name(&self) -> Option<&SubmitterName> {
        match self {
            Self::Named(name) => Some(name),
            Self::SignedIn { name, .. } => name.as_ref(),
        }
    }

    /// Who it is, of somebody who signed in.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Named(_) => None,
            Self::SignedIn { id, .. } => Some(*id),
        }
    }

    /// The same for everything that one submitter hands in, and different for any other: capitals make no
    /// difference in a name that was typed.
    pub fn key(&self) -> String {
        match self {
            Self::Named(name) => format!("name {}", name.folded()),
            Self::SignedIn { id, .. } => format!("user {id}"),
        }
    }

    /// What [`Self::name`] and [`Self::user`] gave; `None`: nobody.
    pub fn from_parts(name: Option<SubmitterName>, user: Option<UserId>) -> Option<Self> {
        match (name, user) {
            (name, Some(id)) => Some(Self::SignedIn { id, name }),
            (Some(name), None) => Some(Self::Named(name)),
            (None, None) => None,
        }
    }
}

/// That a file was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandIn {
    /// The box that it lies in; `None`: there was one, which is gone.
    pub in_box: Option<BoxId>,
    /// Who did it.
    pub submitter: Submitter,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_line_that_turns_and_steers_nothing() {
        for (given, kept) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("  Ada \n\t Lovelace ", "Ada Lovelace"),
            ("e\u{301}", "é"),
            ("\u{202e}exe.Ada\u{2066}", "exe.Ada"),
            ("Ada\u{1b}[31m\u{0}", "Ada[31m"),
            ("=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"),
            ("../CON", "../CON"),
            ("张伟", "张伟"),
        ] {
            assert_eq!(SubmitterName::given(given).unwrap().as_str(), kept);
        }
        let longest = "é".repeat(MAX_SUBMITTER_CHARACTERS);
        assert!(SubmitterName::given(&longest).is_ok());
        for refused in ["", " ", "\u{202e}", "\u{200b}", &format!("{longest}x")] {
            assert!(SubmitterName::given(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn whoever_types_a_name_is_nobody_who_signed_in() {
        let id = UserId::of("i", "ada");
        let name = SubmitterName::given(&id.to_string()).unwrap();
        let typed = Submitter::Named(name.clone());
        let signed_in = Submitter::SignedIn { id, name: None };
        assert_ne!(typed.key(), signed_in.key());
        assert_ne!(
            Submitter::Named(SubmitterName::given(&signed_in.key()).unwrap()).key(),
            signed_in.key()
        );
        let capitals =
            Submitter::Named(SubmitterName::given(&id.to_string().to_uppercase()).unwrap());
        assert_eq!(capitals.key(), typed.key());
    }

    proptest! {
        #[test]
        fn what_was_given_reads_back_from_a_store(text: String, bytes: [u8; BOX_ID_BYTES]) {
            if let Ok(name) = SubmitterName::given(&text) {
                prop_assert_eq!(SubmitterName::from_stored(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(SubmitterName::given(name.as_str()), Ok(name));
            }
            let id = BoxId::from_bytes(bytes);
            prop_assert_eq!(BoxId::parse(&id.to_string()), Ok(id));
        }
    }

    #[test]
    fn what_is_no_id_of_a_box_is_refused() {
        let id = BoxId::from_bytes([0xab; BOX_ID_BYTES]).to_string();
        for text in [
            "",
            &id[1..],
            &id.to_uppercase(),
            &format!("{id}00"),
            "../../x",
        ] {
            assert!(BoxId::parse(text).is_err(), "{text}");
        }
    }
}
