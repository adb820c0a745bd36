//! Taking objects away: for good, or aside for a while.
//!
//! Invariant: when a call returns, what it took away stays away after a power cut. A call that is cut off
//! leaves a state that the same call, or an upload, goes on from: at most an empty directory.
//!
//! ```text
//! {data_dir}/quarantine/{when it was moved}-{id}
//! ```
//!
//! The time is in the name, where no copy of the directory loses it.

use std::fs;
use std::io;
use std::time::Duration;

use chrono::NaiveDateTime;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::data_dir::{DataDir, sync_dir};
use super::versions::{as_text, content, open};
use crate::domain::{FileId, ObjectKey, Timestamp, VersionId};

/// In the name of what was moved aside: sorts by time, and means the same to every tool that copies files.
const MOVED_AT: &str = "%Y%m%dT%H%M%SZ";
/// How many objects one call deletes for good.
pub(super) const ENDED_AT_ONCE: usize = 100;
/// How often a name for the quarantine is tried: a second time only for the same object in one second.
const NAMES: u32 = 10;

/// Whatever is at the object's place, in all its versions.
pub(super) fn all_versions(dir: &DataDir, key: ObjectKey) -> io::Result<()> {
    remove(&dir.object_path(key))?;
    // Synced even if nothing was there: the one who removed it may not have come to that.
    dir.sync_shard(key)
}

/// A file or link, or a directory and the files in it.
fn remove(place: &std::path::Path) -> io::Result<()> {
    let removed = match fs::remove_file(place) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => remove_dir(place),
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn remove_dir(place: &std::path::Path) -> io::Result<()> {
    let Some(opened) = open(place)? else {
        return Ok(());
    };
    for entry in fs::read_dir(place)? {
        match unlinkat(&opened, entry?.file_name(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match fs::remove_dir(place) {
        // Somebody began after us to put something there.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => opened.sync_all(),
        removed => removed,
    }
}

/// All versions but the named one; none if that isn't there.
pub(super) fn other_versions(
    dir: &DataDir,
    key: ObjectKey,
    VersionId(named): &VersionId,
) -> io::Result<()> {
    let Some(opened) = open(dir.object_path(key))? else {
        return Ok(());
    };
    if !opened.metadata()?.is_dir() {
        return Ok(());
    }
    let versions = content(&opened)?.versions;
    if !versions.contains(named) {
        return Ok(());
    }
    for version in versions.iter().filter(|version| *version != named) {
        match unlinkat(&opened, version.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    opened.sync_all()
}

/// Moves the object, in all its versions, out of sight.
pub(super) fn aside(dir: &DataDir, key: ObjectKey, now: Timestamp) -> io::Result<()> {
    for second in 0..NAMES {
        let at = now + Duration::from_secs(second.into());
        let name = format!("{}-{}", at.format(MOVED_AT), key.file_id());
        let to = dir.quarantine().join(name);
        if to.symlink_metadata().is_ok() {
            continue;
        }
        match fs::rename(dir.object_path(key), to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {
                // Here first: what is lost on the way is to be there twice, and not gone.
                sync_dir(dir.quarantine())?;
                return dir.sync_shard(key);
            }
        }
    }
    Err(io::Error::other(
        "there is no free name for it in the quarantine",
    ))
}

/// Deletes for good what was moved aside before `before`, and says how much that was.
pub(super) fn end_quarantine(dir: &DataDir, before: Timestamp) -> io::Result<usize> {
    let mut over = Vec::new();
    for entry in fs::read_dir(dir.quarantine())? {
        let name = as_text(&entry?.file_name());
        if moved_at(&name).is_some_and(|moved_at| moved_at < before) {
            over.push(name);
        }
        if over.len() == ENDED_AT_ONCE {
            break;
        }
    }
    for name in &over {
        remove(&dir.quarantine().join(name))?;
    }
    if !over.is_empty() {
        sync_dir(dir.quarantine())?;
    }
    Ok(over.len())
}

/// `None` for what this module didn't move there, which stays.
fn moved_at(name: &str) -> Option<Timestamp> {
    let (moved_at, id) = name.split_once('-')?;
    FileId::parse(id).ok()?;
    let moved_at = NaiveDateTime::parse_from_str(moved_at, MOVED_AT).ok()?;
    Some(moved_at.and_utc())
}
