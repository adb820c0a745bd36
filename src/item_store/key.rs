//! What an item is called, and which list it is in.
//!
//! Invariant: a key is `kind#id` and a list `name#of`, where neither `id` nor `of` holds a `#`. So no key of an
//! item is a file's ID, and no list is a person's ID, both of which have none.

use std::fmt;

use crate::domain::Invalid;

/// The longest ID of an item, and the longest name of whose list it is in, in bytes.
pub const MAX_ITEM_ID_BYTES: usize = 128;

/// What an item is of. Stores keep the prefix, so a kind that was there once keeps its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// Somebody is signed in.
    Session,
    /// An API token.
    Token,
    /// A program that waits for a person to let it in.
    Pairing,
    /// A sign-in at an issuer that was ended.
    SignIn,
    /// Everything of somebody's was revoked.
    Revocation,
    /// Something that happened to a file.
    Event,
    /// Files that somebody passes on.
    Link,
    /// That a file is passed on by a link, and how often it was taken.
    LinkedFile,
    /// A URL that was handed out of late, of a file whose [`Self::LinkedFile`] has no room for it.
    Grant,
    /// Where others hand in files.
    Box,
    /// That files are scanned for viruses.
    Scanning,
}

impl ItemKind {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Session,
        Self::Token,
        Self::Pairing,
        Self::SignIn,
        Self::Revocation,
        Self::Event,
        Self::Link,
        Self::LinkedFile,
        Self::Grant,
        Self::Box,
        Self::Scanning,
    ];

    /// What keys of this kind begin with, before the `#`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::Pairing => "pairing",
            Self::SignIn => "sign-in",
            Self::Revocation => "revocation",
            Self::Event => "event",
            Self::Link => "link",
            Self::LinkedFile => "linked",
            Self::Grant => "grant",
            Self::Box => "box",
            Self::Scanning => "scanning",
        }
    }
}

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    // Keys are ordered as their texts are, which is what the stores order by.
    text: String,
    kind: ItemKind,
}

impl ItemKey {
    /// The key of an item of this kind.
    ///
    /// # Errors
    /// If the ID isn't 1 to [`MAX_ITEM_ID_BYTES`] ASCII letters, digits, `-` and `_`.
    pub fn new(kind: ItemKind, id: &str) -> Result<Self, Invalid> {
        check_id(id)?;
        Ok(Self {
            text: format!("{}#{id}", kind.prefix()),
            kind,
        })
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// If it is no key of a kind that is known.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (prefix, id) = text.split_once('#').unwrap_or_default();
        let mut kinds = ItemKind::ALL.into_iter();
        let kind = kinds.find(|kind| kind.prefix() == prefix);
        let kind = kind.ok_or_else(|| Invalid("an item has another kind of key".into()))?;
        Self::new(kind, id)
    }

    /// The whole key, as stores keep it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the item is of.
    pub fn kind(&self) -> ItemKind {
        self.kind
    }

    /// The key without its kind.
    pub fn id(&self) -> &str {
        self.text.split_once('#').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemList {
    /// Somebody's sessions.
    Sessions,
    /// Somebody's API tokens.
    Tokens,
    /// What happened to a file.
    Events,
    /// Somebody's links.
    Links,
    /// That a file is passed on, by which links.
    File,
    /// Somebody's boxes.
    Boxes,
}

impl ItemList {
    const ALL: [Self; 6] = [
        Self::Sessions,
        Self::Tokens,
        Self::Events,
        Self::Links,
        Self::File,
        Self::Boxes,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Tokens => "tokens",
            Self::Events => "events",
            Self::Links => "links",
            Self::File => "file",
            Self::Boxes => "boxes",
        }
    }
}

/// The one list that an item is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemParent(String);

impl ItemParent {
    /// The list of this kind that belongs to `of`, such as a person's ID.
    ///
    /// # Errors
    /// As [`ItemKey::new`] for an ID.
    pub fn new(list: ItemList, of: &str) -> Result<Self, Invalid> {
        check_id(of)?;
        Ok(Self(format!("{}#{of}", list.prefix())))
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// If it is no list that is known.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (prefix, of) = text.split_once('#').unwrap_or_default();
        let mut lists = ItemList::ALL.into_iter();
        let list = lists.find(|list| list.prefix() == prefix);
        let list = list.ok_or_else(|| Invalid("an item is in another kind of list".into()))?;
        Self::new(list, of)
    }

    /// The list's whole name, as stores keep it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_id(id: &str) -> Result<(), Invalid> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match (1..=MAX_ITEM_ID_BYTES).contains(&id.len()) && id.bytes().all(is_known) {
        true => Ok(()),
        false => Err(Invalid(format!(
            "an item's ID is 1 to {MAX_ITEM_ID_BYTES} ASCII letters, digits, - and _"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileId;

    #[test]
    fn a_key_reads_back_and_is_no_file_of_anybody() {
        for kind in ItemKind::ALL {
            let key = ItemKey::new(kind, "aZ09-_").unwrap();
            assert_eq!(ItemKey::parse(key.as_str()), Ok(key.clone()));
            assert_eq!((key.kind(), key.id()), (kind, "aZ09-_"));
            assert!(FileId::parse(key.as_str()).is_err());
        }
        for list in ItemList::ALL {
            let parent = ItemParent::new(list, "usr_a").unwrap();
            assert_eq!(ItemParent::parse(parent.as_str()), Ok(parent));
        }
    }

    #[test]
    fn an_id_that_is_no_short_ascii_word_is_refused() {
        let longest = "x".repeat(MAX_ITEM_ID_BYTES);
        let too_long = "x".repeat(MAX_ITEM_ID_BYTES + 1);
        assert!(ItemKey::new(ItemKind::Token, &longest).is_ok());
        for id in ["", "a#b", "é", "a b", "a\n", "a/b", too_long.as_str()] {
            assert!(ItemKey::new(ItemKind::Token, id).is_err(), "{id:?}");
            assert!(ItemParent::new(ItemList::Tokens, id).is_err(), "{id:?}");
        }
        for text in ["", "token", "token#", "usr_a", "other#a", "token#a#b"] {
            assert!(ItemKey::parse(text).is_err(), "{text:?}");
        }
        for text in ["", "usr_a", "tokens#", "token#a"] {
            assert!(ItemParent::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_two_kinds_and_no_two_lists_share_a_prefix() {
        let kinds = ItemKind::ALL.map(ItemKind::prefix);
        let lists = ItemList::ALL.map(ItemList::prefix);
        let all: std::collections::BTreeSet<_> = kinds.into_iter().chain(lists).collect();
        assert_eq!(all.len(), kinds.len() + lists.len());
    }
}
