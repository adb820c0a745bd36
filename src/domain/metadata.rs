//! What a client keeps with a file of its own accord: texts by name.
//!
//! Invariant: at most [`MAX_METADATA_KEYS`] keys, and [`MAX_METADATA_BYTES`] of UTF-8 in all keys and values
//! together. No key is empty or has a character that steers a terminal or turns the direction of text. What it holds is
//! its owner's: it doesn't print, so that it gets into no log.
//!
//! Absent on purpose: any meaning. It goes into no URL, and into no header of the object store.

use std::collections::BTreeMap;
use std::fmt;

use super::Invalid;
use super::display_name::steers;

/// How many keys a file may have.
pub const MAX_METADATA_KEYS: usize = 16;
/// How long all keys and values may be together, in bytes of UTF-8.
pub const MAX_METADATA_BYTES: usize = 1024;

/// Texts by name, in the order of their names; mostly none.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Takes what a client gave, or a store has.
    ///
    /// # Errors
    /// Too many keys, too long in all, or a key that is empty or can't be seen as it is.
    pub fn new(entries: impl IntoIterator<Item = (String, String)>) -> Result<Self, Invalid> {
        let mut kept = BTreeMap::new();
        let mut bytes = 0_usize;
        for (key, value) in entries {
            if key.is_empty() {
                return Err(Invalid::new("must have no empty key"));
            }
            if key.chars().any(steers) {
                return Err(Invalid::new(
                    "must have no key with control characters, or such as turn the direction of text",
                ));
            }
            bytes += key.len() + value.len();
            if bytes > MAX_METADATA_BYTES {
                return Err(Invalid::new(format!(
                    "may have at most {MAX_METADATA_BYTES} bytes of UTF-8 in all keys and values together"
                )));
            }
            kept.insert(key, value);
            if kept.len() > MAX_METADATA_KEYS {
                return Err(Invalid::new(format!(
                    "may have at most {MAX_METADATA_KEYS} keys"
                )));
            }
        }
        Ok(Self(kept))
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// What no version can have written.
    pub fn from_json(text: &str) -> Result<Self, Invalid> {
        let unreadable = |_| Invalid::new("no metadata that was ever stored");
        let entries: BTreeMap<String, String> = serde_json::from_str(text).map_err(unreadable)?;
        Self::new(entries)
    }

    /// As a JSON object.
    pub fn to_json(&self) -> String {
        // A map of texts can always be written.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it holds, by name.
    pub fn entries(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;

    fn of(entries: &[(&str, &str)]) -> Result<Metadata, Invalid> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Metadata::new(entries.iter().map(owned))
    }

    #[test]
    fn sixteen_keys_and_a_kibibyte_are_taken_and_nothing_beyond() {
        let keys: Vec<String> = (0..=MAX_METADATA_KEYS).map(|n| format!("k{n}")).collect();
        let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert!(of(&entries[1..]).is_ok());
        assert!(of(&entries).unwrap_err().0.contains("at most 16 keys"));

        // Two bytes a character.
        let longest = "é".repeat(MAX_METADATA_BYTES / 2 - 1);
        assert!(of(&[("ab", &longest)]).is_ok());
        let refused = of(&[("abc", &longest)]).unwrap_err();
        assert!(refused.0.contains("1024 bytes"), "{refused}");
        assert!(of(&[("ab", &longest), ("c", "")]).is_err());
    }

    #[test]
    fn a_key_can_be_seen_and_a_value_may_be_anything() {
        for key in ["", "a\nb", "a\u{0}", "\u{202e}txt", "\u{9b}2J", "\u{feff}"] {
            assert!(of(&[(key, "x")]).is_err(), "{key:?}");
        }
        let odd = [("=cmd", "a\n\u{0}\u{202e}"), (" ", ""), ("__proto__", "1")];
        assert_eq!(of(&odd).unwrap().entries().len(), odd.len());
    }

    #[test]
    fn what_it_holds_does_not_print() {
        let metadata = of(&[("course", "hunter2")]).unwrap();
        assert_eq!(format!("{metadata:?}"), "Metadata(1 keys)");
    }

    #[test]
    fn what_no_version_wrote_is_refused_when_it_is_read_back() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"a":1}"#,
            r#"{"":"x"}"#,
            r#"{"a":null}"#,
        ] {
            assert!(Metadata::from_json(text).is_err(), "{text}");
        }
        assert_eq!(Metadata::from_json("{}"), Ok(Metadata::default()));
    }

    proptest! {
        #[test]
        fn what_was_taken_is_within_its_bounds_and_reads_back(
            entries in collection::vec((".{0,40}", ".{0,90}"), 0..20)
        ) {
            if let Ok(metadata) = Metadata::new(entries.clone()) {
                let length = |(key, value): (&String, &String)| key.len() + value.len();
                let bytes: usize = metadata.entries().iter().map(length).sum();
                prop_assert!(bytes <= MAX_METADATA_BYTES);
                prop_assert!(metadata.entries().len() <= MAX_METADATA_KEYS);
                prop_assert_eq!(Metadata::from_json(&metadata.to_json()), Ok(metadata.clone()));
                let expected: BTreeMap<_, _> = entries.into_iter().collect();
                prop_assert_eq!(metadata.entries(), &expected);
            }
        }
    }
}
