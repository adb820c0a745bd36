//! Links as they go over the wire.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::Object;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::wire::{WireFile, WireStatus};
use crate::capability_token::{RENEWABLE_BYTES, RenewableId};
use crate::domain::{FileId, Invalid, UserId, format_timestamp};
use crate::links::{Grant, Link, LinkText, SharedFile, SharedFiles};

/// Files that somebody passes on.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Link", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireLink {
    /// What it is called where it is changed or ended; no secret.
    pub id: String,
    /// What to pass on. Whoever has it may fetch the files: treat it as a secret.
    pub url: String,
    /// What those who get it see above the files.
    pub title: Option<String>,
    /// What its owner notes of it. Nobody else sees that.
    pub label: Option<String>,
    /// The `id` of each file. Those that were deleted since are in it no more for those who get it.
    pub files: Vec<String>,
    /// When it ends, in UTC.
    pub expires_at: String,
    /// How often each file may be taken; null: without limit.
    pub max_downloads: Option<u32>,
    /// Whether it asks for a password.
    pub has_password: bool,
    /// For whom it is: `anyone` who has the URL, or of those whoever is `signed_in`.
    pub audience: String,
    /// When it was made, in UTC.
    pub created_at: String,
}

impl WireLink {
    pub(super) fn of(link: &Link, url: String) -> Self {
        let text = |text: &Option<LinkText>| text.as_ref().map(|text| text.as_str().to_owned());
        Self {
            id: link.id.to_string(),
            url,
            title: text(&link.title),
            label: text(&link.label),
            files: link.files.iter().map(ToString::to_string).collect(),
            expires_at: format_timestamp(link.expires_at),
            max_downloads: link.max_downloads,
            has_password: link.password.is_some(),
            audience: link.audience.as_str().to_owned(),
            created_at: format_timestamp(link.created_at),
        }
    }
}

/// A page of links, newest first.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "LinkPage", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireLinkPage {
    pub links: Vec<WireLink>,
    /// Give this as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// A file that a link passes on.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "SharedFile", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireSharedFile {
    /// A UUIDv7.
    pub id: String,
    /// The name in letters, marks, digits, `_`, `-` and `.`, which every system and header takes.
    pub filename: String,
    /// The name as it was given, for people to see.
    pub display_name: String,
    /// In bytes.
    pub size: u64,
    /// The media type.
    pub content_type: String,
    /// The SHA-256 of the bytes as 64 hex digits; null until they were measured, and where the link has a password:
    /// whoever knows that gets it with the URL of the bytes.
    pub sha256: Option<String>,
    /// Where in its life it is. It can be taken once it is `available`.
    pub status: WireStatus,
    /// How often it can still be taken; null: without limit.
    pub downloads_left: Option<u32>,
}

impl WireSharedFile {
    fn of(shared: &SharedFile, needs_password: bool) -> Option<Self> {
        let file = WireFile::of(&shared.record)?;
        Some(Self {
            id: file.id,
            filename: file.filename,
            display_name: file.display_name,
            size: file.size,
            content_type: file.content_type,
            // By it whoever has a guess of the bytes would find out whether it is right.
            sha256: file.sha256.filter(|_| !needs_password),
            status: file.status,
            downloads_left: shared.downloads_left,
        })
    }
}

/// What a link passes on.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Shared", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireShared {
    /// What whoever passes the files on calls them.
    pub title: Option<String>,
    /// Those that are still there.
    pub files: Vec<WireSharedFile>,
    /// When the link ends, in UTC.
    pub expires_at: String,
    /// Whether the bytes are for those alone who know the password.
    pub needs_password: bool,
    /// How often the file that was taken least can still be taken; null: without limit.
    pub downloads_left: Option<u32>,
}

impl WireShared {
    pub(super) fn of(shared: &SharedFiles) -> Self {
        let link = &shared.link;
        let left = shared.files.iter().filter_map(|file| file.downloads_left);
        let needs_password = link.password.is_some();
        let files = shared.files.iter();
        Self {
            title: link.title.as_ref().map(|title| title.as_str().to_owned()),
            files: files
                .filter_map(|file| WireSharedFile::of(file, needs_password))
                .collect(),
            expires_at: format_timestamp(link.expires_at),
            needs_password,
            downloads_left: link.max_downloads.map(|_| left.max().unwrap_or(0)),
        }
    }
}

