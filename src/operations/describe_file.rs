//! What is known of a file, now or as soon as its upload is settled.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Context, OperationError, Stores};
use crate::access::Action;
use crate::domain::{FileId, FileRecord};

/// The longest that a client may wait for a settlement. Below what proxies commonly cut off.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The first pause between two looks at a pending record, and the longest one. Most uploads are
/// settled in well under a second, and every look costs a read.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The record as it is now, if clients may see it.
///
/// # Errors
/// [`OperationError::FileNotFound`], or a store's fault.
pub async fn describe_file(
    stores: &Stores,
    context: &Context,
    id: FileId,
) -> Result<FileRecord, OperationError> {
    stores.record_for(context, Action::DescribeFile, id).await
}

/// The record as soon as it is no longer pending, or as it is after `wait` (at most
/// [`LONGEST_WAIT`]) or when `stop` is cancelled: a program that stops keeps nobody waiting.
///
/// A look that fails on the way is made again: the wait is many looks, and would otherwise fail far
/// more often than one.
///
/// # Errors
/// As [`describe_file`], also if the file is deleted meanwhile. A store's fault only if the first look
/// failed, or the last.
pub async fn await_settled(
    stores: &Stores,
    context: &Context,
    id: FileId,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<FileRecord, OperationError> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    let mut pause = FIRST_PAUSE;
    let mut found = Err(OperationError::FileNotFound);
    loop {
        let looked = stores.record_for(context, Action::AwaitFile, id).await;
        let is_over = Instant::now() >= deadline || stop.is_cancelled();
        found = match looked {
            Err(OperationError::Store(_)) if found.is_ok() && !is_over => found,
            looked => looked,
        };
        match &found {
            Ok(record) if !record.status().is_final() && !is_over => {}
            _ => return found,
        }
        tokio::select! {
            () = sleep_until((Instant::now() + pause).min(deadline)) => {}
            () = stop.cancelled() => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
