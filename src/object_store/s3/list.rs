//! Listing what there is, in the order of keys.
//!
//! Invariant: versions that aren't current, and those under a delete marker, count too, wherever the
//! store knows versions. A key is on one page only: the next page begins behind the last key, and
//! with it behind all of that key's versions. Those come newest first, so the page has the newest.

use super::{Failure, S3ObjectStore, STORE, StoreError, has_no_such_call, timestamp, undated};
use crate::aws::{AnswerDate, unavailable};
use crate::domain::{KEY_PREFIX, ObjectKey, Timestamp};
use crate::object_store::{ListPosition, ListedObject, Listing, MAX_LISTING};
use aws_sdk_s3::primitives::DateTime;
use std::collections::HashSet;

/// Part of an answer: a key, and when a version of it came.
type Entry<'a> = (Option<&'a str>, Option<&'a DateTime>);

/// An answer, from whichever call.
struct Page<'a> {
    entries: Vec<Entry<'a>>,
    /// The keys whose newest entry is a delete marker.
    hidden: HashSet<&'a str>,
    is_truncated: bool,
    as_of: Timestamp,
}

pub(super) async fn list(
    store: &S3ObjectStore,
    after: Option<&ListPosition>,
    limit: usize,
) -> Result<Listing, StoreError> {
    // At most 1,000, so it fits.
    let max_keys = i32::try_from(limit.clamp(1, MAX_LISTING)).unwrap_or(i32::MAX);
    let answered = AnswerDate::default();
    let answer = store
        .client
        .list_object_versions()
        .bucket(&store.bucket)
        .prefix(KEY_PREFIX)
        .set_key_marker(after.map(|position| position.0.clone()))
        .max_keys(max_keys)
        .customize()
        .interceptor(answered.clone())
        .send()
        .await;
    let output = match answer {
        Ok(output) => output,
        Err(error) => {
            let failure = Failure::new("ListObjectVersions", &error);
            if has_no_such_call(&failure) {
                return list_unversioned(store, after, max_keys).await;
            }
            return Err(StoreError::unavailable(STORE, failure));
        }
    };
    let versions = output.versions().iter();
    let versions = versions.map(|it| (it.key(), it.last_modified()));
    let markers = output.delete_markers().iter();
    let markers = markers.map(|it| (it.key(), it.last_modified()));
    // Only a key's newest entry says this; the others tell nothing about what is seen of it.
    let hidden = output.delete_markers().iter();
    let hidden = hidden.filter(|it| it.is_latest() == Some(true));
    listing(Page {
        entries: versions.chain(markers).collect(),
        hidden: hidden.filter_map(|it| it.key()).collect(),
        is_truncated: output.is_truncated() == Some(true),
        as_of: answered.get().map_err(undated)?,
    })
}

/// For a store without versions.
async fn list_unversioned(
    store: &S3ObjectStore,
    after: Option<&ListPosition>,
    max_keys: i32,
) -> Result<Listing, StoreError> {
    let answered = AnswerDate::default();
    let output = store
        .client
        .list_objects_v2()
        .bucket(&store.bucket)
        .prefix(KEY_PREFIX)
        .set_start_after(after.map(|position| position.0.clone()))
        .max_keys(max_keys)
        .customize()
        .interceptor(answered.clone())
        .send()
        .await
        .map_err(|error| unavailable(STORE, "ListObjectsV2", &error))?;
    let objects = output.contents().iter();
    listing(Page {
        entries: objects.map(|it| (it.key(), it.last_modified())).collect(),
        hidden: HashSet::new(),
        is_truncated: output.is_truncated() == Some(true),
        as_of: answered.get().map_err(undated)?,
    })
}

fn listing(page: Page<'_>) -> Result<Listing, StoreError> {
    let unreadable = || StoreError::corrupt(STORE, "an entry of a listing");
    let mut entries = page
        .entries
        .into_iter()
        .map(|(key, at)| Some((key?, at.and_then(timestamp)?)))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(unreadable)?;
    // Versions and delete markers come in lists of their own. The newest first, for each key.
    entries.sort_by(|(key, at), (other_key, other_at)| {
        key.cmp(other_key).then_with(|| other_at.cmp(at))
    });
    let several: HashSet<&str> = entries
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| pair[0].0)
        .collect();
    entries.dedup_by_key(|(key, _)| *key);
    let next = match entries.last() {
        Some((key, _)) if page.is_truncated => Some(ListPosition((*key).to_owned())),
        None if page.is_truncated => return Err(unreadable()),
        _ => None,
    };
    let objects: Vec<_> = entries
        .iter()
        .filter_map(|(text, at)| {
            let key = ObjectKey::parse(text).ok()?;
            Some(ListedObject {
                // The page may have ended before the others.
                has_others: several.contains(text)
                    || next.as_ref().is_some_and(|it| it.0 == **text),
                key,
                last_modified: *at,
                is_quarantined: page.hidden.contains(text),
            })
        })
        .collect();
    Ok(Listing {
        as_of: page.as_of,
        foreign: entries.len() - objects.len(),
        objects,
        next,
    })
}
