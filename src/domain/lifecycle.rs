//! How long the steps of a file's life may take, and what follows from that.
//!
//! Invariant: nothing is over before no URL that was handed out can bring bytes any more. What is over is
//! decided by the store's time alone.

use std::time::Duration;

use super::{
    FileRecord, FileState, Invalid, MAX_CLOCK_DIFFERENCE, StoreTime, Timestamp, format_timestamp,
};

/// How many times as long as before a pending record is left alone after each look that found nothing.
const RECONCILE_BACK_OFF: u32 = 5;
/// The longest that a pending record is left alone, unless its uploads end before.
pub const LONGEST_RECONCILE_GAP: Duration = Duration::from_secs(60 * 60);
/// A file that waits for the virus scanner is tried again after this share of the time that it has waited already.
const SCAN_BACK_OFF: u32 = 4;
/// The shortest and the longest time until it is tried again.
const SCAN_GAPS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5 * 60)];
/// The furthest from now that a file can have to be kept until: a hundred years, as long as S3 locks anything.
pub const LONGEST_RETENTION: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);
/// So that the gaps grow, whatever is set.
const SHORTEST_RECONCILE_GAP: Duration = Duration::from_millis(1);

/// How long the steps of a file's life may take.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle {
    /// How long after its URL ran out an upload that began in time may still arrive: stores check
    /// the expiry when a request begins, not when it ends.
    pub upload_grace: Duration,
    /// How long a notification may take before the reconciler looks for itself.
    pub reconcile_after: Duration,
    /// How long rejected and withdrawn files stay visible, and expired ones whose bytes came too late.
    pub retention: Duration,
    /// How long expired files stay visible for which nothing ever came.
    pub empty_retention: Duration,
    /// How long a file is kept from its creation at the most; `None`: until somebody deletes it.
    pub max_keep: Option<Duration>,
    /// How long an available file has to be kept from when its bytes came; `None`: it may be deleted at once.
    pub min_keep: Option<Duration>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            upload_grace: Duration::from_secs(15 * 60),
            reconcile_after: Duration::from_secs(60),
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            empty_retention: Duration::from_secs(24 * 60 * 60),
            max_keep: None,
            min_keep: None,
        }
    }
}

/// What follows once the bytes of a file that isn't to have any are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextReconcile {
    /// Look again then: a URL may still bring bytes until that moment, or the record has to go.
    At {
        /// When the reconciler has to look at the record again.
        reconcile_at: Timestamp,
        /// Until when the record is kept.
        purge_at: Timestamp,
    },
    /// Nothing can come any more and nobody needs the record: remove it.
    Remove,
}

