//! The searches.

use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};

use super::flaw::Flaw;
use super::life::Life;

const THREADS: usize = 2;

/// Two operations at a time, and all that clients can do.
const PAIRS: Life = Life {
    versioned: false,
    at_a_time: 2,
    renews: true,
    puts: 2,
    forms: false,
    flaw: None,
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
