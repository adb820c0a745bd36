//! What there is at one moment: the record, the bytes, the notification, and who is in the middle
//! of what. And the conditions of the two stores, as their ports promise them.
//!
//! Invariant: two states that behave alike are equal, so that none is searched twice: tasks are kept
//! sorted, since two workers are as good as each other, and nothing counts that nobody asks for.

use super::tasks::Task;

/// Time in steps that are just long enough to tell the cases apart.
pub type Tick = u8;

/// A URL works at the tick at which it was signed, and no longer.
pub const URL_LIFE: Tick = 1;
/// An upload that began in time may arrive for one tick more (`Lifecycle::upload_grace`).
pub const GRACE: Tick = 1;
/// Longer than the life of a URL and its grace, as it is in production.
pub const RETENTION: Tick = 3;
/// `Lifecycle::empty_retention`.
pub const EMPTY_RETENTION: Tick = 1;
/// The newest URL is signed at this tick at the latest, so that the time has an end.
pub const LAST_RENEWAL: Tick = 1;
/// Far enough behind the last URL's end for what expired then to be removed.
pub const END: Tick = 5;
/// How old an object has to be to count as an orphan (`sweep_orphans::MIN_AGE`).
pub const MIN_AGE: Tick = 1;
/// How long an orphan is kept aside (`sweep_orphans::QUARANTINE`).
pub const QUARANTINE: Tick = 2;

/// All that there is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// By the store's clock.
    pub time: Tick,
    /// By how much the clock of whoever signs URLs and deletes is ahead of it.
    pub signer_ahead: i8,
    /// The file's record; `None` before it is written, and after it is gone.
    pub record: Option<Record>,
    /// The object's versions, oldest first.
    pub bytes: Vec<Bytes>,
    /// When the newest URL that a client holds runs out.
    pub url_expires: Option<Tick>,
    /// Since when the object is in quarantine.
    pub aside: Option<Tick>,
    /// Whether a message about the file is in the queue. More than one would say nothing more.
    pub notified: bool,
    /// Whether the virus scanner can't be asked.
    pub scanner_is_away: bool,
    /// Operations under way, sorted.
    pub tasks: Vec<Task>,
    /// What the promises ask of the past.
    pub seen: Seen,
}

/// What was so once, and must not have become otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// How often the store has taken bytes.
    pub puts: u8,
    /// Whether what the store accepted first is what was declared.
    pub first_put_is_good: Option<bool>,
    /// Whether somebody has begun to renew the URL.
    pub renewed: bool,
    /// What the file was when it became available.
    pub available: Option<Object>,
    /// Whether a tombstone was written: from then on the file must stay deleted.
    pub deleted: bool,
    /// How often the record left `pending`, other than by a deletion.
    pub settlements: u8,
    /// Whether the power was cut; it is at most once.
    pub power_cut: bool,
    /// Records from before the file was created came back.
    pub restored: bool,
    /// When the store took bytes, where somebody asks for that.
    pub put_at: Option<Tick>,
    /// An object was set aside, or destroyed, before its time.
    pub swept_early: bool,
    /// The virus scanner was away; it is at most once.
    pub scanner_left: bool,
    /// Somebody held the file; they do so at most once.
    pub held: bool,
    /// A tombstone was written of a file that was held then.
    pub deleted_held: bool,
    /// A tombstone was written of a file that had to be kept then, by the store's clock.
    pub deleted_kept: bool,
    /// Of which bytes it said that they are clean, a bit for each by its number.
    pub clean: u8,
    /// A later scan found something in the available file, and the record says so: from then on nobody gets a URL for it.
    pub withdrawn: bool,
    /// When, by the store's clock, somebody first found that an available file's time is over.
    pub over_at: Option<Tick>,
}

/// `FileRecord`, as far as an operation looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// `FileRecord::status`, with the bytes of an available file.
    pub status: Status,
    /// `upload_expires_at`.
    pub deadline: Tick,
    /// Until when a rejected, expired or deleted record is kept.
    pub purge_at: Tick,
    /// `hold`: whether somebody holds the file.
    pub held: bool,
    /// `FileRecord::locking_version`: which version the store is told to keep, of a pending file.
    pub locking: Option<u8>,
    /// `reconcile_at`: when the record is due; `None` once nothing is left to do.
    pub reconcile_at: Option<Tick>,
}

