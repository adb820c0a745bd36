//! Finds objects that no record names, and sets them aside: the reconciler's other direction.
//!
//! Every record is written before anybody gets a URL, and a tombstone outlives every URL. So an
//! object without a record is a rarity, such as an upload that crawled on beyond all grace; and
//! very many of them are no rarity but a mistake: the wrong table, an empty one, one from an old
//! backup. A sweep therefore goes through everything before it touches anything, and what it does
//! then depends on the whole picture ([`judge`]).
//!
//! Invariant: a sweep destroys nothing that might be accepted. An object goes into quarantine only if two
//! consistent reads, at its turn in the sweep and just before, found no record and no tombstone, its ID
//! and its newest bytes are older than [`MIN_AGE`] by the store's clock, and the sweep as a whole is above
//! suspicion; and it stays there for [`QUARANTINE`]. A read that fails is no such finding. A step does a
//! bounded amount of work; any number of sweepers may run at a time.
//!
//! It also takes away what lies beside the version that the record of an available file names.
//!
//! Absent on purpose: a position that outlives the process. A sweep is judged as a whole, so one that
//! was cut off begins anew; a fault doesn't cut it off. Keys that aren't ours are never touched.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Stores;
use crate::domain::{FileId, FileRecord, ObjectKey, StoreTime, Timestamp};
use crate::metrics::SweepPass;
use crate::object_store::{ListPosition, ListedObject, Quarantined};
use crate::store_error::StoreError;

/// How old an object and its ID have to be before it can count as an orphan. A record is there
/// before its object can be, so this is not to let a race pass; it is time for an operator to notice
/// and to mend what the sweep would otherwise make final.
pub const MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an object that no record named is kept aside, so that it can be brought back once somebody
/// notices.
pub const QUARANTINE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many objects one step lists, and looks up the records of.
const PAGE: usize = 500;
/// Records that are read, or objects that are set aside, at a time.
const CONCURRENT: usize = 4;
/// How many objects one step sets aside.
const MOVES_PER_STEP: usize = 100;

/// The pause between two steps of a sweep: at most 500 reads a second, and 40 million objects a day.
const STEP_PAUSE: Duration = Duration::from_secs(1);
/// The pause after a step that failed. It is then tried again.
const FAULT_PAUSE: Duration = Duration::from_secs(60);
/// The first sweep begins within this share of the interval after the start: soon enough for a
/// laptop that is on for some hours, and not for all workers at the same time.
const FIRST_SWEEP_WITHIN: f64 = 1.0 / 24.0;

/// So few orphans are plausible in a store of any size.
const FEW: u64 = 3;
/// More than a few are plausible up to this share of all objects: one in ten.
const PLAUSIBLE_SHARE: u64 = 10;

/// What a sweep saw, and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Objects that a record names.
    pub recorded: u64,
    /// Objects that are too young to be judged.
    pub young: u64,
    /// Keys that aren't this service's.
    pub foreign: u64,
    /// Objects without a record.
    pub orphans: u64,
    /// Objects that were set aside before, and are still there below a delete marker.
    pub aside: u64,
    /// Orphans that this sweep set aside.
    pub quarantined: u64,
    /// Orphans that stay where they are, since this store can't set them aside.
    pub left: u64,
    /// Objects whose time in quarantine was over, and that are gone for good.
    pub destroyed: u64,
    /// Moves that failed. The next sweep finds these objects again.
    pub failed: u64,
    /// Why nothing was set aside, if that is so.
    pub suspicion: Option<Suspicion>,
}

/// Why orphans are left where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Suspicion {
    /// Bucket and table hardly belong together, or the table is empty.
    #[error("not one object has a record")]
    NoRecordAtAll,
    /// The limit that the operator set is exceeded.
    #[error("more objects have no record than one sweep may set aside (ORPHAN_LIMIT)")]
    TooMany,
    /// The limit isn't exceeded, and still it is a larger part than chance explains.
    #[error("more than one in {PLAUSIBLE_SHARE} objects has no record")]
    TooLargeAShare,
    /// How old an object is can't be told by a clock that is wrong.
    #[error("this process's clock isn't the store's")]
    ClocksDiffer,
    /// The table was most likely restored from a backup.
    #[error("objects without a record are newer than every one with a record: records were lost")]
    RecordsRolledBack,
    /// Whoever watches the markers says so ([`OrphanSweeper::suspecting`]).
    #[error("records and objects don't belong together: their markers differ")]
    MarkersDiffer,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepStep {
    /// The sweep goes on.
    More,
    /// The sweep is over; the next step begins another one.
    Done(SweepReport),
}

