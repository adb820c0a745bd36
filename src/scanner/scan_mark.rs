//! The mark that files of a table are scanned, for the programs that don't scan.
//!
//! In aws mode several programs may settle a file, and each has settings of its own. Whoever scans keeps a mark where the
//! records are, and whoever doesn't reads it before a file becomes available by its word.
//!
//! ```text
//! scans           writes the mark at its start, and again every minute
//! says nothing    leaves the mark alone, and calls nothing available while it is there
//! SCANNER=off     the same, and a worker takes the mark away once nobody has written it for five minutes
//! ```
//!
//! Invariant: once the mark is there, no program that reads it lets a file through unscanned until a worker that was told
//! that nothing is to be scanned has seen for [`LAPSES_AFTER`], by its own monotonic clock, that no other one scans. So
//! neither a scanner's crash, a wrong clock, a restart nor a setting that was forgotten ends it, and a table that was
//! restored from before gets it back within a minute.
//!
//! Absent on purpose: what is in the mark. That it is there says all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::item_store::{Item, ItemBody, ItemKey, ItemKind, ItemStore, ItemVersion};
use crate::start_check::{Finding, Flaw, StartCheck};
use crate::store_error::StoreError;

/// How often whoever scans writes the mark, and whoever is to end that looks at it.
const MARK_INTERVAL: Duration = Duration::from_secs(60);
/// A mark that nobody has written for so long is of no program that runs.
const LAPSES_AFTER: Duration = Duration::from_secs(5 * 60);
/// The pause after a write or a look that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// For how long whoever saw the mark doesn't ask again.
const SEEN_FOR: Duration = Duration::from_secs(10);
/// How often it is written where others write it at the same moment.
const MAX_TRIES: usize = 4;
/// Items end, and this one isn't to: in a hundred years, or longer by as much as a clock is behind.
const KEPT_FOR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
const STORE: &str = "the mark of scanning";
const ID: &str = "required";

/// A write of the mark, and since when it is known to be the last one.
pub(super) type Watched = (ItemVersion, Instant);

/// The mark, as one program knows it.
pub struct ScanMark {
    items: Arc<dyn ItemStore>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Option<Instant>>,
}

