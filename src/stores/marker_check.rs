//! At a start: do records and objects belong together?
//!
//! Invariant: nothing is written where they don't, and no store that merely doesn't answer ends the start.
//! [`MarkersCheck`] writes nothing at all.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::StartError;
use crate::domain::Status;
use crate::metadata_store::PageRequest;
use crate::operations::Stores;
use crate::start_check::{Finding, Flaw, StartCheck};
use crate::store_error::StoreError;
use crate::store_marker::{MarkedStore, Marker, MarkerState, Mismatch, StorePair, compare};

const OLDER_COPY: &str = "the records are an older copy: the objects know of later starts. What was uploaded since \
                          then has no record, and is not looked for to be deleted until `file-share adopt --yes`";

const OLDER_OBJECTS: &str = "the objects are an older copy: the records know of later starts. Files that came since \
                             then have no bytes. Restore the objects of the same time as the records; `file-share \
                             scrub` names what is missing, and `file-share adopt --yes` goes on without it";

/// How long a start waits for stores that are away.
const LIMIT: Duration = Duration::from_secs(5);

/// What the markers allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Records and objects belong together, or nobody could see that they don't.
    Everything,
    /// Records or objects are a copy from before: no object may be taken for nobody's.
    NoSweep,
}

/// Whether somebody counts the starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    Counted,
    NotCounted,
}

/// What has to be known before anything is served: whether the stores can be used together. Reads only, so
/// that a start doesn't wait for a disk's syncs; [`check_markers`] does the rest meanwhile.
///
/// # Errors
/// As [`check_markers`].
pub(super) async fn refuse_mismatch(
    pair: StorePair<'_>,
    stores: &Stores,
) -> Result<(), StartError> {
    match look(pair, stores).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(mismatch)) => Err(StartError(mismatch.to_string())),
        Err(error) => could_not_be_seen(&error),
    }
}

/// Marks both stores where that wasn't done, and counts the start where starts are counted.
///
/// # Errors
/// Why the stores can't be used together, with what to do.
pub(super) async fn check_markers(
    pair: StorePair<'_>,
    stores: &Stores,
    starts: Starts,
) -> Result<Allowed, StartError> {
    match try_check_markers(pair, stores, starts).await {
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

/// [`check_markers`] where stores may be away, and nobody counts starts.
///
/// # Errors
/// As there.
pub(super) async fn check_markers_in_time(
    stores_marked: StorePair<'_>,
    stores: &Stores,
) -> Result<Allowed, StartError> {
    let paired = check_markers(stores_marked, stores, Starts::NotCounted);
    match tokio::time::timeout(LIMIT, paired).await {
        Ok(paired) => paired,
        Err(_) => {
            tracing::warn!("whether table and bucket belong together could not be seen to in time");
            Ok(Allowed::Everything)
        }
    }
}

async fn try_check_markers(
    pair: StorePair<'_>,
    stores: &Stores,
    starts: Starts,
) -> Result<Result<Allowed, Mismatch>, StoreError> {
    let marker = match look(pair, stores).await? {
        Err(mismatch) => return Ok(Err(mismatch)),
        // Not counted: then the next start would see nothing of it.
        Ok(MarkerState::RecordsFromBefore) => {
            tracing::error!("{OLDER_COPY}");
            return Ok(Ok(Allowed::NoSweep));
        }
        Ok(MarkerState::ObjectsFromBefore) => {
            tracing::error!("{OLDER_OBJECTS}");
            return Ok(Ok(Allowed::NoSweep));
        }
        Ok(MarkerState::Matching(marker)) => marker,
        Ok(MarkerState::Unmarked | MarkerState::Unfinished(_)) => {
            pair.mark().await?;
            // Somebody else may have been faster, or stopped halfway with other objects.
            let (records, objects) = pair.look().await?;
            match compare(records, objects) {
                Ok(MarkerState::Matching(marker)) => marker,
                Ok(_) => return Ok(Err(Mismatch::Different)),
                Err(mismatch) => return Ok(Err(mismatch)),
            }
        }
    };
    settle(pair, &marker, starts).await?;
    Ok(Ok(Allowed::Everything))
}

/// What the markers say, and where there are none yet, the stores themselves.
async fn look(
    pair: StorePair<'_>,
    stores: &Stores,
) -> Result<Result<MarkerState, Mismatch>, StoreError> {
    let (records, objects) = pair.look().await?;
    match compare(records, objects) {
        Ok(MarkerState::Unmarked) if has_files_without_objects(stores).await? => {
            Ok(Err(Mismatch::NoObjects))
        }
        judged => Ok(judged),
    }
}

/// Whether records and objects belong together, seen without marking them.
pub struct MarkersCheck {
    /// Asked for files and objects where neither store has a marker.
    pub stores: Stores,
    /// The store of the records.
    pub records: Arc<dyn MarkedStore>,
    /// The store of the objects.
    pub objects: Arc<dyn MarkedStore>,
}

#[async_trait]
impl StartCheck for MarkersCheck {
    fn name(&self) -> &'static str {
        "markers"
    }

    fn subject(&self) -> String {
        "whether records and objects belong together".into()
    }

    async fn look(&self) -> Vec<Finding> {
        let pair = StorePair {
            records: self.records.as_ref(),
            objects: self.objects.as_ref(),
        };
        let finding = match look(pair, &self.stores).await {
            Ok(Ok(MarkerState::Matching(_))) => {
                Finding::Fine("records and objects belong together".into())
            }
            Ok(Ok(MarkerState::Unmarked | MarkerState::Unfinished(_))) => Finding::Fine(
                "records and objects aren't marked yet: the next start does it".into(),
            ),
            Ok(Ok(MarkerState::RecordsFromBefore)) => {
                Finding::WrongForNow(Flaw::of_sentences(OLDER_COPY))
            }
            Ok(Ok(MarkerState::ObjectsFromBefore)) => {
                Finding::WrongForNow(Flaw::of_sentences(OLDER_OBJECTS))
            }
            Ok(Err(mismatch)) => Finding::Wrong(Flaw::of_sentences(&mismatch.to_string())),
            Err(error @ StoreError::Corrupt { .. }) => Finding::Wrong(Flaw::new(
                error.chain(),
                "Restore it from a backup; `file-share adopt` marks both afresh.",
            )),
            Err(error) => Finding::Away(error.chain()),
        };
        vec![finding]
    }
}

async fn settle(pair: StorePair<'_>, marker: &Marker, starts: Starts) -> Result<(), StoreError> {
    match starts {
        Starts::Counted => pair.count_start(marker).await,
        Starts::NotCounted => pair.confirm(marker).await,
    }
}

/// Files are available, and there is not one object.
async fn has_files_without_objects(stores: &Stores) -> Result<bool, StoreError> {
    let available = PageRequest {
        owner: None,
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
