//! At a start: do records and objects belong together?
//!
//! Invariant: nothing is written where they don't, and no store that merely doesn't answer ends the start.

use std::time::Duration;

use super::StartError;
use crate::domain::Status;
use crate::metadata_store::PageRequest;
use crate::operations::Stores;
use crate::store_error::StoreError;
use crate::store_marker::{Marker, Mismatch, Pair, Pairing, judge};

/// How long a start waits for stores that are away.
const LIMIT: Duration = Duration::from_secs(5);

/// What the markers allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Everything,
    /// The records are a copy from before: no object may be taken for nobody's.
    NoSweep,
}

/// Whether somebody counts the starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    Counted,
    NotCounted,
}

/// What has to be known before anything is served: whether the stores can be used together. Reads only, so
/// that a start doesn't wait for a disk's syncs; [`pair`] does the rest meanwhile.
///
/// # Errors
/// As [`pair`].
pub(super) async fn refuse_mismatch(pair: Pair<'_>, stores: &Stores) -> Result<(), StartError> {
    let judged = async {
        let (records, objects) = pair.look().await?;
        Ok(match judge(records, objects) {
            Err(mismatch) => Some(mismatch),
            Ok(Pairing::Unmarked) if has_files_without_objects(stores).await? => {
                Some(Mismatch::NoObjects)
            }
            Ok(_) => None,
        })
    };
    match judged.await {
        Ok(None) => Ok(()),
        Ok(Some(mismatch)) => Err(StartError(mismatch.to_string())),
        Err(error) => could_not_be_seen(&error),
    }
}

/// Marks both stores where that wasn't done, and counts the start where starts are counted.
///
/// # Errors
/// Why the stores can't be used together, with what to do.
pub(super) async fn pair(
    pair: Pair<'_>,
    stores: &Stores,
    starts: Starts,
) -> Result<Allowed, StartError> {
    match pair_or_fail(pair, stores, starts).await {
        Ok(paired) => paired.map_err(|mismatch| StartError(mismatch.to_string())),
        Err(error) => could_not_be_seen(&error).map(|()| Allowed::Everything),
    }
}

/// A damaged marker won't read better later; everything else may.
fn could_not_be_seen(error: &StoreError) -> Result<(), StartError> {
    if let StoreError::Corrupt { .. } = error {
        return Err(StartError(error.chain()));
    }
    tracing::warn!(
        error = %error.chain(),
        "whether records and objects belong together could not be seen to"
    );
    Ok(())
}

/// [`pair`] where stores may be away, and nobody counts starts.
///
/// # Errors
/// As there.
pub(super) async fn pair_in_time(
    stores_marked: Pair<'_>,
    stores: &Stores,
) -> Result<(), StartError> {
    let paired = pair(stores_marked, stores, Starts::NotCounted);
    match tokio::time::timeout(LIMIT, paired).await {
        Ok(paired) => paired.map(drop),
        Err(_) => {
            tracing::warn!("whether table and bucket belong together could not be seen to in time");
            Ok(())
        }
    }
}

async fn pair_or_fail(
    pair: Pair<'_>,
    stores: &Stores,
    starts: Starts,
) -> Result<Result<Allowed, Mismatch>, StoreError> {
    let (records, objects) = pair.look().await?;
    let marker = match judge(records, objects) {
        Err(mismatch) => return Ok(Err(mismatch)),
        Ok(Pairing::RecordsFromBefore) => {
            tracing::error!(
                "the records are an older copy: the objects know of later starts. What was uploaded since \
                 then has no record, and is not looked for to be deleted until `file-share adopt --yes`"
            );
            return Ok(Ok(Allowed::NoSweep));
        }
        Ok(Pairing::Matching(marker)) => marker,
        Ok(Pairing::Unmarked) if has_files_without_objects(stores).await? => {
            return Ok(Err(Mismatch::NoObjects));
        }
        Ok(Pairing::Unmarked | Pairing::Begun(_)) => {
            pair.mark().await?;
            // Somebody else may have been faster, or stopped halfway with other objects.
            let (records, objects) = pair.look().await?;
            match judge(records, objects) {
                Ok(Pairing::Matching(marker)) => marker,
                Ok(_) => return Ok(Err(Mismatch::Different)),
                Err(mismatch) => return Ok(Err(mismatch)),
            }
        }
    };
    settle(pair, &marker, starts).await?;
    Ok(Ok(Allowed::Everything))
}

async fn settle(pair: Pair<'_>, marker: &Marker, starts: Starts) -> Result<(), StoreError> {
    match starts {
        Starts::Counted => pair.count_start(marker).await,
        Starts::NotCounted => pair.confirm(marker).await,
    }
}

/// Files are available, and there is not one object.
async fn has_files_without_objects(stores: &Stores) -> Result<bool, StoreError> {
    let available = PageRequest {
        status: Some(Status::Available),
        before: None,
        limit: 1,
    };
    if stores.metadata.page(available).await?.records.is_empty() {
        return Ok(false);
    }
    let mut after = None;
    loop {
        let listing = stores.objects.list(after.as_ref(), 1).await?;
        if !listing.objects.is_empty() {
            return Ok(false);
        }
        match listing.next {
            Some(next) => after = Some(next),
            None => return Ok(true),
        }
    }
}
