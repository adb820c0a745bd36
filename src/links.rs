//! Links: files that somebody passes on, to whoever has the link's URL.
//!
//! ```text
//! item link#ID          what the link is, in the list of its owner's links
//! item linked#ID-FILE   one for each file: how often it was taken, in the list of that file's links
//! ```
//!
//! Invariant: the URL is the capability. No secret is kept, a forged URL is refused before any store is read, and
//! an old one is over once its link was renewed. A file is taken by a link at most as often as the link says: one
//! conditional write counts, before a URL is signed. A link passes on what its owner might fetch, and is there until
//! it ends; without it, what is kept of its files says nothing.
//!
//! Absent on purpose: HTTP, and whether a URL is ever used.

mod change_link;
mod create_link;
mod grants;
mod kept;
mod link;
mod list_links;
mod revoke_link;
mod shared;
mod stored;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use change_link::{LinkChange, change_link};
pub use create_link::{NewLink, create_link};
pub use grants::{GrantId, GrantKey, REPLAY_WINDOW};
pub use link::{
    DEFAULT_LIFETIME, LONGEST_LIFETIME, Link, LinkText, MAX_DOWNLOADS, MAX_LABEL_CHARACTERS,
    MAX_LINK_FILES, MAX_TITLE_CHARACTERS, linked_files, max_downloads,
};
pub use list_links::{LinkPage, list_file_links, list_links};
pub use revoke_link::revoke_link;
pub use shared::{
    GRANT_LIFETIME, Grant, SharedFile, SharedFiles, Taking, describe_shared, download_shared,
};

use crate::capability_token::{CapabilityId, CapabilityKeys, CapabilityLabel, CapabilityToken};
use crate::item_store::ItemStore;
use crate::passwords::Passwords;
pub use crate::passwords::{MAX_PASSWORD_CHARACTERS, Password};
use crate::webhooks::Webhooks;

/// How errors call the store, where what it holds makes no sense.
const STORE: &str = "the store of links";
/// How many calls to a store one request makes at a time: a link may have a hundred files.
const AT_A_TIME: usize = 8;

/// What links work with: where they are kept, what their URLs are signed with, and the bounds on guessing.
pub struct Links {
    items: Arc<dyn ItemStore>,
    keys: CapabilityKeys,
    passwords: Arc<Passwords>,
    turns: grants::Turns,
    webhooks: Webhooks,
}

impl Links {
    /// Those that are kept in this store; `keys` sign and verify their URLs.
    pub fn new(items: Arc<dyn ItemStore>, keys: CapabilityKeys, passwords: Arc<Passwords>) -> Self {
        Self {
            items,
            keys,
            passwords,
            turns: grants::Turns::default(),
            webhooks: Webhooks::default(),
        }
    }

    /// The same, whose downloads are told.
    pub fn telling(self, webhooks: Webhooks) -> Self {
        Self { webhooks, ..self }
    }

    /// What stands in the URL of a link as it is now. Nothing of it is kept, so it can be shown again.
    pub fn token(&self, link: &Link) -> CapabilityToken {
        let id = CapabilityId::of(link.id, link.generation);
        self.keys.sign(CapabilityLabel::Link, id)
    }
}
