//! A file's record and its life.
//!
//! ```text
//! pending ──▶ available   bytes measured, hashed, and equal to what was declared
//!    │ └────▶ rejected    bytes arrived and are not what was declared; they are deleted
//!    └──────▶ expired     the URL ran out and nothing came; a later arrival is deleted
//! any of the four ──▶ deleted   a tombstone, never shown; it goes when no URL can bring bytes any more
//! ```
//!
//! Invariant: a record leaves `pending` once, by one conditional write, and what it says of its
//! bytes never changes afterwards. Whatever still needs attention has a `review_at`, so that a crash
//! between any two steps leaves work that the reconciler finds.

use std::time::Duration;

use super::{
    ContentLength, ContentType, FileId, FileName, Invalid, ObjectKey, Sha256Digest, StoreTime,
    Timestamp,
};

/// What is known of a file. Built by [`FileRecord::pending`] or read back from a store.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRecord {
    pub id: FileId,
    pub filename: FileName,
    /// What the client said it would send.
    pub declared_length: ContentLength,
    pub content_type: ContentType,
    /// What the client said the bytes hash to, if it did.
    pub declared_sha256: Option<Sha256Digest>,
    /// When the newest upload URL runs out. It only ever moves forward.
    pub upload_expires_at: Timestamp,
    pub state: FileState,
    /// When the reconciler has to look at the record; `None` once nothing is left to do.
    pub review_at: Option<Timestamp>,
}

/// Where in its life a file is, with what is known only there.
#[derive(Debug, Clone, PartialEq)]
pub enum FileState {
    Pending,
    Available(StoredObject),
    Rejected {
        reason: RejectionReason,
        expires_at: Timestamp,
    },
    Expired {
        expires_at: Timestamp,
    },
    Deleted {
        expires_at: Timestamp,
    },
}

impl FileState {
    pub fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Available(_) => Status::Available,
            Self::Rejected { .. } => Status::Rejected,
            Self::Expired { .. } => Status::Expired,
            Self::Deleted { .. } => Status::Deleted,
        }
    }

    /// Keeps a rejected, expired or deleted record until then.
    pub fn keep_until(&mut self, until: Timestamp) {
        match self {
            Self::Pending | Self::Available(_) => {}
            Self::Rejected { expires_at, .. }
            | Self::Expired { expires_at }
            | Self::Deleted { expires_at } => *expires_at = until,
        }
    }
}

/// The bytes that make a file available: all of it from one read of one version of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    pub sha256: Sha256Digest,
    /// `None` where the bucket has no versions.
    pub version_id: Option<VersionId>,
    /// When the store had the bytes, by the store's clock.
    pub uploaded_at: Timestamp,
}

/// One version of an object, as the store names it. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionId(pub String);

/// Why bytes were rejected, in words for the person who uploaded them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionReason(pub String);

impl RejectionReason {
    pub fn length_mismatch(declared: ContentLength, observed: u64) -> Self {
        Self(format!(
            "{declared} bytes were declared and {observed} bytes arrived"
        ))
    }

    pub fn digest_mismatch(declared: Sha256Digest, observed: Sha256Digest) -> Self {
        Self(format!(
            "SHA-256 {declared} was declared and the bytes that arrived have {observed}"
        ))
    }
}

/// The name of a [`FileState`], as it is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Pending,
    Available,
    Rejected,
    Expired,
    /// Stored, never shown.
    Deleted,
}

impl Status {
    /// The four that clients see.
    pub const VISIBLE: [Self; 4] = [
        Self::Pending,
        Self::Available,
        Self::Rejected,
        Self::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::VISIBLE
            .into_iter()
            .chain([Self::Deleted])
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Invalid::new("must be pending, available, rejected or expired"))
    }
}

