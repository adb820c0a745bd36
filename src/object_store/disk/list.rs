//! Listing what there is: one shard after the other, in each by name.
//!
//! Invariant: memory holds the names of one shard, a 256th of all. A shard that can't be read is an
//! error and never an empty one, since the caller draws conclusions from what isn't listed.

use std::io;

use super::data_dir::{DataDir, shard_name, shard_of};
use super::read::head_of;
use super::{NAME, from_io};
use crate::domain::{FileId, ObjectKey};
use crate::object_store::{ListPosition, ListedObject, Listing};
use crate::store_error::StoreError;

/// A position is the shard and the name of the last file that was listed: `3f/{id}`.
pub(super) fn list(
    dir: &DataDir,
    after: Option<&ListPosition>,
    limit: usize,
) -> Result<Listing, StoreError> {
    let (first, mut behind) = match after {
        None => (0, String::new()),
        Some(position) => read_position(position)?,
    };
    let mut listing = Listing {
        as_of: super::now(),
        objects: Vec::new(),
        foreign: 0,
        next: None,
    };
    let mut taken = 0;
    for shard in first..=u8::MAX {
        for name in names_behind(dir, shard, &behind).map_err(from_io)? {
            match object_named(dir, shard, &name).map_err(from_io)? {
                Some(object) => listing.objects.push(object),
                None => listing.foreign += 1,
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
        let name = entry?.file_name().to_string_lossy().into_owned();
        if *name > *behind {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// `None` for what isn't an object of this service, or went away since its name was read.
fn object_named(dir: &DataDir, shard: u8, name: &str) -> io::Result<Option<ListedObject>> {
    let key = FileId::parse(name)
        .ok()
        .filter(|id| id.to_string() == name)
        .map(ObjectKey::new)
        .filter(|key| shard_of(*key) == shard);
    let Some(key) = key else {
        return Ok(None);
    };
    match dir.object_path(key).symlink_metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some(ListedObject {
            key,
            has_others: false,
            is_quarantined: false,
            last_modified: head_of(&metadata).last_modified,
        })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
