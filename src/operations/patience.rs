//! Going through files with patience: what `scrub` and `rescan` have in common.
//!
//! Invariant: one thing is tried [`ATTEMPTS`] times at most. What a store says at the last try is its answer.
//!
//! Absent on purpose: what is done with a file, and when a store counts as away.

use std::time::Duration;

use tokio::time::sleep;

use super::Stores;
use crate::domain::{FileId, FileRecord, Status};
use crate::metadata_store::{MAX_PAGE, Page, PageRequest};
use crate::store_error::StoreError;

/// How often one thing is tried, and the pauses in between: they double from the first, and a random share between half
/// and all of each is waited. About three seconds in all, longer than a scanner needs to be asked again.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Tries again what a fault may have hindered, or garbled on its way.
pub(super) async fn patiently<T, E, F>(attempt: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    patiently_while(Result::is_err, attempt).await
}

/// Tries again what came out as `is_to_repeat` says.
pub(super) async fn patiently_while<T, F>(
    is_to_repeat: impl Fn(&T) -> bool,
    attempt: impl Fn() -> F,
) -> T
where
    F: Future<Output = T>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        let came_out = attempt().await;
        if !is_to_repeat(&came_out) {
            return came_out;
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause *= 2;
    }
    attempt().await
}

/// Available files, newest first, behind this one.
pub(super) async fn available_before(
    stores: &Stores,
    before: Option<FileId>,
) -> Result<Page, StoreError> {
    let request = PageRequest {
        owner: None,
        status: Some(Status::Available),
        before,
        limit: MAX_PAGE,
    };
    patiently(|| stores.metadata.page(request)).await
}

/// Whether a file is still what its record said. One that was deleted since its record was read is no damage: its
/// tombstone was there before its bytes went, so a consistent read after the look tells the two apart.
pub(super) async fn is_unchanged(stores: &Stores, record: &FileRecord) -> Result<bool, StoreError> {
    let now = stores.metadata.get(record.id).await?;
    Ok(now.is_some_and(|now| now.state == record.state))
}