/// A URL that brings a file.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "Grant", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireGrant {
    /// Brings the bytes, by GET. Treat it as a secret.
    pub url: String,
    /// Until when it may be asked for them, in UTC. A download that began goes on.
    pub expires_at: String,
    /// The SHA-256 of the bytes as 64 hex digits.
    pub sha256: String,
    /// How often the file can still be taken; null: without limit.
    pub downloads_left: Option<u32>,
}

impl WireGrant {
    pub(super) fn of(grant: &Grant) -> Self {
        Self {
            url: grant.url.expose().to_owned(),
            expires_at: format_timestamp(grant.expires_at),
            sha256: grant.sha256.to_hex(),
            downloads_left: grant.downloads_left,
        }
    }
}

const CHECK_BYTES: usize = 10;
/// With which cursors have the length of those of other lists.
const _: () = assert!(RENEWABLE_BYTES + CHECK_BYTES == 24);

/// Which list a page is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkList {
    /// All that this person made; `None`: that the operator made.
    OfOwner(Option<UserId>),
    /// Those of a file that this person sees.
    OfFile(FileId, Option<UserId>),
}

impl LinkList {
    /// Another text than that of any other list.
    fn name(self) -> String {
        let of = |owner: Option<UserId>| owner.map_or_else(String::new, |owner| owner.to_string());
        match self {
            Self::OfOwner(owner) => of(owner),
            Self::OfFile(file, owner) => format!("{file} {}", of(owner)),
        }
    }
}

/// Where a page ends, as an opaque text: the link, and a check that catches damage and texts from elsewhere, such as
/// of another list or of another owner's. A position is no secret, so the check is no signature.
pub(super) fn write_cursor(after: RenewableId, list: LinkList) -> String {
    let mut bytes = after.as_bytes().to_vec();
    bytes.extend(cursor_check(after, list));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The link that a page goes on behind.
///
/// # Errors
/// A text that [`write_cursor`] didn't write for this list.
pub(super) fn read_cursor(text: &str, list: LinkList) -> Result<RenewableId, Invalid> {
    let refused = || Invalid("must be a nextCursor of this list".into());
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let (id, check) = bytes
        .split_first_chunk::<RENEWABLE_BYTES>()
        .ok_or_else(refused)?;
    let id = RenewableId::from_bytes(*id);
    match check == cursor_check(id, list) {
        true => Ok(id),
        false => Err(refused()),
    }
}

fn cursor_check(after: RenewableId, list: LinkList) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new()
        .chain_update("file-share link cursor 1\n")
        .chain_update(after.as_bytes())
        .chain_update(list.name())
        .finalize();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    #[test]
    fn a_cursor_reads_back_with_its_own_list_only() {
        let now = from_millis(1_790_000_000_123).unwrap();
        let id = RenewableId::new(now).unwrap();
        let owners = [
            None,
            Some(UserId::of("i", "alice")),
            Some(UserId::of("i", "bob")),
        ];
        let file = FileId::new(now);
        let of_owner = owners.map(LinkList::OfOwner);
        let of_file = owners.map(|owner| LinkList::OfFile(file, owner));
        let of_other = owners.map(|owner| LinkList::OfFile(FileId::new(now), owner));
        let lists = [of_owner, of_file, of_other].concat();
        for list in &lists {
            let text = write_cursor(id, *list);
            assert_eq!(text.len(), 32);
            for other in &lists {
                assert_eq!(read_cursor(&text, *other).is_ok(), list == other);
            }
            let changed = text.replace(&text[3..4], if &text[3..4] == "A" { "B" } else { "A" });
            for wrong in ["", "abc", &text[1..], &changed] {
                assert!(read_cursor(wrong, *list).is_err(), "{wrong}");
            }
        }
    }
}
