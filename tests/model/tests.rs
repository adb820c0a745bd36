//! The searches.

use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};

use super::flaw::Flaw;
use super::life::Life;
use super::state::{END, Tick};

const THREADS: usize = 2;

/// So late that a withdrawn file can still be seen to go within the time there is.
const KEEP_UNTIL: Tick = 2;

/// Two operations at a time, and all that clients can do.
const PAIRS: Life = Life {
    versioned: false,
    at_a_time: 2,
    renews: true,
    puts: 2,
    forms: false,
    suspended: false,
    clocks: false,
    power_cuts: false,
    restores: false,
    delete_after: None,
    scans: false,
    holds: false,
    rescans: false,
    keep_until: None,
    locks: false,
    flaw: None,
};

/// The file is to be deleted some time after it can be uploaded.
const ENDS: Life = Life {
    delete_after: Some(END - 1),
    renews: false,
    ..CLOCKS
};

/// Every process has a clock of its own, and none is right.
const CLOCKS: Life = Life {
    clocks: true,
    puts: 1,
    ..PAIRS
};

/// The power is cut once, before or after a PUT is answered.
const POWER_CUTS: Life = Life {
    power_cuts: true,
    renews: false,
    ..PAIRS
};

/// Versions are suspended while forms are handed out.
const SUSPENDED: Life = Life {
    versioned: false,
    suspended: true,
    ..FORMS
};

/// Records from a backup come back, that don't have the file.
const RESTORES: Life = Life {
    restores: true,
    clocks: true,
    renews: false,
    puts: 1,
    ..PAIRS
};

/// Files are scanned, and the scanner is away for a while.
const SCANS: Life = Life {
    scans: true,
    renews: false,
    ..PAIRS
};

/// Somebody holds the file, and ends that again.
const HOLDS: Life = Life {
    holds: true,
    renews: false,
    puts: 1,
    ..PAIRS
};

/// Something is found in the file once it is available.
const RESCANS: Life = Life {
    rescans: true,
    renews: false,
    ..PAIRS
};

/// The file has to be kept for a while, whatever is found in it, and no clock is right.
const RETAINS: Life = Life {
    keep_until: Some(KEEP_UNTIL),
    rescans: true,
    renews: false,
    ..CLOCKS
};

/// The store locks what has to be kept, and a form is sent twice.
const LOCKS: Life = Life {
    keep_until: Some(KEEP_UNTIL),
    locks: true,
    ..FORMS
};

/// The same, where files are scanned.
const SCANNED_LOCKS: Life = Life {
    scans: true,
    forms: false,
    puts: 1,
    ..LOCKS
};

/// A form that is sent twice.
const FORMS: Life = Life {
    versioned: true,
    renews: false,
    forms: true,
    ..PAIRS
};

/// Goes through every state there is.
fn search(life: Life) {
    let checker = life.checker().threads(THREADS).spawn_dfs().join();
    println!(
        "{life:?}: {} states, at most {} steps from the start",
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

#[test]
fn the_promises_hold_in_every_state_where_the_bucket_has_versions() {
    search(Life {
        versioned: true,
        ..PAIRS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_the_bucket_has_none() {
    search(PAIRS);
}

#[test]
fn the_promises_hold_in_every_state_where_a_form_is_sent_again() {
    search(FORMS);
}

#[test]
fn the_promises_hold_in_every_state_where_clocks_are_wrong() {
    search(CLOCKS);
}

#[test]
fn the_promises_hold_in_every_state_where_the_power_is_cut() {
    search(POWER_CUTS);
}

#[test]
fn the_promises_hold_in_every_state_where_versions_are_suspended() {
    search(SUSPENDED);
}

#[test]
fn the_promises_hold_in_every_state_where_old_records_are_restored() {
    search(RESTORES);
}

#[test]
fn the_promises_hold_in_every_state_where_files_are_to_be_deleted_at_some_time() {
    search(ENDS);
    // Before its bytes may have come.
    search(Life {
        delete_after: Some(1),
        versioned: true,
        ..ENDS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_the_virus_scanner_is_away() {
    search(SCANS);
    // Of several versions the one that becomes available is the one that was scanned.
    search(Life {
        scans: true,
        ..FORMS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_a_file_is_held() {
    search(Life {
        versioned: true,
        ..HOLDS
    });
    // One that is to be deleted meanwhile.
    search(Life {
        delete_after: Some(END - 1),
        ..HOLDS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_a_file_is_withdrawn() {
    search(RESCANS);
    search(Life {
        rescans: true,
        ..FORMS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_a_file_has_to_be_kept() {
    search(RETAINS);
    search(Life {
        versioned: true,
        ..RETAINS
    });
}

#[test]
fn the_promises_hold_in_every_state_where_the_store_locks_what_has_to_be_kept() {
    search(LOCKS);
    search(SCANNED_LOCKS);
}

/// Without a second URL and a second upload, which would be more states than a test has time for.
#[test]
fn the_promises_hold_in_every_state_where_three_operations_meet() {
    search(Life {
        at_a_time: 3,
        renews: false,
        puts: 1,
        ..PAIRS
    });
}

#[test]
fn every_flaw_breaks_a_promise() {
    for flaw in Flaw::ALL {
        let from = match flaw {
            Flaw::LaterFormsStay | Flaw::KeepTheNewest => FORMS,
            Flaw::ExpireByOwnClock | Flaw::RemoveByOwnClock => CLOCKS,
            Flaw::DeleteByOwnClock | Flaw::AvailableIsNeverDue => ENDS,
            Flaw::SettleUnscanned | Flaw::UnscannedIsNeverDue => SCANS,
            Flaw::DeleteByHoldSeenBefore | Flaw::HoldOutlivesRejection => HOLDS,
            Flaw::ScanTheNewest => Life {
                scans: true,
                ..FORMS
            },
            Flaw::WithdrawnIsNeverDue
            | Flaw::WithdrawInAnyState
            | Flaw::WithdrawnBytesFirst
            | Flaw::DeleteBytesOfWithdrawnAtOnce => RESCANS,
            Flaw::RetentionIsNotAsked
            | Flaw::RetentionByOwnClock
            | Flaw::WithdrawalEndsRetention => RETAINS,
            Flaw::LockBeforeStage | Flaw::LockTheNewest => LOCKS,
            Flaw::AwaitScanEndsLocking => SCANNED_LOCKS,
            Flaw::SettleBeforeDurable => POWER_CUTS,
            Flaw::SettleReplaceable => SUSPENDED,
            Flaw::SweepByOwnClock | Flaw::SweepDestroys => RESTORES,
            Flaw::FormWithoutVersions => Life {
                versioned: false,
                ..FORMS
            },
            _ => PAIRS,
        };
        let life = Life {
            flaw: Some(flaw),
            ..from
        };
        let checker = life
            .checker()
            .threads(THREADS)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        let is_broken = |name: &&str| {
            let found = checker.discovery_classification(name);
            matches!(found, DiscoveryClassification::Counterexample)
        };
        let found = checker.discoveries();
        let broken: Vec<_> = found.keys().copied().filter(is_broken).collect();
        println!("{flaw:?}: not so: {broken:?}");
        for name in &broken {
            println!("    {:?}", found[name].clone().into_actions());
        }
        assert!(!broken.is_empty(), "{flaw:?} isn't found");
    }
}