/// Whether a sweep that saw this may set aside what it took for orphans.
///
/// # Errors
/// A pattern that a mistake explains better than chance does.
fn judge(seen: &SweepReport, limit: u64) -> Result<(), Suspicion> {
    if seen.orphans == 0 {
        Ok(())
    } else if seen.recorded == 0 {
        Err(Suspicion::NoRecordAtAll)
    } else if seen.orphans > limit {
        Err(Suspicion::TooMany)
    } else if seen.orphans > FEW.max((seen.recorded + seen.orphans) / PLAUSIBLE_SHARE) {
        Err(Suspicion::TooLargeAShare)
    } else {
        Ok(())
    }
}

enum Found {
    Recorded,
    Young,
    Aside,
    Orphan,
}

/// One sweeper, with the sweep that it is in.
pub struct OrphanSweeper {
    stores: Stores,
    /// The most that one sweep may set aside.
    limit: usize,
    /// What somebody else has against it.
    suspicion: Option<watch::Receiver<Option<Suspicion>>>,
    sweep: Sweep,
}

#[derive(Default)]
struct Sweep {
    report: SweepReport,
    position: Option<ListPosition>,
    /// At most one more than the limit.
    orphans: Vec<ObjectKey>,
    /// The store's time of the newest page.
    as_of: Option<StoreTime>,
    /// The orphan with the newest ID, and the object with a record that has.
    newest_orphan: Option<FileId>,
    newest_recorded: Option<FileId>,
    phase: Phase,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Looking,
    /// The verdict lets the orphans go.
    SettingAside,
    EndingQuarantine,
}

impl OrphanSweeper {
    /// `limit` is the most that one sweep may set aside; if there are more, it touches none.
    pub fn new(stores: Stores, limit: usize) -> Self {
        Self {
            stores,
            limit,
            suspicion: None,
            sweep: Sweep::default(),
        }
    }

    /// As long as `suspicion` has one, nothing is set aside and nothing in quarantine is destroyed: for
    /// whoever knows that the records aren't those that belong to the objects.
    #[must_use]
    pub fn suspecting(mut self, suspicion: watch::Receiver<Option<Suspicion>>) -> Self {
        self.suspicion = Some(suspicion);
        self
    }

    fn known_suspicion(&self) -> Option<Suspicion> {
        self.suspicion.as_ref().and_then(|it| *it.borrow())
    }