impl Lifecycle {
    /// When a file that is created at `now` is to be deleted, for a client that asked for this. One that counted
    /// from its own clock, which is a little off, gets the nearest time that there is.
    ///
    /// # Errors
    /// A time that is past already, later than files are kept, or before they may be deleted.
    pub fn delete_after(
        &self,
        asked: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Invalid> {
        let latest = self.max_keep.map(|keep| now + keep);
        let earliest = self.min_keep.map(|keep| now + keep);
        let asked = match (asked, earliest) {
            (Some(asked), Some(earliest)) if now < asked && asked < earliest => {
                if asked + MAX_CLOCK_DIFFERENCE < earliest {
                    return Err(Invalid::new(format!(
                        "must be no earlier than {}: files have to be kept for {} s here",
                        format_timestamp(earliest),
                        self.min_keep.unwrap_or_default().as_secs()
                    )));
                }
                Some(earliest)
            }
            _ => asked,
        };
        match (asked, latest) {
            (None, latest) => Ok(latest),
            (Some(asked), _) if asked <= now => Err(Invalid::new(format!(
                "must be in the future, and it is {} now",
                format_timestamp(now)
            ))),
            (Some(asked), Some(latest)) if asked > latest + MAX_CLOCK_DIFFERENCE => {
                Err(Invalid::new(format!(
                    "must be no later than {}: files are kept for {} s here",
                    format_timestamp(latest),
                    self.max_keep.unwrap_or_default().as_secs()
                )))
            }
            (Some(asked), Some(latest)) => Ok(Some(asked.min(latest))),
            (Some(asked), None) => Ok(Some(asked)),
        }
    }

    /// The latest time until which a file can have to be kept, for whoever asks at `now`.
    pub fn latest_keep_until(now: Timestamp) -> Timestamp {
        now + LONGEST_RETENTION
    }

    /// The moment from which no URL that was handed out for the file can bring bytes.
    pub fn uploads_end_at(&self, record: &FileRecord) -> Timestamp {
        record.upload_expires_at + self.upload_grace
    }

    /// Whether no URL that was handed out for the file can bring bytes any more.
    pub fn uploads_are_over(&self, record: &FileRecord, now: StoreTime) -> bool {
        now.has_reached(self.uploads_end_at(record))
    }

    /// When a rejected or expired record, or a tombstone, may vanish. `now` may be off: it only makes
    /// the record stay for a longer or shorter while, never shorter than a URL works.
    pub fn purge_at(&self, record: &FileRecord, now: Timestamp) -> Timestamp {
        now.max(self.uploads_end_at(record)) + self.retention
    }

    /// When to look again at a record whose bytes have just been deleted.
    pub fn after_clean_up(&self, record: &FileRecord, now: StoreTime) -> NextReconcile {
        let uploads_end_at = self.uploads_end_at(record);
        let purge_at = match record.state {
            FileState::Rejected { purge_at, .. } | FileState::Withdrawn { purge_at, .. } => {
                purge_at
            }
            // Bytes came too late: whoever sent them may ask what became of them.
            FileState::Expired { purge_at } => purge_at.max(self.purge_at(record, now.timestamp())),
            // Nobody sees it; it only outlives the URLs.
            FileState::Pending(_) | FileState::Available(_) | FileState::Deleted { .. } => {
                uploads_end_at
            }
        };
        let reconcile_at = match now.has_reached(uploads_end_at) {
            true => purge_at,
            false => uploads_end_at,
        };
        if now.has_reached(reconcile_at) {
            return NextReconcile::Remove;
        }
        NextReconcile::At {
            reconcile_at,
            purge_at: record.purge_at().map_or(purge_at, |at| at.max(purge_at)),
        }
    }

    /// When a record may vanish that expired at `now` and never had bytes.
    pub fn empty_purge_at(&self, record: &FileRecord, now: StoreTime) -> Timestamp {
        now.timestamp().max(self.uploads_end_at(record)) + self.empty_retention
    }

    /// When to look again at a pending record that had no bytes at `now`: the gaps grow fivefold from
    /// `reconcile_after` to [`LONGEST_RECONCILE_GAP`]. That follows from its age alone, so whoever comes by
    /// finds the same.
    pub fn next_reconcile_at(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let mut gap = self.reconcile_after.max(SHORTEST_RECONCILE_GAP);
        let mut at = created_at + gap;
        while at <= now && gap < LONGEST_RECONCILE_GAP {
            gap = (gap * RECONCILE_BACK_OFF).min(LONGEST_RECONCILE_GAP);
            at += gap;
        }
        if at <= now {
            let longest = chrono::TimeDelta::seconds(LONGEST_RECONCILE_GAP.as_secs() as i64);
            let missed = (now - at).num_seconds() / longest.num_seconds() + 1;
            at += longest * i32::try_from(missed).unwrap_or(i32::MAX);
        }
        at
    }

    /// When to try again to have a file scanned whose bytes are there since `arrived_at`, and which wasn't at `now`.
    pub fn next_scan_at(&self, arrived_at: Timestamp, now: Timestamp) -> Timestamp {
        let [shortest, longest] = SCAN_GAPS;
        let waited = (now - arrived_at).to_std().unwrap_or_default();
        now + (waited / SCAN_BACK_OFF).clamp(shortest, longest)
    }

    /// Whether `reconcile_at` is one of the moments of [`Self::next_reconcile_at`]: then the record was pending
    /// when that was set, with more time to come.
    pub fn is_early_reconcile(&self, created_at: Timestamp, reconcile_at: Timestamp) -> bool {
        let just_before = reconcile_at - Duration::from_millis(1);
        self.next_reconcile_at(created_at, just_before) == reconcile_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Declaration, FileId, RejectionReason, from_millis};

    fn at(seconds: i64) -> Timestamp {
        from_millis(1_790_000_000_000 + seconds * 1000).unwrap()
    }

    const LIFECYCLE: Lifecycle = Lifecycle {
        upload_grace: Duration::from_secs(100),
        reconcile_after: Duration::from_secs(60),
        retention: Duration::from_secs(1000),
        empty_retention: Duration::from_secs(50),
        max_keep: None,
        min_keep: None,
    };

    fn agreed(seconds: i64) -> StoreTime {
        StoreTime::agreed(at(seconds), at(seconds), at(seconds)).unwrap()
    }

    fn record() -> FileRecord {
        let (id, declared) = (FileId::new(at(0)), Declaration::sample());
        FileRecord::pending(id, declared, at(900), &LIFECYCLE)
    }

    #[test]
    fn a_tombstone_stays_until_no_url_can_bring_bytes() {
        let mut deleted = record();
        deleted.state = FileState::Deleted { purge_at: at(9000) };
        assert_eq!(
            LIFECYCLE.after_clean_up(&deleted, agreed(20)),
            NextReconcile::At {
                reconcile_at: at(1000),
                purge_at: at(9000)
            }
        );
        assert_eq!(
            LIFECYCLE.after_clean_up(&deleted, agreed(1000)),
            NextReconcile::Remove
        );
    }

    #[test]
    fn a_rejected_file_is_swept_when_its_url_is_dead_and_removed_when_its_time_is_over() {
        let mut rejected = record();
        rejected.state = FileState::Rejected {
            reason: RejectionReason::sample("x"),
            purge_at: LIFECYCLE.purge_at(&rejected, at(20)),
        };
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(20)),
            NextReconcile::At {
                reconcile_at: at(1000),
                purge_at: at(2000)
            }
        );
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(1000)),
            NextReconcile::At {
                reconcile_at: at(2000),
                purge_at: at(2000)
            }
        );
        assert!(rejected.is_visible(at(1999)));
        assert!(!rejected.is_visible(at(2000)));
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(2000)),
            NextReconcile::Remove
        );
    }

    #[test]
    fn an_expired_file_whose_bytes_came_too_late_stays_as_long_as_a_rejected_one() {
        let mut expired = record();
        let purge_at = LIFECYCLE.empty_purge_at(&expired, agreed(1000));
        assert_eq!(purge_at, at(1050));
        expired.state = FileState::Expired { purge_at };
        assert_eq!(
            LIFECYCLE.after_clean_up(&expired, agreed(1040)),
            NextReconcile::At {
                reconcile_at: at(2040),
                purge_at: at(2040)
            }
        );
    }

    #[test]
    fn a_file_is_kept_as_long_as_its_client_asks_within_what_is_set() {
        let asks = |max_keep, asked: Option<i64>| {
            let lifecycle = Lifecycle {
                max_keep,
                ..LIFECYCLE
            };
            lifecycle.delete_after(asked.map(at), at(50))
        };
        let day = Some(Duration::from_secs(86_400));
        let latest = 50 + 86_400;
        for (max_keep, asked, expected) in [
            (None, None, None),
            (None, Some(51), Some(51)),
            (None, Some(1_000_000_000), Some(1_000_000_000)),
            (day, None, Some(latest)),
            (day, Some(51), Some(51)),
            (day, Some(latest), Some(latest)),
            // Of whoever counts from a clock that is a little ahead.
            (day, Some(latest + 60), Some(latest)),
        ] {
            assert_eq!(asks(max_keep, asked), Ok(expected.map(at)), "{asked:?}");
        }
        for (max_keep, asked) in [(None, 50), (None, -5), (day, 50)] {
            let refused = asks(max_keep, Some(asked)).unwrap_err().0;
            assert!(refused.contains("in the future"), "{refused}");
        }
        let refused = asks(day, Some(latest + 61)).unwrap_err().0;
        assert!(refused.contains(&format_timestamp(at(latest))), "{refused}");
        assert!(refused.contains("86400 s"), "{refused}");
    }

    #[test]
    fn a_file_that_has_to_be_kept_is_deleted_no_earlier() {
        let asks = |max_keep, asked: Option<i64>| {
            let lifecycle = Lifecycle {
                max_keep,
                min_keep: Some(Duration::from_secs(1000)),
                ..LIFECYCLE
            };
            lifecycle.delete_after(asked.map(at), at(50))
        };
        let same = Some(Duration::from_secs(1000));
        for (max_keep, asked, expected) in [
            (None, None, None),
            (None, Some(1051), Some(1051)),
            (None, Some(1050), Some(1050)),
            // Of whoever counts from a clock that is a little behind.
            (None, Some(990), Some(1050)),
            (same, None, Some(1050)),
            (same, Some(1100), Some(1050)),
        ] {
            assert_eq!(asks(max_keep, asked), Ok(expected.map(at)), "{asked:?}");
        }
        for asked in [989, 51] {
            let refused = asks(None, Some(asked)).unwrap_err().0;
            assert!(refused.contains(&format_timestamp(at(1050))), "{refused}");
            assert!(refused.contains("1000 s"), "{refused}");
        }
        let past = asks(None, Some(50)).unwrap_err().0;
        assert!(past.contains("in the future"), "{past}");
    }

    #[test]
    fn a_file_is_kept_from_when_its_bytes_came_however_late() {
        let kept = record().kept_for(Some(Duration::from_secs(1000)));
        assert_eq!(kept.keep_until, Some(at(1000)));
        assert_eq!(kept.kept_from(at(700)), Some(at(1700)));
        // Nothing happens to a file before it was created.
        assert_eq!(kept.kept_from(at(-5)), Some(at(1000)));
        assert_eq!(record().kept_from(at(700)), None);
        assert!(!kept.is_retained(at(0)), "there is nothing yet to be kept");
    }

    #[test]
    fn a_file_that_could_not_be_scanned_is_tried_again_at_growing_gaps_of_five_minutes_at_most() {
        for (waited, gap) in [
            (-60, 1),
            (0, 1),
            (4, 1),
            (8, 2),
            (400, 100),
            (1200, 300),
            (90_000, 300),
        ] {
            let next = LIFECYCLE.next_scan_at(at(0), at(waited));
            assert_eq!(next, at(waited + gap), "{waited}");
        }
    }

    #[test]
    fn looks_at_a_pending_record_become_rarer_and_follow_from_its_age() {
        let (created_at, gap) = (at(0), 3600);
        let moments = [60, 360, 1860, 1860 + gap, 1860 + 2 * gap, 1860 + 9 * gap];
        for (seen, next) in [
            (-5, 0),
            (0, 0),
            (59, 0),
            (60, 1),
            (359, 1),
            (360, 2),
            (1860, 3),
            (1860 + gap, 4),
            (1859 + 9 * gap, 5),
        ] {
            let next = at(moments[next]);
            assert_eq!(
                LIFECYCLE.next_reconcile_at(created_at, at(seen)),
                next,
                "{seen}"
            );
        }
        for moment in moments {
            assert!(LIFECYCLE.is_early_reconcile(created_at, at(moment)));
            assert!(!LIFECYCLE.is_early_reconcile(created_at, at(moment + 1)));
        }
        // Nothing takes long, whatever the clock or the setting is.
        let hasty = Lifecycle {
            reconcile_after: Duration::ZERO,
            ..LIFECYCLE
        };
        assert!(hasty.next_reconcile_at(at(-1_790_000_000), at(5)) > at(5));
    }
}
