//! Listing what there is: one shard after the other, in each by name.
//!
//! Invariant: memory holds the names of one shard, a 256th of all. A shard that can't be read is an
//! error and never an empty one, since the caller draws conclusions from what isn't listed.

use std::io;

use super::data_dir::{DataDir, shard_name, shard_of};
use super::read::last_modified;
use super::versions::{as_text, content, is_foreign, open, open_at};
use super::{NAME, from_io};
use crate::domain::{FileId, ObjectKey, Timestamp};
use crate::object_store::{ListPosition, ListedObject, Listing};
use crate::store_error::StoreError;

/// A position is the shard and the name of the last file that was listed: `3f/{id}`.
pub(super) fn list(
    dir: &DataDir,
    as_of: Timestamp,
    after: Option<&ListPosition>,
    limit: usize,
) -> Result<Listing, StoreError> {
    let (first, mut behind) = match after {
        None => (0, String::new()),
        Some(position) => read_position(position)?,
    };
    let mut listing = Listing {
        as_of,
        objects: Vec::new(),
        foreign: 0,
        next: None,
    };
    let mut taken = 0;
    for shard in first..=u8::MAX {
        for name in names_behind(dir, shard, &behind).map_err(from_io)? {
            match object_named(dir, shard, &name).map_err(from_io)? {
                Found::Object(object) => listing.objects.push(object),
                Found::Foreign => listing.foreign += 1,
                Found::Nothing => continue,
            }
            taken += 1;
            if taken == limit {
                // Perhaps there is nothing behind it; the next page says so.
                listing.next = Some(ListPosition(format!("{}/{name}", shard_name(shard))));
                return Ok(listing);
            }
        }
        behind.clear();
    }
    Ok(listing)
}

fn read_position(position: &ListPosition) -> Result<(u8, String), StoreError> {
    let parts = position.0.split_once('/');
    parts
        .and_then(|(shard, name)| Some((u8::from_str_radix(shard, 16).ok()?, name.to_owned())))
        .ok_or_else(|| StoreError::corrupt(NAME, "a position in a listing"))
}

fn names_behind(dir: &DataDir, shard: u8, behind: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.shard_dir(shard))? {
        let name = as_text(&entry?.file_name());
        if *name > *behind {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

enum Found {
    Object(ListedObject),
    /// No object of this service.
    Foreign,
    /// It went away since its name was read, or was on its way out for longer.
    Nothing,
}

fn object_named(dir: &DataDir, shard: u8, name: &str) -> io::Result<Found> {
    let key = FileId::parse(name)
        .ok()
        .filter(|id| id.to_string() == name)
        .map(ObjectKey::new)
        .filter(|key| shard_of(*key) == shard);
    let Some(key) = key else {
        return Ok(Found::Foreign);
    };
    let opened = match open(dir.object_path(key)) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(Found::Nothing),
        Err(error) if is_foreign(&error) => return Ok(Found::Foreign),
        Err(error) => return Err(error),
    };
    let metadata = opened.metadata()?;
    let object = |last_modified, has_others| {
        Found::Object(ListedObject {
            key,
            last_modified,
            has_others,
            is_quarantined: false,
        })
    };
    if metadata.is_file() {
        return Ok(object(last_modified(&metadata), false));
    }
    if !metadata.is_dir() {
        return Ok(Found::Foreign);
    }
    let content = content(&opened)?;
    let mut newest = None;
    for version in &content.versions {
        let file = open_at(&opened, version.as_str())?;
        let file = file.map(|file| file.metadata()).transpose()?;
        newest = newest.max(file.as_ref().map(last_modified));
    }
    Ok(match newest {
        Some(newest) => object(newest, content.versions.len() > 1),
        None if content.foreign => Found::Foreign,
        None => Found::Nothing,
    })
}