/// How a pending file ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    Available(StoredObject),
    Rejected {
        reason: RejectionReason,
        expires_at: Timestamp,
    },
    /// Holds only while the upload deadline is still `upload_expires_at`: a client that renewed
    /// its URL in the meantime is not cut off.
    Expired {
        upload_expires_at: Timestamp,
        expires_at: Timestamp,
    },
}

impl Settlement {
    /// The state that a record has after this settlement.
    pub fn state(&self) -> FileState {
        match self.clone() {
            Self::Available(object) => FileState::Available(object),
            Self::Rejected { reason, expires_at } => FileState::Rejected { reason, expires_at },
            Self::Expired { expires_at, .. } => FileState::Expired { expires_at },
        }
    }

    /// When the reconciler has to look: an available file is finished; the bytes of the others
    /// have to go, at once.
    pub fn review_at(&self, now: Timestamp) -> Option<Timestamp> {
        (!matches!(self, Self::Available(_))).then_some(now)
    }
}

/// How many times as long as before a pending record is left alone after each look that found nothing.
const REVIEW_BACK_OFF: u32 = 5;
/// The longest that a pending record is left alone, unless its uploads end before.
pub const LONGEST_REVIEW_GAP: Duration = Duration::from_secs(60 * 60);
/// So that the gaps grow, whatever is set.
const SHORTEST_REVIEW_GAP: Duration = Duration::from_millis(1);

/// How long the steps of a file's life may take.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle {
    /// How long after its URL ran out an upload that began in time may still arrive: stores check
    /// the expiry when a request begins, not when it ends.
    pub upload_grace: Duration,
    /// How long a notification may take before the reconciler looks for itself.
    pub review_after: Duration,
    /// How long rejected files stay visible, and expired ones whose bytes came too late.
    pub retention: Duration,
    /// How long expired files stay visible for which nothing ever came.
    pub empty_retention: Duration,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            upload_grace: Duration::from_secs(15 * 60),
            review_after: Duration::from_secs(60),
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            empty_retention: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What follows once the bytes of a file that isn't to have any are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextReview {
    /// Look again then: a URL may still bring bytes until that moment, or the record has to go.
    At {
        review_at: Timestamp,
        /// Until when the record is kept.
        expires_at: Timestamp,
    },
    /// Nothing can come any more and nobody needs the record: remove it.
    Remove,
}

impl Lifecycle {
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
    pub fn expires_at(&self, record: &FileRecord, now: Timestamp) -> Timestamp {
        now.max(self.uploads_end_at(record)) + self.retention
    }

    /// When to look again at a record whose bytes have just been deleted.
    pub fn after_clean_up(&self, record: &FileRecord, now: StoreTime) -> NextReview {
        let uploads_end_at = self.uploads_end_at(record);
        let expires_at = match record.state {
            FileState::Rejected { expires_at, .. } => expires_at,
            // Bytes came too late: whoever sent them may ask what became of them.
            FileState::Expired { expires_at } => {
                expires_at.max(self.expires_at(record, now.timestamp()))
            }
            // Nobody sees it; it only outlives the URLs.
            FileState::Pending | FileState::Available(_) | FileState::Deleted { .. } => {
                uploads_end_at
            }
        };
        let review_at = match now.has_reached(uploads_end_at) {
            true => expires_at,
            false => uploads_end_at,
        };
        if now.has_reached(review_at) {
            return NextReview::Remove;
        }
        NextReview::At {
            review_at,
            expires_at: record
                .expires_at()
                .map_or(expires_at, |at| at.max(expires_at)),
        }
    }

    /// When a record may vanish that expired at `now` and never had bytes.
    pub fn empty_expires_at(&self, record: &FileRecord, now: StoreTime) -> Timestamp {
        now.timestamp().max(self.uploads_end_at(record)) + self.empty_retention
    }

