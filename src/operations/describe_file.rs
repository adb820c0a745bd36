//! What is known of a file, now or as soon as its upload is settled.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{OperationError, Stores};
use crate::domain::{FileId, FileRecord, Status};

/// The longest that a client may wait for a settlement. Below what proxies commonly cut off.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The first pause between two looks at a pending record, and the longest one. Most uploads are
/// settled in well under a second, and every look costs a read.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// # Errors
/// [`OperationError::FileNotFound`], or a store's fault.
pub async fn describe_file(stores: &Stores, id: FileId) -> Result<FileRecord, OperationError> {
    stores.visible_record(id).await
}

/// The record as soon as it is no longer pending, or as it is after `wait` (at most
/// [`LONGEST_WAIT`]).
///
/// # Errors
/// As [`describe_file`], also if the file is deleted meanwhile.
pub async fn await_settled(
    stores: &Stores,
    id: FileId,
    wait: Duration,
) -> Result<FileRecord, OperationError> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    let mut pause = FIRST_PAUSE;
    loop {
        let record = stores.visible_record(id).await?;
        let now = Instant::now();
        if record.status() != Status::Pending || now >= deadline {
            return Ok(record);
        }
        sleep_until((now + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