/// `FileState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Waits for its bytes.
    Pending,
    /// These bytes can be downloaded.
    Available(Object),
    /// Other bytes came than were declared.
    Rejected,
    /// It was available, and something was found in it later.
    Withdrawn,
    /// No bytes came in time.
    Expired,
    /// A tombstone.
    Deleted,
}

/// What a record says of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// `None` where the bucket has no versions.
    pub version: Option<u8>,
    /// The number of the bytes that were measured.
    pub digest: u8,
}

/// One version of the object. No two have the same bytes, so its number is also its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bytes {
    /// How many came before it.
    pub number: u8,
    /// Whether length and digest are the declared ones.
    pub good: bool,
    /// Whether they and their name survive a power cut.
    pub durable: bool,
    /// Whether the store keeps them as long as the file has to be kept.
    pub locked: bool,
}

impl Record {
    /// `FileRecord::pending`. The first sweep looks at everything, so a pending record is due at
    /// once.
    pub fn pending(deadline: Tick) -> Self {
        Self {
            status: Status::Pending,
            deadline,
            purge_at: 0,
            held: false,
            locking: None,
            reconcile_at: Some(0),
        }
    }

    /// `FileRecord::is_visible`.
    pub fn is_visible(&self, now: Tick) -> bool {
        match self.status {
            Status::Pending | Status::Available(_) => true,
            Status::Rejected | Status::Withdrawn | Status::Expired => now < self.purge_at,
            Status::Deleted => false,
        }
    }

    /// `FileRecord::is_retained`, of a file that has to be kept until then.
    pub fn is_kept(&self, keep_until: Option<Tick>, as_of: Tick) -> bool {
        let is_there = match self.status {
            Status::Available(_) | Status::Withdrawn => true,
            Status::Pending => self.locking.is_some(),
            _ => false,
        };
        is_there && keep_until.is_some_and(|at| as_of < at)
    }

    /// Whether the file isn't to have bytes.
    pub fn is_over(&self) -> bool {
        !matches!(self.status, Status::Pending | Status::Available(_))
    }
}

/// `Lifecycle::uploads_end_at`.
pub fn uploads_end_at(deadline: Tick) -> Tick {
    deadline + GRACE
}

/// `Lifecycle::purge_at`.
pub fn purge_at(deadline: Tick, now: Tick) -> Tick {
    now.max(uploads_end_at(deadline)) + RETENTION
}

impl State {
    /// The record while it is pending: the condition of most writes.
    pub fn pending(&mut self) -> Option<&mut Record> {
        self.record
            .as_mut()
            .filter(|record| record.status == Status::Pending)
    }

    /// The record if its status is still `status`: the condition of `schedule_reconcile` and `remove`.
    pub fn still(&mut self, status: Status) -> Option<&mut Record> {
        self.record
            .as_mut()
            .filter(|record| record.status == status && record.is_over())
    }

    /// Whether the file can be downloaded.
    pub fn is_available(&self) -> bool {
        let status = self.record.as_ref().map(|record| record.status);
        matches!(status, Some(Status::Available(_)))
    }

    /// `MetadataStore::due_records` for the only file there is.
    pub fn is_due(&self) -> bool {
        let reconcile_at = self.record.as_ref().and_then(|record| record.reconcile_at);
        reconcile_at.is_some_and(|at| at <= self.time)
    }

    /// Whether a listing shows the sweep more than one version.
    pub fn has_others(&self) -> bool {
        self.bytes.len() > 1
    }

    /// Whether there is an object that no record names.
    pub fn has_orphan(&self) -> bool {
        self.seen.restored && self.record.is_none() && !self.bytes.is_empty()
    }

    /// Whether bytes may still arrive. A store looks at the expiry when a request begins.
    pub fn may_receive(&self) -> bool {
        self.url_expires
            .is_some_and(|at| self.time < uploads_end_at(at))
    }

    /// Whether the bytes are there that the record of an available file names.
    pub fn has(&self, object: Object) -> bool {
        match object.version {
            Some(version) => self.bytes.iter().any(|bytes| bytes.number == version),
            None => self
                .bytes
                .last()
                .is_some_and(|bytes| bytes.number == object.digest),
        }
    }
}