    /// When to look again at a pending record that had no bytes at `now`: the gaps grow fivefold from
    /// `review_after` to [`LONGEST_REVIEW_GAP`]. That follows from its age alone, so whoever comes by
    /// finds the same.
    pub fn next_review(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let mut gap = self.review_after.max(SHORTEST_REVIEW_GAP);
        let mut at = created_at + gap;
        while at <= now && gap < LONGEST_REVIEW_GAP {
            gap = (gap * REVIEW_BACK_OFF).min(LONGEST_REVIEW_GAP);
            at += gap;
        }
        if at <= now {
            let longest = chrono::TimeDelta::seconds(LONGEST_REVIEW_GAP.as_secs() as i64);
            let missed = (now - at).num_seconds() / longest.num_seconds() + 1;
            at += longest * i32::try_from(missed).unwrap_or(i32::MAX);
        }
        at
    }

    /// Whether `review_at` is one of the moments of [`Self::next_review`]: then the record was pending
    /// when that was set, with more time to come.
    pub fn is_early_review(&self, created_at: Timestamp, review_at: Timestamp) -> bool {
        let just_before = review_at - Duration::from_millis(1);
        self.next_review(created_at, just_before) == review_at
    }
}

impl FileRecord {
    /// The record of a file that has an upload URL until `upload_expires_at` and no bytes yet.
    pub fn pending(
        id: FileId,
        filename: FileName,
        declared_length: ContentLength,
        content_type: ContentType,
        declared_sha256: Option<Sha256Digest>,
        upload_expires_at: Timestamp,
        lifecycle: &Lifecycle,
    ) -> Self {
        Self {
            id,
            filename,
            declared_length,
            content_type,
            declared_sha256,
            upload_expires_at,
            state: FileState::Pending,
            review_at: Some(
                (id.created_at() + lifecycle.review_after)
                    .min(upload_expires_at + lifecycle.upload_grace),
            ),
        }
    }

    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.id)
    }

    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }

    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// A `review_at` that makes the record due at once, also by a clock that is behind the one that
    /// says `now`: nothing happens to a file before it was created.
    pub fn due_at_once(&self, now: Timestamp) -> Timestamp {
        now.min(self.created_at())
    }

    /// When the record may vanish; `None` for one that stays.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.state {
            FileState::Pending | FileState::Available(_) => None,
            FileState::Rejected { expires_at, .. }
            | FileState::Expired { expires_at }
            | FileState::Deleted { expires_at } => Some(expires_at),
        }
    }

    /// Whether clients may see the record: neither deleted nor past its time. Stores remove
    /// expired items late (DynamoDB's TTL by days), so every reader asks.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.status() != Status::Deleted && self.expires_at().is_none_or(|at| now < at)
    }

    /// Compares the number of bytes that arrived with the declared one.
    ///
    /// # Errors
    /// The reason to reject the file.
    pub fn judge_length(&self, observed: u64) -> Result<(), RejectionReason> {
        if observed == self.declared_length.bytes() {
            Ok(())
        } else {
            Err(RejectionReason::length_mismatch(
                self.declared_length,
                observed,
            ))
        }
    }

    /// Compares the digest of what arrived with the declared one, if one was declared.
    ///
    /// # Errors
    /// The reason to reject the file.
    pub fn judge_digest(&self, observed: Sha256Digest) -> Result<(), RejectionReason> {
        match self.declared_sha256 {
            Some(declared) if declared != observed => {
                Err(RejectionReason::digest_mismatch(declared, observed))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MAX_CONTENT_LENGTH, from_millis};

    fn at(seconds: i64) -> Timestamp {
        from_millis(1_790_000_000_000 + seconds * 1000).unwrap()
    }

    const LIFECYCLE: Lifecycle = Lifecycle {
        upload_grace: Duration::from_secs(100),
        review_after: Duration::from_secs(60),
        retention: Duration::from_secs(1000),
        empty_retention: Duration::from_secs(50),
    };

    fn agreed(seconds: i64) -> StoreTime {
        StoreTime::agreed(at(seconds), at(seconds), at(seconds)).unwrap()
    }

    fn record(declared_sha256: Option<Sha256Digest>) -> FileRecord {
        FileRecord::pending(
            FileId::new(at(0)),
            FileName::sanitize("a.txt").unwrap(),
            ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
            ContentType::parse("text/plain").unwrap(),
            declared_sha256,
            at(900),
            &LIFECYCLE,
        )
    }

    fn digest(first_byte: u8) -> Sha256Digest {
        let mut digest = [0; 32];
        digest[0] = first_byte;
        Sha256Digest::from_bytes(digest)
    }

    #[test]
    fn bytes_as_declared_are_accepted() {
        assert_eq!(record(None).judge_length(5), Ok(()));
        assert_eq!(record(None).judge_digest(digest(1)), Ok(()));
        assert_eq!(record(Some(digest(1))).judge_digest(digest(1)), Ok(()));
    }

    #[test]
    fn another_length_or_digest_is_rejected_with_both_values() {
        let reason = record(None).judge_length(6).unwrap_err();
        assert_eq!(reason.0, "5 bytes were declared and 6 bytes arrived");
        let reason = record(Some(digest(1))).judge_digest(digest(2)).unwrap_err();
        assert!(reason.0.contains(&digest(1).to_hex()));
        assert!(reason.0.contains(&digest(2).to_hex()));
    }

    #[test]
    fn a_tombstone_stays_until_no_url_can_bring_bytes() {
        let mut deleted = record(None);
        deleted.state = FileState::Deleted {
            expires_at: at(9000),
        };
        assert_eq!(
            LIFECYCLE.after_clean_up(&deleted, agreed(20)),
            NextReview::At {
                review_at: at(1000),
                expires_at: at(9000)
            }
        );
        assert_eq!(
            LIFECYCLE.after_clean_up(&deleted, agreed(1000)),
            NextReview::Remove
        );
    }

    #[test]
    fn a_rejected_file_is_swept_when_its_url_is_dead_and_removed_when_its_time_is_over() {
        let mut rejected = record(None);
        rejected.state = FileState::Rejected {
            reason: RejectionReason("x".into()),
            expires_at: LIFECYCLE.expires_at(&rejected, at(20)),
        };
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(20)),
            NextReview::At {
                review_at: at(1000),
                expires_at: at(2000)
            }
        );
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(1000)),
            NextReview::At {
                review_at: at(2000),
                expires_at: at(2000)
            }
        );
        assert!(rejected.is_visible(at(1999)));
        assert!(!rejected.is_visible(at(2000)));
        assert_eq!(
            LIFECYCLE.after_clean_up(&rejected, agreed(2000)),
            NextReview::Remove
        );
    }

    #[test]
    fn an_expired_file_whose_bytes_came_too_late_stays_as_long_as_a_rejected_one() {
        let mut expired = record(None);
        let expires_at = LIFECYCLE.empty_expires_at(&expired, agreed(1000));
        assert_eq!(expires_at, at(1050));
        expired.state = FileState::Expired { expires_at };
        assert_eq!(
            LIFECYCLE.after_clean_up(&expired, agreed(1040)),
            NextReview::At {
                review_at: at(2040),
                expires_at: at(2040)
            }
        );
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
            assert_eq!(LIFECYCLE.next_review(created_at, at(seen)), next, "{seen}");
        }
        for moment in moments {
            assert!(LIFECYCLE.is_early_review(created_at, at(moment)));
            assert!(!LIFECYCLE.is_early_review(created_at, at(moment + 1)));
        }
        // Nothing takes long, whatever the clock or the setting is.
        let hasty = Lifecycle {
            review_after: Duration::ZERO,
            ..LIFECYCLE
        };
        assert!(hasty.next_review(at(-1_790_000_000), at(5)) > at(5));
    }

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in Status::VISIBLE.into_iter().chain([Status::Deleted]) {
            assert_eq!(Status::parse(status.as_str()), Ok(status));
        }
        assert!(Status::parse("Available").is_err());
    }
}