impl ScanMark {
    /// The mark that is kept beside the records in this store.
    pub fn new(items: Arc<dyn ItemStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            items,
            clock,
            seen: Mutex::new(None),
        }
    }

    /// Whether the mark is there, as the last write before this call left it. That it is there is believed for a while,
    /// and never that it isn't.
    ///
    /// # Errors
    /// The store doesn't answer: then nobody knows.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        if self.was_seen() {
            return Ok(true);
        }
        Ok(self.read().await?.is_some())
    }

    /// Whether it was there a moment ago.
    pub fn was_seen(&self) -> bool {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|at| at.elapsed() < SEEN_FOR)
    }

    async fn read(&self) -> Result<Option<Item>, StoreError> {
        let kept = self.items.get(&key()?, self.clock.now()).await?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            kept.is_some().then(Instant::now);
        Ok(kept)
    }

    /// Writes it, whether or not it is there.
    pub(super) async fn write(&self) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            let now = self.clock.now();
            let written = match self.read().await? {
                Some(kept) => {
                    let kept = Item {
                        expires_at: now + KEPT_FOR,
                        ..kept
                    };
                    self.items.replace(&kept, now).await?
                }
                None => {
                    let body = ItemBody::of(&json!({}));
                    let body = body.map_err(|error| StoreError::corrupt(STORE, error.0))?;
                    let mark = Item::new(key()?, None, now + KEPT_FOR, body);
                    let written = self.items.put_new(&mark, now).await?;
                    if written {
                        tracing::info!("whoever uses this table leaves its files to the scanner");
                    }
                    written
                }
            };
            if written {
                return Ok(());
            }
        }
        Err(StoreError::unavailable(
            STORE,
            "others write it all the time",
        ))
    }

    /// Writes it until the stop, so that nobody takes it away.
    pub(super) async fn keep(&self, stop: CancellationToken) {
        let failed = "that files are scanned can't be written down";
        while is_next(self.write().await, failed, &stop).await {}
    }

    /// Takes it away once nobody has written it for [`LAPSES_AFTER`], each time that it is there, until the stop.
    pub(super) async fn let_lapse(&self, stop: CancellationToken) {
        let mut watched: Option<Watched> = None;
        let failed = "whether files are scanned can't be seen";
        while is_next(self.look(&mut watched).await, failed, &stop).await {}
    }

    /// One look; `watched` is which write of the mark is there, and since when that is known. After one that failed it
    /// isn't known any more: whoever scans may not have reached the store either.
    pub(super) async fn look(&self, watched: &mut Option<Watched>) -> Result<(), StoreError> {
        let looked = self.look_on(watched).await;
        if looked.is_err() {
            *watched = None;
        }
        looked
    }

    async fn look_on(&self, watched: &mut Option<Watched>) -> Result<(), StoreError> {
        let Some(kept) = self.read().await? else {
            *watched = None;
            return Ok(());
        };
        match watched {
            Some((version, since)) if *version == kept.version => {
                if since.elapsed() >= LAPSES_AFTER && self.end(kept).await? {
                    tracing::warn!(
                        "no worker scans any more, and SCANNER=off: files are available unscanned from now on"
                    );
                    *watched = None;
                }
            }
            Some((version, since)) => (*version, *since) = (kept.version, Instant::now()),
            None => {
                tracing::warn!(
                    "SCANNER=off, and files of this table are scanned: those that come to this worker wait until \
                     no other one has scanned for {} s",
                    LAPSES_AFTER.as_secs()
                );
                *watched = Some((kept.version, Instant::now()));
            }
        }
        Ok(())
    }

    /// Whether this ended just that write of it.
    async fn end(&self, kept: Item) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let over = Item {
            // For every clock that is halfway right.
            expires_at: kept.expires_at - KEPT_FOR - KEPT_FOR,
            ..kept
        };
        let ended = self.items.replace(&over, now).await?;
        if ended {
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Ok(ended)
    }
}

/// Waits for the next step: [`MARK_INTERVAL`], or less after one that failed, which is said. Whether there is one; after
/// the stop there is none.
async fn is_next(
    step: Result<(), StoreError>,
    failed: &'static str,
    stop: &CancellationToken,
) -> bool {
    let pause = match step {
        Ok(()) => MARK_INTERVAL,
        Err(error) => {
            tracing::warn!(error = %error.chain(), "{failed}");
            RETRY_PAUSE
        }
    };
    stop.run_until_cancelled(sleep(pause)).await.is_some()
}

fn key() -> Result<ItemKey, StoreError> {
    ItemKey::new(ItemKind::Scanning, ID).map_err(|error| StoreError::corrupt(STORE, error.0))
}

/// What the start of a worker looks at that was told nothing about scanning.
pub(super) struct ScanMarkCheck(Arc<ScanMark>);

impl ScanMarkCheck {
    /// Of this mark.
    pub(super) fn of(mark: &Arc<ScanMark>) -> Self {
        Self(Arc::clone(mark))
    }
}

#[async_trait]
impl StartCheck for ScanMarkCheck {
    fn name(&self) -> &'static str {
        "scanning"
    }

    fn subject(&self) -> String {
        "whether files are scanned".into()
    }

    async fn look(&self) -> Vec<Finding> {
        vec![match self.0.is_there().await {
            Ok(false) => Finding::Fine("no worker scans files for viruses".into()),
            Ok(true) => Finding::Wrong(Flaw::new(
                "files of this table are scanned for viruses, and SCANNER isn't set here",
                "Set it as for the other workers. If nothing is to be scanned any more, set SCANNER=off for all of them: \
                 that is so once none has scanned for five minutes",
            )),
            Err(error) => Finding::Away(error.chain()),
        }]
    }
}

#[cfg(test)]
mod tests;
