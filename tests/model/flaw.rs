//! Ways to build it wrong. The search finds each, which is how it is known to look.

/// What is different from the service as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Two settlements both hold: the write doesn't ask whether the record is pending.
    SettleWithoutCondition,
    /// An expiry doesn't ask whether the deadline is the one that was seen.
    ExpireInSpiteOfRenewal,
    /// The expiry goes by the time after the look into the store, not before.
    ExpireByTimeAfterTheLook,
    /// Reconciliations of pending records were forgotten: notifications are relied on.
    PendingIsNeverReconciled,
    /// A settlement doesn't mark that bytes are left to delete.
    NoReconcileAfterSettlement,
    /// The bytes go first, and then the tombstone is written.
    DeleteBytesBeforeTombstone,
    /// Deleting removes the record instead of leaving a tombstone.
    DeleteWithoutTombstone,
    /// The tombstone goes with the bytes, although a URL still works.
    RemoveTombstoneBeforeGraceIsOver,
    /// What follows a deletion goes by the record as it was before the tombstone.
    DeleteByRecordSeenBefore,
    /// What follows a rejection goes by the record as it was before the settlement.
    RejectByRecordSeenBefore,
    /// The time for what follows is taken after the bytes went, not before.
    CleanUpByTimeAfterTheBytesWent,
    /// A fresh URL is handed out before the record's deadline has moved.
    UrlBeforeDeadline,
    /// The first URL is handed out before the record exists.
    UrlBeforeRecord,
    /// Uploads may overwrite: the URL doesn't sign `if-none-match`.
    OverwritingUpload,
    /// Forms are handed out where the bucket has no versions.
    FormWithoutVersions,
    /// What a form brings later stays, and the version that is named is no longer the current one.
    LaterFormsStay,
    /// Of several versions the newest is kept, not the one that is named.
    KeepTheNewest,
    /// A reviewer whose clock is ahead expires by it what the store still takes.
    ExpireByOwnClock,
    /// A tombstone goes by the clock of whoever cleans up.
    RemoveByOwnClock,
    /// An object's age, and the end of its quarantine, go by the sweeper's clock.
    SweepByOwnClock,
    /// A file is called available before its bytes and their name are durable.
    SettleBeforeDurable,
    /// Bytes are settled that an upload may still replace.
    SettleReplaceable,
    /// The sweep deletes what no record names, at once and for good.
    SweepDestroys,
    /// A reconciler whose clock is ahead deletes by it what is to stay for a while.
    DeleteByOwnClock,
    /// A file that becomes available isn't due when its time is over.
    AvailableIsNeverDue,
    /// A file is available though the virus scanner couldn't be asked.
    SettleUnscanned,
    /// What is scanned is whatever lies there, not what was measured.
    ScanTheNewest,
    /// A file that couldn't be scanned isn't due for another try.
    UnscannedIsNeverDue,
    /// Whether a file is held is asked before it is deleted, and not by the write that does it.
    DeleteByHoldSeenBefore,
    /// A file that is held stays so when it is rejected, and its bytes with it.
    HoldOutlivesRejection,
    /// The bytes of a withdrawn file are left to nobody.
    WithdrawnIsNeverDue,
    /// A file is withdrawn whatever it has become since it was scanned.
    WithdrawInAnyState,
    /// The bytes of a file go before the record says that it is withdrawn.
    WithdrawnBytesFirst,
    /// The bytes of a withdrawn file without a version go while a URL can still bring others.
    DeleteBytesOfWithdrawnAtOnce,
    /// The bytes of a deleted file without a version go while a URL can still bring others.
    DeleteBytesOfUnversionedAtOnce,
    /// The write that deletes doesn't ask whether the file has to be kept.
    RetentionIsNotAsked,
    /// Whether a file has to be kept any longer goes by the clock of whoever deletes.
    RetentionByOwnClock,
    /// The bytes of a withdrawn file go although the file has to be kept.
    WithdrawalEndsRetention,
    /// A version is locked before the record says that it will be.
    LockBeforeStage,
    /// Whoever goes on with a lock goes by whatever came since.
    LockTheNewest,
    /// Whoever couldn't have the bytes scanned takes back that they are being locked.
    AwaitScanEndsLocking,
}

impl Flaw {
    /// Every flaw, for the search to find.
    pub const ALL: [Self; 41] = [
        Self::SettleWithoutCondition,
        Self::ExpireInSpiteOfRenewal,
        Self::ExpireByTimeAfterTheLook,
        Self::PendingIsNeverReconciled,
        Self::NoReconcileAfterSettlement,
        Self::DeleteBytesBeforeTombstone,
        Self::DeleteWithoutTombstone,
        Self::RemoveTombstoneBeforeGraceIsOver,
        Self::DeleteByRecordSeenBefore,
        Self::RejectByRecordSeenBefore,
        Self::CleanUpByTimeAfterTheBytesWent,
        Self::UrlBeforeDeadline,
        Self::UrlBeforeRecord,
        Self::OverwritingUpload,
        Self::FormWithoutVersions,
        Self::LaterFormsStay,
        Self::KeepTheNewest,
        Self::ExpireByOwnClock,
        Self::RemoveByOwnClock,
        Self::SweepByOwnClock,
        Self::DeleteByOwnClock,
        Self::AvailableIsNeverDue,
        Self::SettleBeforeDurable,
        Self::SettleReplaceable,
        Self::SweepDestroys,
        Self::SettleUnscanned,
        Self::ScanTheNewest,
        Self::UnscannedIsNeverDue,
        Self::WithdrawnIsNeverDue,
        Self::WithdrawInAnyState,
        Self::WithdrawnBytesFirst,
        Self::DeleteBytesOfWithdrawnAtOnce,
        Self::DeleteBytesOfUnversionedAtOnce,
        Self::DeleteByHoldSeenBefore,
        Self::HoldOutlivesRejection,
        Self::RetentionIsNotAsked,
        Self::RetentionByOwnClock,
        Self::WithdrawalEndsRetention,
        Self::LockBeforeStage,
        Self::LockTheNewest,
        Self::AwaitScanEndsLocking,
    ];
}
