//! What is kept of a link: short, since a store takes 4 KiB and a link may have a hundred files.
//!
//! Invariant: what was kept reads back, also by later programs, which may have kept more. What every link may be
//! at the most fits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::link::{Link, LinkText};
use super::{STORE, kept};
use crate::capability_token::{Generation, RenewableId};
use crate::domain::{Audience, FileId, Invalid, UserId, from_millis};
use crate::item_store::{Item, ItemBody, StoreError};
use crate::passwords::PasswordHash;

#[derive(Serialize, Deserialize)]
struct StoredLink {
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(rename = "g")]
    generation: u16,
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    max_downloads: Option<u32>,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    /// In milliseconds since 1970.
    #[serde(rename = "c")]
    created_at: i64,
    /// The IDs' bytes, one behind the other, in base64url.
    #[serde(rename = "f")]
    files: String,
}

pub(super) fn to_item(link: &Link) -> Result<Item, StoreError> {
    let files: Vec<u8> = link
        .files
        .iter()
        .flat_map(|id| id.as_bytes().iter().copied())
        .collect();
    let text = |text: &Option<LinkText>| text.as_ref().map(|text| text.as_str().to_owned());
    let body = ItemBody::of(&StoredLink {
        owner: link.owner.map(|owner| owner.to_string()),
        generation: link.generation.number(),
        title: text(&link.title),
        label: text(&link.label),
        max_downloads: link.max_downloads,
        password: link.password.as_ref().map(PasswordHash::to_stored),
        audience: Some(link.audience)
            .filter(|audience| *audience != Audience::Anyone)
            .map(|audience| audience.as_str().to_owned()),
        created_at: link.created_at.timestamp_millis(),
        files: URL_SAFE_NO_PAD.encode(files),
    });
    Ok(Item::new(
        kept::key(link.id)?,
        Some(kept::list_of(link.owner)?),
        link.expires_at,
        body.map_err(corrupt)?,
    ))
}

pub(super) fn from_item(item: &Item) -> Result<Link, StoreError> {
    let stored: StoredLink = item.body.read().map_err(corrupt)?;
    read(item, stored).map_err(corrupt)
}

fn read(item: &Item, stored: StoredLink) -> Result<Link, Invalid> {
    let damaged = |what: &str| Invalid(format!("{what} of a link can't be read"));
    let files = URL_SAFE_NO_PAD.decode(&stored.files);
    let files = files.map_err(|_| damaged("the files"))?;
    let (files, rest) = files.as_chunks::<16>();
    let files = files.iter().map(|bytes| FileId::from_bytes(*bytes));
    let files: Option<Vec<FileId>> = files.collect();
    Ok(Link {
        id: RenewableId::parse(item.key.id())?,
        generation: Generation::from_number(stored.generation),
        owner: stored.owner.as_deref().map(UserId::parse).transpose()?,
        files: files
            .filter(|_| rest.is_empty())
            .ok_or_else(|| damaged("the files"))?,
        title: stored.title.map(LinkText::from_stored),
        label: stored.label.map(LinkText::from_stored),
        expires_at: item.expires_at,
        max_downloads: stored.max_downloads,
        password: stored
            .password
            .as_deref()
            .map(PasswordHash::from_stored)
            .transpose()?,
        // One that isn't known might be for fewer people, and must not be taken for everybody's.
        audience: match stored.audience.as_deref() {
            None => Audience::Anyone,
            Some(text) => Audience::parse(text)?,
        },
        created_at: from_millis(stored.created_at).ok_or_else(|| damaged("the beginning"))?,
    })
}

fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::link::{
        MAX_DOWNLOADS, MAX_LABEL_CHARACTERS, MAX_LINK_FILES, MAX_TITLE_CHARACTERS,
    };

    fn largest() -> Link {
        let now = from_millis(1_790_000_000_123).unwrap();
        let text = |characters: usize| Some(LinkText::from_stored("\u{1F4DA}".repeat(characters)));
        Link {
            id: RenewableId::new(now).unwrap(),
            generation: Generation::from_number(u16::MAX),
            owner: Some(UserId::of("https://id.example.org", "alice")),
            files: (0..MAX_LINK_FILES).map(|_| FileId::new(now)).collect(),
            title: text(MAX_TITLE_CHARACTERS),
            label: text(MAX_LABEL_CHARACTERS),
            expires_at: now,
            max_downloads: Some(MAX_DOWNLOADS),
            password: Some(PasswordHash::sample()),
            audience: Audience::SignedIn,
            created_at: now,
        }
    }

    #[test]
    fn the_largest_link_fits_and_every_link_reads_back() {
        let largest = largest();
        let smallest = Link {
            generation: Generation::FIRST,
            owner: None,
            files: largest.files[..1].to_vec(),
            title: None,
            label: None,
            max_downloads: None,
            password: None,
            audience: Audience::Anyone,
            ..largest.clone()
        };
        for link in [largest, smallest] {
            let item = to_item(&link).unwrap();
            assert_eq!(from_item(&item).unwrap(), link);
            let parent = item.parent.unwrap();
            let of = link
                .owner
                .map_or("operator".into(), |owner| owner.to_string());
            assert_eq!(parent.as_str(), format!("links#{of}"));
        }
    }

    #[test]
    fn a_link_for_people_that_this_program_does_not_know_is_for_nobody() {
        let item = to_item(&largest()).unwrap();
        let changed = item.body.as_str().replace("signed_in", "the_institute");
        let item = Item {
            body: ItemBody::new(changed).unwrap(),
            ..item
        };
        assert!(matches!(from_item(&item), Err(StoreError::Corrupt { .. })));
    }

    #[test]
    fn a_link_of_a_later_program_can_be_read() {
        let link = largest();
        let item = to_item(&link).unwrap();
        let more = item.body.as_str().replacen('{', r#"{"later":[1],"#, 1);
        let body = ItemBody::new(more).unwrap();
        assert_eq!(from_item(&Item { body, ..item }).unwrap(), link);
    }
}