    /// Sweeps, `interval` apart with a fifth of jitter, until `shutdown`.
    pub async fn run(mut self, interval: Duration, shutdown: CancellationToken) {
        let mut pause = interval.mul_f64(FIRST_SWEEP_WITHIN * fastrand::f64());
        let mut faults = 0_u64;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let step = tokio::select! {
                biased;
                // Nothing is half done by a step that is broken off.
                () = shutdown.cancelled() => return,
                step = self.run_once() => step,
            };
            pause = match step {
                Ok(SweepStep::More) => STEP_PAUSE,
                Ok(SweepStep::Done(_)) => interval.mul_f64(0.8 + 0.4 * fastrand::f64()),
                Err(error) => {
                    faults += 1;
                    // Once per change of state: an outage mustn't fill the log.
                    if faults == 1 {
                        tracing::warn!(error = %error.chain(), "looking for orphaned objects failed and is tried again");
                    }
                    FAULT_PAUSE.mul_f64(0.8 + 0.4 * fastrand::f64())
                }
            };
            if pause < FAULT_PAUSE / 2 {
                faults = 0;
            }
        }
    }

    /// Goes on with the sweep that it is in, to its end. Nothing is half done if it is broken off: then another call goes
    /// on from there.
    ///
    /// # Errors
    /// As [`Self::run_once`].
    pub async fn run_to_end(&mut self) -> Result<SweepReport, StoreError> {
        loop {
            if let SweepStep::Done(report) = self.run_once().await? {
                return Ok(report);
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    /// One step: looks through one page, sets aside some of what the whole sweep found, or destroys some of
    /// what was set aside long ago.
    ///
    /// # Errors
    /// If a page or one of its records couldn't be read. Nothing of the page counts then, and the
    /// next step reads it again.
    pub async fn run_once(&mut self) -> Result<SweepStep, StoreError> {
        match self.sweep.phase {
            Phase::Looking => {}
            Phase::SettingAside => return Ok(self.set_some_aside().await),
            Phase::EndingQuarantine => return Ok(self.end_quarantine().await),
        }
        let position = self.sweep.position.as_ref();
        let call = self.stores.timed_call();
        let listing = self.stores.objects.list(position, PAGE).await?;
        let Ok(now) = call.agree(listing.as_of) else {
            // What is wrong is said there.
            let _ = self.stores.compare_clocks().await?;
            self.sweep.report.suspicion = Some(Suspicion::ClocksDiffer);
            return Ok(self.finish());
        };
        self.sweep.as_of = Some(now);
        let mut looks = futures_util::stream::iter(listing.objects)
            .map(|object| self.look_at(object, now))
            .buffer_unordered(CONCURRENT);
        let mut found = Vec::new();
        while let Some(look) = looks.next().await {
            found.push(look?);
        }
        drop(looks);
        for (key, look) in found {
            self.count(key, &look);
        }
        self.sweep.report.foreign += listing.foreign as u64;
        self.sweep.position = listing.next;
        if self.sweep.position.is_some() {
            return Ok(SweepStep::More);
        }
        Ok(self.conclude())
    }

    async fn look_at(
        &self,
        object: ListedObject,
        now: StoreTime,
    ) -> Result<(ObjectKey, Found), StoreError> {
        let key = object.key;
        let found = if is_young(key, object.last_modified, now) {
            Found::Young
        } else if let Some(record) = self.stores.metadata.get(key.file_id()).await? {
            if object.has_others {
                self.keep_the_named_version(&record).await;
            }
            Found::Recorded
        } else if object.is_quarantined {
            Found::Aside
        } else {
            Found::Orphan
        };
        Ok((key, found))
    }

    /// For a form that was sent again, and whose notification got lost. The others may stand before the
    /// version that the record names, and a lifecycle rule may then remove that one some day.
    async fn keep_the_named_version(&self, record: &FileRecord) {
        let Some(named) = record.named_version() else {
            return;
        };
        let objects = &self.stores.objects;
        if let Err(error) = objects.delete_other_versions(record.key(), named).await {
            tracing::warn!(
                file_id = %record.id, error = %error.chain(),
                "versions that no record names are left to the next sweep"
            );
        }
    }

    fn count(&mut self, key: ObjectKey, found: &Found) {
        let report = &mut self.sweep.report;
        match found {
            Found::Recorded => {
                report.recorded += 1;
                let newest = &mut self.sweep.newest_recorded;
                *newest = (*newest).max(Some(key.file_id()));
            }
            Found::Young => report.young += 1,
            Found::Aside => report.aside += 1,
            Found::Orphan => {
                report.orphans += 1;
                let newest = &mut self.sweep.newest_orphan;
                *newest = (*newest).max(Some(key.file_id()));
                // One more than the limit tells that there are too many.
                if self.sweep.orphans.len() <= self.limit {
                    self.sweep.orphans.push(key);
                }
            }
        }
    }

    fn conclude(&mut self) -> SweepStep {
        let known = self.known_suspicion();
        // Whoever loses records loses the newest.
        let rolled_back = self.sweep.newest_orphan > self.sweep.newest_recorded;
        let report = &mut self.sweep.report;
        let verdict = match known {
            Some(suspicion) => Err(suspicion),
            None => judge(report, self.limit as u64).and(match rolled_back {
                true => Err(Suspicion::RecordsRolledBack),
                false => Ok(()),
            }),
        };
        let Err(suspicion) = verdict else {
            self.sweep.phase = match report.orphans {
                0 => Phase::EndingQuarantine,
                _ => Phase::SettingAside,
            };
            return SweepStep::More;
        };
        report.suspicion = Some(suspicion);
        tracing::error!(
            orphans = report.orphans, recorded = report.recorded, %suspicion,
            "objects without a record were found and nothing was set aside: check that \
             bucket and table (in local mode: objects and metadata.sqlite) belong \
             together, and that the records don't come from a backup: then restore a newer one; if \
             these objects may really go, raise ORPHAN_LIMIT, or delete them by hand"
        );
        self.finish()
    }

    fn finish(&mut self) -> SweepStep {
        let report = std::mem::take(&mut self.sweep).report;
        tracing::info!(?report, "looked for orphaned objects");
        self.stores.metrics.swept(SweepPass {
            orphans: report.orphans,
            is_suspicious: report.suspicion.is_some(),
        });
        SweepStep::Done(report)
    }

    async fn set_some_aside(&mut self) -> SweepStep {
        let left = self.sweep.orphans.len().saturating_sub(MOVES_PER_STEP);
        let keys = self.sweep.orphans.split_off(left);
        let (stores, as_of) = (&self.stores, self.sweep.as_of);
        let moves: Vec<_> = futures_util::stream::iter(keys)
            .map(|key| async move { (key, set_aside(stores, key, as_of).await) })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        for (key, moved) in moves {
            self.count_move(key, moved);
        }
        if self.sweep.orphans.is_empty() {
            self.sweep.phase = Phase::EndingQuarantine;
        }
        SweepStep::More
    }

    fn count_move(&mut self, key: ObjectKey, moved: Result<Option<Quarantined>, StoreError>) {
        let report = &mut self.sweep.report;
        let file_id = key.file_id();
        match moved {
            Ok(Some(Quarantined::Aside)) => {
                report.quarantined += 1;
                tracing::warn!(%file_id, "an object that no record names was set aside for 30 days");
            }
            Ok(Some(Quarantined::NotSupported)) => {
                report.left += 1;
                tracing::warn!(
                    %file_id,
                    "an object that no record names stays, since this store can't set it aside"
                );
            }
            Ok(None) => {}
            Err(error) => {
                report.failed += 1;
                tracing::warn!(
                    %file_id, error = %error.chain(),
                    "an object that no record names is left to the next sweep"
                );
            }
        }
    }

    /// Only in a sweep above suspicion: what lies there may be all that is left.
    async fn end_quarantine(&mut self) -> SweepStep {
        let (None, Some(now)) = (self.known_suspicion(), self.sweep.as_of) else {
            return self.finish();
        };
        let before = now.timestamp() - QUARANTINE;
        match self.stores.objects.end_quarantine(before).await {
            Ok(0) => self.finish(),
            Ok(destroyed) => {
                self.sweep.report.destroyed += destroyed as u64;
                SweepStep::More
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "what is in quarantine is left to the next sweep");
                self.finish()
            }
        }
    }
}

/// Looks once more, and sets aside. `None` if there is a record now, or nothing, or if there are bytes
/// that were young at the store's time `as_of`, when it had been looked at.
async fn set_aside(
    stores: &Stores,
    key: ObjectKey,
    as_of: Option<StoreTime>,
) -> Result<Option<Quarantined>, StoreError> {
    let head = stores.objects.head(key).await?.found();
    let (Some(head), Some(as_of)) = (head, as_of) else {
        return Ok(None);
    };
    if is_young(key, head.last_modified, as_of)
        || stores.metadata.get(key.file_id()).await?.is_some()
    {
        return Ok(None);
    }
    stores.objects.quarantine(key).await.map(Some)
}

/// By the store's clock, which says when the bytes came, and by that of whoever made the ID.
fn is_young(key: ObjectKey, last_modified: Timestamp, now: StoreTime) -> bool {
    let newest = last_modified.max(key.file_id().created_at());
    !now.has_reached(newest + MIN_AGE)
}
